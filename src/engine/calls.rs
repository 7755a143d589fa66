//! The user's own calls.

use core::time::Duration;

use http::request::Parts;

use super::turn::Engine;
use crate::provider::{Observed, Outcome, Provider, Target, Unauthorized, Verdict};
use crate::{AuthorizeError, Handled, Misuse, Phase, Response, Ticket, Timestamp};

/// How much longer than its own interval, but a quarter at most, a keepalive waits after one of the user's own.
const ASIDE: Duration = Duration::from_secs(15);

/// How often in a row a step is put off by calls of the user's own that tell the session nothing. Each may count twice:
/// as it leaves, and as its answer comes.
const PUT_OFF: u16 = 4;

impl<P: Provider> Engine<P> {
    pub(super) fn authorize_call(
        &mut self,
        now: Timestamp,
        parts: &mut Parts,
        body: &[u8],
    ) -> Result<Ticket, AuthorizeError> {
        let phase = self.admit_call(now)?;
        let base = self.provider.target(&self.core.state, parts.uri.path()).base;
        let given = parts.uri.clone();
        if parts.uri.authority().is_none() && parts.uri.scheme().is_none() {
            let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
            parts.uri = base.join(path).map_err(|_| AuthorizeError::Unsignable("path"))?;
        } else if !base.same_origin(&parts.uri) {
            return Err(Misuse::ForeignHost.into());
        }
        let Target { tier, api, repeats, .. } = self.provider.target(&self.core.state, parts.uri.path());
        if let Some(until) = api.and_then(|api| self.boxed_until(now, api)) {
            parts.uri = given;
            return Err(AuthorizeError::NotReady { phase, tier: None, until: Some(until) });
        }
        let authorized = self.consult(now, |provider, cx| provider.authorize(cx, parts, body));
        if let Err(error) = authorized {
            // The next try may go to another base.
            parts.uri = given;
            return Err(error.into_error(phase));
        }
        if let Some(step) = repeats {
            self.note_repeated(now, step);
        }
        Ok(Ticket {
            epoch: self.ids.epoch,
            life: self.ids.life(),
            generation: self.core.counts.generation,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            tier,
        })
    }

    /// Returns the phase where calls and streams may leave now.
    pub(super) fn admit_call(&self, now: Timestamp) -> Result<Phase, AuthorizeError> {
        let phase = self.phase_now();
        let until = Some(self.core.limits.penalty).filter(|until| *until > now);
        if !self.serves_calls() {
            return Err(AuthorizeError::NotReady { phase, tier: None, until: None });
        }
        if until.is_some() {
            return Err(AuthorizeError::NotReady { phase, tier: None, until });
        }
        Ok(phase)
    }

    pub(super) fn observe_call(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Handled {
        if !self.is_current(ticket) {
            return Handled::Stale;
        }
        let mut facts = Vec::new();
        let observed = self.ask_provider(now, &mut facts, |provider, cx| provider.observe(cx, ticket, response));
        self.absorb_with(now, facts, response);
        let too_many = response.status == http::StatusCode::TOO_MANY_REQUESTS || observed == Observed::Limited;
        let Target { api, repeats, .. } = self.provider.target(&self.core.state, ticket.uri.path());
        match api {
            Some(api) if too_many => self.limit(now, api, response),
            Some(api) => self.unlimited(now, api),
            None if too_many => {
                self.ease_limit(now, false, response);
                self.obey_limit(now, false, response);
            }
            None => self.ease_limit(now, false, response),
        }
        if let Some(step) = repeats {
            self.note_repeated(now, step);
            if response.status.is_success() {
                self.take_repeated(now, step, response);
            }
        }
        if observed == Observed::Doubt {
            self.want_check(now);
        }
        Handled::Used
    }

    /// Reports whether a call was authorized with the tokens that the session has now.
    pub(super) fn is_current(&self, ticket: &Ticket) -> bool {
        !self.is_over()
            && (ticket.epoch, ticket.life, ticket.generation)
                == (self.ids.epoch, self.ids.life(), self.core.counts.generation)
    }
}

impl<P: Provider> Engine<P> {
    /// Counts a call of the user's own in the pace of the step that it repeats.
    fn note_repeated(&mut self, now: Timestamp, step: P::Step) {
        let interval = self.provider.rule(step).pace.min_interval;
        if interval.is_zero() {
            return;
        }
        self.core.limits.note_pace(step, |pace| {
            // Whoever makes such calls makes the next of them after the same time, so the session waits for that one.
            // It does not wait for ever: calls that tell it nothing do not replace its own.
            if pace.tries < PUT_OFF {
                pace.tries += 1;
                pace.last = now + interval;
            }
        });
    }

    /// Accepts what a call of the user's own got for the answer to the step that it repeats: it is as new, and the
    /// server allows only so many of them.
    fn take_repeated(&mut self, now: Timestamp, step: P::Step, response: Response<'_>) {
        // Whoever reads a call's body elsewhere may give an empty one here, so what cannot be read says nothing.
        let readable = !response.body.is_empty() && response.body.len() <= self.options.max_body;
        if !self.flights.are_none() || self.core.life.ending().is_some() || !readable {
            return;
        }
        let (outcome, mut facts) = (Outcome::Response(response), Vec::new());
        let verdict = self.ask_provider(now, &mut facts, |provider, cx| provider.interpret(cx, step, outcome));
        if matches!(verdict, Verdict::Retry { .. } | Verdict::Unreadable(_)) {
            return;
        }
        self.absorb(now, facts);
        self.core.agenda.leave(now, step);
        self.core.agenda.settle(step);
        self.core.limits.note_pace(step, |pace| pace.tries = 0);
        self.apply(now, Some(step), verdict);
        // Whoever does the same as often is not to be met each time.
        self.core.agenda.put_keepalive_off(now, step, ASIDE);
    }
}

impl Unauthorized {
    /// Returns the error for the caller, in the phase in which it asked.
    pub(super) const fn into_error(self, phase: Phase) -> AuthorizeError {
        match self {
            Self::NotReady(tier) => AuthorizeError::NotReady { phase, tier, until: None },
            Self::Unsignable(part) => AuthorizeError::Unsignable(part),
        }
    }
}
