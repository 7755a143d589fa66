//! The fleet's time: wall time that may jump, and the time that has passed, which only grows.

use std::collections::VecDeque;

use crate::Timestamp;
use crate::engine::STANDS_STILL;

/// So many jumps are kept for the sessions that have not heard of them; one that has missed more stands
/// where the oldest of these found it, and waits a little longer than it would have.
const JUMPS: usize = 32;

/// Milliseconds of the time that has passed: it never goes back, whatever the wall clock does.
pub(super) type Elapsed = u64;

/// The instant that never comes.
pub(super) const NEVER: Elapsed = Elapsed::MAX;

/// The fleet's own clock.
///
/// What the fleet itself has to keep (buckets, boxes, leases) it keeps in the time that has passed, so a
/// clock set back ends no box and prolongs no lease. Sessions are given wall time, and where it jumped
/// back while they slept they are shown both sides of the jump before they are asked anything else.
#[derive(Debug, Default)]
pub(super) struct Clock {
    /// The caller's time.
    given: Timestamp,
    /// The time that sessions are shown: a clock that is a little back stands still, as it does for them.
    shown: Timestamp,
    /// All that the clock ever went back, in milliseconds.
    back: u64,
    jumps: VecDeque<(Timestamp, Timestamp)>,
    /// Counts the jumps.
    jumped: u32,
}

impl Clock {
    pub(super) fn tick(&mut self, now: Timestamp) {
        let now = now.min(Timestamp::LATEST);
        self.back = self.back.saturating_add(crate::time::millis(self.given.since(now)));
        self.given = now;
        if self.shown.since(now) > STANDS_STILL {
            if self.jumps.len() >= JUMPS {
                self.jumps.pop_front();
            }
            self.jumps.push_back((self.shown, now));
            self.jumped = self.jumped.wrapping_add(1);
            self.shown = now;
        }
        self.shown = self.shown.max(now);
    }

    /// Returns the caller's time as it was given last.
    pub(super) const fn given(&self) -> Timestamp {
        self.given
    }

    /// Returns the time that sessions are shown.
    pub(super) const fn shown(&self) -> Timestamp {
        self.shown
    }

    pub(super) const fn elapsed(&self) -> Elapsed {
        self.given.as_millis().saturating_add(self.back)
    }

    /// Counts the jumps back so far.
    pub(super) const fn jumped(&self) -> u32 {
        self.jumped
    }

    /// Returns the jumps since there were `seen`, each with the time before and after it.
    pub(super) fn missed(&self, seen: u32) -> impl Iterator<Item = (Timestamp, Timestamp)> {
        let missed = usize::try_from(self.jumped.wrapping_sub(seen)).unwrap_or(JUMPS);
        self.jumps.iter().skip(self.jumps.len().saturating_sub(missed)).copied()
    }

    /// Returns when a wall time comes, if the clock does not jump.
    pub(super) const fn elapsed_at(&self, at: Timestamp) -> Elapsed {
        if at.is_never() { NEVER } else { at.as_millis().saturating_add(self.back) }
    }

    /// Returns the wall time that is shown then, if the clock does not jump.
    pub(super) const fn wall(&self, at: Elapsed) -> Timestamp {
        if at == NEVER { Timestamp::NEVER } else { Timestamp::from_millis(at.saturating_sub(self.back)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn what_has_passed_never_goes_back() {
        let mut clock = Clock::default();
        let mut before = 0;
        for secs in [100, 96, 99, 101, 20, 16, 500, 3, 1_000_000, 0] {
            clock.tick(at(secs));
            assert!(clock.elapsed() >= before);
            assert_eq!(clock.wall(clock.elapsed()), at(secs));
            before = clock.elapsed();
        }
    }

    #[test]
    fn a_little_back_stands_still_and_more_is_a_jump() {
        let mut clock = Clock::default();
        clock.tick(at(100));
        clock.tick(at(95));
        assert_eq!((clock.shown(), clock.jumped()), (at(100), 0));
        clock.tick(at(94));
        assert_eq!((clock.shown(), clock.jumped()), (at(94), 1));
        assert_eq!(clock.missed(0).collect::<Vec<_>>(), [(at(100), at(94))]);
        assert_eq!(clock.missed(1).count(), 0);
    }

    #[test]
    fn the_oldest_jumps_are_forgotten() {
        let mut clock = Clock::default();
        for _ in 0..100 {
            clock.tick(at(1_000));
            clock.tick(at(0));
        }
        assert_eq!((clock.jumped(), clock.missed(0).count(), clock.missed(98).count()), (100, JUMPS, 2));
    }
}
