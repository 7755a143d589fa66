//! The requests of a protocol, and how the engine treats each.

use core::fmt::Debug;
use core::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::machine::backoff::Backoff;
use crate::{NeedKind, Phase};

/// A request of a protocol: any type that can be copied, compared, shown and stored, such as an enum without fields.
pub trait Step: Copy + Eq + Debug + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Copy + Eq + Debug + Serialize + DeserializeOwned + Send + 'static> Step for T {}

/// How the engine treats a step, see [`Provider::rule`](super::Provider::rule).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Rule {
    /// The name that drivers and logs see, such as `login`.
    pub name: &'static str,
    /// Where the session stands while this step runs; `None` leaves it where it is.
    pub phase: Option<Phase>,
    /// What may follow where it is unknown whether the request arrived.
    pub replay: Replay,
    /// The kinds of answers that this step uses up; it leaves only with all of them in hand.
    pub spends: &'static [NeedKind],
    /// The kinds of answers that leave with it as well, and stay in hand for a later step where it succeeds.
    pub carries: &'static [NeedKind],
    /// Whether the server takes what this step sends only once and gives another one for it, as it does with a refresh token
    /// that rotates: the session is saved before it leaves and when its answer has come, whether or not it is
    /// [durable](crate::Options::durable).
    pub rotates: bool,
    /// Whether the request may leave a session at the server: a logout waits for its answer, and one
    /// whose fate stays unknown is told as [`Event::MayLiveOn`](crate::Event::MayLiveOn).
    pub opens: bool,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How fast its requests follow each other.
    pub pace: Pace,
}

/// How fast the requests of a step follow each other, see [`Rule::pace`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Pace {
    /// The pace of further attempts.
    pub backoff: Backoff,
    /// The shortest time between two requests of this step, whatever happens in between; zero for none. Calls of the
    /// user's own that [repeat](super::Target::repeats) it count, and have as long again for the next of theirs.
    pub min_interval: Duration,
    /// Whether each further request of this step before the session is usable waits its
    /// [`backoff`](Pace::backoff), also where other steps came in between.
    pub escalates: bool,
    /// Whether a 429 to it holds back the session's own requests alone, since the server limits each of its APIs
    /// for itself; see [`Target::api`](super::Target::api).
    pub own_limit: bool,
}

impl Rule {
    /// Creates a rule for a request that may be sent again freely, with 10 s to answer.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            phase: None,
            replay: Replay::Safe,
            spends: &[],
            carries: &[],
            rotates: false,
            opens: false,
            timeout: Duration::from_secs(10),
            pace: Pace {
                backoff: Backoff::new(Duration::from_secs(2), Duration::from_secs(60), 8),
                min_interval: Duration::ZERO,
                escalates: false,
                own_limit: false,
            },
        }
    }

    /// Sets the phase.
    #[must_use]
    pub const fn phase(self, phase: Phase) -> Self {
        Self { phase: Some(phase), ..self }
    }

    /// Sets what may follow where it is unknown whether the request arrived.
    #[must_use]
    pub const fn replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    /// Sets the kinds of answers that are used up; their fate is never to be guessed, so replay is [`Replay::Never`].
    #[must_use]
    pub const fn spends(self, kinds: &'static [NeedKind]) -> Self {
        Self { spends: kinds, replay: Replay::Never, ..self.escalates() }
    }

    /// Sets the kinds of answers that a later step needs once more, such as a password that goes along with the code for a new
    /// device; replay is [`Replay::Never`] as well.
    #[must_use]
    pub const fn carries(self, kinds: &'static [NeedKind]) -> Self {
        Self { carries: kinds, replay: Replay::Never, ..self.escalates() }
    }

    /// Declares that the server takes what it sends only once and gives another one for it. A request whose fate is unknown must not
    /// be repeated with the old one, so replay is [`Replay::Never`].
    #[must_use]
    pub const fn rotates(self) -> Self {
        Self { rotates: true, replay: Replay::Never, ..self }
    }

    /// Returns the kinds of all answers that leave with it.
    pub fn takes(&self) -> impl Iterator<Item = NeedKind> + use<> {
        self.spends.iter().chain(self.carries).copied()
    }

    /// Sets how long the answer may take.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the pace of further attempts.
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { pace: Pace { backoff, ..self.pace }, ..self }
    }

    /// Sets the shortest time between two requests of this step.
    #[must_use]
    pub const fn min_interval(self, min_interval: Duration) -> Self {
        Self { pace: Pace { min_interval, ..self.pace }, ..self }
    }

    /// Declares that the request may leave a session at the server.
    #[must_use]
    pub const fn opens(self) -> Self {
        Self { opens: true, ..self }
    }

    /// Declares that a 429 holds back the session's own requests alone.
    #[must_use]
    pub const fn own_limit(self) -> Self {
        Self { pace: Pace { own_limit: true, ..self.pace }, ..self }
    }

    /// Makes each further request wait its backoff until the session is usable.
    #[must_use]
    pub const fn escalates(self) -> Self {
        Self { pace: Pace { escalates: true, ..self.pace }, ..self }
    }
}

impl Pace {
    /// Reports whether the requests keep a distance from each other.
    pub(crate) const fn is_kept(&self) -> bool {
        self.escalates || !self.min_interval.is_zero()
    }

    /// Reports whether these distances are to be remembered. Those of two seconds or less are kept by the pauses between
    /// requests, and matter only beside calls of the user's own.
    pub(crate) const fn is_remembered(&self) -> bool {
        self.escalates || self.min_interval.as_millis() > 2_000
    }
}

/// What may follow where it is unknown whether a request arrived.
///
/// Together with where the session stands and what became of the request it decides what the engine does:
///
#[doc = include_str!("../engine/after.md")]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Replay {
    /// Send it again: it changes nothing that its first arrival has not changed.
    Safe,
    /// Ask the server how things stand first.
    Probe,
    /// Do not send it again by itself: what follows from [`Outcome::Lost`](super::Outcome::Lost) says how to go on.
    Never,
}
