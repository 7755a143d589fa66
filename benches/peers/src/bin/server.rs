//! The server that all clients are measured with: a gateway's answers from memory, over plain http and https.
//!
//! It writes its two base URLs to its output and serves until it is killed. Each answer leaves in one
//! piece; nothing is checked but the path. The simulators of the crate are not used here, since they
//! keep the real server's limits, which a thousand tickles in a second break.
//!
//! `GET /v1/api/seen` tells how many requests and bytes came since it was last asked.

#![expect(clippy::disallowed_types, reason = "a server has sockets")]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sansession_peers::{GATEWAY_PORT, STATUS, TICKLE, VALIDATE};

static REQUESTS: AtomicU64 = AtomicU64::new(0);
static BYTES: AtomicU64 = AtomicU64::new(0);

fn main() -> io::Result<()> {
    let plain = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let secure = TcpListener::bind((Ipv4Addr::LOCALHOST, GATEWAY_PORT))?;
    let config = tls()?;
    println!("http://127.0.0.1:{}/v1/api https://localhost:{GATEWAY_PORT}/v1/api", plain.local_addr()?.port());
    let http = thread::spawn(move || {
        for stream in plain.incoming().flatten() {
            thread::spawn(move || stream.set_nodelay(true).and_then(|()| serve(stream)));
        }
    });
    for stream in secure.incoming().flatten() {
        let config = Arc::clone(&config);
        thread::spawn(move || {
            stream.set_nodelay(true)?;
            serve(StreamOwned::new(ServerConnection::new(config).map_err(io::Error::other)?, stream))
        });
    }
    http.join().map_err(|_| io::Error::other("the plain side panicked"))
}

/// Creates a certificate of its own, as the gateway has one.
fn tls() -> io::Result<Arc<ServerConfig>> {
    let key = rcgen::KeyPair::generate().map_err(io::Error::other)?;
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let certificate =
        rcgen::CertificateParams::new(names).and_then(|params| params.self_signed(&key)).map_err(io::Error::other)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .map_err(io::Error::other)?;
    Ok(Arc::new(config))
}

/// Answers one request after the other, as long as the client keeps the connection.
fn serve(mut wire: impl Read + Write) -> io::Result<()> {
    let (mut inbox, mut piece) = (Vec::new(), [0; 4096]);
    loop {
        if let Some(Head { length, seen }) = head(&inbox) {
            if seen {
                let text = format!("{} {}", REQUESTS.swap(0, Ordering::Relaxed), BYTES.swap(0, Ordering::Relaxed));
                answer(&mut wire, &text)?;
            } else {
                REQUESTS.fetch_add(1, Ordering::Relaxed);
                BYTES.fetch_add(length as u64, Ordering::Relaxed);
                answer(&mut wire, body(&inbox))?;
            }
            inbox.drain(..length);
            continue;
        }
        match wire.read(&mut piece)? {
            0 => return Ok(()),
            read => inbox.extend_from_slice(&piece[..read]),
        }
    }
}

/// What must be known of a request that is there as a whole.
struct Head {
    length: usize,
    seen: bool,
}

fn head(inbox: &[u8]) -> Option<Head> {
    let mut headers = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = request.parse(inbox).ok()? else { return None };
    let body = request.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let body: usize = body.and_then(|header| str::from_utf8(header.value).ok()?.parse().ok()).unwrap_or(0);
    let length = head + body;
    (inbox.len() >= length).then(|| Head { length, seen: request.path.is_some_and(|path| path.ends_with("/seen")) })
}

fn body(inbox: &[u8]) -> &'static str {
    let line = inbox.split(|byte| *byte == b'\r').next().unwrap_or_default();
    match () {
        () if line.ends_with(b"/tickle HTTP/1.1") => TICKLE,
        () if line.ends_with(b"/sso/validate HTTP/1.1") => VALIDATE,
        () => STATUS,
    }
}

fn answer(wire: &mut impl Write, body: &str) -> io::Result<()> {
    let length = body.len();
    let whole = format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}");
    wire.write_all(whole.as_bytes())?;
    wire.flush()
}
