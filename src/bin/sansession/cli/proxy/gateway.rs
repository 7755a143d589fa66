//! What IBKR's own gateway answers by itself, for clients that were written for it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use sansession::blocking::now;
use sansession::{Phase, Status, Timestamp};

use super::refusal::{Flow, whole};

/// Calls with which clients keep a session alive by themselves, and how often IBKR lets each of them come: a faster one
/// may put everybody into a penalty box (documented for the first and the last, and the status costs as much).
const KEEPALIVES: [(&str, Duration); 3] = [
    ("/tickle", Duration::from_secs(1)),
    ("/iserver/auth/status", Duration::from_secs(1)),
    ("/sso/validate", Duration::from_secs(60)),
];

/// The last good answers to those calls.
#[derive(Default)]
pub struct Recent([Mutex<Option<Answer>>; KEEPALIVES.len()]);

struct Answer {
    at: Timestamp,
    headers: HeaderMap,
    body: Bytes,
}

impl Recent {
    /// Tells which of them a path is.
    pub fn number(path: &str) -> Option<usize> {
        let plain = path.split('?').next()?;
        KEEPALIVES.iter().position(|(known, _)| *known == plain)
    }

    /// Gives the last answer where it is too soon for another one and the session is as well as it was then.
    pub fn answer(&self, number: usize, status: &Status) -> Option<Response<Flow>> {
        let last = self.0.get(number)?.lock().unwrap_or_else(PoisonError::into_inner);
        let last = last.as_ref().filter(|_| status.phase == Phase::Active && !status.suspect)?;
        let (_, every) = KEEPALIVES.get(number)?;
        // Other answers were of a session before, or before a change.
        (now().since(last.at) < *every && last.at >= status.since).then(|| {
            let mut response = Response::new(whole(last.body.clone()));
            *response.headers_mut() = last.headers.clone();
            response
        })
    }

    /// Keeps an answer.
    pub fn keep(&self, number: usize, mut headers: HeaderMap, body: &[u8]) {
        super::forward::incoming(&mut headers, false, None, "");
        let Some(place) = self.0.get(number) else { return };
        let answer = Answer { at: now(), headers, body: Bytes::copy_from_slice(body) };
        *place.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

/// Answers what the gateway does not send on: `OPTIONS`, and its front page.
pub fn answer(method: &Method, path: &str, prefix: &str) -> Option<Response<Flow>> {
    let mut response = Response::new(whole(""));
    match (method, path) {
        (&Method::OPTIONS, _) => *response.status_mut() = StatusCode::NO_CONTENT,
        (&Method::GET | &Method::HEAD, "/") => {
            *response.status_mut() = StatusCode::FOUND;
            let page = HeaderValue::try_from(format!("{prefix}/sso/Login?forwardTo=22&RL=1&ip2loc=US")).ok()?;
            response.headers_mut().insert(LOCATION, page);
        }
        _ => return None,
    }
    Some(response)
}
