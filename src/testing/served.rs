//! The laws that need a server which knows what is true, and those of pages that are no server's.

use core::time::Duration;

use http::{Request, Response};

use super::calls::Reply;
use super::known::Named;
use super::recorder::What;
use super::wire::Wire;
use super::world::{Broken, Lawful, World, broken};
use crate::provider::When;
use crate::{CloseReason, Machine, Provider, Ticket, machine::NeedReason};

/// The most characters of an answer that a message shows.
const SHOWN: usize = 160;

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn name_of(&self, step: P::Step) -> &'static str {
        self.session.provider().rule(step).name
    }

    /// Delivers a request to the simulator.
    pub(super) fn arrives(&mut self, request: &Request<Vec<u8>>, what: &str) -> Lawful<Response<Vec<u8>>> {
        let Some(simulator) = &mut self.simulator else { return Ok(Response::default()) };
        let wire = Wire::of(request);
        if !self.rolled_back
            && let Some(value) = simulator.spent().iter().find(|value| wire.holds(value))
        {
            broken!("22. values for one use", "`{what}` sends {value} again, which the server has taken before");
        }
        Ok(simulator.handle(self.now, request))
    }

    /// Notes an answer and what the provider made of it.
    pub(super) fn heard(&mut self, name: &str, response: &Response<Vec<u8>>, verdict: Option<&What>) {
        let Some(verdict) = verdict else { return };
        let heard = format!("`{name}` got {} and made {verdict:?} of it", told(response));
        let accepted = match verdict {
            What::Next | What::Active => true,
            What::Ask(_, because) => *because == NeedReason::Opening,
            _ => false,
        };
        if !accepted {
            self.rejected = Some(heard.clone());
        }
        self.last = Some(heard);
    }

    /// A page that a proxy or a network gives in the server's place proves neither life nor death.
    pub(super) fn proves_nothing(&self, name: &str, reply: &Reply, verdict: Option<&What>) -> Lawful {
        let Reply::Page(status) = reply else { return Ok(()) };
        let proof = match verdict {
            Some(What::Active) => "a proof of life".to_owned(),
            Some(What::Dead(proof)) => format!("a proof of death ({proof})"),
            Some(What::Ask(kind, NeedReason::Refused)) => format!("a refusal of the {}", kind.code()),
            Some(What::Close(CloseReason::LoggedOut { confirmed: true })) => "a logout".to_owned(),
            Some(What::Close(CloseReason::Protocol(_) | CloseReason::RetriesExhausted(_))) => return Ok(()),
            Some(What::Close(reason)) if self.known.alive => format!("the end of an open session ({})", reason.code()),
            _ => return Ok(()),
        };
        broken!("23. pages", "`{name}` takes a page of a proxy ({status}, text/html) for {proof}")
    }

    /// Notes what the provider has planned.
    pub(super) fn names(&mut self, step: Option<P::Step>, when: When, renewal: bool) {
        let at = match when {
            When::At(at) => at,
            When::In(wait) => self.clock + wait,
        };
        match self.named.iter_mut().find(|named| (named.step, named.renewal) == (step, renewal)) {
            // A length of time counts from where it was first named.
            Some(named) if renewal && matches!(when, When::In(_)) => named.at = named.at.min(at),
            Some(named) => named.at = at,
            None => self.named.push(Named { step, at, renewal }),
        }
    }

    /// What was to be renewed is.
    pub(super) fn renews(&self, grace: Duration) -> Lawful {
        let late = |named: &&Named<P::Step>| named.renewal && self.now > named.at + grace;
        let Some((step, at)) = self.named.iter().find(late).and_then(|named| Some((named.step?, named.at))) else {
            return Ok(());
        };
        broken!(
            "25. renewals",
            "`{}` was to leave at {at:?} and has not at {:?}: a `Plan::new` drops what it does not name, and `Verdict::alive` leaves plans alone",
            self.name_of(step),
            self.now
        )
    }

    /// Authorizes a user's own call.
    pub(super) fn authorized(&mut self) -> Lawful<Option<(Request<Vec<u8>>, Ticket)>> {
        let mut request = Request::new(Vec::new());
        *request.uri_mut() = self.laws.path.parse().unwrap_or_default();
        let now = self.tick();
        let (mut parts, body) = request.into_parts();
        let ticket = self.session.authorize(now, &mut parts, &body);
        self.note(None)?;
        let Ok(ticket) = ticket else { return Ok(None) };
        let request = Request::from_parts(parts, body);
        self.marks(&request, "a call of the user's own")?;
        Ok(Some((request, ticket)))
    }

    /// The same where two such calls are the same to a byte; signatures with a nonce are not.
    pub(super) fn signed(&mut self) -> Lawful<Option<(Vec<u8>, Ticket)>> {
        let (first, second) = (self.authorized()?, self.authorized()?);
        let (Some((first, ticket)), Some((second, _))) = (first, second) else { return Ok(None) };
        let first = bytes(&first);
        Ok((first == bytes(&second)).then_some((first, ticket)))
    }
}

/// Describes a response: status, type and the first part of the body.
pub(super) fn told(response: &Response<Vec<u8>>) -> String {
    let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("no type");
    let body: String = String::from_utf8_lossy(response.body()).chars().take(SHOWN).collect();
    format!("{} ({kind}) {body}", response.status().as_u16())
}

/// Writes the head of a request, sensitive headers included.
fn bytes(request: &Request<Vec<u8>>) -> Vec<u8> {
    let mut bytes = request.uri().to_string().into_bytes();
    for (name, value) in request.headers() {
        bytes.extend_from_slice(name.as_str().as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(value.as_bytes());
        bytes.push(b'\n');
    }
    bytes
}
