//! Answers that are none, at every point of a session's life.

use http::{Response, StatusCode};
use sansession::Options;
use sansession::drive::Stop;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;

use crate::loopback::life::{LOGGED_OUT, active, life, life_with, options};

fn answer(body: impl Into<Vec<u8>>) -> Mishap {
    let response = Response::builder().header("content-type", "application/json").body(body.into()).unwrap();
    Mishap::Replaced(Box::new(response))
}

fn page() -> Mishap {
    let response = Response::builder().header("content-type", "text/html").body(b"<html>Sign in</html>".to_vec());
    Mishap::Replaced(Box::new(response.unwrap()))
}

fn oversized() -> Mishap {
    answer(vec![b' '; (1 << 20) + 1])
}

#[test]
fn what_is_no_answer_to_a_login_ends_the_opening() {
    for mishap in [Mishap::MalformedJson, page(), answer("[]"), answer(r#"{"user_id":[],"cbrain_api_token":1}"#)] {
        let mut life = life(|portal| portal.disturb(1, &mishap));
        life.waits_for("may-live-on");
        life.closes("protocol");
        assert_eq!(life.asked().len(), 1, "{mishap:?}");
    }
    let mut life = life(|portal| portal.disturb(1, &oversized()));
    life.closes("protocol");
    assert_eq!(life.asked().len(), 1);
}

/// It is unknown whether such a login was refused, so a store gives its password as often as it may be refused.
#[test]
fn a_login_of_unknown_fate_counts_as_a_refusal() {
    let twice = || options(|options| options.max_refused = 2);
    for mishap in [Mishap::Dropped, Mishap::Truncated] {
        let mut life = life_with(|portal| portal.disturb(1, &mishap), "correct horse", twice());
        life.waits_for("need lost");
        life.waits_for("active");
        assert_eq!(life.portal.with(|portal| portal.count(Outcome::LoggedIn)), 2, "{mishap:?}");
        life.handle.stop(Stop::Logout);
        assert_eq!(life.ends(), LOGGED_OUT);
        assert_eq!(life.live_sessions(), 1, "the lost one idles out, as was told");
    }
    for (options, most) in [(Options::default(), 1), (twice(), 2)] {
        let mut life = life_with(|portal| portal.disturb(9, &Mishap::Dropped), "correct horse", options);
        life.closes("retries-exhausted");
        assert_eq!(life.asked().len(), most);
    }
}

#[test]
fn bad_answers_to_a_keepalive_raise_doubt_and_nothing_else() {
    let mishaps = [
        Mishap::Lost,
        Mishap::Dropped,
        Mishap::Truncated,
        Mishap::MalformedJson,
        Mishap::ProxyPage(StatusCode::BAD_GATEWAY),
        page(),
        answer(r#"{"user_id":"2","cbrain_api_token":"ffffffffffffffffffffffffffffffff"}"#),
        answer(r#"{"user_id":3,"cbrain_api_token":null}"#),
        oversized(),
    ];
    let lives: Vec<_> = mishaps
        .into_iter()
        .map(|mishap| {
            let life = active();
            let token = life.token();
            life.portal.with(|portal| portal.disturb(1, &mishap));
            life.handle.check();
            (life, token, mishap)
        })
        .collect();
    for (mut life, token, mishap) in lives {
        life.waits_for("suspect");
        assert_eq!(life.calls("/groups").unwrap().status(), StatusCode::OK, "usable while in doubt: {mishap:?}");
        life.waits_for("recovered");
        assert_eq!(life.token(), token, "{mishap:?}");
        assert_eq!(life.asked().iter().filter(|call| *call == "POST /session").count(), 1, "{mishap:?}");
        life.logs_out();
    }
}

#[test]
fn a_logout_is_repeated_until_the_portal_has_heard_it() {
    for mishap in [Mishap::Lost, Mishap::Dropped, page(), Mishap::ProxyPage(StatusCode::FOUND)] {
        let life = active();
        life.portal.with(|portal| portal.disturb(1, &mishap));
        life.logs_out();
    }
}
