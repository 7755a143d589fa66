//! What of a call goes on to the provider, and what of its answer comes back.

use http::header::{
    AUTHORIZATION, CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, HOST, LOCATION, ORIGIN, REFERER, SET_COOKIE, TE,
    TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
};
use http::{HeaderMap, HeaderName, HeaderValue, Uri};

use sansession::Secret;

use super::door::SECRET;

/// Headers of one connection and no further (RFC 9110, 7.6.1).
const OF_THE_CONNECTION: [HeaderName; 5] = [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, CONTENT_LENGTH];
/// What a client must not say for the session, or of itself: credentials are the session's, and where a page comes from
/// is nobody's business.
const OF_THE_CLIENT: [HeaderName; 8] = [HOST, EXPECT, AUTHORIZATION, COOKIE, ORIGIN, REFERER, SECRET, VIA];

/// Headers with which a proxy before this one tells where a client comes from. A provider that believes them sees
/// another address than at the login, and some end the session for that.
fn tells_the_address(name: &HeaderName) -> bool {
    let name = name.as_str();
    name.starts_with("x-forwarded") || ["forwarded", "x-real-ip", "client-ip", "x-client-ip"].contains(&name)
}

/// Puts a slash before a path that has none, as one may lack it where a base ends.
pub fn rooted(path: &str) -> String {
    if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
}

/// Returns the path below the base, which a client may leave out; IBKR's gateway has an older name for it.
pub fn below(path: &str, base: Option<&Uri>, is_ibkr: bool) -> String {
    let base = base.map_or("", |base| base.path().trim_end_matches('/'));
    let portal = if is_ibkr { Some("/v1/portal") } else { None };
    let rest = [Some(base), portal].into_iter().flatten().find_map(|base| {
        let rest = path.strip_prefix(base)?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some(rest)
    });
    rooted(rest.unwrap_or(path))
}

/// Takes out of a client's headers what does not go on.
pub fn outgoing(headers: &mut HeaderMap) {
    let trailers = headers.get(TE).is_some_and(|te| te.as_bytes().eq_ignore_ascii_case(b"trailers"));
    strip(headers);
    let told: Vec<_> = headers.keys().filter(|name| tells_the_address(name)).cloned().collect();
    for name in told.into_iter().chain(OF_THE_CLIENT) {
        headers.remove(name);
    }
    if trailers {
        headers.insert(TE, HeaderValue::from_static("trailers"));
        headers.insert(CONNECTION, HeaderValue::from_static("te"));
    }
}

/// Reports whether the proxy's secret stands in what is about to leave, as in a header that only sounds like its own.
pub fn tells(secret: &Secret, uri: &Uri, headers: &HeaderMap) -> bool {
    let secret = secret.expose().as_bytes();
    let path = uri.path_and_query().map_or("", |path| path.as_str());
    let mut texts = headers.values().map(HeaderValue::as_bytes).chain([path.as_bytes()]);
    texts.any(|text| text.windows(secret.len()).any(|part| part == secret))
}

/// Takes out of an answer's headers what does not come back: cookies stay the session's, and no web page may read it.
/// The provider's own address becomes the proxy's, with the secret where the client has it in its path.
pub fn incoming(headers: &mut HeaderMap, is_head: bool, addresses: Option<(&Uri, &str)>) {
    let length = headers.get(CONTENT_LENGTH).filter(|_| is_head).cloned();
    strip(headers);
    headers.remove(SET_COOKIE);
    let shared = |name: &&HeaderName| name.as_str().starts_with("access-control-");
    let shared: Vec<_> = headers.keys().filter(shared).cloned().collect();
    for name in shared {
        headers.remove(name);
    }
    if let Some(length) = length {
        headers.insert(CONTENT_LENGTH, length);
    }
    let location = headers.get(LOCATION).and_then(|location| location.to_str().ok());
    if let Some(new) = location.zip(addresses).and_then(|(location, (base, proxy))| moved(location, base, proxy)) {
        headers.insert(LOCATION, new);
    }
}

fn moved(location: &str, base: &Uri, proxy: &str) -> Option<HeaderValue> {
    if location.starts_with('/') && !location.starts_with("//") {
        return HeaderValue::try_from(format!("{proxy}{location}")).ok();
    }
    let uri: Uri = location.parse().ok()?;
    let port = |uri: &Uri| uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
    let same_host = uri.host()?.eq_ignore_ascii_case(base.host()?);
    if uri.scheme() != base.scheme() || !same_host || port(&uri) != port(base) {
        return None;
    }
    HeaderValue::try_from(format!("{proxy}{}", uri.path_and_query().map_or("/", |path| path.as_str()))).ok()
}

/// Reports whether a client wants another protocol on this connection.
pub fn wants_upgrade(headers: &HeaderMap) -> bool {
    headers.contains_key(UPGRADE) || names(headers).any(|name| name == UPGRADE)
}

/// Takes out what belongs to one connection, also what only this one calls so. Trailers come through, and what names them.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<_> = names(headers).filter(|name| name != TRAILER).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_have_the_base_or_not() {
        let base = Uri::from_static("https://localhost:5000/v1/api/");
        for (path, rest) in [
            ("/v1/api/tickle", "/tickle"),
            ("/v1/portal/tickle?a=b", "/tickle?a=b"),
            ("/tickle", "/tickle"),
            ("/v1/api?x", "/?x"),
            ("/v1/api", "/"),
            ("/v1/apix", "/v1/apix"),
            ("/", "/"),
        ] {
            assert_eq!(below(path, Some(&base), true), rest, "{path}");
        }
        assert_eq!(below("/v1/portal/a", Some(&Uri::from_static("http://localhost/")), false), "/v1/portal/a");
    }

    #[test]
    fn the_providers_own_address_becomes_the_proxys() {
        let base = Uri::from_static("https://api.example.org/v1/api");
        let proxy = "http://127.0.0.1:8080/s3cret";
        for (location, new) in [
            ("https://api.example.org/v1/api/a?b=c", Some("http://127.0.0.1:8080/s3cret/v1/api/a?b=c")),
            ("https://API.example.org:443/", Some("http://127.0.0.1:8080/s3cret/")),
            ("/v1/api/x", Some("http://127.0.0.1:8080/s3cret/v1/api/x")),
            ("http://api.example.org/", None),
            ("https://elsewhere.example.org/", None),
            ("//elsewhere.example.org/", None),
            ("next", None),
        ] {
            assert_eq!(moved(location, &base, proxy).as_ref().map(|new| new.to_str().unwrap()), new, "{location}");
        }
    }
}
