//! A session as text, to be stored and resumed elsewhere.

use core::fmt;

use zeroize::Zeroize;

use crate::{CloseReason, Phase, Timestamp};

/// A session in any phase, as JSON text that is wiped on drop.
///
/// It holds tokens, but never a password, PIN, one-time code, key or seed. It is not `Serialize`:
/// [`Snapshot::expose_secrets`] is the one door. Store it where only the session's owner can read it.
pub struct Snapshot {
    text: String,
    /// Whether what is allocated beyond the text has never held anything: wiping it takes longer than writing the text.
    spare_is_clean: bool,
}

impl Snapshot {
    /// Takes a stored text back; [`Session::resume`](crate::Session::resume) checks it.
    pub fn from_text(text: impl Into<String>) -> Self {
        Self { text: text.into(), spare_is_clean: false }
    }

    /// Takes a text that was written at one go, into a buffer of its own.
    pub(crate) const fn written(text: String) -> Self {
        Self { text, spare_is_clean: true }
    }

    /// Shows the whole text, tokens included.
    pub fn expose_secrets(&self) -> &str {
        &self.text
    }
}

impl Drop for Snapshot {
    fn drop(&mut self) {
        if self.spare_is_clean {
            self.text.as_mut_str().zeroize();
        } else {
            self.text.zeroize();
        }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Snapshot({} bytes)", self.text.len())
    }
}

/// What a [`Snapshot`] says of its session, without its tokens: see [`Snapshot::summary`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Summary {
    /// The name of the provider, as [`Machine::provider`](crate::Machine::provider) returns it.
    pub provider: String,
    /// The base URL of the server.
    pub server: String,
    /// Where the session stood.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Since when it had been usable, recoveries included; `None` before and after.
    pub opened: Option<Timestamp>,
    /// Whether it was usable and its life was in doubt.
    pub suspect: bool,
    /// The last time the server proved that it lived.
    pub last_alive: Option<Timestamp>,
    /// Why it has ended, if it has.
    pub closed: Option<CloseReason>,
}

/// Why a snapshot is not resumed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ResumeError {
    /// The text is damaged or no snapshot at all.
    Damaged,
    /// The text was written by a later version of this crate.
    NewerFormat {
        /// The format that the text has.
        found: u32,
        /// The latest format that is known.
        known: u32,
    },
    /// The session is with another provider.
    WrongProvider {
        /// The provider of the snapshot.
        found: String,
    },
    /// The session is with another server.
    WrongServer {
        /// The server of the snapshot.
        found: String,
    },
    /// The session is of another account.
    WrongAccount,
    /// The session was made with another key.
    WrongKey,
    /// The session's tokens are bound to another way out of the network.
    WrongEgress,
    /// The session has been resumed with this fence or a later one already.
    OlderFence {
        /// The fence of the snapshot.
        found: u64,
        /// The fence that was given.
        given: u64,
    },
    /// The state names a host that must not get tokens, or holds a token that no header can carry.
    NotAdmitted(&'static str),
}

impl fmt::Display for ResumeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Damaged => f.write_str("the snapshot is damaged"),
            Self::NewerFormat { found, known } => {
                write!(f, "the snapshot has format {found}, this version knows up to {known}")
            }
            Self::WrongProvider { found } => write!(f, "the snapshot is of provider {found:?}"),
            Self::WrongServer { found } => write!(f, "the snapshot is of server {found:?}"),
            Self::WrongAccount => f.write_str("the snapshot is of another account"),
            Self::WrongKey => f.write_str("the snapshot was made with another key"),
            Self::WrongEgress => f.write_str("the session's tokens are bound to another way out of the network"),
            Self::OlderFence { found, given } => {
                write!(f, "the snapshot has fence {found}; the fence of a resume must be higher, not {given}")
            }
            Self::NotAdmitted(what) => write!(f, "the snapshot is not admitted: {what}"),
        }
    }
}

impl std::error::Error for ResumeError {}
