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
    assert_eq!(script.machine.handle_input(script.now, need.id, credentials(), Source::Person), InputHandled::Stale);
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
    let quoted = quoting(200, &[("content-type", "text/correct horse")], "");
    assert!(quoted.contains("text/…"), "{quoted}");
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
