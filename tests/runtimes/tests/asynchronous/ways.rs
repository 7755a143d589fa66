//! How the transport gets to a server: through a proxy that was named, and with the roots of the system.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{Client, SendError, TransportError, Trust, asynchronous::Transport, now};
use sansession::sim::{Certificate, Server};
use sansession::{
    Failure,
    machine::{FailureKind, SendPolicy},
    sim,
};

const POLICY: SendPolicy = SendPolicy { timeout: Duration::from_secs(5), max_body: 1 << 20 };

/// A proxy that answers each head that it reads with the next of these texts; it gives what it has read.
fn proxy(answers: &'static [&'static str]) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://me:s%65cret@127.0.0.1:{}", listener.local_addr().unwrap().port());
    let (tell, told) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            for answer in answers {
                let mut head = Vec::new();
                while !head.ends_with(b"\r\n\r\n") {
                    let mut byte = [0];
                    if stream.read_exact(&mut byte).is_err() {
                        break;
                    }
                    head.push(byte[0]);
                }
                let _ = tell.send(String::from_utf8(head).unwrap());
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    (url, told)
}

async fn get(transport: &Transport, url: &str) -> Result<Response<Vec<u8>>, SendError> {
    transport.send(Request::get(url).body(Vec::new()).unwrap(), POLICY).await
}

#[tokio::test]
async fn a_proxy_by_name_is_asked_for_a_tunnel() {
    let (url, seen) =
        proxy(&["HTTP/1.1 200 OK\r\n\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"]);
    let transport = Transport::builder().proxy(&url).unwrap().build().unwrap();
    // Nobody here looks the name up.
    assert_eq!(get(&transport, "http://portal.invalid/x").await.unwrap().body(), b"ok");
    let tunnel = seen.recv().unwrap();
    assert!(tunnel.starts_with("CONNECT portal.invalid:80 HTTP/1.1\r\n"), "{tunnel}");
    assert!(tunnel.contains("Proxy-Authorization: Basic bWU6c2VjcmV0\r\n"), "{tunnel}");
    let request = seen.recv().unwrap();
    assert!(request.starts_with("GET /x HTTP/1.1\r\n") && !request.to_lowercase().contains("proxy"), "{request}");
    assert!(!format!("{:?}", Transport::builder().proxy(&url).unwrap()).contains("ecret"));
}

#[tokio::test]
async fn a_request_that_the_proxy_refused_was_not_sent() {
    for answers in
        [&["HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"][..], &["HTTP/1.1 502 Bad Gateway\r\n\r\n"], &[]]
    {
        let (url, seen) = proxy(answers);
        let transport = Transport::builder().proxy(&url).unwrap().build().unwrap();
        for server in ["https://portal.invalid/", "http://portal.invalid/"] {
            let error = get(&transport, server).await.unwrap_err();
            assert_eq!(error.failure, Failure::not_sent(FailureKind::Connect), "{error}");
        }
        assert!(seen.try_iter().all(|head| head.starts_with("CONNECT ")));
    }
}

#[test]
fn a_proxy_that_cannot_be_one_is_refused() {
    for url in ["socks5://localhost:1080", "https://localhost:3128", "", "http://"] {
        assert_eq!(Transport::builder().proxy(url).unwrap_err(), TransportError::BadProxy, "{url}");
    }
    let loopback =
        Transport::builder().trust(Trust::danger_anything_on_loopback()).proxy("http://localhost:1").unwrap();
    assert_eq!(loopback.build().unwrap_err(), TransportError::LoopbackByProxy);
}

/// Runs as the child of the test below, which names the system's roots.
#[tokio::test]
#[ignore = "runs as the child of the test below, which names the system's roots"]
async fn trusts_what_the_system_trusts() {
    let known = std::env::var("KNOWN").unwrap();
    let unknown = Server::start_tls(Certificate::Plain, sim::CbrainSim::new(1), now).unwrap();
    let transport = Transport::builder().trust(Trust::system()).build().unwrap();
    get(&transport, &format!("{known}/")).await.unwrap();
    let error = get(&transport, &format!("{}/", unknown.url())).await.unwrap_err();
    assert_eq!(error.failure, Failure::not_sent(FailureKind::Tls), "{error}");
}

#[test]
fn the_roots_of_the_system_are_trusted_where_they_are_named() {
    let server = Server::start_tls(Certificate::Plain, sim::CbrainSim::new(1), now).unwrap();
    let roots = std::env::temp_dir().join(format!("sansession-roots-{}.pem", std::process::id()));
    std::fs::write(&roots, server.certificate_pem().unwrap()).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "ways::trusts_what_the_system_trusts", "--ignored"]);
    let output =
        child.env("SSL_CERT_FILE", &roots).env_remove("SSL_CERT_DIR").env("KNOWN", server.url()).output().unwrap();
    let _ = std::fs::remove_file(&roots);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
}
