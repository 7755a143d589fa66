use core::net::IpAddr;
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::{Request, Response, StatusCode};
use rustls::pki_types::{CertificateDer, ServerName};

use super::*;
use crate::sim::cbrain::Outcome;
use crate::sim::{Arrival, CbrainSim, Reply};

/// Answers with what it saw; the path says what else happens.
struct Echo {
    requests: usize,
    /// Where two answers wait for each other.
    meeting: Arc<std::sync::Barrier>,
}

impl Default for Echo {
    fn default() -> Self {
        Self { requests: 0, meeting: Arc::new(std::sync::Barrier::new(2)) }
    }
}

impl Simulator for Echo {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        self.requests += 1;
        assert!(request.extensions().get::<Arrival>().is_some_and(|arrival| arrival.address.ip() == peer));
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let text = format!("{} {} {body} {peer} {now:?}", request.method(), request.uri());
        let mut response = Response::new(text.into_bytes());
        match request.uri().path() {
            "/empty" => response.body_mut().clear(),
            "/chunked" => {
                response.headers_mut().insert("transfer-encoding", "chunked".parse().unwrap());
            }
            "/none" => *response.status_mut() = StatusCode::NO_CONTENT,
            "/unchanged" => *response.status_mut() = StatusCode::NOT_MODIFIED,
            "/large" => *response.body_mut() = vec![b'x'; 300_000],
            _ => {}
        }
        let reply = Reply::new(response);
        match request.uri().path() {
            "/meet" => {
                let meeting = Arc::clone(&self.meeting);
                Reply::later(move || {
                    meeting.wait();
                    reply.finish().response
                })
            }
            "/slow" => reply.after(Duration::from_millis(300)),
            "/forever" => reply.after(Duration::from_secs(3_600)),
            "/drop" => reply.with(Fault::Drop),
            "/truncate" => reply.with(Fault::Truncate(3)),
            "/trickle" => reply.with(Fault::Trickle(Duration::from_millis(5))),
            _ => reply,
        }
    }
}

fn server() -> Server<Echo> {
    Server::start(Echo::default(), || Timestamp::from_millis(7)).unwrap()
}

/// Sends bytes and reads until the server closes.
fn talk<S>(server: &Server<S>, request: &str) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    read_all(stream)
}

fn read_all(mut stream: impl Read) -> String {
    let mut text = Vec::new();
    let _ = stream.read_to_end(&mut text);
    String::from_utf8(text).unwrap()
}

/// One request on a connection that closes after it.
fn one(line: &str) -> String {
    format!("{line} HTTP/1.1\r\nhost: sim.test\r\nconnection: close\r\n\r\n")
}

#[test]
fn work_for_one_answer_keeps_no_other_waiting() {
    let server = server();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert!(talk(&server, &one("GET /meet")).contains("GET http://sim.test/meet")));
        }
    });
    assert!(Reply::later(|| Response::new(b"done".to_vec())).finish().response.body() == b"done");
}

#[test]
fn a_request_reaches_the_simulator_as_its_sender_wrote_it() {
    let server = server();
    let answer = talk(&server, &one("GET /a?b=c"));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nGET http://sim.test/a?b=c  127.0.0.1 7ms"), "{answer}");
    let answer = talk(&server, "GET /a HTTP/1.0\r\n\r\n");
    assert!(answer.contains(&format!("GET {}/a", server.url())), "{answer}");
    assert_eq!(server.with(|echo| echo.requests), 2);
    let log = server.log();
    assert_eq!((log[0].method.as_str(), &*log[0].path, log[0].status.as_u16()), ("GET", "/a", 200));
}

#[test]
fn connections_are_kept_alive() {
    let server = server();
    let mut stream = BufReader::new(TcpStream::connect(server.address).unwrap());
    for path in ["/a", "/empty", "/large", "/chunked", "/none", "/unchanged", "/b"] {
        write!(stream.get_mut(), "GET {path} HTTP/1.1\r\nhost: sim.test\r\n\r\n").unwrap();
        let (head, body) = read_answer(&mut stream);
        assert!(head.starts_with("HTTP/1.1 20") || path == "/unchanged", "{head}");
        match path {
            "/large" => assert_eq!(body.len(), 300_000),
            "/empty" | "/none" | "/unchanged" => assert!(body.is_empty()),
            _ => assert!(body.contains(path), "{body}"),
        }
    }
    assert_eq!(server.with(|echo| echo.requests), 7);
}

/// Reads one answer of a connection that stays open.
fn read_answer(stream: &mut impl BufRead) -> (String, String) {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(stream.read_line(&mut head).unwrap() > 0, "{head}");
    }
    let length = |line: &mut dyn BufRead| {
        let mut size = String::new();
        line.read_line(&mut size).unwrap();
        usize::from_str_radix(size.trim(), 16).unwrap()
    };
    let mut body = Vec::new();
    if head.contains("transfer-encoding: chunked") {
        loop {
            let mut chunk = vec![0; length(stream) + 2];
            stream.read_exact(&mut chunk).unwrap();
            if chunk == b"\r\n" {
                break;
            }
            body.extend_from_slice(&chunk[..chunk.len() - 2]);
        }
    } else if let Some((_, rest)) = head.split_once("content-length: ") {
        body = vec![0; rest.split_once('\r').unwrap().0.parse().unwrap()];
        stream.read_exact(&mut body).unwrap();
    }
    (head, String::from_utf8(body).unwrap())
}

#[test]
fn bodies_come_by_length_in_chunks_or_not_at_all() {
    let server = server();
    let head = "POST /a HTTP/1.1\r\nhost: sim.test\r\nconnection: close\r\n";
    for body in [
        "content-length: 5\r\n\r\nhello",
        "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
        "expect: 100-continue\r\ncontent-length: 5\r\n\r\nhello",
    ] {
        let answer = talk(&server, &format!("{head}{body}"));
        assert!(answer.contains("POST http://sim.test/a hello "), "{answer}");
        assert_eq!(answer.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"), body.starts_with("expect"));
    }
    let answer = talk(&server, &format!("{head}\r\n"));
    assert!(answer.contains("POST http://sim.test/a  127"), "{answer}");
}

#[test]
fn a_head_request_gets_the_head_alone() {
    let server = server();
    let answer = talk(&server, &one("HEAD /a"));
    assert!(answer.ends_with("\r\n\r\n") && answer.contains("content-length: 37"), "{answer}");
}

#[test]
fn what_is_too_large_or_no_http_is_refused() {
    let server = server();
    let fields = "x: y\r\n".repeat(200);
    let long = "z".repeat(200_000);
    let chunk = format!("100000\r\n{}\r\n", "b".repeat(0x10_0000)).repeat(3);
    let huge = "b".repeat(2_000_000);
    for (request, status) in [
        (format!("GET /a HTTP/1.1\r\n{fields}\r\n"), 431),
        (format!("GET /a HTTP/1.1\r\nx: {long}"), 431),
        (format!("GET /{long}"), 431),
        (format!("POST /a HTTP/1.1\r\ncontent-length: 2000000\r\n\r\n{huge}"), 413),
        ("POST /a HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 2000000\r\n\r\n".into(), 413),
        (format!("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n{chunk}"), 413),
        ("POST /a HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n".into(), 400),
        ("POST /a HTTP/1.1\r\ntransfer-encoding: gzip\r\n\r\n".into(), 400),
        ("POST /a HTTP/1.1\r\ncontent-length: x\r\n\r\n".into(), 400),
        ("hello\r\n\r\n".into(), 400),
        ("\x16\x03\x01\x02\r\n\r\n".into(), 400),
    ] {
        let mut stream = TcpStream::connect(server.address).unwrap();
        let _ = stream.write_all(request.as_bytes());
        let _ = stream.shutdown(Shutdown::Write);
        let answer = read_all(stream);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status}: {answer}");
    }
    assert_eq!(server.with(|echo| echo.requests), 0);
}

#[test]
fn faults_happen_on_the_way() {
    let server = server();
    assert_eq!(talk(&server, &one("GET /drop")), "");
    let answer = talk(&server, &one("GET /truncate"));
    assert!(answer.ends_with("\r\n\r\nGET") && answer.contains("content-length: 43"), "{answer}");
    let began = now();
    let answer = talk(&server, &one("GET /trickle"));
    assert!(answer.ends_with(" 7ms") && began.elapsed() >= Duration::from_millis(150), "{answer}");
    assert_eq!(server.log()[0].fault, Some(Fault::Drop));
}

#[test]
fn a_slow_answer_holds_nobody_else_up() {
    let server = server();
    let mut waiting = TcpStream::connect(server.address).unwrap();
    waiting.write_all(one("GET /forever").as_bytes()).unwrap();
    while server.with(|echo| echo.requests) == 0 {
        thread::yield_now();
    }
    assert!(talk(&server, &one("GET /a")).contains("/a"));
    let began = now();
    assert!(talk(&server, &one("GET /slow")).contains("/slow"));
    assert!(began.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_portal_is_served_with_its_levers() {
    let mut portal = CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, || Timestamp::from_secs(1)).unwrap();
    let mut stream = BufReader::new(TcpStream::connect(server.address).unwrap());
    let mut send = |line: &str, more: &str| {
        write!(stream.get_mut(), "{line} HTTP/1.1\r\nhost: sim.test\r\naccept: application/json\r\n{more}").unwrap();
        read_answer(&mut stream)
    };
    let login =
        "content-type: application/x-www-form-urlencoded\r\ncontent-length: 31\r\n\r\nlogin=alice&password=wonderland";
    let (head, body) = send("POST /session", login);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.contains("transfer-encoding: chunked"), "{head}");
    let body: serde_json::Value = serde_json::from_str(&body).unwrap();
    let token = format!("authorization: Bearer {}\r\n\r\n", body["cbrain_api_token"].as_str().unwrap());

    assert!(talk(&server, &one("CONNECT sim.test:1")).starts_with("HTTP/1.1 404 "));
    let second =
        format!("GET /session HTTP/2.0\r\nhost: sim.test\r\nconnection: close\r\naccept: application/json\r\n{token}");
    assert!(talk(&server, &second).starts_with("HTTP/1.1 200 "));

    server.with(|portal| portal.lock_portal(Some("later")));
    let (head, body) = send("DELETE /session", &token);
    assert!(head.starts_with("HTTP/1.1 503 ") && body == r#"{"message":"later"}"#, "{head}{body}");
    server.with(CbrainSim::unlock_portal);
    let (head, body) = send("DELETE /session", &token);
    assert!(head.starts_with("HTTP/1.1 200 ") && body.is_empty(), "{head}{body}");
    assert_eq!(server.with(|portal| portal.count(Outcome::LoggedOut)), 1);
    assert_eq!(server.log().iter().map(|served| served.status.as_u16()).collect::<Vec<_>>(), [200, 404, 200, 503, 200]);
}

#[test]
fn dropping_the_server_ends_everything_at_once() {
    let server = server();
    let address = server.address;
    let idle = TcpStream::connect(address).unwrap();
    let mut stuck = TcpStream::connect(address).unwrap();
    stuck.write_all(b"POST /a HTTP/1.1\r\ncontent-length: 9\r\n\r\n").unwrap();
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.write_all(one("GET /forever").as_bytes()).unwrap();
    while server.with(|echo| echo.requests) == 0 {
        thread::yield_now();
    }
    let shared = Arc::downgrade(&server.shared);
    let began = now();
    drop(server);
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(shared.upgrade().is_none(), "no thread is left that holds the simulator");
    assert!(TcpStream::connect(address).is_err());
    for stream in [idle, stuck, waiting] {
        assert_eq!(read_all(stream), "");
    }
}

#[test]
fn a_boxed_simulator_is_served_as_well() {
    let boxed: Box<dyn Simulator> = Box::new(Echo::default());
    let server = Server::start(boxed, || Timestamp::from_millis(0)).unwrap();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(one("GET /a").as_bytes()).unwrap();
    assert!(read_all(stream).contains("/a"));
}

#[test]
fn the_clock_is_the_callers() {
    let time = Arc::new(AtomicU64::new(1));
    let clock = Arc::clone(&time);
    let server = Server::start(Echo::default(), move || Timestamp::from_millis(clock.load(Ordering::Relaxed))).unwrap();
    assert!(talk(&server, &one("GET /a")).ends_with(" 1ms"));
    time.store(2, Ordering::Relaxed);
    assert!(talk(&server, &one("GET /a")).ends_with(" 2ms"));
}

#[test]
fn each_kind_of_certificate_is_what_it_says() {
    for (kind, trusted) in [(Certificate::Plain, true), (Certificate::Authority, false), (Certificate::NoNames, false)]
    {
        let server = Server::start_tls(kind, Echo::default(), || Timestamp::from_millis(7)).unwrap();
        assert!(server.url().starts_with("https://127.0.0.1:"));
        assert!(server.certificate_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from(server.certificate_der().unwrap().to_vec())).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = ServerName::try_from("localhost").unwrap();
        let client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
        let mut stream = rustls::StreamOwned::new(client, TcpStream::connect(server.address).unwrap());
        let sent = stream.write_all(one("GET /a").as_bytes());
        if trusted {
            sent.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            assert!(answer.ends_with("GET https://sim.test/a  127.0.0.1 7ms"), "{answer}");
        } else {
            assert!(sent.is_err(), "{kind:?}");
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "these tests measure real time")]
fn now() -> Instant {
    Instant::now()
}
