//! A server that cuts its answers, at any point and in any way, and what a client must make of each.
#![expect(clippy::disallowed_types, reason = "these tests are about sockets")]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use rustix::net::sockopt::set_socket_linger;
use rustls::crypto::ring;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use sansession::machine::{Delivery, FailureKind, SendPolicy};

/// How a connection ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum End {
    /// As it should: plain with a FIN, TLS with `close_notify` before that.
    Proper,
    /// TLS without `close_notify`.
    Silent,
    /// With a reset.
    Reset,
}

/// An answer, and what shows where it ends.
struct Answer {
    name: &'static str,
    text: &'static str,
    framing: Framing,
}

enum Framing {
    /// It is whole from this byte on, whatever the connection does; it may be until `text` is all there.
    Bounded { from: usize },
    /// Its head is so long, and the end of the connection is the end of its body.
    Unbounded { head: usize },
}

const BODY: &str = r#"{"user_id":2}"#;

fn answers() -> [Answer; 7] {
    let bounded = |name, text: &'static str, rest: usize| {
        let framing = Framing::Bounded { from: text.len() - rest };
        Answer { name, text, framing }
    };
    let unbounded = |name, text: &'static str| {
        let framing = Framing::Unbounded { head: text.len() - BODY.len() };
        Answer { name, text, framing }
    };
    [
        bounded("length", "HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"user_id\":2}", 0),
        // RFC 9112, 8: such a body is incomplete without its last chunk; an empty trailer and CRLF follow that.
        bounded(
            "chunks",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{\"use\r\n8\r\nr_id\":2}\r\n0\r\n\r\n",
            2,
        ),
        bounded("no body", "HTTP/1.1 204 No Content\r\n\r\n", 0),
        bounded(
            "interim",
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\n{\"user_id\":2}",
            0,
        ),
        unbounded("coded", "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\n{\"user_id\":2}"),
        unbounded("none", "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"user_id\":2}"),
        unbounded("none, old", "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n{\"user_id\":2}"),
    ]
}

/// What is written to the next connection, and how it ends.
#[derive(Clone, Default)]
struct Plan {
    /// So many answers come first that are whole and leave the connection open.
    before: usize,
    bytes: Vec<u8>,
    end: Option<End>,
}

pub struct Server {
    port: u16,
    tls: bool,
    plan: Arc<Mutex<Plan>>,
    seen: Arc<AtomicUsize>,
}

impl Server {
    pub fn plain() -> Self {
        Self::new(None)
    }

    /// With a certificate for `localhost`, of which this is the PEM.
    pub fn tls() -> (Self, String) {
        // Its signatures have all the same length, and with them the handshakes.
        let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519).unwrap();
        let certificate = rcgen::CertificateParams::new(vec!["localhost".into()]).unwrap().self_signed(&key).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key.into())
            .unwrap();
        (Self::new(Some(Arc::new(config))), certificate.pem())
    }

    fn new(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, tls: tls.is_some(), plan: Arc::default(), seen: Arc::default() };
        let (plan, seen) = (Arc::clone(&server.plan), Arc::clone(&server.seen));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, tls, plan, seen) = (stream.unwrap(), tls.clone(), Arc::clone(&plan), Arc::clone(&seen));
                thread::spawn(move || serve(stream, tls, &plan, &seen));
            }
        });
        server
    }

    /// Where requests go; a port of its own names whatever stands in between.
    fn url(&self, port: u16) -> String {
        if self.tls { format!("https://localhost:{port}/session") } else { format!("http://127.0.0.1:{port}/session") }
    }

    fn will(&self, before: usize, bytes: &[u8], end: End) {
        *self.plan.lock().unwrap() = Plan { before, bytes: bytes.to_vec(), end: Some(end) };
    }
}

fn serve(stream: TcpStream, tls: Option<Arc<ServerConfig>>, plan: &Mutex<Plan>, seen: &AtomicUsize) {
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // Else a reset may overtake what waits for an acknowledgement.
    stream.set_nodelay(true).unwrap();
    let socket = stream.try_clone().unwrap();
    let end = match tls {
        None => answer(stream, plan, seen).map(|(_, end)| end),
        Some(config) => {
            let stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
            answer(stream, plan, seen).map(|(mut stream, end)| {
                if end == End::Proper {
                    stream.conn.send_close_notify();
                    let _ = stream.flush();
                }
                end
            })
        }
    };
    if end == Some(End::Reset) {
        set_socket_linger(&socket, Some(Duration::ZERO)).unwrap();
    }
}

/// Reads requests and answers them, until one is cut.
fn answer<S: Read + Write>(mut stream: S, plan: &Mutex<Plan>, seen: &AtomicUsize) -> Option<(S, End)> {
    while read_request(&mut stream).is_some() {
        seen.fetch_add(1, Ordering::SeqCst);
        let Plan { before, bytes, end } = plan.lock().unwrap().clone();
        if before > 0 {
            plan.lock().unwrap().before -= 1;
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").ok()?;
            stream.flush().ok()?;
            continue;
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.flush();
        return Some((stream, end?));
    }
    None
}

fn read_request(stream: &mut impl Read) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    stream.read_exact(&mut vec![0; length]).ok()
}

fn request(url: String) -> Request<Vec<u8>> {
    Request::post(url).body(b"login=norm".to_vec()).unwrap()
}

/// What a client made of an answer: the body, or why there is none.
pub type Outcome = Result<Response<Vec<u8>>, sansession::Failure>;

const POLICY: SendPolicy = SendPolicy { timeout: Duration::from_secs(10), max_body: 1_000 };

/// Cuts each answer at each of its bytes, in each way, on a connection that is new and on one that was used before.
///
/// `client` makes one that has no connection yet.
pub fn every_answer_at_every_byte<S: Fn(Request<Vec<u8>>, SendPolicy) -> Outcome>(
    server: &Server,
    client: impl Fn() -> S,
) {
    let ends = if server.tls { &[End::Proper, End::Silent, End::Reset][..] } else { &[End::Proper, End::Reset] };
    for (answer, before) in answers().iter().flat_map(|answer| [(answer, 0), (answer, 1)]) {
        for (at, &end) in (0..=answer.text.len()).flat_map(|at| ends.iter().map(move |end| (at, end))) {
            let case = format!("{}, cut at {at} of {}: {end:?}, {before} before", answer.name, answer.text.len());
            server.will(before, &answer.text.as_bytes()[..at], end);
            let send = client();
            for _ in 0..before {
                assert!(send(request(server.url(server.port)), POLICY).is_ok(), "{case}");
            }
            let seen = server.seen.load(Ordering::SeqCst);
            let outcome = send(request(server.url(server.port)), POLICY);
            judge(answer, at, end, outcome, &case);
            assert_eq!(server.seen.load(Ordering::SeqCst), seen + 1, "{case}: sent once");
        }
    }
}

#[track_caller]
fn judge(answer: &Answer, at: usize, end: End, outcome: Outcome, case: &str) {
    let (may_be_whole, must_be_whole, body) = match answer.framing {
        Framing::Bounded { from } => (at >= from, at == answer.text.len(), BODY),
        // A FIN is all that plain HTTP has for it.
        Framing::Unbounded { head } => {
            let proper = at >= head && end == End::Proper;
            (proper, proper, answer.text.get(head..at).unwrap_or_default())
        }
    };
    match outcome {
        Ok(response) => {
            assert!(may_be_whole, "{case}: {:?}", String::from_utf8_lossy(response.body()));
            let body = if response.status() == 204 { "" } else { body };
            assert_eq!(response.body(), body.as_bytes(), "{case}");
        }
        Err(failure) => {
            assert!(!must_be_whole, "{case}: {failure:?}");
            assert_eq!((failure.kind, failure.delivery), (FailureKind::Interrupted, Delivery::MaybeSent), "{case}");
        }
    }
}

/// Cuts the connection itself after each of the bytes that the server has sent, in the handshake and within TLS records.
///
/// `client` makes one that has no connection yet.
pub fn every_byte_of_tls<S: Fn(Request<Vec<u8>>, SendPolicy) -> Outcome>(server: &Server, client: impl Fn() -> S) {
    let [.., answer, _] = answers();
    server.will(0, answer.text.as_bytes(), End::Proper);
    let (all, whole) = through(server, usize::MAX, End::Proper, client());
    assert_eq!(whole.unwrap().body(), BODY.as_bytes());
    assert!(all > 500, "{all} bytes with a handshake");
    // The handshake is long, and a third of its cuts are like all.
    for at in (0..all).filter(|at| at % 3 == 0 || at + 200 > all) {
        for end in [End::Silent, End::Reset] {
            let seen = server.seen.load(Ordering::SeqCst);
            let (_, outcome) = through(server, at, end, client());
            let failure = outcome.expect_err(&format!("cut at {at} of {all}: {end:?}"));
            if server.seen.load(Ordering::SeqCst) > seen {
                assert_eq!(failure.delivery, Delivery::MaybeSent, "cut at {at} of {all}: {end:?}");
            }
            assert!(
                matches!(failure.kind, FailureKind::Interrupted | FailureKind::Tls | FailureKind::Connect),
                "cut at {at} of {all}: {end:?}: {failure:?}"
            );
        }
    }
}

/// Sends a request through a relay that passes on so many bytes of what the server says; gives how many it said.
fn through(
    server: &Server,
    limit: usize,
    end: End,
    send: impl Fn(Request<Vec<u8>>, SendPolicy) -> Outcome,
) -> (usize, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (port, there) = (listener.local_addr().unwrap().port(), server.port);
    let relay = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(("127.0.0.1", there)).unwrap();
        for side in [&client, &server] {
            side.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
            side.set_nodelay(true).unwrap();
        }
        let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Write);
        });
        let passed = std::io::copy(&mut (&server).take(limit as u64), &mut &client).unwrap_or(0);
        if end == End::Reset {
            set_socket_linger(&client, Some(Duration::ZERO)).unwrap();
            // The other thread holds the socket open until it is woken.
            let _ = client.shutdown(Shutdown::Read);
        } else {
            let _ = client.shutdown(Shutdown::Both);
        }
        let _ = server.shutdown(Shutdown::Both);
        let _ = up.join();
        passed as usize
    });
    let outcome = send(request(server.url(port)), POLICY);
    (relay.join().unwrap(), outcome)
}
