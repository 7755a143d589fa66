//! The ready-made clients against servers that do what real ones do wrong; each does the same.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use http::{Method, Request, Response};
use sansession::drive::{
    Client, Pin, Reason, SendError, Trust,
    asynchronous::{Reqwest, Transport},
    now,
};
use sansession::sim::{Certificate, Server};
use sansession::{
    Failure,
    machine::{Delivery, FailureKind, SendPolicy},
    sim,
};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const POLICY: SendPolicy = SendPolicy { timeout: Duration::from_secs(5), max_body: 100 };
const ROOMY: SendPolicy = SendPolicy { max_body: 1 << 20, ..POLICY };

/// A server that reads requests and does with the connection what it is told; it gives what it has read.
fn server(act: impl Fn(&mut TcpStream, &str) -> bool + Send + Clone + 'static) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, tell, act) = (stream.unwrap(), tell.clone(), act.clone());
            thread::spawn(move || {
                while let Some(text) = read(&mut stream) {
                    let _ = tell.send(text.clone());
                    if !act(&mut stream, &text) {
                        break;
                    }
                }
            });
        }
    });
    (url, told)
}

fn read(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    while !text.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).ok()?;
        text.push(byte[0]);
    }
    let head = String::from_utf8(text).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    Some(head + &String::from_utf8(body).unwrap())
}

fn says(answer: &'static str) -> (String, Receiver<String>) {
    server(move |stream, _| stream.write_all(answer.as_bytes()).is_ok())
}

fn request(method: Method, url: &str, body: &str) -> Request<Vec<u8>> {
    Request::builder().method(method).uri(url).body(body.into()).unwrap()
}

/// The clients, by name.
#[derive(Clone)]
enum Either {
    Hyper(Transport),
    Reqwest(Reqwest),
}

impl Client for Either {
    async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        match self {
            Self::Hyper(client) => client.send(request, policy).await,
            Self::Reqwest(client) => client.send(request, policy).await,
        }
    }
}

fn both() -> [Either; 2] {
    [Either::Hyper(Transport::new().unwrap()), Either::Reqwest(Reqwest::new().unwrap())]
}

async fn get(client: &Either, url: &str) -> Result<Response<Vec<u8>>, SendError> {
    get_within(client, url, POLICY).await
}

async fn get_within(client: &Either, url: &str, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
    client.send(request(Method::GET, url, ""), policy).await
}

async fn post(client: &Either, url: &str) -> Failure {
    client.send(request(Method::POST, url, "password=x"), POLICY).await.unwrap_err().failure
}

#[tokio::test]
async fn nothing_is_added_but_what_the_transport_demands() {
    for client in both() {
        let (url, seen) = says(OK);
        assert_eq!(get(&client, &format!("{url}/a?b=c")).await.unwrap().body(), b"ok");
        let head = seen.recv().unwrap();
        let host = url.strip_prefix("http://").unwrap();
        let mut lines: Vec<_> = head.trim_end().lines().collect();
        lines.sort_unstable();
        let mut expected = vec!["GET /a?b=c HTTP/1.1".to_owned(), format!("host: {host}")];
        if matches!(client, Either::Reqwest(_)) {
            expected.push("accept: */*".into()); // cannot be switched off
        }
        expected.sort_unstable();
        assert_eq!(lines, expected);
    }
}

#[tokio::test]
async fn bodies_have_their_length_exactly_once() {
    for client in both() {
        let (url, seen) = says(OK);
        for (method, body, length) in
            [(Method::POST, "", 1), (Method::POST, "a=b", 1), (Method::GET, "", 0), (Method::DELETE, "", 0)]
        {
            client.send(request(method.clone(), &url, body), POLICY).await.unwrap();
            let head = seen.recv().unwrap();
            let found = head.lines().filter(|line| line.starts_with("content-length: ")).count();
            assert_eq!(found, length, "{method} {body:?}: {head}");
        }
        let mut asked = request(Method::DELETE, &url, "");
        asked.headers_mut().insert("content-length", "7".parse().unwrap());
        client.send(asked, POLICY).await.unwrap();
        assert!(seen.recv().unwrap().contains("content-length: 0\r\n"));
    }
}

#[tokio::test]
async fn redirects_are_answers_and_cookies_are_forgotten() {
    for client in both() {
        let (elsewhere, tempted) = says(OK);
        let location = elsewhere.clone();
        let (url, seen) = server(move |stream, _| {
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nlocation: {location}\r\nset-cookie: a=b\r\ncontent-length: 0\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).is_ok()
        });
        for _ in 0..2 {
            let answer = client.send(request(Method::POST, &url, "password=x"), POLICY).await.unwrap();
            assert_eq!(answer.status(), 307);
            assert!(!seen.recv().unwrap().contains("cookie"));
        }
        assert!(tempted.try_recv().is_err());
    }
}

#[tokio::test]
async fn compression_is_not_wanted() {
    for client in both() {
        let (url, seen) = says(OK);
        get(&client, &url).await.unwrap();
        assert!(!seen.recv().unwrap().contains("accept-encoding"));
    }
}

#[tokio::test]
async fn what_never_left_was_not_sent() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://127.0.0.1:{}", listener.local_addr().unwrap().port())
    };
    for client in both() {
        assert_eq!(post(&client, &closed).await, Failure::not_sent(FailureKind::Connect));
        assert_eq!(
            post(&client, "http://name.invalid/").await,
            Failure::not_sent(FailureKind::Connect),
            "a name that is not there"
        );
    }
    // Speaks no TLS and waits: within less than the time to connect, reqwest cannot tell that from an answer that is late.
    let (plain, _seen) = says(OK);
    let policy = SendPolicy { timeout: Duration::from_millis(500), ..POLICY };
    for (client, delivery) in both().iter().zip([Delivery::NotSent, Delivery::MaybeSent]) {
        let login = request(Method::POST, &plain.replace("http:", "https:"), "password=x");
        assert_eq!(client.send(login, policy).await.unwrap_err().failure.delivery, delivery);
    }
}

#[tokio::test]
async fn what_left_may_have_arrived() {
    for client in both() {
        let (drops, _seen) = server(|_, _| false);
        assert_eq!(post(&client, &drops).await, Failure::maybe_sent(FailureKind::Interrupted));
        let (cuts, _seen) = server(|stream, _| {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\nhalf").unwrap();
            false
        });
        assert_eq!(post(&client, &cuts).await, Failure::maybe_sent(FailureKind::Interrupted));
        let (silent, _seen) = server(|_, _| {
            thread::sleep(Duration::from_secs(5));
            false
        });
        let policy = SendPolicy { timeout: Duration::from_millis(300), ..POLICY };
        let late = client.send(request(Method::POST, &silent, "password=x"), policy).await.unwrap_err();
        assert_eq!(late.failure, Failure::maybe_sent(FailureKind::Timeout));
    }
}

#[tokio::test]
async fn an_answer_that_came_while_nobody_polled_is_not_late() {
    use std::future::{Future, poll_fn};
    use std::task::Poll;
    for client in both() {
        let (url, seen) = says(OK);
        let policy = SendPolicy { timeout: Duration::from_millis(300), ..POLICY };
        let mut sent = Box::pin(client.send(request(Method::POST, &url, "password=x"), policy));
        while seen.try_recv().is_err() {
            assert!(poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await.is_pending());
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(sent.await.unwrap().body(), b"ok");
    }
    // What reqwest itself makes of it.
    let (url, seen) = says(OK);
    let bare = reqwest::Client::builder().no_proxy().tls_backend_preconfigured(tls()).build().unwrap();
    let mut sent = Box::pin(bare.post(&url).timeout(Duration::from_millis(300)).body("password=x").send());
    while seen.try_recv().is_err() {
        assert!(poll_fn(|cx| Poll::Ready(sent.as_mut().poll(cx))).await.is_pending());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(sent.await.unwrap_err().is_timeout());
}

fn tls() -> rustls::ClientConfig {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
}

#[tokio::test]
async fn a_host_that_takes_no_connection_got_nothing() {
    // A queue that is full, as of a host behind a firewall that drops.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
        assert!(held.len() < 10_000);
    }
    let url = format!("http://{address}/");
    let policy = SendPolicy { timeout: Duration::from_millis(500), ..POLICY };
    let [hyper, reqwest] = both();
    let login = || request(Method::POST, &url, "password=x");
    // A short time runs out before the one to connect: only one of the two can tell that nothing has left.
    assert_eq!(hyper.send(login(), policy).await.unwrap_err().failure, Failure::not_sent(FailureKind::Timeout));
    assert_eq!(reqwest.send(login(), policy).await.unwrap_err().failure, Failure::maybe_sent(FailureKind::Timeout));
    let policy = SendPolicy { timeout: Duration::from_secs(15), ..POLICY };
    let began = Instant::now();
    let (a, b) = tokio::join!(hyper.send(login(), policy), reqwest.send(login(), policy));
    assert_eq!(a.unwrap_err().failure, Failure::not_sent(FailureKind::Timeout));
    assert_eq!(b.unwrap_err().failure, Failure::not_sent(FailureKind::Timeout));
    assert!(began.elapsed() < Duration::from_secs(11));
}

#[tokio::test]
async fn a_body_may_be_as_large_as_the_policy_says() {
    for client in both() {
        for (length, fits) in [(100, true), (101, false)] {
            for chunked in [false, true] {
                let (url, _seen) = server(move |stream, _| {
                    let body = "x".repeat(length);
                    let answer = if chunked {
                        format!(
                            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\n\r\n"
                        )
                    } else {
                        format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}")
                    };
                    stream.write_all(answer.as_bytes()).is_ok()
                });
                match get(&client, &url).await {
                    Ok(answer) => assert!(fits && answer.body().len() == length),
                    Err(error) => {
                        assert!(!fits, "{error}");
                        assert_eq!(error.failure, Failure::maybe_sent(FailureKind::BodyTooLarge));
                    }
                }
            }
        }
    }
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_not_used_again() {
    for client in both() {
        let (url, seen) = server(|stream, _| {
            stream.write_all(OK.as_bytes()).unwrap();
            false
        });
        for _ in 0..20 {
            client.send(request(Method::POST, &url, "password=x"), POLICY).await.unwrap();
            seen.recv().unwrap();
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

#[tokio::test]
async fn a_url_that_would_be_rewritten_is_refused_by_reqwest() {
    let [hyper, reqwest] = both();
    let (url, seen) = says(OK);
    for path in ["/a/../b", "/a/./b", "/a/%2e%2e/b"] {
        get(&hyper, &format!("{url}{path}")).await.unwrap();
        assert!(seen.recv().unwrap().starts_with(&format!("GET {path} HTTP")));
        let error = get(&reqwest, &format!("{url}{path}")).await.unwrap_err();
        assert_eq!(error.failure, Failure::not_sent(FailureKind::Other));
    }
    for path in ["/?q=a%20b&c=%2F", "/a;b=c/d,e", "/a?q={x}|y"] {
        let through = get(&reqwest, &format!("{url}{path}")).await;
        assert!(through.is_ok() || through.unwrap_err().failure.delivery == Delivery::NotSent, "{path}");
    }
}

#[tokio::test]
async fn a_pinned_certificate_is_taken_and_another_is_named() {
    let start = || Server::start_tls(Certificate::NoNames, sim::CbrainSim::new(1), now).unwrap();
    let (pinned, other) = (start(), start());
    let pin = |server: &Server<sim::CbrainSim>| Pin::of(server.certificate_der().unwrap());
    let trust = Trust::pin(pin(&pinned));
    let clients = [
        Either::Hyper(Transport::builder().trust(trust.clone()).build().unwrap()),
        Either::Reqwest(Reqwest::build(&trust, |builder| builder).unwrap()),
    ];
    for client in clients {
        get_within(&client, &format!("{}/", pinned.url()), ROOMY).await.unwrap();
        let error = get(&client, &format!("{}/", other.url())).await.unwrap_err();
        assert_eq!(error.failure, Failure::not_sent(FailureKind::Tls));
        assert_eq!(error.reason, Reason::OtherCertificate(pin(&other)));
    }
    for client in both() {
        assert_eq!(
            get(&client, &format!("{}/", pinned.url())).await.unwrap_err().failure,
            Failure::not_sent(FailureKind::Tls)
        );
    }
}

#[tokio::test]
async fn unverified_certificates_are_taken_on_loopback_only() {
    let server = Server::start_tls(Certificate::NoNames, sim::CbrainSim::new(1), now).unwrap();
    let client = Transport::builder().trust(Trust::danger_anything_on_loopback()).build().unwrap();
    client.send(request(Method::GET, &format!("{}/", server.url()), ""), ROOMY).await.unwrap();
    let error = client.send(request(Method::GET, "https://name.invalid/", ""), POLICY).await.unwrap_err();
    assert_eq!((error.failure, error.reason), (Failure::not_sent(FailureKind::Connect), Reason::NotLoopback));
}

/// Runs as the child of the test below, which sets its environment.
#[tokio::test]
#[ignore = "runs as the child of the test below, which sets its environment"]
async fn sends_a_password() {
    let (url, seen) = says(OK);
    for client in both() {
        client.send(request(Method::POST, &url, "password=x"), POLICY).await.unwrap();
        assert!(seen.try_recv().unwrap().ends_with("password=x"));
    }
}

#[test]
fn a_proxy_of_the_environment_sees_nothing() {
    let (proxy, seen) = says(OK);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"] {
        child.env(name, &proxy);
    }
    child.env_remove("REQUEST_METHOD").env_remove("no_proxy").env_remove("NO_PROXY");
    let output = child.args(["--exact", "client::sends_a_password", "--ignored"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
    assert!(seen.try_recv().is_err());
}
