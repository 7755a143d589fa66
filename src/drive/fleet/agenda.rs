//! What is to be checked when.

use std::collections::BTreeSet;

use super::clock::{Elapsed, NEVER};

/// Whose time comes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Whose {
    /// A gate's, where others wait for it.
    Gate(u32),
    /// A session's.
    Session(u32),
}

/// An order of instants: one for each that has one, so it grows with the fleet and not with the calls.
#[derive(Debug)]
pub(super) struct Agenda {
    entries: BTreeSet<(Elapsed, Whose)>,
    /// The first instant, so that an idle fleet is asked at no cost.
    first: Elapsed,
}

impl Default for Agenda {
    fn default() -> Self {
        Self { entries: BTreeSet::new(), first: NEVER }
    }
}

impl Agenda {
    /// Moves one from its instant to another; [`NEVER`] for none.
    pub(super) fn shift(&mut self, whose: Whose, from: Elapsed, to: Elapsed) {
        if from == to {
            return;
        }
        if from != NEVER {
            self.entries.remove(&(from, whose));
        }
        if to != NEVER {
            self.entries.insert((to, whose));
        }
        if to < self.first {
            self.first = to;
        } else if from == self.first {
            self.first = self.entries.first().map_or(NEVER, |(at, _)| *at);
        }
    }

    /// Takes the first whose time has come.
    pub(super) fn due(&mut self, now: Elapsed) -> Option<Whose> {
        if self.first > now {
            return None;
        }
        let (_, whose) = self.entries.pop_first()?;
        self.first = self.entries.first().map_or(NEVER, |(at, _)| *at);
        Some(whose)
    }

    pub(super) const fn first(&self) -> Elapsed {
        self.first
    }
}
