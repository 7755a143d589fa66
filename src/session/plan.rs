//! What is due when: derived from what is known.

use core::time::Duration;

use super::engine::Engine;
use crate::provider::Provider;
use crate::{Phase, Timestamp, WaitingOn};

/// The shortest time between two looks that somebody asked for.
const CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// However a server steers a session, it sends no more than one request in so long on the average,
pub(super) const FLOW: Duration = Duration::from_secs(2);

/// and no more than thirty at once. A logout is exempt, it has bounds of its own.
pub(super) const AT_ONCE: Duration = Duration::from_secs(60);

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
    /// A question about bytes that have grown old is put anew.
    AskAnew,
    /// A step leaves, because of this.
    Send(S, Why),
}

/// Why a step leaves.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    Due,
    Retry,
    Renewal,
    Check,
    Look,
    Keepalive,
}

impl<P: Provider> Engine<P> {
    /// Tells what is due next, and when.
    pub(super) fn next(&self) -> (Timestamp, Next<P::Step>) {
        if self.is_over() || self.core.phase == Phase::Idle {
            return (Timestamp::NEVER, Next::Nothing);
        }
        let planned = self.planned();
        // Whatever is in flight is waited for.
        match self.patience() {
            Some((since, lasts)) if self.flight.is_none() => {
                let end = since + lasts;
                // What the protocol has planned comes at its own pace, which may be that of patience, too.
                let last = match planned.1 {
                    Next::Send(_, Why::Due) if self.core.ending.is_none() => end + lasts / 4,
                    _ => end,
                };
                if planned.0 <= last { planned } else { (end, Next::GiveUp) }
            }
            _ => planned,
        }
    }

    /// Tells what is planned, whether or not patience lasts.
    fn planned(&self) -> (Timestamp, Next<P::Step>) {
        let core = &self.core;
        let mut first = (Timestamp::NEVER, Next::Nothing);
        if let Some(moment) = core.expires {
            first = (moment.at, Next::Expire);
        }
        if let Some(flight) = &self.flight {
            return if flight.deadline < first.0 { (flight.deadline, Next::Lose) } else { first };
        }
        // Before that nothing leaves; most steps have no pace of their own beside it.
        let free = self.free_at();
        let send = |first: &mut (Timestamp, Next<P::Step>), step: P::Step, at: Timestamp, why| {
            let at = at.max(free);
            if at < first.0 {
                let at = self.paced(step, at);
                if at < first.0 {
                    *first = (at, Next::Send(step, why));
                }
            }
        };
        if let Some(due) = &core.due {
            send(&mut first, due.step, due.at, if due.retry { Why::Retry } else { Why::Due });
        }
        if core.ending.is_some() {
            return first;
        }
        let open = core.need.as_deref();
        let asker = open.and_then(|open| open.asker);
        if let Some(open) = open
            && asker.is_some()
        {
            let ends = open.ends().max(core.clock);
            if ends < first.0 {
                first = (ends, Next::AskAnew);
            }
        }
        if let Some((step, moment)) = core.renewal
            && core.due.as_ref().is_none_or(|due| due.step != step)
            && asker != Some(step)
        {
            send(&mut first, step, moment.at, Why::Renewal);
        }
        if let Some(at) = core.check_at
            && let Some(step) = self.provider.probe(&core.state)
        {
            send(&mut first, step, at, Why::Check);
        }
        if let Some(poll) = open.and_then(|open| open.poll.as_ref()) {
            send(&mut first, poll.step, poll.at(), Why::Look);
        }
        if let Some(keepalive) = &core.keepalive {
            let why = if keepalive.retry.is_some() { Why::Retry } else { Why::Keepalive };
            send(&mut first, keepalive.step, keepalive.at(), why);
        }
        first
    }

    /// Works out when something is to be done next.
    pub(super) fn due_at(&self) -> Timestamp {
        // A closed session says so for ever, and nothing changes by asking.
        if self.has_news() { self.core.clock } else { self.next().0 }
    }

    /// Tells what the driver waits for while this is due next.
    #[inline]
    pub(super) fn waiting_on(&self, next: Next<P::Step>) -> WaitingOn {
        if let Some(flight) = &self.flight {
            return WaitingOn::Response(self.ids.request(flight.seq));
        }
        if let Some(open) = self.core.need.as_ref().filter(|_| self.aside.is_none()) {
            return WaitingOn::Need(open.need.clone());
        }
        if self.core.phase == Phase::Idle {
            return WaitingOn::Start;
        }
        match next {
            Next::Send(..) if self.core.hold.max(self.core.penalty) > self.core.clock => WaitingOn::Hold,
            Next::Send(_, Why::Keepalive) => WaitingOn::Keepalive,
            Next::Send(_, Why::Renewal) => WaitingOn::Renewal,
            Next::Send(_, Why::Retry) => WaitingOn::Retry,
            Next::Send(_, Why::Due | Why::Check | Why::Look) => WaitingOn::Pause,
            Next::Expire => WaitingOn::Expiry,
            Next::GiveUp | Next::Lose => WaitingOn::Retry,
            Next::Nothing | Next::AskAnew => WaitingOn::Nothing,
        }
    }

    /// Asks for a look at the session, or brings the next attempt to open it forward.
    pub(super) fn want_check(&mut self, now: Timestamp) {
        if self.is_over() || self.leaving || self.core.ending.is_some() || self.core.phase == Phase::Idle {
            return;
        }
        let at = now.max(self.checked_at + CHECK_INTERVAL);
        if self.core.opened.is_some() && self.provider.probe(&self.core.state).is_some() {
            self.core.check_at.get_or_insert(at);
        } else if let Some(due) = &mut self.core.due
            && due.retry
            && at < due.at
        {
            due.at = at;
            self.checked_at = at;
        }
    }

    /// Notes that a look has been made.
    pub(super) fn checked(&mut self, now: Timestamp) {
        if self.core.check_at.take().is_some() {
            self.checked_at = now;
        }
    }

    /// Gives the earliest time at which a step may leave that is wanted at `at`.
    pub(super) fn not_before(&self, step: P::Step, at: Timestamp) -> Timestamp {
        self.paced(step, at.max(self.free_at()))
    }

    /// Gives the time before which nothing leaves, whatever the step.
    fn free_at(&self) -> Timestamp {
        let core = &self.core;
        let held = core.hold.max(core.penalty);
        if core.leaving { held } else { held.max(core.flow - AT_ONCE) }
    }

    /// Gives the earliest time at or after `at` that the step's own pace allows.
    fn paced(&self, step: P::Step, at: Timestamp) -> Timestamp {
        let rule = self.provider.rule(step);
        if !rule.is_paced() {
            return at;
        }
        let Some(pace) = self.core.paces.iter().find(|pace| pace.step == step) else { return at };
        let escalated = match pace.tries {
            tries if rule.escalates && tries > 0 && !self.core.leaving => rule.backoff.delay(self.ids.jitter, tries),
            _ => Duration::ZERO,
        };
        at.max(pace.last + escalated.max(rule.min_interval))
    }

    /// Gives since when the session is in trouble and how long that is borne.
    fn patience(&self) -> Option<(Timestamp, Duration)> {
        if let Some(since) = self.core.ending {
            return Some((since, self.options.logout_patience));
        }
        // A person may take any time, so patience is not counted while one is asked.
        if self.core.need.is_some() {
            return None;
        }
        let opened = self.core.opened.is_some();
        let patience = if opened { self.options.open_patience } else { self.options.patience };
        Some((self.core.trouble?, patience?))
    }
}
