//! Snapshots that an earlier version wrote, one for each state: every later version resumes them.
//!
//! The files in `tests/golden/` are never rewritten once a version is published. A state that is new gets a file of its own:
//! `cargo test --test providers cbrain_golden -- --ignored` writes those that are missing.

use std::time::Duration;

use crate::support::golden::{load, write_missing};
use crate::support::*;
use sansession::providers::cbrain::Cbrain;
use sansession::{
    Input, InputHandled, Machine, NeedKind, Options, Output, Phase, Relogin, ResumeError, Seed, Session, Snapshot,
    Source, Timestamp, WaitingOn, machine::NeedReason,
};

const HOUR: Duration = Duration::from_secs(3_600);

/// Each file, the phase that it resumes in an hour later, and what comes first when time passes.
const FILES: [(&str, Phase, &str); 20] = [
    ("idle", Phase::Idle, "waits for the start"),
    ("needs", Phase::LoggingIn, "needs credentials: opening, refused 0"),
    ("needs-after-refusal", Phase::LoggingIn, "needs credentials: refused, refused 1"),
    ("needs-after-expiry", Phase::LoggingIn, "needs credentials: expired, refused 0"),
    ("logging-in", Phase::LoggingIn, "needs credentials: lost, refused 0"),
    ("logging-in-retry", Phase::LoggingIn, "needs credentials: stale, refused 0"),
    ("adopted", Phase::Opening, "GET /session"),
    ("active", Phase::Active, "GET /session"),
    ("active-checking", Phase::Active, "GET /session"),
    ("suspect", Phase::Active, "GET /session"),
    ("logging-out", Phase::LoggingOut, "DELETE /session"),
    ("logging-out-retry", Phase::LoggingOut, "DELETE /session"),
    ("closed-logged-out", Phase::Closed, "logged-out"),
    ("closed-unconfirmed", Phase::Closed, "logged-out.unconfirmed"),
    ("closed-denied", Phase::Closed, "denied.credentials"),
    ("closed-unanswered", Phase::Closed, "denied.unanswered"),
    ("closed-rejected", Phase::Closed, "denied.rejected"),
    ("closed-expired", Phase::Closed, "expired"),
    ("closed-retries-exhausted", Phase::Closed, "retries-exhausted"),
    ("closed-protocol", Phase::Closed, "protocol"),
];

/// What a provider with rivals writes, and what a later version may write.
const BY_HAND: [(&str, Phase, &str); 3] = [
    ("closed-rival", Phase::Closed, "rival"),
    ("active-with-unknown-fields", Phase::Active, "GET /session"),
    ("active-with-as-little-as-can-be", Phase::Active, "GET /session"),
];

fn golden(name: &str) -> Snapshot {
    load(&format!("cbrain-{name}"))
}

fn resume(snapshot: &Snapshot) -> Result<Session<Cbrain>, ResumeError> {
    let mut options = Options::default();
    options.patience = Some(Duration::from_secs(60));
    Session::resume(cbrain(), snapshot, options, None, Seed::new([9; 32]), START + HOUR)
}

/// What a resumed session does first, however long it takes.
fn first_deed(session: &mut Session<Cbrain>) -> String {
    let mut now = START + HOUR;
    for _ in 0..100 {
        match session.poll(now) {
            Output::Send(outgoing) => return format!("{} {}", outgoing.method(), outgoing.path()),
            Output::Closed(reason) => return reason.code().to_owned(),
            Output::Wait { on: WaitingOn::Start, .. } => return "waits for the start".into(),
            Output::Wait { on: WaitingOn::Need(need), until: Timestamp::NEVER } => {
                return format!("needs {}: {}, refused {}", need.kind.code(), need.because.code(), need.refused);
            }
            Output::Wait { until, .. } => now = until,
            Output::Event(_) | Output::Save | Output::Cancel(_) => {}
        }
    }
    panic!("nothing happens")
}

#[test]
fn every_state_is_resumed() {
    let mut found = String::new();
    for (name, phase, deed) in FILES.into_iter().chain(BY_HAND) {
        let snapshot = golden(name);
        let mut session = resume(&snapshot).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (is, does) = (session.phase(), first_deed(&mut session));
        if (is, does.as_str()) != (phase, deed) {
            found.push_str(&format!("{name}: {is}, {does}; expected {phase}, {deed}\n"));
        }
        let (summary, status) = (snapshot.summary().unwrap(), resume(&snapshot).unwrap().status());
        assert_eq!((summary.phase, summary.closed.clone()), (is, snapshot.closed()), "{name}");
        // Whoever resumes doubts what was under way, too.
        assert_eq!((summary.provider.as_str(), summary.suspect), ("cbrain", name == "suspect"), "{name}");
        assert_eq!((summary.since, summary.last_alive), (status.since, status.last_alive), "{name}");
        assert_eq!(summary.opened.is_some(), name.starts_with("active") || name == "suspect", "{name}");
        let closed = snapshot.closed().map(|reason| reason.code().to_owned());
        assert_eq!(closed.is_some(), phase == Phase::Closed, "{name}");
        assert!(closed.is_none_or(|code| code == deed), "{name}");
    }
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn a_text_that_is_no_snapshot_or_a_later_one_has_no_summary() {
    for text in ["", "{}", "null", r#"{"format":1}"#, r#"{"format":1,"session":null}"#] {
        assert_eq!(Snapshot::from_text(text).summary(), Err(ResumeError::Damaged), "{text}");
    }
    let later = Snapshot::from_text(r#"{"format":2,"provider":"cbrain","session":{"life":"new"}}"#);
    assert_eq!(later.summary(), Err(ResumeError::NewerFormat { found: 2, known: 1 }));
}

#[test]
fn a_question_is_answered_after_a_resume() {
    for name in ["needs", "needs-after-refusal", "needs-after-expiry"] {
        let mut session = resume(&golden(name)).unwrap();
        let mut now = START + HOUR;
        let need = loop {
            if let Output::Wait { on: WaitingOn::Need(need), .. } = session.poll(now) {
                break need.id;
            }
        };
        assert_eq!(session.handle_input(now, need, credentials(), Source::Person), InputHandled::Used, "{name}");
        loop {
            match session.poll(now) {
                Output::Send(outgoing) => break assert_eq!(outgoing.method(), "POST", "{name}"),
                Output::Wait { until, .. } => now = until,
                _ => {}
            }
        }
    }
}

#[test]
fn what_is_usable_stays_usable_with_its_token() {
    for name in ["active", "active-checking", "suspect", "active-with-unknown-fields"] {
        let mut session = resume(&golden(name)).unwrap();
        let live = session.live().unwrap();
        assert_eq!((live.user_id, live.token.expose()), (Some(2), TOKEN), "{name}");
        let mut parts = http::Request::get("/groups").body(()).unwrap().into_parts().0;
        session.authorize(START + HOUR, &mut parts, b"").unwrap();
        assert_eq!(parts.headers["authorization"], format!("Bearer {TOKEN}"), "{name}");
    }
    assert!(resume(&golden("suspect")).unwrap().status().suspect);
}

/// A session that ended without the server's word keeps the token for whoever wants to end it there.
#[test]
fn a_token_is_kept_where_the_session_may_live_on() {
    for (name, kept) in [
        ("closed-logged-out", false),
        ("closed-expired", false),
        ("closed-denied", false),
        ("closed-unconfirmed", true),
    ] {
        assert_eq!(golden(name).expose_secrets().contains(TOKEN), kept, "{name}");
    }
}

#[test]
fn a_resumed_snapshot_is_written_as_it_was_read() {
    for (name, phase, _) in FILES {
        let first = resume(&golden(name)).unwrap().snapshot();
        let second = Session::resume(cbrain(), &first, Options::default(), None, seed(), START + HOUR).unwrap();
        assert_eq!(second.phase(), phase, "{name}");
        let text = |snapshot: &Snapshot, epoch: u64| {
            snapshot.expose_secrets().replace(&format!(r#""epoch":{epoch}"#), r#""epoch":0"#)
        };
        assert_eq!(text(&first, 2), text(&second.snapshot(), 3), "{name}");
    }
}

#[test]
fn no_password_is_in_any_file() {
    for (name, ..) in FILES.into_iter().chain(BY_HAND) {
        let text = golden(name).expose_secrets().to_owned();
        assert!(!text.contains("correct") && !text.contains("horse"), "{name}");
    }
}

#[test]
fn a_damaged_file_is_refused_and_nothing_panics() {
    for (name, ..) in FILES {
        let text = golden(name).expose_secrets().trim_end().to_owned();
        for end in 0..text.len() {
            let cut = resume(&Snapshot::from_text(&text[..end]));
            assert_eq!(cut.map(|_| ()), Err(ResumeError::Damaged), "{name} cut at {end}");
        }
        for (from, to) in [("0", "18446744073709551615"), ("1", "null"), ("{", "["), (":\"", ":[\""), ("e", "\u{0}")] {
            if let Ok(mut session) = resume(&Snapshot::from_text(text.replace(from, to))) {
                let _ = first_deed_at(&mut session, START);
            }
        }
    }
}

/// Takes a few outputs of a session that may be any nonsense.
fn first_deed_at(session: &mut Session<Cbrain>, mut now: Timestamp) -> Timestamp {
    for _ in 0..20 {
        if let Output::Wait { until, .. } = session.poll(now) {
            now = until;
        }
    }
    now
}

#[test]
#[ignore = "writes the files that are missing"]
fn writes_what_is_missing() {
    for (name, ..) in FILES {
        write_missing(&format!("cbrain-{name}"), || state(name).snapshot().expose_secrets().to_owned());
    }
}

/// Brings a session into a state.
fn state(name: &str) -> Session<Cbrain> {
    let relogin = |options: &mut Options| options.relogin = Relogin::AskAgain { per_day: 3 };
    let with = |set: &dyn Fn(&mut Options)| {
        let mut options = Options::default();
        set(&mut options);
        options
    };
    let asked = || session().needs(NeedKind::Credentials, NeedReason::Opening);
    let sent = || asked().answers(credentials()).sends("POST /session");
    let ends = || active().logs_out().sends("DELETE /session");
    let mut script = match name {
        "idle" => Script::new(Session::new(cbrain(), Options::default(), seed())),
        "needs" => asked(),
        "needs-after-refusal" => sent().gets(401, "").needs(NeedKind::Credentials, NeedReason::Refused),
        "needs-after-expiry" => {
            let script = active_with(with(&relogin)).checks().sends("GET /session").gets(401, "");
            script.needs(NeedKind::Credentials, NeedReason::Expired)
        }
        "logging-in" => sent(),
        "logging-in-retry" => sent().gets(503, r#"{"message":null}"#),
        "adopted" => Script::new(Session::adopt(cbrain(), TOKEN.into(), Options::default(), seed()).unwrap()).starts(),
        "active" => active(),
        "active-checking" => active().checks().sends("GET /session"),
        "suspect" => active().checks().sends("GET /session").times_out().tells("suspect"),
        "logging-out" => ends(),
        "logging-out-retry" => ends().gets(503, r#"{"message":null}"#).tells("retrying"),
        "closed-logged-out" => ends().gets(200, "").closes("logged-out"),
        "closed-unconfirmed" => {
            let ends = ends().gets(503, r#"{"message":null}"#).passes(HOUR).sends("DELETE /session");
            ends.gets(503, r#"{"message":null}"#).closes("logged-out.unconfirmed")
        }
        "closed-denied" => sent().gets(401, "").answers(Input::GiveUp).closes("denied.credentials"),
        "closed-unanswered" => asked().answers(Input::GiveUp).closes("denied.unanswered"),
        "closed-rejected" => sent().gets(400, r#"{"status":400,"error":"Bad Request"}"#).closes("denied.rejected"),
        "closed-expired" => active().checks().sends("GET /session").gets(401, "").closes("expired"),
        "closed-retries-exhausted" => {
            let options = with(&|options| options.patience = Some(Duration::from_secs(1)));
            let script = session_with(options).answers(credentials()).sends("POST /session");
            script.is_refused_connection().passes(HOUR).closes("retries-exhausted")
        }
        "closed-protocol" => {
            let sent = sent().gets_as(200, &[("content-type", "text/html")], "<html>Sign in</html>");
            sent.closes("protocol")
        }
        other => panic!("{other}"),
    };
    if !matches!(name, "idle" | "adopted" | "logging-in" | "active-checking" | "logging-out") {
        // What is to be told is told.
        let _ = script.poll();
    }
    script.machine
}
