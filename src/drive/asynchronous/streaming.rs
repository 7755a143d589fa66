//! Requests and answers whose bodies flow, for the proxy of the command.

use core::fmt;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Pool;
use hyper_util::rt::{TokioExecutor, TokioTimer};

use super::Transport;
use super::transport::{BoxError, Connector, sort};
use crate::drive::SendError;
use crate::drive::{self, TransportError};

/// A client as [`Transport`] is one, for bodies of any length. It has no timeout but that of connecting.
#[derive(Clone)]
pub struct Streaming(Pool<Connector, UnsyncBoxBody<Bytes, BoxError>>);

impl drive::TransportBuilder<Transport> {
    /// Creates the client; nothing is connected yet.
    ///
    /// # Errors
    /// As those of [`build`](Self::build).
    #[doc(hidden)]
    pub fn build_streaming(self) -> Result<Streaming, TransportError> {
        let mut builder = Pool::builder(TokioExecutor::new());
        Ok(Streaming(builder.pool_timer(TokioTimer::new()).build(self.connector()?)))
    }
}

impl Streaming {
    /// Sends a request, and gives the answer as soon as its head is there.
    ///
    /// # Errors
    /// As those of a [`Transport`].
    #[doc(hidden)]
    pub async fn send(
        &self,
        request: Request<UnsyncBoxBody<Bytes, BoxError>>,
    ) -> Result<Response<Incoming>, SendError> {
        self.0.request(request).await.map_err(|error| sort(&error))
    }
}

impl fmt::Debug for Streaming {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Streaming").finish_non_exhaustive()
    }
}
