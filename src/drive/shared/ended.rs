//! How driving ended.

use core::fmt;
use std::io;

use crate::{CloseReason, Timestamp, machine::Advice};

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
    /// [`Unsupported`](io::ErrorKind::Unsupported) where the program stores none.
    Unsaved(io::ErrorKind),
    /// The driver was dropped: its task was aborted, its runtime is gone, or a callback panicked. The session is in
    /// the handle, and nobody looks after it.
    Abandoned,
}

impl Ended {
    /// Distinguishes an end that was wanted from one that was not: a logout that the server confirmed, and a session that was
    /// left open or alone, are no errors.
    ///
    /// # Errors
    /// Every other end.
    pub fn into_result(self) -> Result<(), Self> {
        match self {
            Self::Closed(CloseReason::LoggedOut { confirmed: true } | CloseReason::Left) | Self::Left => Ok(()),
            other => Err(other),
        }
    }

    /// Returns what the session's owner should do, given the time of the end, where the session has closed.
    ///
    /// Otherwise it is in the handle still: drive it on, or store its snapshot and resume that.
    pub fn advice(&self, ended_at: Timestamp) -> Option<Advice> {
        match self {
            Self::Closed(reason) => Some(reason.advice(ended_at)),
            _ => None,
        }
    }
}

/// The reason, and what to do.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed(reason) => match reason.advice(Timestamp::from_millis(0)) {
                Advice::Nothing => reason.fmt(f),
                advice => write!(f, "{reason}; {advice}"),
            },
            Self::Left => f.write_str("the session was left open"),
            Self::Unsaved(io::ErrorKind::Unsupported) => f.write_str(
                "the session is to be stored, and the program does not: implement `save`, or set `Options::forgetful`",
            ),
            Self::Unsaved(kind) => write!(f, "the snapshot could not be stored: {kind}"),
            Self::Abandoned => f.write_str("nobody drives the session any more: its driver was dropped"),
        }
    }
}

impl std::error::Error for Ended {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NeedKind, machine::Denial};

    #[test]
    fn an_end_says_why_and_what_to_do() {
        let refused = Ended::Closed(CloseReason::Denied(Denial::Refused { kind: NeedKind::Credentials }));
        assert_eq!(
            refused.to_string(),
            "the server refused the credentials; fix this before the next login, which would fail as well and may lock the account"
        );
        assert_eq!(refused.advice(Timestamp::from_millis(0)), Some(Advice::FixFirst));
        assert_eq!(refused.clone().into_result(), Err(refused));
        let out = |confirmed| Ended::Closed(CloseReason::LoggedOut { confirmed });
        assert_eq!(out(true).to_string(), "logged out");
        assert_eq!(out(true).into_result(), Ok(()));
        assert_eq!(out(false).into_result(), Err(out(false)));
        assert_eq!(Ended::Left.into_result(), Ok(()));
        assert_eq!(Ended::Left.advice(Timestamp::from_millis(0)), None);
        assert_eq!(Ended::Abandoned.into_result(), Err(Ended::Abandoned));
    }
}
