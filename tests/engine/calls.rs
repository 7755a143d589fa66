use super::*;
use sansession::AuthorizeError;

fn call(uri: &str) -> http::Request<&'static [u8]> {
    http::Request::builder().uri(uri).header("authorization", "Bearer old").body(&b""[..]).unwrap()
}

#[test]
fn a_call_is_resolved_and_authorized() {
    let mut script = active();
    let (request, _) = script.machine.authorize_request(script.now, call("/groups?page=2")).unwrap();
    assert_eq!(request.uri(), "http://localhost:3000/groups?page=2");
    assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
    assert!(!format!("{request:?}").contains(TOKEN));
}

#[test]
fn tokens_do_not_go_to_another_host() {
    let mut script = active();
    for uri in [
        "http://evil.example.org/groups",
        "https://localhost:3000/",
        "http://localhost:3001/",
        "http://x@localhost:3000/",
        "evil.example.org:443",
    ] {
        let error = script.machine.authorize_request(script.now, call(uri)).unwrap_err();
        assert_eq!(error, AuthorizeError::Misuse(Misuse::ForeignHost), "{uri}");
    }
}

#[test]
fn without_a_session_there_is_nothing_to_authorize_with() {
    let mut script = session().is(Phase::LoggingIn);
    assert!(matches!(
        script.machine.authorize_request(script.now, call("/groups")),
        Err(AuthorizeError::NotReady { phase: Phase::LoggingIn, .. })
    ));
}

#[test]
fn a_call_that_is_told_to_wait_makes_all_calls_wait() {
    let mut script = active();
    let (_, ticket) = script.machine.authorize_request(script.now, call("/groups")).unwrap();
    let refused = http::Response::builder().status(429).header("retry-after", "60").body("").unwrap();
    assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Used);
    let until = script.now + MINUTE;
    assert_eq!(
        script.machine.authorize_request(until - Duration::from_millis(1), call("/groups")).unwrap_err(),
        AuthorizeError::NotReady { phase: Phase::Active, tier: None, until: Some(until) }
    );
    assert!(script.machine.authorize_request(until, call("/groups")).is_ok());
    // The same box again is no news, and a longer one is.
    let (_, ticket) = script.machine.authorize_request(until, call("/groups")).unwrap();
    let mut boxes = |seconds: &str| {
        let refused = http::Response::builder().status(429).header("retry-after", seconds).body("").unwrap();
        script.now = until;
        assert!(matches!(script.poll(), Output::Wait { .. }));
        script.told.clear();
        let _ = script.machine.observe(until, &ticket, Response::from(&refused));
        assert!(matches!(script.poll(), Output::Wait { .. }));
        script.told.iter().filter(|event| event.code() == "penalty").count()
    };
    assert_eq!([boxes("60"), boxes("60"), boxes("30"), boxes("600")], [1, 0, 0, 1]);
    let refused = script.machine.authorize_request(until + 599 * SECOND, call("/groups")).unwrap_err();
    assert!(matches!(refused, AuthorizeError::NotReady { until: Some(end), .. } if end == until + 600 * SECOND));
}

#[test]
fn a_refused_call_leads_to_a_look_and_never_to_a_guess() {
    let mut script = active();
    let (_, ticket) = script.machine.authorize_request(script.now, call("/groups")).unwrap();
    let refused = http::Response::builder().status(401).body("").unwrap();
    assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Used);
    script = script.sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
    // News about the tokens of an earlier login is stale.
    let mut script = script.passes(HOUR).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Stale);
}
