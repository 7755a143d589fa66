//! How to open a stream beside the calls.

use core::fmt;

use http::Request;

use crate::{Secret, Ticket};

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
