//! Logout and closing.

use core::time::Duration;

use super::life::{Ending, Life};
use super::turn::Engine;
use crate::machine::event::Cause;
use crate::provider::{Ended, Leave, Provider, Verdict};
use crate::{CloseReason, Event, Timestamp, machine::Denial};

impl<P: Provider> Engine<P> {
    pub(super) fn begin_logout(&mut self, now: Timestamp) {
        if self.is_over() || self.is_parting() || self.core.life.ending().is_some() {
            return;
        }
        if self.leaves_alone() {
            self.leave(now);
            return;
        }
        self.end(now, true);
    }

    /// Ends a session that is not the one that it should be.
    pub(super) fn end_unfit(&mut self, now: Timestamp) {
        if self.is_parting() {
            self.close(now, CloseReason::Denied(Denial::NotEntitled));
            return;
        }
        let unsure = self.core.life.is_unsure();
        self.turn(now, Life::Ending(Ending { since: now, leaving: false, unsure, unfit: true }));
        self.end(now, true);
    }

    /// Begins the logout itself.
    pub(super) fn end(&mut self, now: Timestamp, sure: bool) {
        self.core.clear_plans();
        self.core.trouble.end();
        self.out.saves.call_off();
        let (unsure, unfit) = (self.core.life.is_unsure(), self.core.life.is_unfit());
        self.turn(now, Life::Ending(Ending { since: now, leaving: false, unsure, unfit }));
        // Until an answer that is waited for has come, what it spends stays known, so that it is found in the server's words.
        if !self.waits_for_flight() {
            let sure = self.flights.cancel().is_some() || sure;
            self.proceed_logout(now, sure);
        }
    }

    /// Follows the verdict on a response while the session is being ended.
    pub(super) fn judge_ending(&mut self, now: Timestamp, step: P::Step, verdict: Verdict<P::Step>) {
        if !self.core.life.is_leaving() {
            // A session that came after all is the one to end, whatever an answer that was lost may have opened.
            if let (Verdict::Active(_), Life::Ending(ending)) = (&verdict, &mut self.core.life) {
                ending.unsure = false;
            }
            // Whatever the answer was, the state tells whether there is something to end.
            self.proceed_logout(now, true);
            return;
        }
        match verdict {
            Verdict::Dead { .. } => self.close(now, CloseReason::LoggedOut { confirmed: true }),
            Verdict::Close(reason @ CloseReason::LoggedOut { .. }) => self.close(now, reason),
            Verdict::Next { step, after } => self.core.agenda.next(step, now + after),
            Verdict::Ask(_) | Verdict::Close(_) | Verdict::Unfit => self.end_unconfirmed(now),
            Verdict::Active(_) | Verdict::Retry { .. } | Verdict::Unreadable(_) => {
                self.retry_ending(now, step, Cause::Unreadable, Duration::ZERO);
            }
        }
    }

    /// Plans a further attempt of the logout, or gives it up.
    pub(super) fn retry_ending(&mut self, now: Timestamp, step: P::Step, cause: Cause, after: Duration) {
        let since = self.core.life.ending().map_or(now, |ending| ending.since);
        self.count_attempt(now, cause);
        let wait = self.provider.rule(step).pace.backoff.delay(self.ids.jitter, self.core.trouble.attempt()).max(after);
        let at = self.not_before(step, now + wait);
        if at >= since + self.options.logout_patience {
            self.end_unconfirmed(now);
            return;
        }
        self.core.agenda.again(step, at);
        self.tell(Event::Retrying { attempt: self.core.trouble.attempt(), at, cause });
    }

    /// Gives up the logout: the session may live on at the server.
    pub(super) fn end_unconfirmed(&mut self, now: Timestamp) {
        self.close(now, CloseReason::LoggedOut { confirmed: false });
    }

    /// Sends the logout, or ends here where the server has nothing to end. `sure` tells whether no
    /// session can have been opened that nobody knows of.
    pub(super) fn proceed_logout(&mut self, now: Timestamp, sure: bool) {
        self.hand.clear();
        let since = self.core.life.ending().map_or(now, |ending| ending.since);
        let (unsure, unfit) = (self.core.life.is_unsure() || !sure, self.core.life.is_unfit());
        self.turn(now, Life::Ending(Ending { since, leaving: false, unsure, unfit }));
        let free_at = self.core.limits.held_until();
        match self.provider.logout(&self.core.state) {
            Leave::Nothing | Leave::Abandon => self.close(now, CloseReason::LoggedOut { confirmed: sure }),
            Leave::Step(_) if free_at > now + self.options.logout_patience => self.end_unconfirmed(now),
            Leave::Step(step) => {
                self.turn(now, Life::Ending(Ending { since: now, leaving: true, unsure, unfit }));
                self.core.agenda.next(step, now);
            }
        }
    }

    pub(super) fn close(&mut self, now: Timestamp, reason: CloseReason) {
        if self.is_over() {
            return;
        }
        let unsure = self.core.life.is_unsure();
        let reason = match reason {
            CloseReason::LoggedOut { confirmed } => CloseReason::LoggedOut { confirmed: confirmed && !unsure },
            reason => reason,
        };
        if let Some(flight) = self.flights.cancel() {
            let rule = self.provider.rule(flight.step);
            let opens = rule.opens;
            self.note_lost(rule.takes());
            if opens {
                self.tell(Event::MayLiveOn);
            }
        }
        let over = matches!(reason, CloseReason::LoggedOut { confirmed: true } | CloseReason::Expired);
        let (endable, left) = match self.provider.logout(&self.core.state) {
            Leave::Nothing => (false, false),
            Leave::Step(_) => (!over, !over),
            Leave::Abandon => (false, !matches!(reason, CloseReason::Expired)),
        };
        if left {
            self.tell(Event::MayLiveOn);
        }
        // Where the session can still be ended, its tokens stay in the snapshot for whoever wants to do
        // that. Otherwise hardly anything of the state is of use any more.
        if !endable {
            self.provider.forget(&mut self.core.state, Ended::Closed);
        }
        self.core.clear_plans();
        self.core.trouble.end();
        self.hand.clear();
        self.out.saves.call_off();
        self.out.saves.note();
        self.parting = None;
        let reason = if self.core.life.is_unfit() { CloseReason::Denied(Denial::NotEntitled) } else { reason };
        self.turn(now, Life::Closed(Box::new(reason)));
    }
}
