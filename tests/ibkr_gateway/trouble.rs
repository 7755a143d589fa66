//! Outages, limits and odd answers: none of them ends an open session.

use sansession::{Event, Failure, FailureKind, NeedKind};

use super::*;

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// Answers that prove nothing.
const BLIPS: [Answer<'_>; 12] = [
    (500, TEXT, "Internal Server Error"),
    (500, JSON, r#"{"error":"failed to generate sso dh token"}"#),
    (503, &[], ""),
    (503, TEXT, "Service Unavailable"),
    (504, HTML, "<html>Gateway Timeout</html>"),
    (502, HTML, "<html>Bad Gateway</html>"),
    (200, HTML, "<html>Maintenance</html>"),
    (200, JSON, ""),
    (200, &[], ""),
    (200, JSON, r#"{"error":"failed to process request"}"#),
    (403, HTML, "<HTML>Access Denied</HTML>"),
    (200, JSON, r#"{"session":"00"#),
];

#[test]
fn a_failed_tickle_is_tried_again_and_never_taken_for_a_logout() {
    for (status, headers, body) in BLIPS {
        let story = active().sleeps().sends(TICKLE).gets_as(status, headers, body).is(Phase::Active);
        assert!(story.told.iter().any(|event| matches!(event, Event::Suspect { .. })), "{body}");
        let before = story.now;
        let story = story.sleeps().tickles(READY).tells("recovered").is(Phase::Active);
        assert!(story.now.since(before) <= 3 * SECOND, "{status} {body}\n{}", story.transcript);
    }
    let failures = [Failure::maybe_sent(FailureKind::Timeout), Failure::not_sent(FailureKind::Connect)];
    for failure in failures {
        active().sleeps().sends(TICKLE).fails(failure).is(Phase::Active).sleeps().tickles(READY).is(Phase::Active);
    }
}

#[test]
fn no_outage_ends_an_open_session_however_long() {
    for (status, _, body) in BLIPS {
        let mut story = active();
        let sent = lives(&mut story, 12 * HOUR, |_, _| (status, body.to_owned()));
        assert_eq!(story.machine.phase(), Phase::Active, "{status} {body}");
        assert!(sent.len() < 12 * 400 && sent.iter().all(|(_, path)| !path.ends_with("logout")), "{}", sent.len());
        assert!(story.machine.authorize_request(story.now, call("/iserver/accounts")).is_ok());
        becomes_ready(story);
    }
}

fn becomes_ready(mut story: Story) {
    lives(&mut story, 2 * MINUTE, |_, path| flags_for(path, READY));
    story.tells("recovered").is(Phase::Active);
}

#[test]
fn the_pace_of_an_outage_stays_kind_while_a_person_is_awaited() {
    let mut story = opening().sends(STATUS).finds_nobody().needs_browser(Because::Opening);
    for (status, headers, body) in BLIPS {
        story = story.sleeps().sends(STATUS).gets_as(status, headers, body).needs(NeedKind::Browser, Because::Opening);
    }
    becomes_active(story.sleeps());
}

#[test]
fn an_opening_gives_up_by_the_number_of_its_attempts() {
    let mut story = opening();
    for attempt in 1..=10 {
        story = story.sends(STATUS).gets_as(503, &[], "");
        if attempt < 10 {
            story = story.sleeps();
        }
    }
    story.closes("retries-exhausted");
}

#[test]
fn an_init_that_failed_at_ibkr_is_seen_by_looking() {
    for (status, headers, body) in [(500, JSON, r#"{"error":"failed to generate sso dh token"}"#), (410, TEXT, "gone")]
    {
        opening()
            .sends(STATUS)
            .gets(200, TIMED_OUT)
            .asks_politely()
            .gets_as(status, headers, body)
            .sends_after(MINUTE, STATUS)
            .gets(200, TIMED_OUT)
            .asks_politely()
            .gets(200, READY)
            .begins()
            .is(Phase::Active);
    }
    opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().times_out().sleeps().sends(STATUS).gets(200, READY);
}

#[test]
fn a_doubt_of_the_inner_tier_is_checked_with_the_outer_one_once_a_minute() {
    for (status, body) in
        [(401, NOT_AUTHENTICATED), (200, NO_SESSION), (401, ""), (400, r#"{"error":"Bad Request: no bridge"}"#)]
    {
        // The login lives: an init is enough.
        let story = active().sleeps().sends(TICKLE).gets(status, body).sends(VALIDATE).gets(200, LOGGED_IN);
        story.sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, READY).is(Phase::Active);

        // However long it lasts, no person is asked and sso/validate is not asked more than it allows.
        let mut story = active();
        let sent = lives(&mut story, 6 * HOUR, |_, path| match path.ends_with("validate") {
            true => flags_for(path, READY),
            false => (status, body.to_owned()),
        });
        let validates: Vec<u64> =
            sent.iter().filter(|(_, path)| path.ends_with("validate")).map(|(at, _)| *at).collect();
        assert!(validates.len() > 10 && validates.windows(2).all(|pair| pair[1] - pair[0] > 60), "{validates:?}");
        let inits = sent.iter().filter(|(_, path)| path.ends_with("init")).count();
        assert!((5..=40).contains(&inits), "{inits}");
        assert!(!matches!(story.poll(), Output::Wait { on: sansession::WaitingOn::Need(_), .. }));
    }
}

#[test]
fn a_blip_of_the_inner_tier_loses_no_settings() {
    let story = active().sleeps().sends(TICKLE).gets(401, NOT_AUTHENTICATED).sends(VALIDATE).gets(200, LOGGED_IN);
    story.sends(STATUS).gets(200, READY).is(Phase::Active).tells_nothing_of("settings-lost");
}

#[test]
fn a_tickle_without_the_inner_block_is_followed_by_a_status() {
    let bare = r#"{"session":"00000000000000000000000000000001","userId":1,"hmds":{"error":"no bridge"}}"#;
    active().sleeps().sends(TICKLE).gets(200, bare).sends(STATUS).gets(200, READY).is(Phase::Active);
    let odd = r#"{"session":"00000000000000000000000000000001","iserver":{"tickle":true}}"#;
    active().sleeps().sends(TICKLE).gets(200, odd).sends(STATUS).gets(200, TIMED_OUT).asks_politely();
}

#[test]
fn own_calls_never_put_a_tickle_off() {
    let mut story = active();
    for _ in 0..5 {
        story = story.passes(10 * SECOND);
        let (_, ticket) = story.machine.authorize_request(story.now, call("/iserver/accounts")).unwrap();
        let response = http::Response::builder().status(200).body("{}").unwrap();
        let _ = story.machine.observe(story.now, &ticket, Response::from(&response));
    }
    story.sends_after(10 * SECOND, TICKLE);
}

#[test]
fn too_many_requests_is_a_quarter_of_an_hour_for_everybody() {
    for story in [active().sleeps().sends(TICKLE), active().checks().sends(STATUS)] {
        let mut story = story.gets(429, r#"{"error":"Too Many Requests"}"#).tells("penalty").is(Phase::Active);
        let end = story.now + 15 * MINUTE;
        for path in ["/iserver/accounts", "/portfolio/accounts"] {
            match story.machine.authorize_request(story.now, call(path)).unwrap_err() {
                sansession::AuthorizeError::NotReady { until, .. } => assert_eq!(until, Some(end)),
                other => panic!("{other}"),
            }
        }
        story = story.checks();
        while story.now < end {
            story = story.sleeps();
        }
        assert_eq!(story.now, end);
        assert!(matches!(story.poll(), Output::Send(_)));
    }
}

#[test]
fn a_429_of_a_call_of_ones_own_silences_the_session_too() {
    let mut story = active();
    let (_, ticket) = story.machine.authorize_request(story.now, call("/iserver/marketdata/history")).unwrap();
    let response = http::Response::builder().status(429).body("").unwrap();
    let _ = story.machine.observe(story.now, &ticket, Response::from(&response));
    let end = story.now + 15 * MINUTE;
    let mut story = story.tells("penalty");
    // The end of the idle time passes meanwhile, which is told and not acted on.
    while story.now < end {
        story = story.sleeps();
    }
    assert_eq!(story.now, end);
    lives(&mut story, 2 * MINUTE, |_, path| flags_for(path, READY));
    story.is(Phase::Active);
}

#[test]
fn a_logout_that_meets_the_penalty_box_tells_its_whole_length() {
    let story = active().logs_out().sends(LOGOUT).gets(429, r#"{"error":"Too many requests"}"#);
    let story = story.closes("logged-out.unconfirmed");
    assert!(story.told.contains(&sansession::Event::Penalty { lasts: MINUTE * 15 }), "{:?}", story.told);
}

#[test]
fn a_logout_ends_both_tiers() {
    let ends = || active().logs_out().sends(LOGOUT);
    for body in [r#"{"status":true}"#, r#"{"confirmed":false}"#] {
        ends().gets(200, body).closes("logged-out");
    }
    for (status, headers, body) in
        [(401, TEXT, "Unauthorized"), (302, &[("location", "/sso/Login")][..], ""), (200, JSON, NO_SESSION)]
    {
        ends().gets_as(status, headers, body).closes("logged-out");
    }
    // What says that the session lives is tried again, and the older form says it the other way round.
    for (status, headers, body) in [
        (200, JSON, r#"{"status":false}"#),
        (200, JSON, r#"{"confirmed":true}"#),
        (503, &[][..], ""),
        (200, HTML, "<html>"),
    ] {
        ends()
            .gets_as(status, headers, body)
            .sleeps()
            .sends(LOGOUT)
            .gets(200, r#"{"status":true}"#)
            .closes("logged-out");
    }
    let mut story = ends();
    for _ in 0..10 {
        story = story.gets_as(503, &[], "");
        if matches!(story.poll(), Output::Closed(_)) {
            return drop(story.closes("logged-out.unconfirmed"));
        }
        story = story.sleeps();
        if matches!(story.machine.phase(), Phase::Closed) {
            break;
        }
        story = story.sends(LOGOUT);
    }
    story.closes("logged-out.unconfirmed");
}

#[test]
fn a_logout_before_anybody_has_logged_in_has_nothing_to_end() {
    opening().sends(STATUS).finds_nobody().needs_browser(Because::Opening).logs_out().closes("logged-out");
}

#[test]
fn a_logout_while_a_rival_holds_the_inner_tier_ends_the_outer_one() {
    let story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, REFUSED);
    story.logs_out().sends(LOGOUT).gets(200, r#"{"status":true}"#).closes("logged-out");
}

#[test]
fn a_session_that_was_found_open_is_open_for_the_next_process_too() {
    let durable = || {
        let mut options = Options::default();
        options.durable = true;
        options
    };
    // No init was needed, so nothing has left that would have had to be saved.
    let found = opens_with(gateway(), durable()).sends(STATUS).gets(200, READY).saves();
    let (snapshot, later) = (found.machine.snapshot(), found.now + Duration::from_secs(5 * 3600));
    let mut next = Script::new(Session::resume(gateway(), &snapshot, durable(), None, seed(), later).unwrap());
    next.now = later;
    let sent = lives(&mut next, Duration::from_secs(3600), |_, _| (500, "Internal Server Error".to_owned()));
    assert!(sent.len() > 20, "{sent:?}");
    assert_eq!(next.machine.phase(), Phase::Active);
}
