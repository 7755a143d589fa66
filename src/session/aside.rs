//! A life that ends while the session lives on: nobody drives it any more, and its snapshot is that of an open one.

use super::Session;
use super::core::Due;
use crate::provider::Provider;
use crate::{Cause, CloseReason, Event, Phase, Timestamp};

/// How a life ended whose session goes on. It is in no snapshot, since whoever resumes one begins another life.
#[derive(Clone)]
pub(super) struct Aside {
    pub(super) reason: CloseReason,
    /// When it ended.
    pub(super) at: Timestamp,
}

impl<P: Provider> Session<P> {
    /// Gives up for now. What may live on stays what it is: a session that was open, and tokens of somebody's that
    /// nobody has looked at yet.
    pub(super) fn abandon(&mut self, now: Timestamp, cause: Cause) {
        let cause = if self.core.stuck { Cause::Stuck } else { cause };
        if self.core.opened.is_none() && !self.core.adopted {
            self.close(now, CloseReason::RetriesExhausted(cause));
            return;
        }
        let state = &self.core.state;
        if self.provider.logout(state).is_some() || self.provider.leaves_behind(state) {
            self.tell(Event::MayLiveOn);
        }
        let opened = self.core.opened.is_some();
        self.step_aside(now, if opened { CloseReason::GivenUp(cause) } else { CloseReason::RetriesExhausted(cause) });
    }

    /// Ends this life and leaves the session as it is.
    pub(super) fn step_aside(&mut self, now: Timestamp, reason: CloseReason) {
        let from = self.phase_now();
        // Whoever takes it up looks first, before anything that was planned.
        if let Some(probe) = self.provider.probe(&self.core.state) {
            self.core.due = Some(Due { step: probe, at: Timestamp::from_millis(0), retry: true });
        }
        self.answer = None;
        self.saving = None;
        self.unsaved = true;
        self.aside = Some(Box::new(Aside { reason, at: now }));
        self.tell(Event::PhaseChanged { from, to: Phase::Closed });
    }

    /// Tells whether this life has ended.
    pub(super) fn is_over(&self) -> bool {
        self.core.closed.is_some() || self.aside.is_some()
    }

    /// Tells where the session stands for whoever drives it.
    pub(super) fn phase_now(&self) -> Phase {
        if self.aside.is_some() { Phase::Closed } else { self.core.phase }
    }
}
