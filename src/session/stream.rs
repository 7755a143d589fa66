//! The stream beside the calls: what opens it, and what its frames say about the session.

use core::fmt;
use std::sync::Arc;

use http::{Request, Uri};

use super::Session;
use super::engine::Engine;
use crate::provider::{Cx, Observed, Provider, Unauthorized};
use crate::{Accepted, AuthorizeError, Secret, Ticket, Timestamp};

/// A provider that serves a stream (a WebSocket) beside its calls.
pub trait Streams: Provider {
    /// Makes the handshake of the stream, and what is to be sent where the server waits for a session. A query in its URL
    /// counts as a secret.
    ///
    /// # Errors
    /// [`Unauthorized`] where the session has nothing to open a stream with now.
    fn authorize_stream(&self, cx: &mut Cx<'_, Self::State>) -> Result<(Request<()>, Option<Secret>), Unauthorized>;

    /// Makes sense of a frame.
    fn observe_stream(&self, cx: &mut Cx<'_, Self::State>, frame: &[u8]) -> Observed;
}

impl<P: Streams> Streams for Arc<P> {
    fn authorize_stream(&self, cx: &mut Cx<'_, Self::State>) -> Result<(Request<()>, Option<Secret>), Unauthorized> {
        (**self).authorize_stream(cx)
    }

    fn observe_stream(&self, cx: &mut Cx<'_, Self::State>, frame: &[u8]) -> Observed {
        (**self).observe_stream(cx, frame)
    }
}

/// How to open a stream.
///
/// `Debug` shows the path of the request alone: its query and its headers may hold secrets.
#[non_exhaustive]
#[must_use = "a stream is opened by whoever has sockets"]
pub struct StreamOpening {
    /// The handshake, to a `wss` or `ws` URL. The WebSocket client adds `Host`, `Connection`,
    /// `Upgrade` and the `Sec-WebSocket` headers, as it does for every stream.
    ///
    /// Where tokens stand in the query, as with IBKR's Web API, the whole URL is a secret, and `Request` and `Uri` show it:
    /// write neither into a log, nor an error of a WebSocket client that does.
    pub request: Request<()>,
    /// What to send where the server says that it waits for a session.
    pub first_frame: Option<Secret>,
    /// What the stream was opened with; give it back with each frame. Its URI has no query.
    pub ticket: Ticket,
}

impl fmt::Debug for StreamOpening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamOpening")
            .field("path", &self.request.uri().path())
            .field("first_frame", &self.first_frame)
            .field("ticket", &self.ticket)
            .finish_non_exhaustive()
    }
}

/// Gives a URI without its query.
fn without_query(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = uri.path().parse().ok();
    Uri::from_parts(parts).unwrap_or_default()
}

impl<P: Streams> Session<P> {
    /// Makes the handshake of the stream ready to leave.
    ///
    /// A stream keeps nothing alive but itself, and its end proves nothing: open it again, with a new
    /// `authorize_stream`. Where it drops, or falls silent for longer than the server's heartbeat,
    /// call [`Machine::check`](crate::Machine::check): the session knows no sockets and does not
    /// notice by itself.
    ///
    /// # Errors
    /// [`AuthorizeError::NotReady`] while there is no session, in a penalty box, or before the server
    /// has given the key that a stream is opened with.
    pub fn authorize_stream(&mut self, now: Timestamp) -> Result<StreamOpening, AuthorizeError> {
        let (now, engine) = self.0.open(now);
        engine.open_stream(now)
    }

    /// Takes a frame of the stream; one that casts doubt on the session leads to a look, as
    /// [`Machine::check`](crate::Machine::check) does. Frames with the user's data may be left out.
    pub fn observe_stream(&mut self, now: Timestamp, ticket: &Ticket, frame: &[u8]) -> Accepted {
        let (now, engine) = self.0.open(now);
        engine.take_frame(now, ticket, frame)
    }
}

impl<P: Streams> Engine<P> {
    fn open_stream(&mut self, now: Timestamp) -> Result<StreamOpening, AuthorizeError> {
        let phase = self.phase_now();
        let not_ready = |tier, until| AuthorizeError::NotReady { phase, tier, until };
        if !self.serves_calls() {
            return Err(not_ready(None, None));
        }
        if self.core.limits.penalty > now {
            return Err(not_ready(None, Some(self.core.limits.penalty)));
        }
        let authorized = self.consult(now, |provider, cx| provider.authorize_stream(cx));
        let (request, first_frame) = authorized.map_err(|error| match error {
            Unauthorized::NotReady(tier) => not_ready(tier, None),
            Unauthorized::Unsignable(part) => AuthorizeError::Unsignable(part),
        })?;
        let ticket = Ticket {
            epoch: self.ids.epoch,
            life: self.ids.life,
            generation: self.core.generation,
            method: request.method().clone(),
            uri: without_query(request.uri()),
            tier: self.provider.target(&self.core.state, request.uri().path()).tier,
        };
        Ok(StreamOpening { request, first_frame, ticket })
    }

    fn take_frame(&mut self, now: Timestamp, ticket: &Ticket, frame: &[u8]) -> Accepted {
        if !self.is_current(ticket) {
            return Accepted::Stale;
        }
        let observed = self.consult(now, |provider, cx| provider.observe_stream(cx, frame));
        if observed == Observed::Doubt {
            self.want_check(now);
        }
        Accepted::Used
    }
}
