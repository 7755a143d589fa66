//! The simulators: the server's side of each provider's lifecycle as a pure state machine.
//!
//! A simulator does no I/O and reads no clock: it takes a request, the time and the client's address,
//! and returns a [`Reply`]. It follows the documented behaviour of the real server, not this crate's
//! clients, and refuses what the real server refuses, so that programs can be tested
//! against it.

use core::fmt;
use core::net::{IpAddr, SocketAddr};
use core::time::Duration;

use crate::Timestamp;

pub mod cbrain;
#[cfg(test)]
mod foreign;
pub mod ibkr;
pub mod kotak;
mod mishap;
mod network;
#[cfg(feature = "oauth2")]
pub mod oauth2;
pub mod server;
mod stream;
mod web;

pub use cbrain::CbrainSim;
pub use mishap::Mishap;
pub use network::{Network, Weather};
#[cfg(feature = "oauth2")]
pub use oauth2::OAuth2Sim;
pub use server::{Certificate, Served, Server};
pub use stream::Stream;

/// A server as a pure state machine.
pub trait Simulator: Send {
    /// Answers one request that came from `peer` at `now`.
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply;

    /// Returns the maximum length of a body in bytes, 1 MiB by default; [`Server`] answers longer ones with 413.
    fn longest_body(&self) -> usize {
        1 << 20
    }

    /// Drives a WebSocket that a [`Reply::stream`] has opened: takes a text from the client, if there is
    /// one, and returns the texts to send now; `None` closes it.
    ///
    /// [`Server`] calls it at the beginning, at each text and ten times a second. A simulator without streams
    /// need not implement it.
    fn stream(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        let _ = (now, stream, text);
        None
    }
}

impl<S: Simulator + ?Sized> Simulator for Box<S> {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        (**self).handle(now, peer, request)
    }

    fn longest_body(&self) -> usize {
        (**self).longest_body()
    }

    fn stream(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        (**self).stream(now, stream, text)
    }
}

/// Where a request arrived, as an extension of requests from a socket.
///
/// Their URI has the authority of the header `Host`, which need not be the one that the client called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Arrival {
    /// `http` or `https`.
    pub(crate) scheme: &'static str,
    /// The socket that listens.
    pub(crate) address: SocketAddr,
}

/// What a simulated server does with one request.
#[derive(Debug)]
pub struct Reply {
    /// The answer.
    pub response: http::Response<Vec<u8>>,
    /// How long the server takes before it answers.
    pub delay: Duration,
    /// What happens to the answer on its way.
    pub fault: Option<Fault>,
    /// The WebSocket that the connection becomes where the answer is 101.
    pub stream: Option<Stream>,
    /// Computes the response while other requests are handled.
    later: Option<Later>,
}

/// Work that computes a response.
struct Later(Box<dyn FnOnce() -> http::Response<Vec<u8>> + Send>);

impl fmt::Debug for Later {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Later(..)")
    }
}

/// What happens to an answer on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// The connection is refused: nothing was sent, and the client knows it. Over a real socket it is [`Fault::Drop`],
    /// since a connection exists already.
    Refuse,
    /// The connection is closed without an answer, after the server has acted.
    Drop,
    /// The connection is closed after this many bytes of the body; the head announces all of it.
    Truncate(usize),
    /// The body is sent one byte per interval.
    Trickle(Duration),
}

impl Reply {
    /// Creates a reply that is sent at once.
    pub fn new(response: http::Response<Vec<u8>>) -> Self {
        Self { response, delay: Duration::ZERO, fault: None, stream: None, later: None }
    }

    /// Creates a reply whose response is computed later, such as by asking another server.
    ///
    /// [`Server`] runs the work in the connection's thread and handles other requests meanwhile. Without a
    /// server, call [`Reply::finish`].
    pub fn later(work: impl FnOnce() -> http::Response<Vec<u8>> + Send + 'static) -> Self {
        Self { later: Some(Later(Box::new(work))), ..Self::new(http::Response::default()) }
    }

    /// Runs the work of [`Reply::later`], if any is left.
    #[must_use]
    pub fn finish(mut self) -> Self {
        if let Some(Later(work)) = self.later.take() {
            self.response = work();
        }
        self
    }

    /// Delays the reply.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Damages the response on its way.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }
}
