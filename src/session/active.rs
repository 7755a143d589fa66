//! The session becomes usable, stays so, or is found dead.

use core::time::Duration;

use super::core::{Every, Moment};
use super::engine::Engine;
use super::life::{Life, Stage, Trouble};
use crate::provider::{Ended, Provider, Verdict, When};
use crate::{Because, CloseReason, Event, Phase, Relogin, Timestamp};

/// The shortest time between two renewals.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl<P: Provider> Engine<P> {
    /// The server proved that the session is usable.
    pub(super) fn activate(
        &mut self,
        now: Timestamp,
        keepalive: Option<(P::Step, Duration)>,
        renew: Option<(P::Step, When)>,
        expires: Option<When>,
    ) {
        let core = &mut self.core;
        let (first, found) = (!core.life.is_open(), core.life.is_found());
        let doubted = core.is_suspect() || core.life.is_stuck();
        // A process that takes this up must know that there is a session to end, and that no outage may close it.
        self.out.unsaved |= first || core.life.phase() != Phase::Active;
        core.alive = Some(now);
        core.counts.tally.opened();
        core.trouble = None;
        core.need = core.need.take().filter(|open| open.lasting);
        core.limits.ease(|step| self.provider.rule(step).escalates);
        // A renewal that failed keeps its own wait, and an answer in hand its step.
        let renewing = renew.map(|(step, _)| step);
        core.plans.due = core.plans.due.take().filter(|due| {
            due.retry && renewing == Some(due.step) || self.hand.is_for(due.step, self.provider.rule(due.step))
        });
        core.plans.keepalive = keepalive.map(|(step, every)| {
            let from = core.plans.keepalive.as_ref().filter(|old| old.step == step).map_or(now, |old| old.from);
            Every::new(step, every, from)
        });
        core.plans.renewal = renew.map(|(renewal, when)| {
            let mut moment = Moment::new(now, when);
            // A server that names a past instant each time must not be asked each time.
            if let Some(renewed) = core.plans.renewed {
                moment.at = moment.at.max(renewed + RENEWAL_INTERVAL);
            }
            (renewal, moment)
        });
        core.plans.expires = expires.map(|when| Moment::new(now, when)).filter(|moment| moment.at > now);
        let since = if let Life::Open { since, .. } = core.life { since } else { now };
        if core.plans.due.is_none() {
            self.hand.clear();
        }
        let stage = Stage { phase: Phase::Active, calls: true, found, stuck: false, unsure: false };
        self.turn(now, Life::Open { since, stage });
        if doubted {
            self.tell(Event::Recovered);
        }
        if !first {
            self.tell(Event::KeptAlive);
        }
    }

    /// The server proved that the session is dead.
    pub(super) fn expired(&mut self, now: Timestamp, proof: &'static str) {
        self.tell(Event::Expired { proof });
        self.core.clear_plans();
        self.core.generation = self.core.generation.wrapping_add(1);
        self.core.trouble = None;
        self.hand.clear();
        self.out.unsaved = true;
        if !self.may_login_again(now) {
            self.close(now, CloseReason::Expired);
            return;
        }
        self.provider.forget(&mut self.core.state, Ended::Expired);
        self.core.trouble = Some(Trouble::new(now));
        self.turn(now, Life::Opening { stage: Stage::opening(false), adopted: false });
        let verdict = self.consult(now, |provider, cx| provider.open(cx, Because::Expired));
        match verdict {
            Verdict::Dead { .. } => self.close(now, CloseReason::Expired),
            verdict => self.apply(now, None, verdict),
        }
    }

    fn may_login_again(&mut self, now: Timestamp) -> bool {
        let Relogin::AskAgain { per_day } = self.options.relogin else { return false };
        let (since, count) = self.core.counts.relogins.filter(|(since, _)| now.since(*since) < DAY).unwrap_or((now, 0));
        self.core.counts.relogins = Some((since, count.saturating_add(1)));
        count < per_day
    }
}
