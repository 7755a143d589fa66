//! Who comes in, and what of it is a call.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, HOST, TRANSFER_ENCODING};
use http::{HeaderName, Method, Request, Response, StatusCode};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;

use super::crowd::Peer;
use super::refusal::{Flow, dismissal, refusal, whole};
use super::{Shared, call, forward, gateway, status, stream};

/// The header with the proxy's secret.
pub const SECRET: HeaderName = HeaderName::from_static("x-sansession-secret");

/// Who was let in.
#[derive(Default)]
pub struct Admitted {
    /// The part of the path that holds the secret, or nothing.
    pub prefix: String,
    /// The proxy's address as this client knows it, with that part; none for one that calls by the socket of the session.
    pub url: Option<String>,
}

/// Answers a request, or sends it on.
pub async fn answer(shared: Arc<Shared>, peer: &Peer, request: Request<Incoming>) -> Response<Flow> {
    let client = match admit(&shared, &request) {
        _ if peer.is_local() => Admitted::default(),
        Ok(client) => client,
        Err(refused) => return *refused,
    };
    peer.note_secret();
    let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let path = forward::rooted(path.strip_prefix(&client.prefix).unwrap_or(path));
    let plain = path.split('?').next().unwrap_or_default();
    if plain == "/_session" {
        return match *request.method() {
            Method::GET | Method::HEAD => status::status(&shared),
            _ => refusal(StatusCode::METHOD_NOT_ALLOWED, "method", "/_session is to be read"),
        };
    }
    if plain == "/_token" && peer.is_local() {
        return status::token(&shared);
    }
    if request.method() == Method::TRACE {
        return refusal(StatusCode::METHOD_NOT_ALLOWED, "method", "TRACE would show the session's tokens");
    }
    if request.uri().path() == "*" {
        let mut answer = refusal(StatusCode::BAD_REQUEST, "path", "* is asked for with OPTIONS alone");
        if request.method() == Method::OPTIONS {
            (*answer.status_mut(), *answer.body_mut()) = (StatusCode::NO_CONTENT, whole(""));
        }
        return answer;
    }
    let status = shared.handle.status();
    let base = shared.base(&status);
    if forward::wants_upgrade(request.headers()) {
        let is_stream = forward::below(plain, base.as_ref(), shared.is_ibkr()) == "/ws";
        if let Some(streams) = shared.streams.clone().filter(|_| is_stream && stream::is_handshake(&request)) {
            return stream::open(&shared, streams, request, &client).await;
        }
        let text = "no other upgrade goes through this proxy than IBKR's WebSocket, /ws";
        return refusal(StatusCode::NOT_IMPLEMENTED, "upgrade", text);
    }
    if !escapes_are_whole(&path) {
        return refusal(StatusCode::BAD_REQUEST, "path", "a `%` in the path or query that no two hex digits follow");
    }
    if shared.is_ibkr() && !peer.is_local() {
        let is_gateway = shared.is_gateway();
        if let Some(answer) = gateway::answer(request.method(), plain, &client.prefix, &status, is_gateway) {
            return answer;
        }
    }
    let is_page = shared.is_gateway() && gateway::is_page(plain) && !peer.is_local();
    let path = if is_page { path } else { forward::below(&path, base.as_ref(), shared.is_ibkr()) };
    if !shared.allow_logout && ends_the_session(request.method(), &path) {
        let text = match peer.is_local() {
            true => "this would end the session for the process that keeps it: end that one, then `sansession logout`",
            false => "this would end the session for everybody; --allow-logout lets it through",
        };
        return refusal(StatusCode::FORBIDDEN, "logout", text);
    }
    let root = base.filter(|_| is_page);
    call::send_on(&shared, request, &path, root.as_ref(), &client).await
}

/// Looks who it is before anything is believed.
fn admit(shared: &Shared, request: &Request<Incoming>) -> Result<Admitted, Box<Response<Flow>>> {
    let (headers, uri) = (request.headers(), request.uri());
    let ours = |host: &str| shared.hosts.iter().any(|known| known.eq_ignore_ascii_case(host));
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let named = uri.authority().is_none_or(|host| ours(host.as_str()));
    let host = host.filter(|host| ours(host) && hosts.next().is_none() && named && request.method() != Method::CONNECT);
    let Some(host) = host else {
        let text = "this proxy serves one provider, under its own address alone: no other Host, no absolute URI";
        return Err(dismissal(StatusCode::MISDIRECTED_REQUEST, "host", text).into());
    };
    let Some(prefix) = secret(shared, request) else {
        let text = "the header X-Sansession-Secret is missing or wrong; `sansession --listen` tells it at its start";
        return Err(dismissal(StatusCode::FORBIDDEN, "secret", text).into());
    };
    // Beside it hyper takes no Content-Length for true and drops it, as RFC 9112 6.3 wants.
    let mut coded = headers.get_all(TRANSFER_ENCODING).iter();
    let chunked = coded.next().is_none_or(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked"));
    if !chunked || coded.next().is_some() {
        let text = "a body is chunked once, and coded in no other way";
        return Err(dismissal(StatusCode::BAD_REQUEST, "length", text).into());
    }
    Ok(Admitted { url: Some(format!("{}://{host}{prefix}", shared.scheme)), prefix })
}

/// Looks for the secret: in its header, as the first part of the path, or as Basic's password. A header that is wrong is
/// not made up for.
fn secret(shared: &Shared, request: &Request<Incoming>) -> Option<String> {
    let mut told = request.headers().get_all(SECRET).iter();
    if let Some(secret) = told.next() {
        let right = shared.secret.matches(secret.to_str().ok()?) && told.next().is_none();
        return right.then(String::new);
    }
    let first = request.uri().path().split('/').nth(1).unwrap_or_default();
    // Clients that take a host and a port put the port there, after what they take for the host.
    let secret =
        first.split_once(':').filter(|(_, port)| port.parse::<u16>().is_ok()).map_or(first, |(secret, _)| secret);
    if shared.secret.matches(secret) || shared.secret.matches(first) {
        return Some(format!("/{first}"));
    }
    let basic = request.headers().get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, coded) = basic.split_once(' ')?;
    let pair = scheme.eq_ignore_ascii_case("basic").then(|| STANDARD.decode(coded.trim()).ok())??;
    let (_, password) = std::str::from_utf8(&pair).ok()?.split_once(':')?;
    shared.secret.matches(password).then(String::new)
}

fn escapes_are_whole(path: &str) -> bool {
    path.split('%')
        .skip(1)
        .all(|rest| rest.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)))
}

/// Reports whether a call would end the session at the provider, however its path is written: escapes, case and slashes do not
/// matter to servers, nor do parameters after `;` and, to Rails, a format after a dot.
fn ends_the_session(method: &Method, path: &str) -> bool {
    let plain = path.split('?').next().unwrap_or_default();
    let plain = percent_decode_str(plain).decode_utf8_lossy().to_ascii_lowercase();
    let last = plain.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let last = last.split([';', '.', '?', '#']).next().unwrap_or_default().trim();
    // Rails takes a POST for a DELETE where a header or a form says so; no client has another business there.
    last == "logout" || (!method.is_safe() && last == "session")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_logout_is_known_however_it_is_written() {
        for path in ["/logout", "/logout?a=b", "/Logout/", "//logout", "/login/1.0/login/v2/logout", "/sso/Logout"] {
            assert!(ends_the_session(&Method::POST, path), "{path}");
        }
        for path in [
            "/%6Cogout",
            "/log%6fut",
            "/v1%2Flogout",
            "/logout%2F",
            "/logout;a=b",
            "/logout.json",
            "/logout%3Fa",
            "/logout%20",
        ] {
            assert!(ends_the_session(&Method::POST, path), "{path}");
        }
        for path in ["/session", "/session.json", "/s%65ssion", "/session;x"] {
            assert!(ends_the_session(&Method::DELETE, path), "{path}");
            // With `X-HTTP-Method-Override`, or `_method` in a form.
            assert!(ends_the_session(&Method::POST, path), "{path}");
        }
        assert!(!ends_the_session(&Method::POST, "/session/init"));
        assert!(!ends_the_session(&Method::GET, "/session"));
        assert!(!ends_the_session(&Method::GET, "/logouts?path=/logout"));
    }

    #[test]
    fn an_escape_has_two_digits() {
        assert!(["/a", "/a%20b?q=%2F", "/%41"].into_iter().all(escapes_are_whole));
        assert!(!["/%", "/%4", "/?q=%E9%zz", "/%%41"].into_iter().any(escapes_are_whole));
    }
}
