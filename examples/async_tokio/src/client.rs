//! hyper, as a session wants it: no redirects, no cookies, bounded, honest about what may have arrived.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use sansession::{Failure, FailureKind, Outgoing};
use tokio::task::JoinHandle;

type Body = Full<Bytes>;

/// What a request got.
pub type Answer = Result<Response<Vec<u8>>, Failure>;

/// A client with a pool of connections; clones share it.
#[derive(Clone)]
pub struct Client(legacy::Client<HttpsConnector<HttpConnector>, Body>);

impl Client {
    /// Trusts the certificates that the system trusts.
    ///
    /// # Errors
    /// Those of the system's store.
    pub fn new() -> std::io::Result<Self> {
        let https = HttpsConnectorBuilder::new().try_with_platform_verifier().map_err(std::io::Error::other)?;
        let https = https.https_or_http().enable_http1().build();
        Ok(Self(legacy::Client::builder(TokioExecutor::new()).build(https)))
    }

    /// Sends a session's request in a task of its own, which nobody's dropped future ends.
    pub fn spawn(&self, outgoing: Outgoing) -> JoinHandle<Answer> {
        let (client, policy) = (self.clone(), outgoing.policy());
        tokio::spawn(async move { client.send(outgoing.into_request(), policy.timeout, policy.max_body).await })
    }

    /// Sends a call of the program's own.
    ///
    /// # Errors
    /// [`Failure`] where no whole answer came.
    pub async fn call(&self, request: Request<Vec<u8>>) -> Answer {
        self.send(request, Duration::from_secs(30), 16 << 20).await
    }

    async fn send(&self, request: Request<Vec<u8>>, timeout: Duration, max_body: usize) -> Answer {
        let answer = async {
            let sent = self.0.request(request.map(|body| Full::new(body.into()))).await;
            let (parts, body) = sent.map_err(|error| failure(&error))?.into_parts();
            let body = Limited::new(body, max_body).collect().await.map_err(|error| {
                let too_large = error.is::<LengthLimitError>();
                Failure::maybe_sent(if too_large { FailureKind::BodyTooLarge } else { FailureKind::Interrupted })
            })?;
            Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
        };
        tokio::time::timeout(timeout, answer).await.unwrap_or(Err(Failure::maybe_sent(FailureKind::Timeout)))
    }
}

/// Only a connection that was never made proves that nothing has left.
fn failure(error: &legacy::Error) -> Failure {
    if error.is_connect() {
        Failure::not_sent(FailureKind::Connect)
    } else {
        Failure::maybe_sent(FailureKind::Interrupted)
    }
}
