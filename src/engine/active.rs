//! The session becomes usable, stays so, or is found dead.

use core::time::Duration;

use super::agenda::Slot;
use super::life::{Life, Stage};
use super::turn::Engine;
use crate::provider::{Ended, Plan, Provider, Verdict};
use crate::{CloseReason, Event, Phase, Relogin, Timestamp, machine::NeedReason};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl<P: Provider> Engine<P> {
    /// The server proved that the session is usable.
    pub(super) fn activate(&mut self, now: Timestamp, plan: &Plan<P::Step>) {
        let core = &mut self.core;
        let (first, found) = (!core.life.is_open(), core.life.is_found());
        let doubted = core.is_suspect() || core.life.is_stuck();
        // A process that takes this up must know that there is a session to end, and that no outage may close it.
        self.out.saves.note_if(first || core.life.phase() != Phase::Active);
        core.alive = Some(now);
        core.counts.tally.opened();
        core.trouble.end();
        if core.questions.open().is_some_and(|open| !open.lasting) {
            core.take_question(now);
        }
        core.limits.reset_escalation(|step| self.provider.rule(step).pace.escalates);
        // An answer in hand keeps its step, what failed and is to be done anyway its wait, and a plan that stays all but a
        // look: that has been answered.
        if let Some(next) = core.agenda.get(Slot::Next)
            && let Some(step) = next.step
        {
            let stays = plan.stays && !first && self.provider.probe(&core.state) != Some(step);
            let waits = next.retry.is_some() && plan.renewals().any(|(renewal, _)| *renewal == step);
            if !(stays || waits || self.hand.is_for(step, self.provider.rule(step))) {
                core.agenda.drop(Slot::Next);
            }
        }
        core.agenda.follow(now, plan);
        let since = if let Life::Open { since, .. } = core.life { since } else { now };
        if !core.agenda.has(Slot::Next) {
            self.hand.clear();
        }
        let stage = Stage { phase: Phase::Active, calls: true, found, stuck: false, unsure: false };
        if core.life.stage() != Some(stage) || first {
            self.turn(now, Life::Open { since, stage });
        }
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
        self.core.counts.renew_tokens();
        self.core.trouble.end();
        self.hand.clear();
        self.out.saves.note();
        if !self.may_login_again(now) {
            self.close(now, CloseReason::Expired);
            return;
        }
        self.provider.forget(&mut self.core.state, Ended::Expired);
        self.core.trouble.begin(now);
        self.turn(now, Life::Opening { stage: Stage::opening(false), adopted: false });
        let verdict = self.consult(now, |provider, cx| provider.open(cx, NeedReason::Expired));
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
