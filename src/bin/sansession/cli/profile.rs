//! Profiles: a name for a provider with its options, in one TOML file without secrets.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::ValueHint;
use toml::de::{DeTable, DeValue};

use crate::cli::names::{self, Kind};
use crate::cli::variables::Value;
use crate::cli::{Usage, options, own, parse, places};

/// What a run is told on its command line and nowhere else.
const OF_THE_LINE: [&str; 8] = ["again", "exec", "for", "json", "print-ca", "resume", "save", "verbose"];

/// A profile that can be used.
#[derive(Debug)]
pub struct Profile {
    /// The provider and its options, as the command line has them.
    pub words: Vec<OsString>,
    /// What the environment would have.
    pub variables: BTreeMap<String, Value>,
    /// Where it is: `FILE:LINE`.
    pub at: String,
}

/// The file of the profiles.
pub struct Profiles {
    path: PathBuf,
    text: String,
}

impl Profiles {
    /// Reads the file for a session.
    ///
    /// # Errors
    /// As [`Profiles::read`], and where strangers may write to it.
    pub fn trusted() -> Result<Self, Usage> {
        let path = places::profiles()?;
        match own::is_written_by_its_user(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Usage(format!("{}: {error}", path.display())))
            }
            _ => Self::read(),
        }
    }

    /// Reads the file.
    ///
    /// # Errors
    /// Where it is not there, with what could be in it.
    pub fn read() -> Result<Self, Usage> {
        let path = places::profiles()?;
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Self { path, text }),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(Usage(format!(
                "there are no profiles: {} is not there. A profile in it is as\n\n{EXAMPLE}\n",
                places::shown(&path)
            ))),
            Err(error) => Err(Usage(format!("{}: {error}", path.display()))),
        }
    }

    /// Returns the names of all profiles.
    pub fn names(&self) -> Result<Vec<String>, Usage> {
        Ok(self.table()?.keys().map(|name| name.get_ref().to_string()).collect())
    }

    /// Returns the file's path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Finds a profile.
    ///
    /// # Errors
    /// By file and line: a secret, an unknown key, a value that cannot be read.
    pub fn find(&self, name: &str) -> Result<Profile, Usage> {
        let table = self.table()?;
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            return Err(self.unknown(name)?);
        };
        let DeValue::Table(entries) = value.get_ref() else {
            return Err(Usage(format!("{}: {name} is no table: [{name}] begins a profile", self.at(key.span().start))));
        };
        let mut profile = Profile { words: Vec::new(), variables: BTreeMap::new(), at: self.at(key.span().start) };
        let mut provider = None;
        for (key, value) in entries {
            let at = self.at(key.span().start);
            let key = key.get_ref().replace('_', "-");
            if key == "provider" {
                let name = text(value.get_ref()).ok_or_else(|| Usage(format!("{at}: provider is a text")))?;
                options::readable(&[OsString::from(&name)]).map_err(|error| Usage(format!("{at}: {error}")))?;
                provider = Some(OsString::from(name));
            } else {
                self.take(&mut profile, &at, &key, value.get_ref())?;
            }
        }
        let provider = provider.ok_or_else(|| Usage(format!("{}: [{name}] has no `provider`", profile.at)))?;
        profile.words.insert(0, provider);
        Ok(profile)
    }

    /// Takes a key other than the provider.
    fn take(&self, profile: &mut Profile, at: &str, key: &str, value: &DeValue<'_>) -> Result<(), Usage> {
        let wrong = |words: &str| Usage(format!("{at}: `{key}` {words}"));
        if OF_THE_LINE.contains(&key) {
            return Err(wrong("belongs on the command line, not into a profile"));
        }
        let definition = parse::definition();
        let option =
            definition.get_arguments().find(|arg| arg.get_long() == Some(key) && !options::is_of_simulators(arg));
        if let Some(option) = option {
            if !option.get_action().takes_values() {
                return match value {
                    DeValue::Boolean(true) => self.add(profile, at, OsString::from(format!("--{key}"))),
                    DeValue::Boolean(false) => Ok(()),
                    _ => Err(wrong("is true or false")),
                };
            }
            let several = match value {
                DeValue::Array(values) => values.iter().map(|value| text(value.get_ref())).collect(),
                one => text(one).map(|one| vec![one]),
            };
            for text in several.ok_or_else(|| wrong("is a text or a number"))? {
                let mut word = OsString::from(format!("--{key}="));
                match option.get_value_hint() {
                    ValueHint::FilePath => word.push(self.file(&text)),
                    _ => word.push(text),
                }
                self.add(profile, at, word)?;
            }
            return Ok(());
        }
        match (names::kind(key), text(value)) {
            (Some(Kind::Secret(variable)), _) => Err(wrong(&format!(
                "is a secret, and this file holds none: `{key}-file = \"PATH\"` names a file that only you may read, or set {variable} or {variable}_FILE, or leave it out and be asked"
            ))),
            (Some(_), None) => Err(wrong("is a text")),
            (Some(Kind::Plain(variable)), Some(text)) => {
                profile.variables.insert(variable, Value::Text(text));
                Ok(())
            }
            (Some(Kind::File(variable)), Some(text)) => {
                let value = Value::File { path: self.file(&text), named_at: at.to_owned() };
                profile.variables.insert(variable, value);
                Ok(())
            }
            (None, _) => {
                let known = definition.get_arguments().filter_map(clap::Arg::get_long).map(ToOwned::to_owned);
                let known = known.filter(|known| !OF_THE_LINE.contains(&known.as_str())).chain(names::keys());
                let meant = names::nearest(key, known.chain(["provider".to_owned()]));
                let meant = meant.map_or(String::new(), |meant| format!("; is `{meant}` meant?"));
                Err(wrong(&format!("is no key of a profile{meant}")))
            }
        }
    }

    /// Adds an option that can be read.
    fn add(&self, profile: &mut Profile, at: &str, word: OsString) -> Result<(), Usage> {
        options::readable(std::slice::from_ref(&word)).map_err(|error| Usage(format!("{at}: {error}")))?;
        profile.words.push(word);
        Ok(())
    }

    /// Resolves a path: `~/` is the user's home, and others begin where the profiles are.
    fn file(&self, text: &str) -> PathBuf {
        match (text.strip_prefix("~/"), places::home()) {
            (Some(below), Some(home)) => home.join(below),
            _ => self.path.parent().unwrap_or(Path::new("")).join(text),
        }
    }

    fn table(&self) -> Result<DeTable<'_>, Usage> {
        match DeTable::parse(&self.text) {
            Ok(table) => Ok(table.into_inner()),
            Err(error) => {
                let at = self.at(error.span().map_or(0, |span| span.start));
                // Its own text would show the line, and with it what may be a secret.
                Err(Usage(format!("{at}: {}", error.message())))
            }
        }
    }

    /// Names a place in the file.
    fn at(&self, offset: usize) -> String {
        let line = 1 + self.text.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        format!("{}:{line}", self.path.display())
    }

    fn unknown(&self, name: &str) -> Result<Usage, Usage> {
        let names = self.names()?;
        let meant = names::nearest(name, names.iter().cloned());
        let meant = meant.map_or(String::new(), |meant| format!("; is {meant} meant?"));
        let known = if names.is_empty() { "holds none".into() } else { format!("has {}", names.join(", ")) };
        Ok(Usage(format!("there is no profile {name}{meant} ({} {known})", places::shown(&self.path))))
    }
}

const EXAMPLE: &str = "\
[portal]
provider = \"cbrain\"
url = \"https://portal.example.org\"
user = \"norm\"
password-file = \"portal.password\"    # beside this file, chmod 600";

/// Reads a scalar as the command line would have it.
fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        _ => None,
    }
}
