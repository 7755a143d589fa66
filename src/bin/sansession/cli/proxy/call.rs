//! A call on its way: its body flows to the provider, the answer's body flows back, and the session sees both ends.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::BodyExt;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use sansession::drive::SendError;
use sansession::drive::now;
use sansession::{
    Failure, Ticket,
    machine::{Delivery, FailureKind},
};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

use super::door::Admitted;
use super::refusal::{BoxError, Flow, failed, later, refusal, unauthorized, whole};
use super::{Shared, forward, keepalive};
use crate::cli::args::Provider;

/// How long a call waits for a place among those that are under way.
const QUEUE: Duration = Duration::from_secs(30);
/// How long the head of an answer may take once the call has left.
const ANSWER: Duration = Duration::from_secs(30);
/// How much of an answer the session checks: a verdict on it is short, and what is longer is the client's own data.
const SEEN: usize = 64 << 10;
/// How long a body may be that has to be there as a whole, since it is signed.
const SIGNED: usize = 1 << 20;

/// Sends a request on to `path` below the base.
///
/// With a `root` the path is one at the provider's root instead.
pub async fn send_on(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    path: &str,
    root: Option<&Uri>,
    client: &Admitted,
) -> Response<Flow> {
    let keepalive = match keepalive::admit(shared, path).await {
        Ok(keepalive) => keepalive,
        Err(answer) => return answer,
    };
    // Most find one at once, and set no alarm.
    let place = match Arc::clone(&shared.places).try_acquire_owned() {
        Ok(place) => Ok(Ok(place)),
        Err(_) => tokio::time::timeout(QUEUE, Arc::clone(&shared.places).acquire_owned()).await,
    };
    let Ok(Ok(place)) = place else {
        let text = format!("too many calls are under way, also after {} s", QUEUE.as_secs());
        return later("busy", &text, 1);
    };
    let (began, method) = (now(), request.method().clone());
    let uri = target(path, root);
    let response = forwarded(shared, request, uri, client, Held { _place: place, keepalive }).await;
    let plain = path.split('?').next().unwrap_or_default();
    shared.report.called(&method, plain, response.status().as_u16(), now().since(began));
    response
}

async fn forwarded(
    shared: &Arc<Shared>,
    request: Request<Incoming>,
    uri: Option<Uri>,
    client: &Admitted,
    held: Held,
) -> Response<Flow> {
    let (mut parts, body) = request.into_parts();
    let Some(uri) = uri else {
        return refusal(StatusCode::BAD_REQUEST, "path", "the path cannot be sent on");
    };
    parts.uri = uri;
    parts.version = http::Version::HTTP_11;
    forward::outgoing(&mut parts.headers);
    if held.keepalive.is_some() {
        // The session reads these answers as its own.
        parts.headers.remove(ACCEPT_ENCODING);
    }
    if forward::tells(&shared.secret, &parts.uri, &parts.headers) {
        return refusal(StatusCode::BAD_REQUEST, "secret", "the proxy's secret would leave with this call");
    }
    let is_head = parts.method == Method::HEAD;
    let (signed, body) = match signed(shared, &parts.headers, body).await {
        Ok(both) => both,
        Err(refused) => return refused,
    };
    let ticket = match shared.handle.authorize(&mut parts, &signed) {
        Ok(ticket) => ticket,
        Err(error) => return unauthorized(&error),
    };
    if !body.is_end_stream() {
        // The session has seen no body, and says so to gateways that want to hear of it.
        parts.headers.remove(CONTENT_LENGTH);
    }
    if let Some(turn) = &held.keepalive {
        shared.recent.left(turn, true);
    }
    let base = parts.uri.clone();
    let answered = if body.is_end_stream() {
        let answered = tokio::time::timeout(ANSWER, shared.client.send(Request::from_parts(parts, body))).await;
        answered.unwrap_or_else(|_| Err(Failure::maybe_sent(FailureKind::Timeout).into()))
    } else {
        let (told, left) = oneshot::channel();
        let body = Watched { body, done: Some(told) }.boxed_unsync();
        exchange(shared, Request::from_parts(parts, body), left).await
    };
    let (mut parts, body) = match answered {
        // Nobody asked for another protocol.
        Ok(response) if response.status() == StatusCode::SWITCHING_PROTOCOLS => {
            let failure = Failure::maybe_sent(FailureKind::Other);
            shared.handle.observe_failure(&ticket, failure);
            return refusal(StatusCode::BAD_GATEWAY, "upgrade", "the server changed the protocol unasked");
        }
        Ok(response) => response.into_parts(),
        Err(error) => {
            shared.handle.observe_failure(&ticket, error.failure);
            if let Some(turn) = held.keepalive.as_ref().filter(|_| error.failure.delivery == Delivery::NotSent) {
                shared.recent.left(turn, false);
            }
            return failed(&error);
        }
    };
    let seen = Seen {
        shared: Arc::clone(shared),
        held,
        ticket,
        status: parts.status,
        headers: parts.headers.clone(),
        body: Vec::new(),
        told: false,
        whole: false,
    };
    forward::incoming(&mut parts.headers, is_head, client.url.as_deref().map(|proxy| (&base, proxy)));
    let mut body = Observed { body, seen };
    if body.body.is_end_stream() {
        body.seen.end();
    }
    Response::from_parts(parts, body.boxed_unsync())
}

/// Returns where a call goes: below the base, or to a path at the provider's root.
fn target(path: &str, root: Option<&Uri>) -> Option<Uri> {
    let path = path.parse::<Uri>().ok()?;
    let Some(root) = root else { return Some(path) };
    let mut parts = root.clone().into_parts();
    parts.path_and_query = path.into_parts().path_and_query;
    Uri::from_parts(parts).ok()
}

/// What a call holds until its answer is there to its end.
struct Held {
    _place: OwnedSemaphorePermit,
    /// The turn of a call whose answer serves again for a moment.
    keepalive: Option<keepalive::Turn>,
}

/// Takes the whole body where it is signed, which OAuth 1.0a does with forms, and else nothing of it.
async fn signed(shared: &Shared, headers: &HeaderMap, body: Incoming) -> Result<(Bytes, Flow), Response<Flow>> {
    let form = |kind: &http::HeaderValue| kind.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form");
    let is_signed = shared.name == Provider::IbkrOauth1a.name() && headers.get(CONTENT_TYPE).is_some_and(form);
    if !is_signed {
        return Ok((Bytes::new(), body.map_err(BoxError::from).boxed_unsync()));
    }
    let collected = http_body_util::Limited::new(body, SIGNED).collect().await;
    match collected {
        Ok(body) => {
            let body = body.to_bytes();
            Ok((body.clone(), whole(body)))
        }
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            let text = "a form that is signed may have 1 MiB";
            Err(refusal(StatusCode::PAYLOAD_TOO_LARGE, "length", text))
        }
        Err(_) => Err(refusal(StatusCode::BAD_REQUEST, "body", "the body cannot be read")),
    }
}

/// Sends a call, and waits for the head of its answer, for which there is time once the call has left.
async fn exchange(
    shared: &Shared,
    request: Request<Flow>,
    left: oneshot::Receiver<()>,
) -> Result<Response<Incoming>, SendError> {
    let late = async {
        let _ = left.await;
        tokio::time::sleep(ANSWER).await;
    };
    tokio::select! {
        answered = shared.client.send(request) => answered,
        () = late => Err(Failure::maybe_sent(FailureKind::Timeout).into()),
    }
}

/// A body that tells when it has left: by being dropped.
struct Watched {
    body: Flow,
    done: Option<oneshot::Sender<()>>,
}

impl Body for Watched {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.done = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body on its way to the client, of which the session sees the beginning once it is there.
struct Observed {
    body: Incoming,
    seen: Seen,
}

impl Body for Observed {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        match &frame {
            Some(Ok(frame)) => self.seen.take(frame.data_ref()),
            Some(Err(_)) => self.seen.fail(),
            None => self.seen.end(),
        }
        if self.body.is_end_stream() {
            self.seen.end();
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// What the session is to see of an answer, once.
struct Seen {
    shared: Arc<Shared>,
    held: Held,
    ticket: Ticket,
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
    told: bool,
    /// Whether the body is there to its end.
    whole: bool,
}

impl Seen {
    fn take(&mut self, data: Option<&Bytes>) {
        let Some(data) = data.filter(|_| !self.told) else { return };
        let room = SEEN - self.body.len();
        self.body.extend_from_slice(data.get(..room).unwrap_or(data));
        if self.body.len() == SEEN {
            self.tell();
        }
    }

    fn end(&mut self) {
        self.whole = !self.told;
        self.tell();
    }

    fn tell(&mut self) {
        if std::mem::replace(&mut self.told, true) {
            return;
        }
        // What a client asked to have compressed is nothing that the session could read.
        if self.headers.contains_key(CONTENT_ENCODING) {
            self.body.clear();
        }
        // Whoever waits for it needs not wait until the client has read all.
        if let Some(turn) = self.held.keepalive.take().filter(|_| self.whole && self.status == StatusCode::OK) {
            self.shared.recent.keep(&turn, self.headers.clone(), &self.body);
        }
        let mut response = Response::new(std::mem::take(&mut self.body));
        *response.status_mut() = self.status;
        *response.headers_mut() = std::mem::take(&mut self.headers);
        self.shared.handle.observe(&self.ticket, &response);
    }

    fn fail(&mut self) {
        if !std::mem::replace(&mut self.told, true) {
            self.shared.handle.observe_failure(&self.ticket, Failure::maybe_sent(FailureKind::Interrupted));
        }
    }
}

impl Drop for Seen {
    fn drop(&mut self) {
        // The client has left before the end. What status and headers say is known all the same.
        self.tell();
    }
}
