//! Requests that are under way: one at a time, and the last that was given up.

use core::time::Duration;

use super::turn::Engine;
use crate::provider::{Provider, Replay};
use crate::{Misuse, RequestId, Timestamp};

/// A request whose answer is awaited.
#[derive(Clone, Copy)]
pub(super) struct Flight<S> {
    pub(super) step: S,
    pub(super) seq: u32,
    /// When the driver's verdict is no longer waited for.
    pub(super) deadline: Timestamp,
}

/// All of them.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Flights<S> {
    awaited: Option<Flight<S>>,
    /// The one that was given up last, where its answer is worth having.
    late: Option<(u32, S)>,
    /// The one whose answer is no longer wanted, until the driver is told.
    cancelled: Option<u32>,
}

impl<S> Default for Flights<S> {
    fn default() -> Self {
        Self { awaited: None, late: None, cancelled: None }
    }
}

impl<S: Copy + PartialEq> Flights<S> {
    /// Returns the request whose answer is awaited.
    pub(super) const fn awaited(&self) -> Option<&Flight<S>> {
        self.awaited.as_ref()
    }

    /// Returns its step.
    pub(super) fn step(&self) -> Option<S> {
        Some(self.awaited.as_ref()?.step)
    }

    pub(super) const fn are_none(&self) -> bool {
        self.awaited.is_none()
    }

    pub(super) const fn leave(&mut self, flight: Flight<S>) {
        self.awaited = Some(flight);
    }

    /// Takes the one with this number, whose fate is known now.
    pub(super) fn settle(&mut self, seq: u32) -> Option<Flight<S>> {
        self.awaited.take_if(|flight| flight.seq == seq)
    }

    /// Gives up the one that is awaited; the driver is told so.
    pub(super) const fn cancel(&mut self) -> Option<Flight<S>> {
        let flight = self.awaited.take();
        if let Some(flight) = &flight {
            self.cancelled = Some(flight.seq);
        }
        flight
    }

    /// Reports whether the driver is to be told that an answer is no longer wanted.
    pub(super) const fn has_cancelled(&self) -> bool {
        self.cancelled.is_some()
    }

    /// Tells that once.
    pub(super) const fn pop_cancelled(&mut self) -> Option<u32> {
        self.cancelled.take()
    }

    /// What is still under way was sent with tokens that are no more.
    pub(super) const fn forget_late(&mut self) {
        self.late = None;
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        if let Some(flight) = &mut self.awaited {
            flight.deadline = flight.deadline - by;
        }
    }
}

impl<P: Provider> Engine<P> {
    /// Finds the request that an id names and takes it out of flight; `None` if that is over.
    pub(super) fn settle(&mut self, id: RequestId) -> Result<Option<Flight<P::Step>>, Misuse> {
        let ours = id.epoch == self.ids.epoch && id.life == self.ids.life();
        if id.epoch > self.ids.epoch || ours && (id.seq > self.ids.seq || id.seq == 0) {
            return Err(Misuse::UnknownId);
        }
        Ok(if ours { self.flights.settle(id.seq) } else { None })
    }

    /// Accepts the answer to a request that is given up all the same, should it come: what a step sent that
    /// [rotates](crate::provider::Rule::rotates) serves once, so what came for it cannot be had again.
    pub(super) fn wait_on(&mut self, flight: Flight<P::Step>) {
        let rotates = self.provider.rule(flight.step).rotates;
        self.flights.late = rotates.then_some((flight.seq, flight.step));
    }

    /// Finds the step that an id names whose request was given up, where its answer is worth having.
    pub(super) fn settle_late(&mut self, id: RequestId) -> Option<P::Step> {
        let waited_for = self.core.life.goes_on() && !self.is_parting();
        let is_it = |(seq, _): &mut (u32, P::Step)| self.ids.request(*seq) == id && waited_for;
        self.flights.late.take_if(is_it).map(|(_, step)| step)
    }

    /// Reports whether a logout waits for what is in flight: its answer may bring the very session that is to be ended, or
    /// the token to end it with.
    pub(super) fn waits_for_flight(&self) -> bool {
        let rule = self.flights.step().map(|step| self.provider.rule(step));
        rule.is_some_and(|rule| rule.opens || rule.replay != Replay::Safe)
    }
}
