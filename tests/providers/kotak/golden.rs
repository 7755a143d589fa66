//! Snapshots that an earlier version wrote, one for each state: every later version resumes them.
//!
//! The files in `tests/golden/` are never rewritten once a version is published. A state that is new gets a file of its own:
//! `cargo test --test providers kotak -- --ignored` writes those that are missing.

use sansession::sim::kotak::trade_api::Shard;
use sansession::{Output, ResumeError};

use super::*;
use crate::support::golden::{first_deed, load as golden, write_missing};

/// Each file, the phase that it resumes in an hour later, and what comes first then.
const TRADE_FILES: [(&str, Phase, &str); 12] = [
    ("needs-bearer", Phase::Opening, "needs gateway-token (opening)"),
    ("needs-credentials", Phase::LoggingIn, "needs credentials (opening)"),
    ("needs-credentials-after-refusal", Phase::LoggingIn, "needs credentials (refused)"),
    ("needs-code", Phase::SecondFactor, "needs access-code (opening)"),
    ("needs-both-again", Phase::LoggingIn, "needs credentials (stale)"),
    ("logging-in", Phase::LoggingIn, "needs credentials (lost)"),
    ("active", Phase::Active, "rests"),
    ("active-renewing", Phase::Active, "POST /apim/token"),
    ("active-needs-bearer", Phase::Active, "needs gateway-token (expired)"),
    ("suspect", Phase::Active, "GET /apim/reports/1.0/orders"),
    ("logging-out", Phase::LoggingOut, "DELETE /apim/session/1.0/session/logout"),
    ("closed-logged-out", Phase::Closed, "closed logged-out"),
];

const NEO_FILES: [(&str, Phase, &str); 7] = [
    ("needs-code", Phase::SecondFactor, "needs totp (opening)"),
    ("needs-code-after-refusal", Phase::SecondFactor, "needs totp (refused)"),
    ("needs-pin", Phase::SecondFactor, "needs pin (opening)"),
    ("active", Phase::Active, "rests"),
    ("suspect", Phase::Active, "GET /login/1.0/get-client-ip"),
    ("closed-logged-out", Phase::Closed, "closed logged-out"),
    ("closed-denied", Phase::Closed, "closed denied.pin"),
];

#[test]
fn every_state_is_resumed() {
    let now = START + HOUR;
    let mut wrong = String::new();
    for (name, phase, deed) in TRADE_FILES {
        let mut session = resumed(renewing(), &golden(&format!("kotak-trade-{name}")), now);
        let found = (session.phase(), first_deed(&mut session, now));
        if (found.0, found.1.as_str()) != (phase, deed) {
            wrong.push_str(&format!("kotak-trade-{name}: {found:?}\n"));
        }
    }
    for (name, phase, deed) in NEO_FILES {
        let mut session = resumed(neo_provider(), &golden(&format!("kotak-neo-{name}")), now);
        let found = (session.phase(), first_deed(&mut session, now));
        if (found.0, found.1.as_str()) != (phase, deed) {
            wrong.push_str(&format!("kotak-neo-{name}: {found:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_is_usable_stays_usable_with_its_tokens_at_its_host() {
    for name in ["active", "active-needs-bearer", "suspect"] {
        let mut session = resumed(renewing(), &golden(&format!("kotak-trade-{name}")), START + HOUR);
        let mut parts = http::Request::get(TRADE_CALL).body(()).unwrap().into_parts().0;
        session.authorize(START + HOUR, &mut parts, b"").unwrap();
        assert_eq!(parts.uri, "https://ctradeapi.kotaksecurities.com/apim/reports/1.0/orders", "{name}");
        assert_eq!(parts.headers["sessiontoken"].len(), 32, "{name}");
        assert!(parts.headers["authorization"].to_str().unwrap().starts_with("Bearer "), "{name}");
    }
    for name in ["active", "suspect"] {
        let mut session = resumed(neo_provider(), &golden(&format!("kotak-neo-{name}")), START + HOUR);
        let mut parts = http::Request::get(NEO_CALL).body(()).unwrap().into_parts().0;
        session.authorize(START + HOUR, &mut parts, b"").unwrap();
        assert_eq!(parts.uri.to_string(), format!("{OWN}{NEO_CALL}"), "{name}");
        assert!(parts.headers.contains_key("auth") && parts.headers.contains_key("sid"), "{name}");
    }
}

#[test]
fn no_answer_and_no_key_is_in_any_file() {
    let files = TRADE_FILES.map(|(name, ..)| golden(&format!("kotak-trade-{name}")));
    let more = NEO_FILES.map(|(name, ..)| golden(&format!("kotak-neo-{name}")));
    for snapshot in files.iter().chain(&more) {
        let text = snapshot.expose_secrets();
        for secret in ["correct", MPIN, DASHBOARD, TOTP_SECRET, "+91", "\"secret\""] {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    }
    for closed in [golden("kotak-trade-closed-logged-out"), golden("kotak-neo-closed-logged-out")] {
        let text = closed.expose_secrets();
        assert!(!text.contains(r#"token":"#) && !text.contains(r#""bearer":"#) && !text.contains("\"host\""), "{text}");
    }
}

#[test]
fn a_damaged_file_is_refused_and_nothing_panics() {
    for (name, ..) in TRADE_FILES {
        let text = golden(&format!("kotak-trade-{name}")).expose_secrets().trim_end().to_owned();
        for end in 0..text.len() {
            let cut = Snapshot::from_text(&text[..end]);
            let error = Session::resume(renewing(), &cut, Options::default(), None, [9; 32], START).map(|_| ());
            assert_eq!(error, Err(ResumeError::Damaged), "{name} cut at {end}");
        }
    }
    for (name, ..) in NEO_FILES {
        let text = golden(&format!("kotak-neo-{name}")).expose_secrets().trim_end().to_owned();
        for (from, to) in [("0", "18446744073709551615"), ("1", "null"), ("{", "["), (":\"", ":[\"")] {
            let text = Snapshot::from_text(text.replace(from, to));
            let session = Session::resume(neo_provider(), &text, Options::default(), None, [9; 32], START);
            if let Ok(mut session) = session {
                for _ in 0..20 {
                    let _ = session.poll(START);
                }
            }
        }
    }
}

#[test]
#[ignore = "writes the files that are missing"]
fn writes_what_is_missing() {
    for (name, ..) in TRADE_FILES {
        write_missing(&format!("kotak-trade-{name}"), || trade_state(name).expose_secrets().to_owned());
    }
    for (name, ..) in NEO_FILES {
        write_missing(&format!("kotak-neo-{name}"), || neo_state(name).expose_secrets().to_owned());
    }
}

fn outage() -> Mishap {
    Mishap::ProxyPage(StatusCode::BAD_GATEWAY)
}

/// Brings a session of the Trade API into a state.
fn trade_state(name: &str) -> Snapshot {
    let begins = |provider| trade_with(provider, user().on(Shard::Second), Options::default());
    let opens = |provider| {
        let mut world = begins(provider);
        if open_need(&world.machine).is_none() {
            world.runs_until(|world| open_need(&world.machine).is_some());
        }
        if open_need(&world.machine).is_some_and(|need| need.kind == NeedKind::GatewayToken) {
            give_bearer(&mut world);
        }
        needs(&mut world, NeedKind::Credentials, NeedReason::Opening);
        world
    };
    let half = |provider| {
        let mut world = opens(provider);
        gives(&mut world, password(PASSWORD));
        needs(&mut world, NeedKind::AccessCode, NeedReason::Opening);
        world
    };
    let active = |provider| {
        let mut world = half(provider);
        let code = access_code(&world);
        gives(&mut world, code);
        world.is_active();
        world
    };
    let mut world = match name {
        "needs-bearer" => begins(trade_provider()),
        "needs-credentials" | "needs-credentials-after-refusal" | "logging-in" => opens(renewing()),
        "needs-code" | "needs-both-again" => half(renewing()),
        "active" | "active-needs-bearer" => active(trade_provider()),
        _ => active(renewing()),
    };
    match name {
        "needs-bearer" => drop(needs(&mut world, NeedKind::GatewayToken, NeedReason::Opening)),
        "needs-credentials-after-refusal" => {
            gives(&mut world, password("wrong"));
            needs(&mut world, NeedKind::Credentials, NeedReason::Refused);
        }
        "needs-both-again" => {
            world.server.expire_one_time_tokens();
            let code = access_code(&world);
            gives(&mut world, code);
            needs(&mut world, NeedKind::Credentials, NeedReason::Stale);
        }
        "logging-in" => {
            gives(&mut world, password(PASSWORD));
            while !matches!(world.machine.poll(world.now), Output::Send(_)) {}
        }
        "active-needs-bearer" => {
            world.server.expire_bearers();
            world.calls(Method::GET, TRADE_CALL).unwrap();
            needs(&mut world, NeedKind::GatewayToken, NeedReason::Expired);
        }
        "suspect" => {
            world.server.disturb(1, &outage());
            world.checks();
            world.runs_until_told("suspect");
        }
        "logging-out" => {
            world.logs_out();
            while !matches!(world.machine.poll(world.now), Output::Send(_)) {}
        }
        "closed-logged-out" => {
            world.logs_out();
            world.runs_to_end();
        }
        _ => {}
    }
    world.machine.snapshot()
}

/// Brings a session of Neo into a state.
fn neo_state(name: &str) -> Snapshot {
    let mut world = match name {
        "needs-code" | "needs-code-after-refusal" => neo_asks(),
        "needs-pin" | "closed-denied" => neo_half(),
        _ => neo_active(),
    };
    match name {
        "needs-code-after-refusal" => {
            let code = Totp::new("999999", world.now).unwrap();
            gives(&mut world, Input::Totp(code));
            needs(&mut world, NeedKind::Totp, NeedReason::Refused);
        }
        "suspect" => {
            world.server.disturb(1, &outage());
            world.checks();
            world.runs_until_told("suspect");
        }
        "closed-logged-out" => {
            world.logs_out();
            world.runs_to_end();
        }
        "closed-denied" => {
            gives(&mut world, Input::Pin("111111".into()));
            needs(&mut world, NeedKind::Pin, NeedReason::Refused);
            gives(&mut world, Input::GiveUp);
            world.runs_to_end();
        }
        _ => {}
    }
    world.machine.snapshot()
}
