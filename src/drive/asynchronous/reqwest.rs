//! A client of reqwest, as a session wants it.

use core::fmt;
use core::pin::pin;
use core::time::Duration;
use std::error::Error as StdError;

use http::{Request, Response};
use reqwest::redirect::Policy;
use reqwest::{ClientBuilder, retry};

use super::length::with_length;
use super::within::within;
use crate::drive::trust::{self, Trust};
use crate::drive::{Client, Reason, SendError};
use crate::drive::{TransportError, find};
use crate::{
    Failure,
    machine::{FailureKind, SendPolicy},
};

/// The longest that a name look-up and the connecting with the TLS handshake may take together. reqwest cannot tell how
/// far a request got whose whole time ran out, so this is shorter than any: a host that is silent gets nothing.
const CONNECT: Duration = Duration::from_secs(8);

/// Longer than any request takes, and in the place of a time that the builder was given.
const NEVER: Duration = Duration::from_secs(24 * 3600);

/// A client of reqwest that does what a session needs and nothing by itself.
///
/// It is made of a builder and not of a `reqwest::Client`, since that one cannot be asked what it does: a redirect would
/// carry a password on, a jar would mix the cookies of sessions, a proxy of the environment would read what goes to
/// loopback, a retry would send twice, `connection_verbose` would log all of it.
#[derive(Clone)]
pub struct Reqwest(reqwest::Client);

impl Reqwest {
    /// Creates a client that trusts Mozilla's roots.
    ///
    /// # Errors
    /// [`TransportError::Tls`] where TLS cannot be set up.
    pub fn new() -> Result<Self, TransportError> {
        Self::build(&Trust::mozilla(), |builder| builder)
    }

    /// Creates a client with settings of one's own: addresses, pools, a proxy by its name, TLS where it is not to be this one.
    ///
    /// The builder that is given asks no proxy of the environment. Redirects, referers, retries, compression and the log
    /// of what is sent are switched off afterwards, and the time to connect is set. What remains with the caller:
    /// cookies, headers by default, who is trusted, where names lead.
    ///
    /// # Errors
    /// [`TransportError::Tls`] where TLS cannot be set up.
    pub fn build(trust: &Trust, settings: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Result<Self, TransportError> {
        let tls = trust::client_config(trust)?;
        // reqwest panics where it has no provider of cryptography and nobody has configured TLS.
        let builder = settings(reqwest::Client::builder().no_proxy().tls_backend_preconfigured((*tls).clone()));
        let builder = builder.redirect(Policy::none()).referer(false).retry(retry::never());
        let builder = builder.no_gzip().no_brotli().no_deflate().no_zstd().connection_verbose(false);
        builder.connect_timeout(CONNECT).build().map(Self).map_err(|_| TransportError::Tls)
    }
}

impl Client for Reqwest {
    async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        let uri = request.uri().clone();
        let mut request = reqwest::Request::try_from(with_length(request)).map_err(|error| sort(&error))?;
        // A signature is over the URL as it was given.
        if (uri.path(), uri.query()) != (request.url().path(), request.url().query()) {
            let reason = Reason::Text("reqwest rewrites this URL".into());
            return Err(SendError { failure: Failure::not_sent(FailureKind::Other), reason });
        }
        // reqwest checks its clock before it looks for an answer: one that came while nobody polled would be late.
        *request.timeout_mut() = Some(NEVER);
        let exchange = async {
            let mut response = self.0.execute(request).await.map_err(|error| sort(&error))?;
            let too_large = || SendError::from(Failure::maybe_sent(FailureKind::BodyTooLarge));
            let limit = |length: usize| if length > policy.max_body { Err(too_large()) } else { Ok(()) };
            limit(usize::try_from(response.content_length().unwrap_or(0)).unwrap_or(usize::MAX))?;
            let mut body = Vec::new();
            while let Some(piece) = response.chunk().await.map_err(|error| sort(&error))? {
                limit(body.len().saturating_add(piece.len()))?;
                body.extend_from_slice(&piece);
            }
            let mut answer = Response::new(body);
            *answer.status_mut() = response.status();
            *answer.headers_mut() = core::mem::take(response.headers_mut());
            Ok(answer)
        };
        within(policy.timeout, pin!(exchange), || Failure::maybe_sent(FailureKind::Timeout).into()).await
    }
}

impl fmt::Debug for Reqwest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reqwest").finish_non_exhaustive()
    }
}

/// Only a connection that was never made, and a request that cannot be written, prove that nothing has left.
fn sort(error: &reqwest::Error) -> SendError {
    let tls = find::<rustls::Error>(error);
    let kind = match () {
        () if error.is_timeout() => FailureKind::Timeout,
        () if error.is_connect() && tls.is_some() => FailureKind::Tls,
        () if error.is_connect() => FailureKind::Connect,
        () if error.is_builder() => FailureKind::Other,
        () => FailureKind::Interrupted,
    };
    let never_left = error.is_connect() || error.is_builder();
    let failure = if never_left { Failure::not_sent(kind) } else { Failure::maybe_sent(kind) };
    if let Some(error) = tls {
        return SendError { failure, reason: trust::reason(error) };
    }
    // The error itself shows the URL, its sources do not.
    let mut last: &dyn StdError = error;
    while let Some(source) = last.source() {
        last = source;
    }
    let text = if error.source().is_some() { last.to_string() } else { kind.code().into() };
    SendError { failure, reason: Reason::Text(text.into()) }
}
