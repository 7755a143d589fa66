//! The saved session: readable by its owner only, replaced as a whole, and driven by one process at a time.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;
use sansession::Snapshot;
use serde::Deserialize;

use crate::cli::{gone, own, replace};

/// The file of a session, which no other process has as long as this value lives.
///
/// The lock is the file's own, since one beside it would be left over. It goes with the process, however that ends; a
/// new file is locked before it gets the name, so the name is never that of a file which nobody has.
pub struct Saved {
    path: PathBuf,
    file: Mutex<File>,
}

impl Saved {
    /// Takes the file of `--save`, or makes an empty one, which is gone at the end if nothing is saved.
    ///
    /// # Errors
    /// [`io::ErrorKind::ResourceBusy`] where another process has it; words where it holds something else than a saved
    /// session, or none can be put there.
    pub fn to_write(path: &Path) -> io::Result<Self> {
        let saved = loop {
            if let Some(saved) = Self::to_read(path)? {
                break saved;
            }
            match own::create(path) {
                Ok(file) => {
                    if let Some(saved) = Self::locked(path, file)? {
                        gone::with_the_tool(path, saved.file().try_clone()?);
                        break saved;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(error),
            }
        };
        match read(path) {
            Ok(text) if is_session(&text) => {}
            Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
            _ => return Err(io::Error::other("holds something else than a saved session, and is not overwritten")),
        }
        replace::prepare(path)?;
        Ok(saved)
    }

    /// Takes the file of `--resume`, if it is there.
    ///
    /// # Errors
    /// As [`Saved::to_write`].
    pub fn to_read(path: &Path) -> io::Result<Option<Self>> {
        while let Some(file) = own::open(path)? {
            let saved = Self::locked(path, file)?;
            if saved.is_some() {
                return Ok(saved);
            }
        }
        Ok(None)
    }

    /// Locks a file; `None` where it was replaced or removed before that.
    fn locked(path: &Path, file: File) -> io::Result<Option<Self>> {
        if !own::lock_soon(&file) {
            return Err(io::ErrorKind::ResourceBusy.into());
        }
        Ok(own::is_at(&file, path).then(|| Self { path: path.to_owned(), file: Mutex::new(file) }))
    }

    /// Returns its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reports whether another name is its own, too.
    pub fn is_at(&self, path: &Path) -> bool {
        own::is_at(&self.file(), path)
    }

    /// Writes a snapshot to a new file and puts that in its place.
    pub fn save(&self, snapshot: &Snapshot) -> io::Result<()> {
        let new = replace::replace(&self.path, snapshot.expose_secrets())?;
        *self.file() = new;
        gone::stays(&self.path);
        replace::sync(&self.path)
    }

    fn file(&self) -> MutexGuard<'_, File> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Reads a snapshot.
pub fn load(path: &Path) -> io::Result<Snapshot> {
    read(path).map(Snapshot::from_text)
}

/// Writes the proxy's secret, in the place of one that a killed process has left, and of nothing else.
pub fn write_secret(path: &Path, secret: &str) -> io::Result<()> {
    match read(path) {
        Ok(text) if !(text.trim().is_empty() || text.trim() == secret || is_random(text.trim())) => {
            return Err(io::Error::other("is there already and holds no secret of a proxy"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    gone::with_the_tool(path, replace::replace(path, &format!("{secret}\n"))?);
    replace::sync(path)
}

fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    own::open(path)?.ok_or(Errno::NOENT)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Reports whether a file may be overwritten: it holds a session, what an editor or a full disk has made of one, or nothing.
fn is_session(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Head {
        #[serde(rename = "format")]
        _format: u32,
        #[serde(rename = "provider")]
        _provider: String,
    }
    let begins = || text.chars().filter(|c| !c.is_whitespace()).take(10).eq(r#"{"format":"#.chars());
    text.trim().is_empty() || serde_json::from_str::<Head>(text).is_ok() || begins()
}

fn is_random(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}
