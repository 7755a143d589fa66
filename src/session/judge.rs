//! What follows from responses, failures and verdicts.

use core::time::Duration;

use http::StatusCode;

use super::core::Due;
use super::engine::{Engine, Flight};
use crate::conceal::Words;
use crate::event::Cause;
use crate::provider::{Fact, Outcome, Provider, Replay, Spent, Verdict};
use crate::{
    Accepted, Because, CloseReason, Delivery, Denial, Event, Failure, FailureKind, Input, Misuse, Phase, RequestId,
    Response, Shape, Timestamp,
};

impl<P: Provider> Engine<P> {
    pub(super) fn take_response(
        &mut self,
        now: Timestamp,
        id: RequestId,
        response: Response<'_>,
    ) -> Result<Accepted, Misuse> {
        let Some(step) = self.settle(id)? else { return Ok(Accepted::Stale) };
        self.judge(now, step, response);
        Ok(Accepted::Used)
    }

    fn judge(&mut self, now: Timestamp, step: P::Step, response: Response<'_>) {
        self.note_clock(now, response);
        if response.body.len() > self.options.max_body {
            self.note_lost(step);
            self.oversized(now, step);
            return;
        }
        let looks = !response.status.is_success() && self.core.phase == Phase::Active && self.looks_after(step);
        let rule = self.provider.rule(step);
        let (spends, own_limit) = (rule.spends, rule.own_limit);
        self.ease_limit(now, own_limit, response);
        let outcome = Outcome::Response(response);
        let (mut verdict, facts) = self.ask_provider(now, |provider, cx| provider.interpret(cx, step, outcome));
        let accepted = spends.is_some_and(|kind| facts.contains(&Fact::Accepted(kind)));
        self.absorb_with(now, facts, response);
        let unread = match &verdict {
            Verdict::Unreadable(why) => Some(Shape::new(self.provider.rule(step).name, why, response)),
            _ => None,
        };
        let unread = self.conceal(&mut verdict, unread);
        self.settle_answer(step, &verdict);
        if !accepted {
            self.count_unclear(now, step, &verdict);
        }
        let unwilling = matches!(response.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
        if unwilling || matches!(verdict, Verdict::Retry { .. } | Verdict::Unreadable(_)) {
            self.obey_limit(now, self.provider.rule(step).own_limit, response);
        }
        if self.core.ending.is_some() {
            self.judge_ending(now, step, verdict);
            return;
        }
        if self.leaving {
            self.judge_leaving(now, step, verdict);
            return;
        }
        if let Some(shape) = unread {
            self.unreadable(now, step, shape);
            return;
        }
        // A server that has moved is asked the same elsewhere; another step means that something is to be found out.
        if looks && matches!(verdict, Verdict::Next { step: next, .. } if next != step) {
            self.trouble(now, Cause::Status(response.status.as_u16()));
        }
        match verdict {
            Verdict::Retry { after, answer: Spent::Unjudged } => {
                self.retry(now, step, Cause::Status(response.status.as_u16()), after.unwrap_or_default());
            }
            Verdict::Retry { after, answer: Spent::Judged | Spent::Failed } => {
                self.repeat(now, step, Cause::Status(response.status.as_u16()), after.unwrap_or_default());
            }
            verdict => self.apply(now, Some(step), verdict),
        }
    }

    /// Blots the answer in hand out of what a server said about it.
    fn conceal(&self, verdict: &mut Verdict<P::Step>, mut unread: Option<Shape>) -> Option<Shape> {
        if let Some(answer) = &self.answer {
            match (verdict, &mut unread) {
                (Verdict::Close(reason), _) => Words::of(&answer.input).blot_reason(reason),
                (_, Some(shape)) => Words::of(&answer.input).blot_shape(shape),
                _ => {}
            }
        }
        unread
    }

    pub(super) fn take_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Accepted, Misuse> {
        let Some(step) = self.settle(id)? else { return Ok(Accepted::Stale) };
        self.failed(now, step, failure);
        Ok(Accepted::Used)
    }

    /// Draws the consequences of a request that got no answer.
    pub(super) fn failed(&mut self, now: Timestamp, step: P::Step, failure: Failure) {
        let rule = self.provider.rule(step);
        let cause = Cause::Failure(failure.kind);
        let sent = failure.delivery == Delivery::MaybeSent;
        if sent {
            self.out.unsaved |= rule.replay != Replay::Safe;
            self.note_lost(step);
            self.wipe_answer(step);
        }
        if failure.kind == FailureKind::BodyTooLarge {
            self.oversized(now, step);
        } else if self.core.ending.is_some() {
            self.failed_ending(now, step, cause, sent);
        } else if self.leaving {
            self.stop_leaving(now, step, !sent);
        } else if sent {
            self.repeat(now, step, cause, Duration::ZERO);
        } else {
            self.recall_code(step);
            self.retry(now, step, cause, Duration::ZERO);
        }
    }

    /// Goes on after a request that the server may have acted on, as the step's rule allows.
    fn repeat(&mut self, now: Timestamp, step: P::Step, cause: Cause, after: Duration) {
        self.wipe_answer(step);
        match (self.provider.rule(step).replay, self.provider.probe(&self.core.state)) {
            (Replay::Safe, _) => self.retry(now, step, cause, after),
            (Replay::Probe, Some(probe)) => self.retry(now, probe, cause, after),
            _ => self.lost(now, step, cause),
        }
    }

    /// Wipes the answer that a step spent and that may have been judged.
    fn wipe_answer(&mut self, step: P::Step) {
        if self.provider.rule(step).spends.is_some() {
            self.answer = None;
        }
    }

    /// Follows a verdict; `step` is the one whose response led to it, if one did.
    pub(super) fn apply(&mut self, now: Timestamp, step: Option<P::Step>, verdict: Verdict<P::Step>) {
        match verdict {
            Verdict::Next { step, after } => self.plan(step, now + after, false),
            Verdict::Ask(ask) => self.ask(now, ask),
            Verdict::Active { keepalive, renew, expires } => self.activate(now, keepalive, renew, expires),
            Verdict::Dead { proof } => self.expired(now, proof),
            Verdict::Close(CloseReason::Protocol(shape)) => self.puzzled(now, step, *shape),
            Verdict::Close(CloseReason::RetriesExhausted(cause)) if self.core.opened.is_some() => {
                self.doubt(cause, None);
                self.want_check(now);
            }
            Verdict::Close(reason) => self.close(now, reason),
            Verdict::Retry { after, .. } => match step {
                Some(step) => self.retry(now, step, Cause::Waiting, after.unwrap_or_default()),
                None => self.puzzled(now, None, Shape::unread("open", "there is nothing to try again")),
            },
            Verdict::Unreadable(why) => {
                let shape = Shape::unread(step.map_or("open", |step| self.provider.rule(step).name), why);
                self.puzzled(now, step, shape);
            }
        }
    }

    /// Something is not as the protocol has it: an opening ends, an open session is in doubt.
    fn puzzled(&mut self, now: Timestamp, step: Option<P::Step>, shape: Shape) {
        match step {
            Some(step) => self.unreadable(now, step, shape),
            None if self.core.opened.is_some() => {
                self.doubt(Cause::Unreadable, Some(shape));
                self.want_check(now);
            }
            None => self.close(now, CloseReason::Protocol(Box::new(shape))),
        }
    }

    /// An answer that is not the provider's: an opening ends, an open session is in doubt.
    pub(super) fn unreadable(&mut self, now: Timestamp, step: P::Step, shape: Shape) {
        let rule = self.provider.rule(step);
        if self.core.ending.is_some() {
            self.failed_ending(now, step, Cause::Unreadable, true);
            return;
        }
        if self.leaving {
            self.stop_leaving(now, step, false);
            return;
        }
        // A person who is asked is worth a page of a proxy now and then.
        if self.looks(step) {
            self.retry(now, step, Cause::Unreadable, Duration::ZERO);
            return;
        }
        if self.core.opened.is_none() {
            if rule.opens {
                self.tell(Event::MayLiveOn);
            }
            self.close(now, CloseReason::Protocol(Box::new(shape)));
            return;
        }
        self.doubt(Cause::Unreadable, Some(shape));
        self.repeat(now, step, Cause::Unreadable, Duration::ZERO);
    }

    /// Takes note that the login lives and no usable session comes of it.
    pub(super) fn stick(&mut self, now: Timestamp) {
        if !self.is_over() && self.core.ending.is_none() && !core::mem::replace(&mut self.core.stuck, true) {
            self.core.trouble.get_or_insert(now);
            self.tell(Event::Stuck);
        }
    }

    /// Raises the doubt about an open session, and counts the time that it lasts.
    pub(super) fn trouble(&mut self, now: Timestamp, cause: Cause) {
        if self.core.opened.is_some() {
            self.doubt(cause, None);
            self.core.cause = Some(cause);
            self.core.trouble.get_or_insert(now);
        }
    }

    /// Raises the doubt about an open session.
    pub(super) fn doubt(&mut self, cause: Cause, shape: Option<Shape>) {
        if self.core.opened.is_some() && !self.core.suspect {
            self.core.suspect = true;
            self.tell(Event::Suspect { cause, shape: shape.map(Box::new) });
        }
    }

    /// Plans a further attempt, or gives an opening up.
    pub(super) fn retry(&mut self, now: Timestamp, step: P::Step, cause: Cause, after: Duration) {
        let rule = self.provider.rule(step);
        if !self.count_failure(now, cause, rule.backoff.attempts) {
            return;
        }
        let at = self.not_before(step, now + self.wait_for(step).max(after));
        let looks = self.looks(step);
        let at = match (&mut self.core.need, &mut self.core.keepalive) {
            // A look while a person is asked has its own pace, which an outage slows down,
            (Some(open), _) if looks => open.poll.as_mut().map_or(at, |poll| {
                poll.from = poll.from.max(at - poll.every);
                poll.at().max(at)
            }),
            // and a keepalive does not take the place of the protocol's next step.
            (_, Some(keepalive)) if keepalive.step == step => {
                keepalive.retry = Some(at);
                keepalive.at()
            }
            _ if self.core.due.as_ref().is_some_and(|due| due.step != step) => {
                self.core.check_at = Some(at);
                at
            }
            _ => {
                self.plan(step, at, true);
                at
            }
        };
        self.tell(Event::Retrying { attempt: self.core.attempt, at, cause });
    }

    /// Gives the wait after the failures so far.
    fn wait_for(&self, step: P::Step) -> Duration {
        self.provider.rule(step).backoff.delay(self.ids.jitter ^ u64::from(self.ids.seq) << 20, self.core.attempt)
    }

    /// Tells whether a step looks if a question has answered itself.
    fn looks(&self, step: P::Step) -> bool {
        self.core.need.as_ref().and_then(|open| open.poll.as_ref()).is_some_and(|poll| poll.step == step)
    }

    /// Tells whether a step looks whether the session lives.
    fn looks_after(&self, step: P::Step) -> bool {
        let keepalive = self.core.keepalive.as_ref().map(|every| every.step);
        keepalive == Some(step) || self.provider.probe(&self.core.state) == Some(step)
    }

    /// Nobody knows whether a request arrived that must not be sent again.
    pub(super) fn lost(&mut self, now: Timestamp, step: P::Step, cause: Cause) {
        let rule = self.provider.rule(step);
        let (name, attempts) = (rule.name, rule.backoff.attempts);
        if rule.opens {
            self.tell(Event::MayLiveOn);
        }
        if !self.count_failure(now, cause, attempts) {
            return;
        }
        let verdict = self.consult(now, |provider, cx| provider.interpret(cx, step, Outcome::Lost));
        match verdict {
            // Whatever comes next, it comes at the pace of failures.
            Verdict::Next { step: next, after } => {
                let at = now + self.wait_for(step).max(after);
                self.plan(next, at, true);
                self.tell(Event::Retrying { attempt: self.core.attempt, at: self.not_before(next, at), cause });
            }
            Verdict::Retry { .. } | Verdict::Unreadable(_) => {
                self.puzzled(now, None, Shape::unread(name, "a lost step cannot be tried again"));
            }
            verdict => self.apply(now, Some(step), verdict),
        }
    }

    pub(super) fn plan(&mut self, step: P::Step, at: Timestamp, retry: bool) {
        self.core.due = Some(Due { step, at, retry });
    }

    /// Counts a failure; gives false where an opening was given up.
    fn count_failure(&mut self, now: Timestamp, cause: Cause, attempts: u16) -> bool {
        self.core.attempt = self.core.attempt.saturating_add(1);
        self.core.cause = Some(cause);
        self.core.trouble.get_or_insert(now);
        let looking = self.core.need.as_ref().is_some_and(|open| open.poll.is_some());
        if self.core.opened.is_none() && !looking && self.core.attempt >= attempts {
            self.abandon(now, cause);
            return false;
        }
        self.doubt(cause, None);
        true
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

    /// Wipes the answer that a step spent, unless nobody looked at it.
    fn settle_answer(&mut self, step: P::Step, verdict: &Verdict<P::Step>) {
        let rule = self.provider.rule(step);
        if rule.replay != Replay::Safe {
            self.out.unsaved = true;
        }
        let unjudged = matches!(verdict, Verdict::Retry { answer: Spent::Unjudged, .. });
        if rule.spends.is_some() && !unjudged {
            self.answer = None;
        } else if unjudged {
            self.recall_code(step);
        }
    }

    /// Counts the answer that a step spent, where the verdict leaves open whether it was refused, or ends with its refusal.
    /// A question that follows from a refusal is counted where it is put.
    fn count_unclear(&mut self, now: Timestamp, step: P::Step, verdict: &Verdict<P::Step>) {
        let Some(kind) = self.provider.rule(step).spends else { return };
        match verdict {
            Verdict::Ask(ask) if ask.because == Because::Refused && self.core.ending.is_some() => {
                self.note_refused(now, ask.kind);
            }
            Verdict::Close(CloseReason::Denied(Denial::Refused { kind: refused })) => {
                if *refused == kind {
                    self.note_refused(now, kind);
                }
            }
            // What keeps the account out is not the answer.
            Verdict::Close(CloseReason::Denied(_) | CloseReason::LoggedOut { .. }) => {}
            Verdict::Retry { answer: Spent::Judged, .. } | Verdict::Unreadable(_) | Verdict::Close(_) => {
                self.note_lost(step);
            }
            Verdict::Retry { .. }
            | Verdict::Next { .. }
            | Verdict::Ask(_)
            | Verdict::Active { .. }
            | Verdict::Dead { .. } => {}
        }
    }

    /// Forgets that a one-time code left, since nobody looked at it.
    fn recall_code(&mut self, step: P::Step) {
        if self.provider.rule(step).spends.is_some()
            && self.answer.as_ref().is_some_and(|answer| matches!(answer.input, Input::Totp(_)))
        {
            self.core.code_spent = self.code_before;
        }
    }

    fn oversized(&mut self, now: Timestamp, step: P::Step) {
        self.wipe_answer(step);
        let shape = Shape::unread(self.provider.rule(step).name, "the answer is too large");
        self.unreadable(now, step, shape);
    }
}
