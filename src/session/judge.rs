//! What follows from responses, failures and verdicts.

use core::time::Duration;

use super::core::{Due, Every};
use super::{InFlight, Session, cx};
use crate::event::Cause;
use crate::provider::{Provider, Replay, Spent, Step, Verdict};
use crate::{
    Accepted, Because, CloseReason, Delivery, Event, Failure, FailureKind, Input, Misuse, Phase, Relogin, RequestId,
    Response, Shape, Timestamp,
};

/// The shortest and the longest wait that a `Retry-After` header is believed. The longest penalty
/// known of is 15 minutes; an uncapped one would leave a session dead for as long as a server likes.
const RETRY_AFTER: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(15 * 60));

/// The difference of clocks that is worth an event: a `Date` header has whole seconds and travels.
const CLOCK_SKEW: u64 = 5_000;

/// The shortest time between two requests that come again and again.
const SHORTEST: Duration = Duration::from_secs(1);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl<P: Provider> Session<P> {
    pub(super) fn take_response(
        &mut self,
        now: Timestamp,
        id: RequestId,
        response: Response<'_>,
    ) -> Result<Accepted, Misuse> {
        let now = self.tick(now);
        let Some(step) = self.settle(id)? else { return Ok(Accepted::Stale) };
        self.note_clock(now, response);
        if response.body.len() > self.options.max_body {
            self.oversized(now, step);
            return Ok(Accepted::Used);
        }
        let verdict = self.provider.interpret(&mut cx!(self, now), step, response);
        self.absorb_facts(now);
        self.settle_answer(step, &verdict);
        if matches!(verdict, Verdict::Retry { .. } | Verdict::Unreadable(_)) {
            self.obey_retry_after(now, response);
        }
        let rule = step.rule();
        if self.core.ending.is_some() {
            self.judge_ending(now, step, verdict);
            return Ok(Accepted::Used);
        }
        match verdict {
            Verdict::Unreadable(why) => self.unreadable(now, step, Shape::new(rule.name, why, response)),
            Verdict::Retry { answer: Spent::Judged, .. } if rule.spends.is_some() => {
                self.lost(now, step, Cause::Status(response.status.as_u16()));
            }
            Verdict::Retry { after, .. } => {
                self.retry(now, step, Cause::Status(response.status.as_u16()), after.unwrap_or_default());
            }
            verdict => {
                if matches!(verdict, Verdict::Next { .. }) {
                    self.core.attempt = 0;
                }
                self.apply(now, Some(step), verdict);
            }
        }
        Ok(Accepted::Used)
    }

    pub(super) fn take_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Accepted, Misuse> {
        let now = self.tick(now);
        let Some(step) = self.settle(id)? else { return Ok(Accepted::Stale) };
        self.failed(now, step, failure);
        Ok(Accepted::Used)
    }

    /// Draws the consequences of a request that got no answer.
    pub(super) fn failed(&mut self, now: Timestamp, step: P::Step, failure: Failure) {
        let rule = step.rule();
        let cause = Cause::Failure(failure.kind);
        if failure.kind == FailureKind::BodyTooLarge {
            self.oversized(now, step);
        } else if failure.delivery == Delivery::NotSent {
            self.retry_or_end(now, step, cause);
        } else {
            if rule.replay != Replay::Safe {
                self.unsaved = true;
            }
            if rule.spends.is_some() {
                self.answer = None;
            }
            match rule.replay {
                Replay::Safe => self.retry_or_end(now, step, cause),
                _ if self.core.ending.is_some() => self.ending_lost(now, step),
                Replay::Probe => match self.provider.probe(&self.core.state) {
                    Some(probe) => self.retry(now, probe, cause, Duration::ZERO),
                    None => self.lost(now, step, cause),
                },
                Replay::Never => self.lost(now, step, cause),
            }
        }
    }

    /// Follows a verdict; `step` is the one whose response led to it, if one did.
    pub(super) fn apply(&mut self, now: Timestamp, step: Option<P::Step>, verdict: Verdict<P::Step>) {
        match verdict {
            Verdict::Next { step, after } => self.plan(step, now + after, false),
            Verdict::Ask(ask) => self.ask(now, ask),
            Verdict::Active { keepalive, renew, expires } => self.activate(now, keepalive, renew, expires),
            Verdict::Dead { proof } => self.expired(now, proof),
            Verdict::Close(CloseReason::Protocol(shape)) => match step {
                Some(step) => self.unreadable(now, step, *shape),
                None => self.close(now, CloseReason::Protocol(shape)),
            },
            Verdict::Close(reason) => self.close(now, reason),
            Verdict::Retry { after, .. } => match step {
                Some(step) => self.retry(now, step, Cause::Waiting, after.unwrap_or_default()),
                None => self.close(now, CloseReason::RetriesExhausted(Cause::Waiting)),
            },
            Verdict::Unreadable(why) => {
                let shape = Shape::unread(step.map_or("open", |step| step.rule().name), why);
                match step {
                    Some(step) => self.unreadable(now, step, shape),
                    None => self.close(now, CloseReason::Protocol(Box::new(shape))),
                }
            }
        }
    }

    /// An answer that is not the provider's: an opening ends, an open session is in doubt.
    pub(super) fn unreadable(&mut self, now: Timestamp, step: P::Step, shape: Shape) {
        let rule = step.rule();
        if self.core.ending.is_some() {
            self.retry_or_end(now, step, Cause::Unreadable);
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
        match (rule.replay, self.provider.probe(&self.core.state)) {
            (Replay::Safe, _) => self.retry(now, step, Cause::Unreadable, Duration::ZERO),
            (Replay::Probe, Some(probe)) => self.retry(now, probe, Cause::Unreadable, Duration::ZERO),
            _ => self.lost(now, step, Cause::Unreadable),
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
        let rule = step.rule();
        if !self.count_failure(now, cause, rule.backoff.attempts) {
            return;
        }
        // A look while a person is asked has its own pace.
        let looks = self.core.need.as_ref().and_then(|open| open.poll.as_ref()).is_some_and(|poll| poll.step == step);
        let wait = rule.backoff.delay(self.jitter ^ u64::from(self.seq) << 20, self.core.attempt).max(after);
        let at = (now + wait).max(self.core.hold);
        if !looks {
            self.plan(step, at, true);
        }
        self.tell(Event::Retrying { attempt: self.core.attempt, at, cause });
    }

    /// Nobody knows whether a request arrived that must not be sent again.
    pub(super) fn lost(&mut self, now: Timestamp, step: P::Step, cause: Cause) {
        let rule = step.rule();
        self.answer = None;
        if rule.opens {
            self.tell(Event::MayLiveOn);
        }
        if rule.spends.is_some() {
            self.core.lost = self.core.lost.saturating_add(1);
        }
        if !self.count_failure(now, cause, rule.backoff.attempts) {
            return;
        }
        let verdict = self.provider.lost(&mut cx!(self, now), step);
        self.absorb_facts(now);
        self.apply(now, Some(step), verdict);
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
            self.close(now, CloseReason::RetriesExhausted(cause));
            return false;
        }
        self.doubt(cause, None);
        true
    }

    fn activate(
        &mut self,
        now: Timestamp,
        keepalive: Option<(P::Step, Duration)>,
        renew: Option<(P::Step, Timestamp)>,
        expires: Option<Timestamp>,
    ) {
        let core = &mut self.core;
        let first = core.opened.is_none();
        core.opened.get_or_insert(now);
        core.usable = true;
        core.alive = Some(now);
        core.refused = 0;
        core.lost = 0;
        core.attempt = 0;
        core.cause = None;
        core.trouble = None;
        core.need = None;
        core.ease();
        // A renewal that failed keeps its own wait.
        let renewing = renew.map(|(step, _)| step);
        core.due = core.due.take().filter(|due| due.retry && renewing == Some(due.step));
        core.keepalive = keepalive.map(|(step, every)| {
            let from = core.keepalive.as_ref().filter(|old| old.step == step).map_or(now, |old| old.from);
            Every { step, every: every.max(SHORTEST), from }
        });
        core.renewal = renew.map(|(step, at)| match core.renewal {
            Some((old, wanted)) if old == step && at <= now => (step, wanted),
            _ => (step, at.max(now + Duration::from_secs(60))),
        });
        core.expires = expires.filter(|&at| at > now);
        let suspect = core::mem::take(&mut core.suspect);
        self.answer = None;
        self.set_phase(now, Phase::Active);
        if suspect {
            self.tell(Event::Recovered);
        }
        if !first {
            self.tell(Event::KeptAlive);
        }
    }

    fn expired(&mut self, now: Timestamp, proof: &'static str) {
        self.tell(Event::Expired { proof });
        self.core.clear_plans();
        self.core.generation = self.core.generation.wrapping_add(1);
        self.core.trouble = None;
        self.core.attempt = 0;
        self.answer = None;
        self.check_at = None;
        self.unsaved = true;
        if !self.may_login_again(now) {
            self.close(now, CloseReason::Expired);
            return;
        }
        self.provider.forget(&mut self.core.state);
        self.core.trouble = Some(now);
        self.set_phase(now, Phase::Opening);
        let verdict = self.provider.open(&mut cx!(self, now), Because::Expired);
        self.absorb_facts(now);
        match verdict {
            Verdict::Dead { .. } => self.close(now, CloseReason::Expired),
            verdict => self.apply(now, None, verdict),
        }
    }

    fn may_login_again(&mut self, now: Timestamp) -> bool {
        let Relogin::AskAgain { per_day } = self.options.relogin else { return false };
        let (since, count) = self.core.relogins.filter(|(since, _)| now.since(*since) < DAY).unwrap_or((now, 0));
        self.core.relogins = Some((since, count.saturating_add(1)));
        count < per_day
    }

    /// Finds the step that an id names and takes it out of flight; `None` if that is over.
    fn settle(&mut self, id: RequestId) -> Result<Option<P::Step>, Misuse> {
        let ours = id.epoch == self.epoch && id.life == self.life;
        if id.epoch > self.epoch || ours && (id.seq > self.seq || id.seq == 0) {
            return Err(Misuse::UnknownId);
        }
        match self.in_flight.take() {
            Some(InFlight { step, seq, .. }) if ours && seq == id.seq => Ok(Some(step)),
            other => {
                self.in_flight = other;
                Ok(None)
            }
        }
    }

    /// Wipes the answer that a step spent, unless nobody looked at it.
    fn settle_answer(&mut self, step: P::Step, verdict: &Verdict<P::Step>) {
        let rule = step.rule();
        if rule.replay != Replay::Safe {
            self.unsaved = true;
        }
        let unjudged = matches!(verdict, Verdict::Retry { answer: Spent::Unjudged, .. });
        if rule.spends.is_some() && !unjudged {
            self.answer = None;
        } else if unjudged && matches!(self.answer, Some(Input::Totp(_))) {
            self.core.code_spent = None;
        }
    }

    fn oversized(&mut self, now: Timestamp, step: P::Step) {
        if step.rule().spends.is_some() {
            self.answer = None;
        }
        let shape = Shape::unread(step.rule().name, "the answer is too large");
        self.unreadable(now, step, shape);
    }

    fn obey_retry_after(&mut self, now: Timestamp, response: Response<'_>) {
        let Some(text) = response.header(http::header::RETRY_AFTER) else { return };
        let wait = match text.trim().parse::<u64>() {
            Ok(secs) => Duration::from_secs(secs),
            Err(_) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => Duration::MAX,
            Err(_) => match Timestamp::from_http_date(text) {
                Some(at) => at.since(now),
                None => return,
            },
        };
        let (shortest, longest) = RETRY_AFTER;
        self.core.hold = self.core.hold.max(now + wait.clamp(shortest, longest));
    }

    fn note_clock(&mut self, now: Timestamp, response: Response<'_>) {
        let Some(date) = response.header(http::header::DATE).and_then(Timestamp::from_http_date) else { return };
        let (theirs, ours) = (date.as_millis(), now.as_millis());
        if theirs.abs_diff(ours) > CLOCK_SKEW {
            let by_millis = theirs.cast_signed().saturating_sub(ours.cast_signed());
            self.tell(Event::ClockSkew { by_millis });
        }
    }
}
