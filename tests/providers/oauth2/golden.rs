//! Snapshots of OAuth 2 sessions that an earlier version wrote: every later version resumes them. The files in `tests/golden/`
//! are never rewritten once a version is published; `cargo test --test providers oauth2::golden -- --ignored` writes those that are
//! missing.

use http::Method;
use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2};
use sansession::sim::Mishap;
use sansession::{Input, Machine, Options, Output, Phase, ResumeError, Secret, Session, Snapshot, Source, Timestamp};

use crate::support::golden::{first_deed, load, write_missing};
use crate::support::world::World;
use crate::support::{START, seed};

use super::{BACK, DAY, HOUR, Life, MINUTE, by_code, life, lives, open_need, options, provider, server};

type Make = fn() -> OAuth2;

/// Each file, its provider, the phase that it resumes in a minute later, and what comes first then.
const FILES: [(&str, Make, Phase, &str); 15] = [
    ("needs-redirect", by_code, Phase::LoggingIn, "needs redirect (opening)"),
    ("code-sent", by_code, Phase::LoggingIn, "needs redirect (lost)"),
    ("active", by_code, Phase::Active, "rests"),
    ("refresh-sent", by_code, Phase::Active, "needs redirect (lost)"),
    ("lost", by_code, Phase::Active, "needs redirect (lost)"),
    ("consented-after-a-loss", by_code, Phase::Active, "rests"),
    ("dead", by_code, Phase::Active, "needs redirect (expired)"),
    ("ends-soon", weekly, Phase::Active, "needs redirect (renewing)"),
    ("registered", registered, Phase::Active, "rests"),
    ("needs-browser", by_device, Phase::LoggingIn, "POST /token"),
    ("given", given, Phase::Active, "rests"),
    ("client-credentials", machine, Phase::Active, "rests"),
    ("logging-out", by_code, Phase::LoggingOut, "POST /revoke"),
    ("closed-logged-out", by_code, Phase::Closed, "closed logged-out"),
    ("closed-denied", by_code, Phase::Closed, "closed denied.rejected"),
];

fn weekly() -> OAuth2 {
    by_code().refresh_lasts(7 * DAY)
}

fn registered() -> OAuth2 {
    provider(Grant::Code { redirect: BACK.into() }, ClientOf::register("a bot"))
}

fn by_device() -> OAuth2 {
    provider(Grant::Device, ClientOf::public("app"))
}

fn given() -> OAuth2 {
    provider(Grant::Given, ClientOf::public("app")).scopes("read", "")
}

fn machine() -> OAuth2 {
    provider(Grant::ClientCredentials, ClientOf::basic("daemon", "s:c%r +t"))
}

fn golden(name: &str) -> Snapshot {
    load(&format!("oauth2-{name}"))
}

/// A minute after it was written, which may be days after the start.
fn later(snapshot: &Snapshot) -> Timestamp {
    let clock = snapshot.expose_secrets().split_once("\"clock\":").and_then(|(_, rest)| rest.split(',').next());
    clock.and_then(|text| text.parse().ok()).map_or(START, Timestamp::from_millis) + MINUTE
}

fn resume(provider: OAuth2, snapshot: &Snapshot) -> Result<Session<OAuth2>, ResumeError> {
    Session::resume(provider, snapshot, options(), None, seed(), later(snapshot))
}

#[test]
fn every_state_is_resumed() {
    let mut wrong = String::new();
    for (name, make, phase, deed) in FILES {
        let snapshot = golden(name);
        let mut session = resume(make(), &snapshot).unwrap_or_else(|error| panic!("{name}: {error}"));
        let found = (session.phase(), first_deed(&mut session, later(&snapshot)));
        if (found.0, found.1.as_str()) != (phase, deed) {
            wrong.push_str(&format!("oauth2-{name}: {found:?}\n"));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[test]
fn what_is_usable_stays_usable_with_its_token() {
    for (name, make, phase, _) in FILES.into_iter().filter(|(_, _, phase, _)| *phase == Phase::Active) {
        let snapshot = golden(name);
        let mut session = resume(make(), &snapshot).unwrap();
        let mut parts = http::Request::get("/api/quotes").body(()).unwrap().into_parts().0;
        session.authorize(later(&snapshot), &mut parts, b"").unwrap_or_else(|error| panic!("{name}: {error}"));
        let bearer = parts.headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap().to_owned();
        assert!(snapshot.expose_secrets().contains(&format!("\"access\":\"{bearer}\"")), "{name} {phase:?}");
    }
}

#[test]
fn no_secret_of_a_client_and_nothing_of_a_closed_session_is_in_any_file() {
    for (name, ..) in FILES {
        let text = golden(name).expose_secrets().to_owned();
        assert!(!text.contains("s:c%r"), "{name}");
        assert!(!name.starts_with("closed") || !text.contains("rt-") && !text.contains("at-"), "{name}: {text}");
    }
}

#[test]
fn a_damaged_file_is_refused_and_nothing_panics() {
    for (name, make, ..) in FILES {
        let text = golden(name).expose_secrets().trim_end().to_owned();
        for end in (0..text.len()).filter(|end| text.is_char_boundary(*end)) {
            assert_eq!(
                resume(make(), &Snapshot::from_text(&text[..end])).map(|_| ()),
                Err(ResumeError::Damaged),
                "{name} cut at {end}"
            );
        }
        for (from, to) in [("0", "18446744073709551615"), ("1", "null"), ("{", "["), (":\"", ":[\""), ("https", "http")]
        {
            if let Ok(mut session) = resume(make(), &Snapshot::from_text(text.replace(from, to))) {
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
    for (name, make, ..) in FILES {
        write_missing(&format!("oauth2-{name}"), || state(name, make()).expose_secrets().to_owned());
    }
}

fn sends(life: &mut Life) {
    while !matches!(life.machine.poll(life.now), Output::Send(_)) {}
}

/// Brings a session into a state.
fn state(name: &str, made: OAuth2) -> Snapshot {
    let server = server();
    server.get().settings.access_life = DAY;
    server.get().settings.absolute = (name == "ends-soon").then_some(7 * DAY);
    let mut life = match name {
        "given" => {
            let token = server.get().grant(START, "app").unwrap();
            let session = Session::adopt(made, Given::refresh(Secret::new(token)), Options::default(), seed()).unwrap();
            World::new(session, server.clone())
        }
        _ => life(&server, made),
    };
    let opened = !matches!(name, "needs-redirect" | "code-sent" | "needs-browser" | "closed-denied");
    if opened {
        lives(&mut life, MINUTE);
        assert_eq!(life.machine.phase(), Phase::Active, "{name}\n{}", life.transcript);
    } else {
        life.runs_for(MINUTE / 60);
    }
    match name {
        "code-sent" => {
            let need = open_need(&life.machine).unwrap();
            let input = server.person(&need, life.now).unwrap();
            let _ = life.machine.handle_input(life.now, need.id, input, Source::Person);
            sends(&mut life);
        }
        "refresh-sent" | "lost" | "consented-after-a-loss" | "dead" => {
            if name == "dead" {
                // The password was changed: renewals end, and tokens that are out live on.
                server.get().settings.idle = Some(HOUR / 3_600);
                life.runs_to(life.now + 2 * DAY, |life| open_need(&life.machine).is_some());
            } else {
                let lost = if name == "refresh-sent" { Mishap::Slow(DAY) } else { Mishap::Dropped };
                server.get().disturb_calls(Method::POST, "/token", 1, &lost);
                life.latency = MINUTE / 60;
                let sent = life.sent.len();
                life.runs_to(life.now + 2 * DAY, |life| life.sent.len() > sent);
                if name != "refresh-sent" {
                    life.runs_to(life.now + HOUR, |life| open_need(&life.machine).is_some());
                }
            }
            if name == "consented-after-a-loss" {
                assert_eq!(lives(&mut life, MINUTE), 1);
            }
        }
        "ends-soon" => {
            life.runs_to(life.now + 7 * DAY, |life| open_need(&life.machine).is_some());
        }
        "logging-out" => {
            life.logs_out();
            sends(&mut life);
        }
        "closed-logged-out" => {
            life.logs_out();
            life.runs_to_end();
        }
        "closed-denied" => {
            let need = open_need(&life.machine).unwrap();
            let state = need.url.as_deref().unwrap().split_once("state=").unwrap().1.split('&').next().unwrap();
            let no = format!("{BACK}?error=access_denied&state={state}&iss=https%3A%2F%2Flogin.example.org");
            let no = Input::Redirect(Secret::new(no));
            let _ = life.machine.handle_input(life.now, need.id, no, Source::Person);
            life.runs_to_end();
        }
        _ => {}
    }
    life.machine.snapshot()
}
