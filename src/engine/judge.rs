//! What follows from responses, failures and verdicts.

use http::StatusCode;

use super::after::Fate;
use super::agenda::Slot;
use super::fall::Mishap;
use super::turn::{Engine, Flight};
use crate::machine::event::Cause;
use crate::provider::{Fact, Judgment, Outcome, Provider, Replay, Verdict};
use crate::{
    CloseReason, Failure, Handled, Misuse, NeedKind, Phase, RequestId, Response, Timestamp,
    machine::{Denial, NeedReason, ResponseSummary},
};

impl<P: Provider> Engine<P> {
    pub(super) fn take_response(
        &mut self,
        now: Timestamp,
        id: RequestId,
        response: Response<'_>,
    ) -> Result<Handled, Misuse> {
        let Some(step) = self.settle(id)? else { return Ok(Handled::Stale) };
        self.judge(now, step, response);
        Ok(Handled::Used)
    }

    fn judge(&mut self, now: Timestamp, step: P::Step, response: Response<'_>) {
        self.note_clock(now, response);
        if response.body.len() > self.options.max_body {
            self.note_lost(self.provider.rule(step).takes());
            self.oversized(now, step);
            return;
        }
        let looks = !response.status.is_success() && self.core.life.phase() == Phase::Active && self.looks_after(step);
        let rule = self.provider.rule(step);
        let (takes, own_limit) = (rule.takes(), rule.own_limit);
        self.ease_limit(now, own_limit, response);
        let outcome = Outcome::Response(response);
        let (mut verdict, facts) = self.ask_provider(now, |provider, cx| provider.interpret(cx, step, outcome));
        self.note_unspent(step, &facts);
        let known = |kind| facts.contains(&Fact::Accepted(kind)) || facts.contains(&Fact::Unspent(kind));
        let unclear: Vec<_> = takes.filter(|kind| !known(*kind)).collect();
        self.absorb_with(now, facts, response);
        let unread = match &verdict {
            Verdict::Unreadable(why) => Some(ResponseSummary::new(self.provider.rule(step).name, why, response)),
            _ => None,
        };
        let unread = self.conceal(&mut verdict, unread);
        self.count_unclear(now, &unclear, &verdict);
        let unwilling = matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if unwilling || matches!(verdict, Verdict::Retry { .. } | Verdict::Unreadable(_)) {
            self.obey_limit(now, self.provider.rule(step).own_limit, response);
        }
        let cause = Cause::Status(response.status.as_u16());
        match (verdict, unread) {
            (Verdict::Retry { after, answer }, _) => {
                let fate = if answer == Judgment::Unjudged { Fate::Unjudged } else { Fate::Judged };
                self.fall(now, step, Mishap::new(fate, cause).wait(after));
            }
            (Verdict::Close(CloseReason::Protocol(shape)), _) => self.fall(now, step, Mishap::unreadable(*shape)),
            (_, Some(shape)) => self.fall(now, step, Mishap::unreadable(shape)),
            (verdict, None) => {
                self.settle_answer(step, &verdict);
                self.core.agenda.settle(step);
                if self.core.life.ending().is_some() {
                    self.judge_ending(now, step, verdict);
                } else if self.is_parting() {
                    self.judge_leaving(now, step, verdict);
                } else {
                    // A server that has moved is asked the same elsewhere; another step means that something is to be
                    // found out.
                    if looks && matches!(verdict, Verdict::Next { step: next, .. } if next != step) {
                        self.doubt(now, cause, None);
                    }
                    self.apply(now, Some(step), verdict);
                }
            }
        }
    }

    /// Blots the answers in hand out of what a server said about it.
    fn conceal(&self, verdict: &mut Verdict<P::Step>, mut unread: Option<ResponseSummary>) -> Option<ResponseSummary> {
        for words in self.hand.words() {
            match (&mut *verdict, &mut unread) {
                (Verdict::Close(reason), _) => words.blot_reason(reason),
                (_, Some(shape)) => words.blot_shape(shape),
                _ => {}
            }
        }
        unread
    }

    pub(super) fn take_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        let Some(step) = self.settle(id)? else { return Ok(Handled::Stale) };
        self.failed(now, step, failure);
        Ok(Handled::Used)
    }

    /// Follows a verdict; `step` is the one whose response led to it, if one did.
    pub(super) fn apply(&mut self, now: Timestamp, step: Option<P::Step>, verdict: Verdict<P::Step>) {
        match verdict {
            Verdict::Next { step, after } => self.core.agenda.next(step, now + after),
            Verdict::Ask(ask) => self.ask(now, ask),
            Verdict::Active(plan) => self.activate(now, &plan),
            Verdict::Dead { proof } => self.expired(now, proof),
            Verdict::Close(CloseReason::Protocol(shape)) => match step {
                Some(step) => self.fall(now, step, Mishap::unreadable(*shape)),
                None => self.protocol_violation(now, *shape),
            },
            Verdict::Close(CloseReason::RetriesExhausted(cause)) if self.core.life.is_open() => {
                self.doubt(now, cause, None);
                self.want_check(now);
            }
            Verdict::Close(reason) => self.close(now, reason),
            Verdict::Retry { after, .. } => match step {
                Some(step) => self.fall(now, step, Mishap::new(Fate::Unjudged, Cause::Waiting).wait(after)),
                None => self.protocol_violation(now, ResponseSummary::unread("open", "there is nothing to try again")),
            },
            Verdict::Unreadable(why) => match step {
                Some(step) => {
                    let shape = ResponseSummary::unread(self.provider.rule(step).name, why);
                    self.fall(now, step, Mishap::unreadable(shape));
                }
                None => self.protocol_violation(now, ResponseSummary::unread("open", why)),
            },
        }
    }

    /// Something that no request led to is not as the protocol has it: an opening ends, an open session is in doubt.
    pub(super) fn protocol_violation(&mut self, now: Timestamp, shape: ResponseSummary) {
        if self.core.life.is_open() {
            self.doubt(now, Cause::Unreadable, Some(shape));
            self.want_check(now);
        } else {
            self.close(now, CloseReason::Protocol(Box::new(shape)));
        }
    }

    /// Tells whether a step looks whether the session lives.
    fn looks_after(&self, step: P::Step) -> bool {
        self.core.agenda.step(Slot::Keepalive) == Some(step) || self.provider.probe(&self.core.state) == Some(step)
    }

    /// Finds the step that an id names and takes it out of flight; `None` if that is over.
    fn settle(&mut self, id: RequestId) -> Result<Option<P::Step>, Misuse> {
        let ours = id.epoch == self.ids.epoch && id.life == self.ids.life;
        if id.epoch > self.ids.epoch || ours && (id.seq > self.ids.seq || id.seq == 0) {
            return Err(Misuse::UnknownId);
        }
        match self.flight.take() {
            Some(Flight { step, seq, .. }) if ours && seq == id.seq => Ok(Some(step)),
            other => {
                self.flight = other;
                Ok(None)
            }
        }
    }

    /// Takes note that the server has judged what left with a step.
    fn settle_answer(&mut self, step: P::Step, verdict: &Verdict<P::Step>) {
        let rule = self.provider.rule(step);
        self.out.unsaved |= rule.replay != Replay::Safe;
        self.out.rotated |= self.keeps(rule);
        match verdict {
            Verdict::Ask(ask) if matches!(ask.because, NeedReason::Refused | NeedReason::Lost) => self.hand.wipe(rule),
            _ => self.hand.spend(rule),
        }
    }

    /// Notes which of the answers that left with a step the server has not looked at.
    pub(super) fn note_unspent(&mut self, step: P::Step, facts: &[Fact]) {
        for fact in facts {
            if let Fact::Unspent(kind) = fact
                && self.takes(step, *kind)
                && let Some(before) = self.hand.stays(*kind)
            {
                self.core.counts.code_spent = before;
            }
        }
    }

    /// Counts the answers that left with a step and of which nothing else is told, where the verdict leaves open whether one
    /// was refused, or ends with its refusal. A question that follows from a refusal is counted where it is put.
    fn count_unclear(&mut self, now: Timestamp, unclear: &[NeedKind], verdict: &Verdict<P::Step>) {
        if unclear.is_empty() {
            return;
        }
        match verdict {
            Verdict::Ask(ask) if ask.because == NeedReason::Refused && self.core.life.ending().is_some() => {
                self.note_refused(now, ask.kind);
            }
            Verdict::Close(CloseReason::Denied(Denial::Refused { kind })) => {
                if unclear.contains(kind) {
                    self.note_refused(now, *kind);
                }
            }
            // What keeps the account out is not the answer.
            Verdict::Close(CloseReason::Denied(_) | CloseReason::LoggedOut { .. }) => {}
            Verdict::Retry { answer: Judgment::Judged, .. } | Verdict::Unreadable(_) | Verdict::Close(_) => {
                self.note_lost(unclear.iter().copied());
            }
            Verdict::Retry { .. }
            | Verdict::Next { .. }
            | Verdict::Ask(_)
            | Verdict::Active(_)
            | Verdict::Dead { .. } => {}
        }
    }

    pub(super) fn oversized(&mut self, now: Timestamp, step: P::Step) {
        let shape = ResponseSummary::unread(self.provider.rule(step).name, "the answer is too large");
        self.fall(now, step, Mishap::unreadable(shape));
    }
}
