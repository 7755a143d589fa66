use super::*;

#[test]
fn a_keepalive_comes_twice_a_day() {
    active()
        .waits(12 * HOUR)
        .sleeps()
        .sends("GET /session")
        .gets(200, &info(TOKEN))
        .tells("kept-alive")
        .waits(12 * HOUR);
}

#[test]
fn an_outage_never_closes_an_active_session() {
    let mut script = active().sleeps();
    for _ in 0..100 {
        script = script.sends("GET /session").times_out().sleeps();
    }
    script = script.tells("suspect").sends("GET /session").gets(200, &info(TOKEN)).tells("recovered").is(Phase::Active);
    assert!(script.machine.live().is_some());
}

#[test]
fn unreadable_answers_never_close_an_active_session() {
    let mut script = active().sleeps();
    for (status, body) in [
        (200, "<html>"),
        (200, "{}"),
        (302, ""),
        (404, "x"),
        (200, r#"{"user_id":2,"cbrain_api_token":"other"}"#),
        (418, "["),
    ] {
        script = script.sends("GET /session").gets(status, body).is(Phase::Active).sleeps();
    }
    insta::assert_snapshot!(script.transcript);
    script.tells("suspect");
}

#[test]
fn a_failed_keepalive_does_not_push_the_next_one_out() {
    let provider = cbrain().keepalive(3 * SECOND);
    let mut script = Script::new(Session::new(provider, Options::default(), seed()))
        .starts()
        .answers(credentials())
        .sends("POST /session")
        .gets(200, &info(TOKEN))
        .sleeps();
    for _ in 0..20 {
        let sent = script.now;
        script = script.sends("GET /session").times_out().sleeps();
        assert!(script.now <= sent + 3 * SECOND, "{}", script.transcript);
    }
}

#[test]
fn a_proven_death_closes_or_asks_again() {
    active().sleeps().sends("GET /session").gets(401, "").tells("expired").closes("expired");
    active_with(options(|o| o.relogin = Relogin::AskAgain { per_day: 1 }))
        .sleeps()
        .sends("GET /session")
        .gets(401, "")
        .needs(NeedKind::Credentials, NeedReason::Expired)
        .answers(credentials())
        .sends("POST /session")
        .gets(200, &info(TOKEN))
        .is(Phase::Active)
        .checks()
        .sends("GET /session")
        .gets(401, "")
        .closes("expired");
}

#[test]
fn a_check_is_made_once_for_many_wishes() {
    let script = active()
        .checks()
        .checks()
        .checks()
        .sends("GET /session")
        .checks()
        .gets(200, &info(TOKEN))
        .passes(SECOND)
        .checks();
    script.waits(9 * SECOND).sleeps().sends("GET /session").gets(200, &info(TOKEN)).waits(12 * HOUR);
}

#[test]
fn retry_after_is_obeyed_up_to_its_cap() {
    // START is Mon, 21 Sep 2026 14:13:20 GMT.
    for (text, least, most) in [
        ("120", 120, 120),
        ("0", 1, 2),
        ("1000000000000000000", 900, 900),
        ("99999999999999999999999999", 900, 900),
        ("Mon, 21 Sep 2026 14:15:20 GMT", 120, 120),
        ("Mon, 21 Sep 2020 14:15:20 GMT", 1, 2),
        ("soon", 1, 2),
    ] {
        let mut script = active().checks().sends("GET /session").gets_as(503, &[("retry-after", text)], "");
        let Output::Wait { until, .. } = script.poll() else { panic!() };
        let wait = until.since(script.now).as_secs_f64();
        assert!((f64::from(least)..=f64::from(most)).contains(&wait), "{text}: {wait:?}");
    }
}

#[test]
fn a_lost_driver_is_noticed_by_the_deadline() {
    active()
        .sleeps()
        .sends("GET /session")
        .waits(15 * SECOND)
        .sleeps()
        .cancels()
        .tells("suspect")
        .sleeps()
        .sends("GET /session");
}

#[test]
fn late_news_is_stale_and_unknown_ids_are_misuse() {
    let mut script = active().sleeps();
    let Output::Send(outgoing) = script.poll() else { panic!() };
    let id = outgoing.id();
    let response = http::Response::builder().status(401).body("").unwrap();
    let failure = Failure::maybe_sent(FailureKind::Timeout);
    assert_eq!(script.machine.handle_failure(script.now, id, failure), Ok(Handled::Used));
    assert_eq!(script.machine.handle_response(script.now, id, Response::from(&response)), Ok(Handled::Stale));
    let mut told = |change: fn(&mut RequestId)| {
        let mut other = id;
        change(&mut other);
        script.machine.handle_failure(script.now, other, failure)
    };
    assert_eq!(told(|id| id.seq += 1), Err(Misuse::UnknownId));
    assert_eq!(told(|id| id.seq = 0), Err(Misuse::UnknownId));
    assert_eq!(told(|id| id.epoch += 1), Err(Misuse::UnknownId));
    // Earlier processes, and others that resumed the same snapshot, had ids of their own.
    assert_eq!(told(|id| id.epoch -= 1), Ok(Handled::Stale));
    assert_eq!(told(|id| id.life ^= 1), Ok(Handled::Stale));
    assert_eq!(told(|id| (id.life ^= 1, id.seq += 7).0), Ok(Handled::Stale));
}

#[test]
fn news_of_another_request_leaves_the_one_under_way_alone() {
    let mut script = active().sleeps();
    let Output::Send(first) = script.poll() else { panic!() };
    let failure = Failure::maybe_sent(FailureKind::Timeout);
    assert_eq!(script.machine.handle_failure(script.now, first.id(), failure), Ok(Handled::Used));
    let mut script = script.sleeps();
    let Output::Send(second) = script.poll() else { panic!() };
    assert_eq!(script.machine.handle_failure(script.now, first.id(), failure), Ok(Handled::Stale));
    let mut others = second.id();
    others.life ^= 1;
    assert_eq!(script.machine.handle_failure(script.now, others, failure), Ok(Handled::Stale));
    assert!(matches!(script.poll(), Output::Wait { on: WaitingOn::Response(id), .. } if id == second.id()));
    let answer = http::Response::builder().status(200).header("content-type", "application/json");
    let answer = answer.body(info(TOKEN)).unwrap();
    let told = script.machine.handle_response(script.now, second.id(), Response::from(&answer));
    assert_eq!(told, Ok(Handled::Used));
    script.tells("recovered");
}

#[test]
fn a_clock_that_is_wrong_by_more_than_five_seconds_is_told() {
    let dated = |date: &str| {
        active().checks().sends("GET /session").gets_as(
            200,
            &[("content-type", "application/json"), ("date", date)],
            &info(TOKEN),
        )
    };
    dated("Mon, 21 Sep 2026 14:13:26 GMT").tells("clock-skew");
    dated("Mon, 21 Sep 2026 14:13:14 GMT").tells("clock-skew");
    for date in ["Mon, 21 Sep 2026 14:13:25 GMT", "Mon, 21 Sep 2026 14:13:15 GMT"] {
        let mut script = dated(date);
        assert!(matches!(script.poll(), Output::Wait { .. }));
        script.tells_nothing_of("clock-skew");
    }
}
