//! The files of a profile: who may read them, and who has the session.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use sansession::{CloseReason, ResumeError, machine::Summary};

use super::Doctor;
use crate::cli::args::Args;
use crate::cli::holder::{self, Lock};
use crate::cli::profile::Profiles;
use crate::cli::tool::DENIED;
use crate::cli::{USAGE, file, own, variables};

/// Checks whether somebody else may write options for this user's sessions.
pub fn of_profiles(doctor: &mut Doctor, profiles: &Profiles) {
    let path = profiles.path();
    let Ok(data) = fs::metadata(path) else { return };
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        let words = format!("{} may be written by others (mode {mode:o}): chmod 644", path.display());
        doctor.fault("rights", USAGE, &words);
    }
}

/// Looks at what secrets are in.
pub fn of_secrets(doctor: &mut Doctor, args: &Args) {
    let oauth = &args.oauth;
    let keys = [&oauth.signature_key, &oauth.encryption_key].into_iter().flatten().cloned();
    let mut files: Vec<_> = keys.collect();
    files.extend(variables::files());
    for path in &files {
        match secret(path) {
            Ok(()) => doctor.fine("rights", &format!("{} is yours alone", path.display())),
            Err(error) => doctor.fault("rights", USAGE, &format!("{}: {error}", path.display())),
        }
    }
    for name in variables::both() {
        doctor.note("variables", &format!("{name} is set, and comes before what the profile names"));
    }
}

fn secret(path: &Path) -> io::Result<()> {
    own::is_closed_to_others(path)?;
    if fs::read(path)?.iter().all(u8::is_ascii_whitespace) { Err(io::Error::other("is empty")) } else { Ok(()) }
}

/// Looks at the saved session and its lock.
pub fn of_session(doctor: &mut Doctor, args: &Args) {
    let Some(place) = &args.place else { return };
    if let Some(Ok(data)) = place.session.parent().map(fs::metadata) {
        let mode = data.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let directory = place.session.parent().unwrap_or(Path::new("")).display();
            doctor.fault("rights", USAGE, &format!("{directory} is open to others (mode {mode:o}): chmod 700"));
        }
    }
    match own::open(&place.session) {
        Ok(None) => doctor.note("session", "nobody is logged in"),
        Ok(Some(_)) => match file::load(&place.session) {
            Ok(text) if text.expose_secrets().trim().is_empty() => doctor.note("session", "nobody is logged in"),
            Ok(text) => match text.summary() {
                Ok(Summary { closed: Some(reason @ CloseReason::Denied(_)), .. }) => {
                    let name = &place.name;
                    let words =
                        format!("{reason}; once that is mended, `sansession login {name} --again` tries once more");
                    doctor.fault("session", DENIED, &words);
                }
                Ok(_) => doctor.fine("session", &format!("in {}", place.session.display())),
                Err(ResumeError::Damaged) => {
                    let words = format!("{} is damaged: remove it and log in anew", place.session.display());
                    doctor.fault("session", USAGE, &words);
                }
                Err(error) => doctor.fault("session", USAGE, &format!("{}: {error}", place.session.display())),
            },
            Err(error) => doctor.fault("session", USAGE, &format!("{}: {error}", place.session.display())),
        },
        Err(error) => doctor.fault("session", USAGE, &format!("{}: {error}", place.session.display())),
    }
    match holder::look(&place.lock) {
        Ok(Lock::Free) => doctor.fine("lock", "nobody has the session now"),
        Ok(Lock::Held(Some(holder))) => doctor.note("lock", &format!("the session is in use by {}", holder.told())),
        Ok(Lock::Held(None)) => doctor.note("lock", "the session is in use by another process"),
        Ok(Lock::Stale(holder)) => {
            let words = format!(
                "{} was killed and holds it no more: the next process goes on, with a look first",
                holder.told()
            );
            doctor.note("lock", &words);
        }
        Err(error) => doctor.fault("lock", USAGE, &format!("{}: {error}", place.lock.display())),
    }
}

/// Reports whether a process has the session.
pub fn is_held(args: &Args) -> bool {
    args.place.as_ref().is_some_and(|place| matches!(holder::look(&place.lock), Ok(Lock::Held(_))))
}
