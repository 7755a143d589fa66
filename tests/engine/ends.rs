//! What a session that has been open is spared, and what becomes of one that ends while it lives on at the server.

use std::time::Duration;

use crate::support::corners::Corners;
use crate::support::*;
use sansession::{
    CloseReason, Credentials, Failure, Input, Machine, NeedKind, Options, Output, Phase, Provider, Relogin, Session,
    Timestamp,
    machine::{Advice, Cause, Ends, FailureKind, NeedReason, Totp},
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

fn options(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    set(&mut options);
    options
}

/// Another process takes the session up.
fn resumes(
    script: &Script<Session<sansession::providers::cbrain::Cbrain>>,
    options: Options,
) -> Script<Session<sansession::providers::cbrain::Cbrain>> {
    resumes_as(cbrain(), script, options)
}

fn resumes_as<P: Provider + Send>(provider: P, script: &Script<Session<P>>, options: Options) -> Script<Session<P>> {
    let text = script.machine.snapshot();
    assert_eq!(text.closed(), None);
    let machine = Session::resume(provider, &text, options, None, [9; 32], script.now).unwrap();
    Script::new(machine).at(script.now)
}

#[test]
fn patience_is_for_openings_and_an_open_session_has_none_unless_it_is_given_one() {
    let mut script = active_with(options(|options| options.patience = Some(5 * SECOND))).sleeps();
    for _ in 0..20 {
        script = script.sends("GET /session").times_out().sleeps();
    }
    assert!(script.now > START + 10 * MINUTE);
    script.sends("GET /session").gets(200, &info(TOKEN)).tells("recovered").is(Phase::Active);
}

#[test]
fn an_open_session_that_was_given_up_is_taken_up_again_with_a_look_first() {
    let patient = || options(|options| options.open_patience = Some(20 * SECOND));
    let mut script = active_with(patient()).sleeps().sends("GET /session").times_out();
    while script.now.since(START) < 12 * HOUR + 20 * SECOND {
        script = script.sleeps();
        if let Output::Send(outgoing) = script.poll() {
            let unsent = Failure::not_sent(FailureKind::Connect);
            script.machine.handle_failure(script.now, outgoing.id(), unsent).unwrap();
        }
    }
    let Output::Closed(reason) = script.poll() else { panic!("not closed\n{}", script.transcript) };
    insta::assert_snapshot!(reason, @"gave up on a session that was open and may live on: connect");
    let closed_at = script.now;
    assert_eq!(reason.advice(closed_at), Advice::Resume { not_before: closed_at + MINUTE });
    assert!(script.told.iter().any(|event| event.code() == "may-live-on"), "{}", script.transcript);
    let status = script.machine.status();
    assert_eq!((status.phase, status.since, status.deadline), (Phase::Closed, closed_at, Timestamp::NEVER));
    assert!(script.machine.live().is_none());
    let mut parts = http::Request::get("/groups").body(()).unwrap().into_parts().0;
    script.machine.authorize(script.now, &mut parts, b"").unwrap_err();
    script = script.checks().logs_out().closes("retries-exhausted");

    let text = script.machine.snapshot();
    assert_eq!(text.closed(), None);
    let later = script.now + HOUR;
    let machine = Session::resume(cbrain(), &text, patient(), None, [9; 32], later).unwrap();
    assert_eq!(machine.phase(), Phase::Active);
    let script = Script::new(machine).at(later).sends("GET /session").gets(200, &info(TOKEN)).tells("recovered");
    script.is(Phase::Active).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
}

#[test]
fn tokens_of_somebodys_that_nobody_could_look_at_are_not_thrown_away() {
    let adopted = Session::adopt(cbrain(), TOKEN.into(), Options::default(), seed()).unwrap();
    let mut script = Script::new(adopted).starts();
    for _ in 0..7 {
        script = script.sends("GET /session").times_out().sleeps();
    }
    script = script.sends("GET /session").times_out().closes("retries-exhausted");
    let resumed = resumes(&script, Options::default()).sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
    resumed.checks().sends("GET /session").gets(401, "").closes("expired");
}

/// A session of the protocol of nothing but corners that is usable.
fn corner(set: impl FnOnce(&mut Options)) -> Script<Session<Corners>> {
    let story = Script::new(Session::new(crate::support::corners::corners(), options(set), seed())).starts();
    let story = story.answers(Input::Credentials(Credentials::new("norm", "correct horse").unwrap()));
    let story = story.sends("GET /Init").gets(200, "n").sends("GET /Login").gets(200, "n");
    let story = story.needs(NeedKind::Totp, NeedReason::Opening);
    let code = Input::Totp(Totp::new("123456", story.now).unwrap());
    let story = story.answers(code).sends("GET /Code").gets(200, "n").waits(SECOND).sleeps();
    story.sends("GET /Open").gets(200, "n").is(Phase::Active)
}

#[test]
fn patience_with_an_open_session_counts_from_the_end_of_its_tokens() {
    let mut story = corner(|options| options.open_patience = Some(MINUTE));
    // The tokens end while the answer to a keepalive is awaited.
    story = story.passes(HOUR - 5 * SECOND).sends("GET /Tickle").passes(5 * SECOND).tells("suspect");
    let ended = story.now;
    story = story.passes(8 * SECOND).is_refused_connection();
    while story.machine.phase() != Phase::Closed {
        match story.poll() {
            Output::Send(outgoing) => {
                let unsent = Failure::not_sent(FailureKind::Connect);
                story.machine.handle_failure(story.now, outgoing.id(), unsent).unwrap();
            }
            Output::Wait { until, .. } => story.now = until,
            _ => {}
        }
    }
    assert_eq!(story.now, ended + MINUTE);
    story.closes("retries-exhausted");
}

#[test]
fn a_login_that_lives_and_gives_no_session_is_told_once_and_in_words() {
    let mut story = corner(|_| {}).checks().sends("GET /Status").gets(200, "s");
    assert!(story.machine.status().stuck);
    story = story.tells("stuck").sends_next().0.gets(200, "s").tells_nothing_of("stuck");
    story = story.sends_next().0.gets(200, "n").is(Phase::Active).tells("recovered");
    assert!(!story.machine.status().stuck);
}

#[test]
fn patience_by_name_ends_a_login_that_gives_no_session_in_the_middle_of_a_life() {
    let patient = |options: &mut Options| options.open_patience = Some(90 * SECOND);
    let mut story = corner(patient).checks().sends("GET /Status").gets(200, "s");
    let since = story.now;
    let reason = loop {
        match story.poll() {
            Output::Wait { until, .. } => story.now = until,
            Output::Send(outgoing) => {
                let id = outgoing.id();
                let response = http::Response::new(b"s".to_vec());
                story.machine.handle_response(story.now, id, (&response).into()).unwrap();
            }
            Output::Closed(reason) => break reason,
            other => panic!("{other:?}\n{}", story.transcript),
        }
    };
    assert_eq!(reason, CloseReason::GivenUp(Cause::Stuck));
    insta::assert_snapshot!(reason, @"gave up on a session that was open and may live on: the login lives, but no usable session comes of it; log in anew, or restart what holds the login");
    assert!((90 * SECOND..100 * SECOND).contains(&story.now.since(since)), "{}", story.transcript);
    resumes_as(crate::support::corners::corners(), &story, Options::default())
        .sends_next()
        .0
        .gets(200, "n")
        .is(Phase::Active);
}

#[test]
fn an_opening_that_is_stuck_says_so_when_it_is_given_up() {
    let patient = options(|options| options.patience = Some(90 * SECOND));
    let story = Script::new(Session::new(crate::support::corners::corners(), patient, seed())).starts();
    let mut story = story.answers(Input::Credentials(Credentials::new("norm", "correct horse").unwrap()));
    story = story.sends("GET /Init").gets(200, "s").tells("stuck");
    let reason = loop {
        match story.poll() {
            Output::Wait { until, .. } => story.now = until,
            Output::Send(outgoing) => {
                let unsent = Failure::not_sent(FailureKind::Connect);
                story.machine.handle_failure(story.now, outgoing.id(), unsent).unwrap();
            }
            Output::Closed(reason) => break reason,
            other => panic!("{other:?}\n{}", story.transcript),
        }
    };
    assert_eq!(reason, CloseReason::RetriesExhausted(Cause::Stuck));
}

mod leaving {
    use super::*;

    fn adopted(set: impl FnOnce(&mut Options)) -> Script<Session<sansession::providers::cbrain::Cbrain>> {
        Script::new(Session::adopt(cbrain(), TOKEN.into(), options(set), seed()).unwrap())
    }

    fn adopted_and_active(set: impl FnOnce(&mut Options)) -> Script<Session<sansession::providers::cbrain::Cbrain>> {
        adopted(set).starts().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active)
    }

    #[test]
    fn tokens_of_somebodys_are_left_alone_and_the_snapshot_remembers_whose_they_are() {
        let script = adopted_and_active(|_| {}).logs_out().closes("left").tells_nothing_of("may-live-on");
        assert_eq!(CloseReason::Left.advice(script.now), Advice::Nothing);
        assert!(script.machine.live().is_none());
        let script = resumes(&script, Options::default()).sends("GET /session").gets(200, &info(TOKEN));
        script.is(Phase::Active).logs_out().closes("left").checks().logs_out().closes("left");
        adopted(|_| {}).logs_out().closes("left");
        adopted(|_| {}).starts().sends("GET /session").logs_out().closes("left");
        let all = |options: &mut Options| options.ends = Ends::Always;
        adopted_and_active(all).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    }

    #[test]
    fn a_login_after_the_tokens_ended_is_the_sessions_own() {
        let again = |options: &mut Options| options.relogin = Relogin::AskAgain { per_day: 1 };
        let script = adopted_and_active(again).checks().sends("GET /session").gets(401, "").tells("expired");
        let script = script.answers(credentials()).sends("POST /session").gets(200, &info(TOKEN)).is(Phase::Active);
        script.logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    }

    #[test]
    fn a_session_that_is_to_end_nothing_waits_for_its_login_and_leaves_it() {
        let never = || options(|options| options.ends = Ends::Never);
        let script = session_with(never()).answers(credentials()).sends("POST /session").logs_out();
        let script = script.is(Phase::LoggingOut).gets(200, &info(TOKEN)).closes("left");
        resumes(&script, never()).sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
        // Where the login fails there is nothing to leave.
        let script = session_with(never()).answers(credentials()).sends("POST /session").logs_out();
        script.gets(401, "").closes("logged-out");
        let script = session_with(never()).answers(credentials()).sends("POST /session").logs_out();
        script.times_out().tells("may-live-on").closes("logged-out.unconfirmed");
    }
}

mod unsure {
    use super::*;

    /// A login whose answer was lost: it may have opened a session that nobody knows.
    fn lost() -> Script<Session<sansession::providers::cbrain::Cbrain>> {
        let script = session().answers(credentials()).sends("POST /session").times_out().tells("may-live-on");
        script.needs(NeedKind::Credentials, NeedReason::Lost)
    }

    #[test]
    fn a_logout_after_a_lost_login_is_not_confirmed() {
        lost().logs_out().closes("logged-out.unconfirmed");
        // Nor is it where a later login was refused, or did not arrive.
        let again = || lost().answers(credentials()).sleeps().sends("POST /session");
        again()
            .gets(401, "")
            .needs(NeedKind::Credentials, NeedReason::Refused)
            .logs_out()
            .closes("logged-out.unconfirmed");
        again().is_refused_connection().logs_out().closes("logged-out.unconfirmed");
        again().logs_out().gets(401, "").closes("logged-out.unconfirmed");
        // Another process knows it, too, and so does one that found the request in flight.
        resumes(&lost(), options(|_| {})).logs_out().closes("logged-out.unconfirmed");
        let flying = session().answers(credentials()).sends("POST /session");
        resumes(&flying, options(|_| {})).tells("may-live-on").logs_out().closes("logged-out.unconfirmed");
    }

    #[test]
    fn a_logout_of_a_session_that_was_opened_after_a_lost_login_is_confirmed() {
        // What the lost one may have opened was told of, and nobody has the token to end it with.
        let script = lost().answers(credentials()).sleeps().sends("POST /session");
        let script = script.gets(200, &info(TOKEN)).is(Phase::Active);
        let script = script.logs_out().sends("DELETE /session").gets(200, "");
        script.tells_nothing_of("may-live-on").closes("logged-out");
    }
}
