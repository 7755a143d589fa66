//! `doctor`: what keeps a session from being had, each with what to do about it.

mod certificate;
mod files;
mod net;
mod port;

use serde_json::json;

use crate::cli::args::{Args, Command, Provider};
use crate::cli::profile::Profiles;
use crate::cli::task::Task;
use crate::cli::{USAGE, Usage, names, verbs};

/// A server that cannot be had, as for a session.
const UNAVAILABLE: u8 = 4;
/// Where IBKR's gateway listens by itself.
const GATEWAY: u16 = 5000;

/// What was found of one thing.
struct Finding {
    /// The profile that it is about.
    profile: Option<String>,
    /// What was checked, as one word.
    what: &'static str,
    level: Level,
    words: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Fine,
    /// Worth to know, and no fault.
    Note,
    /// A fault, with its exit code.
    Fault(u8),
}

/// Looks, and tells what it finds as it finds it.
struct Doctor {
    json: bool,
    profile: Option<String>,
    /// The exit code of the first fault.
    code: u8,
    faults: usize,
}

/// Looks at everything that a session needs.
pub fn doctor(asked: &verbs::Doctor) -> Result<u8, Usage> {
    let mut doctor = Doctor { json: asked.json, profile: None, code: 0, faults: 0 };
    doctor.environment();
    let profiles = Profiles::read();
    let known = match (&profiles, &asked.name) {
        (Ok(profiles), None) => profiles.names(),
        (Ok(_), Some(name)) => Ok(vec![name.clone()]),
        // Nobody needs profiles who does not use them.
        (Err(Usage(words)), None) => {
            doctor.note("profiles", words);
            Ok(Vec::new())
        }
        (Err(Usage(words)), Some(_)) => Err(Usage(words.clone())),
    };
    match (known, profiles) {
        (Ok(names), Ok(profiles)) => {
            files::of_profiles(&mut doctor, &profiles);
            for name in &names {
                doctor.profile = Some(name.clone());
                doctor.profile(&profiles, name);
            }
        }
        (Err(Usage(words)), _) => doctor.fault("profiles", USAGE, &words),
        _ => {}
    }
    doctor.profile = None;
    if asked.name.is_none() {
        doctor.tell("port", Level::Note, &format!("{GATEWAY}: {}", port::look(GATEWAY).told()));
    }
    if !doctor.json {
        println!(
            "{}",
            if doctor.faults == 0 { "nothing is wrong".into() } else { format!("faults: {}", doctor.faults) }
        );
    }
    Ok(doctor.code)
}

impl Doctor {
    /// Looks at what is the same for all profiles.
    fn environment(&mut self) {
        for words in names::misspelt() {
            self.note("variables", &words);
        }
        net::proxies(self);
    }

    fn profile(&mut self, profiles: &Profiles, name: &str) {
        let args = match verbs::of_profile(profiles, name, "doctor", Task::Check, Vec::new()) {
            Ok(Command::Run(args)) => args,
            Ok(_) => return,
            Err(Usage(words)) => return self.fault("profile", USAGE, &words),
        };
        self.fine("profile", &format!("{} at {}", args.provider.name(), args.url.as_deref().unwrap_or_default()));
        files::of_secrets(self, &args);
        files::of_session(self, &args);
        self.port(profiles, name, &args);
        net::server(self, &args);
    }

    /// Looks who listens where the proxy of a profile is to listen.
    fn port(&mut self, profiles: &Profiles, name: &str, args: &Args) {
        // Only `run` and `proxy` listen, and nothing else of the two is wanted here.
        let Ok(Command::Run(run)) = verbs::of_profile(profiles, name, "run", Task::Stay, Vec::new()) else { return };
        let Some(port) = run.listen.map(|listen| listen.address.port()).filter(|port| *port != 0) else { return };
        let found = port::look(port);
        let own = found.kind == port::Kind::Sansession && files::is_held(args);
        match found.kind {
            port::Kind::Free => self.fine("port", &format!("{port} is free for the proxy")),
            _ if own => self.fine("port", &format!("{port}: the proxy of this profile")),
            _ => self.fault("port", USAGE, &format!("{port} is taken by {}: choose another `listen`", found.told())),
        }
    }

    fn fine(&mut self, what: &'static str, words: &str) {
        self.tell(what, Level::Fine, words);
    }

    fn note(&mut self, what: &'static str, words: &str) {
        self.tell(what, Level::Note, words);
    }

    fn fault(&mut self, what: &'static str, code: u8, words: &str) {
        self.faults += 1;
        if self.code == 0 {
            self.code = code;
        }
        self.tell(what, Level::Fault(code), words);
    }

    fn tell(&self, what: &'static str, level: Level, words: &str) {
        Finding { profile: self.profile.clone(), what, level, words: words.to_owned() }.print(self.json);
    }
}

impl Finding {
    fn print(&self, as_json: bool) {
        let Self { profile, what, level, words } = self;
        let level = match level {
            Level::Fine => "ok",
            Level::Note => "note",
            Level::Fault(_) => "fault",
        };
        if as_json {
            println!("{}", json!({ "profile": profile, "check": what, "level": level, "text": words }));
        } else {
            println!("{level:<6} {:<12} {what:<12} {words}", profile.as_deref().unwrap_or("-"));
        }
    }
}

/// Reports whether IBKR's gateway is wanted on this machine, and where.
fn gateway_port(args: &Args) -> Option<u16> {
    let url: http::Uri = args.url.as_deref()?.parse().ok()?;
    let local = matches!(url.host()?, "localhost" | "127.0.0.1");
    (args.provider == Provider::IbkrGateway && local).then(|| url.port_u16().unwrap_or(443))
}
