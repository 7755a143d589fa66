//! Files that are replaced as a whole: whoever is killed meanwhile leaves the old one or the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use tempfile::{Builder, NamedTempFile};

use crate::cli::own;

/// Puts a new file in the place of the old one, and gives it locked.
///
/// [`sync`] follows, once whoever calls has taken the file.
pub fn replace(path: &Path, text: &str) -> io::Result<File> {
    own::open(path)?;
    let put = || {
        let mut new = beside(path)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(path).map_err(|error| error.error)
    };
    // A process that starts meanwhile may take a file for a leftover before it is locked.
    put().or_else(|error| if error.kind() == io::ErrorKind::NotFound { put() } else { Err(error) })
}

/// Syncs the directory. Else the old file may be back after a crash of the machine.
pub fn sync(path: &Path) -> io::Result<()> {
    match File::open(directory(path))?.sync_all() {
        // Some file systems have nothing to sync here.
        Err(error) if error.kind() != io::ErrorKind::InvalidInput => Err(error),
        _ => Ok(()),
    }
}

/// Removes what killed processes have left beside a file, and looks whether one can be put there.
pub fn prepare(path: &Path) -> io::Result<()> {
    remove_leftovers(path);
    beside(path).map(drop)
}

/// Creates a file of a name that nobody else has, which is gone with this value and is locked as long as it is there.
fn beside(path: &Path) -> io::Result<NamedTempFile> {
    let mut prefix = path.file_name().unwrap_or_default().to_os_string();
    prefix.push(".");
    let new = Builder::new().prefix(&prefix).suffix(".new").tempfile_in(directory(path))?;
    own::lock(new.as_file());
    Ok(new)
}

fn remove_leftovers(path: &Path) {
    let Some(name) = path.file_name().and_then(|name| name.to_str()) else { return };
    for entry in fs::read_dir(directory(path)).into_iter().flatten().flatten() {
        let left = entry.file_name();
        let middle = left.to_str().and_then(|left| left.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(".new"));
        let ours = middle.is_some_and(|middle| middle.bytes().all(|byte| byte.is_ascii_alphanumeric()))
            && entry.metadata().is_ok_and(|data| data.is_file() && own::is_mine(&data));
        if ours
            && let Ok(file) = File::open(entry.path())
            && own::lock(&file)
        {
            let _ = fs::remove_file(entry.path());
        }
    }
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
