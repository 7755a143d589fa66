//! What of a call goes on to the provider, and what of its answer comes back.

use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, ORIGIN, REFERER, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, Request, Response, StatusCode, Uri};
use sansession::blocking::{CallError, now};
use sansession::{AuthorizeError, FailureKind};
use serde_json::{Value, json};

/// The header with the proxy's secret.
pub const SECRET: HeaderName = HeaderName::from_static("x-sansession-secret");

/// Headers of one connection and no further (RFC 9110, 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 6] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH];
/// What a client must not say for the session, or of itself: credentials are the session's, answers
/// are to be readable for it, and where a page comes from is nobody's business.
const OF_THE_CLIENT: [HeaderName; 8] = [HOST, EXPECT, AUTHORIZATION, COOKIE, ACCEPT_ENCODING, ORIGIN, REFERER, SECRET];

/// Headers with which a proxy before this one tells where a client comes from. A provider that believes them sees
/// another address than at the login, and some end the session for that.
fn tells_the_address(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded-") || ["forwarded", "x-real-ip", "client-ip", "x-client-ip"].contains(&name)
}

/// Makes a call of the session's own out of what a client has sent; the path loses `base` if it has it.
pub fn outgoing(request: &Request<Vec<u8>>, base: &str) -> Option<Request<Vec<u8>>> {
    let path = request.uri().path_and_query()?.as_str();
    let path = path.strip_prefix(base).filter(|rest| rest.starts_with('/')).unwrap_or(path);
    let mut uri = http::uri::Parts::default();
    uri.path_and_query = Some(PathAndQuery::try_from(path).ok()?);
    let mut headers = request.headers().clone();
    strip(&mut headers);
    let told: Vec<_> = headers.keys().filter(|name| tells_the_address(name)).cloned().collect();
    for name in told.into_iter().chain(OF_THE_CLIENT) {
        headers.remove(name);
    }
    let mut call = Request::new(request.body().clone());
    *call.method_mut() = request.method().clone();
    *call.uri_mut() = Uri::from_parts(uri).ok()?;
    *call.headers_mut() = headers;
    Some(call)
}

/// Makes the client's answer out of the provider's: cookies stay the session's, and no web page may read it.
pub fn incoming(mut response: Response<Vec<u8>>) -> Response<Vec<u8>> {
    let headers = response.headers_mut();
    strip(headers);
    headers.remove(SET_COOKIE);
    let shared = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let shared: Vec<_> = headers.keys().filter(shared).cloned().collect();
    for name in shared {
        headers.remove(name);
    }
    response
}

/// Says why a call got no answer.
pub fn failed(error: &CallError) -> Response<Vec<u8>> {
    match error {
        CallError::Authorize(AuthorizeError::NotReady { until, .. }) => {
            // A guess where no end is known: a login by a person takes its time, a reconnection does not.
            let seconds = until.map_or(5, |until| until.since(now()).as_secs() + 1);
            let mut response = refusal(StatusCode::SERVICE_UNAVAILABLE, "not-ready", &error.to_string());
            response.headers_mut().insert(http::header::RETRY_AFTER, seconds.into());
            response
        }
        CallError::Authorize(_) => refusal(StatusCode::BAD_REQUEST, "unsignable", &error.to_string()),
        CallError::Send(send) => {
            let late = send.failure.kind == FailureKind::Timeout;
            let status = if late { StatusCode::GATEWAY_TIMEOUT } else { StatusCode::BAD_GATEWAY };
            refusal(status, send.failure.kind.code(), &error.to_string())
        }
    }
}

/// Says something that is the proxy's own word and not the provider's.
pub fn refusal(status: StatusCode, error: &str, text: &str) -> Response<Vec<u8>> {
    own(status, &json!({ "error": error, "text": text, "by": "session --listen" }))
}

/// Gives an answer of the proxy's own.
pub fn own(status: StatusCode, body: &Value) -> Response<Vec<u8>> {
    let mut response = Response::new(format!("{body}\n").into_bytes());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    headers.insert(http::header::CACHE_CONTROL, http::HeaderValue::from_static("no-store"));
    response
}

/// Tells whether a client wants another protocol on this connection.
pub fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) || names(headers).any(|name| name == UPGRADE)
}

/// Takes out what belongs to one connection, also what only this one calls so.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<_> = names(headers).collect();
    for name in named.into_iter().chain(OF_THE_CONNECTION) {
        headers.remove(name);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authorization", "proxy-authenticate"] {
        headers.remove(name);
    }
}

fn names(headers: &HeaderMap) -> impl Iterator<Item = HeaderName> {
    let values = headers.get_all(CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|list| list.split(',')).filter_map(|name| name.trim().parse().ok())
}
