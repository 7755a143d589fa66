//! How the simulated server reads a signed request: by the documents, not with the client's functions.

use std::collections::BTreeMap;

use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, DATE, HOST};

use crate::Timestamp;
use crate::sim::Arrival;

/// The parameters of an `Authorization: OAuth` header, decoded; `None` where it is none, or names a
/// parameter twice. The realm may stand anywhere and needs no quotes.
pub(super) fn parameters<B>(request: &Request<B>) -> Option<BTreeMap<String, String>> {
    let header = request.headers().get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("OAuth ")?;
    let mut parameters = BTreeMap::new();
    for field in header.split(',') {
        let (name, value) = field.trim().split_once('=')?;
        let value = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        if parameters.insert(name.to_owned(), unescape(value, false)).is_some() {
            return None;
        }
    }
    Some(parameters)
}

/// The texts that a request's signature may be of, each of which the server takes.
///
/// The documents have the query in it, IBKR's own examples do so; ibind and pybkr leave it out, and trade.
pub(super) fn base_strings(prefix: &str, request: &Request<Vec<u8>>, fields: &BTreeMap<String, String>) -> Vec<String> {
    let query = request.uri().query().filter(|query| !query.is_empty());
    let [with, without] = [query, None].map(|query| parameter_string(request, query, fields));
    let parameters = [Some(with), query.is_some().then_some(without)];
    let texts = |address: String| {
        let text = move |parameters| format!("{prefix}{}&{}&{parameters}", request.method(), escape(&address));
        parameters.clone().into_iter().flatten().map(text)
    };
    addresses(request).into_iter().flat_map(texts).collect()
}

/// All parameters of a request, sorted and escaped; with this query.
fn parameter_string(request: &Request<Vec<u8>>, query: Option<&str>, fields: &BTreeMap<String, String>) -> String {
    let signed = |name: &str| name != "realm" && name != "oauth_signature";
    let fields = fields.iter().filter(|(name, _)| signed(name));
    let mut pairs: Vec<(String, String)> = fields.map(|(name, value)| (name.clone(), value.clone())).collect();
    let form = request
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().to_ascii_lowercase().starts_with(b"application/x-www-form-urlencoded"));
    let body = if form { String::from_utf8_lossy(request.body()).into_owned() } else { String::new() };
    for pair in [query.unwrap_or_default(), &body].into_iter().flat_map(|text| text.split('&')) {
        if !pair.is_empty() {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            pairs.push((unescape(name, true), unescape(value, true)));
        }
    }
    pairs.sort();
    let joined: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    escape(&joined.join("&"))
}

/// Scheme, authority and path that a client may have signed: of an absolute URI as it stands, else from `Host`.
///
/// ibind and pybkr send `Host: api.ibkr.com` whatever URL they call, and sign the URL: over a socket that host
/// leaves it open by which of the socket's names the server was called.
fn addresses(request: &Request<Vec<u8>>) -> Vec<String> {
    let uri = request.uri();
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let authority = uri.authority().map(http::uri::Authority::as_str).or(host).unwrap_or_default();
    // A server learns the scheme from its own socket: loopback serves plain HTTP where it serves any.
    let scheme = uri.scheme_str().unwrap_or(if host.is_some_and(loopback) { "http" } else { "https" });
    let mut origins = vec![(scheme, authority.to_lowercase())];
    if let (Some("api.ibkr.com"), Some(arrival)) = (host, request.extensions().get::<Arrival>()) {
        let port = arrival.address.port();
        origins.extend(["127.0.0.1", "localhost"].map(|name| (arrival.scheme, format!("{name}:{port}"))));
    }
    let whole = |(scheme, authority): (&str, String)| {
        let own = if scheme == "https" { ":443" } else { ":80" };
        let authority = authority.strip_suffix(own).unwrap_or(&authority);
        format!("{scheme}://{authority}{}", uri.path())
    };
    origins.into_iter().map(whole).collect()
}

fn loopback(host: &str) -> bool {
    ["localhost", "127.", "[::1]"].iter().any(|start| host.starts_with(start))
}

fn unescape(text: &str, plus: bool) -> String {
    let mut bytes = text.as_bytes().iter();
    let mut plain = Vec::new();
    while let Some(&byte) = bytes.next() {
        let escaped = bytes.as_slice().first_chunk::<2>().and_then(|digits| {
            let digits = core::str::from_utf8(digits).ok().filter(|digits| !digits.starts_with('+'))?;
            u8::from_str_radix(digits, 16).ok()
        });
        match (byte, escaped) {
            (b'%', Some(value)) => {
                bytes.nth(1);
                plain.push(value);
            }
            (b'+', _) if plus => plain.push(b' '),
            _ => plain.push(byte),
        }
    }
    String::from_utf8_lossy(&plain).into_owned()
}

fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

/// Answers with a JSON body and the server's time.
pub(super) fn json(now: Timestamp, status: u16, body: &serde_json::Value) -> http::Response<Vec<u8>> {
    answer(now, status, "application/json", body.to_string())
}

/// Answers with any body and the server's time.
pub(super) fn answer(now: Timestamp, status: u16, media: &str, body: String) -> http::Response<Vec<u8>> {
    let response = http::Response::builder().status(status).header(CONTENT_TYPE, media).header(DATE, now.to_string());
    response.body(body.into_bytes()).unwrap_or_default()
}

/// What the edge refuses before any of the application's code runs: no user agent, no length.
pub(super) fn edge(now: Timestamp, request: &Request<Vec<u8>>) -> Option<http::Response<Vec<u8>>> {
    use http::header::{CONTENT_LENGTH, USER_AGENT};
    if !request.headers().contains_key(USER_AGENT) {
        return Some(answer(now, 403, "text/html", "<html><head><title>Access Denied</title></head></html>".into()));
    }
    let lengthless = request.body().is_empty() && !request.headers().contains_key(CONTENT_LENGTH);
    if request.method() == http::Method::POST && lengthless {
        return Some(answer(
            now,
            411,
            "text/html",
            "<html><head><title>411 Length Required</title></head></html>".into(),
        ));
    }
    None
}
