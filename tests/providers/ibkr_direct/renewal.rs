//! Tokens that end, and hosts that do.

use http::{Method, StatusCode};
use sansession::sim::Mishap;
use sansession::sim::ibkr::{Call, Lever};
use sansession::{Handled, Machine, Phase, Response, Seed, Session};

use crate::ibkr_direct::*;
use crate::support::world::World;

#[test]
fn a_week_renews_its_token_daily_without_a_gap() {
    let mut life = life();
    // The nightly outage is a story of its own.
    life.server.sim.gateway.settings().maintenance = None;
    life.is_active();
    let mut hours = 0;
    while life.now < START + 7 * DAY {
        life.runs_for(7 * MINUTE);
        hours += 1;
        let outer = life.calls(Method::GET, "/portfolio/accounts").unwrap();
        assert_eq!(outer.status(), StatusCode::OK, "{}", life.transcript);
        let near_midnight = life.machine.phase() != Phase::Active;
        assert!(!near_midnight || life.calls(Method::GET, "/iserver/accounts").is_err());
    }
    assert!(hours > 1_400);
    let tokens = life.sent.iter().filter(|sent| *sent == TOKEN).count();
    assert!((8..=9).contains(&tokens), "{tokens}");
    assert!(!life.told.iter().any(|event| event.code() == "suspect"), "{}", life.transcript);
    assert!(life.server.statuses(Call::Tickle).iter().all(|status| *status == 200));
    // Each midnight ended the brokerage session, and nothing else did.
    assert_eq!(life.sent.iter().filter(|sent| *sent == INIT).count(), 8);
}

#[test]
fn midnight_may_end_the_tokens_too() {
    let mut life = life();
    life.server.sim.gateway.settings().midnight = sim::Midnight::EndsLogin;
    life.is_active();
    life.runs_for(7 * DAY);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!(life.closed, None);
}

#[test]
fn sessions_of_one_house_renew_at_different_times() {
    let mut times = Vec::new();
    for number in 0..4 {
        let (server, issued) = server(START);
        let provider = WebApi::new(&base(), oauth1a(&issued)).unwrap();
        let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
        let session = Session::new(provider, Options::default(), Seed::new([number; 32]));
        let mut life = World::new(session, Ibkr { sim, ahead: 0 });
        life.runs_until(|life| life.sent.iter().filter(|sent| *sent == TOKEN).count() == 2);
        let after = life.now.since(START);
        assert!((21 * HOUR..=23 * HOUR).contains(&after), "{after:?}");
        assert_eq!(life.machine.phase(), Phase::Active);
        times.push(after.as_secs() / 60);
    }
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 4);
}

#[test]
fn a_renewal_that_fails_harms_nothing() {
    let mut life = life();
    life.is_active();
    life.runs_for(20 * HOUR);
    let trouble = Mishap::answer(503, "", "");
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 3, path: "/live_session_token", mishap: trouble });
    life.runs_for(4 * HOUR);
    assert_eq!(life.machine.phase(), Phase::Active);
    assert_eq!(life.sent.iter().filter(|sent| *sent == TOKEN).count(), 1 + 3 + 1);
    assert!(life.server.statuses(Call::Tickle).iter().all(|status| matches!(status, 200 | 503)));
}

#[test]
fn news_of_the_old_token_is_stale() {
    let mut life = life();
    life.is_active();
    let own = || http::Request::get("/portfolio/accounts").body(Vec::new()).unwrap();
    let (_, before) = life.machine.authorize_request(life.now, own()).unwrap();
    life.runs_until(|life| life.sent.iter().filter(|sent| *sent == TOKEN).count() == 2);
    life.runs_for(MINUTE);
    let refused = http::Response::builder().status(401).body("Unauthorized").unwrap();
    assert_eq!(life.machine.observe(life.now, &before, Response::from(&refused)), Handled::Stale);
    let (_, after) = life.machine.authorize_request(life.now, own()).unwrap();
    assert_eq!(life.machine.observe(life.now, &after, Response::from(&refused)), Handled::Used);
}

#[test]
fn a_token_that_is_known_to_be_dead_signs_nothing_more() {
    let mut life = life();
    life.is_active();
    life.runs_for(HOUR);
    // Whatever finds it first: the next token is refused for an hour.
    life.server.oauth().end_sessions();
    let trouble = Mishap::answer(503, "", "");
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 12, path: "/live_session_token", mishap: trouble });
    let before = life.sent.len();
    life.checks().runs_for(HOUR);
    let asked = life.sent[before..].iter().take_while(|sent| *sent != INIT).collect::<Vec<_>>();
    let refused = asked.iter().filter(|sent| **sent != TOKEN).count();
    assert_eq!(refused, 1 + 1, "one finds it, one looks with the next one: {asked:?}");
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}

#[test]
fn a_dead_token_is_replaced_and_the_brokerage_session_kept() {
    let mut life = life();
    life.is_active();
    life.runs_for(HOUR);
    life.server.oauth().end_sessions();
    let refused = life.calls(Method::GET, "/portfolio/accounts").unwrap();
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
    assert_eq!(life.calls(Method::GET, "/portfolio/accounts").unwrap().status(), StatusCode::OK);
    assert_eq!(life.sent.iter().filter(|sent| *sent == INIT).count(), 1);
}

#[test]
fn a_long_sleep_costs_a_token() {
    let mut life = life();
    life.is_active();
    life.sleeps(3 * DAY);
    life.runs_for(10 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}

#[test]
fn a_410_moves_to_the_next_host() {
    let mut life = life();
    life.server.sim.gone = vec!["api.ibkr.com".into(), "1.api.ibkr.com".into()];
    life.is_active();
    let own = http::Request::get("/portfolio/accounts").body(Vec::new()).unwrap();
    let (own, _) = life.machine.authorize_request(life.now, own).unwrap();
    assert_eq!(own.uri(), "https://2.api.ibkr.com/v1/api/portfolio/accounts");
    // The move is remembered elsewhere.
    let (_, issued) = server(START);
    life.resumes(|snapshot, now| {
        let provider = WebApi::new(&base(), oauth1a(&issued)).unwrap();
        Session::resume(provider, snapshot, Options::default(), None, Seed::new([9; 32]), now).unwrap()
    });
    // And another one follows while the session is open.
    life.server.sim.gone.push("2.api.ibkr.com".into());
    life.runs_for(5 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
    let own = http::Request::get("/portfolio/accounts").body(Vec::new()).unwrap();
    let (own, _) = life.machine.authorize_request(life.now, own).unwrap();
    assert_eq!(own.uri().host(), Some("3.api.ibkr.com"));
}

/// The server has dropped the token, and while it gives no other the owner wants the session ended: what the token had
/// opened cannot be ended with it.
#[test]
fn a_logout_with_a_token_that_is_known_to_be_refused_confirms_nothing() {
    let mut life = life();
    life.is_active();
    life.server.oauth().end_sessions();
    let trouble = Mishap::answer(503, "", "");
    life.server.sim.gateway.pull(life.now, Lever::Mishap { next: 9, path: "_token", mishap: trouble });
    life.runs_for(2 * MINUTE);
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out.unconfirmed", "{}", life.transcript);
    assert!(life.told.iter().any(|event| event.code() == "may-live-on"), "{}", life.transcript);
}
