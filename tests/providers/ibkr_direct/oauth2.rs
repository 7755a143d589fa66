//! OAuth 2.0: a token, a session bound to this machine's address, and its renewal.

use http::{Method, StatusCode};
use sansession::providers::ibkr::OAuth2;
use sansession::providers::ibkr::oauth2::Client;
use sansession::sim::Mishap;
use sansession::sim::ibkr::oauth2::OAuth2Server;
use sansession::{Machine, Phase, ResumeError, Seed, Session};

use crate::ibkr_direct::keys::institution_keys;
use crate::ibkr_direct::*;
use crate::support::world::World;

const TOKEN: &str = "POST /oauth2/api/v1/token";
const SESSION: &str = "POST /gw/api/v1/sso-sessions";
const VALIDATE: &str = "GET /v1/api/sso/validate";

pub fn provider(user: &str, address: [u8; 4]) -> WebApi {
    let client = Client::new("client-1", "main").unwrap();
    let oauth = OAuth2::new(client, key(&institution_keys().signature), user, IpAddr::from(address)).unwrap();
    WebApi::new(&base(), oauth).unwrap()
}

fn ibkr() -> Ibkr {
    let mut server = OAuth2Server::new([6; 32]);
    server.register("client-1", "main", &institution_keys().signature_public, &["tester"]).unwrap();
    let settings = sim::Settings { tickle: sim::TickleBody::Full, ..sim::WebApiSim::settings() };
    Ibkr { sim: sim::WebApiSim::oauth2(server, settings), ahead: 0 }
}

fn life_of(user: &str, address: [u8; 4]) -> Life {
    World::new(Session::new(provider(user, address), Options::default(), seed()), ibkr())
}

pub fn life() -> Life {
    life_of("tester", [127, 0, 0, 1])
}

fn count(life: &Life, request: &str) -> usize {
    life.sent.iter().filter(|sent| *sent == request).count()
}

#[test]
fn a_whole_life() {
    let mut life = life();
    life.is_active();
    assert_eq!(life.sent[..5], [TOKEN, SESSION, VALIDATE, STATUS, INIT]);
    let live = life.machine.live().unwrap();
    assert_eq!((live.user.as_deref(), live.paper), (Some("tester"), Some(true)));
    life.runs_for(2 * MINUTE);
    assert_eq!(life.calls(Method::GET, "/iserver/accounts").unwrap().status(), StatusCode::OK);
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out");
    insta::assert_snapshot!(life.transcript);
}

#[test]
fn a_week_renews_both_tokens_daily() {
    let mut life = life();
    life.server.sim.gateway.settings().maintenance = None;
    life.is_active();
    while life.now < START + 7 * DAY {
        life.runs_for(13 * MINUTE);
        let outer = life.calls(Method::GET, "/portfolio/accounts").unwrap();
        assert_eq!(outer.status(), StatusCode::OK, "{}", life.transcript);
    }
    assert!((8..=9).contains(&count(&life, SESSION)) && count(&life, TOKEN) == count(&life, SESSION));
    assert!(!life.told.iter().any(|event| event.code() == "suspect"), "{}", life.transcript);
}

#[test]
fn a_dead_bearer_is_replaced() {
    let mut life = life();
    life.is_active();
    life.runs_for(HOUR);
    life.server.sim.end_sessions();
    life.runs_for(5 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!((count(&life, SESSION), count(&life, INIT)), (2, 1));
}

#[test]
fn another_address_and_another_user_are_refused() {
    for (user, address) in [("tester", [192, 0, 2, 1]), ("somebody", [127, 0, 0, 1])] {
        let mut life = life_of(user, address);
        let reason = life.runs_to_end();
        assert_eq!(reason.code(), "denied.rejected", "{reason}");
        assert_eq!(life.sent, [TOKEN, SESSION]);
    }
}

#[test]
fn a_wrong_key_is_refused() {
    let client = Client::new("client-1", "main").unwrap();
    let other = key(&institution_keys().encryption);
    let oauth = OAuth2::new(client, other, "tester", IpAddr::from([127, 0, 0, 1])).unwrap();
    let session = Session::new(WebApi::new(&base(), oauth).unwrap(), Options::default(), seed());
    let mut life = World::new(session, ibkr());
    assert_eq!(life.runs_to_end().code(), "denied.rejected");
}

#[test]
fn a_session_is_bound_to_its_way_out_of_the_network() {
    let options = |egress: Option<&str>| {
        let mut options = Options::default();
        options.egress_label = egress.map(Into::into);
        options
    };
    let session = Session::new(provider("tester", [127, 0, 0, 1]), options(Some("fibre")), seed());
    let mut life = World::new(session, ibkr());
    life.is_active();
    let snapshot = life.machine.snapshot();
    let resume = |egress, user| {
        let provider = provider(user, [127, 0, 0, 1]);
        Session::resume(provider, &snapshot, options(egress), None, Seed::new([9; 32]), life.now).map(drop)
    };
    assert_eq!(resume(Some("fibre"), "tester"), Ok(()));
    assert_eq!(resume(Some("mobile"), "tester"), Err(ResumeError::WrongEgress));
    assert_eq!(resume(Some("fibre"), "somebody"), Err(ResumeError::WrongAccount));
}

#[test]
fn a_logout_after_a_lost_session_is_not_confirmed_while_no_other_one_came() {
    let lost = || {
        let mut life = life();
        let trouble = sim::Lever::Mishap { next: 1, path: "-sessions", mishap: Mishap::Dropped };
        life.server.sim.gateway.pull(START, trouble);
        life.runs_until_told("retrying");
        assert_eq!(life.sent, [TOKEN, SESSION]);
        life
    };
    let mut life = lost();
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out.unconfirmed", "{}", life.transcript);
    // The account has one brokerage session, whichever token it is opened with, and the logout ends that.
    let mut life = lost();
    life.is_active();
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
}
