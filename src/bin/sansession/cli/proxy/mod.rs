//! The proxy of `--listen`: other programs' calls leave with the session's tokens or signature.
//!
//! Who may use it is the point. It listens on 127.0.0.1 alone; a web page that gets its own name
//! resolved to that (DNS rebinding) names another host; any other page and any other user of the
//! machine lacks the secret, and a page cannot send it without a preflight, which is refused. Whoever lacks it costs the
//! head of a request and no more: bodies are read after the secret was right. Other commands of the same user need none:
//! they come by a socket that is in a directory of that user's alone.

mod call;
mod certificate;
mod crowd;
mod door;
mod forward;
mod gateway;
mod keepalive;
mod local;
mod refusal;
mod serve;
mod status;
mod stream;

pub use certificate::Certificate;
pub use keepalive::Recent;
pub use stream::Opens;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use http::Request;
use sansession::drive::asynchronous::{Streaming, Transport};
use sansession::drive::{Handle, Pin};
use sansession::{Secret, Status, Timestamp, machine::Rejection};
use tokio::sync::Semaphore;

use self::local::Local;
use self::serve::Entrance;
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
pub struct Proxy {
    /// Where other programs find it, where they may.
    pub listening: Option<Listening>,
    /// What the session itself gets goes in here, for clients that ask the same.
    pub recent: Arc<Recent>,
    _server: serve::Server,
}

/// What clients of a proxy know.
pub struct Listening {
    pub url: String,
    pub secret: Secret,
    /// Whether the user has chosen the secret, and knows it.
    pub chosen: bool,
    /// The fingerprint of its certificate, where it has one.
    pub fingerprint: Option<Pin>,
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
    hosts: Vec<String>,
    scheme: &'static str,
    /// The base URL of the provider, and since when the session is in the phase in which it was that one.
    base: Mutex<Option<(Timestamp, http::Uri)>>,
    places: Arc<Semaphore>,
    /// What opens the provider's WebSocket, where it has one.
    streams: Option<Arc<dyn Opens>>,
    recent: Arc<Recent>,
}

impl Proxy {
    /// Begins to listen at the address that the command line names, and at a socket for other commands of the same user;
    /// `None` where there is neither. Calls are refused until the session is usable.
    pub fn start(args: &Args, local: Option<&Path>, world: &World, report: &Report) -> Result<Option<Self>, Usage> {
        let local = local.and_then(|path| match Local::bind(path) {
            Ok(local) => Some(local),
            Err(error) => {
                let shown = path.display();
                report.hint(&format!("{shown}: {error}: `call` and `token` cannot be lent this session"));
                None
            }
        });
        if local.is_none() && args.listen.is_none() {
            return Ok(None);
        }
        let mut shared = Shared {
            name: args.provider.name(),
            handle: world.handle.clone(),
            client: Transport::builder().trust(world.trust.clone()).build_streaming()?,
            secret: random()?,
            report: report.clone(),
            allow_logout: args.allow_logout,
            hosts: Vec::new(),
            scheme: "http",
            base: Mutex::default(),
            places: Arc::new(Semaphore::new(CALLS)),
            streams: world.streams.clone(),
            recent: Arc::default(),
        };
        let (mut socket, mut listening) = (None, None);
        if let Some(listen) = args.listen {
            let (opened, told) = shared.listen(listen)?;
            (socket, listening) = (Some(opened), Some(told));
        }
        let recent = Arc::clone(&shared.recent);
        Ok(Some(Self { listening, recent, _server: serve::Server::start(shared, socket, local)? }))
    }
}

impl Shared {
    /// Takes an address, and the secret that is asked for there.
    fn listen(&mut self, listen: Listen) -> Result<(Entrance, Listening), Usage> {
        let given = variable("SANSESSION_PROXY_SECRET")?;
        let chosen = given.is_some();
        if let Some(secret) = given {
            self.secret = checked(secret)?;
        }
        let taken = |error| Usage(format!("--listen {}: {error}; port 0 takes a free one", listen.address));
        let socket = serve::Socket::bind(listen.address).map_err(taken)?;
        let certificate = if listen.tls { Some(Certificate::kept()?) } else { None };
        self.scheme = if listen.tls { "https" } else { "http" };
        self.hosts = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{}", socket.port())).to_vec();
        let url = format!("{}://127.0.0.1:{}", self.scheme, socket.port());
        let fingerprint = certificate.as_ref().map(|certificate| certificate.fingerprint);
        let listening = Listening { url, secret: self.secret.clone(), chosen, fingerprint };
        Ok(((socket, certificate.map(|certificate| certificate.config)), listening))
    }

    /// Returns the base URL of the provider, once there is a session.
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

    /// Reports whether the provider is one of IBKR's, whose gateway this stands in for.
    fn is_ibkr(&self) -> bool {
        self.name.starts_with("ibkr-") && self.name != Provider::IbkrRetail.name()
    }

    /// Reports whether the session is at that gateway.
    fn is_gateway(&self) -> bool {
        self.name == Provider::IbkrGateway.name()
    }
}

/// Refuses a secret that no header carries, or that somebody may guess.
fn checked(secret: Secret) -> Result<Secret, Usage> {
    Rejection::check_token("SANSESSION_PROXY_SECRET", secret.expose()).map_err(|_| {
        let carried = "its header carries printable ASCII without spaces, and at least one character";
        Usage(format!("SANSESSION_PROXY_SECRET: {carried} (`openssl rand -hex 32`)"))
    })?;
    if secret.expose().len() < SHORTEST {
        let words = format!("SANSESSION_PROXY_SECRET: at least {SHORTEST} characters (`openssl rand -hex 32`)");
        return Err(Usage(words));
    }
    Ok(secret)
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
