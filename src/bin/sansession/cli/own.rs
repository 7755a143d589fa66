//! Files that are their owner's alone.

#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::fs::{self, File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

/// How often a file is tried to lock that somebody else has, and how long it takes each time.
const MOMENT: u32 = 20;
const LOOK: Duration = Duration::from_millis(50);

/// Opens a file that only its owner may read and write; `None` where there is none.
///
/// # Errors
/// Says what it is instead: a directory, a device, a link, another user's, open to others.
pub fn open(path: &Path) -> io::Result<Option<File>> {
    let open = || -> io::Result<File> {
        // A device may act on being opened.
        suits(&fs::symlink_metadata(path)?)?;
        // Another one may be there by now.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        let mut options = OpenOptions::new();
        let options = options.read(true).custom_flags(i32::try_from(flags).unwrap_or_default());
        // Some network file systems lock only what may be written to.
        let file = options.clone().write(true).open(path).or_else(|_| options.open(path))?;
        suits(&file.metadata()?)?;
        Ok(file)
    };
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        file => file.map(Some),
    }
}

/// Creates an empty file that only its owner may read and write.
///
/// # Errors
/// As from the system; [`io::ErrorKind::AlreadyExists`] where there is one.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)
}

/// Locks a file for this process; tells whether nobody else has.
pub fn lock(file: &File) -> bool {
    // Where locks are not to be had, nobody else has one either.
    flock(file, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK)
}

/// Locks a file as [`lock`] does, also where whoever has it is about to end: to be killed takes a moment.
pub fn lock_soon(file: &File) -> bool {
    (0..MOMENT).any(|_| {
        let locked = lock(file);
        if !locked {
            std::thread::sleep(LOOK);
        }
        locked
    })
}

/// Reports whether a file is the one that has this name.
pub fn is_at(file: &File, path: &Path) -> bool {
    let number = |data: Metadata| (data.dev(), data.ino());
    let there = fs::symlink_metadata(path).map(number);
    there.is_ok_and(|there| file.metadata().is_ok_and(|data| number(data) == there))
}

/// Refuses what is no file of its owner alone.
fn suits(data: &Metadata) -> io::Result<()> {
    let mode = data.permissions().mode() & 0o777;
    let words = if data.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else if data.is_symlink() {
        "is a symbolic link: name the file itself".to_owned()
    } else if !data.is_file() {
        "is no file but a device, a pipe or a socket".to_owned()
    } else if !is_mine(data) {
        format!("belongs to another user (uid {})", data.uid())
    } else if mode & 0o077 != 0 {
        open_to_others(mode)
    } else {
        return Ok(());
    };
    Err(io::Error::other(words))
}

/// Where containers find the secrets that they are given, which everybody in one may read.
const OF_CONTAINERS: [&str; 2] = ["/run/secrets", "/var/run/secrets"];

/// Refuses a secret's file that others may read. A credential that systemd or a container's manager hands over has rights
/// that its mode does not tell.
pub fn is_closed_to_others(path: &Path) -> io::Result<()> {
    let by_systemd = std::env::var_os("CREDENTIALS_DIRECTORY").map(PathBuf::from).filter(|path| path.is_absolute());
    let directories = OF_CONTAINERS.into_iter().map(PathBuf::from).chain(by_systemd);
    let handed = directories.into_iter().any(|directory| path.starts_with(directory));
    let mode = fs::metadata(path)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 || handed { Ok(()) } else { Err(io::Error::other(open_to_others(mode))) }
}

fn open_to_others(mode: u32) -> String {
    format!("is open to others (mode {mode:o}): chmod 600")
}

/// Refuses a file that strangers may write to: who names the server gets the password.
pub fn is_written_by_its_user(path: &Path) -> io::Result<()> {
    let data = fs::metadata(path)?;
    let mode = data.permissions().mode() & 0o777;
    if mode & 0o002 != 0 {
        return Err(io::Error::other(format!("may be written by everybody (mode {mode:o}): chmod 644")));
    }
    if !is_mine(&data) && data.uid() != 0 {
        return Err(io::Error::other(format!("belongs to another user (uid {})", data.uid())));
    }
    Ok(())
}

/// Reports whether a file belongs to the user of this process.
pub fn is_mine(data: &Metadata) -> bool {
    data.uid() == rustix::process::geteuid().as_raw()
}
