//! A call or a token of a session that another process keeps, through that one's socket.

use std::io;
use std::path::Path;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use sansession::Phase;
use serde::Deserialize;
use tokio::net::UnixStream;

use crate::cli::exec::Credentials;
use crate::cli::report::Report;
use crate::cli::task::{Task, UNAVAILABLE};

/// What the other process says itself, and not the provider.
#[derive(Deserialize)]
struct Refusal {
    by: String,
    text: String,
}

/// Where the session stands.
#[derive(Deserialize)]
struct Standing {
    phase: String,
    suspect: bool,
}

const OTHER: &str = "the process that keeps the session is of another version";

#[derive(Deserialize)]
struct Token {
    base_url: String,
    headers: Vec<(String, String)>,
}

/// Has the process that keeps the session do a task; gives words and an exit code where that fails, and nothing where no
/// such process listens, or the task is not one for it.
pub fn perform(task: &Task, socket: &Path, report: &Report) -> Option<Result<(), (u8, String)>> {
    let request = match task {
        Task::Token(_) => Request::get("/_token").body(Vec::new()).ok()?,
        Task::Call(call) => call.request(),
        Task::Check => Request::get("/_session").body(Vec::new()).ok()?,
        _ => return None,
    };
    let begun = sansession::drive::now();
    let answer = match send(socket, request) {
        Ok(answer) => answer,
        Err(error) if is_nobody(&error) => return None,
        Err(error) => return Some(Err((UNAVAILABLE, format!("the process that keeps the session: {error}")))),
    };
    let refused = serde_json::from_slice(answer.body()).ok().filter(|refusal: &Refusal| refusal.by == "sansession");
    if let Some(Refusal { text, .. }) = refused.filter(|_| answer.status() != StatusCode::OK) {
        return Some(Err((UNAVAILABLE, text)));
    }
    Some(match task {
        Task::Call(call) => call.finish(&answer, begun, report),
        Task::Token(format) => match serde_json::from_slice::<Token>(answer.body()) {
            Ok(Token { base_url, headers }) => format.print(&Credentials { base: base_url, headers }),
            Err(_) => Err((UNAVAILABLE, OTHER.into())),
        },
        _ => match serde_json::from_slice::<Standing>(answer.body()) {
            Ok(Standing { phase, suspect: false }) if phase == Phase::Active.code() => Ok(()),
            Ok(Standing { suspect: true, .. }) => Err((UNAVAILABLE, "in doubt, says the process that keeps it".into())),
            Ok(Standing { phase, .. }) => Err((UNAVAILABLE, format!("{phase}, says the process that keeps it"))),
            Err(_) => Err((UNAVAILABLE, OTHER.into())),
        },
    })
}

fn send(socket: &Path, request: Request<Vec<u8>>) -> io::Result<Response<Vec<u8>>> {
    let mut request = request.map(|body| Full::new(Bytes::from(body)));
    request.headers_mut().insert(HOST, HeaderValue::from_static("localhost"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    runtime.block_on(async {
        let stream = TokioIo::new(UnixStream::connect(socket).await?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(io::Error::other)?;
        let connection = tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await.map_err(io::Error::other)?.into_parts();
        let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
        connection.abort();
        Ok(Response::from_parts(parts, body.into()))
    })
}

/// Reports whether nobody listens: there is no socket, one of a process that was killed, or its path is too long for one.
fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, InvalidInput, NotFound};
    [ConnectionRefused, InvalidInput, NotFound].contains(&error.kind())
}
