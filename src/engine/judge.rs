//! What follows from responses, failures and verdicts.

use http::StatusCode;

use super::after::Fate;
use super::agenda::Slot;
use super::fall::Mishap;
use super::turn::Engine;
use crate::machine::event::Cause;
use crate::provider::{Fact, Judgment, Outcome, Provider, Replay, Verdict};
use crate::{
    CloseReason, Failure, Handled, Misuse, Phase, RequestId, Response, Timestamp,
    machine::{Delivery, Denial, NeedReason, ResponseSummary},
};

/// Some of the answers that a step takes: bits for their places.
type Places = u32;

const fn place(at: usize) -> Places {
    1 << (at & 31)
}

impl<P: Provider> Engine<P> {
    pub(super) fn take_response(
        &mut self,
        now: Timestamp,
        id: RequestId,
        response: Response<'_>,
    ) -> Result<Handled, Misuse> {
        let found = self.settle(id)?.map(|flight| flight.step);
        let Some(step) = found.or_else(|| self.settle_late(id)) else { return Ok(Handled::Stale) };
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
        self.ease_limit(now, self.provider.rule(step).pace.own_limit, response);
        let (outcome, mut facts) = (Outcome::Response(response), Vec::new());
        // A verdict is large: it stays where the provider has put it until it is followed.
        let mut verdict = self.ask_provider(now, &mut facts, |provider, cx| provider.interpret(cx, step, outcome));
        let unclear = self.unclear(step, &facts);
        self.absorb_with(now, facts, response);
        let mishap = self.mishap(step, &mut verdict, response);
        self.count_unclear(step, unclear, &verdict);
        let unwilling = matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if unwilling || matches!(verdict, Verdict::Retry { .. } | Verdict::Unreadable(_)) {
            self.obey_limit(now, self.provider.rule(step).pace.own_limit, response);
        }
        if let Some(mishap) = mishap {
            self.fall(now, step, mishap);
            return;
        }
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
                self.doubt(now, Cause::Status(response.status.as_u16()), None);
            }
            self.apply(now, Some(step), verdict);
        }
    }

    /// Returns what went wrong, if the step did not get what it was sent for. The answers in hand are redacted in what a
    /// server said about it.
    fn mishap(&self, step: P::Step, verdict: &mut Verdict<P::Step>, response: Response<'_>) -> Option<Mishap> {
        match verdict {
            Verdict::Retry { after, answer } => {
                let fate = if *answer == Judgment::Unjudged { Fate::Unjudged } else { Fate::Judged };
                Some(Mishap::new(fate, Cause::Status(response.status.as_u16())).wait(*after))
            }
            Verdict::Unreadable(why) => {
                let mut shape = ResponseSummary::new(self.provider.rule(step).name, why, response);
                self.words().for_each(|words| words.redact_summary(&mut shape));
                Some(Mishap::unreadable(shape))
            }
            Verdict::Close(reason) => {
                self.words().for_each(|words| words.redact_reason(reason));
                if let CloseReason::Protocol(shape) = reason {
                    Some(Mishap::unreadable((**shape).clone()))
                } else {
                    None
                }
            }
            _ => None,
        }
    }

    pub(super) fn take_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        let Some(flight) = self.settle(id)? else { return Ok(Handled::Stale) };
        if failure.delivery == Delivery::MaybeSent {
            self.wait_on(flight);
        }
        self.failed(now, flight.step, failure);
        Ok(Handled::Used)
    }

    /// Follows a verdict; `step` is the one whose response led to it, if one did.
    pub(super) fn apply(&mut self, now: Timestamp, step: Option<P::Step>, verdict: Verdict<P::Step>) {
        match verdict {
            Verdict::Next { step, after } => self.core.agenda.next(step, now + after),
            Verdict::Ask(ask) => self.ask(now, ask),
            Verdict::Active(ref plan) => self.activate(now, plan),
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
            Verdict::Unfit => self.end_unfit(now),
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

    /// Reports whether a step looks whether the session lives.
    fn looks_after(&self, step: P::Step) -> bool {
        self.core.agenda.step(Slot::Keepalive) == Some(step) || self.provider.probe(&self.core.state) == Some(step)
    }

    /// Notes that the server has judged what left with a step.
    fn settle_answer(&mut self, step: P::Step, verdict: &Verdict<P::Step>) {
        let rule = self.provider.rule(step);
        self.out.saves.note_if(rule.replay != Replay::Safe);
        self.out.saves.note_rotated(self.keeps(rule));
        match verdict {
            Verdict::Ask(ask) if matches!(ask.because, NeedReason::Refused | NeedReason::Lost) => self.hand.wipe(rule),
            _ => self.hand.spend(rule),
        }
    }

    /// Names the answers that left with a step and of which the provider tells nothing, and notes which of the others the
    /// server has not checked.
    fn unclear(&mut self, step: P::Step, facts: &[Fact]) -> Places {
        self.note_unspent(step, facts);
        let known = |kind| facts.contains(&Fact::Accepted(kind)) || facts.contains(&Fact::Unspent(kind));
        let unclear = self.provider.rule(step).takes().enumerate().filter(|(_, kind)| !known(*kind));
        unclear.fold(0, |places, (at, _)| places | place(at))
    }

    /// Notes which of the answers that left with a step the server has not checked.
    pub(super) fn note_unspent(&mut self, step: P::Step, facts: &[Fact]) {
        for fact in facts {
            if let Fact::Unspent(kind) = fact
                && self.takes(step, *kind)
                && let Some(before) = self.hand.stays(*kind)
            {
                self.core.counts.spend_code(before);
            }
        }
    }

    /// Counts the answers that left with a step and of which nothing else is told, where the verdict leaves open whether one
    /// was refused, or ends with its refusal. A question that follows from a refusal is counted where it is put.
    fn count_unclear(&mut self, step: P::Step, unclear: Places, verdict: &Verdict<P::Step>) {
        if unclear == 0 {
            return;
        }
        let takes = self.provider.rule(step).takes().enumerate();
        let mut kinds = takes.filter(|(at, _)| unclear & place(*at) != 0).map(|(_, kind)| kind);
        match verdict {
            Verdict::Ask(ask) if ask.because == NeedReason::Refused && self.core.life.ending().is_some() => {
                self.note_refused(ask.kind);
            }
            Verdict::Close(CloseReason::Denied(Denial::Refused { kind })) => {
                if kinds.any(|unclear| unclear == *kind) {
                    self.note_refused(*kind);
                }
            }
            // What keeps the account out is not the answer.
            Verdict::Close(CloseReason::Denied(_) | CloseReason::LoggedOut { .. }) => {}
            Verdict::Retry { answer: Judgment::Judged, .. } | Verdict::Unreadable(_) | Verdict::Close(_) => {
                self.note_lost(kinds);
            }
            Verdict::Retry { .. }
            | Verdict::Next { .. }
            | Verdict::Ask(_)
            | Verdict::Active(_)
            | Verdict::Dead { .. }
            | Verdict::Unfit => {}
        }
    }

    pub(super) fn oversized(&mut self, now: Timestamp, step: P::Step) {
        let shape = ResponseSummary::unread(self.provider.rule(step).name, "the answer is too large");
        self.fall(now, step, Mishap::unreadable(shape));
    }
}
