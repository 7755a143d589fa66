//! What is seen of a walked session.

use core::fmt::Debug;
use core::time::Duration;
use std::collections::BTreeSet;

use super::Life;
use crate::testing::walk::State;
use crate::testing::walk::facts::{Facts, facts};
use crate::testing::walk::state::{self, key};
use crate::{Event, Machine, Provider};

/// A second look within so long waits.
const LATELY: Duration = Duration::from_secs(10);

impl<P: Provider + Send> Life<'_, P>
where
    P::State: Clone,
{
    /// Notes what the next state does not tell by itself.
    pub(super) fn hear(&mut self, event: &Event) {
        let dull = matches!(
            event,
            Event::PhaseChanged { .. }
                | Event::KeptAlive
                | Event::Retrying { .. }
                | Event::Suspect { .. }
                | Event::Recovered
                | Event::ClockSkew { .. }
        );
        if !dull && !self.told.contains(&event.code()) {
            self.told.push(event.code());
        }
    }

    /// Calls a function with the shown state and the session.
    pub(super) fn show(&self, shown: &dyn Debug) {
        let Some(look) = &self.walk.look else { return };
        look(&format!("{shown:?} {:?} {:?}", self.session, self.session.status()));
        if let Some(reason) = &self.closed {
            look(&format!("{reason} {}", reason.code()));
        }
    }

    /// Returns the events that the last move brought.
    pub(in super::super) fn told(&self) -> BTreeSet<&'static str> {
        self.told.iter().copied().collect()
    }

    /// Returns what is known of the session.
    pub(in super::super) fn facts(&self) -> Facts {
        let mut facts = facts(self.session.snapshot().expose_secrets());
        let known = [("in flight", self.flying.is_some()), ("asked lately", self.asked_lately())];
        facts
            .extend(known.into_iter().filter(|(_, holds)| *holds).map(|(name, _)| (name.to_owned(), "yes".to_owned())));
        facts
    }

    fn asked_lately(&self) -> bool {
        self.session.is_open() && self.looked.is_some_and(|at| self.now.since(at) < LATELY)
    }

    /// Returns the name of the state, and what tells states apart that are to be walked both.
    pub(in super::super) fn seen(&self) -> (State, String) {
        let session = &self.session;
        let state = state::name(&session.status(), session.asks(), session.step(), self.closed.as_ref());
        if self.closed.is_some() {
            let key = state.name.clone();
            return (state, key);
        }
        let lately = self.asked_lately();
        let flying = self.flying.is_some();
        let key = format!("{} {flying} {lately} {}", state.name, key(session, &self.walk.ignored));
        (state, key)
    }
}
