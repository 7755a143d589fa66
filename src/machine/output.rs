//! What a driver has to do next.

use core::time::Duration;

#[cfg(doc)]
use crate::Machine;
use crate::{CloseReason, Event, Need, Outgoing, RequestId, Timestamp};

/// A request that leaves with the next [`Machine::poll`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Upcoming {
    /// The longest that its answer may take: [`SendPolicy::timeout`](crate::machine::SendPolicy::timeout), or more.
    pub timeout: Duration,
    /// What it is for.
    pub errand: Purpose,
}

/// What a request is for: what of it may wait, when many sessions want to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// To open the session, or to look whether it can be opened.
    Open,
    /// To renew its tokens, or to look whether it lives at an instant at which many end.
    Renew,
    /// To keep it alive, or to look whether it lives.
    Keep,
    /// To end it.
    Leave,
}

/// What a driver has to do next.
///
/// Exhaustive on purpose: a driver must act on each of them, so another one is a breaking change.
#[derive(Debug)]
#[must_use = "an output that is not acted on stalls the session"]
#[expect(clippy::large_enum_variant, reason = "a request leaves by value; boxing it would cost an allocation a cycle")]
pub enum Output {
    /// Send this request and report its id once.
    Send(Outgoing),
    /// Store [`Machine::snapshot`] before the next `poll`; with [`Options::durable`](crate::Options::durable), and where a
    /// provider [rotates](crate::provider::Identity::rotates) tokens: first of all, and around the steps that do.
    Save,
    /// Nothing to do until then, or until something happens.
    Wait {
        /// When to call `poll` again at the latest; [`Timestamp::NEVER`] if only an input or a response helps.
        until: Timestamp,
        /// What the session waits for.
        on: WaitingOn,
    },
    /// Something happened that somebody may want to know.
    Event(Event),
    /// Advice: the answer to this request is no longer waited for. One that came for a token that serves once is taken all
    /// the same.
    Cancel(RequestId),
    /// The session has ended; every further `poll` says so again.
    Closed(CloseReason),
}

/// What a session waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WaitingOn {
    /// [`Machine::start`] has not been called.
    Start,
    /// The answer to this request.
    Response(RequestId),
    /// A person or a secret store: answer with [`Machine::handle_input`].
    Need(Need),
    /// The next keepalive is not due yet.
    Keepalive,
    /// The renewal of the tokens is not due yet, or the look at an instant at which sessions of that provider end.
    Renewal,
    /// The tokens' known end; there is nothing to keep alive.
    Expiry,
    /// The next step of the protocol has its time.
    Pause,
    /// The next attempt after a failure.
    Retry,
    /// The end of a penalty box or of a `Retry-After`, see [`Event::Penalty`](crate::Event::Penalty).
    Hold,
    /// Nothing: the provider names no end and wants no keepalive.
    Nothing,
}

impl WaitingOn {
    /// Returns a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Response(_) => "response",
            Self::Need(_) => "need",
            Self::Keepalive => "keepalive",
            Self::Renewal => "renewal",
            Self::Expiry => "expiry",
            Self::Pause => "pause",
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Nothing => "nothing",
        }
    }
}
