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
    assert_eq!(resume(text, options(|o| o.egress_label = Some("vpn".into())), None), Err(ResumeError::WrongEgress));
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
