//! What IBKR's own gateway answers by itself, for clients that were written for it.

use http::header::LOCATION;
use http::{HeaderValue, Method, Response, StatusCode};

use super::refusal::{Flow, whole};

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
