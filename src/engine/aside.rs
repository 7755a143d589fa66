//! A life that ends while the session lives on: nobody drives it any more, and its snapshot is that of an open one.

use super::agenda::Slot;
use super::turn::Engine;
use crate::provider::{Leave, Provider, Verdict};
use crate::{
    CloseReason, Event, Phase, Timestamp,
    machine::{Cause, Ends},
};

/// A life that ends while the session lives on. It is in no snapshot, since whoever resumes one begins another life.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) enum Parting {
    /// It ends as soon as what is in flight is answered.
    Begun,
    /// It has ended.
    Gone(Aside),
}

/// How a life ended whose session goes on.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Aside {
    pub(super) reason: CloseReason,
    /// When it ended.
    pub(super) at: Timestamp,
}

impl<P: Provider> Engine<P> {
    /// Gives up for now. What may live on stays what it is: a session that was open, and tokens of somebody's that
    /// nobody has checked yet.
    pub(super) fn abandon(&mut self, now: Timestamp, cause: Cause) {
        let cause = if self.core.life.is_stuck() { Cause::Stuck } else { cause };
        if !self.core.life.is_open() && !self.core.life.is_adopted() {
            self.close(now, CloseReason::RetriesExhausted(cause));
            return;
        }
        if self.has_something_to_end() {
            self.tell(Event::MayLiveOn);
        }
        let open = self.core.life.is_open();
        self.step_aside(now, if open { CloseReason::GivenUp(cause) } else { CloseReason::RetriesExhausted(cause) });
    }

    /// Ends this life and leaves the session as it is.
    pub(super) fn step_aside(&mut self, now: Timestamp, reason: CloseReason) {
        let from = self.phase_now();
        // Whoever takes it up looks first, before anything that was planned.
        if !self.core.life.is_idle()
            && let Some(probe) = self.provider.probe(&self.core.state)
        {
            self.core.agenda.again(probe, Timestamp::from_millis(0));
        }
        self.hand.clear();
        self.out.saves.call_off();
        self.out.saves.note();
        self.parting = Some(Box::new(Parting::Gone(Aside { reason, at: now })));
        self.tell(Event::PhaseChanged { from, to: Phase::Closed });
    }

    /// Leaves the session to whoever opened it, or whoever goes on with it.
    pub(super) fn leave(&mut self, now: Timestamp) {
        // Its answer may bring a token that the next life needs.
        if self.waits_for_flight() {
            let from = self.phase_now();
            self.parting = Some(Box::new(Parting::Begun));
            self.tell(Event::PhaseChanged { from, to: Phase::LoggingOut });
            return;
        }
        // Whoever takes it up sends it again, where there is nothing to look at first.
        if let Some(flight) = self.flights.cancel()
            && !self.core.agenda.has(Slot::Next)
        {
            self.core.agenda.again(flight.step, now);
        }
        self.step_aside(now, CloseReason::Left);
    }

    /// Follows the verdict on a request that was in flight when the session was to be left alone.
    pub(super) fn judge_leaving(&mut self, now: Timestamp, step: P::Step, verdict: Verdict<P::Step>) {
        if matches!(verdict, Verdict::Close(CloseReason::RetriesExhausted(_))) {
            self.stop_leaving(now, step, false);
            return;
        }
        self.apply(now, Some(step), verdict);
        self.stop_leaving(now, step, true);
    }

    /// Leaves what there is, or ends where there is nothing to leave. `sure` tells whether no session can have been
    /// opened that nobody knows of.
    pub(super) fn stop_leaving(&mut self, now: Timestamp, step: P::Step, sure: bool) {
        if self.is_over() {
            return;
        }
        if self.leaves_alone() {
            self.leave(now);
            return;
        }
        if !sure && self.provider.rule(step).opens {
            self.tell(Event::MayLiveOn);
        }
        self.end(now, sure);
        self.parting = None;
    }

    /// Reports whether a logout is to leave the login alone.
    pub(super) fn leaves_alone(&self) -> bool {
        let spares = match self.options.ends {
            Ends::Opened => self.core.life.is_found(),
            Ends::Always => false,
            Ends::Never => true,
        };
        spares && (self.waits_for_flight() || self.has_something_to_end())
    }

    fn has_something_to_end(&self) -> bool {
        self.provider.logout(&self.core.state) != Leave::Nothing
    }

    /// Reports whether calls of the user's own may be authorized.
    pub(super) fn serves_calls(&self) -> bool {
        !self.is_parting() && self.core.life.stage().is_some_and(|stage| stage.calls)
    }

    /// Reports whether this life has ended.
    pub(super) fn is_over(&self) -> bool {
        self.core.life.closed().is_some() || self.aside().is_some()
    }

    /// Reports whether this life ends, or has ended, while the session lives on.
    pub(super) const fn is_parting(&self) -> bool {
        self.parting.is_some()
    }

    /// Returns how this life has ended, where the session lives on.
    pub(super) fn aside(&self) -> Option<&Aside> {
        if let Some(Parting::Gone(aside)) = self.parting.as_deref() { Some(aside) } else { None }
    }

    /// Returns where the session stands for whoever drives it.
    pub(super) fn phase_now(&self) -> Phase {
        match (self.parting.as_deref(), self.core.life.phase()) {
            (Some(Parting::Gone(_)), _) | (_, Phase::Closed) => Phase::Closed,
            (Some(Parting::Begun), _) => Phase::LoggingOut,
            (None, phase) => phase,
        }
    }
}
