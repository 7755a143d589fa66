//! Rates, and gates that keep them.

use core::time::Duration;
use std::collections::VecDeque;

use super::clock::{Elapsed, NEVER};

/// A bucket: so many at once, then one each so often.
///
/// In any stretch of time there are at most `at_once` and one more for each `every` in it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    at_once: u32,
    every: Duration,
}

impl Rate {
    /// No limit.
    pub const UNLIMITED: Self = Self::new(1, Duration::ZERO);

    /// Creates a rate; at least one at once.
    pub const fn new(at_once: u32, every: Duration) -> Self {
        Self { at_once: if at_once == 0 { 1 } else { at_once }, every }
    }

    fn micros(self) -> u64 {
        u64::try_from(self.every.as_micros()).unwrap_or(u64::MAX)
    }
}

/// Whom a gate is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Role {
    /// The openings of all.
    Starts,
    /// The openings through one lane.
    Lane(u32),
    /// The requests of one limit group, by the fingerprint of its name.
    Group(u64),
}

/// Names a session in a line: its place and its number, since places are used again.
pub(super) type Waiting = (u32, u32);

/// A bucket and the line of those who wait for it.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) role: Role,
    /// How many sessions belong to it.
    pub(super) members: u32,
    /// When it is checked next.
    pub(super) at: Elapsed,
    /// When the bucket is full again, in microseconds (the generic cell rate algorithm).
    full_at: u64,
    #[expect(clippy::box_collection, reason = "nearly all gates have no line: a million would carry an empty one")]
    line: Option<Box<VecDeque<Waiting>>>,
}

impl Gate {
    pub(super) const fn new(role: Role) -> Self {
        Self { role, members: 0, at: NEVER, full_at: 0, line: None }
    }

    /// Returns when the next may pass, as far as the bucket goes.
    pub(super) fn free_at(&self, rate: Rate) -> Elapsed {
        let ahead = rate.micros().saturating_mul(u64::from(rate.at_once - 1));
        self.full_at.saturating_sub(ahead).div_ceil(1_000)
    }

    /// Returns when the bucket is full: what happened before does not matter any more.
    pub(super) const fn full_at(&self) -> Elapsed {
        self.full_at.div_ceil(1_000)
    }

    /// Counts one that passes.
    pub(super) fn pass(&mut self, now: Elapsed, rate: Rate) {
        self.full_at = self.full_at.max(now.saturating_mul(1_000)).saturating_add(rate.micros());
    }

    pub(super) fn line_up(&mut self, who: Waiting, in_front: bool) {
        let line = self.line.get_or_insert_default();
        if in_front { line.push_front(who) } else { line.push_back(who) }
    }

    pub(super) fn call(&mut self) -> Option<Waiting> {
        let line = self.line.as_mut()?;
        let who = line.pop_front();
        if line.is_empty() {
            self.line = None;
        }
        who
    }

    pub(super) const fn has_line(&self) -> bool {
        self.line.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_once_and_then_one_each_so_often() {
        let rate = Rate::new(3, Duration::from_millis(250));
        let mut gate = Gate::new(Role::Starts);
        let mut passed = Vec::new();
        for now in 10_000..11_001 {
            while gate.free_at(rate) <= now {
                gate.pass(now, rate);
                passed.push(now);
            }
        }
        assert_eq!(passed, [10_000, 10_000, 10_000, 10_250, 10_500, 10_750, 11_000]);
    }

    #[test]
    fn no_limit_is_none() {
        let mut gate = Gate::new(Role::Starts);
        for _ in 0..1_000 {
            assert!(gate.free_at(Rate::UNLIMITED) <= 5);
            gate.pass(5, Rate::UNLIMITED);
        }
    }
}
