//! The stream beside the calls: what opens it, and what its frames say about the session.

use http::Uri;

use super::Session;
use super::turn::Engine;
use crate::machine::StreamOpening;
use crate::provider::{Observed, Streams};
use crate::{AuthorizeError, Handled, Ticket, Timestamp};

/// Returns a URI without its query.
fn without_query(uri: &Uri) -> Uri {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = uri.path().parse().ok();
    Uri::from_parts(parts).unwrap_or_default()
}

impl<P: Streams> Session<P> {
    /// Prepares the handshake of the stream ready to leave.
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
    pub fn observe_stream(&mut self, now: Timestamp, ticket: &Ticket, frame: &[u8]) -> Handled {
        let (now, engine) = self.0.open(now);
        engine.take_frame(now, ticket, frame)
    }
}

impl<P: Streams> Engine<P> {
    fn open_stream(&mut self, now: Timestamp) -> Result<StreamOpening, AuthorizeError> {
        let phase = self.admit_call(now)?;
        let authorized = self.consult(now, |provider, cx| provider.authorize_stream(cx));
        let (request, first_frame) = authorized.map_err(|error| error.into_error(phase))?;
        let ticket = Ticket {
            epoch: self.ids.epoch,
            life: self.ids.life(),
            generation: self.core.counts.generation,
            method: request.method().clone(),
            uri: without_query(request.uri()),
            tier: self.provider.target(&self.core.state, request.uri().path()).tier,
        };
        Ok(StreamOpening { request, first_frame, ticket })
    }

    fn take_frame(&mut self, now: Timestamp, ticket: &Ticket, frame: &[u8]) -> Handled {
        if !self.is_current(ticket) {
            return Handled::Stale;
        }
        let observed = self.consult(now, |provider, cx| provider.observe_stream(cx, frame));
        if observed == Observed::Doubt {
            self.want_check(now);
        }
        Handled::Used
    }
}
