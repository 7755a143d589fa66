//! What the proxy says itself, and not the provider.

use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONNECTION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};
use sansession::drive::SendError;
use sansession::drive::now;
use sansession::{AuthorizeError, machine::FailureKind};
use serde_json::{Value, json};

pub type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A body that flows.
pub type Flow = UnsyncBoxBody<Bytes, BoxError>;

pub fn whole(body: impl Into<Bytes>) -> Flow {
    Full::new(body.into()).map_err(|never| match never {}).boxed_unsync()
}

/// Says something that is the proxy's own word and not the provider's.
pub fn refusal(status: StatusCode, error: &str, text: &str) -> Response<Flow> {
    own(status, &json!({ "error": error, "text": text, "by": "sansession" }))
}

/// Refuses and closes the connection: whoever is not to be here need not come again on it, and no body is read.
pub fn dismissal(status: StatusCode, error: &str, text: &str) -> Response<Flow> {
    let mut response = refusal(status, error, text);
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Refuses for now.
pub fn later(error: &str, text: &str, seconds: u64) -> Response<Flow> {
    let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, error, text);
    response.headers_mut().insert(RETRY_AFTER, seconds.into());
    response
}

/// Returns an answer of the proxy's own.
pub fn own(status: StatusCode, body: &Value) -> Response<Flow> {
    let mut response = Response::new(whole(format!("{body}\n")));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Says why a call did not leave.
pub fn unauthorized(error: &AuthorizeError) -> Response<Flow> {
    match error {
        AuthorizeError::NotReady { until, .. } => {
            // A guess where no end is known: a login by a person takes its time, a reconnection does not.
            let seconds = until.map_or(5, |until| until.since(now()).as_secs() + 1);
            later("not-ready", &error.to_string(), seconds)
        }
        _ => refusal(StatusCode::BAD_REQUEST, "unsignable", &error.to_string()),
    }
}

/// Says why a call got no answer.
pub fn failed(error: &SendError) -> Response<Flow> {
    let late = error.failure.kind == FailureKind::Timeout;
    let status = if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
    refusal(status, error.failure.kind.code(), &error.to_string())
}
