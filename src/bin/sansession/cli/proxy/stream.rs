//! IBKR's WebSocket, `/ws`: the handshake is the session's, the frames are the client's, and the session sees those of the
//! server.

use std::io;
use std::sync::Arc;

use http::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
    USER_AGENT,
};
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use sansession::drive::{Handle, now};
use sansession::{AuthorizeError, Session, Ticket, machine::StreamOpening, provider::Streams};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::door::Admitted;
use super::refusal::{Flow, failed, refusal, unauthorized, whole};
use super::{Shared, forward};

/// How long a frame may be that the session checks: those that tell of it are short.
const SEEN: usize = 64 << 10;

/// A session that opens streams, whatever its provider is.
pub trait Opens: Send + Sync {
    fn open(&self) -> Result<StreamOpening, AuthorizeError>;
    fn saw(&self, ticket: &Ticket, frame: &[u8]);
}

impl<P: Streams + Send + 'static> Opens for Handle<Session<P>> {
    fn open(&self) -> Result<StreamOpening, AuthorizeError> {
        self.with(|session| session.authorize_stream(now()))
    }

    fn saw(&self, ticket: &Ticket, frame: &[u8]) {
        self.with(|session| session.observe_stream(now(), ticket, frame));
    }
}

/// Reports whether a request asks for a WebSocket as RFC 6455 has it.
pub fn is_handshake(request: &Request<Incoming>) -> bool {
    let headers = request.headers();
    let websocket = headers.get(UPGRADE).is_some_and(|to| to.as_bytes().eq_ignore_ascii_case(b"websocket"));
    request.method() == Method::GET && websocket && headers.contains_key(SEC_WEBSOCKET_KEY)
}

/// Opens the provider's stream for a client's handshake.
pub async fn open(
    shared: &Shared,
    streams: Arc<dyn Opens>,
    mut request: Request<Incoming>,
    client: &Admitted,
) -> Response<Flow> {
    let opening = match streams.open() {
        Ok(opening) => opening,
        Err(error) => return unauthorized(&error),
    };
    let ticket = opening.ticket;
    let handshake = handshake(opening.request, &request);
    let Some(handshake) =
        handshake.filter(|handshake| !forward::tells(&shared.secret, handshake.uri(), handshake.headers()))
    else {
        return refusal(StatusCode::BAD_REQUEST, "path", "the handshake cannot be sent on");
    };
    let mut answer = match shared.client.send(handshake).await {
        Ok(answer) => answer,
        Err(error) => return failed(&error),
    };
    if answer.status() != StatusCode::SWITCHING_PROTOCOLS {
        let (mut parts, body) = answer.into_parts();
        let base = shared.base(&shared.handle.status());
        forward::incoming(&mut parts.headers, false, base.as_ref().zip(client.url.as_deref()));
        return Response::from_parts(parts, body.map_err(Into::into).boxed_unsync());
    }
    let mut switching = Response::new(whole(""));
    *switching.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = switching.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    for name in [SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL] {
        if let Some(value) = answer.headers().get(&name) {
            headers.insert(name, value.clone());
        }
    }
    let (client, server) = (hyper::upgrade::on(&mut request), hyper::upgrade::on(&mut answer));
    tokio::spawn(async move {
        if let (Ok(client), Ok(server)) = tokio::join!(client, server) {
            let (mut from_client, mut to_client) = tokio::io::split(TokioIo::new(client));
            let (mut from_server, mut to_server) = tokio::io::split(TokioIo::new(server));
            // The end of one side is the end of both.
            tokio::select! {
                _ = tokio::io::copy(&mut from_client, &mut to_server) => {}
                _ = shown(&mut from_server, &mut to_client, |frame| streams.saw(&ticket, frame)) => {}
            }
            let _ = tokio::join!(to_client.shutdown(), to_server.shutdown());
        }
    });
    switching
}

/// Creates the handshake that leaves: the session's, with the client's key. Extensions stay out, since frames that are
/// compressed could not be seen.
fn handshake(opening: Request<()>, client: &Request<Incoming>) -> Option<Request<Flow>> {
    let (mut parts, ()) = opening.into_parts();
    let mut uri = parts.uri.into_parts();
    uri.scheme = Some(if uri.scheme?.as_str() == "ws" { Scheme::HTTP } else { Scheme::HTTPS });
    parts.uri = Uri::from_parts(uri).ok()?;
    parts.headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    parts.headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    for name in [SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, SEC_WEBSOCKET_PROTOCOL, USER_AGENT] {
        if let Some(value) = client.headers().get(&name).filter(|_| !parts.headers.contains_key(&name)) {
            parts.headers.insert(name, value.clone());
        }
    }
    Some(Request::from_parts(parts, whole("")))
}

/// Copies a server's bytes, and shows each short text or binary message on the way.
async fn shown(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    mut show: impl FnMut(&[u8]),
) -> io::Result<()> {
    let (mut buffer, mut frames) = (vec![0; 16 << 10], Frames::default());
    loop {
        let length = from.read(&mut buffer).await?;
        let Some(bytes) = buffer.get(..length).filter(|bytes| !bytes.is_empty()) else { return Ok(()) };
        to.write_all(bytes).await?;
        frames.take(bytes, &mut show);
    }
}

/// Messages as they come in pieces (RFC 6455, 5.2).
#[derive(Default)]
struct Frames {
    /// The head of the frame that has begun, as far as it is there.
    head: Vec<u8>,
    /// How much of its payload is to come, once its head is whole.
    left: Option<u64>,
    message: Vec<u8>,
    /// Whether the message is longer than what is checked.
    long: bool,
}

impl Frames {
    fn take(&mut self, mut bytes: &[u8], show: &mut impl FnMut(&[u8])) {
        while !bytes.is_empty() || self.left == Some(0) {
            let Some(left) = self.left else {
                let (first, rest) = bytes.split_at(1);
                self.head.extend_from_slice(first);
                self.left = payload(&self.head);
                bytes = rest;
                continue;
            };
            let (part, rest) = bytes.split_at(usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len()));
            // Control frames may come between those of a message, and say nothing of the session.
            let code = self.head.first().copied().unwrap_or_default();
            if code & 0x08 == 0 {
                self.long |= self.message.len() + part.len() > SEEN;
                if !self.long {
                    self.message.extend_from_slice(part);
                }
            }
            let left = left - part.len() as u64;
            (bytes, self.left) = (rest, Some(left));
            if left > 0 {
                continue;
            }
            if code & 0x88 == 0x80 {
                if !self.long {
                    show(&self.message);
                }
                self.message.clear();
                self.long = false;
            }
            self.head.clear();
            self.left = None;
        }
    }
}

/// Returns the length of a frame's payload, once its head is whole. A server's is not masked; one that is, is skipped whole.
fn payload(head: &[u8]) -> Option<u64> {
    let second = *head.get(1)?;
    let mask = if second & 0x80 == 0 { 0 } else { 4 };
    let (length, size) = match second & 0x7f {
        126 => (u64::from(u16::from_be_bytes(head.get(2..4)?.try_into().ok()?)), 4),
        127 => (u64::from_be_bytes(head.get(2..10)?.try_into().ok()?), 10),
        short => (u64::from(short), 2),
    };
    (head.len() == size + mask).then_some(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_seen_in_whatever_pieces_they_come() {
        let long = vec![b'l'; SEEN + 1];
        let mut bytes = vec![0x81, 3, b'o', b'n', b'e'];
        bytes.extend([0x01, 2, b't', b'w', 0x89, 1, b'p', 0x80, 1, b'o', 0x81, 0]);
        bytes.extend([0x82, 127]);
        bytes.extend((long.len() as u64).to_be_bytes());
        bytes.extend(&long);
        bytes.extend([0x82, 126, 0, 200]);
        bytes.extend([b'm'; 200]);
        for size in [1, 2, 3, 7, 1_000, bytes.len()] {
            let (mut frames, mut seen) = (Frames::default(), Vec::new());
            bytes.chunks(size).for_each(|chunk| frames.take(chunk, &mut |frame| seen.push(frame.to_vec())));
            assert_eq!(seen, [b"one".to_vec(), b"two".to_vec(), Vec::new(), vec![b'm'; 200]], "{size}");
        }
    }
}
