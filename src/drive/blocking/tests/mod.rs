//! The adapter against servers on loopback that do what real ones do wrong.
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "these tests are about sockets and time")]

mod drive;
mod fake;
mod proxy;
mod redirect;
#[cfg(feature = "sim")] // for rcgen
mod trust;
mod wire;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use http::{Method, Request};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::machine::SendPolicy;

/// A connection of whatever kind.
trait Stream: Read + Write {}
impl<S: Read + Write> Stream for S {}

/// What a server does with a request that it has read: it answers and tells whether to go on.
type Act = dyn Fn(&mut dyn Stream) -> bool + Send + Sync;

/// A server on loopback and what it was asked.
struct Server {
    port: u16,
    seen: Receiver<String>,
}

impl Server {
    /// Answers every request with these bytes and keeps the connection.
    fn answering(answer: &'static str) -> Self {
        Self::plain(move |stream| stream.write_all(answer.as_bytes()).is_ok())
    }

    fn plain(act: impl Fn(&mut dyn Stream) -> bool + Send + Sync + 'static) -> Self {
        Self::new(None, Arc::new(act))
    }

    fn tls(config: ServerConfig) -> Self {
        Self::new(Some(Arc::new(config)), Arc::new(|stream| stream.write_all(OK.as_bytes()).is_ok()))
    }

    fn new(tls: Option<Arc<ServerConfig>>, act: Arc<Act>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, seen) = channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, tls, act, tell) = (stream.unwrap(), tls.clone(), Arc::clone(&act), tell.clone());
                thread::spawn(move || match tls {
                    None => {
                        while read_request(&mut stream).is_some_and(|text| tell.send(text).is_ok()) && act(&mut stream)
                        {
                        }
                    }
                    Some(config) => {
                        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), stream);
                        while read_request(&mut stream).is_some_and(|text| tell.send(text).is_ok()) && act(&mut stream)
                        {
                        }
                    }
                });
            }
        });
        Self { port, seen }
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    fn https(&self) -> String {
        format!("https://localhost:{}/", self.port)
    }

    /// Returns the next request as it was on the wire.
    fn seen(&self) -> String {
        self.seen.recv_timeout(Duration::from_secs(5)).expect("a request")
    }

    fn saw_nothing(&self) -> bool {
        self.seen.try_recv().is_err()
    }
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn read_request(stream: &mut impl Read) -> Option<String> {
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

fn request(method: Method, url: impl AsRef<str>, body: &str) -> Request<Vec<u8>> {
    Request::builder().method(method).uri(url.as_ref()).body(body.into()).unwrap()
}

fn get(url: impl AsRef<str>) -> Request<Vec<u8>> {
    request(Method::GET, url, "")
}

const fn within(millis: u64) -> SendPolicy {
    SendPolicy { timeout: Duration::from_millis(millis), max_body: 10 }
}
