//! What a fleet gives, and what can be wrong with what it is given.

use core::fmt;
use std::sync::Arc;

use crate::{AuthorizeError, Machine, Misuse, Output, RequestId, Timestamp, WaitingOn};

/// What a driver has to do next, and for whom.
///
/// Exhaustive on purpose, as [`Output`] is.
#[derive(Debug)]
#[must_use = "an output that is not acted on stalls its session"]
#[expect(clippy::large_enum_variant, reason = "a request leaves by value; boxing it would cost an allocation a cycle")]
pub enum Turn<K> {
    /// A session's own output. A wait is given only with a need, once for each; the end is told once.
    Session(K, Output),
    /// A lane got a 429: nothing leaves through it before that time.
    Boxed {
        /// The name of the lane.
        lane: Arc<str>,
        /// When the box ends.
        until: Timestamp,
    },
    /// A session that a box kept silent was idled out by its server, as was to be expected. It opens
    /// again at the pace of openings, if its options let it.
    Dropped(K),
    /// A request is due that may not leave, for its answer could come after the lease; told once for each
    /// lease. Renew the lease or remove the session, whose snapshot somebody else may have by now.
    Lapsed(K),
    /// Nothing to do for any of them until then, or until something happens.
    Wait {
        /// When to call `poll` again at the latest; [`Timestamp::NEVER`] if nothing is due.
        until: Timestamp,
    },
}

/// Where a session is put.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub struct Place {
    /// The name of those who share the server's rate limits; [`Machine::limit_group`] if none is given.
    pub group: Option<Arc<str>>,
    /// The name of the way out of this network, such as an egress address, which servers put into their
    /// penalty boxes. A lane is kept once it has been named, since its box outlives its sessions.
    pub lane: Option<Arc<str>>,
}

impl Place {
    /// Names the limit group.
    #[must_use]
    pub fn group(self, name: impl Into<Arc<str>>) -> Self {
        Self { group: Some(name.into()), ..self }
    }

    /// Names the lane.
    #[must_use]
    pub fn lane(self, name: impl Into<Arc<str>>) -> Self {
        Self { lane: Some(name.into()), ..self }
    }
}

/// A session that was taken out of a fleet.
#[derive(Debug)]
#[must_use = "a session that is dropped is forgotten here and lives on at the server"]
#[non_exhaustive]
pub struct Removed<M> {
    /// The session, as it is.
    pub machine: M,
    /// The request that is under way for it; report its outcome to the machine, or nobody knows it.
    pub in_flight: Option<RequestId>,
}

impl<M: Machine> Removed<M> {
    pub(super) fn new(machine: M) -> Self {
        let in_flight = match machine.status().on {
            WaitingOn::Response(id) => Some(id),
            _ => None,
        };
        Self { machine, in_flight }
    }
}

/// The key belongs to another session of the fleet.
#[non_exhaustive]
pub struct KeyTaken<M> {
    /// The machine that was not taken.
    pub machine: M,
}

/// There is no session of that key in the fleet; it may have been removed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct UnknownKey;

/// Why the outcome of a request was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// There is no session of that key.
    UnknownKey,
    /// The calling program's mistake.
    Misuse(Misuse),
}

/// Why a call of the user's own cannot leave now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// There is no session of that key.
    UnknownKey,
    /// This process may not speak for the session any more.
    Lapsed,
    /// The session says so.
    Session(AuthorizeError),
}

impl<M> fmt::Debug for KeyTaken<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyTaken(..)")
    }
}

impl<M> fmt::Display for KeyTaken<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key belongs to another session of the fleet")
    }
}

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no session of that key in the fleet")
    }
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => UnknownKey.fmt(f),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownKey => UnknownKey.fmt(f),
            Self::Lapsed => f.write_str("the lease of the session is over"),
            Self::Session(error) => error.fmt(f),
        }
    }
}

impl<M> std::error::Error for KeyTaken<M> {}
impl std::error::Error for UnknownKey {}
impl std::error::Error for CallError {}
impl std::error::Error for Refusal {}

impl From<UnknownKey> for CallError {
    fn from(_: UnknownKey) -> Self {
        Self::UnknownKey
    }
}

impl From<Misuse> for CallError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<UnknownKey> for Refusal {
    fn from(_: UnknownKey) -> Self {
        Self::UnknownKey
    }
}

impl From<AuthorizeError> for Refusal {
    fn from(error: AuthorizeError) -> Self {
        Self::Session(error)
    }
}
