//! Clients that keep IBKR's session alive by themselves, as they had to at the gateway.
//!
//! IBKR lets each such call come once in a while, whoever makes it, and a faster one may put everybody into a penalty box.
//! So those that come too soon get the last answer again, the session's own among them. The session for its part counts the
//! clients' calls as its own.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use sansession::drive::now;
use sansession::{Outgoing, Phase, RequestId, Status, Timestamp};
use tokio::sync::{Notify, OwnedMutexGuard};

use super::refusal::{Flow, later, whole};
use super::{Shared, forward};

/// How often each of them may come: documented for the first and the last, and the status costs as much.
const KEEPALIVES: [(&str, Duration); 3] = [
    ("/tickle", Duration::from_secs(1)),
    ("/iserver/auth/status", Duration::from_secs(1)),
    ("/sso/validate", Duration::from_secs(60)),
];
/// How long a call waits for the time at which it may leave.
const LONGEST: Duration = Duration::from_secs(30);
/// How long an answer of the session's own is waited for.
const UNDER_WAY: Duration = Duration::from_secs(10);

/// The last answers to those calls.
#[derive(Default)]
pub struct Recent {
    kinds: [Kind; KEEPALIVES.len()],
    changed: Notify,
}

#[derive(Default)]
struct Kind {
    /// Clients take turns: whoever comes second gets the answer of the first.
    turn: std::sync::Arc<tokio::sync::Mutex<()>>,
    last: Mutex<Last>,
}

#[derive(Default)]
struct Last {
    /// When one left, whoever sent it.
    sent: Option<Timestamp>,
    /// The session's own that has no answer yet.
    own: Option<RequestId>,
    answer: Option<Answer>,
}

struct Answer {
    at: Timestamp,
    headers: HeaderMap,
    body: Bytes,
}

/// A keepalive whose turn it is.
pub struct Turn {
    kind: usize,
    _turn: OwnedMutexGuard<()>,
}

impl Recent {
    /// Notes that the session itself sends one.
    pub fn sending(&self, outgoing: &Outgoing) {
        if let Some(mut last) = number(outgoing.path()).and_then(|kind| self.last(kind)) {
            (last.sent, last.own) = (Some(now()), Some(outgoing.id()));
        }
    }

    /// Notes what the session itself got, or that it got nothing.
    pub fn received(&self, id: RequestId, response: Option<&Response<Vec<u8>>>) {
        let kinds = (0..KEEPALIVES.len()).filter_map(|kind| self.last(kind));
        let Some(mut last) = kinds.into_iter().find(|last| last.own == Some(id)) else { return };
        last.own = None;
        if let Some(response) = response.filter(|response| response.status() == StatusCode::OK) {
            last.answer = Some(Answer::new(response.headers().clone(), response.body()));
        }
        drop(last);
        self.changed.notify_waiters();
    }

    /// Notes that a client's leaves, or that it has not after all.
    pub fn left(&self, turn: &Turn, left: bool) {
        if let Some(mut last) = self.last(turn.kind) {
            last.sent = left.then(now);
        }
    }

    /// Keeps what a client got.
    pub fn keep(&self, turn: &Turn, headers: HeaderMap, body: &[u8]) {
        if let Some(mut last) = self.last(turn.kind) {
            last.answer = Some(Answer::new(headers, body));
        }
    }

    fn last(&self, kind: usize) -> Option<MutexGuard<'_, Last>> {
        Some(self.kinds.get(kind)?.last.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Lets a client's call leave if it is a keepalive and may, and else gives the last answer again. One that may not leave
/// for long is refused.
pub async fn admit(shared: &Shared, path: &str) -> Result<Option<Turn>, Response<Flow>> {
    let Some(kind) = number(path).filter(|_| shared.is_ibkr()) else { return Ok(None) };
    let (Some((_, every)), Some(known)) = (KEEPALIVES.get(kind), shared.recent.kinds.get(kind)) else {
        return Ok(None);
    };
    let turn = std::sync::Arc::clone(&known.turn).lock_owned().await;
    loop {
        let changed = shared.recent.changed.notified();
        let status = shared.handle.status();
        let wait = {
            let Some(last) = shared.recent.last(kind) else { return Ok(None) };
            if let Some(answer) = last.answer.as_ref().filter(|answer| answer.serves(&status, *every)) {
                return Err(answer.again());
            }
            let next = last.sent.map_or(now(), |sent| sent + *every);
            match next.since(now()) {
                _ if last.own.is_some() => UNDER_WAY,
                wait if wait.is_zero() => return Ok(Some(Turn { kind, _turn: turn })),
                wait if wait > LONGEST => {
                    return Err(later("too-soon", "IBKR takes this call once a minute", wait.as_secs() + 1));
                }
                wait => wait,
            }
        };
        if tokio::time::timeout(wait, changed).await.is_err()
            && let Some(mut last) = shared.recent.last(kind)
        {
            // An answer that does not come is waited for once.
            last.own = None;
        }
    }
}

impl Answer {
    fn new(mut headers: HeaderMap, body: &[u8]) -> Self {
        forward::incoming(&mut headers, false, None);
        Self { at: now(), headers, body: Bytes::copy_from_slice(body) }
    }

    /// Reports whether it is too soon for another one, and the session is as well as it was then.
    fn serves(&self, status: &Status, every: Duration) -> bool {
        // Other answers were of a session before, or before a change.
        let is_same = status.phase == Phase::Active && !status.suspect && self.at >= status.since;
        is_same && now().since(self.at) < every
    }

    fn again(&self) -> Response<Flow> {
        let mut response = Response::new(whole(self.body.clone()));
        *response.headers_mut() = self.headers.clone();
        response
    }
}

/// Reports which of them a path is, with the base or without.
fn number(path: &str) -> Option<usize> {
    let plain = path.split('?').next()?;
    KEEPALIVES.iter().position(|(known, _)| plain.ends_with(known))
}
