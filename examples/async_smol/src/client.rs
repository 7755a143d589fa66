//! One request on one connection, by hyper on smol's sockets; plain http, which is for loopback only.

use std::io;

use bytes::Bytes;
use http::header::{CONNECTION, HOST};
use http::{HeaderValue, Request, Response};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use sansession::{
    Failure,
    machine::{FailureKind, SendPolicy},
};
use smol::future::FutureExt;
use smol::net::TcpStream;
use smol_hyper::rt::FuturesIo;

/// What a request got.
pub type Answer = Result<Response<Vec<u8>>, Failure>;

/// Sends a session's request.
///
/// # Errors
/// [`Failure`] where no whole answer came.
pub async fn send(request: Request<Vec<u8>>, policy: SendPolicy) -> Answer {
    let timeout = policy.timeout;
    let late = async {
        smol::Timer::after(timeout).await;
        Err(Failure::maybe_sent(FailureKind::Timeout))
    };
    exchange(request, policy.max_body).or(late).await
}

async fn exchange(request: Request<Vec<u8>>, max_body: usize) -> Answer {
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    let not_sent = |_: io::Error| Failure::not_sent(FailureKind::Connect);
    let broken = |_: hyper::Error| Failure::maybe_sent(FailureKind::Interrupted);
    if request.uri().scheme_str() != Some("http") {
        // A driver for servers elsewhere puts TLS around the stream here, as futures-rustls does.
        return Err(Failure::not_sent(FailureKind::Tls));
    }
    let Some(authority) = request.uri().authority().cloned() else {
        return Err(Failure::not_sent(FailureKind::Other));
    };
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Failure::not_sent(FailureKind::Other))?;
    request.headers_mut().insert(HOST, host);
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    let path = request.uri().path_and_query().cloned().map(Into::into);
    *request.uri_mut() = path.unwrap_or_default();

    let host = authority.host().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, authority.port_u16().unwrap_or(80))).await.map_err(not_sent)?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(FuturesIo::new(stream)).await.map_err(broken)?;
    let answer = async {
        let (parts, body) = sender.send_request(request).await.map_err(broken)?.into_parts();
        let body = Limited::new(body, max_body).collect().await.map_err(|error| {
            let too_large = error.is::<LengthLimitError>();
            Failure::maybe_sent(if too_large { FailureKind::BodyTooLarge } else { FailureKind::Interrupted })
        })?;
        Ok(Response::from_parts(parts, body.to_bytes().to_vec()))
    };
    // The connection moves the bytes; the answer says how it went.
    let moving = async {
        let _ = connection.await;
        smol::future::pending().await
    };
    answer.or(moving).await
}
