//! The proxy: what goes through it, what does not, and who may use it.

use std::io::{BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::{Request, Response};
use sansession::Timestamp;
use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::{CbrainSim, Reply, Server, Simulator};

use crate::flow::{asks, connect};
use crate::front::head;
use crate::process::{PASSWORD, Proxy, Running, asked, portal, tool};

type Calls = Arc<Mutex<Vec<Request<Vec<u8>>>>>;

/// A portal that remembers calls below `/echo` and answers as the call's query tells.
struct Echo {
    portal: CbrainSim,
    calls: Calls,
}

impl Simulator for Echo {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        if !request.uri().path().starts_with("/echo") {
            return self.portal.handle(now, peer, request);
        }
        self.calls.lock().unwrap().push(request.clone());
        let answer = Response::builder()
            .header("access-control-allow-origin", "*")
            .header("set-cookie", "a=b")
            .header("x-own", "kept");
        Reply::new(
            match request.uri().query() {
                Some("redirect") => {
                    answer.status(302).header("location", "https://elsewhere.example.org/").body(Vec::new())
                }
                Some("limit") => answer.status(429).header("retry-after", "40").body(Vec::new()),
                Some("wait") => {
                    return Reply::new(answer.body(b"late".to_vec()).unwrap()).after(Duration::from_secs(2));
                }
                _ => answer.body(b"echo".to_vec()),
            }
            .unwrap(),
        )
    }

    fn longest_body(&self) -> usize {
        self.portal.longest_body()
    }
}

fn echo() -> (Server<Echo>, Calls) {
    let mut portal = CbrainSim::new(1);
    portal.add_user("norm", PASSWORD);
    let calls = Calls::default();
    (Server::start(Echo { portal, calls: calls.clone() }, now).unwrap(), calls)
}

fn listening<S: Simulator + 'static>(server: &Server<S>) -> (Running, Proxy) {
    let mut run = tool("cbrain --json --listen 127.0.0.1:0").at(server).norm().starts();
    let proxy = run.listens();
    proxy.is_ready();
    (run, proxy)
}

#[test]
fn a_call_leaves_with_the_sessions_token_and_comes_back_whole() {
    let (server, calls) = echo();
    let (run, proxy) = listening(&server);
    let more = "Authorization: Bearer mine\r\nCookie: c=d\r\nAccept-Encoding: br\r\nX-Kept: yes\r\n\
                Keep-Alive: timeout=5\r\nProxy-Authorization: Basic eA==\r\nTE: trailers\r\n\
                X-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\nX-Real-IP: 192.0.2.7\r\n\
                Client-IP: 192.0.2.7\r\nX-Client-IP: 192.0.2.7\r\nForwarded: for=192.0.2.7\r\nVia: 1.1 192.0.2.7\r\n";
    let answer = proxy.asks("POST /echo/a%20b?q=1&q=%2F", more, "the body");
    assert!(answer.starts_with("http/1.1 200") && answer.ends_with("\r\n\r\necho"), "{answer}");
    assert!(answer.contains("x-own: kept"), "{answer}");
    for header in ["access-control", "set-cookie"] {
        assert!(!answer.contains(header), "{header}: {answer}");
    }
    let call = calls.lock().unwrap()[0].clone();
    assert_eq!(call.uri().path_and_query().unwrap(), "/echo/a%20b?q=1&q=%2F");
    assert_eq!((call.method().as_str(), call.body().as_slice()), ("POST", &b"the body"[..]));
    assert_eq!(call.headers()["x-kept"], "yes");
    assert_eq!(
        (&call.headers()["accept-encoding"], &call.headers()["te"]),
        (&"br".parse().unwrap(), &"trailers".parse().unwrap())
    );
    assert_eq!(call.headers()["host"].to_str().unwrap(), format!("127.0.0.1:{}", server.port()));
    let token = call.headers()["authorization"].to_str().unwrap();
    assert!(token.len() > 30 && !token.contains("mine"), "{token}");
    for gone in ["cookie", "via", "keep-alive", "proxy-authorization", "x-sansession-secret"] {
        assert!(!call.headers().contains_key(gone), "{gone}");
    }
    let shown = format!("{:?}", call.headers());
    assert!(!shown.contains("192.0.2.7") && !shown.contains("forwarded"), "{shown}");
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
}

/// As curl and browsers send files: after the server has said that it wants them.
#[test]
fn a_file_of_40_megabytes_passes_to_a_portal() {
    const LONG: usize = 40 << 20;
    let (server, calls) = echo();
    let (run, proxy) = listening(&server);
    let mut reader = BufReader::new(connect(&proxy));
    let more = "Content-Type: multipart/form-data; boundary=b\r\nExpect: 100-continue\r\nConnection: close\r\n";
    let start = "--b\r\nContent-Disposition: form-data; name=\"upload_file\"; filename=\"scan\"\r\n\r\n";
    let (end, length) = ("\r\n--b--\r\n", LONG + start.len() + 9);
    let line = asks(&proxy, "POST /echo/userfiles", &format!("{more}Content-Length: {length}\r\n"));
    reader.get_mut().write_all(line.as_bytes()).unwrap();
    assert!(head(&mut reader).unwrap().starts_with("HTTP/1.1 100"));
    reader.get_mut().write_all(start.as_bytes()).unwrap();
    std::io::copy(&mut std::io::repeat(b'y').take(LONG as u64), reader.get_mut()).unwrap();
    reader.get_mut().write_all(end.as_bytes()).unwrap();
    let answer = head(&mut reader).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let call = calls.lock().unwrap()[0].clone();
    assert!(call.body().starts_with(start.as_bytes()) && call.body().ends_with(end.as_bytes()));
    assert_eq!(call.body().len(), length);
    assert!(call.headers()["authorization"].to_str().unwrap().starts_with("Bearer "));
    run.gets("INT");
    run.ends().exits(0);
}

#[test]
fn a_redirect_is_passed_on_and_not_followed() {
    let (server, calls) = echo();
    let (_run, proxy) = listening(&server);
    let answer = proxy.asks("GET /echo?redirect", "", "");
    assert!(
        answer.starts_with("http/1.1 302") && answer.contains("location: https://elsewhere.example.org/"),
        "{answer}"
    );
    assert_eq!(calls.lock().unwrap().len(), 1);
}

#[test]
fn a_penalty_box_holds_for_everybody() {
    let (server, calls) = echo();
    let (_run, proxy) = listening(&server);
    assert!(proxy.asks("GET /echo?limit", "", "").starts_with("http/1.1 429"));
    let answer = proxy.asks("GET /echo", "", "");
    assert!(answer.starts_with("http/1.1 503"), "{answer}");
    let seconds = answer.split("retry-after: ").nth(1).unwrap().split("\r\n").next().unwrap().parse::<u64>().unwrap();
    assert!((30..=41).contains(&seconds), "{answer}");
    assert!(answer.contains("penalty box until "), "{answer}");
    let status = proxy.asks("GET /_session", "", "");
    let end = status.split("\"penalty\":").nth(1).unwrap().split([',', '}']).next().unwrap();
    let left = end.parse::<u64>().unwrap().saturating_sub(now().as_millis());
    assert!((30_000..=41_000).contains(&left), "{status}");
    assert_eq!(calls.lock().unwrap().len(), 1, "nothing was sent");
}

#[test]
fn calls_do_not_wait_for_each_other() {
    let (server, _) = echo();
    let (_run, proxy) = listening(&server);
    let began = now();
    let slow: Vec<_> = (0..3)
        .map(|_| {
            let proxy = proxy.clone();
            std::thread::spawn(move || proxy.asks("GET /echo?wait", "", ""))
        })
        .collect();
    assert!(proxy.asks("GET /_session", "", "").contains("active"));
    assert!(now().since(began) < Duration::from_secs(2));
    assert!(slow.into_iter().all(|call| call.join().unwrap().ends_with("late")));
    assert!(now().since(began) < Duration::from_secs(5), "three calls of 2 s at once");
}

#[test]
fn nobody_without_the_secret_gets_through() {
    let (server, calls) = echo();
    let (_run, proxy) = listening(&server);
    let other = |secret: &str| Proxy { secret: secret.to_owned(), ..proxy.clone() };
    let (most, last) = proxy.secret.split_at(63);
    let wrong = format!("{most}{}", if last == "0" { 1 } else { 0 });
    for proxy in [other(""), other("x"), other(&wrong), other(&format!("{}0", proxy.secret))] {
        for path in ["GET /echo", "GET /_session", "OPTIONS /echo"] {
            let answer =
                proxy.asks(path, "Origin: https://page.example.org\r\nAccess-Control-Request-Method: GET\r\n", "");
            assert!(answer.starts_with("http/1.1 403") && !answer.contains("access-control"), "{answer}");
        }
    }
    let twice = format!("X-Sansession-Secret: {}\r\n", proxy.secret);
    assert!(proxy.asks("GET /echo", &twice, "").starts_with("http/1.1 403"));
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn a_foreign_name_leads_nowhere() {
    let (server, calls) = echo();
    let (_run, Proxy { address, secret }) = listening(&server);
    let proxy = Proxy { address: address.clone(), secret: secret.clone() };
    let port = address.rsplit(':').next().unwrap().to_owned();
    let send = |line: &str, host: &str| {
        proxy.raw(&format!("{line} HTTP/1.1\r\n{host}X-Sansession-Secret: {secret}\r\nConnection: close\r\n\r\n"))
    };
    for host in ["page.example.org", &format!("page.example.org:{port}"), "127.0.0.1", "127.0.0.1:1", ""] {
        let answer = send("GET /echo", &format!("Host: {host}\r\n"));
        assert!(answer.starts_with("http/1.1 421") || answer.starts_with("http/1.1 400"), "{host}: {answer}");
    }
    for line in ["GET https://elsewhere.example.org/echo", "GET http://elsewhere.example.org/echo"] {
        let answer = send(line, &format!("Host: {address}\r\n"));
        assert!(answer.starts_with("http/1.1 421"), "{line}: {answer}");
    }
    assert!(send("CONNECT elsewhere.example.org:443", &format!("Host: {address}\r\n")).starts_with("http/1.1 4"));
    let twice = format!("Host: {address}\r\nHost: page.example.org\r\n");
    assert!(send("GET /echo", &twice).starts_with("http/1.1 4"));
    assert!(send("GET /echo", "").starts_with("http/1.1 4"), "no Host");
    assert!(calls.lock().unwrap().is_empty());
    assert!(send("GET /echo", &format!("Host: LOCALHOST:{port}\r\n")).starts_with("http/1.1 200"));
}

#[test]
fn what_is_too_large_and_what_is_no_call_is_refused() {
    let (server, calls) = echo();
    let (_run, proxy) = listening(&server);
    let upgrade = proxy.asks("GET /echo", "Upgrade: websocket\r\n", "");
    assert!(upgrade.starts_with("http/1.1 501") && upgrade.contains("WebSocket"), "{upgrade}");
    assert!(proxy.asks("TRACE /echo", "", "").starts_with("http/1.1 405"));
    let long = format!("X-Long: {}\r\n", "x".repeat(130 << 10));
    assert!(proxy.asks("GET /echo", &long, "").starts_with("http/1.1 431"));
    assert!(calls.lock().unwrap().is_empty());
}

#[test]
fn before_the_login_it_says_when_to_come_again_and_after_an_outage_that_it_is_one() {
    let portal = portal();
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_secs(1))));
    let mut run = tool("cbrain --json --listen 127.0.0.1:0").at(&portal).norm().starts();
    let proxy = run.listens();
    let answer = proxy.asks("GET /groups", "", "");
    assert!(answer.starts_with("http/1.1 503") && answer.contains("retry-after: 5"), "{answer}");
    proxy.is_ready();
    assert!(proxy.asks("GET /groups", "", "").starts_with("http/1.1 200"));
    let status = proxy.asks("GET /_session", "", "");
    for words in [r#""provider":"cbrain""#, r#""phase":"active""#, r#""waiting_on":"keepalive""#, r#""suspect":false"#]
    {
        assert!(status.contains(words), "{words}: {status}");
    }
    portal.with(|portal| portal.disturb(1, &Mishap::Dropped));
    assert!(proxy.asks("GET /groups", "", "").starts_with("http/1.1 502"));
    // The answer is observed: a 401 makes the session look whether it lives.
    portal.with(CbrainSim::expire_sessions);
    let answer = proxy.asks("GET /groups", "", "");
    assert!(answer.starts_with("http/1.1 401"), "{answer}");
    run.ends().exits(6).tells("closed: expired");
    assert!(asked(&portal).ends_with(&["GET /groups".to_owned(), "GET /session".to_owned()]));
}

#[test]
fn a_secret_of_ones_own_is_not_repeated_and_one_in_a_file_is_its_owners() {
    let own = "a-secret-of-ones-own";
    let mut run = tool("cbrain --json --listen localhost:0").env("SANSESSION_PROXY_SECRET", own).starts();
    let proxy = Proxy { secret: own.into(), ..run.listens() };
    proxy.is_ready();
    run.gets("INT");
    let run = run.ends().exits(0);
    assert!(!format!("{run:?}").contains(own), "{run:#?}");
    let run = tool("cbrain --listen 127.0.0.1:0").env("SANSESSION_PROXY_SECRET", "short").runs().exits(64);
    assert!(run.err.contains("16"), "{run:#?}");

    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("secret");
    let mut run = tool("cbrain --json --listen 127.0.0.1:0").arg("--secret-file", &file).starts();
    let proxy = run.listens();
    assert_eq!(proxy.secret, "");
    let secret = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    Proxy { secret: secret.clone(), ..proxy }.is_ready();
    run.gets("INT");
    let run = run.ends().exits(0);
    assert!(!format!("{run:?}").contains(&secret), "{run:#?}");
}

#[test]
fn it_stands_where_the_java_gateway_stood() {
    let mut run = tool("ibkr-oauth1a --json --listen 127.0.0.1:0").starts();
    let proxy = run.listens();
    proxy.is_ready();
    for path in ["/v1/api/iserver/accounts", "/iserver/accounts"] {
        let secret = format!("X-Sansession-Secret: {}", proxy.secret);
        let call =
            Command::new("curl").args(["-sS", "-H", &secret, &format!("http://{}{path}", proxy.address)]).output();
        match call {
            Ok(call) => assert!(String::from_utf8_lossy(&call.stdout).contains("accounts"), "{call:?}"),
            // Where there is no curl, the socket serves as well.
            Err(_) => assert!(proxy.asks(&format!("GET {path}"), "", "").contains("accounts")),
        }
    }
    run.gets("INT");
    run.ends().exits(0);
}

#[test]
fn other_addresses_and_taken_ports_are_refused_before_the_login() {
    let portal = portal();
    let taken = format!("127.0.0.1:{}", portal.port());
    for (address, words) in
        [("0.0.0.0:0", "127.0.0.1"), ("192.0.2.1:80", "127.0.0.1"), ("80", "127.0.0.1:0"), (&taken, "--listen")]
    {
        let run = tool("cbrain").at(&portal).norm().arg("--listen", address).runs().exits(64);
        assert!(run.err.contains(words), "{run:#?}");
    }
    assert!(portal.log().is_empty());
}
