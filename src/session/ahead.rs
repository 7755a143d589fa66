//! What the next poll would send, so that who drives many sessions can say when it may.

use core::time::Duration;

use super::engine::Engine;
use super::plan::{Next, Why};
use crate::provider::{Provider, Replay};
use crate::{Errand, Phase, Timestamp, Upcoming};

impl<P: Provider> Engine<P> {
    pub(super) fn look_ahead(&mut self, now: Timestamp) -> Option<Upcoming> {
        if self.has_output() {
            return None;
        }
        let (at, next) = self.next();
        if at > now {
            return None;
        }
        match next {
            Next::Send(step, why) => {
                let rule = self.provider.rule(step);
                // A step that asks, since its answer has grown old or it needs a signature, lets another one leave.
                let asks = rule.takes().next().is_some() || rule.replay == Replay::Never;
                let timeout = if asks { self.longest_timeout() } else { rule.timeout };
                Some(Upcoming { timeout, errand: self.errand(rule.phase, why) })
            }
            // What has no event to tell goes on with whatever is due, in the same poll.
            Next::Expire | Next::AskAnew if self.flight.is_none() => {
                Some(Upcoming { timeout: self.longest_timeout(), errand: self.errand(None, Why::Check) })
            }
            Next::Expire | Next::AskAnew | Next::Lose | Next::GiveUp | Next::Nothing => None,
        }
    }

    fn errand(&self, to: Option<Phase>, why: Why) -> Errand {
        let opens = |phase| matches!(phase, Phase::Opening | Phase::LoggingIn | Phase::SecondFactor);
        if self.core.life.ending().is_some() {
            Errand::Leave
        } else if why == Why::Renewal {
            Errand::Renew
        } else if opens(to.unwrap_or(self.core.life.phase())) {
            Errand::Open
        } else {
            Errand::Keep
        }
    }

    /// Gives the longest timeout of all steps that are planned.
    fn longest_timeout(&self) -> Duration {
        let core = &self.core;
        let planned = [
            core.plans.due.map(|due| due.step),
            core.plans.renewal.map(|(step, _)| step),
            core.plans.keepalive.map(|every| every.step),
            core.need.as_ref().and_then(|open| open.poll).map(|poll| poll.step),
            self.provider.probe(&core.state),
        ];
        planned.into_iter().flatten().map(|step| self.provider.rule(step).timeout).max().unwrap_or_default()
    }
}
