//! The login in a browser, and whose it is.

use sansession::{CloseReason, Event, Input, Relogin, machine::Denial};

use super::*;

/// Nobody is logged in.
fn waiting() -> Story {
    opening().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening)
}

#[test]
fn the_person_is_shown_the_page_and_the_session_goes_on_by_itself() {
    waiting()
        .sends_after(3 * SECOND, STATUS)
        .finds_nobody()
        .sends_after(3 * SECOND, STATUS)
        .gets(200, ESTABLISHING)
        .sends_after(2 * SECOND, STATUS)
        .gets(200, READY)
        .begins()
        .is(Phase::Active);
}

#[test]
fn every_form_of_nobody_being_logged_in_asks_for_the_browser() {
    let plain: [Answer<'_>; 6] = [
        (401, TEXT, "Unauthorized"),
        (401, TEXT, "Access Denied"),
        (401, &[], ""),
        (401, HTML, "<html>Access Denied</html>"),
        (302, &[("location", "/sso/Login?forwardTo=22&RL=1")], ""),
        (302, &[("location", "https://localhost:5000/sso/Dispatcher")], ""),
    ];
    for (status, headers, body) in plain {
        let mut story = opening().sends(STATUS).gets_as(status, headers, body);
        if status == 401 {
            story = story.sends(STATUS).gets_as(status, headers, body);
        }
        story.needs_browser(NeedReason::Opening);
    }
    // What may be about the brokerage tier alone is checked first.
    for (status, body) in [(200, NO_SESSION), (401, NO_SESSION), (401, NOT_AUTHENTICATED), (200, GONE)] {
        opening().sends(STATUS).gets(status, body).sends(VALIDATE).finds_nobody().needs_browser(NeedReason::Opening);
        opening()
            .sends(STATUS)
            .gets(status, body)
            .sends(VALIDATE)
            .gets(200, r#"{"RESULT":false}"#)
            .needs_browser(NeedReason::Opening);
        opening().sends(STATUS).gets(status, body).sends(VALIDATE).gets(200, LOGGED_IN).sends(STATUS);
    }
}

#[test]
fn an_odd_page_ends_no_wait_for_a_person() {
    let story = opening().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening).sleeps().sends(STATUS);
    let story = story.gets(200, GONE).sends(VALIDATE).gets(200, "<html>Maintenance</html>");
    let story = story.needs_browser(NeedReason::Opening).sleeps().sends(STATUS).gets(200, GONE);
    // It is not asked again at once either.
    story.needs_browser(NeedReason::Opening).sleeps().sends(STATUS);
}

#[test]
fn waiting_looks_at_the_status_ever_more_kindly() {
    for (status, body) in [(401, "".to_owned()), (200, GONE.to_owned()), (200, NO_SESSION.to_owned())] {
        let mut story = opening();
        let sent = lives(&mut story, 8 * HOUR, |_, path| {
            if path.ends_with("status") { (status, body.clone()) } else { (401, String::new()) }
        });
        let validates: Vec<_> = sent.iter().filter(|(_, path)| path.ends_with("validate")).collect();
        if body == GONE {
            // These flags stay as they are after a login, too: now and then the outer tier itself is asked.
            assert!(validates.windows(2).all(|pair| (300..=330).contains(&(pair[1].0 - pair[0].0))), "{validates:?}");
        } else {
            assert!(validates.len() <= 1, "{validates:?}");
        }
        let sent: Vec<_> = sent.iter().filter(|(_, path)| path.ends_with("status")).collect();
        assert!(sent.len() < 100 + 8 * 240, "{}", sent.len());
        let pause = |from: usize| sent[from + 1].0 - sent[from].0;
        assert_eq!((pause(5), pause(sent.len() - 2)), (3, 15));
        // It is one question all the time, and nothing else is told again and again.
        assert_eq!(story.need().id, waiting().need().id);
        let phases = story.told.iter().filter(|event| matches!(event, Event::PhaseChanged { .. })).count();
        assert_eq!(phases, 2, "{:?}", story.told);
    }
}

#[test]
fn a_hint_that_the_login_has_happened_is_followed_seldom() {
    let mut story = waiting();
    let sent = lives(&mut story, HOUR, |_, path| {
        if path.ends_with("status") { (401, NOT_AUTHENTICATED.to_owned()) } else { (401, String::new()) }
    });
    let validates: Vec<u64> = sent.iter().filter(|(_, path)| path.ends_with("validate")).map(|(at, _)| *at).collect();
    assert!(validates.len() <= 12 && validates.windows(2).all(|pair| pair[1] - pair[0] >= 300), "{validates:?}");
}

#[test]
fn a_persons_word_asks_the_outer_tier_itself() {
    let story =
        opening().sends(STATUS).gets(200, GONE).sends(VALIDATE).finds_nobody().needs_browser(NeedReason::Opening);
    // The word is kept until sso/validate may be asked again.
    let mut story = story.passes(SECOND).answers(Input::Done).sends(STATUS).gets(200, GONE);
    while story.now < crate::support::START + 65 * SECOND {
        story = story.sleeps().sends(STATUS).gets(200, GONE);
    }
    // Somebody is logged in although the flags say otherwise: an init revives the session.
    story
        .sends(VALIDATE)
        .gets(200, LOGGED_IN)
        .sends(STATUS)
        .gets(200, GONE)
        .asks_politely()
        .gets(200, READY)
        .begins()
        .is(Phase::Active);
}

#[test]
fn a_wrong_word_leaves_the_question_open() {
    let mut story = waiting();
    let id = story.need().id;
    let mut story = story.answers(Input::Done).sends(VALIDATE).finds_nobody().needs_browser(NeedReason::Opening);
    assert_eq!(story.need().id, id);
    story.answers(Input::GiveUp).closes("denied.unanswered");
}

#[test]
fn the_question_is_settled_when_a_rival_holds_the_inner_tier() {
    let story = opens(gateway().takeover(Takeover::Never { then: sansession::providers::ibkr::OrElse::Wait }));
    let mut story = story.sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening);
    story = story.sends_after(3 * SECOND, STATUS).gets(200, COMPETING).asks_politely().gets(200, REFUSED);
    assert!(matches!(story.poll(), Output::Wait { on: sansession::WaitingOn::Pause, .. }), "{}", story.transcript);
    story.waits(MINUTE);
}

#[test]
fn a_death_in_the_middle_of_the_day_closes_or_asks_again() {
    let die = |story: Story| {
        let story = story.learns_the_name().sleeps().sends(TICKLE).finds_nobody().sends(STATUS).finds_nobody();
        story.sleeps().sends(VALIDATE)
    };
    die(active()).finds_nobody().tells("expired").closes("expired");
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    let story = becomes_active(opens_with(gateway(), options));
    let story =
        die(story).finds_nobody().sends(STATUS).tells("expired").finds_nobody().needs_browser(NeedReason::Expired);
    becomes_active(story.sleeps()).waits(MINUTE);
}

#[test]
fn one_answer_of_validate_alone_proves_no_death() {
    let story = active().sleeps().tickles(READY).sleeps().sends(VALIDATE).finds_nobody();
    story
        .sends(STATUS)
        .gets(200, READY)
        .is(Phase::Active)
        .tells_nothing_of("suspect")
        .sends_after(Duration::from_millis(56_100), TICKLE);
}

/// A session from 22:00:20 in New York up to midnight.
fn evening() -> Story {
    let evening = Timestamp::from_http_date("Wed, 04 Mar 2026 03:00:20 GMT").unwrap();
    let mut story = Script::new(Session::new(gateway(), Options::default(), seed())).at(evening).starts();
    lives(&mut story, 2 * HOUR - 20 * SECOND, |_, path| flags_for(path, READY));
    story
}

#[test]
fn midnight_is_told_and_asks_for_the_browser_without_a_failure() {
    let mut story = evening();
    story = story.passes(4 * SECOND).is(Phase::Active).tells_nothing_of("reset");
    story.told.clear();
    let story = story.sleeps().sends(STATUS);
    let mut story = story
        .gets_as(503, &[], "")
        .sleeps()
        .sends(STATUS)
        .finds_nobody()
        .sends(VALIDATE)
        .finds_nobody()
        .needs_browser(NeedReason::Reset);
    let id = story.need().id;
    // It is the first that is told, before the maintenance is met.
    assert_eq!(story.told.first().map(Event::code), Some("reset"), "{:?}", story.told);
    assert!(!story.told.iter().any(|event| matches!(event, Event::Expired { .. })), "{:?}", story.told);
    // The person sleeps until the day after tomorrow; it stays one question.
    lives(&mut story, 30 * HOUR, |_, _| (401, String::new()));
    assert_eq!(story.need().id, id);
    lives(&mut story, 20 * SECOND, |_, path| flags_for(path, READY));
    story.is(Phase::Active);
}

#[test]
fn a_midnight_that_ends_the_inner_tier_alone_needs_no_person() {
    evening().passes(5 * SECOND).sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, READY).is(Phase::Active);
}

#[test]
fn the_wrong_account_is_never_used() {
    let story = opens(expects(Some("somebody"), None)).sends(STATUS).gets(200, READY).sends(VALIDATE);
    let story = story.gets(200, LOGGED_IN).closes("denied.wrong-account");
    assert!(story.told.iter().all(|event| !matches!(event, Event::PhaseChanged { to: Phase::Active, .. })));
    // Nor is it opened, or somebody thrown out for it.
    let always = expects(None, Some(false)).takeover(Takeover::ALWAYS);
    let story = opens(always).sends(STATUS).gets(200, COMPETING).sends(VALIDATE).gets(200, LOGGED_IN);
    let mut story = story.closes("denied.wrong-account");
    assert!(matches!(story.poll(), Output::Closed(CloseReason::Denied(Denial::WrongAccount))));
}

#[test]
fn the_right_account_is_used_whatever_the_case_of_its_name() {
    let mut story = opens(expects(Some("TESTER"), Some(true))).sends(STATUS).gets(200, READY);
    // Until it is known whose the login is, nothing may be done with it.
    assert!(story.machine.authorize_request(story.now, call("/portfolio/accounts")).is_err());
    let story = story.sends(VALIDATE).gets(200, LOGGED_IN);
    let story = story.sends(STATUS).gets(200, READY).begins().is(Phase::Active);
    // The name is known: it is not asked for again.
    story.waits(MINUTE);
}

#[test]
fn where_the_login_does_not_tell_its_kind_the_accounts_do() {
    for (body, ends) in [
        (r#"{"accounts":["DU0000001"],"selectedAccount":"DU0000001","isPaper":true}"#, None),
        (r#"{"accounts":["U0000001"],"selectedAccount":"U0000001","isPaper":false}"#, Some("denied.wrong-account")),
        (r#"{"accounts":["U0000001"]}"#, Some("protocol")),
    ] {
        let story = opens(expects(None, Some(true))).sends(STATUS).gets(200, READY).sends(VALIDATE);
        let mut story = story.gets(200, LOGGED_IN_SOMEHOW).sends(STATUS).gets(200, READY).sends(ACCOUNTS);
        assert!(story.machine.authorize_request(story.now, call("/portfolio/accounts")).is_err());
        // While the session is being established, answers are empty.
        story = story.gets(200, r#"{"accounts":[]}"#).sleeps().sends(ACCOUNTS).gets(200, body);
        match ends {
            Some(code) => drop(story.closes(code)),
            None => drop(story.begins().is(Phase::Active)),
        }
    }
}

#[test]
fn another_login_under_the_session_is_looked_at_before_it_is_used() {
    let other = tickle(READY).replace("0001\"", "0002\"");
    let story =
        opens(expects(Some("tester"), None)).sends(STATUS).gets(200, READY).sends(VALIDATE).gets(200, LOGGED_IN);
    let story = story.sends(STATUS).gets(200, READY).begins().is(Phase::Active);
    let mut story = story.sleeps().sends(TICKLE).gets(200, &other);
    assert!(story.machine.authorize_request(story.now, call("/portfolio/accounts")).is_err());
    let story = story.sleeps().sends(VALIDATE).gets(200, &LOGGED_IN.replace("tester", "somebody"));
    story.closes("denied.wrong-account");
}

#[test]
fn a_session_that_was_stored_under_other_expectations_is_not_used() {
    let story = active().learns_the_name();
    let snapshot = story.machine.snapshot();
    for (paper, is_right) in [(true, true), (false, false)] {
        let options = Options::default();
        let session = Session::resume(expects(None, Some(paper)), &snapshot, options, None, seed(), story.now).unwrap();
        let now = story.now;
        let mut story = Story::new(session);
        story.now = now;
        assert_eq!(story.machine.authorize_request(story.now, call("/portfolio/accounts")).is_ok(), is_right);
        assert_eq!(story.machine.authorize_stream(story.now).is_ok(), is_right);
        let story = story.checks().sends(STATUS).gets(200, READY);
        match is_right {
            true => drop(story.is(Phase::Active)),
            false => drop(story.closes("denied.wrong-account")),
        }
    }
}

#[test]
fn logins_that_end_shortly_before_midnight_are_reset_and_not_expired() {
    for (minutes, early) in [(29, true), (14, true), (31, false)] {
        let evening = Timestamp::from_http_date("Wed, 04 Mar 2026 03:00:20 GMT").unwrap();
        let midnight = Timestamp::from_http_date("Wed, 04 Mar 2026 05:00:00 GMT").unwrap();
        let ends = midnight - minutes * MINUTE;
        let mut story = Script::new(Session::new(gateway(), Options::default(), seed())).at(evening).starts();
        lives(&mut story, ends.since(evening), |_, path| flags_for(path, READY));
        story.told.clear();
        let nobody = |story: Story| {
            let story = story.sleeps().sends(TICKLE).finds_nobody().sends(STATUS).finds_nobody();
            story.sends(VALIDATE).finds_nobody()
        };
        let story = nobody(story);
        if !early {
            story.tells("expired").closes("expired");
            continue;
        }
        let mut story = story.needs_browser(NeedReason::Reset).tells_nothing_of("expired").tells("reset");
        // The midnight itself is no other one.
        lives_unasked(&mut story, midnight + 5 * MINUTE);
        assert_eq!(story.machine.phase(), Phase::LoggingIn);
        story.tells_nothing_of("reset");
    }
}

/// Time passes while nobody logs in.
fn lives_unasked(story: &mut Story, until: Timestamp) {
    while story.now < until {
        match story.poll() {
            Output::Send(outgoing) => {
                let response = http::Response::builder().status(401).body("Unauthorized").unwrap();
                story.machine.handle_response(story.now, outgoing.id(), Response::from(&response)).unwrap();
            }
            Output::Wait { until, .. } => story.now = until,
            other => panic!("{other:?}"),
        }
    }
}
