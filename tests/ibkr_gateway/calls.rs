//! The user's own calls.

use std::sync::Arc;

use sansession::Accepted;

use super::*;

fn observed(story: &mut Story, path: &str, status: u16, headers: &[(&str, &str)], body: &str) -> Accepted {
    let (_, ticket) = story.machine.authorize_request(story.now, call(path)).unwrap();
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, *value);
    }
    let response = response.body(body.to_owned()).unwrap();
    story.machine.observe(story.now, &ticket, Response::from(&response))
}

#[test]
fn calls_go_to_the_base_with_what_the_edge_demands() {
    let mut story = active();
    let post = http::Request::post("/iserver/account/DU1/orders?x=1").body("").unwrap();
    let (request, ticket) = story.machine.authorize_request(story.now, post).unwrap();
    assert_eq!(request.uri(), "https://localhost:5000/v1/api/iserver/account/DU1/orders?x=1");
    assert!(request.headers().contains_key("user-agent"));
    // A POST without a length is answered with 411.
    assert_eq!(request.headers()["content-length"], "0");
    assert_eq!(ticket.tier, Some("brokerage"));
    let named = http::Request::get("/portfolio/accounts").header("user-agent", "mine").body("").unwrap();
    let (request, ticket) = story.machine.authorize_request(story.now, named).unwrap();
    assert_eq!((request.headers()["user-agent"].to_str().unwrap(), ticket.tier), ("mine", Some("sso")));
    assert!(!request.headers().contains_key("content-length"));
    let order = http::Request::post("/iserver/account/DU1/orders").body("{}").unwrap();
    let (request, _) = story.machine.authorize_request(story.now, order).unwrap();
    assert!(!request.headers().contains_key("content-length"), "the client counts its own body");
    let foreign = http::Request::get("https://example.org/v1/api/tickle").body("").unwrap();
    let error = story.machine.authorize_request(story.now, foreign).unwrap_err();
    assert_eq!(error, sansession::Misuse::ForeignHost.into());
}

#[test]
fn a_shared_provider_knows_the_tier_of_a_call() {
    let mut story = Script::new(Session::new(Arc::new(gateway()), Options::default(), seed())).starts();
    story = story.sends(STATUS).gets(200, READY).is(Phase::Active);
    for (path, tier) in [("/iserver/accounts", "brokerage"), ("/portfolio/accounts", "sso")] {
        let (_, ticket) = story.machine.authorize_request(story.now, call(path)).unwrap();
        assert_eq!(ticket.tier, Some(tier));
    }
}

#[test]
fn what_a_call_got_may_lead_to_a_look() {
    for (status, headers, body, looks) in [
        (401, TEXT, "Unauthorized", true),
        (401, &[], NOT_AUTHENTICATED, true),
        (302, &[("location", "/sso/Login")], "", true),
        (400, &[], r#"{"error":"Bad Request: no bridge"}"#, true),
        (400, &[], r#"{"error":"Init session first"}"#, true),
        (500, &[], r#"{"error":"Please query /accounts first"}"#, true),
        (400, &[], r#"{"error":"Bad Request: unknown contract"}"#, false),
        (403, HTML, "<html>Access Denied</html>", false),
        (404, HTML, "<html>", false),
        (423, &[], r#"{"status":"waiting for reply"}"#, false),
        (503, &[], r#"{"status":"waiting for reply"}"#, false),
        (503, &[], "", false),
        (200, &[], NO_SESSION, false),
    ] as [(u16, &[(&str, &str)], &str, bool); 13]
    {
        let mut story = active();
        assert_eq!(observed(&mut story, "/iserver/accounts", status, headers, body), Accepted::Used);
        match looks {
            true => drop(story.sends(STATUS).gets(200, READY).is(Phase::Active)),
            false => drop(story.waits(MINUTE)),
        }
    }
}

#[test]
fn many_doubts_are_one_look() {
    let mut story = active();
    for _ in 0..20 {
        observed(&mut story, "/iserver/accounts", 401, TEXT, "");
    }
    let mut story = story.sends(STATUS).gets(200, READY);
    observed(&mut story, "/iserver/accounts", 401, TEXT, "");
    story.sends_after(10 * SECOND, STATUS);
}

#[test]
fn a_late_answer_from_before_a_new_login_says_nothing() {
    let mut story = active().learns_the_name();
    let (_, ticket) = story.machine.authorize_request(story.now, call("/portfolio/accounts")).unwrap();
    let mut options = sansession::Options::default();
    options.relogin = sansession::Relogin::AskAgain { per_day: 3 };
    let snapshot = story.machine.snapshot();
    let resumed = Session::resume(gateway(), &snapshot, options, None, seed(), story.now).unwrap();
    let response = http::Response::builder().status(401).body("").unwrap();
    story.machine = resumed;
    assert_eq!(story.machine.observe(story.now, &ticket, Response::from(&response)), Accepted::Stale);
}
