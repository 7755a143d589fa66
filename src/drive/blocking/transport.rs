//! Requests out, answers in, over ureq.

use core::fmt;
use core::time::Duration;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{Method, Request, Response, Version};
use ureq::config::{AutoHeaderValue, Config};
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::transport::{ConnectProxyConnector, Connector as _, RustlsConnector, TcpConnector};
use ureq::{Agent, AsSendBody, Proxy};

use super::delivery::{self, Connected, Observer};
use super::resolve::Known;
use super::tls::{LoopbackOnly, OwnTls};
use crate::drive;
use crate::drive::trust::Trusted;
use crate::drive::{SendError, TransportError, Trust};
use crate::{Outgoing, Secret, machine::SendPolicy};

/// The longest that a name look-up may take, and after it the connecting with the TLS handshake, whatever
/// the request's own time is: a host that is silent for so long is not there, and a login may wait for minutes.
const CONNECT: Duration = Duration::from_secs(10);

/// A blocking HTTP client that does what a session needs and nothing by itself.
///
/// It follows no redirect, keeps no cookies, asks no proxy unless one is given by name (`HTTP_PROXY`
/// and its kind are not read: a proxy would get the passwords of loopback servers in clear), wants no
/// compression and adds no header but `Host` and `Content-Length`. Clones share one pool of connections.
///
/// ```no_run
/// use sansession::drive::{blocking::Transport, Trust};
///
/// let transport = Transport::builder().trust(Trust::pin_file("gateway.pem")?).build()?;
/// # Ok::<(), sansession::drive::TransportError>(())
/// ```
#[derive(Clone)]
pub struct Transport(Arc<Inner>);

struct Inner {
    config: Config,
    trust: Trust,
    tls: OwnTls,
    calls: SendPolicy,
    present: Mutex<Present>,
}

/// The agent in use, and how many were shut down before it.
#[derive(Clone)]
struct Present {
    agent: Agent,
    interrupts: u64,
}

impl Transport {
    /// Creates a transport that trusts Mozilla's roots and asks no proxy.
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

    /// Sends a machine's request and reads the whole answer, whatever its status is.
    ///
    /// # Errors
    /// [`SendError`] where no whole answer came; report its [`failure`](SendError::failure) to the machine.
    pub fn send(&self, outgoing: Outgoing) -> Result<Response<Vec<u8>>, SendError> {
        let policy = outgoing.policy();
        self.send_with(outgoing.into_request(), policy)
    }

    /// Sends a call of the user's own under the policy of [`TransportBuilder::calls`].
    ///
    /// # Errors
    /// [`SendError`] where no whole answer came.
    pub fn call(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, SendError> {
        self.send_with(request, self.0.calls)
    }

    /// Sends a call of the user's own under a policy of its own.
    ///
    /// # Errors
    /// [`SendError`] where no whole answer came.
    pub fn send_with(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        let Present { agent, interrupts } = self.present().clone();
        delivery::begin();
        let answer = exchange(&agent, request, policy);
        if self.present().interrupts == interrupts {
            return answer.map_err(|error| SendError::new(delivery::stage(), error));
        }
        match answer {
            Ok(answer) if has_an_end(&answer) => Ok(answer),
            _ => Err(SendError::interrupted(delivery::stage())),
        }
    }

    /// Ends every request that is under way in other threads, and goes on with new connections.
    ///
    /// They fail with [`FailureKind::Interrupted`](crate::machine::FailureKind::Interrupted) at once, unless
    /// they still look a name up or connect, each of which takes 10 s at most. Use it to leave in a hurry:
    /// it is unknown whether an interrupted login was judged.
    pub fn interrupt(&self) {
        let fresh = self.0.agent();
        let old = {
            let mut present = self.present();
            present.interrupts += 1;
            core::mem::replace(&mut present.agent, fresh)
        };
        old.shutdown();
    }

    fn present(&self) -> std::sync::MutexGuard<'_, Present> {
        self.0.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("calls", &self.0.calls).finish_non_exhaustive()
    }
}

impl Inner {
    fn agent(&self) -> Agent {
        agent(&self.config, &self.trust, &self.tls)
    }
}

/// What a [`Transport`] is made of.
pub type TransportBuilder = drive::TransportBuilder<Transport>;

impl drive::TransportBuilder<Transport> {
    /// Sets how the user's own calls are sent. Default: 30 s and 16 MiB.
    pub fn calls(mut self, policy: SendPolicy) -> Self {
        self.calls = policy;
        self
    }

    /// Creates the transport; nothing is connected yet.
    ///
    /// # Errors
    /// [`TransportError::LoopbackByProxy`], [`TransportError::BadProxy`] for a proxy's password that cannot be read, or
    /// [`TransportError::Tls`] where TLS cannot be set up.
    pub fn build(self) -> Result<Transport, TransportError> {
        self.check()?;
        let read = |url: Secret| Proxy::new(url.expose()).map_err(|_| TransportError::BadProxy);
        let proxy = self.proxy.map(read).transpose()?;
        let tls = OwnTls::new(&self.trust)?;
        let config = config(roots(&self.trust), proxy);
        let present = Mutex::new(Present { agent: agent(&config, &self.trust, &tls), interrupts: 0 });
        Ok(Transport(Arc::new(Inner { config, trust: self.trust, tls, calls: self.calls, present })))
    }
}

fn config(roots: RootCerts, proxy: Option<Proxy>) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .proxy(proxy)
        .user_agent(AutoHeaderValue::None)
        .accept(AutoHeaderValue::None)
        .accept_encoding(AutoHeaderValue::None)
        .tls_config(TlsConfig::builder().root_certs(roots).build())
        .build()
}

fn roots(trust: &Trust) -> RootCerts {
    match &trust.0 {
        Trusted::Mozilla => RootCerts::WebPki,
        Trusted::System => RootCerts::PlatformVerifier,
        Trusted::Roots(roots) => {
            RootCerts::Specific(Arc::new(roots.iter().map(|root| Certificate::from_der(root).to_owned()).collect()))
        }
        // Not asked: these have a verifier of their own. No root at all is the safe answer.
        Trusted::Pins(_) | Trusted::AnythingOnLoopback => RootCerts::Specific(Arc::new(Vec::new())),
    }
}

fn agent(config: &Config, trust: &Trust, tls: &OwnTls) -> Agent {
    let chain =
        ().chain(LoopbackOnly(trust.is_loopback_only()))
            .chain(ConnectProxyConnector::default())
            .chain(TcpConnector::default())
            .chain(Connected)
            .chain(tls.clone())
            .chain(RustlsConnector::default())
            .chain(Observer { proxied: config.proxy().is_some() });
    Agent::with_parts(config.clone(), chain, Known::default())
}

/// Sends one request, with a length where a method or the caller wants one.
///
/// ureq writes `content-length: 0` for an empty list of bytes under any method, and none for `()`;
/// a length that the caller wrote is taken out and comes back, once, as that of the body.
fn exchange(agent: &Agent, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, ureq::Error> {
    let (mut parts, body) = request.into_parts();
    let asked_for = parts.headers.remove(CONTENT_LENGTH).is_some();
    parts.headers.remove(TRANSFER_ENCODING);
    let expected = matches!(parts.method, Method::POST | Method::PUT | Method::PATCH);
    if body.is_empty() && !asked_for && !expected {
        run(agent, Request::from_parts(parts, ()), policy)
    } else {
        run(agent, Request::from_parts(parts, body), policy)
    }
}

fn run(agent: &Agent, request: Request<impl AsSendBody>, policy: SendPolicy) -> Result<Response<Vec<u8>>, ureq::Error> {
    let request = agent
        .configure_request(request)
        .timeout_global(Some(policy.timeout))
        .timeout_resolve(Some(CONNECT.min(policy.timeout)))
        .timeout_connect(Some(CONNECT.min(policy.timeout)))
        .build();
    let (parts, body) = agent.run(request)?.into_parts();
    // ureq calls a body too large as soon as the limit is reached, not when it is passed.
    let limit = u64::try_from(policy.max_body).unwrap_or(u64::MAX).saturating_add(1);
    let body = body.into_with_config().limit(limit).read_to_vec()?;
    let answer = Response::from_parts(parts, body);
    match delivery::broken() {
        Some(kind) if !has_an_end(&answer) => Err(io::Error::new(kind, cut_off(kind)).into()),
        _ => Ok(answer),
    }
}

/// Reports whether an answer says where it ends, so that one that was cut off can be distinguished from a whole one.
///
/// It reads headers as ureq does: HTTP/1.0 has no chunks, and another coding than those has no end.
fn has_an_end(answer: &Response<Vec<u8>>) -> bool {
    let codings = answer.headers().get_all(TRANSFER_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let chunked = codings.flat_map(|list| list.split(',')).any(|coding| coding.trim().eq_ignore_ascii_case("chunked"));
    answer.headers().contains_key(CONTENT_LENGTH) || (chunked && answer.version() != Version::HTTP_10)
}

/// Returns why an answer without a length is not taken for a whole one.
const fn cut_off(kind: io::ErrorKind) -> &'static str {
    match kind {
        io::ErrorKind::UnexpectedEof => "the answer has no length and TLS ended without close_notify",
        _ => "the answer has no length and its connection broke",
    }
}
