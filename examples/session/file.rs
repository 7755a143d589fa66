//! The saved session: readable by its owner only, replaced as a whole.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rustix::fs::{FlockOperation, flock};
use sansession::Snapshot;

/// The proxy's secret in a file of this run: its path and its number.
static SECRET: Mutex<Option<(PathBuf, u64)>> = Mutex::new(None);

/// Writes a snapshot to a new file beside `path` and puts that in its place.
pub fn save(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    replace(path, snapshot.expose_secrets())
}

/// Looks whether a snapshot can be written, before there is one that must be, and removes what killed processes have left.
pub fn check(path: &Path) -> io::Result<()> {
    suits(path)?;
    remove_leftovers(path);
    beside(path).map(drop)
}

/// Writes a new file that only its owner may read.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())
}

/// Reads a snapshot.
pub fn load(path: &Path) -> io::Result<Snapshot> {
    suits(path)?;
    fs::read_to_string(path).map(Snapshot::from_text)
}

/// Writes the proxy's secret, in the place of one that a killed process has left, and of nothing else.
pub fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    suits(path)?;
    match fs::read_to_string(path) {
        Ok(text) if !(text.trim().is_empty() || text.trim() == secret || is_random(text.trim())) => {
            return Err(io::Error::other("is there already and holds no secret of a proxy"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    replace(path, &format!("{secret}\n"))?;
    let number = fs::symlink_metadata(path)?.ino();
    *SECRET.lock().unwrap_or_else(PoisonError::into_inner) = Some((path.to_owned(), number));
    Ok(())
}

/// Removes the file with the secret, unless another process has put its own there.
pub fn remove_secret() {
    if let Some((path, number)) = SECRET.lock().unwrap_or_else(PoisonError::into_inner).take()
        && fs::symlink_metadata(&path).is_ok_and(|data| data.ino() == number)
    {
        let _ = fs::remove_file(path);
    }
}

fn is_random(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    suits(path)?;
    let put = || {
        let mut new = beside(path)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(path).map_err(|error| error.error)
    };
    // A process that starts meanwhile may take a file for a leftover before it is locked.
    let put = put().or_else(|error| if error.kind() == io::ErrorKind::NotFound { put() } else { Err(error) });
    put?;
    // Else the old one may be back after a crash of the machine. Some file systems have nothing to sync here.
    match File::open(directory(path))?.sync_all() {
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

/// Makes a file of a name that nobody else has, which is gone with this value and is locked as long as it is there.
fn beside(path: &Path) -> io::Result<tempfile::NamedTempFile> {
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".");
    let new = tempfile::Builder::new().prefix(&prefix).suffix(".new").tempfile_in(directory(path))?;
    // Where locks are not to be had, nobody can take it for a leftover either.
    let _ = flock(&new, FlockOperation::NonBlockingLockExclusive);
    Ok(new)
}

fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for entry in fs::read_dir(directory(path)).into_iter().flatten().flatten() {
        let left = entry.file_name();
        let middle = left.to_str().and_then(|left| left.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
        let ours = middle.is_some_and(|middle| middle.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && entry.metadata().is_ok_and(|data| data.is_file() && data.uid() == rustix::process::geteuid().as_raw());
        if ours
            && let Ok(file) = File::open(entry.path())
            && flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Refuses what is there already and is no file of its owner alone.
fn suits(path: &Path) -> io::Result<()> {
    let data = match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        data => data?,
    };
    let mode = data.permissions().mode() & 0o777;
    let words = if data.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    } else if data.is_symlink() {
        "is a symbolic link: name the file itself".to_owned()
    } else if !data.is_file() {
        "is no file but a device, a pipe or a socket".to_owned()
    } else if data.uid() != rustix::process::geteuid().as_raw() {
        format!("belongs to another user (uid {})", data.uid())
    } else if mode & 0o077 != 0 {
        format!("is open to others (mode {mode:o}): chmod 600")
    } else {
        return Ok(());
    };
    Err(io::Error::other(words))
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
