//! What the driver is told to do.

use core::time::Duration;

use super::agenda::Whose;
use super::clock::{Elapsed, NEVER};
use super::lanes::fingerprint;
use super::{Fleet, STARTS, Turn};
use crate::engine::STANDS_STILL;
use crate::{
    Event, Machine, Need, Output, Phase, Timestamp, WaitingOn,
    machine::{Purpose, Upcoming},
};

/// What is later than this is spread: it is so for a reason that it shares with others.
const LATE: Elapsed = 5_000;

/// So long after it has left a box it shows what the box has done to a session: a server with several
/// tiers says that one lives before it is found that the other does not.
const SHOWS: Elapsed = 5 * 60_000;

impl<K: Ord + Clone, M: Machine> Fleet<K, M> {
    /// Returns the next thing that the driver has to do, and for whom.
    ///
    /// Call it until it says [`Turn::Wait`], and again at its time or whenever something happened.
    pub fn poll(&mut self, now: Timestamp) -> Turn<K> {
        self.clock.tick(now);
        loop {
            if let Some(turn) = self.told.pop_front() {
                return turn;
            }
            if let Some(&index) = self.ready.front() {
                if let Some(turn) = self.attend(index) {
                    return turn;
                }
                self.ready.pop_front();
                if let Some(slot) = self.sessions.at_mut(index) {
                    slot.ready = false;
                }
                continue;
            }
            match self.agenda.due(self.clock.elapsed()) {
                Some(Whose::Gate(index)) => self.open_gate(index),
                Some(Whose::Session(index)) => {
                    if let Some(slot) = self.sessions.at_mut(index) {
                        slot.at = NEVER;
                    }
                    self.wake(index);
                }
                None => return Turn::Wait { until: self.clock.wall(self.agenda.first()) },
            }
        }
    }

    /// Declares that a session may have something to say.
    pub(super) fn wake(&mut self, index: u32) {
        if let Some(slot) = self.sessions.at_mut(index)
            && !slot.ready
        {
            slot.ready = true;
            self.ready.push_back(index);
        }
    }

    /// Lets a session know what has happened to the clock and to its lane since it was last asked.
    pub(super) fn inform(&mut self, index: u32) {
        let (now, elapsed, jumped) = (self.clock.shown(), self.clock.elapsed(), self.clock.jumped());
        let Some(slot) = self.sessions.at_mut(index) else { return };
        if slot.seen != jumped {
            for (before, after) in self.clock.missed(slot.seen) {
                let _ = slot.machine.upcoming(before);
                let _ = slot.machine.upcoming(after);
            }
            slot.seen = jumped;
        }
        let lane = slot.lane;
        let Some(boxed) = self.box_of(lane) else { return };
        if let Some(slot) = self.sessions.at_mut(index) {
            slot.machine.hold_back(now, Duration::from_millis(boxed - elapsed));
        }
    }

    /// Asks the first of the ready sessions; `None` once it is at rest.
    fn attend(&mut self, index: u32) -> Option<Turn<K>> {
        self.inform(index);
        let called = core::mem::take(&mut self.sessions.at_mut(index)?.called);
        let group = self.sessions.at(index)?.group;
        let turn = self.ask(index, called);
        if called {
            // Whether it has sent or not, the next in line may.
            self.arm(group);
        }
        turn
    }

    fn ask(&mut self, index: u32, called: bool) -> Option<Turn<K>> {
        let now = self.clock.shown();
        let slot = self.sessions.at_mut(index)?;
        if slot.machine.phase() == Phase::Idle {
            let lane = slot.lane;
            if let Some(boxed) = self.box_of(lane) {
                self.sessions.at_mut(index)?.lose_admission();
                return self.rest(index, boxed);
            }
            let upcoming = Upcoming { timeout: Duration::ZERO, errand: Purpose::Open };
            if !self.may_speak(index, upcoming.timeout) || !self.may_start(index) {
                return None;
            }
            self.sessions.at_mut(index)?.machine.start(now);
        }
        let slot = self.sessions.at_mut(index)?;
        if let Some(upcoming) = slot.machine.upcoming(now)
            && !self.may_send(index, upcoming, called)
        {
            return None;
        }
        let slot = self.sessions.at_mut(index)?;
        match slot.machine.poll(now) {
            Output::Wait { until, on } => {
                if let WaitingOn::Need(need) = &on
                    && let asked = print_of(need)
                    && slot.asked != asked
                {
                    slot.asked = asked;
                    return Some(Turn::Session(slot.key.clone(), Output::Wait { until, on }));
                }
                if slot.machine.phase() == Phase::Active {
                    slot.lose_admission();
                }
                let at = self.clock.elapsed_at(until);
                let at = if matches!(on, WaitingOn::Response(_)) { at } else { self.after_box(index, at) };
                self.rest(index, at)
            }
            Output::Closed(reason) => {
                if slot.closed {
                    return self.rest(index, NEVER);
                }
                slot.closed = true;
                Some(Turn::Session(slot.key.clone(), Output::Closed(reason)))
            }
            Output::Event(event) => {
                let key = slot.key.clone();
                self.hear(index, &event);
                Some(Turn::Session(key, Output::Event(event)))
            }
            Output::Send(outgoing) => {
                let (key, group) = (slot.key.clone(), slot.group);
                self.charge(group);
                Some(Turn::Session(key, Output::Send(outgoing)))
            }
            output @ (Output::Save | Output::Cancel(_)) => Some(Turn::Session(slot.key.clone(), output)),
        }
    }

    /// Reports whether a request may leave now; otherwise its time is noted, or its place in a line.
    fn may_send(&mut self, index: u32, upcoming: Upcoming, called: bool) -> bool {
        if !self.may_speak(index, upcoming.timeout) {
            return false;
        }
        let now = self.clock.elapsed();
        let Some(slot) = self.sessions.at(index) else { return false };
        if slot.in_line && upcoming.errand != Purpose::Leave {
            return false;
        }
        let starts = upcoming.errand == Purpose::Open;
        if upcoming.errand != Purpose::Leave {
            let due = self.clock.elapsed_at(slot.machine.deadline());
            let late = due.saturating_add(LATE) < now;
            // The pace of openings spreads them already. A renewal must not stand in that line: what keeps
            // the session alive comes after it, and many that began together renew together.
            let spread = match upcoming.errand {
                Purpose::Open => late && slot.admitted,
                Purpose::Renew => true,
                Purpose::Keep | Purpose::Leave => late,
            };
            if spread && slot.not_before < due {
                let out = now.saturating_add(self.share(slot));
                if let Some(slot) = self.sessions.at_mut(index) {
                    slot.not_before = out;
                }
            }
            let not_before = self.sessions.at(index).map_or(now, |slot| slot.not_before);
            if not_before > now {
                self.rest(index, not_before);
                return false;
            }
        }
        if starts && !self.may_start(index) {
            return false;
        }
        let Some(group) = self.sessions.at(index).map(|slot| slot.group) else { return false };
        self.pass_or_line_up(group, index, called)
    }

    /// Reports whether this process may still speak for a session, for so long.
    fn may_speak(&mut self, index: u32, timeout: Duration) -> bool {
        let ends = self.clock.elapsed().saturating_add(crate::time::millis(timeout));
        let Some(slot) = self.sessions.at_mut(index) else { return false };
        if ends < slot.lease {
            return true;
        }
        slot.lose_admission();
        if !slot.lapsed {
            slot.lapsed = true;
            self.told.push_back(Turn::Lapsed(slot.key.clone()));
        }
        self.rest(index, NEVER);
        false
    }

    /// Reports whether a session may open or renew now, as far as the pace of others goes.
    fn may_start(&mut self, index: u32) -> bool {
        let Some(slot) = self.sessions.at(index) else { return false };
        if slot.admitted {
            return true;
        }
        if slot.in_line {
            return false;
        }
        if !slot.passed_lane
            && let Some(gate) = slot.lane.and_then(|lane| self.lanes.get(lane as usize)).map(|lane| lane.gate)
            && !self.pass_or_line_up(gate, index, false)
        {
            return false;
        }
        let passed = self.pass_or_line_up(STARTS, index, false);
        if let Some(slot) = self.sessions.at_mut(index) {
            slot.passed_lane = true;
            slot.admitted = passed;
        }
        passed
    }

    /// Gives a session that waits for the end of its lane's box its share of the time after it.
    fn after_box(&mut self, index: u32, at: Elapsed) -> Elapsed {
        let Some(slot) = self.sessions.at(index) else { return at };
        let Some(boxed) = self.box_of(slot.lane) else { return at };
        // A clock that stands still makes the session's end of the box a little later than the fleet's.
        if at < boxed || at > boxed.saturating_add(crate::time::millis(STANDS_STILL)) {
            return at;
        }
        let out = boxed.saturating_add(self.share(slot));
        if let Some(slot) = self.sessions.at_mut(index) {
            slot.held = true;
            slot.not_before = out;
            slot.lose_admission();
        }
        out.max(at)
    }

    /// Notes when a session is checked next.
    fn rest(&mut self, index: u32, at: Elapsed) -> Option<Turn<K>> {
        // A machine that waits for what is past is not to be asked without end.
        let at = at.max(self.clock.elapsed().saturating_add(1));
        let slot = self.sessions.at_mut(index)?;
        self.agenda.shift(Whose::Session(index), slot.at, at);
        slot.at = at;
        None
    }

    /// Draws the fleet's own consequences of what a session tells.
    fn hear(&mut self, index: u32, event: &Event) {
        let now = self.clock.elapsed();
        let Some(slot) = self.sessions.at_mut(index) else { return };
        match event {
            Event::Expired { .. }
            | Event::PhaseChanged {
                from: Phase::Active,
                to: Phase::Opening | Phase::LoggingIn | Phase::SecondFactor,
            } if core::mem::take(&mut slot.held) && now < slot.not_before.saturating_add(SHOWS) => {
                let key = slot.key.clone();
                self.told.push_back(Turn::Dropped(key));
            }
            _ => {}
        }
    }
}

/// Returns a number that stands for a need as it is put to somebody.
fn print_of(need: &Need) -> u64 {
    fingerprint(1, (need.id, &need.url))
}
