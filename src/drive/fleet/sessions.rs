//! The sessions of a fleet in places that are used again.

use super::clock::{Elapsed, NEVER};
use super::gate::Waiting;

/// A session and what the fleet knows of it.
pub(super) struct Slot<K, M> {
    pub(super) key: K,
    pub(super) machine: M,
    /// Numbers the sessions that ever were, since places are used again.
    pub(super) number: u32,
    pub(super) group: u32,
    pub(super) lane: Option<u32>,
    /// How many jumps of the clock it has heard of.
    pub(super) seen: u32,
    /// When it is checked next.
    pub(super) at: Elapsed,
    /// It sends nothing before: its share of the spread.
    pub(super) not_before: Elapsed,
    /// When this process may no longer speak for it.
    pub(super) lease: Elapsed,
    /// What it was last said to need.
    pub(super) asked: u64,
    /// It is among those that may have something to say.
    pub(super) ready: bool,
    /// It stands in a line.
    pub(super) in_line: bool,
    /// Its group has called it: it need not stand in line again.
    pub(super) called: bool,
    /// Its opening has passed the lane's pace,
    pub(super) passed_lane: bool,
    /// and that of all, until it is usable.
    pub(super) admitted: bool,
    /// A box kept it silent.
    pub(super) held: bool,
    /// It was said to have lapsed.
    pub(super) lapsed: bool,
    /// It was said to be closed.
    pub(super) closed: bool,
}

impl<K, M> Slot<K, M> {
    /// Makes it stand in line again for its opening. An admission that is kept while nothing may leave would be used
    /// later, at the same time as many others.
    pub(super) const fn lose_admission(&mut self) {
        (self.admitted, self.passed_lane) = (false, false);
    }
}

pub(super) struct Sessions<K, M> {
    slots: Vec<Option<Slot<K, M>>>,
    free: Vec<u32>,
    numbers: u32,
}

impl<K, M> Default for Sessions<K, M> {
    fn default() -> Self {
        Self { slots: Vec::new(), free: Vec::new(), numbers: 0 }
    }
}

impl<K, M> Sessions<K, M> {
    pub(super) fn add(&mut self, key: K, machine: M, group: u32, lane: Option<u32>, seen: u32) -> u32 {
        self.numbers = self.numbers.wrapping_add(1);
        let slot = Slot {
            key,
            machine,
            number: self.numbers,
            group,
            lane,
            seen,
            at: NEVER,
            not_before: 0,
            lease: NEVER,
            asked: 0,
            ready: false,
            in_line: false,
            called: false,
            passed_lane: false,
            admitted: false,
            held: false,
            lapsed: false,
            closed: false,
        };
        let place = self.free.pop().and_then(|index| Some((index, self.slots.get_mut(index as usize)?)));
        if let Some((index, place)) = place {
            *place = Some(slot);
            return index;
        }
        self.slots.push(Some(slot));
        // Four thousand million sessions do not fit into a machine.
        u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
    }

    pub(super) fn take(&mut self, index: u32) -> Option<Slot<K, M>> {
        let slot = self.slots.get_mut(index as usize)?.take()?;
        self.free.push(index);
        Some(slot)
    }

    pub(super) fn at(&self, index: u32) -> Option<&Slot<K, M>> {
        self.slots.get(index as usize)?.as_ref()
    }

    pub(super) fn at_mut(&mut self, index: u32) -> Option<&mut Slot<K, M>> {
        self.slots.get_mut(index as usize)?.as_mut()
    }

    /// Returns a session that stands in a line, if it is there still.
    pub(super) fn waiting(&mut self, (index, number): Waiting) -> Option<&mut Slot<K, M>> {
        self.at_mut(index).filter(|slot| slot.number == number && slot.in_line)
    }
}
