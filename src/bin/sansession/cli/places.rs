//! Where profiles and sessions are: below the directories that XDG names.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::cli::Usage;

/// Where one profile's session is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Place {
    pub name: String,
    /// What is done there.
    pub verb: String,
    /// The saved session.
    pub session: PathBuf,
    /// Who has it.
    pub lock: PathBuf,
    /// Where that process takes calls of others.
    pub socket: PathBuf,
}

impl Place {
    /// Finds the place of a profile.
    ///
    /// # Errors
    /// A name that can be no part of a file's name, or no directory to look in.
    pub fn of(name: &str, verb: &str) -> Result<Self, Usage> {
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '@');
        if name.is_empty() || name.len() > 64 || name.starts_with(['.', '-']) || !name.chars().all(fits) {
            return Err(Usage(format!(
                "{name:?} is not the name of a profile: letters, digits, `-`, `_`, `.` and `@`, at most 64"
            )));
        }
        let directory = sessions()?;
        let file = |kind: &str| directory.join(format!("{name}.{kind}"));
        let (session, lock, socket) = (file("session"), file("lock"), file("socket"));
        Ok(Self { name: name.to_owned(), verb: verb.to_owned(), session, lock, socket })
    }

    /// Creates the directory of the sessions, which nobody else may look into.
    pub fn prepare(&self) -> io::Result<()> {
        let Some(directory) = self.session.parent() else { return Ok(()) };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", directory.display()));
        DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(named)?;
        let mode = fs::metadata(directory).map_err(named)?.permissions().mode();
        if mode & 0o077 != 0 {
            fs::set_permissions(directory, Permissions::from_mode(0o700)).map_err(named)?;
        }
        Ok(())
    }
}

/// Names the file with the profiles.
pub fn profiles() -> Result<PathBuf, Usage> {
    Ok(directory("XDG_CONFIG_HOME", ".config")?.join("sansession/profiles.toml"))
}

/// Names the directory with the sessions.
pub fn sessions() -> Result<PathBuf, Usage> {
    Ok(directory("XDG_STATE_HOME", ".local/state")?.join("sansession"))
}

/// Returns the user's home.
pub fn home() -> Option<PathBuf> {
    absolute("HOME")
}

fn directory(variable: &str, below_home: &str) -> Result<PathBuf, Usage> {
    absolute(variable)
        .or_else(|| home().map(|home| home.join(below_home)))
        .ok_or_else(|| Usage(format!("neither {variable} nor HOME names a directory")))
}

/// The specification has a relative path ignored.
fn absolute(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute())
}

/// Shows a path below the user's home as shells write it.
pub fn shown(path: &Path) -> String {
    match home().and_then(|home| path.strip_prefix(home).map(Path::to_owned).ok()) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}
