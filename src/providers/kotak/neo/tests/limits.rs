//! Limits of one API and of the login.

use super::*;

#[test]
fn a_limit_at_the_login_spends_nothing_and_boxes_nobody() {
    let mut run = opening();
    run.needs(NeedKind::Totp, NeedReason::Opening);
    let code = totp(&run);
    run.sim.disturb(1, &Mishap::json(StatusCode::TOO_MANY_REQUESTS, RATE));
    run.gives(code).needs(NeedKind::Pin, NeedReason::Opening);
    run.sim.disturb(1, &Mishap::json(StatusCode::TOO_MANY_REQUESTS, RATE));
    run.gives(pin("654321")).is_active();
    assert!(!run.was_told("penalty") && !run.was_told("refused"), "{:?}", run.told);
    assert_eq!(run.sim.log().count(Outcome::Accepted("validate")), 1);
}

const QUOTES: &str = "/script-details/1.0/quotes/neosymbol/nse_cm%7C1/ltp";
const PLACE: &str = "/quick/order/rule/ms/place";

/// A call gets an answer.
fn observes(run: &mut Trade, status: u16, headers: &[(&str, String)], path: &str) {
    let call = http::Request::get(path).body(Vec::new()).unwrap();
    let (_, ticket) = run.session.authorize_request(run.now, call).unwrap();
    let mut response = http::Response::builder().status(status);
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    let response = response.body(RATE.as_bytes()).unwrap();
    run.session.observe(run.now, &ticket, Response::from(&response));
}

/// Returns how many milliseconds calls to a path are held back.
fn held(run: &mut Trade, path: &str) -> Option<u64> {
    let call = http::Request::get(path).body(Vec::new()).unwrap();
    match run.session.authorize_request(run.now, call) {
        Ok(_) => None,
        Err(crate::AuthorizeError::NotReady { until, .. }) => Some(until.unwrap().as_millis() - run.now.as_millis()),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn a_limit_of_one_api_stops_no_order() {
    let (in_9_s, in_2_5_s) = (NOW.as_secs() + 9, NOW.as_millis() + 2_500);
    for (status, headers, lasts) in [
        (429, vec![], 1_000),
        // Some are written into 200.
        (200, vec![], 1_000),
        (429, vec![("retry-after", "7".to_owned())], 7_000),
        (429, vec![("x-ratelimit-limit", "25".to_owned()), ("x-ratelimit-reset", "3".to_owned())], 3_000),
        (429, vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", in_9_s.to_string())], 9_000),
        (429, vec![("x-ratelimit-reset", in_2_5_s.to_string())], 2_500),
        (429, vec![("x-ratelimit-remaining", "3".to_owned()), ("x-ratelimit-reset", "9".to_owned())], 1_000),
        (429, vec![("retry-after", "86400".to_owned())], 900_000),
    ] {
        let mut run = active();
        // The instants above are counted from the beginning.
        assert_eq!(run.now, NOW);
        observes(&mut run, status, &headers, QUOTES);
        assert_eq!((held(&mut run, QUOTES), held(&mut run, PLACE)), (Some(lasts), None), "{headers:?}");
        run.is_active();
        assert!(run.was_told("limited") && !run.was_told("penalty"), "{:?}", run.told);
        assert_eq!((run.session.status().penalty, run.sent.len()), (None, 2));
        // The next process knows it, too.
        let (snapshot, provider) = (run.session.snapshot(), provider().dashboard_token("dash-1").unwrap());
        let next = Session::resume(provider, &snapshot, Options::default(), None, [8; 32], run.now).unwrap();
        let mut next = Run { session: next, sim: sim(), now: run.now, told: Vec::new(), sent: Vec::new() };
        assert_eq!((held(&mut next, QUOTES), held(&mut next, PLACE)), (Some(lasts), None), "{headers:?}");
        run.now = run.now + Duration::from_millis(lasts);
        assert_eq!(held(&mut run, QUOTES), None, "{headers:?}");
    }
}

#[test]
fn a_limit_that_goes_on_is_not_knocked_at_each_second() {
    let mut run = active();
    for lasts in [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000] {
        observes(&mut run, 429, &[], QUOTES);
        assert_eq!(held(&mut run, QUOTES), Some(lasts));
        run.now = run.now + Duration::from_millis(lasts);
    }
    // An answer ends that.
    let call = http::Request::get(QUOTES).body(Vec::new()).unwrap();
    let (_, ticket) = run.session.authorize_request(run.now, call).unwrap();
    run.session.observe(run.now, &ticket, Response::from(&http::Response::new(&b"[]"[..])));
    observes(&mut run, 429, &[], QUOTES);
    assert_eq!(held(&mut run, QUOTES), Some(1_000));
    // A limit of orders is one of all that is done with them.
    observes(&mut run, 429, &[], PLACE);
    assert_eq!((held(&mut run, "/quick/order/cancel"), held(&mut run, ORDERS)), (Some(1_000), None));
}
