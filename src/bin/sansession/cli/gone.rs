//! Files that go with the tool, however it ends.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::cli::own;

/// Open, so that no other file gets the number of one of these.
static FILES: Mutex<Vec<(PathBuf, File)>> = Mutex::new(Vec::new());

/// Has a file removed at the end, unless another one has its name by then.
pub fn with_the_tool(path: &Path, file: File) {
    files().push((path.to_owned(), file));
}

/// Has a file stay.
pub fn stays(path: &Path) {
    files().retain(|(other, _)| other != path);
}

/// Removes them.
pub fn remove() {
    for (path, file) in files().drain(..) {
        if own::is_at(&file, &path) {
            let _ = fs::remove_file(path);
        }
    }
}

fn files() -> MutexGuard<'static, Vec<(PathBuf, File)>> {
    FILES.lock().unwrap_or_else(PoisonError::into_inner)
}
