//! Who shares a bucket or a box with whom, and the gates and their lines.

use core::hash::{Hash, Hasher};
use core::time::Duration;
use std::collections::hash_map::DefaultHasher;
use std::sync::Arc;

use super::agenda::Whose;
use super::clock::{Elapsed, NEVER};
use super::gate::{Gate, Rate, Role};
use super::sessions::Slot;
use super::{Fleet, Turn};
use crate::Machine;

/// A way out of this network.
#[derive(Debug)]
pub(super) struct Lane {
    name: Arc<str>,
    /// The end of its penalty box.
    pub(super) boxed: Elapsed,
    /// Its pace of openings.
    pub(super) gate: u32,
}

impl<K: Ord + Clone, M: Machine> Fleet<K, M> {
    /// Finds the gate of a limit group, or makes it.
    ///
    /// Names are known by their fingerprints, with a salt: a million of them would otherwise take more
    /// room than the sessions' own books. Two names with the same one, which nobody can look for, share a
    /// bucket and are slower for it.
    pub(super) fn join_group(&mut self, name: &str) -> u32 {
        let print = fingerprint(self.salt, name);
        let index = match self.groups.get(&print) {
            Some(index) => *index,
            None => {
                let index = self.add_gate(Gate::new(Role::Group(print)));
                self.groups.insert(print, index);
                index
            }
        };
        if let Some(gate) = self.gates.get_mut(index as usize) {
            gate.members = gate.members.saturating_add(1);
        }
        index
    }

    /// Leaves a group; its bucket stays until it is full, so that nobody gets a new one by coming back.
    pub(super) fn leave_group(&mut self, index: u32) {
        if let Some(gate) = self.gates.get_mut(index as usize) {
            gate.members = gate.members.saturating_sub(1);
        }
        self.arm(index);
    }

    pub(super) fn lane(&mut self, name: Arc<str>) -> u32 {
        if let Some(index) = self.lanes_by_name.get(&name) {
            return *index;
        }
        let index = u32::try_from(self.lanes.len()).unwrap_or(u32::MAX);
        let gate = self.add_gate(Gate::new(Role::Lane(index)));
        self.lanes.push(Lane { name: name.clone(), boxed: 0, gate });
        self.lanes_by_name.insert(name, index);
        index
    }

    /// Puts a session's lane into the box, if it has one.
    pub(super) fn box_lane(&mut self, lane: Option<u32>, lasts: Duration) {
        let until = self.clock.elapsed().saturating_add(crate::time::millis(lasts));
        let Some(lane) = lane.and_then(|lane| self.lanes.get_mut(lane as usize)) else { return };
        if until > lane.boxed {
            lane.boxed = until;
            let turn = Turn::Boxed { lane: lane.name.clone(), until: self.clock.wall(until) };
            self.told.push_back(turn);
        }
    }

    /// Returns when the box of a lane ends, if it is in one.
    pub(super) fn box_of(&self, lane: Option<u32>) -> Option<Elapsed> {
        let boxed = self.lanes.get(lane? as usize)?.boxed;
        (boxed > self.clock.elapsed()).then_some(boxed)
    }

    /// Lets a session through a gate at once, or puts it into the line: one that was called and came too
    /// late at its front.
    pub(super) fn pass_or_line_up(&mut self, gate: u32, index: u32, called: bool) -> bool {
        let now = self.clock.elapsed();
        let rate = self.rate_of(gate);
        let Some(open) = self.gates.get_mut(gate as usize) else { return true };
        if (called || !open.has_line()) && open.free_at(rate) <= now {
            // A group's bucket counts what leaves, not what may.
            if !matches!(open.role, Role::Group(_)) {
                open.pass(now, rate);
            }
            return true;
        }
        if let Some(slot) = self.sessions.at_mut(index) {
            slot.in_line = true;
            open.line_up((index, slot.number), called);
        }
        self.arm(gate);
        false
    }

    /// Counts a request that leaves.
    pub(super) fn charge(&mut self, gate: u32) {
        let (now, rate) = (self.clock.elapsed(), self.rate_of(gate));
        if let Some(gate) = self.gates.get_mut(gate as usize) {
            gate.pass(now, rate);
        }
    }

    /// A gate's time has come: the next in line may pass.
    pub(super) fn open_gate(&mut self, index: u32) {
        let (now, rate) = (self.clock.elapsed(), self.rate_of(index));
        let Some(gate) = self.gates.get_mut(index as usize) else { return };
        gate.at = NEVER;
        let role = gate.role;
        if let Role::Group(print) = role
            && gate.members == 0
        {
            if gate.full_at() <= now {
                self.groups.remove(&print);
                self.free_gates.push(index);
                return;
            }
        } else if gate.free_at(rate) <= now && !matches!(role, Role::Lane(lane) if self.box_of(Some(lane)).is_some()) {
            self.call_next(index, role);
        }
        self.arm(index);
    }

    fn call_next(&mut self, index: u32, role: Role) {
        let (now, rate) = (self.clock.elapsed(), self.rate_of(index));
        while let Some(gate) = self.gates.get_mut(index as usize)
            && let Some(waiting) = gate.call()
        {
            let Some(slot) = self.sessions.waiting(waiting) else { continue };
            slot.in_line = false;
            let (lane, lapsed) = (slot.lane, slot.lease <= now);
            let boxed = self.box_of(lane).is_some();
            self.wake(waiting.0);
            let Some(slot) = self.sessions.at_mut(waiting.0) else { continue };
            // It waits in the box or for its lease, and stands in line again after that.
            if boxed && matches!(role, Role::Starts) || lapsed {
                slot.lose_admission();
                continue;
            }
            // It has waited and is not to wait a second time for being late.
            slot.not_before = slot.not_before.max(now);
            match role {
                Role::Group(_) => slot.called = true,
                Role::Lane(_) => slot.passed_lane = true,
                Role::Starts => slot.admitted = true,
            }
            if !matches!(role, Role::Group(_))
                && let Some(gate) = self.gates.get_mut(index as usize)
            {
                gate.pass(now, rate);
            }
            return;
        }
    }

    /// Sees to it that a gate is checked when the next in line may pass, or when it may be forgotten.
    pub(super) fn arm(&mut self, index: u32) {
        let (now, rate) = (self.clock.elapsed(), self.rate_of(index));
        let Some(gate) = self.gates.get(index as usize) else { return };
        let mut at = match gate.role {
            Role::Group(_) if gate.members == 0 => gate.full_at().max(now),
            _ if gate.has_line() => gate.free_at(rate).max(now),
            _ => NEVER,
        };
        if let Role::Lane(lane) = gate.role
            && at != NEVER
        {
            at = at.max(self.box_of(Some(lane)).unwrap_or_default());
        }
        if let Some(gate) = self.gates.get_mut(index as usize) {
            self.agenda.shift(Whose::Gate(index), gate.at, at);
            gate.at = at;
        }
    }

    fn add_gate(&mut self, gate: Gate) -> u32 {
        let place = self.free_gates.pop().and_then(|index| Some((index, self.gates.get_mut(index as usize)?)));
        if let Some((index, place)) = place {
            *place = gate;
            return index;
        }
        self.gates.push(gate);
        u32::try_from(self.gates.len() - 1).unwrap_or(u32::MAX)
    }

    fn rate_of(&self, gate: u32) -> Rate {
        match self.gates.get(gate as usize).map(|gate| gate.role) {
            Some(Role::Group(_)) => self.options.group,
            Some(Role::Lane(_)) => self.options.lane_starts,
            Some(Role::Starts) | None => self.options.starts,
        }
    }

    /// Returns a session's share of the spread, always the same.
    pub(super) fn share(&self, slot: &Slot<K, M>) -> Elapsed {
        let window = crate::time::millis(self.options.spread);
        crate::machine::backoff::spread(self.salt ^ u64::from(slot.number), window.max(1))
    }
}

/// Returns a number that stands for a text.
pub(super) fn fingerprint(salt: u64, text: impl Hash) -> u64 {
    // The keys of this hasher are fixed: it draws no randomness, and the salt makes up for it.
    let mut hasher = DefaultHasher::new();
    salt.hash(&mut hasher);
    text.hash(&mut hasher);
    hasher.finish()
}
