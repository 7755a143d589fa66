//! The Trade API's rules, seen through the wire layer.

use std::net::{IpAddr, Ipv4Addr};

use super::*;
use crate::machine::exchange::Response;
use crate::providers::kotak::wire::envelope::read;
use crate::providers::kotak::wire::fault::{At, trade_api as find};
use crate::providers::kotak::wire::gateway::Client;
use crate::providers::kotak::wire::trade_api::{App, Init, Login, SecondFactor};
use crate::secret::Secret;
use crate::sim::Mishap;
use crate::sim::kotak::Outcome;

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A client at one of the hosts.
struct Client0 {
    sim: TradeApiSim,
    bearer: Secret,
    base: BaseUrl,
    now: Timestamp,
}

impl Client0 {
    fn new(user: User) -> Self {
        let mut sim = TradeApiSim::kotak().app("key", "secret").user(user);
        let bearer = sim.issue_bearer(NOW).into();
        let base = sim.base(Shard::First).clone();
        Self { sim, bearer, base, now: NOW }
    }

    fn send(&mut self, build: impl FnOnce(&App<'_>) -> Request<Vec<u8>>) -> http::Response<Vec<u8>> {
        let app = App { base: &self.base, bearer: &self.bearer, consumer_key: &"key".into(), ip: "", app_id: "" };
        let request = build(&app);
        self.sim.handle(self.now, PEER, &request).response
    }

    fn fault(&mut self, at: At, build: impl FnOnce(&App<'_>) -> Request<Vec<u8>>) -> &'static str {
        let response = self.send(build);
        find(at, Response::from(&response)).map_or("none", |fault| fault.class.code())
    }

    fn login(&mut self) -> Secret {
        let response = self.send(|app| app.login("USER1", "pw").unwrap());
        read::<Login<'_>>(response.body()).unwrap().one_time_token.unwrap()
    }

    fn session(&mut self) -> Secret {
        let token = self.login();
        let code = self.sim.access_code("USER1", self.now).unwrap();
        let response = self.send(|app| app.access_code("USER1", &token, &code).unwrap());
        read::<SecondFactor<'_>>(response.body()).unwrap().session_token.unwrap()
    }
}

fn client() -> Client0 {
    Client0::new(User::new("USER1", "pw"))
}

#[test]
fn a_session_is_opened_used_and_ended_in_every_spelling() {
    for envelope in [Envelope::AsSeen, Envelope::Upper, Envelope::Lower, Envelope::Flat] {
        for texts in [false, true] {
            let mut client = client();
            client.sim.set_envelope(envelope);
            client.sim.set_texts(texts);
            let response = client.send(|app| app.init("USER1").unwrap());
            assert_eq!(read::<Init<'_>>(response.body()).unwrap().is_active(), Some(true));
            let session = client.session();
            assert_eq!(client.fault(At::Session, |app| app.orders(&session).unwrap()), "none");
            assert_eq!(client.fault(At::Session, |app| app.logout("USER1", &session).unwrap()), "none");
            assert_eq!(client.sim.log().last(), Some(Outcome::Accepted("logout")));
            assert_eq!(client.fault(At::Session, |app| app.orders(&session).unwrap()), "kotak.session-expired");
        }
    }
}

#[test]
fn the_other_host_is_told_at_init_and_at_the_second_factor() {
    let mut client = Client0::new(User::new("USER1", "pw").on(Shard::Second));
    let response = client.send(|app| app.init("USER1").unwrap());
    let init = read::<Init<'_>>(response.body()).unwrap();
    let told = init.redirect.unwrap().host.unwrap().into_owned();
    assert_eq!(told, "https://ctradeapi.kotaksecurities.com/apim");
    let token = client.login();
    assert_eq!(
        client.fault(At::SecondFactor, |app| app.access_code("USER1", &token, "0").unwrap()),
        "kotak.wrong-host"
    );
    client.base = BaseUrl::parse(&told).unwrap();
    // A one-time token of the other host is none here.
    assert_eq!(
        client.fault(At::SecondFactor, |app| app.access_code("USER1", &token, "0").unwrap()),
        "kotak.one-time-token-stale"
    );
    client.session();
    assert_eq!(client.sim.open_sessions(), 1);
}

#[test]
fn three_bad_tries_of_either_kind_lock_the_account() {
    let mut client = client();
    let token = client.login();
    assert_eq!(
        client.fault(At::SecondFactor, |app| app.access_code("USER1", &token, "wrong").unwrap()),
        "kotak.second-factor-rejected"
    );
    for _ in 0..2 {
        assert_eq!(
            client.fault(At::FirstFactor, |app| app.login("USER1", "no").unwrap()),
            "kotak.credentials-rejected"
        );
    }
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.locked");
    assert_eq!(client.fault(At::FirstFactor, |app| app.login("USER1", "pw").unwrap()), "kotak.locked");
    client.sim.unlock("USER1");
    client.session();
}

#[test]
fn tokens_end() {
    let mut client = client();
    let session = client.session();
    let token = client.login();
    client.now = NOW + Duration::from_secs(600);
    assert_eq!(
        client.fault(At::SecondFactor, |app| app.access_code("USER1", &token, "0").unwrap()),
        "kotak.one-time-token-stale"
    );
    client.now = NOW + Duration::from_secs(3600);
    assert_eq!(client.fault(At::Session, |app| app.orders(&session).unwrap()), "kotak.bearer-invalid");
    let gateway = client.base.clone();
    let app = Client { base: &gateway, consumer_key: &"key".into(), consumer_secret: &"secret".into() };
    let response = client.sim.handle(client.now, PEER, &app.token().unwrap()).response;
    let body: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    client.bearer = body["access_token"].as_str().unwrap().into();
    assert_eq!(
        client.fault(At::Session, |app| app.orders(&session).unwrap()),
        "none",
        "the session outlives the bearer"
    );
    client.sim.handle(client.now, PEER, &app.revoke(&client.bearer, None).unwrap());
    assert_eq!(client.fault(At::Session, |app| app.orders(&session).unwrap()), "kotak.bearer-invalid");
    let wrong = Client { consumer_secret: &"wrong".into(), ..app };
    assert_eq!(client.sim.handle(client.now, PEER, &wrong.token().unwrap()).response.status(), 401);
}

#[test]
fn a_code_holds_for_the_day() {
    let mut client = client();
    let code = client.sim.access_code("USER1", NOW).unwrap();
    assert_eq!(client.sim.access_code("USER1", NOW + Duration::from_secs(60)), Some(code.clone()));
    assert_ne!(client.sim.access_code("USER1", NOW + Duration::from_secs(86_400)), Some(code));
    let token = client.login();
    assert_eq!(client.fault(At::SecondFactor, |app| app.request_access_code("USER1", &token).unwrap()), "none");
    assert_eq!(client.sim.codes_sent("USER1"), 1);
}

#[test]
fn subscribed_users_need_no_code() {
    let mut client = Client0::new(User::new("USER1", "pw").subscribed());
    let token = client.login();
    assert_eq!(client.fault(At::SecondFactor, |app| app.without_code("USER1", &token).unwrap()), "none");
    let mut client = self::client();
    let token = client.login();
    assert_eq!(
        client.fault(At::SecondFactor, |app| app.without_code("USER1", &token).unwrap()),
        "kotak.second-factor-rejected"
    );
}

#[test]
fn the_gateway_has_a_quota_and_outages() {
    let mut client = client();
    client.sim.set_quota(Some(1));
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "none");
    client.sim.set_faults_inside_200(true);
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.quota");
    client.now = client.now + Duration::from_secs(60);
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "none");
    client.sim.set_outage(Some(StatusCode::GATEWAY_TIMEOUT));
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.unavailable");
    client.sim.set_outage(None);
    client.sim.set_quota(None);
    client.sim.disturb(1, &Mishap::ProxyPage(StatusCode::OK));
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.malformed");
    client.sim.disturb(1, &Mishap::MalformedJson);
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.malformed");
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "none");
}

#[test]
fn missing_parts_are_refused() {
    let mut client = Client0::new(User::new("USER1", "pw").not_entitled());
    assert_eq!(client.fault(At::Init, |app| app.init("USER1").unwrap()), "kotak.not-entitled");
    let mut client = self::client();
    for name in ["userid", "consumerkey", "ip", "appid"] {
        let response = client.send(|app| {
            let mut request = app.init("USER1").unwrap();
            request.headers_mut().remove(name);
            request
        });
        assert_eq!(response.status(), 400, "{name}");
    }
    assert_eq!(client.fault(At::Init, |app| app.init("").unwrap()), "kotak.rejected");
    assert_eq!(client.fault(At::Session, |app| app.orders(&"none".into()).unwrap()), "kotak.session-expired");
}

#[test]
fn the_log_tells_what_a_foreign_host_learnt() {
    let mut client = client();
    client.base = BaseUrl::parse("https://evil.example/apim").unwrap();
    client.send(|app| app.init("USER1").unwrap());
    let foreign = Request::get("https://evil.example/").body(Vec::new()).unwrap();
    client.sim.handle(NOW, PEER, &foreign);
    let leaks: Vec<_> = client.sim.log().leaks().map(|seen| seen.host.as_str()).collect();
    assert_eq!(leaks, ["evil.example"]);
    assert_eq!(client.sim.log().requests().len(), 2);
}
