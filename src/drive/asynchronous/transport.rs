//! Requests out, answers in, over hyper on tokio.

use core::fmt;
use core::future::ready;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use core::time::Duration;
use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::dns::GaiResolver;
use hyper_util::client::legacy::connect::{HttpConnector, capture_connection};
use hyper_util::client::legacy::{self, Client as Pool};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;

use super::length::with_length;
use super::way::{self, Known, Way};
use super::within::within;
use crate::drive::trust;
use crate::drive::{self, TransportError, find};
use crate::drive::{Client, Reason, SendError};
use crate::{
    Failure, Secret,
    machine::{FailureKind, SendPolicy},
};

/// The longest that a name look-up and the connecting with the TLS handshake may take together: a host that is silent
/// for so long is not there, and a login may wait for minutes.
const CONNECT: Duration = Duration::from_secs(10);

pub(super) type BoxError = Box<dyn StdError + Send + Sync>;

/// An HTTP client on tokio that does what a session needs and nothing by itself.
///
/// It follows no redirect, keeps no cookies, asks no proxy, wants no compression and adds no header but `Host` and
/// `Content-Length`. Clones share one pool of connections. It makes its connections in the runtime in which it is used.
#[derive(Clone)]
pub struct Transport(Arc<Pool<Connector, Full<Bytes>>>);

impl Transport {
    /// Creates a transport that trusts Mozilla's roots.
    ///
    /// # Errors
    /// [`TransportError::Tls`] where TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::builder().build()
    }

    /// Begins to make a transport.
    pub fn builder() -> TransportBuilder {
        TransportBuilder::new()
    }
}

/// What a [`Transport`] is made of.
pub type TransportBuilder = drive::TransportBuilder<Transport>;

impl drive::TransportBuilder<Transport> {
    /// Creates the transport; nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportError::LoopbackByProxy`], [`TransportError::BadProxy`] for a proxy's password that cannot be read, or
    /// [`TransportError::Tls`] where TLS cannot be set up.
    pub fn build(self) -> Result<Transport, TransportError> {
        let mut builder = Pool::builder(TokioExecutor::new());
        Ok(Transport(Arc::new(builder.pool_timer(TokioTimer::new()).build(self.connector()?))))
    }

    pub(super) fn connector(self) -> Result<Connector, TransportError> {
        self.check()?;
        let read = |url: Secret| way::proxy(url.expose()).ok_or(TransportError::BadProxy);
        let proxy = self.proxy.map(read).transpose()?;
        let mut http = HttpConnector::new_with_resolver(Known(GaiResolver::new()));
        http.enforce_http(false);
        http.set_nodelay(true);
        let way = Way::new(proxy.as_ref(), http);
        let tls = trust::client_config(&self.trust)?;
        let https = HttpsConnectorBuilder::new().with_tls_config((*tls).clone()).https_or_http().enable_http1();
        Ok(Connector { https: https.wrap_connector(way), loopback_only: self.trust.is_loopback_only() })
    }
}

impl Client for Transport {
    async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        let mut request = with_length(request).map(|body| Full::new(Bytes::from(body)));
        let connection = capture_connection(&mut request);
        let exchange = async {
            let (parts, body) = self.0.request(request).await.map_err(|error| sort(&error))?.into_parts();
            let body = Limited::new(body, policy.max_body).collect().await.map_err(|error| {
                let kind =
                    if error.is::<LengthLimitError>() { FailureKind::BodyTooLarge } else { FailureKind::Interrupted };
                SendError { failure: Failure::maybe_sent(kind), reason: Reason::Text(error.to_string().into()) }
            })?;
            Ok(Response::from_parts(parts, body.to_bytes().into()))
        };
        let late = || {
            // Nothing is written before there is a connection.
            let sent = connection.connection_metadata().is_some();
            let failure = if sent { Failure::maybe_sent } else { Failure::not_sent };
            failure(FailureKind::Timeout).into()
        };
        within(policy.timeout, pin!(exchange), late).await
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").finish_non_exhaustive()
    }
}

/// Only a connection that was never made proves that nothing has left.
pub(super) fn sort(error: &legacy::Error) -> SendError {
    let tls = find::<rustls::Error>(error);
    let late = find::<io::Error>(error).is_some_and(|error| error.kind() == io::ErrorKind::TimedOut);
    let kind = match (error.is_connect(), &tls) {
        (true, Some(_)) => FailureKind::Tls,
        (true, None) if late => FailureKind::Timeout,
        (true, None) => FailureKind::Connect,
        (false, _) => FailureKind::Interrupted,
    };
    let failure = if error.is_connect() { Failure::not_sent(kind) } else { Failure::maybe_sent(kind) };
    let reason = match (tls, find::<Reason>(error)) {
        (_, Some(reason)) => reason.clone(),
        (Some(error), None) => trust::reason(error),
        // The texts of hyper name no header and no value; the last one in the chain says what happened.
        (None, None) => Reason::Text(last(error).to_string().into()),
    };
    SendError { failure, reason }
}

fn last<'a>(error: &'a (dyn StdError + 'static)) -> &'a (dyn StdError + 'static) {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    last
}

/// Connects within [`CONNECT`], and where certificates go unverified, to this machine only.
#[derive(Clone)]
pub(super) struct Connector {
    https: HttpsConnector<Way>,
    loopback_only: bool,
}

impl Service<Uri> for Connector {
    type Response = <HttpsConnector<Way> as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.https.poll_ready(cx)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let tls = uri.scheme_str() == Some("https");
        if self.loopback_only && tls && !uri.host().is_some_and(crate::url::is_loopback) {
            return Box::pin(ready(Err(Reason::NotLoopback.into())));
        }
        let connected = self.https.call(uri);
        Box::pin(async move {
            let late = |_| Err(io::Error::from(io::ErrorKind::TimedOut).into());
            tokio::time::timeout(CONNECT, connected).await.unwrap_or_else(late)
        })
    }
}
