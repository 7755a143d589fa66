//! What the next poll would send, so that who drives many sessions can say when it may.

use core::time::Duration;

use super::agenda::Slot;
use super::plan::Next;
use super::turn::Engine;
use crate::provider::{Provider, Replay};
use crate::{
    Phase, Timestamp,
    machine::{Purpose, Upcoming},
};

impl<P: Provider> Engine<P> {
    pub(super) fn preview(&mut self, now: Timestamp) -> Option<Upcoming> {
        if self.has_output() {
            return None;
        }
        let (at, next) = self.next();
        if at > now {
            return None;
        }
        match next {
            Next::Send(slot, step, _) => {
                let rule = self.provider.rule(step);
                // A step that asks, since its answer has grown old or it needs a signature, lets another one leave.
                let asks = rule.takes().next().is_some() || rule.replay == Replay::Never;
                let timeout = if asks { self.longest_timeout() } else { rule.timeout };
                Some(Upcoming { timeout, errand: self.errand(rule.phase, slot) })
            }
            // What has no event to tell goes on with whatever is due, in the same poll.
            Next::Expire | Next::AskAnew if self.flights.are_none() => {
                Some(Upcoming { timeout: self.longest_timeout(), errand: self.errand(None, Slot::Check) })
            }
            Next::Expire | Next::AskAnew | Next::Lose | Next::GiveUp | Next::Nothing => None,
        }
    }

    fn errand(&self, to: Option<Phase>, slot: Slot) -> Purpose {
        let opens = |phase| matches!(phase, Phase::Opening | Phase::LoggingIn | Phase::SecondFactor);
        if self.core.life.ending().is_some() {
            Purpose::Leave
        } else if slot == Slot::Renew {
            Purpose::Renew
        } else if opens(to.unwrap_or(self.core.life.phase())) {
            Purpose::Open
        } else {
            Purpose::Keep
        }
    }

    /// Returns the longest timeout of all steps that are planned.
    fn longest_timeout(&self) -> Duration {
        let planned = self.core.agenda.iter().filter_map(|entry| entry.step);
        let steps = planned.chain(self.provider.probe(&self.core.state));
        steps.map(|step| self.provider.rule(step).timeout).max().unwrap_or_default()
    }
}
