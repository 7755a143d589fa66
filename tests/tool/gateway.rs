//! The proxy in the place of IBKR's gateway, for clients that were written for that one.
#![expect(clippy::disallowed_types, reason = "another program's calls come over a socket")]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use sansession::drive::{Pin, now};
use sansession::sim::Server;
use sansession::sim::ibkr::{GatewaySim, Happening, Lever, Login, Person, RateLimits, Settings};

use crate::flow::{asks, connect, says};
use crate::front::{Front, head};
use crate::process::{Proxy, Running, tool};

/// A gateway that keeps to every limit of the documentation, and at which somebody is logged in or nobody ever is.
fn gateway(logged_in: bool) -> GatewaySim {
    let settings =
        Settings { login: Login::Never, maintenance: None, limits: RateLimits::Documented, ..Settings::default() };
    let mut gateway = GatewaySim::new(settings);
    if logged_in {
        gateway.pull(now(), Lever::LogIn(Person::default()));
    }
    gateway
}

fn before(url: &str, args: &str) -> (Running, Proxy) {
    let tool = tool(&format!("ibkr-gateway --json --listen 127.0.0.1:0 {args}"));
    let mut run = tool.arg("--url", format!("{url}/v1/api")).starts();
    let proxy = run.listens();
    (run, proxy)
}

/// Asks with the secret in the path.
fn bare(proxy: &Proxy, line: &str) -> String {
    let (method, path) = line.split_once(' ').unwrap();
    proxy.raw(&format!(
        "{method} /{}{path} HTTP/1.1\r\nHost: {}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        proxy.secret, proxy.address
    ))
}

fn shakes(proxy: &Proxy, path: &str) -> (String, BufReader<TcpStream>) {
    let mut reader = BufReader::new(connect(proxy));
    let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let upgrade = format!("Connection: Upgrade\r\nUpgrade: websocket\r\nUser-Agent: bot\r\n{key}");
    write!(reader.get_mut(), "{}", asks(proxy, &format!("GET {path}"), &upgrade)).unwrap();
    (head(&mut reader).unwrap().to_ascii_lowercase(), reader)
}

/// The gateway's simulator lets a stream in with the session's cookie alone, and the client has none.
#[test]
fn ibkrs_stream_goes_through() {
    let mut run = tool("ibkr-gateway --json --listen 127.0.0.1:0").starts();
    let proxy = run.listens();
    proxy.is_ready();
    for path in ["/v1/api/ws", "/v1/portal/ws", "/ws"] {
        // The id that opens it comes with the first tickle.
        let (mut answer, mut reader) = shakes(&proxy, path);
        while answer.starts_with("http/1.1 503") {
            (answer, reader) = shakes(&proxy, path);
        }
        assert!(answer.starts_with("http/1.1 101"), "{path}: {answer}");
        // The key's answer is that of RFC 6455's example.
        assert!(answer.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{answer}");
        let mut frame = [0; 2];
        reader.read_exact(&mut frame).unwrap();
        let mut text = vec![0; usize::from(frame[1])];
        reader.read_exact(&mut text).unwrap();
        assert!(frame[0] == 0x81 && text.starts_with(b"{"), "{:?}", String::from_utf8_lossy(&text));
    }
    let (answer, _) = shakes(&proxy, "/v1/api/iserver/accounts");
    assert!(answer.starts_with("http/1.1 501"), "{answer}");
    run.gets("INT");
    run.ends().exits(0);
}

#[test]
fn a_refused_stream_leads_back_through_the_secret() {
    fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
        let head = "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\n";
        says(reader, &format!("{head}Location: /sso/Login?forwardTo=22\r\n\r\n"));
    }
    let front = Front::before(Server::start(gateway(true), now).unwrap(), |path| path == "/v1/api/ws", hand);
    let (_run, proxy) = before(&front.url, "");
    proxy.is_ready();
    let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let line = format!("GET /{}/v1/api/ws HTTP/1.1\r\nHost: {}", proxy.secret, proxy.address);
    // The id that opens it comes with a tickle.
    assert!(proxy.asks("POST /tickle", "", "").starts_with("http/1.1 200"));
    let mut reader = BufReader::new(connect(&proxy));
    write!(reader.get_mut(), "{line}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{key}\r\n").unwrap();
    let answer = head(&mut reader).unwrap().to_ascii_lowercase();
    let location = format!("location: http://{}/{}/sso/login?forwardto=22", proxy.address, proxy.secret);
    assert!(answer.starts_with("http/1.1 302") && answer.contains(&location), "{answer}");
    assert!(!front.heads().concat().contains(&proxy.secret));
}

#[test]
fn pages_are_at_the_gateways_root_and_calls_below_its_base() {
    let server = Server::start(gateway(true), now).unwrap();
    let (run, proxy) = before(server.url(), "");
    proxy.is_ready();
    for (line, status) in [
        ("GET /sso/Dispatcher", "200"),
        ("GET /sso/Login?forwardTo=22", "200"),
        ("GET /sso/validate", "200"),
        ("GET /v1/portal/iserver/accounts", "200"),
        ("OPTIONS /v1/api/iserver/accounts", "204"),
        ("GET /", "302"),
        ("HEAD /", "302"),
    ] {
        let answer = bare(&proxy, line);
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{line}: {answer}");
        let page = format!("location: /{}/sso/login?", proxy.secret);
        assert!(status != "302" || answer.contains(&page), "{line}: {answer}");
    }
    let asked: Vec<_> = server.log().into_iter().map(|served| served.path).collect();
    for path in ["/sso/Dispatcher", "/sso/Login", "/v1/api/sso/validate", "/v1/api/iserver/accounts"] {
        assert!(asked.iter().any(|asked| asked == path), "{path} is not in {asked:?}");
    }
    assert!(bare(&proxy, "GET /sso/Logout").starts_with("http/1.1 403"));
    run.gets("INT");
    run.ends().exits(0);
}

#[test]
fn who_has_to_log_in_is_led_to_the_gateway_itself() {
    let server = Server::start(gateway(false), now).unwrap();
    let (mut run, proxy) = before(server.url(), "--patience 60");
    let page = format!("location: {}/sso/login", server.url());
    run.says(&[r#""event":"need""#]);
    for line in ["GET /", "GET /sso/Login?forwardTo=22&RL=1"] {
        let mut answer = bare(&proxy, line);
        // Now and then the session looks whether it has happened.
        while !answer.contains(&page) && (answer.contains("/sso/login?") || answer.starts_with("http/1.1 503")) {
            answer = bare(&proxy, line);
        }
        assert!(answer.starts_with("http/1.1 302") && answer.contains(&page), "{line}: {answer}");
    }
    drop(run);
    let mut run = tool("ibkr-oauth1a --json --listen 127.0.0.1:0").starts();
    let proxy = run.listens();
    proxy.is_ready();
    let answer = bare(&proxy, "GET /sso/Login");
    assert!(answer.starts_with("http/1.1 404") && answer.contains("no page"), "{answer}");
}

/// Two programs that tickle all the time, look at the status and at the login, beside a session that tickles, too.
#[test]
fn no_clients_keepalive_opens_a_penalty_box() {
    let server = Server::start_tls(sansession::sim::Certificate::NoNames, gateway(true), now).unwrap();
    let pin = Pin::of(server.certificate_der().unwrap()).to_string();
    let (run, proxy) = before(server.url(), &format!("--keepalive 1.1 --pin {pin}"));
    proxy.is_ready();
    let until = now() + Duration::from_millis(3_300);
    let clients: Vec<_> = ["POST /v1/portal/tickle", "GET /tickle"]
        .into_iter()
        .map(|tickle| {
            let proxy = proxy.clone();
            thread::spawn(move || {
                while now() < until {
                    for (line, says) in [
                        (tickle, "\"session\""),
                        ("POST /v1/api/iserver/auth/status", "\"authenticated\":true"),
                        ("GET /sso/validate", "user_name"),
                    ] {
                        let answer = proxy.asks(line, "Accept-Encoding: gzip\r\n", "");
                        assert!(answer.starts_with("http/1.1 200"), "{line}: {answer}");
                        assert!(answer.to_ascii_lowercase().contains(says), "{line}: {answer}");
                        assert!(!answer.contains("set-cookie"), "{answer}");
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    run.gets("INT");
    let run = run.ends().exits(0);
    assert_eq!(server.with(|gateway| gateway.count(|what| *what == Happening::Boxed)), 0);
    let told = |event: &str, path: &str| {
        let lines = run.json().into_iter();
        lines.filter(|line| line["event"] == event && line["path"].as_str().unwrap().ends_with(path)).count()
    };
    assert_eq!(told("call", "/sso/validate"), 1);
    // At most one in a second, whoever sends it.
    let tickles = told("call", "/tickle") + told("send", "/tickle");
    assert!((1..=4).contains(&tickles), "{tickles}: {run:#?}");
}

#[test]
fn what_the_session_itself_got_answers_a_client_that_asks_too_soon() {
    let server = Server::start(gateway(true), now).unwrap();
    let (mut run, proxy) = before(server.url(), "--keepalive 1.1");
    run.is_active();
    assert!(proxy.asks("GET /iserver/auth/status", "", "").contains("\"authenticated\":true"));
    run.says(&[r#""event":"send""#, "/tickle"]);
    run.says(&[r#""event":"response""#]);
    assert!(proxy.asks("GET /tickle", "", "").contains("\"session\""));
    run.gets("INT");
    let run = run.ends().exits(0);
    assert!(run.json().iter().all(|line| line["event"] != "call"), "{run:#?}");
}
