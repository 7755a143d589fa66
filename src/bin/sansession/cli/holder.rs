//! Who drives the session of a profile: a lock, and in its file the process that has it.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use sansession::Timestamp;
use sansession::drive::now;
use serde::{Deserialize, Serialize};

use crate::cli::line::length;
use crate::cli::own;

/// The process that has a session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Holder {
    pub pid: i32,
    pub since: Timestamp,
    /// What it does, as the verb of the command line.
    pub verb: String,
}

/// The lock of a profile, until this is dropped. The file stays: to remove it would let two processes lock two files.
pub struct Held(File);

/// What the lock of a profile tells.
#[derive(Debug)]
pub enum Lock {
    Free,
    /// Nobody has it, and the last one did not get to say so: it was killed.
    Stale(Holder),
    /// Somebody has it; unknown where it was locked this very moment.
    Held(Option<Holder>),
}

/// Takes the lock; gives who has it where that is somebody else.
pub fn take(path: &Path, verb: &str) -> io::Result<Result<Held, Option<Holder>>> {
    let mut file = match own::open(path)? {
        Some(file) => file,
        None => match own::create(path) {
            // Two may start at the same time.
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                own::open(path)?.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?
            }
            file => file?,
        },
    };
    if !own::lock_soon(&file) {
        return Ok(Err(read(&mut file)));
    }
    let pid = rustix::process::getpid().as_raw_nonzero().get();
    let holder = Holder { pid, since: now(), verb: verb.to_owned() };
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", serde_json::to_string(&holder)?)?;
    Ok(Ok(Held(file)))
}

/// Looks who has the lock.
pub fn look(path: &Path) -> io::Result<Lock> {
    let Some(mut file) = own::open(path)? else { return Ok(Lock::Free) };
    let free = flock(&file, FlockOperation::NonBlockingLockShared) != Err(Errno::WOULDBLOCK);
    let holder = read(&mut file);
    Ok(match (free, holder) {
        (true, None) => Lock::Free,
        (true, Some(holder)) => Lock::Stale(holder),
        (false, holder) => Lock::Held(holder),
    })
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.set_len(0);
    }
}

impl Holder {
    /// Names it, and how long it has had the session.
    pub fn told(&self) -> String {
        let Self { pid, since, verb } = self;
        format!("`{verb}` (pid {pid}, since {since}, {})", length(now().since(*since)))
    }
}

/// Says that a profile's session cannot be had now, and what to do.
pub fn in_use(name: &str, holder: Option<&Holder>) -> String {
    let who = holder.map_or_else(|| "another process".to_owned(), Holder::told);
    let then = match holder {
        Some(Holder { pid, verb, .. }) if ["run", "proxy"].contains(&verb.as_str()) => {
            format!("end it first: Ctrl-C there, `kill {pid}`, or `systemctl --user stop sansession@{name}`")
        }
        _ => "try again once it has ended".into(),
    };
    format!("{name}: is in use by {who}, which drives its session; {then}")
}

fn read(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).ok()?;
    serde_json::from_str(&text).ok()
}
