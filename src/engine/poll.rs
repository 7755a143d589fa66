//! What the driver is told to do.

use core::time::Duration;

use super::agenda::Slot;
use super::door::Quiet;
use super::fall::Mishap;
use super::flight::Flight;
use super::plan::Next;
use super::turn::Engine;
use crate::machine::event::Cause;
use crate::machine::exchange::{Failure, FailureKind, Outgoing, RequestId, SendPolicy};
use crate::provider::{Ask, Build, Provider, Replay, Rule, Unbuildable, View};
use crate::{NeedKind, Output, Timestamp, machine::ResponseSummary};

/// How much longer than its timeout a request is waited for, so that the driver's verdict comes first.
const GRACE: Duration = Duration::from_secs(5);

impl<P: Provider> Engine<P> {
    /// Returns the next output; `quiet` knows what the last one waited for, and notes what this one waits for.
    pub(super) fn poll_output(&mut self, now: Timestamp, quiet: &mut Quiet<Next<P::Step>>) -> Output {
        let mut known = quiet.take();
        loop {
            if self.has_output()
                && let Some(output) = self.pop_output()
            {
                return output;
            }
            let (at, next) = known.take().unwrap_or_else(|| self.next());
            if at > now {
                quiet.wait(at, next);
                return Output::Wait { until: at, on: self.waiting_on(now, next) };
            }
            match next {
                Next::Nothing => {}
                Next::Lose => self.lose_in_flight(now),
                Next::Expire => {
                    self.core.agenda.drop(Slot::Expiry);
                    self.doubt(now, Cause::Expiry, None);
                    self.want_check(now);
                }
                Next::GiveUp => self.give_up(now),
                Next::AskAnew => self.ask_anew(now),
                Next::Send(_, step, _) => {
                    if !self.may_leave(now, step) {
                        continue;
                    }
                    // A request is large: it is moved once, from where the provider makes it to where it is handed out.
                    match self.build(now, step) {
                        Ok(Build::Request(request)) => {
                            if self.must_be_saved(step) {
                                return Output::Save;
                            }
                            let (id, policy) = self.note_left(now, step);
                            return Output::Send(Outgoing { id, policy, request });
                        }
                        Ok(Build::Needs(ask)) => self.ask_first(now, step, ask),
                        Err(why) => self.unbuildable(now, step, why),
                    }
                }
            }
        }
    }

    /// Reports whether something waits to be told, be it that the session is closed.
    pub(super) fn has_output(&self) -> bool {
        self.has_news() || self.is_over()
    }

    /// Reports whether something waits to be told once.
    pub(super) fn has_news(&self) -> bool {
        !self.out.events.is_empty() || self.flights.has_cancelled() || self.saves_now()
    }

    /// Reports whether something is to be stored now.
    fn saves_now(&self) -> bool {
        self.out.saves.is_due(self.options.durable)
    }

    fn pop_output(&mut self) -> Option<Output> {
        if let Some(seq) = self.flights.pop_cancelled() {
            return Some(Output::Cancel(self.ids.request(seq)));
        }
        // Before the events: a program that ends when it hears of a refusal must find it in its file.
        if self.saves_now() {
            self.out.saves.done();
            return Some(Output::Save);
        }
        if let Some(event) = self.out.events.pop() {
            return Some(Output::Event(event));
        }
        let aside = self.aside().map(|aside| &aside.reason);
        self.core.life.closed().or(aside).cloned().map(Output::Closed)
    }

    /// Reports whether a step may leave, and notes it; what it takes along is asked for where it is not in hand.
    fn may_leave(&mut self, now: Timestamp, step: P::Step) -> bool {
        self.hand.freshen(now);
        if let Some(kind) = self.hand.lacks(self.provider.rule(step)) {
            match self.build(now, step) {
                Ok(Build::Needs(ask)) => self.ask_first(now, step, ask),
                Err(Unbuildable::Over(proof)) => self.expired(now, proof),
                _ => self.ask_first(now, step, self.missing(kind)),
            }
            return false;
        }
        // It has been noted before the snapshot was stored, or the bytes were made that something was asked about.
        if !self.out.saves.is_before(step) && !self.hand.is_asked_by(step) {
            self.depart(now, step);
        }
        true
    }

    /// Asks for an answer that a step cannot leave without, and that is not in hand: it was lost, or nobody was asked yet.
    fn missing(&self, kind: NeedKind) -> Ask<P::Step> {
        Ask::new(kind, self.hand.why_missing(kind))
    }

    /// Notes that a step is about to leave.
    pub(super) fn depart(&mut self, now: Timestamp, step: P::Step) {
        let rule = self.provider.rule(step);
        if let Some(ends) = self.hand.code_leaves(rule, self.core.counts.code_spent) {
            self.core.counts.spend_code(Some(ends));
        }
        self.consult(now, |provider, cx| provider.left(cx, step));
    }

    /// Builds the request of a step.
    #[inline]
    pub(super) fn build(&mut self, now: Timestamp, step: P::Step) -> Result<Build<P::Step>, Unbuildable> {
        let view = View { now, entropy: self.ids.entropy(), state: &self.core.state };
        self.provider.request(&view, step, &self.hand.answers(step, self.provider.rule(step)))
    }

    /// Reports whether a snapshot that says that the step has left must be stored before it leaves.
    fn must_be_saved(&mut self, step: P::Step) -> bool {
        let rule = self.provider.rule(step);
        let harms = self.options.durable && rule.replay != Replay::Safe || self.keeps(rule);
        self.out.saves.asks_before(step, harms)
    }

    /// Reports whether what a step gets for what it sends is stored, whatever else is.
    pub(super) fn keeps(&self, rule: &Rule) -> bool {
        rule.rotates && !self.options.forgetful
    }

    /// Notes that a request is handed out, and gives it a name.
    fn note_left(&mut self, now: Timestamp, step: P::Step) -> (RequestId, SendPolicy) {
        self.hand.leave(step);
        let timeout = self.note_sent(now, step);
        self.ids.seq = self.ids.seq.wrapping_add(1);
        self.flights.leave(Flight { step, seq: self.ids.seq, deadline: now + timeout.saturating_add(GRACE) });
        (self.ids.request(self.ids.seq), SendPolicy { timeout, max_body: self.options.max_body })
    }

    /// Brings the plans up to date with a step that leaves; gives how long its answer may take.
    fn note_sent(&mut self, now: Timestamp, step: P::Step) -> Duration {
        let (rule, core) = (self.provider.rule(step), &mut self.core);
        let (phase, timeout) = (rule.phase, rule.timeout);
        core.agenda.leave(now, step);
        core.limits.note_sent(now, step, &rule.pace);
        self.note_looked(now, step);
        if let Some(phase) = phase {
            self.set_phase(now, phase);
        }
        timeout
    }

    /// Notes that a look has been made, where this step is one.
    pub(super) fn note_looked(&mut self, now: Timestamp, step: P::Step) {
        if self.core.agenda.has(Slot::Check) && self.provider.probe(&self.core.state) == Some(step) {
            self.checked(now);
        }
    }

    /// The driver did not report in time: it is unknown whether the request arrived.
    fn lose_in_flight(&mut self, now: Timestamp) {
        if let Some(flight) = self.flights.cancel() {
            self.wait_on(flight);
            self.failed(now, flight.step, Failure::maybe_sent(FailureKind::Timeout));
        }
    }

    fn give_up(&mut self, now: Timestamp) {
        if self.core.life.ending().is_some() {
            self.end_unconfirmed(now);
        } else {
            self.abandon(now, self.core.trouble.cause().unwrap_or(Cause::Waiting));
        }
    }

    /// A request that cannot be built for want of an answer waits for it. Any other fails as if its answer could not be read:
    /// the state is at fault.
    pub(super) fn unbuildable(&mut self, now: Timestamp, step: P::Step, why: Unbuildable) {
        match why {
            Unbuildable::Missing(kind) => self.ask_first(now, step, self.missing(kind)),
            Unbuildable::Over(proof) => {
                self.out.saves.call_off();
                self.expired(now, proof);
            }
            Unbuildable::Part(part) => {
                self.out.saves.call_off();
                self.hand.clear();
                self.note_sent(now, step);
                let shape = ResponseSummary::unread(self.provider.rule(step).name, part);
                self.fall(now, step, Mishap::unreadable(shape));
            }
        }
    }
}
