//! What the driver is told to do.

use core::time::Duration;

use super::core::Pace;
use super::plan::{FLOW, Next};
use super::{InFlight, InHand, Session, cx};
use crate::event::Cause;
use crate::exchange::{Failure, FailureKind, Outgoing, RequestId, SendPolicy};
use crate::provider::{Provider, Replay, Step, Unbuildable};
use crate::{CloseReason, Input, NeedKind, Output, Shape, Timestamp};

/// How much longer than its timeout a request is waited for, so that the driver's verdict comes first.
const GRACE: Duration = Duration::from_secs(5);

impl<P: Provider> Session<P> {
    pub(super) fn poll_output(&mut self, now: Timestamp) -> Output {
        let now = self.tick(now);
        loop {
            if self.has_output()
                && let Some(output) = self.pop_output()
            {
                return output;
            }
            let (at, next) = self.next();
            if at > now {
                return Output::Wait { until: at, on: self.waiting_on(next) };
            }
            match next {
                Next::Nothing => {}
                Next::Lose => self.lose_in_flight(now),
                Next::Expire => {
                    self.core.expires = None;
                    self.doubt(Cause::Expiry, None);
                    self.want_check(now);
                }
                Next::GiveUp => self.give_up(now),
                Next::AskAnew => self.ask_anew(now),
                Next::Send(step, _) => {
                    if let Some(output) = self.emit(now, step) {
                        return output;
                    }
                }
            }
        }
    }

    /// Tells whether something waits to be told.
    pub(super) fn has_output(&self) -> bool {
        !self.events.is_empty()
            || self.cancel.is_some()
            || self.core.closed.is_some()
            || self.unsaved && self.options.durable
    }

    fn pop_output(&mut self) -> Option<Output> {
        if let Some(seq) = self.cancel.take() {
            return Some(Output::Cancel(RequestId { epoch: self.epoch, life: self.life, seq }));
        }
        // Before the events: a program that ends when it hears of a refusal must find it in its file.
        if self.unsaved && self.options.durable {
            self.unsaved = false;
            return Some(Output::Save);
        }
        if let Some(event) = self.events.pop() {
            return Some(Output::Event(event));
        }
        self.core.closed.clone().map(Output::Closed)
    }

    /// Builds and hands out the request of a step, or does what has to come before it.
    // A request is large, and moved once less.
    #[inline]
    fn emit(&mut self, now: Timestamp, step: P::Step) -> Option<Output> {
        let rule = step.rule();
        if let Some(kind) = rule.spends
            && !self.has_answer_for(now, kind)
        {
            // It grew old in hand, or a resume has come in between: it was not refused.
            self.answer = None;
            // A snapshot must not say that the step has left.
            self.saving = None;
            self.core.clear_plans_of(now, step);
            self.ask_for(now, step, kind);
            return None;
        }
        if self.options.durable && rule.replay != Replay::Safe && self.saving != Some(step) {
            self.saving = Some(step);
            return Some(Output::Save);
        }
        self.saving = None;
        let answer = self.answer.as_ref().filter(|_| rule.spends.is_some()).map(|answer| &answer.input);
        let request = match self.provider.request(&mut cx!(self, now), step, answer) {
            Ok(request) => request,
            Err(Unbuildable(part)) => {
                self.unbuildable(now, step, part);
                return None;
            }
        };
        if let Some(Input::Totp(code)) = answer {
            self.code_before = self.core.code_spent;
            self.core.code_spent = Some(code.ends());
        }
        // What it signed has the time and a nonce, which a server takes only once.
        if matches!(answer, Some(Input::Signature(_))) {
            self.answer = None;
        }
        if !self.facts.is_empty() {
            self.absorb_facts(now);
        }
        self.note_sent(now, step);
        self.seq = self.seq.wrapping_add(1);
        self.in_flight = Some(InFlight { step, seq: self.seq, deadline: now + rule.timeout.saturating_add(GRACE) });
        Some(Output::Send(Outgoing {
            id: RequestId { epoch: self.epoch, life: self.life, seq: self.seq },
            policy: SendPolicy { timeout: rule.timeout, max_body: self.options.max_body },
            request,
        }))
    }

    /// Brings the plans up to date with a step that leaves.
    fn note_sent(&mut self, now: Timestamp, step: P::Step) {
        let rule = step.rule();
        let core = &mut self.core;
        core.clear_plans_of(now, step);
        core.flow = core.flow.max(now) + FLOW;
        if rule.is_paced() {
            match core.paces.iter_mut().find(|pace| pace.step == step) {
                Some(pace) => {
                    pace.last = now;
                    pace.tries = pace.tries.saturating_add(1);
                }
                None => core.paces.push(Pace { step, last: now, tries: 1 }),
            }
        }
        if self.core.check_at.is_some() && self.provider.probe(&self.core.state) == Some(step) {
            self.checked(now);
        }
        if let Some(phase) = rule.phase {
            self.set_phase(now, phase);
        }
    }

    fn has_answer_for(&self, now: Timestamp, kind: NeedKind) -> bool {
        let Some(InHand { input, until }) = self.answer.as_deref() else { return false };
        match (input, kind) {
            (Input::Totp(code), NeedKind::Totp) => now < code.ends(),
            (input, kind) => input.fits(kind) && until.is_none_or(|until| now < until),
        }
    }

    /// The driver did not report in time: nobody knows whether the request arrived.
    fn lose_in_flight(&mut self, now: Timestamp) {
        if let Some(InFlight { step, seq, .. }) = self.in_flight.take() {
            self.cancel = Some(seq);
            self.failed(now, step, Failure::maybe_sent(FailureKind::Timeout));
        }
    }

    fn give_up(&mut self, now: Timestamp) {
        if self.core.ending.is_some() {
            self.end_unconfirmed(now);
        } else {
            self.close(now, CloseReason::RetriesExhausted(self.core.cause.unwrap_or(Cause::Waiting)));
        }
    }

    /// A request that cannot be built fails as if its answer could not be read: the state is at fault.
    pub(super) fn unbuildable(&mut self, now: Timestamp, step: P::Step, part: &'static str) {
        self.answer = None;
        self.note_sent(now, step);
        let shape = Shape::unread(step.rule().name, part);
        self.unreadable(now, step, shape);
    }
}
