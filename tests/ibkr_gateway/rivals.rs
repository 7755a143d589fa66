//! Other clients: who may be thrown out, when, and by whose word.

use sansession::providers::ibkr::OrElse;
use sansession::{Answered, AuthorizeError, Input, NeedId, WaitingOn};

use super::*;

const WAIT: Takeover = Takeover::Never { then: OrElse::Wait };
const CLOSE: Takeover = Takeover::Never { then: OrElse::Close };
/// A session that has opened: bodies of a rival's session after it has taken it, shown and not.
const TAKEN: [&str; 2] = [COMPETING, TIMED_OUT];

/// The inner tier is refused at the opening.
fn refused(takeover: Takeover) -> Story {
    opens(gateway().takeover(takeover)).sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, REFUSED)
}

#[test]
fn a_refused_init_is_a_rival_and_never_a_success() {
    for body in [
        REFUSED,
        FORCE,
        r#"{"passed":false}"#,
        r#"{"authenticated":false,"connected":true,"competing":false,"fail":"whatever"}"#,
    ] {
        let story = opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, body);
        story.tells("rival").needs(NeedKind::Takeover, Because::Rival).is(Phase::Opening);
    }
}

#[test]
fn a_fail_text_with_no_rival_reported_needs_the_consent_too() {
    // The flag is from an init of somebody else's; no init of ours has been refused yet.
    let story = opening().sends(STATUS).gets(200, FORCE).asks_politely().gets(200, FORCE);
    story.needs(NeedKind::Takeover, Because::Rival).answers(Input::TakeOver).takes_over().gets(200, ESTABLISHING);
}

#[test]
fn asked_the_owner_consents_and_one_takeover_is_made() {
    let story = refused(Takeover::Ask).needs(NeedKind::Takeover, Because::Rival).answers(Input::TakeOver);
    let story = story.takes_over().gets(200, REFUSED).needs(NeedKind::Takeover, Because::Rival);
    let story = story.answers(Input::TakeOver).takes_over().gets(200, ESTABLISHING).sends_after(2 * SECOND, STATUS);
    story.gets(200, READY).begins().is(Phase::Active);
}

#[test]
fn a_session_that_waits_goes_on_by_itself_when_the_rival_leaves() {
    for policy in [Takeover::Ask, WAIT] {
        let mut story = refused(policy).is(Phase::Opening);
        let (start, mut open) = (story.now, false);
        let sent = lives(&mut story, 2 * HOUR, |now, path| {
            let init = path.ends_with("init");
            open |= init && now.since(start) >= HOUR;
            flags_for(
                path,
                if open {
                    READY
                } else if init {
                    REFUSED
                } else {
                    TIMED_OUT
                },
            )
        });
        let inits: Vec<u64> = sent.iter().filter(|(_, path)| path.ends_with("init")).map(|(at, _)| *at).collect();
        // Once a back-off step after the rival has left, no flag tells that it has.
        assert!((5..=10).contains(&inits.len()) && inits[inits.len() - 1] < 3_600 + 1_860, "{inits:?}");
        assert_eq!(story.machine.phase(), Phase::Active);
        assert!(!matches!(story.poll(), Output::Wait { on: WaitingOn::Need(_), .. }));
    }
}

#[test]
fn it_is_one_question_however_long_the_rival_stays() {
    let mut story = refused(Takeover::Ask).needs(NeedKind::Takeover, Because::Rival);
    let id = story.need().id;
    let sent = lives(&mut story, 10 * HOUR, |_, path| {
        flags_for(path, if path.ends_with("init") { REFUSED } else { TIMED_OUT })
    });
    assert_eq!(story.need().id, id);
    let looks = sent.iter().filter(|(_, path)| path.ends_with("status")).count();
    assert!((590..=610).contains(&looks), "{looks}");
    story.answers(Input::GiveUp).closes("rival");
}

#[test]
fn who_never_takes_over_closes_or_waits() {
    refused(CLOSE).closes("rival");
    opens(gateway().takeover(CLOSE)).sends(STATUS).gets(200, COMPETING).closes("rival");
    active_under(CLOSE).sleeps().tickles(COMPETING).closes("rival");

    let mut story = refused(WAIT).is(Phase::Opening);
    assert!(matches!(story.poll(), Output::Wait { on: WaitingOn::Pause, .. }));
}

#[test]
fn a_flag_that_goes_away_is_worth_an_init() {
    let mut story = opens(gateway().takeover(WAIT)).sends(STATUS).gets(200, COMPETING);
    lives(&mut story, 5 * HOUR, |_, path| flags_for(path, COMPETING));
    let sent = lives(&mut story, 2 * MINUTE, |_, path| {
        flags_for(path, if path.ends_with("init") { READY } else { TIMED_OUT })
    });
    assert!(sent[0].0 <= 60 && sent[0].1.ends_with("status") && sent[1].1.ends_with("init"), "{sent:?}");
    assert_eq!(sent[1].0, sent[0].0);
}

#[test]
fn rivals_that_come_and_go_all_day_slow_the_inits_down_and_never_end_them() {
    let mut story = opens(gateway().takeover(WAIT)).sends(STATUS).gets(200, COMPETING);
    let mut shown = false;
    let sent = lives(&mut story, 8 * HOUR, |_, path| {
        // Each flag that goes away lets the pace start anew.
        shown = !shown && !path.ends_with("init");
        flags_for(path, if shown { COMPETING } else { TIMED_OUT })
    });
    let inits: Vec<u64> = sent.iter().filter(|(_, path)| path.ends_with("init")).map(|(at, _)| *at).collect();
    assert!(inits[99] < 4 * 3_600 && inits[100] >= inits[99] + 1_800, "{inits:?}");
    assert!(inits[100..].windows(2).all(|pair| (1_800..1_980).contains(&(pair[1] - pair[0]))), "{inits:?}");
    // The last rival has gone for good.
    let mut open = false;
    lives(&mut story, 31 * MINUTE, |_, path| {
        open |= path.ends_with("init");
        flags_for(path, if open { READY } else { TIMED_OUT })
    });
    assert_eq!(story.machine.phase(), Phase::Active);
}

#[test]
fn who_always_takes_over_does_so_at_the_opening() {
    refused(Takeover::ALWAYS).takes_over().gets(200, READY).begins().is(Phase::Active);
    let story = opens(gateway().takeover(Takeover::ALWAYS)).sends(STATUS).gets(200, COMPETING);
    story.takes_over().gets(200, READY).begins().is(Phase::Active);
}

#[test]
fn whoever_throws_the_session_out_is_left_alone_for_a_while() {
    for taken in TAKEN {
        let mut story = active_under(Takeover::ALWAYS);
        let mut inits = Vec::new();
        let mut end = None;
        story = story.sleeps().tickles(taken);
        let thrown_out = story.now;
        while end.is_none() {
            match story.poll() {
                Output::Send(outgoing) => {
                    let (id, path) = (outgoing.id(), outgoing.path().to_owned());
                    let body = outgoing.into_request().into_body();
                    let takes = body == br#"{"publish":true,"compete":true}"#;
                    if path.ends_with("init") {
                        inits.push((story.now.since(thrown_out).as_secs(), takes));
                    }
                    if takes {
                        end = Some(story.now);
                    }
                    let (status, body) = flags_for(&path, if path.ends_with("init") { REFUSED } else { taken });
                    let response = http::Response::builder().status(status).body(body).unwrap();
                    story.machine.handle_response(story.now, id, Response::from(&response)).unwrap();
                }
                Output::Wait { until, .. } => story.now = until,
                other => panic!("{other:?}"),
            }
        }
        let quiet = end.unwrap().since(thrown_out);
        assert!((15 * MINUTE..=16 * MINUTE).contains(&quiet), "{taken}: {inits:?}");
    }
}

#[test]
fn a_budget_ends_a_fight() {
    let policy = Takeover::Always { budget: 3, quiet: Duration::ZERO };
    let (mut story, mut takeovers) = (active_under(policy), 0);
    let end = story.now + 5 * HOUR;
    let mut ours = true;
    while story.now < end {
        match story.poll() {
            Output::Send(outgoing) => {
                let (id, path) = (outgoing.id(), outgoing.path().to_owned());
                let takes = outgoing.into_request().into_body() == br#"{"publish":true,"compete":true}"#;
                takeovers += u32::from(takes);
                // The rival takes it back within a minute.
                ours = takes || ours && !path.ends_with("tickle");
                let flags = if ours {
                    READY
                } else if path.ends_with("init") {
                    REFUSED
                } else {
                    TIMED_OUT
                };
                let (status, body) = flags_for(&path, flags);
                let response = http::Response::builder().status(status).body(body).unwrap();
                story.machine.handle_response(story.now, id, Response::from(&response)).unwrap();
            }
            Output::Wait { until, .. } => story.now = until,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(takeovers, 3);
}

#[test]
fn a_word_that_nobody_asked_for_grants_one_takeover() {
    // While the rival is waited for it is used at once,
    let mut story = refused(WAIT).is(Phase::Opening);
    assert_eq!(story.grant(), Answered::Used);
    let story = story.takes_over().gets(200, READY).begins().is(Phase::Active);
    // the next rival is waited for again,
    let mut story = story.sleeps().tickles(COMPETING).asks_politely().gets(200, REFUSED).is(Phase::Opening);
    // and one that is given ahead is kept.
    assert_eq!(story.grant(), Answered::Used);
    let mut story = story.takes_over().gets(200, READY).is(Phase::Active);
    assert_eq!(story.grant(), Answered::Used);
    let story = story.sends(STATUS).gets(200, READY).is(Phase::Active).sleeps();
    let story = story.sends(VALIDATE).gets(200, LOGGED_IN).sleeps().tickles(COMPETING);
    story.takes_over().gets(200, READY).is(Phase::Active);
}

/// The rival leaves while the owner gives consent; days later another one comes.
#[test]
fn a_consent_that_was_not_needed_is_none_for_the_next_rival() {
    let mut story = refused(Takeover::Ask).sleeps().sends(STATUS);
    assert_eq!(story.grant(), Answered::Used);
    let story = story
        .gets(200, READY)
        .begins()
        .is(Phase::Active)
        .sleeps()
        .tickles(COMPETING)
        .asks_politely()
        .gets(200, REFUSED);
    story.needs(NeedKind::Takeover, Because::Rival);
}

#[test]
fn a_word_given_before_the_login_is_kept() {
    let mut story = opens(gateway().takeover(WAIT)).sends(STATUS).finds_nobody().needs_browser(Because::Opening);
    assert_eq!(story.grant(), Answered::Used);
    story.sends(STATUS).finds_nobody().sleeps().sends(STATUS).gets(200, COMPETING).takes_over();
    // That nobody has logged in yet ends no login that it was given for.
    let mut story = opens(gateway().takeover(WAIT)).sends(STATUS).finds_nobody().needs_browser(Because::Opening);
    assert_eq!(story.grant(), Answered::Used);
    let story = story.sends(STATUS).gets(200, GONE).sends(VALIDATE).gets(200, r#"{"RESULT":false}"#).sleeps();
    story.sends(STATUS).gets(200, COMPETING).takes_over();
}

#[test]
fn the_outer_tier_stays_usable_and_the_inner_one_is_named() {
    let thrown_out = active().sleeps().tickles(COMPETING).asks_politely().gets(200, REFUSED);
    for mut story in [refused(Takeover::Ask), refused(WAIT), thrown_out] {
        let (request, _) = story.machine.authorize_request(story.now, call("/portfolio/accounts")).unwrap();
        assert_eq!(request.uri(), "https://localhost:5000/v1/api/portfolio/accounts");
        assert!(request.headers().contains_key("user-agent"));
        match story.machine.authorize_request(story.now, call("/iserver/accounts")).unwrap_err() {
            AuthorizeError::NotReady { tier, until: None, .. } => assert_eq!(tier, Some("brokerage")),
            other => panic!("{other}"),
        }
    }
}

#[test]
fn a_takeover_of_unknown_fate_is_looked_at_and_not_repeated() {
    let story = refused(Takeover::Ask).answers(Input::TakeOver).takes_over().times_out().sleeps().sends(STATUS);
    story.gets(200, TIMED_OUT).needs(NeedKind::Takeover, Because::Rival);
    let story = refused(Takeover::Ask).answers(Input::TakeOver).takes_over().is_refused_connection().sleeps();
    story.takes_over();
}

/// The process dies after it has stored that the takeover may leave, before or after it has left.
#[test]
fn a_consent_is_used_once_whenever_the_process_dies() {
    let provider = || gateway().takeover(Takeover::Ask);
    let durable = || {
        let mut options = Options::default();
        options.durable = true;
        options
    };
    let asked = || {
        let story = opens_with(provider(), durable()).sends(STATUS).gets(200, TIMED_OUT).saves().asks_politely();
        let story = story.gets(200, REFUSED).saves().needs(NeedKind::Takeover, Because::Rival);
        story.answers(Input::TakeOver).saves()
    };
    for left in [false, true] {
        let story = asked();
        let story = if left { story.takes_over() } else { story };
        let stored = story.machine.snapshot();
        let next = Session::resume(provider(), &stored, durable(), None, seed(), story.now).unwrap();
        let mut next = Script::new(next);
        next.now = story.now;
        let next = next.starts().saves().sleeps().sends(STATUS).gets(200, TIMED_OUT);
        next.needs(NeedKind::Takeover, Because::Rival);
    }
}

trait Grant {
    fn grant(&mut self) -> Answered;
}

impl Grant for Story {
    fn grant(&mut self) -> Answered {
        self.machine.handle_input(self.now, NeedId::UNASKED, Input::TakeOver, sansession::By::Person)
    }
}
