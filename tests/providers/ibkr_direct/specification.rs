//! Every request of a life, of every machine of IBKR's, is one that the official specifications have.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use sansession::drive::blocking::Transport;
use sansession::providers::ibkr::wire::{Endpoints, Init};
use sansession::providers::ibkr::{Consent, Expect, Gateway, Takeover};
use sansession::sim::Mishap;
use sansession::sim::Server;
use sansession::sim::ibkr::{Lever, Login, Person, Rival};
use sansession::{Input, Need, NeedKind, Session, Source};

use crate::ibkr_direct::*;
use crate::specification::{self as mock, Validating};
use crate::support::world::World;

fn operations<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// A login whose kind is not told, so that the accounts are asked for.
fn kindless() -> Mishap {
    let body = r#"{"USER_ID":1,"USER_NAME":"tester","RESULT":true,"EXPIRES":415890}"#;
    Mishap::answer(200, "application/json", body)
}

#[test]
fn of_a_gateway_on_both_bases() {
    for base in ["https://localhost:5000/v1/api", "https://localhost:5000/v1/portal"] {
        let expect = Expect { user: Some("tester".into()), paper: Some(true) };
        let provider = Gateway::new(&BaseUrl::parse(base).unwrap()).unwrap().expect(expect).takeover(Takeover::ALWAYS);
        let login = Login::After { delay: 5 * MINUTE / 60, person: Person::default() };
        let mut server = sim::GatewaySim::new(sim::Settings { login, ..sim::Settings::default() });
        server.pull(START, Lever::Mishap { next: 1, path: "/sso/validate", mishap: kindless() });
        let mut life = World::new(Session::new(provider, Options::default(), seed()), Validating::new(server));
        life.is_active().runs_for(3 * MINUTE);
        // The inner tier is lost, then taken by somebody else.
        life.server.server.pull(life.now, Lever::EndBrokerage { connected: true });
        life.runs_for(3 * MINUTE);
        life.server.server.pull(life.now, Lever::RivalTakes(Rival::default()));
        life.runs_for(30 * MINUTE).checks().runs_for(MINUTE).logs_out();
        assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
        assert_eq!(
            life.server.operations(),
            operations([
                "GET /iserver/accounts",
                "GET /sso/validate",
                "POST /iserver/auth/ssodh/init",
                "POST /iserver/auth/status",
                "POST /logout",
                "POST /tickle",
            ])
        );
    }
}

/// Two days, a look and a logout.
fn lives(mut life: World<Session<WebApi>, Validating<Ibkr>>) -> BTreeSet<String> {
    life.is_active().runs_for(2 * DAY).checks().runs_for(MINUTE).logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
    life.server.operations()
}

fn validated(life: Life) -> World<Session<WebApi>, Validating<Ibkr>> {
    World::new(life.machine, Validating::new(life.server))
}

const SIGNED: [&str; 6] = [
    "GET /iserver/accounts",
    "POST /iserver/auth/ssodh/init",
    "POST /iserver/auth/status",
    "POST /logout",
    "POST /oauth/live_session_token",
    "POST /tickle",
];

#[test]
fn of_oauth1a_with_keys_here_and_in_a_vault() {
    let here = life_with(START, Options::default(), |api| api.expect_paper(true));
    assert_eq!(lives(validated(here)), operations(SIGNED));
    let vault = remote::Vault::new();
    let elsewhere = validated(remote::unanswered()).answering(move |need| Some((vault.answers(need), Source::Store)));
    let mut signed = operations(SIGNED);
    signed.remove("GET /iserver/accounts");
    assert_eq!(lives(elsewhere), signed);
}

#[test]
fn of_oauth2() {
    assert_eq!(
        lives(validated(oauth2::life())),
        operations([
            "GET /sso/validate",
            "POST /gw/api/v1/sso-sessions",
            "POST /iserver/auth/ssodh/init",
            "POST /iserver/auth/status",
            "POST /logout",
            "POST /oauth2/api/v1/token",
            "POST /tickle",
        ])
    );
}

#[test]
fn of_a_consent() {
    let portal = consent::Portal(Arc::new(Mutex::new(server(START).0)));
    let owner = portal.clone();
    let provider = Consent::new(&base(), Consumer::new(CONSUMER).unwrap(), key(&client_keys().signature));
    let session = Session::new(provider, Options::default(), seed());
    let mut life = World::new(session, Validating::new(portal)).answering(move |need: &Need| {
        assert_eq!(need.kind, NeedKind::Verifier);
        Some((Input::Code(owner.consents(need).into()), Source::Person))
    });
    life.is_active();
    assert_eq!(life.server.operations(), operations(["POST /oauth/access_token", "POST /oauth/request_token"]));
}

#[test]
fn as_the_blocking_transport_sends_it() {
    let server = Server::start(Validating::new(sim::GatewaySim::new(sim::Settings::default())), || START).unwrap();
    let transport = Transport::builder().build().unwrap();
    for base in ["v1/api", "v1/portal"] {
        let api = Endpoints::new(&BaseUrl::parse(&format!("{}/{base}", server.url())).unwrap()).unwrap();
        for request in [
            api.status(),
            api.init(Init::POLITE),
            api.reauthenticate(),
            api.reauthenticate_by_get(),
            api.validate(),
            api.tickle(),
            api.logout(),
            api.accounts(),
        ] {
            transport.call(request).unwrap();
        }
    }
    assert_eq!(server.with(|mock| mock.operations()).len(), 8);
}

#[test]
fn what_the_specification_has_not_is_refused() {
    let api = Endpoints::new(&base()).unwrap();
    let spoilt = |spoil: fn(&mut http::Request<Vec<u8>>)| {
        let mut request = api.tickle();
        spoil(&mut request);
        mock::validate(&request).map_err(|(status, _)| status)
    };
    assert_eq!(spoilt(|_| ()), Ok("POST /tickle".into()));
    assert_eq!(spoilt(|request| *request.body_mut() = b"{}".to_vec()), Err(400));
    assert_eq!(spoilt(|request| drop(request.headers_mut().remove("content-length"))), Err(411));
    assert_eq!(spoilt(|request| drop(request.headers_mut().remove("accept"))), Err(406));
    assert_eq!(
        spoilt(|request| drop(request.headers_mut().insert("content-type", "application/json".parse().unwrap()))),
        Err(415)
    );
    assert_eq!(spoilt(|request| *request.method_mut() = http::Method::GET), Err(405));
    assert_eq!(spoilt(|request| *request.uri_mut() = "https://api.ibkr.com/tickle".parse().unwrap()), Err(404));
}
