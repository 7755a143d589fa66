//! WebSockets as far as a simulator goes: the handshake and what is sent on them. Frames on the wire are
//! [`Server`](super::Server)'s.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, Request, Response, StatusCode};
use sha1::{Digest, Sha1};

use crate::{Secret, Timestamp};

/// A WebSocket that a simulated server has opened, for [`Simulator::stream`](super::Simulator::stream).
#[derive(Debug)]
pub struct Stream {
    /// Whose session it is.
    pub(crate) session: Secret,
    /// Whether the greeting was sent: what the client sends before is dropped.
    pub(crate) open: bool,
    /// Whether what was told last is that the session can be used.
    pub(crate) fine: bool,
    /// When the last heartbeat was sent.
    pub(crate) beat: Timestamp,
    /// What is to be sent at once.
    pub(crate) first: Vec<String>,
}

/// Answers a handshake with 101 (RFC 6455, 4.2.2); `None` where it has no key or another version.
pub(crate) fn switching<B>(request: &Request<B>) -> Option<Response<Vec<u8>>> {
    let headers = request.headers();
    let key = headers.get(SEC_WEBSOCKET_KEY)?;
    if headers.get(SEC_WEBSOCKET_VERSION)? != "13" {
        return None;
    }
    let digest = Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    let mut response = Response::new(Vec::new());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, HeaderValue::from_str(&BASE64_STANDARD.encode(digest)).ok()?);
    Some(response)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_the_rfc_is_answered_as_there() {
        let request = |version| {
            let request = Request::get("/chat").header(SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==");
            request.header(SEC_WEBSOCKET_VERSION, version).body(()).unwrap()
        };
        let response = switching(&request("13")).unwrap();
        assert_eq!(response.headers()[SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert!(switching(&request("8")).is_none() && switching(&Request::new(())).is_none());
    }
}
