//! The proxy of a run, as other programs see it.
#![expect(clippy::disallowed_types, reason = "another program's calls come over a socket")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;

use super::PATIENCE;

/// A proxy that listens, as another program sees it.
#[derive(Clone)]
pub struct Proxy {
    pub address: String,
    pub secret: String,
}

impl Proxy {
    /// Sends a request with the secret, and these headers, each with its line end; gives the answer in lower case
    /// but for its body.
    pub fn asks(&self, line: &str, more: &str, body: &str) -> String {
        let (address, secret, length) = (&self.address, &self.secret, body.len());
        let length = if body.is_empty() { String::new() } else { format!("Content-Length: {length}\r\n") };
        let head = format!("Host: {address}\r\nX-Sansession-Secret: {secret}\r\n{length}{more}");
        self.raw(&format!("{line} HTTP/1.1\r\n{head}Connection: close\r\n\r\n{body}"))
    }

    /// Sends just this.
    pub fn raw(&self, text: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let _ = stream.write_all(text.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        format!("{}\r\n\r\n{body}", head.to_ascii_lowercase())
    }

    /// Waits until calls go through.
    pub fn is_ready(&self) {
        while !self.asks("GET /_session", "", "").contains(r#""phase":"active""#) {
            thread::yield_now();
        }
    }
}
