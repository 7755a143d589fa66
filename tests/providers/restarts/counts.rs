//! What is counted, kept and set back, one rule at a time.

use std::time::Duration;

use sansession::providers::cbrain::Cbrain;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    BaseUrl, Credentials, Input, InputHandled, Machine, NeedKind, Options, Phase, ResumeError, Session, Snapshot,
    Source,
    machine::{Ends, NeedReason, Rejection, Totp},
};

use crate::support::*;

const SECOND: Duration = Duration::from_secs(1);

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

/// The session that follows a session, whatever has become of that one.
fn next<P: sansession::Provider + Send>(provider: P, before: &Script<Session<P>>) -> Script<Session<P>> {
    let mut session = Session::new(provider, durable(), [9; 32]);
    session.remember(&before.machine.snapshot()).unwrap();
    let mut script = Script::new(session).at(before.now + SECOND).by(Source::Store).starts();
    script.auto_save = true;
    script
}

fn sent() -> Script<Session<Cbrain>> {
    session().by(Source::Store).answers(credentials()).sends("POST /session")
}

#[test]
fn a_lost_answer_is_a_possible_refusal() {
    let mut script = sent().times_out();
    let need = script.need();
    assert_eq!((need.because, need.refused, need.lost), (NeedReason::Lost, 0, 1));
    script
        .is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused))
        .answers(Input::GiveUp)
        .closes("retries-exhausted");
}

#[test]
fn refused_is_said_only_where_something_was_refused() {
    let words = Rejection::MaybeRefused.to_string();
    assert!(!words.contains("refused an earlier"), "{words}");
    let reason = |script: Script<Session<Cbrain>>| {
        let snapshot = script.answers(Input::GiveUp).machine.snapshot();
        snapshot.closed().unwrap().to_string()
    };
    let lost = reason(sent().times_out());
    assert!(lost.contains("may have been refused"), "{lost}");
    assert_eq!(reason(sent().gets_as(401, JSON, "")), "the server refused the credentials");
}

#[test]
fn a_closed_snapshot_keeps_what_it_has_cost() {
    let lost = sent().times_out().answers(Input::GiveUp).closes("retries-exhausted");
    let text = lost.machine.snapshot();
    assert!(text.expose_secrets().contains(r#""lost":1"#), "{}", text.expose_secrets());
    let mut after = next(cbrain(), &lost);
    let need = after.need();
    assert_eq!((need.because, need.refused, need.lost), (NeedReason::Opening, 0, 1));
    let after = after.is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused));
    let refused = sent().gets_as(401, JSON, "").answers(Input::GiveUp).closes("denied.credentials");
    let again = next(cbrain(), &refused).is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended));
    assert_eq!(again.answers(Input::GiveUp).closes("denied.credentials").machine.phase(), Phase::Closed);
    // A person may try, and what the server accepts is forgotten.
    let opened = after.by(Source::Person).answers(credentials()).sends("POST /session").gets(200, &info(TOKEN));
    let opened = opened.is(Phase::Active).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    next(cbrain(), &opened).answers(credentials()).sends("POST /session");
}

#[test]
fn an_answer_that_cannot_be_read_may_have_been_a_refusal() {
    for unread in [
        sent().gets_as(200, &[("content-type", "text/html")], "<html>"),
        sent().gets_as(302, &[], ""),
        sent().gets_as(418, JSON, "{}"),
        sent().gets(200, &" ".repeat(2 << 20)),
    ] {
        let closed = unread.closes("protocol");
        next(cbrain(), &closed).is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused));
    }
    // A server that says why it lets nobody in has refused nothing.
    let rejected = sent().gets_as(400, JSON, r#"{"status":400,"error":"Bad Request"}"#).closes("denied.rejected");
    next(cbrain(), &rejected).answers(credentials()).sends("POST /session");
    // A server that does not even look at it has refused nothing.
    let unread = sent().gets_as(503, JSON, r#"{"message":null}"#);
    next(cbrain(), &unread).answers(credentials()).sends("POST /session");
}

#[test]
fn a_refusal_that_comes_while_the_session_is_being_ended_is_counted() {
    let told = sent().logs_out().gets_as(401, JSON, "").tells("refused").closes("logged-out");
    let mut after = next(cbrain(), &told);
    assert_eq!(after.need().refused, 1);
    after
        .is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended))
        .answers(Input::GiveUp)
        .closes("denied.credentials");
    for lost in [
        sent().logs_out().times_out(),
        sent().logs_out().gets_as(502, &[], ""),
        sent().logs_out().gets_as(200, &[], "<html>"),
        // The driver says nothing at all.
        sent().logs_out().passes(60 * SECOND).forgets(),
    ] {
        let lost = lost.closes("logged-out.unconfirmed");
        next(cbrain(), &lost).is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused));
    }
    let unsent = sent().logs_out().is_refused_connection().closes("logged-out");
    next(cbrain(), &unsent).answers(credentials()).sends("POST /session");
}

/// The process was killed between the save and the answer, and its file is not resumed.
#[test]
fn a_request_in_flight_counts_as_lost() {
    let flying = sent();
    next(cbrain(), &flying)
        .tells("may-live-on")
        .is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused));
    let saved = Script::new(Session::new(cbrain(), durable(), seed())).starts().by(Source::Store);
    let saved = saved.answers(credentials()).saves();
    next(cbrain(), &saved).is_answered(credentials(), InputHandled::Rejected(Rejection::MaybeRefused));
}

#[test]
fn another_login_name_is_not_counted_against() {
    let other = || Input::Credentials(Credentials::new("alice", "wonderland").unwrap());
    let refused = sent().gets_as(401, JSON, "").answers(Input::GiveUp).closes("denied.credentials");
    let second = next(cbrain(), &refused).answers(other()).sends("POST /session").gets(200, &info(TOKEN));
    let second = second.is(Phase::Active).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    // Her success proves nothing of his password.
    next(cbrain(), &second)
        .is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended))
        .answers(other())
        .sends("POST /session");
    let text = second.machine.snapshot();
    assert!(!text.expose_secrets().contains("norm") && !text.expose_secrets().contains("alice"));
}

#[test]
fn a_token_of_somebodys_says_nothing_of_a_password() {
    let refused = sent().gets_as(401, JSON, "").answers(Input::GiveUp).closes("denied.credentials");
    let mut options = Options::default();
    options.ends = Ends::Always;
    let mut adopted = Session::adopt(cbrain(), TOKEN.into(), options, seed()).unwrap();
    adopted.remember(&refused.machine.snapshot()).unwrap();
    let adopted = Script::new(adopted).at(refused.now).starts().sends("GET /session").gets(200, &info(TOKEN));
    let ended = adopted.is(Phase::Active).logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    next(cbrain(), &ended).is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended));
}

#[test]
fn what_is_of_another_login_is_not_taken_over() {
    let refused = sent().gets_as(401, JSON, "").answers(Input::GiveUp).closes("denied.credentials");
    let text = refused.machine.snapshot();
    let elsewhere = Cbrain::new(url("https://portal.example.org")).unwrap();
    let mut session = Session::new(elsewhere, durable(), seed());
    let wrong_server = ResumeError::WrongServer { found: "http://localhost:3000".into() };
    assert_eq!(session.remember(&text), Err(wrong_server));
    Script::new(session).starts().by(Source::Store).answers(credentials());
    let neo = |ucc: &str| {
        Session::new(Neo::new(url("https://mis.kotaksecurities.com"), ucc, "0000000000").unwrap(), durable(), seed())
    };
    let wrong_provider = ResumeError::WrongProvider { found: "cbrain".into() };
    assert_eq!(neo("ABC12").remember(&text), Err(wrong_provider));
    assert_eq!(neo("ABC12").remember(&neo("ABC13").snapshot()), Err(ResumeError::WrongAccount));
    for damaged in ["", "{}", "an old file", r#"{"format":1,"provider":"cbrain","server":"http://localhost:3000"}"#] {
        let mut session = Session::new(cbrain(), durable(), seed());
        assert!(session.remember(&Snapshot::from_text(damaged)).is_err(), "{damaged}");
    }
    let newer = text.expose_secrets().replace(r#""format":1"#, r#""format":9"#);
    let newer = Session::new(cbrain(), durable(), seed()).remember(&Snapshot::from_text(newer));
    assert_eq!(newer, Err(ResumeError::NewerFormat { found: 9, known: 1 }));
}

/// Accounts lock for a wrong password whatever key an application has, and wherever it runs.
#[test]
fn another_key_is_no_other_login() {
    let trade = |key: &str| TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", key).unwrap();
    let refused = Session::new(trade("old"), durable(), seed()).snapshot();
    assert_eq!(Session::new(trade("new"), durable(), seed()).remember(&refused), Ok(()));
    let mut options = durable();
    options.egress_label = Some("home".into());
    let refused = Session::new(cbrain(), durable(), seed()).snapshot();
    assert_eq!(Session::new(cbrain(), options, seed()).remember(&refused), Ok(()));
}

/// What stored files say counts, too.
#[test]
fn stored_files_count() {
    for (name, rejection) in [
        ("cbrain-closed-denied", Rejection::Unattended),
        ("cbrain-needs-after-refusal", Rejection::Unattended),
        ("cbrain-logging-in", Rejection::MaybeRefused),
    ] {
        let mut session = Session::new(cbrain(), durable(), seed());
        session.remember(&golden::load(name)).unwrap();
        Script::new(session).starts().by(Source::Store).is_answered(credentials(), InputHandled::Rejected(rejection));
    }
    let provider =
        Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap().dashboard_token("t").unwrap();
    let mut session = Session::new(provider, durable(), seed());
    session.remember(&golden::load("kotak-neo-closed-denied")).unwrap();
    let mut script = Script::new(session).starts().by(Source::Store);
    let need = script.need();
    assert_eq!((need.kind, need.refused, need.fresh_after), (NeedKind::Totp, 1, Some(START + 10 * SECOND)));
    let code = Input::Totp(Totp::new("123456", need.fresh_after.unwrap()).unwrap());
    script
        .passes(10 * SECOND)
        .is_answered(code, InputHandled::Rejected(Rejection::Unattended))
        .answers(Input::GiveUp)
        .closes("denied.pin");
}

/// A clock that is behind that of the last process must not hold a code or a box back for long.
#[test]
fn what_is_taken_over_moves_with_a_clock_that_was_set_back() {
    let provider = || {
        Neo::new(url("https://mis.kotaksecurities.com"), "ABC12", "0000000000").unwrap().dashboard_token("t").unwrap()
    };
    let before = Script::new(Session::new(provider(), durable(), seed())).starts();
    let code = |at| Input::Totp(Totp::new("123456", at).unwrap());
    let now = before.now;
    let before = before.answers(code(now)).saves().sends("POST /login/1.0/tradeApiLogin").times_out();
    let mut session = Session::new(provider(), durable(), seed());
    session.remember(&before.machine.snapshot()).unwrap();
    let yesterday = now - Duration::from_secs(86_400);
    let mut script = Script::new(session).at(yesterday).starts();
    let fresh = script.need().fresh_after.unwrap();
    assert!(fresh.since(yesterday) <= Totp::STEP, "{fresh:?}");
}

/// Where one file is resumed and another one written, both count.
#[test]
fn a_second_file_counts_as_well() {
    let refused = sent().gets_as(401, JSON, "").answers(Input::GiveUp).closes("denied.credentials");
    let open = active().machine.snapshot();
    let mut session = Session::resume(cbrain(), &open, durable(), None, [9; 32], START).unwrap();
    session.remember(&refused.machine.snapshot()).unwrap();
    let mut script = Script::new(session);
    script.auto_save = true;
    let ended = script.logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    next(cbrain(), &ended).is_answered(credentials(), InputHandled::Rejected(Rejection::Unattended));
}

/// The box of a 429 lasts whoever sends.
#[test]
fn a_penalty_box_outlasts_the_process() {
    let boxed = sent().gets_as(429, &[("retry-after", "600"), JSON[0]], "{}").logs_out().closes("logged-out");
    next(cbrain(), &boxed).answers(credentials()).waits(599 * SECOND).sleeps().sends("POST /session");
}
