//! The engine's rules where plans cross: on the protocol of nothing but corners, as transcripts.

use std::time::Duration;

use crate::support::corners::Corners;
use crate::support::*;
use sansession::{
    Credentials, Input, InputHandled, Machine, NeedId, NeedKind, Options, Output, Phase, Session, Source, Timestamp,
    WaitingOn,
    machine::{NeedReason, Rejection, Totp},
};

type Story = Script<Session<Corners>>;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// The end of the one-time code that is shown at the start.
const CODE_ENDS: Timestamp = Timestamp::from_secs(1_790_000_010);

fn story_with(set: impl FnOnce(&mut Options)) -> Story {
    let mut options = Options::default();
    set(&mut options);
    Script::new(Session::new(crate::support::corners::corners(), options, seed())).starts()
}

fn code_at(at: Timestamp) -> Input {
    Input::Totp(Totp::new("123456", at).unwrap())
}

fn half() -> Story {
    half_with(|_| {})
}

fn half_with(set: impl FnOnce(&mut Options)) -> Story {
    let mut story = story_with(set);
    story.auto_save = true;
    story
        .answers(Input::Credentials(Credentials::new("norm", "correct horse").unwrap()))
        .sends("GET /Init")
        .gets(200, "n")
        .sends("GET /Login")
        .gets(200, "n")
        .needs(NeedKind::Totp, NeedReason::Opening)
}

fn open() -> Story {
    open_with(|_| {})
}

/// A session that is usable: it tickles after a minute and renews after ten.
fn open_with(set: impl FnOnce(&mut Options)) -> Story {
    let story = half_with(set);
    let now = story.now;
    let mut story = story.answers(code_at(now)).sends("GET /Code").gets(200, "n").waits(SECOND).sleeps();
    story = story.sends("GET /Open").gets(200, "n").is(Phase::Active).waits(MINUTE);
    story.told.clear();
    story
}

/// The server is not ready for its next step, which is tried again soon.
fn hesitates() -> Story {
    open().checks().sends("GET /Status").gets(200, "o").sends("GET /Open").gets(200, "r").is(Phase::Active)
}

/// A person gives a new token, and it is on its way.
fn renews() -> Story {
    renews_with(|_| {})
}

fn renews_with(set: impl FnOnce(&mut Options)) -> Story {
    let story = open_with(set).checks().sends("GET /Status").gets(200, "g");
    story.needs(NeedKind::GatewayToken, NeedReason::Expired).answers(Input::Token("abc".into())).sends("GET /Renew")
}

fn open_need(story: &Story) -> Option<NeedKind> {
    match story.machine.status().on {
        WaitingOn::Need(need) => Some(need.kind),
        _ => None,
    }
}

fn takes_over_unasked(story: &mut Story) -> InputHandled {
    story.machine.handle_input(story.now, NeedId::UNSOLICITED, Input::TakeOver, Source::Person)
}

mod plans {
    use super::*;

    #[test]
    fn a_renewal_that_failed_keeps_its_wait_while_the_session_proves_alive() {
        let story = renews().times_out().is(Phase::Active);
        let renewal = story.machine.deadline();
        assert!(renewal > story.now + SECOND, "{}", story.transcript);
        let story = story.checks().at(renewal - SECOND / 2);
        let (mut story, mut sent) = story.sends_next();
        if sent == "GET /Status" {
            (story, sent) = story.gets(200, "n").is(Phase::Active).sends_next();
        }
        assert_eq!((sent.as_str(), story.now >= renewal), ("GET /Renew", true), "{}", story.transcript);
        assert!(story.now < renewal + 5 * SECOND, "{}", story.transcript);
    }

    #[test]
    fn a_clock_set_back_moves_a_renewal_with_it() {
        let story = open().is(Phase::Active);
        let back = story.now - 3_600 * SECOND;
        let (mut story, mut sent) = story.at(back).sends_next();
        while sent != "GET /Renew" {
            (story, sent) = story.times_out().sends_next();
        }
        assert_eq!(story.now, back + 600 * SECOND);
    }

    #[test]
    fn a_proof_of_life_makes_another_step_that_failed_needless() {
        let story = open().passes(58 * SECOND).checks().sends("GET /Status").gets(200, "o");
        let (story, sent) = story.sends("GET /Open").gets(200, "r").sends_next();
        assert_eq!(sent, "GET /Tickle");
        story.gets(200, "n").is(Phase::Active).waits(MINUTE);
    }

    #[test]
    fn a_question_takes_the_place_of_the_next_step() {
        let story = open().passes(58 * SECOND).checks().sends("GET /Status").gets(200, "o");
        let (story, _) = story.sends("GET /Open").gets(200, "r").sends_next();
        let story = story.gets(200, "t").needs(NeedKind::Takeover, NeedReason::Rival);
        story.waits(3 * SECOND).sleeps().sends("GET /Look").gets(200, "t").waits(3 * SECOND);
    }

    #[test]
    fn a_question_that_lasts_leaves_the_next_step_its_place() {
        let story = open().passes(58 * SECOND).checks().sends("GET /Status").gets(200, "o");
        let (story, _) = story.sends("GET /Open").gets(200, "r").sends_next();
        let story = story.gets(200, "g").needs(NeedKind::GatewayToken, NeedReason::Expired);
        assert_eq!(story.sends_next().1, "GET /Open");
    }

    #[test]
    fn a_look_that_fails_does_not_take_the_place_of_the_next_step() {
        let story = hesitates().passes(2 * SECOND).checks();
        let (mut story, mut seen) = (story, Vec::new());
        for _ in 0..4 {
            let sent;
            (story, sent) = story.sends_next();
            story = if sent == "GET /Open" { story.gets(200, "r") } else { story.times_out() };
            seen.push(sent);
        }
        assert!(seen.iter().any(|sent| sent == "GET /Status"), "{}", story.transcript);
        let first = seen.iter().position(|sent| sent == "GET /Status").unwrap();
        assert!(seen.iter().skip(first).any(|sent| sent == "GET /Open"), "{}", story.transcript);
    }

    #[test]
    fn a_keepalive_that_fails_is_tried_again_itself_beside_the_next_step() {
        let story = open().passes(58 * SECOND).checks().sends("GET /Status").gets(200, "o");
        let (story, _) = story.sends("GET /Open").gets(200, "r").sends_next();
        let (story, one) = story.times_out().sends_next();
        let story = if one == "GET /Open" { story.gets(200, "r") } else { story.times_out() };
        let (_, other) = story.sends_next();
        let mut both = [one, other];
        both.sort();
        assert_eq!(both, ["GET /Open", "GET /Tickle"]);
    }

    #[test]
    fn a_keepalive_that_fails_is_tried_again_beside_a_question() {
        let story = open().sleeps().sends("GET /Tickle").gets(200, "g");
        let story = story.needs(NeedKind::GatewayToken, NeedReason::Expired).sleeps().sends("GET /Tickle");
        let failed = story.now;
        let (story, sent) = story.times_out().sends_next();
        assert_eq!(sent, "GET /Tickle");
        assert!(story.now < failed + 10 * SECOND, "{}", story.transcript);
    }

    #[test]
    fn a_look_at_an_open_question_that_fails_once_keeps_its_pace() {
        let story = open().sleeps().sends("GET /Tickle").gets(200, "t").needs(NeedKind::Takeover, NeedReason::Rival);
        story.sleeps().sends("GET /Look").is_refused_connection().waits(3 * SECOND);
    }

    #[test]
    fn a_step_whose_fate_is_unknown_is_looked_after_first() {
        let story = open().checks().sends("GET /Status").gets(200, "o").sends("GET /Open").times_out();
        assert_eq!(story.sends_next().1, "GET /Status");
    }

    #[test]
    fn a_wish_to_look_outlives_a_keepalive() {
        let story = open().passes(55 * SECOND).checks().sends("GET /Status").gets(200, "n");
        let story = story.passes(SECOND).checks().waits(4 * SECOND).sleeps().sends("GET /Tickle").gets(200, "n");
        story.waits(5 * SECOND).sleeps().sends("GET /Status").gets(200, "n").waits(55 * SECOND);
    }

    #[test]
    fn a_provider_that_gives_up_ends_an_opening_and_no_session() {
        half().answers(code_at(START)).sends("GET /Code").gets(200, "c").closes("retries-exhausted");
        let story = open().sleeps().sends("GET /Tickle").gets(200, "c").sends("GET /Status").gets(200, "n");
        story.is(Phase::Active).tells("recovered");
    }
}

mod answers {
    use super::*;

    #[test]
    fn an_answer_on_its_way_is_not_asked_for_again() {
        let story = open().passes(59 * SECOND).checks().sends("GET /Status").gets(200, "o").sends("GET /Open");
        let story = story.gets(200, "p").needs(NeedKind::Pin, NeedReason::Opening).is(Phase::Active);
        let story = story.answers(Input::Pin("1234".into())).sleeps().sends("GET /Tickle").gets(200, "n");
        story.sleeps().sends("GET /Pin").gets(200, "n").is(Phase::Active);
    }

    #[test]
    fn an_answer_ends_the_look_for_it() {
        let mut story =
            open().sleeps().sends("GET /Tickle").gets(200, "t").needs(NeedKind::Takeover, NeedReason::Rival);
        let need = story.need();
        let story = story.sleeps().sends("GET /Look");
        let mut story = story.forgets();
        let answered = story.machine.handle_input(story.now, need.id, Input::TakeOver, Source::Person);
        assert_eq!(answered, InputHandled::Used);
        story.cancels().sends("GET /Open").gets(200, "n").is(Phase::Active);
    }

    #[test]
    fn a_takeover_that_nobody_asked_for_waits_for_what_is_under_way() {
        let mut story = open().sleeps().sends("GET /Tickle");
        assert_eq!(takes_over_unasked(&mut story), InputHandled::Used);
        let story = story.times_out().is(Phase::Active);
        assert_eq!(story.sends_next().1, "GET /Tickle");
        let mut story = open();
        assert_eq!(takes_over_unasked(&mut story), InputHandled::Used);
        let mut story = story.sends("GET /Open").logs_out();
        assert_eq!(takes_over_unasked(&mut story), InputHandled::Stale);
    }

    #[test]
    fn a_takeover_that_nobody_asked_for_leaves_another_question_open() {
        let mut story =
            open().sleeps().sends("GET /Tickle").gets(200, "b").needs(NeedKind::Browser, NeedReason::Expired);
        assert_eq!(takes_over_unasked(&mut story), InputHandled::Used);
        assert_eq!(open_need(&story), Some(NeedKind::Browser));
        let mut story =
            open().sleeps().sends("GET /Tickle").gets(200, "t").needs(NeedKind::Takeover, NeedReason::Rival);
        assert_eq!(takes_over_unasked(&mut story), InputHandled::Used);
        assert_eq!(open_need(&story), None);
    }

    #[test]
    fn a_code_may_be_a_step_ahead_and_no_more() {
        let step = Totp::STEP;
        let late = step + Duration::from_millis(1);
        half().is_answered(code_at(START + late), InputHandled::Rejected(Rejection::NotFresh));
        half().answers(code_at(START + step)).sends("GET /Code");
        half().is_answered(code_at(START - 21 * SECOND), InputHandled::Rejected(Rejection::NotFresh));
    }

    #[test]
    fn a_code_that_nobody_looked_at_does_not_spoil_its_step() {
        let wait = CODE_ENDS.since(START).as_secs().to_string();
        let story = half().answers(code_at(START)).sends("GET /Code").gets_as(503, &[("retry-after", &wait)], "r");
        // At the end of its step it is no code any more.
        let mut story = story.waits(CODE_ENDS.since(START)).sleeps().needs(NeedKind::Totp, NeedReason::Stale);
        assert_eq!(story.need().fresh_after, None);
        let mut story =
            half().answers(code_at(START)).sends("GET /Code").times_out().needs(NeedKind::Totp, NeedReason::Lost);
        assert_eq!(story.need().fresh_after, Some(CODE_ENDS));
    }

    #[test]
    fn a_dead_token_is_saved_before_somebody_is_asked() {
        let mut story = open_with(|options| options.durable = true);
        story.auto_save = false;
        let story = story.sleeps().sends("GET /Tickle").gets(200, "b");
        story.saves().needs(NeedKind::Browser, NeedReason::Expired);
    }

    /// A store gives the same code for thirty seconds.
    #[test]
    fn a_code_that_an_earlier_process_may_have_sent_is_not_taken_again() {
        let mut story = half_with(|options| options.durable = true);
        story.auto_save = false;
        let now = story.now;
        let story = story.answers(code_at(now)).saves();
        let stored = story.machine.snapshot();
        let _ = story.sends("GET /Code");
        let next = Session::resume(crate::support::corners::corners(), &stored, durable(), None, seed(), now).unwrap();
        let mut next = Script::new(next);
        (next.now, next.auto_save) = (now, true);
        let mut next = next.starts().needs(NeedKind::Totp, NeedReason::Lost);
        let after = next.need().fresh_after;
        assert!(after.is_some_and(|after| after >= CODE_ENDS), "{after:?}");
    }

    /// Otherwise a process that dies would leave a session that the next one takes for not opened, and ends nothing.
    #[test]
    fn a_session_that_is_usable_again_is_saved() {
        let mut story = open_with(|options| options.durable = true);
        story.auto_save = false;
        let story = story.sleeps().sends("GET /Tickle").gets(200, "b").saves();
        let story = story.needs(NeedKind::Browser, NeedReason::Expired).sleeps().sends("GET /Look").gets(200, "n");
        story.saves().is(Phase::Active);
    }
}

mod endings {
    use super::*;

    #[test]
    fn a_logout_waits_for_a_step_that_must_not_be_repeated() {
        renews().logs_out().gets(200, "n").sends("GET /Logout").gets(200, "n").closes("logged-out");
        // A rotated token that never arrived leaves us with the one that is dead already.
        let story = renews().logs_out().times_out().sends("GET /Logout").gets(200, "n");
        story.closes("logged-out.unconfirmed");
    }

    #[test]
    fn a_logout_of_unknown_fate_that_must_not_be_repeated_is_not_confirmed() {
        open().logs_out().sends("GET /Logout").times_out().closes("logged-out.unconfirmed");
        // Nor is one that the server may have acted on, whatever it says of it.
        open().logs_out().sends("GET /Logout").gets(200, "j").closes("logged-out.unconfirmed");
        open().logs_out().sends("GET /Logout").gets(200, "?").closes("logged-out.unconfirmed");
        // What nobody checked is sent again.
        let story = open().logs_out().sends("GET /Logout").gets(503, "r").sleeps();
        story.sends("GET /Logout").gets(200, "n").closes("logged-out");
    }

    #[test]
    fn an_open_session_whose_provider_cannot_go_on_is_looked_at() {
        let session = Session::adopt(
            crate::support::corners::corners(),
            crate::support::corners::PUZZLES,
            Options::default(),
            seed(),
        )
        .unwrap();
        let story = Script::new(session).starts().sends("GET /Status").gets(200, "n").is(Phase::Active);
        let story = story
            .checks()
            .sleeps()
            .sends("GET /Status")
            .gets(200, "g")
            .needs(NeedKind::GatewayToken, NeedReason::Expired);
        let story = story.answers(Input::Token("abc".into())).sends("GET /Renew").times_out().sleeps();
        story.sends("GET /Status").gets(200, "n").is(Phase::Active);
    }

    #[test]
    fn a_check_does_not_hasten_a_logout() {
        let mut story = open().logs_out().sends("GET /Logout").is_refused_connection();
        let until = match story.poll() {
            Output::Wait { until, .. } => until,
            other => panic!("{other:?}"),
        };
        assert_eq!(story.checks().machine.deadline(), until);
    }
}
