//! How driving ended.

use core::fmt;
use std::io;

use crate::CloseReason;

/// How driving ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "why a session has closed tells what to do next"]
#[non_exhaustive]
pub enum Ended {
    /// The session has closed.
    Closed(CloseReason),
    /// [`Stop::Leave`](super::Stop::Leave) was asked for; the session is open and in the handle.
    Left,
    /// A snapshot could not be stored; what had to be saved first has not been sent, and the session is in the handle.
    Unsaved(io::ErrorKind),
    /// The driver was dropped: its task was aborted, its runtime is gone, or a callback panicked. The session is in
    /// the handle, and nobody looks after it.
    Abandoned,
}

impl Ended {
    /// Tells an end that was wanted from one that was not: a logout that the server confirmed, and a session that was
    /// left open, are no errors.
    ///
    /// # Errors
    /// Every other end.
    pub fn into_result(self) -> Result<(), Self> {
        match self {
            Self::Closed(CloseReason::LoggedOut { confirmed: true }) | Self::Left => Ok(()),
            other => Err(other),
        }
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => reason.fmt(f),
            Self::Left => f.write_str("the session was left open"),
            Self::Unsaved(kind) => write!(f, "the snapshot could not be stored: {kind}"),
            Self::Abandoned => f.write_str("nobody drives the session any more: its driver was dropped"),
        }
    }
}

impl std::error::Error for Ended {}
