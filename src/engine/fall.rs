//! What is done where a step did not get what it was sent for: each case as [`after`] says.

use core::time::Duration;

use super::after::{Consequence, Fate, Row, after};
use super::agenda::Slot;
use super::life::Life;
use super::turn::Engine;
use crate::machine::event::Cause;
use crate::provider::{Outcome, Provider, Replay, Verdict};
use crate::{
    CloseReason, Event, Failure, Timestamp,
    machine::{Delivery, FailureKind, ResponseSummary},
};

/// What became of a request that did not get what it was sent for.
pub(super) struct Mishap {
    fate: Fate,
    cause: Cause,
    /// The shortest wait before a further attempt.
    wait: Duration,
    /// What could not be read.
    shape: Option<ResponseSummary>,
}

impl Mishap {
    pub(super) const fn new(fate: Fate, cause: Cause) -> Self {
        Self { fate, cause, wait: Duration::ZERO, shape: None }
    }

    pub(super) const fn unreadable(shape: ResponseSummary) -> Self {
        Self { fate: Fate::Unreadable, cause: Cause::Unreadable, wait: Duration::ZERO, shape: Some(shape) }
    }

    pub(super) fn wait(self, wait: Option<Duration>) -> Self {
        Self { wait: wait.unwrap_or_default(), ..self }
    }
}

impl<P: Provider> Engine<P> {
    /// Draws the consequences of a request that got no answer.
    pub(super) fn failed(&mut self, now: Timestamp, step: P::Step, failure: Failure) {
        let sent = failure.delivery == Delivery::MaybeSent;
        if sent {
            self.note_lost(self.provider.rule(step).takes());
        }
        match failure.kind {
            FailureKind::BodyTooLarge => self.oversized(now, step),
            kind => {
                let fate = if sent { Fate::Lost } else { Fate::NotSent };
                self.fall(now, step, Mishap::new(fate, Cause::Failure(kind)));
            }
        }
    }

    /// Draws the consequences of a request that did not get what it was sent for.
    pub(super) fn fall(&mut self, now: Timestamp, step: P::Step, mishap: Mishap) {
        let Mishap { fate, cause, wait, shape } = mishap;
        let rule = self.provider.rule(step);
        let (name, replay, opens) = (rule.name, rule.replay, rule.opens);
        let (row, probe) = (self.row(step), self.provider.probe(&self.core.state));
        let asks = matches!((after(row, replay, fate), probe), (Consequence::Ask, _) | (Consequence::Probe, None));
        match fate {
            Fate::NotSent | Fate::Unjudged => self.recall_code(step),
            // What the provider says of a lost step comes first.
            _ if asks => {}
            _ => self.wipe_answer(step),
        }
        self.out.saves.note_if(fate != Fate::NotSent && replay != Replay::Safe);
        if (row, fate) == (Row::Open, Fate::Unreadable) {
            self.doubt(now, cause, shape.clone());
        }
        match (after(row, replay, fate), probe) {
            (Consequence::Again, _) => {
                // What it may have opened is opened again, and nobody knows the first one.
                let acted = !matches!(fate, Fate::NotSent | Fate::Unjudged);
                if opens && acted && row == Row::Opening {
                    self.be_unsure();
                }
                self.retry(now, step, cause, wait);
                if fate == Fate::NotSent {
                    self.put_attempts_off(now);
                }
            }
            (Consequence::Probe, Some(probe)) => self.retry(now, probe, cause, wait),
            (Consequence::Probe, None) | (Consequence::Ask, _) => {
                if opens {
                    self.tell(Event::MayLiveOn);
                    self.be_unsure();
                }
                self.lost(now, step, cause);
            }
            (Consequence::Close, _) => {
                if opens {
                    self.tell(Event::MayLiveOn);
                }
                let shape = shape.unwrap_or_else(|| ResponseSummary::unread(name, "nothing was read"));
                self.close(now, CloseReason::Protocol(Box::new(shape)));
            }
            (Consequence::Leave { sure }, _) => self.go_on_ending(now, step, sure),
            (Consequence::GiveUp, _) => self.end_unconfirmed(now),
        }
    }

    fn row(&self, step: P::Step) -> Row {
        match &self.core.life {
            Life::Ending(ending) if ending.leaving => Row::Ending,
            Life::Ending(_) => Row::Waiting,
            _ if self.is_parting() => Row::Waiting,
            _ if self.looks(step) => Row::Looking,
            Life::Open { .. } => Row::Open,
            Life::Idle { .. } | Life::Opening { .. } | Life::Closed(_) => Row::Opening,
        }
    }

    /// Goes on with an end that waited for what was in flight. `sure` tells whether that can have opened nothing that
    /// nobody knows of.
    fn go_on_ending(&mut self, now: Timestamp, step: P::Step, sure: bool) {
        if self.core.life.ending().is_none() {
            self.stop_leaving(now, step, sure);
            return;
        }
        if !sure && self.provider.rule(step).opens {
            self.tell(Event::MayLiveOn);
        }
        self.proceed_logout(now, sure);
    }

    /// Plans a further attempt, or gives an opening up.
    fn retry(&mut self, now: Timestamp, step: P::Step, cause: Cause, after: Duration) {
        if self.core.life.ending().is_some() {
            self.retry_ending(now, step, cause, after);
            return;
        }
        if !self.count_failure(now, cause, self.provider.rule(step).pace.backoff.attempts) {
            return;
        }
        let at = self.not_before(step, now + self.wait_for(step).max(after));
        let agenda = &mut self.core.agenda;
        // A look while a person is asked has its own pace, which an outage slows down, and neither a keepalive nor a renewal
        // takes the place of the protocol's next step, nor does another step.
        let own = agenda.look_later(step, at).or_else(|| agenda.keep_trying(step, at));
        let at = own.or_else(|| agenda.renew_again(step, at)).unwrap_or_else(|| {
            if agenda.step(Slot::Next).is_some_and(|next| next != step) {
                agenda.check_at(at);
            } else {
                agenda.again(step, at);
            }
            at
        });
        self.tell(Event::Retrying { attempt: self.core.trouble.attempt(), at, cause });
    }

    /// Lets what else is tried again wait, too, after a request that reached no server.
    fn put_attempts_off(&mut self, now: Timestamp) {
        let (seed, attempt) = (self.seed(), self.core.trouble.attempt());
        let Self { core, provider, .. } = self;
        let probe = provider.probe(&core.state);
        let wait =
            |step: Option<P::Step>| step.or(probe).map(|step| provider.rule(step).pace.backoff.delay(seed, attempt));
        core.agenda.put_attempts_off(|step| now + wait(step).unwrap_or_default());
    }

    /// Returns the wait after the failures so far.
    fn wait_for(&self, step: P::Step) -> Duration {
        self.provider.rule(step).pace.backoff.delay(self.seed(), self.core.trouble.attempt())
    }

    /// Returns what the wait after a failure is drawn from.
    fn seed(&self) -> u64 {
        self.ids.jitter ^ u64::from(self.ids.seq) << 20
    }

    /// Reports whether a step looks if a question has answered itself.
    pub(super) fn looks(&self, step: P::Step) -> bool {
        self.core.agenda.step(Slot::Look) == Some(step)
    }

    /// It is unknown whether a request arrived that must not be sent again.
    fn lost(&mut self, now: Timestamp, step: P::Step, cause: Cause) {
        let rule = self.provider.rule(step);
        let (name, attempts) = (rule.name, rule.pace.backoff.attempts);
        if !self.count_failure(now, cause, attempts) {
            return;
        }
        let mut facts = Vec::new();
        let verdict = self.ask_provider(now, &mut facts, |provider, cx| provider.interpret(cx, step, Outcome::Lost));
        self.note_unspent(step, &facts);
        self.absorb(now, facts);
        self.wipe_answer(step);
        self.core.agenda.settle(step);
        match verdict {
            // Whatever comes next, it comes at the pace of failures.
            Verdict::Next { step: next, after } => {
                let at = now + self.wait_for(step).max(after);
                self.core.agenda.again(next, at);
                self.tell(Event::Retrying {
                    attempt: self.core.trouble.attempt(),
                    at: self.not_before(next, at),
                    cause,
                });
            }
            Verdict::Retry { .. } | Verdict::Unreadable(_) => {
                self.protocol_violation(now, ResponseSummary::unread(name, "a lost step cannot be tried again"));
            }
            Verdict::Close(CloseReason::Protocol(shape)) => self.protocol_violation(now, *shape),
            verdict => self.apply(now, Some(step), verdict),
        }
    }

    /// Counts a failure; gives false where an opening was given up.
    fn count_failure(&mut self, now: Timestamp, cause: Cause, attempts: u16) -> bool {
        self.count_attempt(now, cause);
        let looking = self.core.agenda.has(Slot::Look);
        if !self.core.life.is_open() && !looking && self.core.trouble.attempt() >= attempts {
            self.abandon(now, cause);
            return false;
        }
        true
    }

    /// Wipes the answers that left with a step and that may have been judged.
    pub(super) fn wipe_answer(&mut self, step: P::Step) {
        self.hand.wipe(self.provider.rule(step));
    }

    /// Forgets that a one-time code left, since the server did not check it.
    fn recall_code(&mut self, step: P::Step) {
        if let Some(before) = self.hand.code_returns(self.provider.rule(step)) {
            self.core.counts.spend_code(before);
        }
    }
}
