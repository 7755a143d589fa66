//! A line of the agenda, and what it is for.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::provider::When;
use crate::time::Interval;

/// The shortest time between two requests that come again and again.
const SHORTEST: Duration = Duration::from_secs(1);

/// What a plan is for. Of two that are due at once, the earlier one here comes first. Snapshots have these names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in super::super) enum Slot {
    /// The known end of the tokens passes.
    Expiry,
    /// The next step of the protocol, or a further attempt at one.
    Next,
    /// A question about bytes that have grown old is asked again.
    Question,
    /// Something is renewed: there is one entry for each step.
    Renew,
    /// Somebody wants to know whether the session lives.
    Check,
    /// Checks whether a question has answered itself.
    Look,
    /// Keeps the session alive.
    Keepalive,
}

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in super::super) struct Entry<S> {
    pub(in super::super) slot: Slot,
    /// None for what sends nothing, and for a check, whose step the state tells.
    pub(in super::super) step: Option<S>,
    /// Whether a server named the instant, which the clock does not move.
    pub(in super::super) named: bool,
    /// How often it comes again; zero for once.
    pub(in super::super) every: Interval,
    pub(in super::super) at: Timestamp,
    /// The next attempt after a failure.
    pub(in super::super) retry: Option<Timestamp>,
    /// Whether its step has left and it is not known yet what became of it, for a renewal.
    pub(in super::super) away: bool,
}

impl<S> Entry<S> {
    pub(in super::super) const fn once(slot: Slot, step: Option<S>, at: Timestamp) -> Self {
        Self { slot, step, named: false, every: Interval::from_millis(0), at, retry: None, away: false }
    }

    /// Returns when it is due.
    pub(in super::super) fn due(&self) -> Timestamp {
        match (self.slot, self.retry) {
            // A failed keepalive does not push the next one out.
            (Slot::Keepalive, Some(retry)) => retry.min(self.at),
            (_, retry) => retry.unwrap_or(self.at),
        }
    }

    /// What is done at an instant, or after so long.
    pub(in super::super) fn when(now: Timestamp, slot: Slot, step: Option<S>, when: When) -> Self {
        match when {
            When::At(at) => Self { named: true, ..Self::once(slot, step, at) },
            When::In(after) => Self::once(slot, step, now + after),
        }
    }

    /// What is done every so often, counted from then.
    pub(in super::super) fn every(slot: Slot, step: S, every: Duration, from: Timestamp) -> Self {
        let every = Interval::from(every.max(SHORTEST));
        Self { every, ..Self::once(slot, Some(step), from + every) }
    }

    pub(in super::super) const fn comes_again(&self) -> bool {
        self.every.as_millis() > 0
    }

    /// Begins to count again.
    pub(super) fn restart(&mut self, from: Timestamp) {
        self.at = from + self.every;
        self.retry = None;
    }

    /// Counts from later on, but by no more than a quarter of its interval.
    pub(super) fn count_from(&mut self, now: Timestamp, later: Duration) {
        self.at = now + (Duration::from(self.every) / 4).min(later) + self.every;
    }

    /// Does not come before.
    pub(super) fn wait_until(&mut self, at: Timestamp) {
        self.at = self.at.max(at);
    }

    /// Tries once more then.
    pub(super) const fn try_at(&mut self, at: Timestamp) {
        (self.retry, self.away) = (Some(at), false);
    }

    /// Puts a further attempt off, or a look that somebody asked for.
    pub(super) fn put_off(&mut self, earliest: Timestamp) {
        match &mut self.retry {
            Some(retry) => *retry = (*retry).max(earliest),
            None if self.slot == Slot::Check => self.wait_until(earliest),
            None => {}
        }
    }

    /// Brings a further attempt forward; tells whether that is sooner.
    pub(super) fn hasten(&mut self, at: Timestamp) -> bool {
        let sooner = self.retry.is_some_and(|retry| at < retry);
        if sooner {
            (self.at, self.retry) = (at, Some(at));
        }
        sooner
    }

    /// Its step leaves; what has left in its own time is not due once more.
    pub(super) const fn send_away(&mut self, in_time: bool) {
        if in_time {
            (self.at, self.named) = (Timestamp::NEVER, true);
        }
        (self.away, self.retry) = (true, None);
    }

    /// What was sent before it was due keeps its time.
    pub(super) const fn keep_time(&mut self) {
        self.away &= self.at.is_never();
    }

    pub(in super::super) fn set_back(&mut self, by: Duration) {
        if self.slot == Slot::Question {
            // The time of the clock that was wrong is in the bytes.
            self.at = Timestamp::from_millis(0);
        } else if !self.named {
            self.at = self.at - by;
        }
        self.retry = self.retry.map(|at| at - by);
    }
}
