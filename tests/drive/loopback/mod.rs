//! Whole lives over real HTTP: the engine, the ureq adapter, and the portal's simulator on a loopback
//! server.
//!
//! What follows from what is proven in virtual time (`cbrain_simulated`); here it is proven that the
//! same holds with sockets, threads and a wall clock. So each test is as short as it can be.

mod bad_answers;
mod cut_answers;
mod life;
mod sharing;

use std::time::Duration;

use http::{Method, StatusCode};
use sansession::drive::{Stop, now, seed};
use sansession::sim;
use sansession::sim::Mishap;
use sansession::{Options, Phase, Relogin, Session};

use crate::loopback::life::{LOGGED_OUT, Life, SECOND, active, life, life_with, options, portal, provider};

#[test]
fn a_session_is_opened_used_and_ended() {
    let life = active();
    assert_eq!(life.calls("/groups").unwrap().status(), StatusCode::OK);
    let asked = |life: &Life| life.asked().join(", ");
    assert_eq!(asked(&life), "POST /session, GET /groups");
    life.logs_out();
}

#[test]
fn a_session_is_kept_alive() {
    let portal = portal();
    let session = Session::new(provider(&portal).keepalive(SECOND), Options::default(), seed().unwrap());
    let mut life = Life::begin(portal, session, "correct horse");
    life.waits_for("kept-alive");
    life.waits_for("kept-alive");
    assert_eq!(life.asked(), ["POST /session", "GET /session", "GET /session"]);
    life.logs_out();
}

#[test]
fn a_wrong_password_waits_three_seconds_and_leaves_once() {
    let began = now();
    let mut life = life_with(|_| {}, "hunter2", Options::default());
    life.closes("denied.credentials");
    assert!(now().since(began) >= 3 * SECOND);
    assert_eq!(life.asked(), ["POST /session"]);
}

#[test]
fn a_locked_account_is_denied_at_once() {
    let mut life = life(|portal| portal.lock_account("norm"));
    life.closes("denied.credentials");
    assert_eq!(life.asked(), ["POST /session"]);
}

#[test]
fn a_locked_portal_is_waited_for_at_login_and_at_logout() {
    let mut life = life(|portal| portal.lock_portal(Some("Back at noon.")));
    life.waits_for("says Back at noon.");
    life.portal.with(sim::CbrainSim::unlock_portal);
    life.waits_for("active");
    life.portal.with(|portal| portal.lock_portal(None));
    life.handle.stop(Stop::Logout);
    life.waits_for("retrying");
    assert_eq!(life.live_sessions(), 1);
    life.portal.with(sim::CbrainSim::unlock_portal);
    assert_eq!(life.ends(), LOGGED_OUT);
    assert_eq!(life.live_sessions(), 0);
}

#[test]
fn a_logout_that_cannot_be_confirmed_says_so() {
    let patience = options(|options| options.logout_patience = 2 * SECOND);
    let mut life = life_with(|_| {}, "correct horse", patience);
    life.waits_for("active");
    life.portal.with(|portal| portal.lock_portal(None));
    life.handle.stop(Stop::Logout);
    life.waits_for("may-live-on");
    life.closes("logged-out.unconfirmed");
    assert_eq!(life.live_sessions(), 1);
}

/// Each way in which the portal forgets a session, found out by a call of the user's own.
#[test]
fn a_session_that_the_portal_has_forgotten_is_expired() {
    let ways: [fn(&mut sim::CbrainSim); 4] = [
        sim::CbrainSim::expire_sessions,
        |portal| portal.purge_sessions(now(), Duration::ZERO),
        |portal| portal.clients_come_from(Some([192, 0, 2, 7].into())),
        |portal| portal.lock_account("norm"),
    ];
    for forget in ways {
        let mut life = active();
        life.portal.with(forget);
        assert_eq!(life.calls("/groups").unwrap().status(), StatusCode::UNAUTHORIZED);
        life.closes("expired");
        assert_eq!(life.asked(), ["POST /session", "GET /groups", "GET /session"]);
    }
}

#[test]
fn a_forgotten_session_is_opened_again_if_that_is_wanted() {
    let again = options(|options| options.relogin = Relogin::AskAgain { per_day: 3 });
    let mut life = life_with(|_| {}, "correct horse", again);
    life.waits_for("active");
    let first = life.token();
    life.portal.with(sim::CbrainSim::expire_sessions);
    life.handle.check();
    let heard = life.waits_for("active");
    assert!(heard.contains(&"need expired".to_owned()), "{heard:?}");
    assert_ne!(life.token(), first);
    assert_eq!(life.calls("/groups").unwrap().status(), StatusCode::OK);
    life.logs_out();
}

type Lever = fn(&mut sim::cbrain::Account);

/// The account is alive and of no use until somebody has opened a browser.
#[test]
fn what_must_be_done_in_a_browser_is_told() {
    let levers: [(u16, Lever); 3] = [
        (302, |account| account.password_reset = true),
        (403, |account| account.license_unsigned = true),
        (403, |account| account.must_link_openid = true),
    ];
    for (status, lever) in levers {
        let mut life = active();
        life.portal.with(|portal| lever(portal.account("norm").unwrap()));
        assert_eq!(life.calls("/groups").unwrap().status(), status);
        life.waits_for("action-required");
        assert_eq!(life.handle.phase(), Phase::Active);
        life.logs_out();
    }
}

#[test]
fn a_refused_call_that_proves_nothing_ends_nothing() {
    let mut life = active();
    assert_eq!(life.calls("/users").unwrap().status(), StatusCode::UNAUTHORIZED, "for admins only");
    life.waits_for("kept-alive");
    life.logs_out();
}

#[test]
fn slow_answers_are_waited_for() {
    let mut life = life(|portal| {
        portal.disturb_calls(Method::POST, "/session", 1, &Mishap::Slow(SECOND));
        portal.disturb_calls(Method::DELETE, "/session", 1, &Mishap::Slow(SECOND));
        portal.disturb_calls(Method::GET, "/session", 1, &Mishap::Trickled(Duration::from_millis(10)));
    });
    life.waits_for("active");
    life.handle.check();
    life.waits_for("kept-alive");
    life.logs_out();
}
