//! The files of one run: where its session comes from, and where it goes.

use std::io;
use std::path::Path;

use sansession::Snapshot;

use crate::cli::args::Args;
use crate::cli::file::Saved;

/// The files of `--save` and `--resume`, which no other process has meanwhile.
#[derive(Default)]
pub struct Files {
    save: Option<Saved>,
    /// The other one, if it is another.
    resume: Option<Saved>,
    /// Nothing could be written to the file of `--save`.
    failed: bool,
}

/// Why a run does not begin.
pub enum Refused {
    /// Another process has a file. It may be over in a moment.
    InUse(String),
    /// A file cannot be used.
    Unusable(String),
}

impl Files {
    /// Takes the files that the command line names.
    ///
    /// # Errors
    /// [`Refused`], in words that name option and file.
    pub fn claim(args: &Args) -> Result<Self, Refused> {
        let refused = |option: &str, path: &Path, error: io::Error| {
            let name = format!("{option} {}", path.display());
            if error.kind() == io::ErrorKind::ResourceBusy {
                return Refused::InUse(format!("{name}: is in use by another process, which drives its session"));
            }
            Refused::Unusable(format!("{name}: {error}"))
        };
        let mut files = Self::default();
        if let Some(path) = &args.save {
            files.save = Some(Saved::to_write(path).map_err(|error| refused("--save", path, error))?);
        }
        if let Some(path) = args.resume.as_ref().filter(|path| !files.saves_to(path)) {
            files.resume = Saved::to_read(path).map_err(|error| refused("--resume", path, error))?;
        }
        Ok(files)
    }

    /// Reports whether there is a file of `--save`.
    pub const fn saves(&self) -> bool {
        self.save.is_some()
    }

    /// Reports whether that is a name of the file of `--save`.
    pub fn saves_to(&self, path: &Path) -> bool {
        self.save.as_ref().is_some_and(|save| save.is_at(path))
    }

    /// Writes a session where it is to be saved; tells whether that is anywhere.
    ///
    /// # Errors
    /// In words that name the file.
    pub fn save(&self, snapshot: &Snapshot) -> io::Result<bool> {
        match &self.save {
            Some(save) if !self.failed => {
                save.save(snapshot).map_err(|error| named("--save", save, "", error))?;
                Ok(true)
            }
            _ => Ok(false),
        }
    }

    /// Writes the end of a session where it came from: the next process would go on with one that is over.
    ///
    /// # Errors
    /// As [`Files::save`].
    pub fn save_end(&self, snapshot: &Snapshot) -> io::Result<()> {
        match &self.resume {
            Some(resume) if self.save.is_none() => {
                resume.save(snapshot).map_err(|error| named("--resume", resume, "its end cannot be written: ", error))
            }
            _ => Ok(()),
        }
    }

    /// Nothing is written until the end, and the files stay those of this process.
    pub const fn fail(&mut self) {
        self.failed = true;
    }

    /// Tries once more to write a session that is over; tells whether that was possible.
    pub fn save_after_all(&self, snapshot: &Snapshot) -> bool {
        self.save.as_ref().is_some_and(|save| save.save(snapshot).is_ok())
    }
}

fn named(option: &str, file: &Saved, what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("{option} {}: {what}{error}", file.path().display()))
}
