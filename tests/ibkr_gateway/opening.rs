//! Opening: what is there is taken up, what is not is opened.

use super::*;

#[test]
fn a_session_that_lives_is_taken_up() {
    let story =
        opening().sends(STATUS).gets(200, READY).is(Phase::Active).tells("settings-lost").sleeps().sends(TICKLE);
    assert_eq!(sansession::Machine::phase(&story.machine), Phase::Active);
    let story = story.gets(200, &tickle(READY)).is(Phase::Active);
    let live = story.machine.live().unwrap();
    assert_eq!((live.user_id, live.user.as_deref()), (Some(123_456_789), None));
    // The name is asked for late, and once.
    let story = story.learns_the_name().is(Phase::Active);
    let live = story.machine.live().unwrap();
    assert_eq!((live.user.as_deref(), live.paper), (Some("tester"), Some(true)));
    story.sends_after(Duration::from_millis(56_100), TICKLE);
}

#[test]
fn every_request_has_what_the_edge_demands() {
    let story = opening().sends(STATUS);
    let request = story.request.as_ref().unwrap();
    assert!(request.headers().contains_key("user-agent"));
    assert_eq!(request.body(), b"{}");
    let story = story.gets(200, TIMED_OUT).asks_politely();
    assert_eq!(story.request.as_ref().unwrap().headers()["content-type"], "application/json");
}

#[test]
fn the_older_alias_serves_as_well() {
    let older = Gateway::new(&BaseUrl::parse("https://127.0.0.1:5555/v1/portal").unwrap()).unwrap();
    opens(older).sends("POST /v1/portal/iserver/auth/status").gets(200, READY).sleeps().sends("POST /v1/portal/tickle");
}

#[test]
fn flags_without_established_are_ready() {
    opening()
        .sends(STATUS)
        .gets(200, r#"{"authenticated":true,"competing":false,"connected":true,"message":""}"#)
        .sleeps()
        .tickles(r#"{"authenticated":true,"competing":false,"connected":true}"#)
        .is(Phase::Active);
}

#[test]
fn a_session_being_established_is_waited_for_without_another_init() {
    let mut story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, ESTABLISHING);
    for _ in 0..29 {
        story = story.sends_after(2 * SECOND, STATUS).gets(200, ESTABLISHING).is(Phase::Opening);
    }
    // Whoever takes longer than a minute is asked less often.
    story = story.sends_after(2 * SECOND, STATUS).gets(200, ESTABLISHING);
    for _ in 0..30 {
        story = story.sends_after(10 * SECOND, STATUS).gets(200, ESTABLISHING);
    }
    story.sends_after(10 * SECOND, STATUS).gets(200, READY).begins().is(Phase::Active);
}

#[test]
fn an_established_session_that_is_established_anew_is_not_ready_and_not_opened() {
    let mut story = active().sleeps().tickles(ESTABLISHING).waits(2 * SECOND);
    let refused = story.machine.authorize_request(story.now, call("/iserver/accounts")).unwrap_err();
    assert_eq!(refused.to_string(), "the brokerage session is not ready: active");
    story.sleeps().sends(STATUS).gets(200, READY).tells("settings-lost").is(Phase::Active);
}

#[test]
fn flags_that_contradict_each_other_are_looked_at_again() {
    opening()
        .sends(STATUS)
        .gets(200, r#"{"authenticated":true,"competing":false,"connected":false}"#)
        .sends_after(6 * SECOND, STATUS)
        .gets(200, READY)
        .begins()
        .is(Phase::Active);
}

#[test]
fn a_new_init_is_told_since_settings_are_lost_with_it() {
    let story = active().learns_the_name();
    story
        .sleeps()
        .tickles(TIMED_OUT)
        .asks_politely()
        .gets(200, READY)
        .tells("settings-lost")
        .is(Phase::Active)
        .sleeps()
        .tickles(READY)
        .is(Phase::Active)
        .tells_nothing_of("settings-lost");
}

#[test]
fn an_init_that_does_not_help_slows_down_and_starts_anew_with_the_connection() {
    let mut story = active();
    let start = story.now;
    let sent = lives(&mut story, 8 * HOUR, |now, path| {
        // The back end is lost for an instant, and comes back.
        let away = now.since(start) >= 7 * HOUR && now.since(start) < 7 * HOUR + 90 * SECOND;
        flags_for(path, if away { GONE } else { TIMED_OUT })
    });
    let inits: Vec<u64> = sent.iter().filter(|(_, path)| path.ends_with("init")).map(|(at, _)| *at).collect();
    let waits: Vec<u64> = inits.windows(2).map(|pair| pair[1] - pair[0]).collect();
    // A look comes once a minute, so an init may wait a minute longer than its pace says.
    for (wait, longest) in waits.iter().zip([60, 120, 240, 480, 960, 1_800, 1_800]) {
        assert!((longest / 2..=longest + 60).contains(wait) && *wait >= 60, "{waits:?}");
    }
    let back = inits.iter().position(|at| *at >= 7 * 3_600).unwrap();
    assert!(waits[back - 2] >= 900 && inits[back] < 7 * 3_600 + 240, "{inits:?}");
    assert!(waits[back] <= 120, "{waits:?}");
    assert!(
        sent.windows(2).all(|pair| pair[1].1.ends_with("validate") || pair[1].0 - pair[0].0 <= 60),
        "looked at throughout"
    );
}

#[test]
fn a_day_has_a_hundred_inits_at_most() {
    // It is opened each time and lost each time, so the pace alone would never grow.
    let mut story = active();
    let sent =
        lives(&mut story, 12 * HOUR, |_, path| flags_for(path, if path.ends_with("init") { READY } else { TIMED_OUT }));
    assert_eq!(sent.iter().filter(|(_, path)| path.ends_with("init")).count(), 100);
}
