//! From the first token to the logout, and what comes in between.

use http::{Method, StatusCode};
use sansession::providers::ibkr::Takeover;
use sansession::sim::Mishap;
use sansession::sim::ibkr::{Call, End, Happening, Lever, Outage, Rival};
use sansession::{Input, Machine, NeedKind, Options, Phase, ResumeError, Seed, Session, Source};

use crate::ibkr_direct::*;
use crate::support::world::World;

#[test]
fn a_whole_life() {
    let mut life = life();
    life.is_active();
    assert_eq!(life.sent[..3], [TOKEN, STATUS, INIT]);
    life.runs_for(2 * MINUTE);
    let response = life.calls(Method::GET, "/iserver/accounts").unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    let live = life.machine.live().unwrap();
    assert!(live.session.is_some() && live.expires.is_some());
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out");
    assert_eq!(life.sent.last().map(String::as_str), Some(LOGOUT));
    // Nothing that left was refused.
    let refused = |what: &Happening| matches!(what, Happening::Answered { status: 400.., .. });
    assert_eq!(life.server.sim.gateway.count(refused), 0);
    assert!(life.server.sim.gateway.count(|what| *what == Happening::LoginEnded(End::Logout)) == 1);
    insta::assert_snapshot!(life.transcript);
}

#[test]
fn the_outer_tier_is_usable_before_the_inner_one() {
    let mut life = life();
    life.server.sim.gateway.pull(START, Lever::RivalTakes(Rival::default()));
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Opening);
    let outer = life.calls(Method::GET, "/portfolio/accounts?sort=a%20b&a=1").unwrap();
    assert_eq!(outer.status(), StatusCode::OK);
    assert!(life.calls(Method::GET, "/iserver/accounts").is_err());
}

#[test]
fn a_rival_is_thrown_out_with_consent_only() {
    let mut life =
        life().answering(|need| (need.kind == NeedKind::Takeover).then_some((Input::TakeOver, Source::Person)));
    life.server.sim.gateway.pull(START, Lever::RivalTakes(Rival::default()));
    life.is_active();
    assert_eq!(life.server.sim.gateway.count(|what| *what == Happening::TookOver), 1);

    let mut life = life_with(START, Options::default(), |api| {
        api.takeover(Takeover::Never { then: sansession::providers::ibkr::OrElse::Close })
    });
    life.server.sim.gateway.pull(START, Lever::RivalTakes(Rival::default()));
    assert_eq!(life.runs_to_end().code(), "rival");
    assert_eq!(life.server.sim.gateway.count(|what| *what == Happening::TookOver), 0);
}

#[test]
fn an_account_with_real_money_is_not_used_by_mistake() {
    let mut life = life_with(START, Options::default(), |api| api.expect_paper(false));
    assert_eq!(life.runs_to_end().code(), "denied.wrong-account");
    let mut life = life_with(START, Options::default(), |api| api.expect_paper(true));
    life.is_active();
}

#[test]
fn a_call_of_the_users_own_is_signed_with_query_and_form() {
    let mut life = life();
    life.is_active();
    life.server.sim.gateway.serve("/portfolio/form", "{}");
    let request = http::Request::post("/portfolio/form?b=2&a=%2F")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(b"z=1&a=x+y".to_vec())
        .unwrap();
    for (change, status) in [(false, StatusCode::OK), (true, StatusCode::UNAUTHORIZED)] {
        let (mut signed, _) = life.machine.authorize_request(life.now, request.clone()).unwrap();
        if change {
            signed.body_mut().push(b'1');
        }
        let now = life.now;
        let reply = life.server.handle(now, IpAddr::from([127, 0, 0, 1]), &signed);
        assert_eq!(reply.response.status(), status);
    }
}

#[test]
fn no_request_leaves_twice() {
    let mut life = life();
    life.is_active();
    let trouble = Lever::Mishap { next: 2, path: "/tickle", mishap: Mishap::Dropped };
    life.server.sim.gateway.pull(life.now, trouble);
    life.runs_for(10 * MINUTE);
    // The server acted on those that got no answer, too: a nonce used twice would have been refused.
    assert!(life.server.statuses(Call::Tickle).iter().all(|status| *status == 200));
}

#[test]
fn an_outage_closes_nothing() {
    let mut life = life();
    life.is_active();
    life.server.sim.gateway.pull(life.now, Lever::Outage { lasts: 3 * HOUR, outage: Outage::Text500 });
    life.runs_for(4 * HOUR);
    assert_eq!(life.machine.phase(), Phase::Active);
    assert!(!life.machine.status().suspect);
}

#[test]
fn a_crash_at_any_time_goes_on_elsewhere() {
    for millis in (0..4_000).step_by(250) {
        let (server, issued) = server(START);
        let provider = || WebApi::new(&base(), oauth1a(&issued)).unwrap();
        let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
        let mut life = World::new(Session::new(provider(), Options::default(), seed()), Ibkr { sim, ahead: 0 });
        life.latency = Duration::from_millis(300);
        life.runs_for(Duration::from_millis(millis));
        life.resumes(|snapshot, now| {
            Session::resume(provider(), snapshot, Options::default(), None, Seed::new([9; 32]), now).unwrap()
        });
        life.is_active();
        life.logs_out();
        assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
    }
}

#[test]
fn a_snapshot_holds_tokens_but_no_keys() {
    let mut life = life();
    life.is_active();
    let snapshot = life.machine.snapshot();
    let text = snapshot.expose_secrets();
    for secret in [client_keys().signature.expose(), client_keys().encryption.expose()] {
        let line = secret.lines().nth(3).unwrap();
        assert!(!text.contains(line));
    }
    assert!(!format!("{:?}", life.machine.provider()).contains("PRIVATE"));
    // Another access token is another account.
    let (_, mut issued) = server(START);
    issued.access_token.replace_range(..1, "x");
    let other = WebApi::new(&base(), oauth1a(&issued)).unwrap();
    let refused = Session::resume(other, &snapshot, Options::default(), None, seed(), life.now).unwrap_err();
    assert_eq!(refused, ResumeError::WrongAccount);
    // A host that IBKR does not have.
    let (_, issued) = server(START);
    let text = text.replace("\"host\":0", "\"host\":9");
    let tampered = sansession::Snapshot::from_text(text);
    let provider = WebApi::new(&base(), oauth1a(&issued)).unwrap();
    let refused = Session::resume(provider, &tampered, Options::default(), None, seed(), life.now).unwrap_err();
    assert!(matches!(refused, ResumeError::NotAdmitted(_)));
}

#[test]
fn a_token_of_somebody_else_is_looked_at_first() {
    let mut first = life();
    first.is_active();
    let text = first.machine.snapshot();
    let (_, after) = text.expose_secrets().split_once(r#""live":[""#).unwrap();
    let (token, _) = after.split_once('"').unwrap();
    let token = sansession::providers::ibkr::oauth1a::LiveSessionToken::from_base64(token, START + DAY).unwrap();
    let token = sansession::providers::ibkr::direct::WebApiToken::Live(token);
    let provider = first.machine.into_provider();
    let adopted = Session::adopt(provider, token, Options::default(), Seed::new([9; 32])).unwrap();
    let mut life = World::new(adopted, first.server).at(first.now);
    life.is_active();
    assert_eq!(life.sent, [STATUS]);
    // Its end is known, so it is renewed in time.
    life.runs_until(|life| life.sent.last().is_some_and(|sent| sent == TOKEN));
    assert!((21 * HOUR..=23 * HOUR).contains(&life.now.since(START)));
    assert_eq!(life.machine.phase(), Phase::Active);
}

#[test]
fn a_session_that_was_stored_under_another_expectation_is_not_used() {
    let (server, issued) = server(START);
    let provider = || WebApi::new(&base(), oauth1a(&issued)).unwrap();
    let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    let session = Session::new(provider().expect_paper(true), Options::default(), seed());
    let mut life = World::new(session, Ibkr { sim, ahead: 0 });
    life.is_active();
    life.runs_for(2 * MINUTE);
    life.resumes(|snapshot, now| {
        let other = provider().expect_paper(false);
        Session::resume(other, snapshot, Options::default(), None, Seed::new([9; 32]), now).unwrap()
    });
    assert!(life.calls(Method::GET, "/portfolio/accounts").is_err());
    let now = life.now;
    assert!(life.machine.authorize_stream(now).is_err());
    life.checks();
    assert_eq!(life.runs_to_end().code(), "denied.wrong-account");
    assert!(life.now.since(now) < MINUTE);
}

#[test]
fn an_empty_list_of_accounts_is_asked_for_again_as_at_the_gateway() {
    let mut life = life_with(START, Options::default(), |api| api.expect_paper(true));
    // While the session is being established, answers are empty.
    let empty = Mishap::answer(200, "application/json", r#"{"accounts":[]}"#);
    life.server.sim.gateway.pull(START, Lever::Mishap { next: 2, path: "/iserver/accounts", mishap: empty });
    life.is_active();
    assert_eq!(life.sent.iter().filter(|sent| sent.ends_with("/iserver/accounts")).count(), 3, "{}", life.transcript);
    // A list without a word of its kind is told as what it is.
    let mut life = life_with(START, Options::default(), |api| api.expect_paper(true));
    let untold = Mishap::answer(200, "application/json", r#"{"accounts":["U1"]}"#);
    life.server.sim.gateway.pull(START, Lever::Mishap { next: 9, path: "/iserver/accounts", mishap: untold });
    assert_eq!(life.runs_to_end().code(), "protocol");
}

#[test]
fn a_tickle_without_a_session_is_looked_into_at_once_and_is_a_doubt() {
    let mut life = life();
    life.is_active().runs_for(MINUTE);
    let lost = Mishap::answer(200, "application/json", r#"{"error":"no session"}"#);
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 1, path: "/tickle", mishap: lost });
    let before = life.sent.len();
    life.runs_until_told("recovered");
    assert!(life.told.iter().any(|event| event.code() == "suspect"));
    assert_eq!(life.sent[before..], [TICKLE, STATUS], "{}", life.transcript);
    // An empty answer is no failure, and is followed by a look.
    life.told.clear();
    let empty = Mishap::answer(200, "", "");
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 1, path: "/tickle", mishap: empty });
    let before = life.sent.len();
    life.runs_until_told("kept-alive");
    assert!(life.sent[before..] == [TICKLE, STATUS] && !life.told.iter().any(|event| event.code() == "suspect"));
}

#[test]
fn a_login_that_gives_no_brokerage_session_is_told() {
    let mut life = life();
    life.is_active();
    let body = r#"{"authenticated":false,"competing":false,"connected":true}"#;
    let fails = Mishap::answer(200, "application/json", body);
    life.server.sim.gateway.pull(life.now, Lever::EndBrokerage { connected: true });
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 3, path: "/ssodh/init", mishap: fails });
    life.runs_until_told("stuck");
    assert!(life.machine.status().stuck);
    life.runs_until_told("recovered");
    assert!(!life.machine.status().stuck && life.machine.phase() == Phase::Active);
}
