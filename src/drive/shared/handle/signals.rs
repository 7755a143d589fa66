//! What wakes a driver, and when it looks without that.

use core::time::Duration;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::Timestamp;

/// The longest sleep: monotonic clocks stop while a machine is suspended, so a long one would end too late.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// The shortest sleep, so that a machine that is due already and has nothing to do does not burn the processor.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// What a driver checks in each turn, without a lock.
///
/// Whoever sets something here wakes the driver afterwards; the driver leaves its waker first and then looks. The lock
/// of [`News`], through which both go, orders the two: one of them sees the other.
#[derive(Default)]
pub(super) struct Signals {
    /// Counts what was done to the machine; `seen` is what the last poll knew of. Something that
    /// happens between a poll and the sleep after it is not lost this way.
    pub(super) changes: AtomicU64,
    pub(super) seen: AtomicU64,
    pub(super) leave: AtomicBool,
    pub(super) unsaved: AtomicBool,
}

impl Signals {
    pub(super) fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Reports whether the driver has to look.
    pub(super) fn are_new(&self) -> bool {
        self.changes.load(Ordering::Acquire) != self.seen.load(Ordering::Acquire) || self.leave.load(Ordering::Acquire)
    }
}

/// What a driver has to know besides the machine.
pub(in crate::drive::shared) struct Look {
    /// It has to leave; [`Handle::leaves`] is to be called when it does.
    pub(in crate::drive::shared) leave: bool,
    /// Nothing but a save may be done.
    pub(in crate::drive::shared) unsaved: bool,
}

/// Returns when to look next at the latest.
pub(in crate::drive::shared) fn wake_at(now: Timestamp, until: Timestamp) -> Timestamp {
    until.clamp(now + SHORTEST_SLEEP, now + LONGEST_SLEEP)
}
