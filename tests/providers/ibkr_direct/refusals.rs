//! The 401s of OAuth, each with what its owner has to do.

use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::{OAuth1a, Region};
use sansession::sim::Mishap;
use sansession::sim::ibkr::Lever;
use sansession::{Machine, Phase, Session, machine::Advice};

use crate::ibkr_direct::keys::institution_keys;
use crate::ibkr_direct::*;
use crate::support::world::World;

#[test]
fn a_key_that_is_not_live_yet_is_told_when_it_will_be() {
    let mut life = life_with(START + DAY, Options::default(), |api| api);
    let reason = life.runs_to_end();
    assert_eq!(reason.code(), "denied.key-not-live");
    let not_before = Region::default().next_midnight(START);
    assert_eq!(reason.advice(life.now), Advice::LogInAgain { not_before });
    assert_eq!(life.sent, [TOKEN]);
}

#[test]
fn an_access_token_made_anew_is_told_at_the_opening() {
    let mut life = life();
    life.server.oauth().issue(CONSUMER).unwrap();
    let reason = life.runs_to_end();
    assert_eq!((reason.code(), reason.advice(life.now)), ("denied.token-regenerated", Advice::FixFirst));
    assert_eq!(life.sent, [TOKEN]);
}

#[test]
fn an_access_token_made_anew_ends_an_open_session() {
    let mut life = life();
    life.is_active();
    life.server.oauth().issue(CONSUMER).unwrap();
    assert_eq!(life.runs_to_end().code(), "denied.token-regenerated");
    assert!(life.now.since(START) < 5 * MINUTE);
}

#[test]
fn a_key_that_is_not_the_registered_one_is_told() {
    let (server, issued) = server(START);
    let keys = client_keys();
    let grant = Grant::new(issued.access_token.as_str(), issued.encrypted_secret.as_str()).unwrap();
    let params = DhParams::from_pem(&keys.dh_params).unwrap();
    let other = key(&institution_keys().signature);
    let oauth = OAuth1a::new(Consumer::new(CONSUMER).unwrap(), &grant, other, &key(&keys.encryption), params).unwrap();
    let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    let session = Session::new(WebApi::new(&base(), oauth).unwrap(), Options::default(), seed());
    let mut life = World::new(session, Ibkr { sim, ahead: 0 });
    assert_eq!(life.runs_to_end().code(), "denied.signature-refused");
    assert_eq!(life.sent, [TOKEN]);
}

#[test]
fn a_wrong_clock_is_told_by_how_much() {
    for ahead in [3_600, -3_600] {
        let mut life = life_with(START - DAY, Options::default(), |api| api);
        life.server.ahead = ahead;
        let reason = life.runs_to_end();
        let expected = sansession::machine::Denial::ClockWrong { by_millis: ahead * 1_000 };
        assert_eq!(reason, sansession::CloseReason::Denied(expected), "{}", life.transcript);
        assert!(life.told.iter().any(|event| event.code() == "clock-skew"));
        assert_eq!(life.sent, [TOKEN]);
    }
}

#[test]
fn a_clock_that_goes_wrong_later_closes_nothing() {
    let mut life = life();
    life.is_active();
    life.now = life.now + HOUR;
    life.server.ahead = -3_600;
    life.runs_for(HOUR);
    assert_eq!(life.closed, None);
    assert!(life.calls(http::Method::GET, "/portfolio/accounts").is_err());
    life.now = life.now - HOUR;
    life.server.ahead = 0;
    life.runs_for(10 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}

#[test]
fn a_server_that_cannot_prove_itself_gets_nothing_signed() {
    let mut life = life();
    life.server.oauth().lies = true;
    assert_eq!(life.runs_to_end().code(), "denied.server-unproven");
    assert_eq!(life.sent, [TOKEN]);
}

#[test]
fn half_a_handshake_is_not_the_providers() {
    for body in [
        r#"{"diffie_hellman_response":"1","live_session_token_signature":"0"}"#,
        r#"{"diffie_hellman_response":"zz","live_session_token_signature":"0"}"#,
        r#"{"live_session_token_signature":"0"}"#,
        r#"{"diffie_hellman_response":"77"}"#,
        "[]",
        "",
    ] {
        let mut life = life();
        let trouble = Mishap::answer(200, "application/json", body);
        life.server.sim.gateway.pull(START, Lever::Mishap { next: 1, path: "/live_session_token", mishap: trouble });
        assert_eq!(life.runs_to_end().code(), "protocol", "{body}");
    }
}

#[test]
fn tokens_that_are_refused_again_and_again_end_an_opening() {
    let mut life = life();
    let trouble = Mishap::answer(401, "text/plain", "Unauthorized");
    life.server.sim.gateway.pull(START, Lever::Mishap { next: 100, path: "/status", mishap: trouble });
    // The door refuses before the gateway's troubles: only a good signature meets them.
    assert_eq!(life.runs_to_end().code(), "denied.signature-refused");
    assert_eq!(life.sent, [TOKEN, STATUS, TOKEN, STATUS, TOKEN, STATUS]);
}

#[test]
fn a_busy_server_is_waited_for() {
    let mut life = life();
    let trouble = Mishap::answer(503, "", "");
    life.server.sim.gateway.pull(START, Lever::Mishap { next: 3, path: "/live_session_token", mishap: trouble });
    life.is_active();
    assert_eq!(life.sent[..4], [TOKEN; 4]);
}
