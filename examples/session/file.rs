//! The saved session: readable by its owner only, replaced as a whole.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use sansession::Snapshot;

/// Writes a snapshot to a new file beside `path` and puts that in its place.
pub fn save(path: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let beside = beside(path);
    let written = create(&beside).and_then(|mut file| {
        file.write_all(snapshot.expose_secrets().as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    });
    if written.is_err() {
        // A part of a session is of no use, and it holds tokens.
        let _ = fs::remove_file(&beside);
    }
    written
}

/// Looks whether a snapshot can be written, before there is one that must be.
pub fn check(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let beside = beside(path);
    create(&beside).and_then(|_| fs::remove_file(&beside))
}

/// Writes a text that only its owner may read.
pub fn write(path: &Path, text: &str) -> io::Result<()> {
    create(path)?.write_all(text.as_bytes())
}

/// Reads a snapshot.
pub fn load(path: &Path) -> io::Result<Snapshot> {
    fs::read_to_string(path).map(Snapshot::from_text)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.new", std::process::id()));
    path.with_file_name(name)
}

fn create(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            // Left by a process of the same number that was killed.
            fs::remove_file(path)?;
            options.open(path)
        }
        opened => opened,
    }
}
