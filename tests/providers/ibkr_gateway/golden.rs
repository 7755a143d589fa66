//! Snapshots that an earlier version wrote, one for each state: every later version resumes them.
//!
//! The files in `tests/golden/` are never rewritten once a version is published. A state that is new gets a file of its own:
//! `cargo test --test providers ibkr_gateway -- --ignored` writes those that are missing.

use sansession::providers::ibkr::OrElse;
use sansession::{Event, Input, ResumeError, Seed, Snapshot, WaitingOn};

use super::*;
use crate::support::golden::{load, write_missing};

/// Each file, the phase that it resumes in an hour later, and what comes first when time passes.
const FILES: [(&str, Phase, &str); 20] = [
    ("idle", Phase::Idle, "waits for the start"),
    ("opening", Phase::Opening, STATUS),
    ("establishing", Phase::Opening, STATUS),
    ("init-sent", Phase::Opening, STATUS),
    ("init-failed", Phase::Opening, STATUS),
    ("rival-awaited", Phase::Opening, STATUS),
    ("needs-browser", Phase::LoggingIn, STATUS),
    ("needs-browser-done", Phase::LoggingIn, STATUS),
    ("needs-browser-after-reset", Phase::LoggingIn, STATUS),
    ("needs-takeover", Phase::Opening, STATUS),
    ("takeover-granted", Phase::Active, TICKLE),
    ("active", Phase::Active, TICKLE),
    ("active-and-named", Phase::Active, TICKLE),
    ("suspect", Phase::Active, TICKLE),
    ("doubted", Phase::Active, STATUS),
    ("boxed", Phase::Active, VALIDATE),
    ("thrown-out", Phase::Opening, VALIDATE),
    ("logging-out", Phase::LoggingOut, LOGOUT),
    ("closed-rival", Phase::Closed, "rival"),
    ("closed-wrong-account", Phase::Closed, "denied.wrong-account"),
];

/// What a later version may write, and as little as can be.
const BY_HAND: [(&str, Phase, &str); 2] =
    [("active-with-unknown-fields", Phase::Active, TICKLE), ("active-with-as-little-as-can-be", Phase::Active, TICKLE)];

fn golden(name: &str) -> Snapshot {
    load(&format!("ibkr-gateway-{name}"))
}

fn provider(name: &str) -> Gateway {
    match name {
        "closed-wrong-account" => expects(Some("somebody"), None),
        "rival-awaited" | "takeover-granted" | "thrown-out" => waiting(),
        _ => gateway(),
    }
}

fn waiting() -> Gateway {
    gateway().takeover(Takeover::Never { then: OrElse::Wait })
}

fn resume(name: &str, snapshot: &Snapshot) -> Result<Session<Gateway>, ResumeError> {
    Session::resume(
        provider(name),
        snapshot,
        Options::default(),
        None,
        Seed::new([9; 32]),
        crate::support::START + HOUR,
    )
}

/// What a resumed session does first, however long it takes.
fn first_deed(session: &mut Session<Gateway>) -> String {
    let mut now = crate::support::START + HOUR;
    for _ in 0..100 {
        match session.poll(now) {
            Output::Send(outgoing) => return format!("{} {}", outgoing.method(), outgoing.path()),
            Output::Closed(reason) => return reason.code().to_owned(),
            Output::Wait { on: WaitingOn::Start, .. } => return "waits for the start".into(),
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
        let mut session = resume(name, &golden(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let (is, does) = (session.phase(), first_deed(&mut session));
        if (is, does.as_str()) != (phase, deed) {
            found.push_str(&format!("{name}: {is}, {does}; expected {phase}, {deed}\n"));
        }
    }
    assert!(found.is_empty(), "\n{found}");
}

#[test]
fn every_state_finds_its_way_to_a_usable_session() {
    for (name, phase, _) in FILES.into_iter().chain(BY_HAND) {
        if matches!(phase, Phase::Closed | Phase::LoggingOut) {
            continue;
        }
        let session = resume(name, &golden(name)).unwrap();
        let mut story = Script::new(session).at(crate::support::START + HOUR).starts();
        lives(&mut story, 20 * MINUTE, |_, path| flags_for(path, READY));
        assert_eq!(story.machine.phase(), Phase::Active, "{name}: {:?}", story.told);
        let live = story.machine.live().unwrap();
        assert_eq!((live.user.as_deref(), live.user_id), (Some("tester"), Some(123_456_789)), "{name}");
    }
}

#[test]
fn a_word_that_was_given_and_a_rival_that_was_met_are_remembered() {
    let story = Script::new(resume("takeover-granted", &golden("takeover-granted")).unwrap());
    let story = story.at(crate::support::START + HOUR).sends(TICKLE).gets(200, &tickle(COMPETING));
    drop(story.sends(VALIDATE).gets(200, LOGGED_IN).sends(STATUS).gets(200, COMPETING).takes_over());
    let mut story =
        Script::new(resume("needs-takeover", &golden("needs-takeover")).unwrap()).at(crate::support::START + HOUR);
    story = story.sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, REFUSED);
    assert!(!story.told.iter().any(|event| matches!(event, Event::Rival)), "it was told before");
    story.needs(NeedKind::Takeover, NeedReason::Rival).answers(Input::TakeOver).takes_over();
}

#[test]
fn a_damaged_file_is_refused_and_nothing_panics() {
    for (name, ..) in FILES {
        let text = golden(name).expose_secrets().trim_end().to_owned();
        for end in (0..text.len()).step_by(7) {
            let cut = resume(name, &Snapshot::from_text(&text[..end]));
            assert_eq!(cut.map(|_| ()), Err(ResumeError::Damaged), "{name} cut at {end}");
        }
        for (from, to) in [("0", "18446744073709551615"), ("1", "null"), ("{", "["), (":\"", ":[\""), ("e", "\u{0}")] {
            if let Ok(mut session) = resume(name, &Snapshot::from_text(text.replace(from, to))) {
                let mut now = crate::support::START;
                for _ in 0..20 {
                    if let Output::Wait { until, .. } = session.poll(now) {
                        now = until;
                    }
                }
            }
        }
    }
}

#[test]
#[ignore = "writes the files that are missing"]
fn writes_what_is_missing() {
    for (name, ..) in FILES {
        write_missing(&format!("ibkr-gateway-{name}"), || state(name).snapshot().expose_secrets().to_owned());
    }
}

/// Brings a session into a state.
fn state(name: &str) -> Session<Gateway> {
    let init = || opening().sends(STATUS).gets(200, TIMED_OUT).asks_politely();
    let browser = || opening().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening);
    let story = match name {
        "idle" => Script::new(Session::new(gateway(), Options::default(), seed())),
        "opening" => opening(),
        "establishing" => init().gets(200, ESTABLISHING),
        "init-sent" => init(),
        "init-failed" => init().gets(200, TIMED_OUT),
        "rival-awaited" => opens(waiting()).sends(STATUS).gets(200, TIMED_OUT).asks_politely().gets(200, REFUSED),
        "needs-browser" => browser(),
        "needs-browser-done" => {
            let story = opening().sends(STATUS).gets(200, GONE).sends(VALIDATE).finds_nobody();
            story.needs_browser(NeedReason::Opening).answers(Input::Done).sends(STATUS).gets(200, GONE)
        }
        "needs-browser-after-reset" => {
            // As it is found in the morning after.
            let mut story = active().learns_the_name().passes(24 * HOUR);
            lives(&mut story, SECOND, |_, _| (401, String::new()));
            return into_earlier(story.needs_browser(NeedReason::Reset));
        }
        "needs-takeover" => init().gets(200, REFUSED).needs(NeedKind::Takeover, NeedReason::Rival),
        "takeover-granted" => {
            let mut story = becomes_active(opens(waiting()));
            let by = sansession::Source::Person;
            let _ = story.machine.handle_input(story.now, sansession::NeedId::UNSOLICITED, Input::TakeOver, by);
            story.sends(STATUS).gets(200, READY)
        }
        "active" => active(),
        "active-and-named" => active().learns_the_name(),
        "suspect" => active().sleeps().sends(TICKLE).times_out().tells("suspect"),
        "doubted" => active().learns_the_name().sleeps().sends(TICKLE).gets(401, ""),
        "boxed" => active().sleeps().sends(TICKLE).gets(429, ""),
        "thrown-out" => active_under(Takeover::Never { then: OrElse::Wait })
            .sleeps()
            .tickles(COMPETING)
            .asks_politely()
            .gets(200, REFUSED),
        "logging-out" => active_and_ended().logs_out().sends(LOGOUT),
        "closed-rival" => init().gets(200, REFUSED).answers(Input::GiveUp).closes("rival"),
        "closed-wrong-account" => opens(expects(Some("somebody"), None))
            .sends(STATUS)
            .gets(200, READY)
            .sends(VALIDATE)
            .gets(200, LOGGED_IN)
            .closes("denied.wrong-account"),
        other => panic!("{other}"),
    };
    settled(name, story)
}

/// Returns what is to be told, where nothing is due to leave.
fn settled(name: &str, mut story: Story) -> Session<Gateway> {
    if !matches!(name, "idle" | "opening" | "init-sent" | "logging-out" | "doubted") {
        let _ = story.poll();
    }
    story.machine
}

/// Sets the clock back to where the other files are.
fn into_earlier(mut story: Story) -> Session<Gateway> {
    story.now = crate::support::START;
    let _ = story.poll();
    story.machine
}
