//! What IBKR's own gateway answers by itself, for clients that were written for it.

use http::header::LOCATION;
use http::{HeaderValue, Method, Response, StatusCode};
use sansession::{Status, WaitingOn};

use super::refusal::{Flow, refusal, whole};

/// The page on which a person logs in.
const LOGIN: &str = "/sso/Login?forwardTo=22&RL=1&ip2loc=US";

/// Answers what the gateway does not send on: `OPTIONS`, its front page and, where a person has to log in, its own pages,
/// which are of use at the gateway alone. A session without a gateway has no such pages.
pub fn answer(method: &Method, path: &str, prefix: &str, status: &Status, is_gateway: bool) -> Option<Response<Flow>> {
    let mut response = Response::new(whole(""));
    if method == Method::OPTIONS {
        *response.status_mut() = StatusCode::NO_CONTENT;
        return Some(response);
    }
    let is_front = matches!(*method, Method::GET | Method::HEAD) && path == "/";
    if !is_front && !is_page(path) {
        return None;
    }
    let login = match &status.on {
        WaitingOn::Need(need) => need.url.as_deref(),
        _ => None,
    };
    let page = match login.filter(|_| method.is_safe()) {
        Some(url) => url.to_owned(),
        None if is_front => format!("{prefix}{LOGIN}"),
        None if is_gateway => return None,
        None => {
            let text = "this session logs in by itself and has no page for it; /_session tells where it stands";
            return Some(refusal(StatusCode::NOT_FOUND, "page", text));
        }
    };
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::try_from(page).ok()?);
    Some(response)
}

/// Reports whether a path is one of those that the gateway has at its root, beside `/v1/api`. To validate a login is a call
/// of the API, of which a client may leave the base out.
pub fn is_page(path: &str) -> bool {
    path.starts_with("/sso/") && path != "/sso/validate"
}
