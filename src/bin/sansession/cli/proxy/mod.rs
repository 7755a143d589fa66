//! The proxy of `--listen`: other programs' calls leave with the session's tokens or signature.
//!
//! Who may use it is the point. It listens on 127.0.0.1 alone; a web page that gets its own name
//! resolved to that (DNS rebinding) names another host; any other page and any other user of the
//! machine lacks the secret, and a page cannot send it without a preflight, which is refused. Whoever lacks it costs the
//! head of a request and no more: bodies are read after the secret was right.

mod call;
mod certificate;
mod door;
mod forward;
mod gateway;
mod keepalive;
mod refusal;
mod serve;
mod status;
mod stream;

pub use certificate::Certificate;
pub use keepalive::Recent;
pub use stream::Opens;

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use sansession::drive::asynchronous::{Streaming, Transport};
use sansession::drive::{Handle, Pin};
use sansession::{Secret, Status, Timestamp, machine::Rejection};
use tokio::sync::Semaphore;

use crate::cli::Usage;
use crate::cli::answers::variable;
use crate::cli::args::{Args, Provider};
use crate::cli::report::Report;
use crate::cli::values::Listen;
use crate::cli::world::World;

/// How many calls may be under way; a provider takes a few at a time, and streams of events take a place each.
const CALLS: usize = 64;
/// The shortest secret that is taken from the environment: nobody guesses 16 characters in a night.
const SHORTEST: usize = 16;

/// A proxy that serves until it is dropped.
pub struct Listening {
    pub url: String,
    pub secret: Secret,
    /// Whether the user has chosen the secret, and knows it.
    pub chosen: bool,
    /// What the session itself gets goes in here, for clients that ask the same.
    pub recent: Arc<Recent>,
    /// The fingerprint of its certificate, where it has one.
    pub fingerprint: Option<Pin>,
    _server: serve::Server,
}

/// What each connection of the proxy knows.
struct Shared {
    name: &'static str,
    handle: Handle,
    client: Streaming,
    secret: Secret,
    report: Report,
    allow_logout: bool,
    /// The names under which it may be called.
    hosts: [String; 2],
    scheme: &'static str,
    /// The base URL of the provider, and since when the session is in the phase in which it was that one.
    base: Mutex<Option<(Timestamp, http::Uri)>>,
    places: Arc<Semaphore>,
    /// What opens the provider's WebSocket, where it has one.
    streams: Option<Arc<dyn Opens>>,
    recent: Arc<Recent>,
}

impl Listening {
    /// Begins to listen; calls are refused until the session is usable.
    pub fn start(args: &Args, listen: Listen, world: &World, report: &Report) -> Result<Self, Usage> {
        let given = variable("SANSESSION_PROXY_SECRET")?;
        let chosen = given.is_some();
        let secret = given.map_or_else(random, Ok)?;
        Rejection::check_token("SANSESSION_PROXY_SECRET", secret.expose()).map_err(|_| {
            let carried = "its header carries printable ASCII without spaces, and at least one character";
            Usage(format!("SANSESSION_PROXY_SECRET: {carried} (`openssl rand -hex 32`)"))
        })?;
        if secret.expose().len() < SHORTEST {
            return Err(Usage(format!(
                "SANSESSION_PROXY_SECRET: at least {SHORTEST} characters (`openssl rand -hex 32`)"
            )));
        }
        let client = Transport::builder().trust(world.trust.clone()).build_streaming()?;
        let taken = |error| Usage(format!("--listen {}: {error}; port 0 takes a free one", listen.address));
        let socket = serve::Socket::bind(listen.address).map_err(taken)?;
        let certificate = if listen.tls { Some(Certificate::kept()?) } else { None };
        let scheme = if listen.tls { "https" } else { "http" };
        let url = format!("{scheme}://127.0.0.1:{}", socket.port());
        let shared = Shared {
            name: args.provider.name(),
            handle: world.handle.clone(),
            client,
            secret: secret.clone(),
            report: report.clone(),
            allow_logout: args.allow_logout,
            hosts: ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", socket.port())),
            scheme,
            base: Mutex::default(),
            places: Arc::new(Semaphore::new(CALLS)),
            streams: world.streams.clone(),
            recent: Arc::default(),
        };
        let recent = Arc::clone(&shared.recent);
        let fingerprint = certificate.as_ref().map(|certificate| certificate.fingerprint);
        let server = socket.serve(shared, certificate.map(|certificate| certificate.config))?;
        Ok(Self { url, secret, chosen, recent, fingerprint, _server: server })
    }
}

impl Shared {
    /// Gives the base URL of the provider, once there is a session.
    fn base(&self, status: &Status) -> Option<http::Uri> {
        // A login may lead to another host, and is a change of phase.
        let since = status.since;
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if base.as_ref().is_none_or(|(then, _)| *then != since) {
            let (mut parts, ()) = Request::new(()).into_parts();
            if self.handle.authorize(&mut parts, &[]).is_ok() {
                *base = Some((since, parts.uri));
            }
        }
        base.as_ref().map(|(_, base)| base.clone())
    }

    /// Tells whether the provider is one of IBKR's, whose gateway this stands in for.
    fn is_ibkr(&self) -> bool {
        self.name.starts_with("ibkr-") && self.name != Provider::IbkrRetail.name()
    }

    /// Tells whether the session is at that gateway.
    fn is_gateway(&self) -> bool {
        self.name == Provider::IbkrGateway.name()
    }
}

fn random() -> Result<Secret, Usage> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}")?;
    }
    Ok(Secret::new(text))
}
