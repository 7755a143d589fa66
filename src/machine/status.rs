//! Where a session stands.

use core::fmt;

use serde::{Deserialize, Serialize};

#[cfg(doc)]
use crate::Event;
use crate::{Timestamp, WaitingOn};

/// Where a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// Not started.
    Idle,
    /// Looking what is there, or setting up what comes before or after a login.
    Opening,
    /// The first factor: credentials or a browser.
    LoggingIn,
    /// The second factor: a code or a PIN.
    SecondFactor,
    /// Usable; also while it is suspect.
    Active,
    /// Ending.
    LoggingOut,
    /// Ended.
    Closed,
}

impl Phase {
    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::LoggingIn => "logging-in",
            Self::SecondFactor => "second-factor",
            Self::Active => "active",
            Self::LoggingOut => "logging-out",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a health check wants to know of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Where the session stands.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Whether the session was usable and its life is in doubt now.
    pub suspect: bool,
    /// Whether the login lives and no usable session comes of it, see [`Event::Stuck`].
    pub stuck: bool,
    /// The end of the penalty box that the session is in: until then neither the session nor calls of the user's own
    /// send anything, however healthy it is otherwise.
    pub penalty: Option<Timestamp>,
    /// The last time the server proved that the session lives.
    pub last_alive: Option<Timestamp>,
    /// When something is due next.
    pub deadline: Timestamp,
    /// What it waits for.
    pub on: WaitingOn,
}
