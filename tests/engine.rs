//! The rules of the engine, one by one, on the smallest provider.

mod support;

use std::time::Duration;

use sansession::{
    Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, NeedKind, Options, Output, Phase, Relogin,
    RequestId, Response, ResumeError, Session, Snapshot, Source, Timestamp, WaitingOn,
    machine::{FailureKind, NeedReason, Rejection},
};
use support::*;

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const SECOND: Duration = Duration::from_secs(1);

fn options(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    set(&mut options);
    options
}

mod opening {
    use super::*;

    #[test]
    fn a_login_leaves_only_with_its_answer() {
        let mut script = session().needs(NeedKind::Credentials, NeedReason::Opening).is(Phase::LoggingIn);
        assert!(matches!(script.poll(), Output::Wait { until: Timestamp::NEVER, .. }));
        script.answers(credentials()).sends("POST /session");
    }

    #[test]
    fn a_boxed_machine_is_the_machine() {
        let boxed: Box<dyn Machine> = Box::new(active().machine);
        assert_eq!(boxed.limit_group(), active().machine.limit_group());
        Script::new(boxed).checks().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
    }

    #[test]
    fn nothing_happens_before_the_start() {
        let mut script = Script::new(Session::new(cbrain(), Options::default(), seed()));
        assert!(matches!(script.poll(), Output::Wait { until: Timestamp::NEVER, on: WaitingOn::Start }));
    }

    #[test]
    fn a_request_that_did_not_leave_is_sent_again_with_the_same_answer() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .is_refused_connection()
            .sleeps()
            .sends("POST /session")
            .gets(200, &info(TOKEN))
            .is(Phase::Active);
    }

    #[test]
    fn a_login_of_unknown_fate_is_never_repeated_by_itself() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .times_out()
            .needs(NeedKind::Credentials, NeedReason::Lost)
            .tells("may-live-on")
            .passes(24 * HOUR)
            .needs(NeedKind::Credentials, NeedReason::Lost);
    }

    #[test]
    fn an_answer_that_nobody_looked_at_stays_in_hand() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .gets(503, r#"{"message":null}"#)
            .sleeps()
            .sends("POST /session");
    }

    #[test]
    fn an_answer_that_may_have_been_judged_is_asked_for_again() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .gets_as(502, &[("content-type", "text/html")], "<html>")
            .needs(NeedKind::Credentials, NeedReason::Lost);
    }

    #[test]
    fn a_refused_answer_is_not_given_again_by_a_program() {
        session()
            .by(Source::Store)
            .answers(credentials())
            .sends("POST /session")
            .gets(401, "")
            .needs(NeedKind::Credentials, NeedReason::Refused)
            .is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended))
            .by(Source::Person)
            .answers(credentials())
            .sleeps()
            .sends("POST /session");
    }

    #[test]
    fn giving_up_after_a_refusal_is_a_denial() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .gets(401, "")
            .answers(Input::GiveUp)
            .closes("denied.credentials");
        session().answers(Input::GiveUp).closes("denied.unanswered");
    }

    #[test]
    fn an_answer_of_another_kind_leaves_the_question_open() {
        session()
            .is_answered(Input::Pin("1234".into()), InputHandled::Rejected(Rejection::WrongKind))
            .needs(NeedKind::Credentials, NeedReason::Opening);
    }

    #[test]
    fn an_answer_to_another_question_is_stale() {
        let mut script = session();
        let need = script.need();
        let mut script = script.answers(credentials()).sends("POST /session").gets(401, "");
        assert_eq!(
            script.machine.handle_input(script.now, need.id, credentials(), Source::Person),
            InputHandled::Stale
        );
        assert_eq!(
            script.machine.handle_input(script.now, NeedId::UNSOLICITED, credentials(), Source::Person),
            InputHandled::Stale
        );
    }

    #[test]
    fn answers_that_get_lost_again_and_again_end_an_opening() {
        let mut script = session();
        for _ in 0..7 {
            script = script.answers(credentials()).sends_next().0.times_out();
        }
        script.answers(credentials()).sends_next().0.times_out().closes("retries-exhausted");
    }

    #[test]
    fn giving_up_after_an_answer_got_lost_is_no_denial() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .times_out()
            .answers(Input::GiveUp)
            .closes("retries-exhausted");
    }

    #[test]
    fn a_check_brings_the_next_attempt_forward() {
        let adopted = Session::adopt(cbrain(), TOKEN.into(), Options::default(), seed()).unwrap();
        let mut script = Script::new(adopted).starts();
        for _ in 0..5 {
            script = script.sends("GET /session").is_refused_connection().sleeps();
        }
        script = script.sends("GET /session").is_refused_connection();
        let Output::Wait { until, .. } = script.poll() else { panic!() };
        assert!(until > script.now + 10 * SECOND, "{}", script.transcript);
        script.checks().sends("GET /session").is_refused_connection().checks().waits(10 * SECOND);
    }

    #[test]
    fn an_answer_is_read_up_to_the_largest_size() {
        let body = info(TOKEN);
        let sized = |max_body| session_with(options(|o| o.max_body = max_body)).answers(credentials());
        sized(body.len()).sends("POST /session").gets(200, &body).is(Phase::Active);
        sized(body.len() - 1).sends("POST /session").gets(200, &body).closes("protocol");
    }

    #[test]
    fn an_answer_that_the_server_quotes_is_not_shown() {
        let quoting = |status, headers: &[(&str, &str)], body: &str| {
            let script = session().answers(credentials()).sends("POST /session").gets_as(status, headers, body);
            let code = if status == 400 { "denied.rejected" } else { "protocol" };
            let script = script.closes(code);
            assert!(!script.transcript.contains("horse"), "{}", script.transcript);
            script.transcript
        };
        let denied = quoting(400, &[("content-type", "application/json")], r#"{"error":"no correct horse"}"#);
        assert!(denied.contains("no …"), "{denied}");
        let puzzled = quoting(200, &[("content-type", "text/correct horse")], "");
        assert!(puzzled.contains("text/…"), "{puzzled}");
    }

    #[test]
    fn an_opening_gives_up_in_the_end() {
        let mut script = session().answers(credentials());
        for _ in 0..7 {
            script = script.sends("POST /session").is_refused_connection().sleeps();
        }
        script.sends("POST /session").is_refused_connection().closes("retries-exhausted");
    }

    #[test]
    fn patience_ends_an_opening_sooner() {
        session_with(options(|o| o.patience = Some(Duration::from_secs(5))))
            .passes(HOUR)
            .answers(credentials())
            .sends("POST /session")
            .passes(Duration::from_secs(4))
            .gets(503, "")
            .passes(Duration::from_secs(2))
            .closes("retries-exhausted");
    }

    #[test]
    fn what_is_not_the_providers_answer_ends_an_opening_and_says_what_was_found() {
        let mut script = session().answers(credentials()).sends("POST /session").gets_as(
            200,
            &[("content-type", "text/html")],
            "<!DOCTYPE html><p>secret</p>",
        );
        let Output::Closed(reason) = ({
            let output = script.poll();
            if matches!(output, Output::Cancel(_)) { script.poll() } else { output }
        }) else {
            panic!("not closed")
        };
        insta::assert_snapshot!(reason.to_string(), @"not the provider's answer: login: a login answers with JSON, user_id and cbrain_api_token (status 200, text/html, 28 bytes)");
        script.tells("may-live-on").closes("protocol");
    }
}

mod life {
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
        script =
            script.tells("suspect").sends("GET /session").gets(200, &info(TOKEN)).tells("recovered").is(Phase::Active);
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
}

mod time {
    use super::*;

    #[test]
    fn a_clock_set_back_moves_relative_deadlines_with_it() {
        active().at(START - 6 * HOUR).waits(12 * HOUR);
    }

    #[test]
    fn a_clock_set_back_moves_the_distance_of_checks_with_it() {
        let checked = active().passes(12 * HOUR).sends("GET /session").gets(200, &info(TOKEN)).checks();
        let checked = checked.sends("GET /session").gets(200, &info(TOKEN)).at(START - 6 * HOUR);
        checked.checks().waits(10 * SECOND);
    }

    #[test]
    fn a_clock_set_back_moves_an_attempt_with_it() {
        let script = active().passes(12 * HOUR).sends("GET /session").times_out().is(Phase::Active);
        let wait = script.machine.deadline().since(script.now);
        let back = script.now - 6 * HOUR;
        script.at(back).waits(wait);
    }

    #[test]
    fn what_is_to_be_told_is_due_at_once() {
        let script = session().answers(credentials()).sends("POST /session").gets(200, &info(TOKEN));
        assert_eq!(script.machine.deadline(), script.now);
        assert_eq!(script.is(Phase::Active).machine.deadline(), START + 12 * HOUR);
    }

    #[test]
    fn a_clock_a_little_back_stands_still() {
        active().at(START - 4 * SECOND).waits(12 * HOUR + 4 * SECOND);
    }

    #[test]
    fn a_jump_forward_is_one_late_poll() {
        active().passes(300 * HOUR).sends("GET /session").gets(200, &info(TOKEN)).waits(12 * HOUR);
    }

    #[test]
    fn the_end_of_time_is_survived() {
        let mut script = active().at(Timestamp::NEVER);
        assert!(matches!(script.poll(), Output::Send(_)));
        script
            .at(Timestamp::from_millis(0))
            .sleeps()
            .cancels()
            .sleeps()
            .sends("GET /session")
            .gets(200, &info(TOKEN))
            .waits(12 * HOUR);
    }
}

mod ending {
    use super::*;

    #[test]
    fn a_logout_is_confirmed_by_the_server() {
        active().logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
        active().logs_out().sends("DELETE /session").gets(401, "").closes("logged-out");
    }

    #[test]
    fn a_logout_is_repeated_while_the_portal_is_locked() {
        active()
            .logs_out()
            .sends("DELETE /session")
            .gets(503, r#"{"message":"back at noon"}"#)
            .sleeps()
            .sends("DELETE /session")
            .gets(200, "")
            .closes("logged-out");
    }

    #[test]
    fn a_logout_that_is_not_confirmed_in_time_is_told() {
        let mut script = active().logs_out();
        loop {
            match script.poll() {
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    let _ = script.machine.handle_failure(script.now, id, Failure::maybe_sent(FailureKind::Connect));
                }
                Output::Wait { until, .. } => script.now = until,
                Output::Closed(reason) => {
                    assert_eq!(reason.code(), "logged-out.unconfirmed");
                    break;
                }
                _ => {}
            }
        }
        assert!(script.now <= START + Duration::from_secs(30));
        script.tells("may-live-on");
    }

    #[test]
    fn a_redirect_is_never_a_logout() {
        active()
            .logs_out()
            .sends("DELETE /session")
            .gets(302, "")
            .sleeps()
            .sends("DELETE /session")
            .gets_as(200, &[("content-type", "text/html")], "")
            .sleeps()
            .sends("DELETE /session")
            .gets(200, "")
            .closes("logged-out");
    }

    #[test]
    fn a_logout_waits_for_a_login_under_way() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .logs_out()
            .gets(200, &info(TOKEN))
            .sends("DELETE /session")
            .gets(200, "")
            .closes("logged-out");
        session().answers(credentials()).sends("POST /session").logs_out().gets(401, "").closes("logged-out");
        session().answers(credentials()).sends("POST /session").logs_out().gets(503, "").closes("logged-out");
        session()
            .answers(credentials())
            .sends("POST /session")
            .logs_out()
            .times_out()
            .tells("may-live-on")
            .closes("logged-out.unconfirmed");
        session()
            .answers(credentials())
            .sends("POST /session")
            .logs_out()
            .forgets()
            .sleeps()
            .cancels()
            .tells("may-live-on")
            .closes("logged-out.unconfirmed");
    }

    #[test]
    fn a_logout_does_not_wait_for_a_keepalive() {
        active().sleeps().sends("GET /session").logs_out().cancels().sends("DELETE /session");
    }

    #[test]
    fn a_login_that_may_have_been_judged_may_live_on_after_a_logout() {
        session()
            .answers(credentials())
            .sends("POST /session")
            .logs_out()
            .gets(502, "")
            .tells("may-live-on")
            .closes("logged-out.unconfirmed");
    }

    #[test]
    fn a_logout_that_has_begun_is_not_begun_again() {
        active().logs_out().sends("DELETE /session").logs_out().gets(200, "").closes("logged-out");
    }

    #[test]
    fn a_logout_waits_for_the_end_of_a_short_hold() {
        let held = |seconds: &str| {
            active().checks().sends("GET /session").gets_as(503, &[("retry-after", seconds)], "").logs_out()
        };
        held("20").waits(20 * SECOND).sleeps().sends("DELETE /session").gets(200, "").closes("logged-out");
        held("30").waits(30 * SECOND);
        held("31").closes("logged-out.unconfirmed");
    }

    #[test]
    fn a_logout_without_a_session_sends_nothing() {
        session().logs_out().closes("logged-out");
        Script::new(Session::new(cbrain(), Options::default(), seed())).logs_out().closes("logged-out");
    }

    #[test]
    fn a_logout_in_a_long_hold_sends_nothing() {
        active()
            .checks()
            .sends("GET /session")
            .gets_as(503, &[("retry-after", "600")], "")
            .logs_out()
            .tells("may-live-on")
            .closes("logged-out.unconfirmed");
    }

    #[test]
    fn closed_stays_closed() {
        let script = active().logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
        script.starts().checks().logs_out().passes(100 * HOUR).closes("logged-out");
    }
}

mod snapshots {
    use super::*;

    fn resume(
        script: &Script<Session<sansession::providers::cbrain::Cbrain>>,
    ) -> Script<Session<sansession::providers::cbrain::Cbrain>> {
        let text = script.machine.snapshot();
        let machine = Session::resume(cbrain(), &text, Options::default(), None, [9; 32], script.now).unwrap();
        Script::new(machine).at(script.now)
    }

    #[test]
    fn an_active_session_goes_on_without_a_login() {
        let mut script = resume(&active().passes(HOUR));
        assert!(script.machine.live().is_some_and(|live| live.token.expose() == TOKEN));
        script = script.waits(11 * HOUR).sleeps().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
        script.logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    }

    #[test]
    fn a_need_keeps_its_id() {
        let mut before = session();
        let need = before.need();
        let mut after = resume(&before);
        assert_eq!(after.need(), need);
    }

    #[test]
    fn what_was_in_flight_is_of_unknown_fate() {
        resume(&session().answers(credentials()).sends("POST /session"))
            .needs(NeedKind::Credentials, NeedReason::Lost)
            .tells("may-live-on");
        resume(&active().sleeps().sends("GET /session")).sleeps().sends("GET /session");
        resume(&active().logs_out().sends("DELETE /session")).sleeps().sends("DELETE /session");
    }

    #[test]
    fn patience_begins_anew_where_nobody_tried_meanwhile() {
        let patient = || options(|options| options.open_patience = Some(60 * SECOND));
        let suspect = active_with(patient()).checks().sends("GET /session").times_out().tells("suspect");
        let text = suspect.machine.snapshot();
        let later = START + 24 * HOUR;
        let machine = Session::resume(cbrain(), &text, patient(), None, [9; 32], later).unwrap();
        Script::new(machine).at(later).sends("GET /session").gets(200, &info(TOKEN)).tells("recovered");
        let ending = active().logs_out().sends("DELETE /session").passes(24 * HOUR);
        resume(&ending).sleeps().sends("DELETE /session").gets(200, "").closes("logged-out");
    }

    #[test]
    fn refusals_are_counted_across_restarts() {
        resume(&session().answers(credentials()).sends("POST /session").gets(401, "").is(Phase::LoggingIn))
            .by(Source::Store)
            .is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended));
    }

    #[test]
    fn closed_stays_closed_over_a_resume() {
        resume(&active().sleeps().sends("GET /session").gets(401, "").closes("expired")).closes("expired");
    }

    #[test]
    fn a_snapshot_never_holds_a_password() {
        let script = session().answers(credentials()).sends("POST /session");
        assert!(!script.machine.snapshot().expose_secrets().contains("horse"));
    }

    #[test]
    fn ids_differ_even_if_one_snapshot_is_resumed_twice() {
        let text = active().machine.snapshot();
        let mut ids = Vec::new();
        for seed in [[1; 32], [2; 32]] {
            let machine = Session::resume(cbrain(), &text, Options::default(), None, seed, START).unwrap();
            let mut script = Script::new(machine).checks();
            let Output::Send(outgoing) = script.poll() else { panic!() };
            ids.push(outgoing.id());
        }
        assert_ne!(ids[0], ids[1]);
    }

    #[test]
    fn what_a_damaged_text_says_of_the_pace_delays_nothing_for_long() {
        let text = active().machine.snapshot();
        let flow = format!(r#""flow":{}"#, (START + Duration::from_secs(2)).as_millis());
        let damaged = text.expose_secrets().replacen(&flow, r#""flow":17900000010000002000"#, 1);
        assert_ne!(damaged, text.expose_secrets());
        let text = Snapshot::from_text(damaged);
        let machine = Session::resume(cbrain(), &text, Options::default(), None, [1; 32], START).unwrap();
        assert_eq!(machine.deadline(), active().machine.deadline());
    }

    #[test]
    fn each_refusal_has_its_own_error() {
        let text = active().machine.snapshot();
        let text = text.expose_secrets();
        let resume = |text: &str, options, fence| {
            Session::resume(cbrain(), &Snapshot::from_text(text), options, fence, [1; 32], START).map(|_| ())
        };
        assert_eq!(resume(text, Options::default(), Some(2)), Ok(()));
        assert_eq!(resume(text, Options::default(), Some(1)), Err(ResumeError::OlderFence { found: 1, given: 1 }));
        assert_eq!(resume(&text[..text.len() / 2], Options::default(), None), Err(ResumeError::Damaged));
        assert_eq!(resume("", Options::default(), None), Err(ResumeError::Damaged));
        // What was written before the first release.
        let early = r#"{"format":1,"provider":"cbrain","server":"http://localhost:3000","session":{"phase":"Idle"}}"#;
        assert_eq!(resume(early, Options::default(), None), Err(ResumeError::Damaged));
        // An open session is in no phase that belongs to an end.
        let ending = text.replacen(r#""phase":"active""#, r#""phase":"logging-out""#, 1);
        assert_ne!(ending, text);
        assert_eq!(resume(&ending, Options::default(), None), Err(ResumeError::Damaged));
        assert_eq!(
            resume(&text.replace("\"format\":1", "\"format\":2"), Options::default(), None),
            Err(ResumeError::NewerFormat { found: 2, known: 1 })
        );
        assert_eq!(
            resume(&text.replace("\"cbrain\"", "\"kotak\""), Options::default(), None),
            Err(ResumeError::WrongProvider { found: "kotak".into() })
        );
        assert_eq!(
            resume(&text.replace("localhost:3000", "localhost:3001"), Options::default(), None),
            Err(ResumeError::WrongServer { found: "http://localhost:3001".into() })
        );
        assert_eq!(resume(text, options(|o| o.egress = Some("vpn".into())), None), Err(ResumeError::WrongEgress));
    }

    #[test]
    fn a_fence_ends_somewhere() {
        let text = active().machine.snapshot().expose_secrets().to_owned();
        let last = Snapshot::from_text(text.replace(r#""epoch":1"#, &format!(r#""epoch":{}"#, u64::MAX)));
        let resumed = Session::resume(cbrain(), &last, Options::default(), None, [1; 32], START).map(|_| ());
        assert_eq!(resumed, Err(ResumeError::OlderFence { found: u64::MAX, given: u64::MAX }));
    }

    #[test]
    fn a_snapshot_says_only_what_is_not_so_at_first() {
        let text = active().machine.snapshot().expose_secrets().to_owned();
        assert!(!text.contains("null") && !text.contains("false") && !text.contains("refused"), "{text}");
    }

    #[test]
    fn what_may_have_spent_an_answer_is_saved_and_a_lost_keepalive_is_not() {
        let durable = || session_with(options(|o| o.durable = true)).answers(credentials()).saves();
        let lost = durable().sends("POST /session").times_out().saves();
        lost.needs(NeedKind::Credentials, NeedReason::Lost);
        let unsent = durable().sends("POST /session").is_refused_connection();
        unsent.sleeps();
        let active = durable().sends("POST /session").gets(200, &info(TOKEN)).saves().is(Phase::Active);
        active.sleeps().sends("GET /session").times_out().sleeps().sends("GET /session");
    }

    #[test]
    fn what_must_not_be_repeated_is_saved_first() {
        let script = session_with(options(|o| o.durable = true)).answers(credentials()).saves();
        // A crash after the save and before the send: nobody knows, so it is not sent again.
        resume(&script).needs(NeedKind::Credentials, NeedReason::Lost);
        let script = script.sends("POST /session").gets(200, &info(TOKEN)).saves().is(Phase::Active);
        // A keepalive alone asks for no save.
        script
            .sleeps()
            .sends("GET /session")
            .gets(200, &info(TOKEN))
            .waits(12 * HOUR)
            .logs_out()
            .sends("DELETE /session")
            .gets(200, "")
            .saves()
            .closes("logged-out");
    }
}

mod penalties {
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
}

mod calls {
    use super::*;
    use sansession::AuthorizeError;

    fn call(uri: &str) -> http::Request<&'static [u8]> {
        http::Request::builder().uri(uri).header("authorization", "Bearer old").body(&b""[..]).unwrap()
    }

    #[test]
    fn a_call_is_resolved_and_authorized() {
        let mut script = active();
        let (request, _) = script.machine.authorize_request(script.now, call("/groups?page=2")).unwrap();
        assert_eq!(request.uri(), "http://localhost:3000/groups?page=2");
        assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
        assert!(!format!("{request:?}").contains(TOKEN));
    }

    #[test]
    fn tokens_do_not_go_to_another_host() {
        let mut script = active();
        for uri in [
            "http://evil.example.org/groups",
            "https://localhost:3000/",
            "http://localhost:3001/",
            "http://x@localhost:3000/",
            "evil.example.org:443",
        ] {
            let error = script.machine.authorize_request(script.now, call(uri)).unwrap_err();
            assert_eq!(error, AuthorizeError::Misuse(Misuse::ForeignHost), "{uri}");
        }
    }

    #[test]
    fn without_a_session_there_is_nothing_to_authorize_with() {
        let mut script = session().is(Phase::LoggingIn);
        assert!(matches!(
            script.machine.authorize_request(script.now, call("/groups")),
            Err(AuthorizeError::NotReady { phase: Phase::LoggingIn, .. })
        ));
    }

    #[test]
    fn a_call_that_is_told_to_wait_makes_all_calls_wait() {
        let mut script = active();
        let (_, ticket) = script.machine.authorize_request(script.now, call("/groups")).unwrap();
        let refused = http::Response::builder().status(429).header("retry-after", "60").body("").unwrap();
        assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Used);
        let until = script.now + MINUTE;
        assert_eq!(
            script.machine.authorize_request(until - Duration::from_millis(1), call("/groups")).unwrap_err(),
            AuthorizeError::NotReady { phase: Phase::Active, tier: None, until: Some(until) }
        );
        assert!(script.machine.authorize_request(until, call("/groups")).is_ok());
        // The same box again is no news, and a longer one is.
        let (_, ticket) = script.machine.authorize_request(until, call("/groups")).unwrap();
        let mut boxes = |seconds: &str| {
            let refused = http::Response::builder().status(429).header("retry-after", seconds).body("").unwrap();
            script.now = until;
            assert!(matches!(script.poll(), Output::Wait { .. }));
            script.told.clear();
            let _ = script.machine.observe(until, &ticket, Response::from(&refused));
            assert!(matches!(script.poll(), Output::Wait { .. }));
            script.told.iter().filter(|event| event.code() == "penalty").count()
        };
        assert_eq!([boxes("60"), boxes("60"), boxes("30"), boxes("600")], [1, 0, 0, 1]);
        let refused = script.machine.authorize_request(until + 599 * SECOND, call("/groups")).unwrap_err();
        assert!(matches!(refused, AuthorizeError::NotReady { until: Some(end), .. } if end == until + 600 * SECOND));
    }

    #[test]
    fn a_refused_call_leads_to_a_look_and_never_to_a_guess() {
        let mut script = active();
        let (_, ticket) = script.machine.authorize_request(script.now, call("/groups")).unwrap();
        let refused = http::Response::builder().status(401).body("").unwrap();
        assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Used);
        script = script.sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
        // News about the tokens of an earlier login is stale.
        let mut script = script.passes(HOUR).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
        assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&refused)), Handled::Stale);
    }
}
