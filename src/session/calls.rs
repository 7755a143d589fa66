//! The user's own calls.

use http::request::Parts;

use super::{Session, cx};
use crate::provider::{Observed, Provider, Unauthorized};
use crate::{Accepted, AuthorizeError, Misuse, Response, Ticket, Timestamp};

impl<P: Provider> Session<P> {
    pub(super) fn authorize_call(
        &mut self,
        now: Timestamp,
        parts: &mut Parts,
        body: &[u8],
    ) -> Result<Ticket, AuthorizeError> {
        let now = self.tick(now);
        let phase = self.phase_now();
        let not_ready = |tier, until| AuthorizeError::NotReady { phase, tier, until };
        if !self.core.usable || self.is_over() {
            return Err(not_ready(None, None));
        }
        if self.core.penalty > now {
            return Err(not_ready(None, Some(self.core.penalty)));
        }
        let base = self.provider.base(&self.core.state);
        let given = parts.uri.clone();
        if parts.uri.authority().is_none() && parts.uri.scheme().is_none() {
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            parts.uri = base.join(path).map_err(|_| AuthorizeError::Unsignable("path"))?;
        } else if !base.same_origin(&parts.uri) {
            return Err(Misuse::ForeignHost.into());
        }
        let mut facts = Vec::new();
        let authorized = self.provider.authorize(&mut cx!(self, now, facts), parts, body);
        self.absorb(now, facts);
        if let Err(error) = authorized {
            // The next try may go to another base.
            parts.uri = given;
            return Err(match error {
                Unauthorized::NotReady(tier) => not_ready(tier, None),
                Unauthorized::Unsignable(part) => AuthorizeError::Unsignable(part),
            });
        }
        Ok(Ticket {
            epoch: self.epoch,
            life: self.life,
            generation: self.core.generation,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            tier: self.provider.tier(parts.uri.path()),
        })
    }

    pub(super) fn observe_call(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Accepted {
        let now = self.tick(now);
        if !self.is_current(ticket) {
            return Accepted::Stale;
        }
        let mut facts = Vec::new();
        let observed = self.provider.observe(&mut cx!(self, now, facts), ticket, response);
        self.absorb_with(now, facts, response);
        if response.status == http::StatusCode::TOO_MANY_REQUESTS {
            self.obey_limit(now, response);
        }
        if observed == Observed::Doubt {
            self.want_check(now);
        }
        Accepted::Used
    }

    /// Tells whether a call was authorized with the tokens that the session has now.
    pub(super) fn is_current(&self, ticket: &Ticket) -> bool {
        !self.is_over()
            && (ticket.epoch, ticket.life, ticket.generation) == (self.epoch, self.life, self.core.generation)
    }
}
