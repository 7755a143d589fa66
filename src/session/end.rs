//! Logout and closing.

use super::{InFlight, Session};
use crate::event::Cause;
use crate::provider::{Provider, Spent, Step, Verdict};
use crate::{CloseReason, Event, Phase, RequestId, Timestamp};

impl<P: Provider> Session<P> {
    pub(super) fn begin_logout(&mut self, now: Timestamp) {
        if self.core.closed.is_some() || self.core.ending.is_some() {
            return;
        }
        self.core.ending = Some(now);
        self.core.need = None;
        self.core.keepalive = None;
        self.core.renewal = None;
        self.core.expires = None;
        self.core.due = None;
        self.core.usable = false;
        self.core.attempt = 0;
        self.answer = None;
        self.check_at = None;
        self.set_phase(now, Phase::LoggingOut);
        match self.in_flight.take() {
            // Its answer may bring the very session that is to be ended.
            Some(in_flight) if in_flight.step.rule().opens => self.in_flight = Some(in_flight),
            Some(InFlight { seq, .. }) => {
                self.cancel = Some(RequestId { epoch: self.epoch, life: self.life, seq });
                self.proceed_logout(now, true);
            }
            None => self.proceed_logout(now, true),
        }
    }

    /// Follows what came of a request while the session is being ended.
    pub(super) fn judge_ending(&mut self, now: Timestamp, step: P::Step, verdict: Verdict<P::Step>) {
        if Some(step) != self.provider.logout(&self.core.state) {
            match verdict {
                Verdict::Retry { answer: Spent::Judged, .. } | Verdict::Unreadable(_) => self.ending_lost(now, step),
                // Whatever the answer was, the state tells whether there is something to end.
                _ => self.proceed_logout(now, true),
            }
            return;
        }
        match verdict {
            Verdict::Dead { .. } => self.close(now, CloseReason::LoggedOut { confirmed: true }),
            Verdict::Close(reason @ CloseReason::LoggedOut { .. }) => self.close(now, reason),
            Verdict::Next { step, after } => self.plan(step, now + after, false),
            Verdict::Ask(_) | Verdict::Close(_) => self.end_unconfirmed(now),
            Verdict::Active { .. } | Verdict::Retry { .. } | Verdict::Unreadable(_) => {
                self.retry_or_end(now, step, Cause::Waiting);
            }
        }
    }

    /// Plans a further attempt; in a logout only as long as its patience lasts.
    pub(super) fn retry_or_end(&mut self, now: Timestamp, step: P::Step, cause: Cause) {
        let Some(since) = self.core.ending else {
            self.retry(now, step, cause, core::time::Duration::ZERO);
            return;
        };
        if Some(step) != self.provider.logout(&self.core.state) {
            // An opening that did not leave: there is nothing new to end.
            self.proceed_logout(now, true);
            return;
        }
        self.core.attempt = self.core.attempt.saturating_add(1);
        let wait = step.rule().backoff.delay(self.jitter, self.core.attempt);
        let at = (now + wait).max(self.core.hold);
        if at >= since + self.options.logout_patience {
            self.end_unconfirmed(now);
            return;
        }
        self.plan(step, at, true);
        self.tell(Event::Retrying { attempt: self.core.attempt, at, cause });
    }

    /// The fate of a request is unknown while the session is being ended.
    pub(super) fn ending_lost(&mut self, now: Timestamp, step: P::Step) {
        if Some(step) == self.provider.logout(&self.core.state) {
            self.end_unconfirmed(now);
            return;
        }
        if step.rule().opens {
            self.tell(Event::MayLiveOn);
        }
        self.proceed_logout(now, !step.rule().opens);
    }

    /// Gives the logout up: the session may live on at the server.
    pub(super) fn end_unconfirmed(&mut self, now: Timestamp) {
        self.close(now, CloseReason::LoggedOut { confirmed: false });
    }

    /// Sends the logout, or ends here where the server has nothing to end. `sure` tells whether no
    /// session can have been opened that nobody knows of.
    fn proceed_logout(&mut self, now: Timestamp, sure: bool) {
        match self.provider.logout(&self.core.state) {
            None => self.close(now, CloseReason::LoggedOut { confirmed: sure }),
            Some(_) if self.core.hold > now + self.options.logout_patience => self.end_unconfirmed(now),
            Some(step) => {
                self.core.ending = Some(now);
                self.plan(step, now, false);
            }
        }
    }

    pub(super) fn close(&mut self, now: Timestamp, reason: CloseReason) {
        if self.core.closed.is_some() {
            return;
        }
        if let Some(InFlight { seq, step, .. }) = self.in_flight.take() {
            self.cancel = Some(RequestId { epoch: self.epoch, life: self.life, seq });
            if step.rule().opens {
                self.tell(Event::MayLiveOn);
            }
        }
        let over = matches!(reason, CloseReason::LoggedOut { confirmed: true } | CloseReason::Expired);
        if over {
            self.provider.forget(&mut self.core.state);
        } else if self.provider.logout(&self.core.state).is_some() {
            self.tell(Event::MayLiveOn);
        }
        self.core.clear_plans();
        self.core.trouble = None;
        self.core.ending = None;
        self.answer = None;
        self.check_at = None;
        self.saving = None;
        self.unsaved = true;
        self.set_phase(now, Phase::Closed);
        self.core.closed = Some(reason);
    }
}
