//! What is due when: derived from what is known.

use core::time::Duration;

use super::agenda::Slot;
use super::questions::Open;
use super::turn::Engine;
use crate::provider::Provider;
use crate::{Timestamp, WaitingOn};

/// The shortest time between two looks that somebody asked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// What is due next.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Next<S> {
    /// Nothing will happen by itself.
    Nothing,
    /// The request in flight is given up.
    Lose,
    /// The known end of the tokens passes.
    Expire,
    /// `Options::patience` or `Options::logout_patience` runs out.
    GiveUp,
    /// A question about bytes that have grown old is asked again.
    AskAnew,
    /// A step leaves, out of this slot; whether it did before, and failed.
    Send(Slot, S, bool),
}

impl<P: Provider> Engine<P> {
    /// Returns what is due next, and when.
    pub(super) fn next(&self) -> (Timestamp, Next<P::Step>) {
        if self.is_over() || self.core.life.is_idle() {
            return (Timestamp::NEVER, Next::Nothing);
        }
        let planned = self.planned();
        // Whatever is in flight is waited for.
        match self.patience() {
            Some((since, lasts)) if self.flights.are_none() => {
                let end = since + lasts;
                // What the protocol has planned comes at its own pace, which may be that of patience, too.
                let last = match planned.1 {
                    Next::Send(Slot::Next, _, false) if self.core.life.ending().is_none() => end + lasts / 4,
                    _ => end,
                };
                if planned.0 <= last { planned } else { (end, Next::GiveUp) }
            }
            _ => planned,
        }
    }

    /// Returns what is planned, whether or not patience lasts: the least instant of the agenda, behind the limits.
    fn planned(&self) -> (Timestamp, Next<P::Step>) {
        let core = &self.core;
        if let Some(flight) = self.flights.awaited() {
            return match core.agenda.get(Slot::Expiry) {
                Some(expiry) if expiry.at <= flight.deadline => (expiry.at, Next::Expire),
                _ => (flight.deadline, Next::Lose),
            };
        }
        let mut first = (Timestamp::NEVER, Next::Nothing);
        // Before that nothing leaves; most steps have no pace of their own beside it.
        let free = core.limits.free_at(core.life.is_leaving());
        // Of two at once the earlier slot comes first; mostly it is the last one that is next.
        for entry in core.agenda.iter().rev() {
            let (at, next) = match entry.slot {
                Slot::Expiry => (entry.at, Next::Expire),
                Slot::Question => (entry.at, Next::AskAnew),
                slot => {
                    let at = entry.due().max(free);
                    if at > first.0 || entry.away {
                        continue;
                    }
                    let Some(step) = entry.step.or_else(|| self.provider.probe(&core.state)) else { continue };
                    if slot == Slot::Renew && self.renews_already(step) {
                        continue;
                    }
                    (self.paced(step, at), Next::Send(slot, step, entry.retry.is_some()))
                }
            };
            if at <= first.0 {
                first = (at, next);
            }
        }
        first
    }

    /// Reports whether a renewal is the next step anyway, or waits for an answer.
    fn renews_already(&self, step: P::Step) -> bool {
        let asks = |open: &Open<P::Step>| open.asker == Some(step) || open.then == Some(step);
        self.core.agenda.step(Slot::Next) == Some(step) || self.core.questions.open().is_some_and(asks)
    }

    /// Works out when something is to be done next.
    pub(super) fn due_at(&self, clock: Timestamp) -> Timestamp {
        // A closed session says so for ever, and nothing changes by asking.
        if self.has_news() {
            return clock;
        }
        match self.next() {
            // The bytes of a question that comes from an earlier process have grown old at some time.
            (at, Next::AskAnew) => at.max(clock),
            // How late something is matters to whoever spreads what is late.
            (at, _) => at,
        }
    }

    /// Returns what the driver waits for while this is due next.
    #[inline]
    pub(super) fn waiting_on(&self, clock: Timestamp, next: Next<P::Step>) -> WaitingOn {
        if let Some(flight) = self.flights.awaited() {
            return WaitingOn::Response(self.ids.request(flight.seq));
        }
        if let Some(open) = self.core.questions.open().filter(|_| self.aside().is_none()) {
            return WaitingOn::Need(open.need.clone());
        }
        if self.core.life.is_idle() {
            return WaitingOn::Start;
        }
        match next {
            Next::Send(..) if self.core.limits.held_until() > clock => WaitingOn::Hold,
            Next::Send(_, _, true) => WaitingOn::Retry,
            Next::Send(Slot::Keepalive, ..) => WaitingOn::Keepalive,
            Next::Send(Slot::Renew, ..) => WaitingOn::Renewal,
            Next::Send(..) => WaitingOn::Pause,
            Next::Expire => WaitingOn::Expiry,
            Next::GiveUp | Next::Lose => WaitingOn::Retry,
            Next::Nothing | Next::AskAnew => WaitingOn::Nothing,
        }
    }

    /// Asks for a look at the session, or brings the next attempt to open it forward.
    pub(super) fn want_check(&mut self, now: Timestamp) {
        if self.is_parting() || !self.core.life.goes_on() {
            return;
        }
        let at = now.max(self.checked_at + CHECK_INTERVAL);
        if self.core.life.is_open() && self.provider.probe(&self.core.state).is_some() {
            self.core.agenda.check(at);
        } else if self.core.agenda.hasten(at) {
            self.checked_at = at;
        }
    }

    /// Notes that a look has been made.
    pub(super) fn checked(&mut self, now: Timestamp) {
        self.core.agenda.drop(Slot::Check);
        self.checked_at = now;
    }

    /// Returns the earliest time at which a step may leave that is wanted at `at`.
    pub(super) fn not_before(&self, step: P::Step, at: Timestamp) -> Timestamp {
        self.paced(step, at.max(self.core.limits.free_at(self.core.life.is_leaving())))
    }

    /// Returns the earliest time at or after `at` that the step's own pace allows.
    fn paced(&self, step: P::Step, at: Timestamp) -> Timestamp {
        let (limits, rule) = (&self.core.limits, self.provider.rule(step));
        limits.paced(&step, &rule.pace, at, self.core.life.is_leaving(), self.ids.jitter)
    }

    /// Returns since when the session is in trouble and how long that is borne.
    fn patience(&self) -> Option<(Timestamp, Duration)> {
        if let Some(ending) = self.core.life.ending() {
            return Some((ending.since, self.options.logout_patience));
        }
        // A person may take any time, so patience is not counted while one is asked.
        if self.core.questions.open().is_some() {
            return None;
        }
        let patience = if self.core.life.is_open() { self.options.open_patience } else { self.options.patience };
        Some((self.core.trouble.since()?, patience?))
    }
}
