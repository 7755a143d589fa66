//! `status`: where sessions stand, as their files tell.

use sansession::drive::now;
use sansession::machine::Summary;
use sansession::{CloseReason, Phase, ResumeError, Timestamp};
use serde_json::{Value, json};

use crate::cli::holder::{self, Lock};
use crate::cli::line::length;
use crate::cli::places::Place;
use crate::cli::profile::Profiles;
use crate::cli::task::Task;
use crate::cli::{Usage, args, file, run, verbs};

/// There is no session that is open.
const CLOSED: u8 = 6;

/// Reports where one profile's session stands, or each.
pub fn status(asked: &verbs::Status) -> Result<u8, Usage> {
    let profiles = Profiles::trusted()?;
    let names = asked.name.clone().map_or_else(|| profiles.names(), |name| Ok(vec![name]))?;
    let mut code = 0;
    for name in &names {
        let one = one(&profiles, name, asked);
        match one {
            Ok(found) => code = code.max(found),
            // One that cannot be used says nothing of the others.
            Err(Usage(words)) if asked.name.is_none() => {
                eprintln!("sansession: {words}");
                code = crate::cli::USAGE;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(if asked.name.is_none() && code == CLOSED { 0 } else { code })
}

fn one(profiles: &Profiles, name: &str, asked: &verbs::Status) -> Result<u8, Usage> {
    let more = if asked.verbose { vec!["--verbose".into()] } else { Vec::new() };
    let args::Command::Run(args) = verbs::of_profile(profiles, name, "status", Task::Check, more)? else {
        return Ok(crate::cli::USAGE);
    };
    let Some(place) = &args.place else { return Ok(crate::cli::USAGE) };
    let checked = if asked.check && Session::read(place)?.is_open() { run::run(&args)? } else { 0 };
    let session = Session::read(place)?;
    let (lock, at) =
        (holder::look(&place.lock).map_err(|error| Usage(format!("{}: {error}", place.lock.display())))?, now());
    if asked.json {
        let mut line = json!({
            "profile": name, "provider": args.provider.name(), "url": args.url,
            "file": place.session, "in_use": null,
        });
        if let Lock::Held(Some(holder)) = &lock {
            line["in_use"] = json!(holder);
        } else if matches!(lock, Lock::Held(None)) {
            line["in_use"] = json!({});
        }
        if let (Some(line), Value::Object(mut more)) = (line.as_object_mut(), session.json()) {
            line.append(&mut more);
        }
        println!("{line}");
    } else {
        let mut words = session.words(at);
        match &lock {
            Lock::Held(Some(holder)) => words.push_str(&format!("; in use by {}", holder.told())),
            Lock::Held(None) => words.push_str("; in use by another process"),
            Lock::Stale(holder) => words.push_str(&format!("; {} was killed", holder.told())),
            Lock::Free => {}
        }
        println!("{name:<16} {words}");
    }
    Ok(match (checked, session.is_open()) {
        (0, true) => 0,
        (0, false) => CLOSED,
        (code, _) => code,
    })
}

/// What the file of a session tells.
enum Session {
    None,
    Unreadable(ResumeError),
    Known(Summary),
}

impl Session {
    fn read(place: &Place) -> Result<Self, Usage> {
        let snapshot = match file::load(&place.session) {
            Ok(snapshot) => snapshot,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::None),
            Err(error) => return Err(Usage(format!("{}: {error}", place.session.display()))),
        };
        Ok(match snapshot.summary() {
            _ if snapshot.expose_secrets().trim().is_empty() => Self::None,
            Ok(summary) => Self::Known(summary),
            Err(error) => Self::Unreadable(error),
        })
    }

    fn is_open(&self) -> bool {
        matches!(self, Self::Known(Summary { opened: Some(_), .. }))
    }

    fn state(&self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unreadable(_) => "damaged",
            Self::Known(Summary { closed: Some(_), .. }) => "closed",
            Self::Known(Summary { opened: Some(_), .. }) => "open",
            Self::Known(_) => Phase::Opening.code(),
        }
    }

    fn json(&self) -> Value {
        let mut line = json!({ "state": self.state() });
        match self {
            Self::Known(Summary { closed: Some(reason), .. }) => {
                line["reason"] = json!(reason.code());
                line["text"] = json!(reason.to_string());
            }
            Self::Known(summary) => {
                line["since"] = json!(summary.since.as_millis());
                line["last_alive"] = json!(summary.last_alive.map(Timestamp::as_millis));
                line["suspect"] = json!(summary.suspect);
            }
            Self::None | Self::Unreadable(_) => {}
        }
        line
    }

    fn words(&self, now: Timestamp) -> String {
        let summary = match self {
            Self::None => return "not logged in".into(),
            Self::Unreadable(ResumeError::Damaged) => return "its file is damaged: remove it and log in anew".into(),
            Self::Unreadable(error) => return format!("its file cannot be read: {error}"),
            Self::Known(summary) => summary,
        };
        match (&summary.closed, summary.opened) {
            (Some(CloseReason::LoggedOut { .. }), _) => "logged out".into(),
            (Some(reason), _) => format!("ended: {reason}"),
            (None, Some(_)) => {
                let alive = summary.last_alive.map(|at| format!(", alive {} ago", length(now.since(at))));
                let doubt = if summary.suspect { ", in doubt" } else { "" };
                format!("open for {}{}{doubt}", length(now.since(summary.since)), alive.unwrap_or_default())
            }
            (None, None) => "a login has begun and did not end; the next one goes on with it".into(),
        }
    }
}
