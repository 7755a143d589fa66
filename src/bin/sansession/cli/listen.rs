//! The proxy of `--listen`: other programs' calls leave with the session's tokens or signature.
//!
//! Who may use it is the point. It listens on 127.0.0.1 alone; a web page that gets its own name
//! resolved to that (DNS rebinding) names another host; any other page and any other user of the
//! machine lacks the secret, and a page cannot send it without a preflight, which is refused.

use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use http::header::HOST;
use http::{Method, Request, Response, StatusCode};
use sansession::blocking::{Handle, Transport, now};
use sansession::sim::{Reply, Server, Simulator};
use sansession::{Rejection, Secret, Timestamp, WaitingOn};
use serde_json::json;

use crate::cli::Usage;
use crate::cli::answers::variable;
use crate::cli::forward::{self, SECRET, refusal};

/// How many calls may be under way; a call takes a thread here and up to 16 MiB.
const CALLS: usize = 32;
/// The shortest secret that is taken from the environment: nobody guesses 16 characters in a night.
const SHORTEST: usize = 16;

/// A proxy that serves until it is dropped.
pub struct Listening {
    pub url: String,
    pub secret: Secret,
    /// Whether the user has chosen the secret, and knows it.
    pub chosen: bool,
    transport: Transport,
    _server: Server<Proxy>,
}

impl Listening {
    /// Begins to listen; calls are refused until the session is usable.
    pub fn start(
        address: SocketAddr,
        name: &'static str,
        handle: &Handle,
        transport: &Transport,
    ) -> Result<Self, Usage> {
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
        let shared = Arc::new(Shared {
            name,
            handle: handle.clone(),
            transport: transport.clone(),
            secret: secret.clone(),
            base: Mutex::default(),
            calls: AtomicUsize::new(0),
        });
        let server = Server::start_on(address.port(), Proxy { shared, hosts: Vec::new() }, now)
            .map_err(|error| Usage(format!("--listen {address}: {error}; port 0 takes a free one")))?;
        let port = server.port();
        server.with(|proxy| proxy.hosts = ["127.0.0.1", "localhost"].map(|host| format!("{host}:{port}")).into());
        let url = server.url().to_owned();
        Ok(Self { url, secret, chosen, transport: transport.clone(), _server: server })
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        // The server waits for the calls that are under way; the session they were for is over.
        self.transport.interrupt();
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

/// The proxy as the server sees it.
struct Proxy {
    shared: Arc<Shared>,
    /// The names under which it may be called.
    hosts: Vec<String>,
}

struct Shared {
    name: &'static str,
    handle: Handle,
    transport: Transport,
    secret: Secret,
    /// The path of the provider's base URL, once it is known.
    base: Mutex<Option<String>>,
    calls: AtomicUsize,
}

impl Simulator for Proxy {
    fn handle(&mut self, _: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        if let Some(refused) = self.refuses(request) {
            return Reply::new(refused);
        }
        if request.uri().path() == "/_session" {
            return Reply::new(match *request.method() {
                Method::GET | Method::HEAD => self.shared.status(),
                _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "method", "/_session is to be read"),
            });
        }
        if self.shared.calls.fetch_add(1, Ordering::SeqCst) >= CALLS {
            self.shared.calls.fetch_sub(1, Ordering::SeqCst);
            let mut busy = refusal(StatusCode::SERVICE_UNAVAILABLE, "busy", "too many calls are under way");
            busy.headers_mut().insert(http::header::RETRY_AFTER, 1.into());
            return Reply::new(busy);
        }
        let (place, request) = (Place(Arc::clone(&self.shared)), request.clone());
        Reply::later(move || place.0.call(&request))
    }
}

/// A place among the calls that are under way.
struct Place(Arc<Shared>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.calls.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Proxy {
    /// Says why a request goes no further, before anything in it is believed.
    fn refuses(&self, request: &Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
        let (headers, uri) = (request.headers(), request.uri());
        let ours = |host: &str| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next().and_then(|host| host.to_str().ok());
        if !host.is_some_and(ours) || hosts.next().is_some() || !uri.authority().is_some_and(|host| ours(host.as_str()))
        {
            let text = "this proxy serves one provider, under its own address alone: no other Host, no absolute URI";
            return Some(refusal(StatusCode::MISDIRECTED_REQUEST, "host", text));
        }
        let mut secrets = headers.get_all(SECRET).iter();
        let secret = secrets.next().and_then(|secret| secret.to_str().ok());
        if !secret.is_some_and(|secret| self.shared.secret.matches(secret)) || secrets.next().is_some() {
            let text = "the header X-Sansession-Secret is missing or wrong; `session --listen` tells it at its start";
            return Some(refusal(StatusCode::FORBIDDEN, "secret", text));
        }
        if forward::wants_upgrade(headers) {
            let text = "no WebSocket and no other upgrade goes through this proxy";
            return Some(refusal(StatusCode::NOT_IMPLEMENTED, "upgrade", text));
        }
        (request.method() == Method::TRACE)
            .then(|| refusal(StatusCode::METHOD_NOT_ALLOWED, "method", "TRACE would show the session's tokens"))
    }
}

impl Shared {
    fn call(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let Some(call) = forward::outgoing(request, &self.base()) else {
            return refusal(StatusCode::BAD_REQUEST, "path", "the path cannot be sent on");
        };
        match self.handle.call(&self.transport, call) {
            Ok(response) => forward::incoming(response),
            Err(error) => forward::failed(&error),
        }
    }

    /// Gives the path of the base URL, without its last slash; the root until there is a session.
    fn base(&self) -> String {
        let mut base = self.base.lock().unwrap_or_else(PoisonError::into_inner);
        if base.is_none() {
            let (mut parts, ()) = Request::new(()).into_parts();
            if self.handle.authorize(&mut parts, &[]).is_ok() {
                *base = Some(parts.uri.path().trim_end_matches('/').to_owned());
            }
        }
        base.clone().unwrap_or_default()
    }

    fn status(&self) -> Response<Vec<u8>> {
        let status = self.handle.status();
        let millis = |time: Timestamp| (time != Timestamp::NEVER).then(|| time.as_millis());
        let need = match &status.on {
            WaitingOn::Need(need) => {
                json!({ "need": need.kind.code(), "because": need.because.code(), "url": need.url.as_deref() })
            }
            _ => json!(null),
        };
        let body = json!({
            "t": now().as_millis(), "provider": self.name, "phase": status.phase.code(),
            "since": status.since.as_millis(), "suspect": status.suspect, "stuck": status.stuck,
            "penalty": status.penalty.and_then(millis),
            "last_alive": status.last_alive.and_then(millis), "deadline": millis(status.deadline),
            "waiting_on": status.on.code(), "need": need,
        });
        forward::own(StatusCode::OK, &body)
    }
}
