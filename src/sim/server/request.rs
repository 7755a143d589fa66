//! Reading one request, within bounds.

use std::io;

use http::header::{CONTENT_LENGTH, HOST, TRANSFER_ENCODING};
use http::uri::{Authority, PathAndQuery, Scheme};
use http::{HeaderMap, Method, Request, StatusCode, Uri, Version};
use ureq_proto::Error;
use ureq_proto::server::state::{ProvideResponse, RecvBody, RecvRequest};
use ureq_proto::server::{RecvRequestResult, Reply as Http};

use super::connection::{Connection, Wire};
use super::lock;
use crate::sim::{Arrival, Simulator};

/// The longest head in bytes, roughly.
const HEAD: usize = 128 << 10;

/// What came of reading a request.
pub(super) enum Received {
    /// A whole one.
    Request(Box<Whole>),
    /// One that the simulator does not get to see.
    Refused { status: StatusCode, request: Option<(Method, String)> },
    /// The client has nothing more to say.
    Gone,
}

/// A request and the protocol's machine that waits for its answer.
pub(super) struct Whole {
    pub(super) request: Request<Vec<u8>>,
    pub(super) http: Http<ProvideResponse>,
    /// What follows the request on the connection cannot be distinguished from it.
    pub(super) close: bool,
}

impl Received {
    const fn refused(status: StatusCode) -> Self {
        Self::Refused { status, request: None }
    }
}

impl<S: Simulator, W: Wire> Connection<'_, S, W> {
    pub(super) fn receive(&mut self) -> io::Result<Received> {
        let mut http = Http::<RecvRequest>::new().map_err(io::Error::other)?;
        let head = loop {
            tolerate_version(&mut self.inbox);
            match http.try_request(&self.inbox) {
                Ok((used, Some(head))) => {
                    self.inbox.drain(..used);
                    break head;
                }
                Ok(_) if self.inbox.len() >= HEAD => {
                    return Ok(Received::refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
                }
                Ok(_) => {
                    if !self.fill()? {
                        return Ok(Received::Gone);
                    }
                }
                Err(Error::HttpParseTooManyHeaders) => {
                    return Ok(Received::refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
                }
                Err(_) => return Ok(Received::refused(StatusCode::BAD_REQUEST)),
            }
        };
        let framing = Framing::of(&head);
        let most = lock(&self.shared.simulator).longest_body();
        let refused = |status| {
            let request = Some((head.method().clone(), head.uri().path().to_owned()));
            Ok(Received::Refused { status, request })
        };
        match framing {
            Framing::Unknown => return refused(StatusCode::BAD_REQUEST),
            Framing::Length(length) if length > most as u64 => return refused(StatusCode::PAYLOAD_TOO_LARGE),
            _ => {}
        }
        // A HEAD request's body is not read, so what follows its head cannot be understood.
        let close = head.method() == Method::HEAD && !matches!(framing, Framing::None | Framing::Length(0));
        let reading = match http.proceed() {
            None => return Ok(Received::Gone),
            Some(RecvRequestResult::ProvideResponse(http)) => {
                return Ok(Received::Request(Box::new(Whole { request: self.whole(head, Vec::new()), http, close })));
            }
            Some(RecvRequestResult::RecvBody(reading)) => reading,
            Some(RecvRequestResult::Send100(waiting)) => {
                let mut line = [0; 64];
                let (made, reading) = waiting.accept(&mut line).map_err(io::Error::other)?;
                self.wire.write_all(line.get(..made).unwrap_or_default())?;
                self.wire.flush()?;
                reading
            }
        };
        match self.read_body(reading, framing, most)? {
            Body::Whole(body, http) => {
                Ok(Received::Request(Box::new(Whole { request: self.whole(head, body), http: *http, close })))
            }
            Body::TooLarge => refused(StatusCode::PAYLOAD_TOO_LARGE),
            Body::Malformed => refused(StatusCode::BAD_REQUEST),
            Body::Cut => Ok(Received::Gone),
        }
    }

    fn read_body(&mut self, mut http: Http<RecvBody>, framing: Framing, most: usize) -> io::Result<Body> {
        let mut body = Vec::new();
        let mut piece = [0; 8 << 10];
        if framing == Framing::None {
            // The protocol's machine takes a POST without a length for a chunked one. For HTTP it has
            // no body (RFC 9112, 6.3), so its end is made up here.
            http.read(b"0\r\n\r\n", &mut piece).map_err(io::Error::other)?;
        }
        while !http.is_ended() {
            let Ok((used, made)) = http.read(&self.inbox, &mut piece) else {
                return Ok(Body::Malformed);
            };
            self.inbox.drain(..used);
            body.extend_from_slice(piece.get(..made).unwrap_or_default());
            if body.len() > most {
                return Ok(Body::TooLarge);
            }
            if used == 0 && made == 0 && !http.is_ended() {
                if self.inbox.len() >= HEAD {
                    return Ok(Body::Malformed);
                }
                if !self.fill()? {
                    return Ok(Body::Cut);
                }
            }
        }
        Ok(Body::Whole(body, Box::new(http.proceed().map_err(io::Error::other)?)))
    }

    /// Reads what has come; false where nothing more will.
    pub(super) fn fill(&mut self) -> io::Result<bool> {
        let mut piece = [0; 8 << 10];
        let length = self.wire.read(&mut piece)?;
        self.inbox.extend_from_slice(piece.get(..length).unwrap_or_default());
        Ok(length > 0)
    }

    fn whole(&self, head: Request<()>, body: Vec<u8>) -> Request<Vec<u8>> {
        put_together(head, body, Arrival { scheme: self.scheme, address: self.address })
    }
}

/// Treats a request that says `HTTP/2.0` as HTTP/1.1, as Puma does.
fn tolerate_version(inbox: &mut [u8]) {
    let line = inbox.iter().position(|byte| *byte == b'\r').unwrap_or_default();
    if let Some(version) = line.checked_sub(9).and_then(|start| inbox.get_mut(start..line))
        && version == b" HTTP/2.0"
    {
        version.copy_from_slice(b" HTTP/1.1");
    }
}

/// Creates a request. Its URI becomes absolute, as it was when its sender wrote it, so that a
/// simulator sees the same with sockets and without.
fn put_together(head: Request<()>, body: Vec<u8>, arrival: Arrival) -> Request<Vec<u8>> {
    let (mut parts, ()) = head.into_parts();
    parts.extensions.insert(arrival);
    if parts.uri.authority().is_none() {
        let host = parts.headers.get(HOST).and_then(|host| Authority::try_from(host.as_bytes()).ok());
        let path = parts.uri.path_and_query().cloned().filter(|path| path.as_str().starts_with('/'));
        if let Some(path) = path
            && let Some(uri) = absolute(host, path, arrival)
        {
            parts.uri = uri;
        }
    }
    Request::from_parts(parts, body)
}

fn absolute(host: Option<Authority>, path: PathAndQuery, arrival: Arrival) -> Option<Uri> {
    let mut parts = http::uri::Parts::default();
    parts.scheme = Scheme::try_from(arrival.scheme).ok();
    parts.authority = host.or_else(|| arrival.address.to_string().parse().ok());
    parts.path_and_query = Some(path);
    Uri::from_parts(parts).ok()
}

/// Parses a simulator's request from the bytes on the wire; for tests.
#[cfg(test)]
pub(crate) fn received(bytes: &[u8], arrival: Arrival) -> Request<Vec<u8>> {
    let (used, head) = Http::<RecvRequest>::new().unwrap().try_request(bytes).unwrap();
    put_together(head.unwrap(), bytes[used..].to_vec(), arrival)
}

enum Body {
    Whole(Vec<u8>, Box<Http<ProvideResponse>>),
    TooLarge,
    Malformed,
    /// The client went away in the middle.
    Cut,
}

/// How a request says where its body ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Framing {
    None,
    Length(u64),
    Chunked,
    Unknown,
}

impl Framing {
    fn of(head: &Request<()>) -> Self {
        let headers: &HeaderMap = head.headers();
        if let Some(coding) = headers.get(TRANSFER_ENCODING) {
            let chunked = coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
            return if chunked && head.version() == Version::HTTP_11 { Self::Chunked } else { Self::Unknown };
        }
        match headers.get(CONTENT_LENGTH) {
            None => Self::None,
            Some(length) => {
                length.to_str().ok().and_then(|length| length.parse().ok()).map_or(Self::Unknown, Self::Length)
            }
        }
    }
}
