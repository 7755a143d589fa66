//! A small loopback server that serves a simulator over real HTTP/1.1 or HTTPS.
//!
//! It is there for tests and examples, so it is strict where a client's mistakes should show, and
//! bounded: heads up to 128 KiB (431 beyond), bodies up to 1 MiB (413), 256 connections at a time, 30 s
//! for each read and write. It listens on `127.0.0.1` only, keeps connections alive, serves WebSockets where
//! the simulator has them, and leaves no thread behind when it is dropped.
//!
//! ```no_run
//! use sansession::Timestamp;
//! use sansession::sim::{CbrainSim, Server};
//!
//! let mut portal = CbrainSim::new(1);
//! portal.add_user("alice", "wonderland");
//! let server = Server::start(portal, || Timestamp::from(std::time::SystemTime::now()))?;
//! println!("{}/session", server.url());
//! server.with(|portal| portal.lock_portal(Some("back at noon")));
//! # Ok::<(), std::io::Error>(())
//! ```
#![expect(clippy::disallowed_types, reason = "this is the place where simulators meet real sockets")]

use core::fmt;
use core::time::Duration;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};

use super::{Fault, Simulator};
use crate::Timestamp;

mod certificate;
mod connection;
pub(super) mod request;
mod websocket;

pub use certificate::Certificate;
use certificate::Identity;

/// The longest that one read or write may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a server that stops waits for the answers that are under way.
const GRACE: Duration = Duration::from_secs(1);
/// The most connections at a time; further ones are closed at once.
const CONNECTIONS: usize = 256;
/// The most entries that the log keeps.
const LOG: usize = 10_000;

/// A loopback server that serves one simulator until it is dropped.
pub struct Server<S> {
    shared: Arc<Shared<S>>,
    address: SocketAddr,
    url: String,
    identity: Option<Identity>,
    acceptor: Option<JoinHandle<()>>,
}

/// What the server and its threads share.
struct Shared<S> {
    simulator: Mutex<S>,
    clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    log: Mutex<VecDeque<Served>>,
    open: Mutex<BTreeMap<u64, TcpStream>>,
    stopped: Mutex<bool>,
    stopping: Condvar,
    /// Notes that a connection has ended.
    ended: Condvar,
}

/// One request that was answered, or was to be.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Served {
    /// When it was answered, by the server's clock.
    pub at: Timestamp,
    /// The method.
    pub method: http::Method,
    /// The path without its query, which may hold tokens.
    pub path: String,
    /// The status of the answer, also of one that was damaged on its way.
    pub status: http::StatusCode,
    /// What happened to the answer on its way.
    pub fault: Option<Fault>,
}

impl<S: Simulator + 'static> Server<S> {
    /// Serves plain HTTP on a free port.
    ///
    /// The clock gives the time that the simulator sees, so that tests can let hours pass at once.
    ///
    /// # Errors
    /// Those of opening the socket or starting a thread.
    pub fn start(simulator: S, clock: impl Fn() -> Timestamp + Send + Sync + 'static) -> io::Result<Self> {
        Self::start_on(0, simulator, clock)
    }

    /// Serves plain HTTP on a given port; 0 takes a free one.
    ///
    /// # Errors
    /// Those of opening the socket or starting a thread.
    pub fn start_on(
        port: u16,
        simulator: S,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::launch(port, None, simulator, Box::new(clock))
    }

    /// Serves HTTPS on a free port, with a self-signed certificate that is made now.
    ///
    /// # Errors
    /// Those of making the certificate, opening the socket or starting a thread.
    pub fn start_tls(
        certificate: Certificate,
        simulator: S,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::start_tls_on(0, certificate, simulator, clock)
    }

    /// Serves HTTPS on a given port, with a self-signed certificate that is made now; 0 takes a free port.
    ///
    /// # Errors
    /// Those of making the certificate, opening the socket or starting a thread.
    pub fn start_tls_on(
        port: u16,
        certificate: Certificate,
        simulator: S,
        clock: impl Fn() -> Timestamp + Send + Sync + 'static,
    ) -> io::Result<Self> {
        Self::launch(port, Some(Identity::new(certificate)?), simulator, Box::new(clock))
    }

    fn launch(
        port: u16,
        identity: Option<Identity>,
        simulator: S,
        clock: Box<dyn Fn() -> Timestamp + Send + Sync>,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            simulator: Mutex::new(simulator),
            clock,
            log: Mutex::default(),
            open: Mutex::default(),
            stopped: Mutex::new(false),
            stopping: Condvar::new(),
            ended: Condvar::new(),
        });
        let tls = identity.as_ref().map(Identity::config);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let acceptor = {
            let shared = Arc::clone(&shared);
            thread::Builder::new()
                .name("sim-accept".into())
                .spawn(move || accept(&listener, &shared, tls.as_ref(), address))?
        };
        Ok(Self { shared, address, url: format!("{scheme}://{address}"), identity, acceptor: Some(acceptor) })
    }

    /// Works the simulator's levers, or looks at its log, while it is being served.
    ///
    /// No request is handled meanwhile.
    pub fn with<T>(&self, work: impl FnOnce(&mut S) -> T) -> T {
        work(&mut lock(&self.shared.simulator))
    }
}

impl<S> Server<S> {
    /// Returns the base URL, `http://127.0.0.1:PORT` or `https://127.0.0.1:PORT`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the certificate as PEM; `None` over plain HTTP.
    pub fn certificate_pem(&self) -> Option<&str> {
        self.identity.as_ref().map(Identity::pem)
    }

    /// Returns the certificate as DER; `None` over plain HTTP.
    pub fn certificate_der(&self) -> Option<&[u8]> {
        self.identity.as_ref().map(Identity::der)
    }

    /// Returns the requests, oldest first: the last 10,000.
    pub fn log(&self) -> Vec<Served> {
        lock(&self.shared.log).iter().cloned().collect()
    }
}

impl<S> Drop for Server<S> {
    fn drop(&mut self) {
        *lock(&self.shared.stopped) = true;
        self.shared.stopping.notify_all();
        // The acceptor blocks until somebody connects. It notices the order to stop then.
        let woken = TcpStream::connect_timeout(&self.address, Duration::from_secs(1)).is_ok();
        match self.acceptor.take() {
            Some(acceptor) if woken => drop(acceptor.join()),
            _ => self.shared.hang_up(),
        }
    }
}

impl<S> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("url", &self.url).finish_non_exhaustive()
    }
}

impl<S> Shared<S> {
    fn now(&self) -> Timestamp {
        (self.clock)()
    }

    fn is_stopped(&self) -> bool {
        *lock(&self.stopped)
    }

    /// Waits so long, unless the server stops first; tells whether it goes on.
    fn pause(&self, time: Duration) -> bool {
        let stopped = lock(&self.stopped);
        let waited = self.stopping.wait_timeout_while(stopped, time, |stopped| !*stopped);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    /// Ends all connections; an answer that is under way is still given, if it comes soon.
    fn hang_up(&self) {
        let open = lock(&self.open);
        for stream in open.values() {
            let _ = stream.shutdown(Shutdown::Read);
        }
        let waited = self.ended.wait_timeout_while(open, GRACE, |open| !open.is_empty());
        for stream in waited.unwrap_or_else(PoisonError::into_inner).0.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn record(&self, served: Served) {
        let mut log = lock(&self.log);
        if log.len() == LOG {
            log.pop_front();
        }
        log.push_back(served);
    }
}

/// Accepts connections until the server stops, then waits for all of them to end.
fn accept<S: Simulator + 'static>(
    listener: &TcpListener,
    shared: &Arc<Shared<S>>,
    tls: Option<&Arc<rustls::ServerConfig>>,
    address: SocketAddr,
) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    for id in 0.. {
        let accepted = listener.accept();
        if shared.is_stopped() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let Ok((stream, _)) = accepted else {
            // Out of file descriptors, most likely: some come free when a connection ends.
            shared.pause(Duration::from_millis(20));
            continue;
        };
        if threads.len() < CONNECTIONS
            && let Ok(thread) = serve(id, stream, shared, tls.cloned(), address)
        {
            threads.push(thread);
        }
    }
    shared.hang_up();
    for thread in threads {
        let _ = thread.join();
    }
}

fn serve<S: Simulator + 'static>(
    id: u64,
    stream: TcpStream,
    shared: &Arc<Shared<S>>,
    tls: Option<Arc<rustls::ServerConfig>>,
    address: SocketAddr,
) -> io::Result<JoinHandle<()>> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    lock(&shared.open).insert(id, stream.try_clone()?);
    let registered = Registered { id, shared: Arc::clone(shared) };
    thread::Builder::new().name("sim-connection".into()).spawn(move || {
        let shared = &registered.shared;
        let _ = connection::run(stream, tls, shared, address);
    })
}

/// A connection's place among the open ones, given up when it ends.
struct Registered<S> {
    id: u64,
    shared: Arc<Shared<S>>,
}

impl<S> Drop for Registered<S> {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.id);
        self.shared.ended.notify_all();
    }
}

/// Locks also after a panic elsewhere: a failed test must not hide behind a second panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
