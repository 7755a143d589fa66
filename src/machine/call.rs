//! What becomes of the calls into a machine, and of calls of the user's own.

use core::fmt;

use crate::{Phase, Timestamp};

/// Whether news arrived in time; late news is normal and not an error.
///
/// Exhaustive on purpose: there is no third.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Handled {
    /// It was used.
    Used,
    /// It was about something that is over.
    Stale,
}

/// A mistake in the calling program, never one of the server or the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// No request of that id was ever issued by this session.
    UnknownId,
    /// The call goes to another origin than the session's: its tokens must not go there.
    ForeignHost,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownId => "no request of that id was ever issued by this session",
            Self::ForeignHost => "the call goes to another origin than the session's",
        })
    }
}

impl std::error::Error for Misuse {}

/// Why a call of the user's own cannot leave now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// There is no session for that call now.
    NotReady {
        /// Where the session stands.
        phase: Phase,
        /// The part of the provider that is not usable, where it has several.
        tier: Option<&'static str>,
        /// When it may be ready, where that is known: the end of a penalty box, which the text names, too.
        until: Option<Timestamp>,
    },
    /// The calling program's mistake.
    Misuse(Misuse),
    /// The call has a part that cannot be signed or resolved; the text names it.
    Unsignable(&'static str),
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady { until: Some(until), .. } => {
                write!(f, "the session is not ready: penalty box until {until} (too many requests)")
            }
            Self::NotReady { phase, tier: None, .. } => write!(f, "the session is not ready: {phase}"),
            Self::NotReady { phase, tier: Some(tier), .. } => write!(f, "the {tier} session is not ready: {phase}"),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Unsignable(part) => write!(f, "the call cannot be authorized: {part}"),
        }
    }
}

impl std::error::Error for AuthorizeError {}

impl From<Misuse> for AuthorizeError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

/// What a call of the user's own was authorized with; give it back with what the call got.
#[derive(Clone)]
pub struct Ticket {
    pub(crate) epoch: u64,
    pub(crate) life: u32,
    pub(crate) generation: u32,
    /// The method of the call.
    pub method: http::Method,
    /// The URI of the call.
    pub uri: http::Uri,
    /// The part of the provider that the call is for, where it has several.
    pub tier: Option<&'static str>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("method", &self.method)
            .field("path", &self.uri.path())
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}
