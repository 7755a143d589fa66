use super::*;
use sansession::AuthorizeError;

const MINUTES: fn(u64) -> Duration = |minutes| MINUTE * u32::try_from(minutes).unwrap();

/// The server answers a look like this, and says how long to wait; gives the minutes that the session waits.
fn held(script: &mut Script<Session<sansession::providers::cbrain::Cbrain>>, status: u16, named: &str) -> f64 {
    let mut taken = std::mem::replace(script, active());
    let wait = loop {
        match taken.poll() {
            Output::Wait { until, .. } => taken.now = until,
            Output::Send(outgoing) => {
                let refused = http::Response::builder().status(status).header("retry-after", named).body("");
                let refused = refused.unwrap();
                let _ = taken.machine.handle_response(taken.now, outgoing.id(), Response::from(&refused));
                let Output::Wait { until, .. } = taken.poll() else { panic!() };
                break until.since(taken.now).as_secs_f64() / 60.0;
            }
            other => panic!("{other:?}"),
        }
    };
    *script = taken;
    wait
}

#[test]
fn a_server_that_goes_on_naming_a_long_wait_is_asked_ever_less_often() {
    for status in [429, 503] {
        let mut script = active().checks();
        let mut next = |named| held(&mut script, status, named);
        assert_eq!([(); 7].map(|()| next("86400")), [15.0, 30.0, 60.0, 120.0, 240.0, 240.0, 240.0], "{status}");
        // Never longer than it says, and a short one ends the row.
        assert_eq!([next("9000"), next("600"), next("86400"), next("1200")], [150.0, 10.0, 15.0, 20.0], "{status}");
        assert_eq!(next("86400"), 60.0, "{status}");
        // So does any answer that is none of the kind.
        script = script.sleeps().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active).checks();
        assert_eq!([(); 2].map(|()| held(&mut script, status, "86400")), [15.0, 30.0], "{status}");
        script = script.sleeps().sends("GET /session").gets(502, "").checks();
        assert_eq!(held(&mut script, status, "86400"), 15.0, "{status}");
        // One that is lost is none.
        script = script.sleeps().sends("GET /session").times_out();
        assert_eq!(held(&mut script, status, "86400"), 30.0, "{status}");
    }
}

#[test]
fn many_refusals_of_one_box_make_it_no_longer() {
    let mut script = active();
    let call = || http::Request::builder().uri("/groups").body(&b""[..]).unwrap();
    let refused = http::Response::builder().status(429).header("retry-after", "86400").body("").unwrap();
    let done = http::Response::builder().status(200).body("{}").unwrap();
    for minutes in [15, 30, 60] {
        let tickets = [(); 5].map(|()| script.machine.authorize_request(script.now, call()).unwrap().1);
        for ticket in &tickets {
            let _ = script.machine.observe(script.now, ticket, Response::from(&refused));
        }
        // What had left before says nothing of it.
        let _ = script.machine.observe(script.now, &tickets[0], Response::from(&done));
        let until = script.now + MINUTES(minutes);
        let error = script.machine.authorize_request(script.now, call()).unwrap_err();
        assert!(matches!(error, AuthorizeError::NotReady { until: Some(end), .. } if end == until), "{error:?}");
        script.now = until;
    }
    let (_, ticket) = script.machine.authorize_request(script.now, call()).unwrap();
    let _ = script.machine.observe(script.now, &ticket, Response::from(&done));
    let _ = script.machine.observe(script.now, &ticket, Response::from(&refused));
    assert_eq!(script.machine.status().penalty, Some(script.now + MINUTES(15)));
}

#[test]
fn the_next_process_goes_on_with_the_longer_boxes() {
    let mut script = active().checks();
    assert_eq!([(); 2].map(|()| held(&mut script, 429, "86400")), [15.0, 30.0]);
    let (snapshot, now) = (script.machine.snapshot(), script.now);
    let resumed = Session::resume(cbrain(), &snapshot, Options::default(), None, [9; 32], now).unwrap();
    let mut script = Script::new(resumed);
    script.now = now;
    assert_eq!(held(&mut script, 429, "86400"), 60.0);
    // A new login of the same account, too.
    let mut anew = session();
    anew.now = script.now;
    anew.machine.remember(&script.machine.snapshot()).unwrap();
    let mut anew = anew.answers(credentials());
    assert_eq!(held(&mut anew, 429, "86400"), 120.0);
}

#[test]
fn an_edited_snapshot_boxes_nobody_for_longer_than_a_server_could() {
    let mut script = active().checks();
    assert_eq!(held(&mut script, 429, "86400"), 15.0);
    let now = script.now;
    let mut text: serde_json::Value = serde_json::from_str(script.machine.snapshot().expose_secrets()).unwrap();
    let far = (now + 1_000 * HOUR).as_millis();
    for name in ["penalty", "hold"] {
        text["session"]["limits"][name] = far.into();
    }
    text["session"]["limits"]["over"] = serde_json::json!({ "times": 255, "until": far });
    let edited = sansession::Snapshot::from_text(text.to_string());
    let resumed = Session::resume(cbrain(), &edited, Options::default(), None, [9; 32], now).unwrap();
    assert_eq!(resumed.status().penalty, Some(now + 4 * HOUR));
    let mut script = Script::new(resumed);
    script.now = now;
    assert_eq!(held(&mut script, 429, "86400000"), 240.0);
    let mut anew = session();
    anew.now = now;
    anew.machine.remember(&edited).unwrap();
    assert_eq!(anew.machine.status().penalty, Some(now + 4 * HOUR));
}

#[test]
fn a_penalty_box_is_saved_and_outlives_the_process() {
    let durable = || options(|o| o.durable = true);
    let script = session_with(durable()).answers(credentials()).saves();
    let script = script.sends("POST /session").gets(200, &info(TOKEN)).saves().is(Phase::Active);
    let script = script.sleeps().sends("GET /session").gets_as(429, &[("retry-after", "600")], "").saves();
    let (snapshot, now) = (script.machine.snapshot(), script.now);
    let mut next = Session::resume(cbrain(), &snapshot, durable(), None, [9; 32], now + MINUTE).unwrap();
    assert!(next.deadline() >= now + MINUTE * 10);
    let request = http::Request::builder().uri("/groups").body(&b""[..]).unwrap();
    let refused = next.authorize_request(now + MINUTE, request).unwrap_err();
    assert!(matches!(refused, AuthorizeError::NotReady { until: Some(until), .. } if until >= now + MINUTE * 10));
}

/// A text may have been edited, or damaged in a way that can still be read.
#[test]
fn a_penalty_that_no_server_gives_ends_after_the_longest_one() {
    let script = active();
    let (text, now) = (script.machine.snapshot().expose_secrets().to_owned(), script.now);
    for field in ["penalty", "hold"] {
        let edited = text.replace(&format!(r#""{field}":0"#), &format!(r#""{field}":253402300799000"#));
        assert_ne!(edited, text);
        let edited = sansession::Snapshot::from_text(edited);
        let mut next = Session::resume(cbrain(), &edited, Options::default(), None, [9; 32], now).unwrap();
        let later = now + MINUTE * 15;
        next.check(now);
        assert!(next.deadline() <= later, "{field}");
        let request = http::Request::builder().uri("/groups").body(&b""[..]).unwrap();
        assert!(next.authorize_request(later, request).is_ok(), "{field}");
        assert!(matches!(next.poll(later), sansession::Output::Send(_)), "{field}");
    }
}
