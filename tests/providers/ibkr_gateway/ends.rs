//! Whose the login is: one that was found living is left alone, one that a person was asked for is ended.

use sansession::{Input, Snapshot};

use super::*;

/// A person was asked to log in, and has.
fn logged_in_because_asked(story: Story) -> Story {
    story.sleeps().sends(STATUS).gets(200, READY).begins().is(Phase::Active)
}

fn asks() -> Story {
    opening().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening)
}

fn ends(story: Story) {
    story.logs_out().sends(LOGOUT).gets(200, r#"{"status":true}"#).closes("logged-out");
}

fn resumes(text: &Snapshot, now: Timestamp) -> Story {
    Script::new(Session::resume(gateway(), text, Options::default(), None, seed(), now).unwrap()).at(now)
}

#[test]
fn a_login_that_was_found_living_is_left_alone() {
    let story = active().logs_out().closes("left").tells_nothing_of("may-live-on");
    assert_eq!(story.machine.phase(), Phase::Closed);
    // A person's login stays one over restarts, and the next process looks first.
    let text = story.machine.snapshot();
    assert_eq!(text.closed(), None);
    resumes(&text, story.now).sends(STATUS).gets(200, READY).is(Phase::Active).logs_out().closes("left");
    // The brokerage session in it, which the session opens, idles out.
    let story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, READY).is(Phase::Active);
    story.logs_out().closes("left");
    let story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, REFUSED);
    story.logs_out().closes("left");
    let story = opening().sends(STATUS).gets(200, GONE).sends(VALIDATE).gets(200, LOGGED_IN);
    story.logs_out().closes("left");
}

#[test]
fn an_init_on_its_way_is_waited_for_before_a_login_is_left() {
    let story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().logs_out().is(Phase::LoggingOut);
    let mut parts = http::Request::get("/portfolio/accounts").body(()).unwrap().into_parts().0;
    let mut story = story;
    story.machine.authorize(story.now, &mut parts, b"").unwrap_err();
    let story = story.gets(200, READY).closes("left");
    resumes(&story.machine.snapshot(), story.now).sends(STATUS).gets(200, READY).is(Phase::Active);
    let waits = || opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().logs_out().is(Phase::LoggingOut);
    waits().sleeps().closes("left");
    waits().gets(200, "{}").closes("left");
    waits().gets(503, "").closes("left");
}

#[test]
fn a_login_that_a_person_was_asked_for_is_ended() {
    ends(logged_in_because_asked(asks()));
    let done = asks().answers(Input::Done).passes(MINUTE).sends(VALIDATE).gets(200, LOGGED_IN).sends(STATUS);
    ends(done.gets(200, READY).is(Phase::Active));
    // Another process may have asked.
    let story = asks();
    ends(logged_in_because_asked(resumes(&story.machine.snapshot(), story.now)));
    let story = logged_in_because_asked(asks());
    ends(resumes(&story.machine.snapshot(), story.now));
}

#[test]
fn what_follows_a_login_that_was_found_is_the_sessions_own() {
    let mut options = Options::default();
    options.relogin = sansession::Relogin::AskAgain { per_day: 1 };
    let story = becomes_active(opens_with(gateway(), options)).learns_the_name().sleeps().sends(TICKLE);
    let story = story
        .finds_nobody()
        .sends(STATUS)
        .finds_nobody()
        .sleeps()
        .sends(VALIDATE)
        .finds_nobody()
        .sends(STATUS)
        .finds_nobody();
    ends(logged_in_because_asked(story.needs_browser(NeedReason::Expired)));
}

#[test]
fn a_logout_ends_or_leaves_what_it_is_told_to_by_name() {
    ends(active_and_ended());
    let never = || {
        let mut options = Options::default();
        options.ends = Ends::Never;
        opens_with(gateway(), options)
    };
    let asked = never().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening);
    asked.logs_out().closes("logged-out");
    let asked = never().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening);
    logged_in_because_asked(asked).logs_out().closes("left");
}

#[test]
fn a_lost_init_leaves_nothing_that_the_logout_does_not_end() {
    // The logout ends the login and whatever an init has opened in it, so it is confirmed.
    let asked = || asks().sleeps().sends(STATUS).gets(200, TIMED_OUT).asks_politely().times_out();
    ends(asked().tells_nothing_of("may-live-on"));
    ends(asked().sleeps().sends(STATUS).gets(200, READY).is(Phase::Active));
}
