//! What speaks against a session, and how long it has.

use core::time::Duration;

use crate::Timestamp;
use crate::machine::event::Cause;

/// What speaks against a session; nothing, mostly. One that is open is suspect from the first cause on.
#[cfg_attr(feature = "testing", derive(Clone))]
#[derive(Default)]
pub(super) struct Trouble(Option<Known>);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    /// What patience counts from.
    since: Timestamp,
    /// How many requests in a row have failed.
    attempt: u16,
    /// Why the last one failed; none where it only takes its time.
    cause: Option<Cause>,
}

impl Trouble {
    /// Takes what a text says.
    pub(super) const fn of(since: Timestamp, attempt: u16, cause: Option<Cause>) -> Self {
        Self(Some(Known { since, attempt, cause }))
    }

    /// Returns what patience counts from, where it is counted.
    pub(super) fn since(&self) -> Option<Timestamp> {
        Some(self.0?.since)
    }

    /// Returns how many requests in a row have failed.
    pub(super) fn attempt(&self) -> u16 {
        self.0.map_or(0, |known| known.attempt)
    }

    /// Returns why the last one failed.
    pub(super) fn cause(&self) -> Option<Cause> {
        self.0?.cause
    }

    /// Nothing speaks against it any more.
    pub(super) const fn end(&mut self) {
        self.0 = None;
    }

    /// Counts from now on, whatever was before.
    pub(super) const fn begin(&mut self, now: Timestamp) {
        *self = Self::of(now, 0, None);
    }

    /// Counts the time that something takes from now on, unless it is counted already.
    pub(super) fn count(&mut self, now: Timestamp) {
        self.known(now);
    }

    fn known(&mut self, now: Timestamp) -> &mut Known {
        self.0.get_or_insert(Known { since: now, attempt: 0, cause: None })
    }

    /// Notes a doubt; reports whether it is the first.
    pub(super) fn doubt(&mut self, now: Timestamp, cause: Cause) -> bool {
        self.known(now).cause.replace(cause).is_none()
    }

    /// Counts a failure.
    pub(super) fn fail(&mut self, now: Timestamp, cause: Cause) {
        let known = self.known(now);
        known.attempt = known.attempt.saturating_add(1);
        known.cause = Some(cause);
    }

    /// Waits for a person, who may take any time: what failed before does not count, and a doubt about an open session stays.
    pub(super) fn wait_for_person(&mut self, now: Timestamp, open: bool) {
        self.0 = self.0.filter(|_| open).map(|known| Known { since: now, attempt: 0, cause: known.cause });
    }

    /// Something succeeded on the way: the next failure is the first in its row.
    pub(super) const fn progress(&mut self) {
        if let Some(known) = &mut self.0 {
            known.attempt = 0;
        }
    }

    /// Counts patience from now on, where it is counted.
    pub(super) const fn be_patient_anew(&mut self, now: Timestamp) {
        if let Some(known) = &mut self.0 {
            known.since = now;
        }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        if let Some(Known { since, attempt: _, cause: _ }) = &mut self.0 {
            *since = *since - by;
        }
    }
}
