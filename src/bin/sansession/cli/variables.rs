//! What is read by name: from the environment, from the file that it names, or from what a profile names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use sansession::Secret;

use crate::cli::{Usage, names, own};

/// What the profile in use names; the environment comes before it.
static PROFILE: Mutex<BTreeMap<String, Value>> = Mutex::new(BTreeMap::new());

/// A value that a profile names, and where it does: `FILE:LINE`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Value {
    Text(String),
    File { path: PathBuf, named_at: String },
}

/// Has variables come from a profile where the environment has none.
pub fn set(values: BTreeMap<String, Value>) {
    *profile() = values;
}

/// Takes a variable out of what the profile names.
pub fn forget(name: &str) {
    profile().remove(name);
}

/// Returns the files that the profile in use names.
pub fn files() -> Vec<PathBuf> {
    let file = |value: &Value| if let Value::File { path, .. } = value { Some(path.clone()) } else { None };
    profile().values().filter_map(file).collect()
}

/// Names the variables that the environment has, too.
pub fn both() -> Vec<String> {
    let is_set =
        |name: &&String| [(*name).clone(), format!("{name}_FILE")].iter().any(|name| std::env::var_os(name).is_some());
    profile().keys().filter(is_set).cloned().collect()
}

/// Reads a secret from `NAME`, from the file that `NAME_FILE` names, or as the profile says.
pub fn variable(name: &str) -> Result<Option<Secret>, Usage> {
    let file = format!("{name}_FILE");
    match (std::env::var(name), std::env::var_os(&file)) {
        (Ok(_), Some(_)) => Err(Usage(format!("{name} and {file} are both set: which one?"))),
        (Ok(value), None) => Ok(Some(Secret::new(value))),
        (Err(std::env::VarError::NotUnicode(_)), _) => Err(Usage(format!("{name} is no Unicode text"))),
        (Err(_), Some(path)) => {
            let path = Path::new(&path);
            if !names::is_plain(name) {
                warn(&file, path);
            }
            text_of(&file, path).map(Some)
        }
        (Err(_), None) => of_profile(name),
    }
}

/// Tells, once, of a secret's file that others may read. Only a profile's is refused, since such variables are older than this
/// look.
fn warn(named_at: &str, path: &Path) {
    let is_plain = std::fs::metadata(path).is_ok_and(|data| data.is_file());
    if let Some(error) = own::is_closed_to_others(path).err().filter(|_| is_plain)
        && told().insert(path.to_owned())
    {
        eprintln!("sansession: {named_at}: {} {error}", path.display());
    }
}

fn told() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static TOLD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    TOLD.lock().unwrap_or_else(PoisonError::into_inner)
}

fn of_profile(name: &str) -> Result<Option<Secret>, Usage> {
    let value = profile().get(name).cloned();
    match value {
        None => Ok(None),
        Some(Value::Text(text)) => Ok(Some(text.into())),
        Some(Value::File { path, named_at }) => {
            own::is_closed_to_others(&path)
                .map_err(|error| Usage(format!("{named_at}: {}: {error}", path.display())))?;
            text_of(&named_at, &path).map(Some)
        }
    }
}

fn text_of(named_at: &str, path: &Path) -> Result<Secret, Usage> {
    let mut text =
        std::fs::read_to_string(path).map_err(|error| Usage(format!("{named_at}: {}: {error}", path.display())))?;
    // Editors end a file with a newline that is no part of the secret.
    let end = text.trim_end_matches(['\r', '\n']).len();
    text.truncate(end);
    Ok(Secret::new(text))
}

fn profile() -> MutexGuard<'static, BTreeMap<String, Value>> {
    PROFILE.lock().unwrap_or_else(PoisonError::into_inner)
}
