//! The life of one connection: requests in, answers out, faults on the way.
#![expect(clippy::disallowed_types, reason = "a connection is a socket")]

use core::time::Duration;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;

use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use ureq_proto::server::state::{Cleanup, ProvideResponse, SendBody};
use ureq_proto::server::{Reply as Http, SendResponseResult};

use super::request::{Received, Whole};
use super::{Served, Shared, lock};
use crate::sim::{Fault, Simulator};

/// Enough for any head and for one piece of a body with its chunk's overhead.
const OUTBOX: usize = 64 << 10;
/// The pieces in which a body leaves; far below [`OUTBOX`], so that each fits with its overhead.
const PIECE: usize = 16 << 10;
/// How much of a refused request is read at most, so that its sender gets to read the refusal.
const LINGER: usize = 16 << 20;

/// Serves a connection until either side ends it.
pub(super) fn run<S: Simulator>(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    shared: &Shared<S>,
    address: SocketAddr,
) -> io::Result<()> {
    let peer = stream.peer_addr()?.ip();
    match tls {
        None => Connection { wire: stream, inbox: Vec::new(), scheme: "http", address, peer, shared }.live(),
        Some(config) => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            let wire = StreamOwned::new(session, stream);
            Connection { wire, inbox: Vec::new(), scheme: "https", address, peer, shared }.live()
        }
    }
}

/// A socket, with TLS or without.
pub(super) trait Wire: Read + Write {
    /// Declares that nothing more will be sent.
    fn finish(&mut self);
    /// Returns the socket below.
    fn socket(&mut self) -> &mut TcpStream;
}

impl Wire for TcpStream {
    fn finish(&mut self) {
        let _ = self.shutdown(Shutdown::Write);
    }

    fn socket(&mut self) -> &mut TcpStream {
        self
    }
}

impl Wire for StreamOwned<ServerConnection, TcpStream> {
    fn finish(&mut self) {
        self.conn.send_close_notify();
        let _ = self.flush();
        self.sock.finish();
    }

    fn socket(&mut self) -> &mut TcpStream {
        &mut self.sock
    }
}

pub(super) struct Connection<'a, S, W> {
    pub(super) wire: W,
    pub(super) inbox: Vec<u8>,
    pub(super) scheme: &'static str,
    pub(super) address: SocketAddr,
    peer: IpAddr,
    pub(super) shared: &'a Shared<S>,
}

/// How a connection goes on after an exchange.
enum Next {
    KeepAlive,
    /// It ends in good order.
    Close,
    /// It breaks off.
    Abort,
}

impl<S: Simulator, W: Wire> Connection<'_, S, W> {
    fn live(mut self) -> io::Result<()> {
        loop {
            match self.exchange()? {
                Next::KeepAlive => {}
                Next::Close => {
                    self.wire.finish();
                    return Ok(());
                }
                Next::Abort => return Ok(()),
            }
        }
    }

    fn exchange(&mut self) -> io::Result<Next> {
        match self.receive()? {
            Received::Request(whole) => {
                let Whole { request, http, close } = *whole;
                self.answer(&request, http, close)
            }
            Received::Refused { status, request } => {
                if let Some((method, path)) = request {
                    self.shared.record(Served { at: self.shared.now(), method, path, status, fault: None });
                }
                self.refuse(status)?;
                Ok(Next::Abort)
            }
            Received::Gone => Ok(Next::Close),
        }
    }

    /// Answers without the simulator, then reads on for a while: closing a socket with unread bytes
    /// in it resets the connection, and the sender would never see why.
    fn refuse(&mut self, status: StatusCode) -> io::Result<()> {
        let reason = status.canonical_reason().unwrap_or_default();
        let code = status.as_str();
        write!(self.wire, "HTTP/1.1 {code} {reason}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")?;
        self.wire.flush()?;
        self.wire.finish();
        let socket = self.wire.socket();
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        let mut waste = [0; 8 << 10];
        let mut read = 0;
        while read < LINGER && !self.shared.is_stopped() {
            match socket.read(&mut waste) {
                Ok(0) | Err(_) => break,
                Ok(length) => read += length,
            }
        }
        Ok(())
    }

    fn answer(&mut self, request: &Request<Vec<u8>>, http: Http<ProvideResponse>, close: bool) -> io::Result<Next> {
        let now = self.shared.now();
        let reply = lock(&self.shared.simulator).handle(now, self.peer, request);
        let reply = reply.finish();
        self.shared.record(Served {
            at: now,
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            status: reply.response.status(),
            fault: reply.fault,
        });
        if !reply.delay.is_zero() && !self.shared.pause(reply.delay) {
            return Ok(Next::Abort);
        }
        if matches!(reply.fault, Some(Fault::Refuse | Fault::Drop)) {
            return Ok(Next::Abort);
        }
        if let (Some(stream), StatusCode::SWITCHING_PROTOCOLS) = (reply.stream, reply.response.status()) {
            self.switch(reply.response.headers())?;
            self.stream(stream)?;
            return Ok(Next::Close);
        }
        let (mut parts, body) = reply.response.into_parts();
        frame(&mut parts, request, body.len());
        if close {
            parts.headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        let mut head = http.provide(Response::from_parts(parts, ())).map_err(io::Error::other)?;
        let mut outbox = vec![0; OUTBOX];
        while !head.is_finished() {
            let made = head.write(&mut outbox).map_err(io::Error::other)?;
            self.wire.write_all(outbox.get(..made).unwrap_or_default())?;
        }
        let done = match head.proceed() {
            SendResponseResult::Cleanup(done) => Some(done),
            SendResponseResult::SendBody(http) => self.send_body(http, &body, reply.fault, &mut outbox)?,
        };
        self.wire.flush()?;
        Ok(match done {
            None => Next::Abort,
            Some(done) if done.must_close_connection() => Next::Close,
            Some(_) => Next::KeepAlive,
        })
    }

    /// Sends the head after which a connection is a WebSocket.
    fn switch(&mut self, headers: &HeaderMap) -> io::Result<()> {
        self.wire.write_all(b"HTTP/1.1 101 Switching Protocols\r\n")?;
        for (name, value) in headers {
            write!(self.wire, "{name}: ")?;
            self.wire.write_all(value.as_bytes())?;
            self.wire.write_all(b"\r\n")?;
        }
        self.wire.write_all(b"\r\n")?;
        self.wire.flush()
    }

    /// Sends a body; `None` where it breaks off.
    fn send_body(
        &mut self,
        mut http: Http<SendBody>,
        body: &[u8],
        fault: Option<Fault>,
        outbox: &mut [u8],
    ) -> io::Result<Option<Http<Cleanup>>> {
        let (body, whole) = match fault {
            Some(Fault::Truncate(length)) => (body.get(..length).unwrap_or(body), false),
            _ => (body, true),
        };
        let pace = if let Some(Fault::Trickle(pace)) = fault { Some(pace) } else { None };
        for piece in body.chunks(if pace.is_some() { 1 } else { PIECE }) {
            if let Some(pace) = pace {
                self.wire.flush()?;
                if !self.shared.pause(pace) {
                    return Ok(None);
                }
            }
            self.send_piece(&mut http, piece, outbox)?;
        }
        if !whole {
            return Ok(None);
        }
        if !http.is_finished() {
            self.send_piece(&mut http, &[], outbox)?;
        }
        Ok(http.is_finished().then(|| http.proceed()))
    }

    fn send_piece(&mut self, http: &mut Http<SendBody>, piece: &[u8], outbox: &mut [u8]) -> io::Result<()> {
        let (_, made) = http.write(piece, outbox).map_err(io::Error::other)?;
        self.wire.write_all(outbox.get(..made).unwrap_or_default())
    }
}

/// Returns how long the body is: in chunks where the simulator wants it and the client can, else by its length.
fn frame(parts: &mut http::response::Parts, request: &Request<Vec<u8>>, length: usize) {
    let chunked = parts.headers.get(TRANSFER_ENCODING).is_some_and(|coding| coding == "chunked");
    parts.headers.remove(CONTENT_LENGTH);
    let bodiless = parts.status.is_informational()
        || parts.status == StatusCode::NO_CONTENT
        || parts.status == StatusCode::NOT_MODIFIED;
    if chunked && !bodiless && request.version() == Version::HTTP_11 {
        return;
    }
    parts.headers.remove(TRANSFER_ENCODING);
    if !bodiless && request.method() != Method::CONNECT {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
}
