//! Connections: one thread, a task for each of them, and deadlines for those who say nothing.
#![expect(clippy::disallowed_types, reason = "a proxy has sockets")]

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

use super::crowd::{Crowd, Peer};
use super::local::Local;
use super::{Shared, door};

/// How long the whole head of a request may take, and how long a connection may be idle.
const HEAD: Duration = Duration::from_secs(30);
/// How long a handshake of TLS may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How large a head may be.
const LONGEST: usize = 128 << 10;
/// How many connections may wait to be accepted; the standard library's 128 are fewer than may come at once.
const BACKLOG: i32 = 1_024;
/// A pause where the system gives no more sockets.
pub const PAUSE: Duration = Duration::from_millis(100);

/// An address that is taken.
pub struct Socket {
    listener: TcpListener,
    port: u16,
}

/// An address that is taken, and the certificate that is shown there.
pub type Entrance = (Socket, Option<Arc<ServerConfig>>);

/// The thread that serves it, until this is dropped.
pub struct Server {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Socket {
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let port = listener.local_addr()?.port();
        Ok(Self { listener, port })
    }

    pub const fn port(&self) -> u16 {
        self.port
    }

    /// Takes connections, by https where there is a certificate.
    async fn accept(self, shared: Arc<Shared>, tls: Option<Arc<ServerConfig>>) {
        accept(self.listener, shared, tls.map(TlsAcceptor::from)).await;
    }
}

impl Server {
    /// Serves what there is to serve at.
    pub fn start(shared: Shared, socket: Option<Entrance>, local: Option<Local>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let ((stop, stopped), shared) = (oneshot::channel(), Arc::new(shared));
        let thread = std::thread::Builder::new().name("proxy".into()).spawn(move || {
            runtime.block_on(async {
                let at_socket = async {
                    if let Some((socket, tls)) = socket {
                        socket.accept(Arc::clone(&shared), tls).await;
                    }
                };
                let at_local = async {
                    if let Some(local) = local {
                        local.accept(Arc::clone(&shared)).await;
                    }
                };
                tokio::select! {
                    _ = stopped => {}
                    _ = async { tokio::join!(at_socket, at_local) } => {}
                }
            });
            // Calls that are under way were for a session that is over.
            runtime.shutdown_background();
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, tls: Option<TlsAcceptor>) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let crowd = Arc::new(Crowd::default());
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(PAUSE).await;
            continue;
        };
        if !crowd.makes_room().await {
            continue;
        }
        let _ = stream.set_nodelay(true);
        let (shared, tls) = (Arc::clone(&shared), tls.clone());
        Crowd::enter(&crowd, async move |peer| match tls {
            None => serve(stream, shared, peer).await,
            Some(tls) => {
                if let Ok(Ok(stream)) = tokio::time::timeout(HANDSHAKE, tls.accept(stream)).await {
                    serve(stream, shared, peer).await;
                }
            }
        });
    }
}

/// Answers the requests of a connection.
pub async fn serve(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>, peer: Arc<Peer>) {
    let service = service_fn(move |request| {
        let (shared, peer) = (Arc::clone(&shared), Arc::clone(&peer));
        async move { Ok::<_, Infallible>(door::answer(shared, &peer, request).await) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD).max_buf_size(LONGEST).half_close(true);
    let _ = http.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}
