//! The user's own calls, with the laws that they must keep.

use super::calls::Reply;
use super::world::{Broken, Lawful, World, broken};
use crate::{AuthorizeError, Failure, Handled, Machine, Misuse, Provider, Response, machine::FailureKind};

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn authorize(&mut self) -> Lawful {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = self.laws.path.parse().unwrap_or_default();
        let now = self.tick();
        let ticket = self.session.authorize(now, &mut parts, b"");
        self.note(None)?;
        if let Ok(ticket) = ticket {
            if self.known.closed.is_some() {
                broken!("14. closed is absorbing", "a call is authorized");
            }
            self.tickets.push((ticket, self.generation));
        }
        Ok(())
    }

    pub(super) fn authorize_foreign(&mut self) -> Lawful {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = http::Uri::from_static("https://elsewhere.invalid/");
        let now = self.tick();
        match self.session.authorize(now, &mut parts, b"") {
            Ok(_) => broken!("20. foreign hosts", "a call to {} is authorized", parts.uri),
            Err(AuthorizeError::NotReady { .. } | AuthorizeError::Misuse(Misuse::ForeignHost)) => Ok(()),
            Err(other) => broken!("20. foreign hosts", "a call to {} is {other:?}", parts.uri),
        }
    }

    pub(super) fn observe(&mut self, which: usize, reply: Option<&Reply>) -> Lawful {
        let Some((ticket, generation)) = self.tickets.get(which % self.tickets.len().max(1)).cloned() else {
            return Ok(());
        };
        let old = generation != self.generation || self.known.closed.is_some();
        let response = reply.map(|reply| self.response(reply, None));
        let observe = |world: &mut Self| {
            let now = world.tick();
            match &response {
                Some(response) => world.session.observe(now, &ticket, Response::from(response)),
                None => world.session.observe_failure(now, &ticket, Failure::maybe_sent(FailureKind::Timeout)),
            }
        };
        if !old {
            observe(self);
            self.capped = Default::default();
            // A 429 of the user's own call keeps everybody waiting, unless each API has a limit of its own.
            let alone = self.session.api(ticket.uri.path()).is_some();
            if let Some(limit) = response.as_ref().filter(|response| response.status().as_u16() == 429 && !alone) {
                self.obey(limit);
            }
            return self.note(None).map(drop);
        }
        self.unmoved("17. late news", |world| match observe(world) {
            Handled::Stale => Ok(()),
            Handled::Used => broken!("17. late news", "an observation with old tokens is used"),
        })
    }
}
