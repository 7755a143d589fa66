//! Consent of somebody else's account, and a session with what it gives.

use std::sync::{Arc, Mutex};

use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::{Consent, OAuth1a};
use sansession::{Input, Machine, Need, NeedKind, Phase, Seed, Session, Source};

use crate::ibkr_direct::*;
use crate::support::world::World;

/// The server's half, which the account's owner visits in a browser, too.
#[derive(Clone)]
pub struct Portal(pub Arc<Mutex<OAuthServer>>);

impl Simulator for Portal {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        Reply::new(self.0.lock().unwrap().handle(now, request).unwrap())
    }
}

impl Portal {
    /// The owner opens the page and consents.
    pub fn consents(&self, need: &Need) -> String {
        let (page, token) = need.url.as_deref().unwrap().split_once("?oauth_token=").unwrap();
        assert_eq!(page, "https://www.interactivebrokers.com/authorize");
        self.0.lock().unwrap().consent(token).unwrap()
    }
}

fn provider() -> Consent {
    Consent::new(&base(), Consumer::new(CONSUMER).unwrap(), key(&client_keys().signature))
}

fn asking(portal: &Portal) -> World<Session<Consent>, Portal> {
    World::new(Session::new(provider(), Options::default(), seed()), portal.clone())
}

#[test]
fn consent_gives_a_grant_that_outlives_the_session() {
    let portal = Portal(Arc::new(Mutex::new(server(START).0)));
    let owner = portal.clone();
    let mut world = asking(&portal).answering(move |need| {
        assert_eq!(need.kind, NeedKind::Verifier);
        Some((Input::Code(owner.consents(need).into()), Source::Person))
    });
    world.is_active();
    let grant = world.machine.live().unwrap().clone();
    assert_eq!(grant.paper(), Some(true));
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert_eq!(world.sent, ["POST /v1/api/oauth/request_token", "POST /v1/api/oauth/access_token"]);
    // It is in the closed session's snapshot, and in a text of its own.
    assert!(world.machine.snapshot().expose_secrets().contains(grant.access_token()));
    let grant = Grant::from_text(grant.expose_secrets().expose()).unwrap();

    // A session of that account.
    let keys = client_keys();
    let params = DhParams::from_pem(&keys.dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    let oauth = OAuth1a::new(consumer, &grant, key(&keys.signature), &key(&keys.encryption), params).unwrap();
    drop(world);
    let Ok(server) = Arc::try_unwrap(portal.0) else { panic!("somebody still has the portal") };
    let sim = sim::WebApiSim::oauth1a(server.into_inner().unwrap(), sim::WebApiSim::settings());
    let session = Session::new(WebApi::new(&base(), oauth).unwrap(), Options::default(), seed());
    let mut life = World::new(session, Ibkr { sim, ahead: 0 });
    life.is_active();
    assert_eq!(life.machine.live().unwrap().paper, Some(true));
}

#[test]
fn a_wrong_verifier_is_asked_for_again() {
    let portal = Portal(Arc::new(Mutex::new(server(START).0)));
    let (owner, mut tries) = (portal.clone(), 0);
    let mut world = asking(&portal).answering(move |need| {
        let right = owner.consents(need);
        tries += 1;
        assert_eq!(need.refused, tries - 1);
        Some((Input::Code(if tries == 1 { "wrong".into() } else { right.into() }), Source::Person))
    });
    world.is_active();
    assert_eq!(world.sent.len(), 3);
}

#[test]
fn a_verifier_of_unknown_fate_is_not_sent_again() {
    let portal = Portal(Arc::new(Mutex::new(server(START).0)));
    let owner = portal.clone();
    let mut world =
        asking(&portal).answering(move |need| Some((Input::Code(owner.consents(need).into()), Source::Person)));
    world.latency = Duration::from_secs(1);
    world.runs_until(|world| world.sent.len() == 2);
    world.resumes(|snapshot, now| {
        Session::resume(provider(), snapshot, Options::default(), None, Seed::new([9; 32]), now).unwrap()
    });
    world.is_active();
    assert_eq!(world.sent.iter().filter(|sent| sent.ends_with("request_token")).count(), 2, "{}", world.transcript);
    assert_eq!(world.machine.phase(), Phase::Active);
}

/// Acts on the first access token's request and answers it with 500.
struct FallsIll(Portal, bool);

impl Simulator for FallsIll {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        let mut reply = self.0.handle(now, peer, request);
        if request.uri().path().ends_with("access_token") && !std::mem::replace(&mut self.1, true) {
            *reply.response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            *reply.response.body_mut() = br#"{"error":"Internal Server Error","statusCode":500}"#.to_vec();
        }
        reply
    }
}

#[test]
fn a_verifier_that_a_server_in_trouble_may_have_used_is_not_sent_again() {
    let portal = Portal(Arc::new(Mutex::new(server(START).0)));
    let owner = portal.clone();
    let session = Session::new(provider(), Options::default(), seed());
    let mut world = World::new(session, FallsIll(portal, false))
        .answering(move |need| Some((Input::Code(owner.consents(need).into()), Source::Person)));
    world.is_active();
    let [request, access] =
        ["request_token", "access_token"].map(|end| world.sent.iter().filter(|sent| sent.ends_with(end)).count());
    assert_eq!((request, access), (2, 2), "the owner consents again\n{}", world.transcript);
}

#[test]
fn a_key_that_is_not_live_yet_is_told() {
    let portal = Portal(Arc::new(Mutex::new(server(START + DAY).0)));
    assert_eq!(asking(&portal).runs_to_end().code(), "denied.key-not-live");
}
