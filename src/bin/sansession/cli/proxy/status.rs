//! `/_session`: where the session stands. `/_token`: what authorizes its calls, for other commands of the same user alone.

use http::{Response, StatusCode};
use sansession::drive::now;
use sansession::{Timestamp, WaitingOn};
use serde_json::json;

use super::refusal::{Flow, own, refusal};
use super::{CALLS, Shared};
use crate::cli::exec::Credentials;

/// Reports where the session stands, what it waits for, and how many calls are under way.
pub fn status(shared: &Shared) -> Response<Flow> {
    let status = shared.handle.status();
    let millis = |time: Timestamp| (time != Timestamp::NEVER).then(|| time.as_millis());
    let need = match &status.on {
        WaitingOn::Need(need) => {
            json!({ "need": need.kind.code(), "because": need.because.code(), "url": need.url.as_deref() })
        }
        _ => json!(null),
    };
    let body = json!({
        "t": now().as_millis(), "provider": shared.name, "phase": status.phase.code(),
        "since": status.since.as_millis(), "suspect": status.suspect, "stuck": status.stuck,
        "penalty": status.penalty.and_then(millis),
        "last_alive": status.last_alive.and_then(millis), "deadline": millis(status.deadline),
        "waiting_on": status.on.code(), "need": need,
        "calls": CALLS.saturating_sub(shared.places.available_permits()),
    });
    own(StatusCode::OK, &body)
}

/// Reports where calls go, and with which headers.
pub fn token(shared: &Shared) -> Response<Flow> {
    match Credentials::of(&shared.handle) {
        Ok(Credentials { base, headers }) => own(StatusCode::OK, &json!({ "base_url": base, "headers": headers })),
        Err(words) => refusal(StatusCode::SERVICE_UNAVAILABLE, "not-ready", &words),
    }
}
