//! The simulators: the server's side of each provider's lifecycle as a pure state machine.
//!
//! A simulator does no I/O and reads no clock either: a request, the time and the client's address go
//! in, a [`Reply`] comes out. It follows what is known of the real server, not what this crate's
//! clients happen to send, and refuses what the real server refuses, so that programs can be tested
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

    /// How long a body may be, in bytes; [`Server`] answers longer ones with 413. 1 MiB.
    fn longest_body(&self) -> usize {
        1 << 20
    }

    /// Goes on with a WebSocket that a [`Reply::stream`] has opened: takes a text of the client's, if there is
    /// one, and gives the texts to send now; `None` closes it.
    ///
    /// [`Server`] calls it at the beginning, at each text and ten times a second. A simulator without streams
    /// leaves it out.
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

/// Where a request came in, as an extension of requests that came over a socket.
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
    /// Makes the answer while other requests are handled.
    later: Option<Later>,
}

/// Work that gives an answer in its own time.
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
    /// No connection is made: nothing has left, and the client knows it. Over a real socket it is [`Fault::Drop`],
    /// since a connection is there already.
    Refuse,
    /// The connection is closed without an answer, after the server has acted.
    Drop,
    /// The connection is closed after so many bytes of the body; the head promises all of it.
    Truncate(usize),
    /// The body leaves at one byte in each such time.
    Trickle(Duration),
}

impl Reply {
    /// Answers at once.
    pub fn new(response: http::Response<Vec<u8>>) -> Self {
        Self { response, delay: Duration::ZERO, fault: None, stream: None, later: None }
    }

    /// Answers with what this work gives: a stand-in that asks somebody else.
    ///
    /// [`Server`] does the work in the connection's own thread and handles other requests meanwhile,
    /// which [`Simulator::handle`] alone keeps waiting. Whoever uses a simulator without a server calls
    /// [`Reply::finish`].
    pub fn later(work: impl FnOnce() -> http::Response<Vec<u8>> + Send + 'static) -> Self {
        Self { later: Some(Later(Box::new(work))), ..Self::new(http::Response::default()) }
    }

    /// Does the work of [`Reply::later`], if there is any left.
    #[must_use]
    pub fn finish(mut self) -> Self {
        if let Some(Later(work)) = self.later.take() {
            self.response = work();
        }
        self
    }

    /// Answers later.
    #[must_use]
    pub fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    /// Damages the answer on its way.
    #[must_use]
    pub fn with(self, fault: Fault) -> Self {
        Self { fault: Some(fault), ..self }
    }
}
