//! The requests and replies of both APIs, usable without a session.
//!
//! **Header names.** Kotak's documents pass parameters in headers with names such as `consumerKey` and
//! `oneTimeToken`. HTTP names are case-insensitive (RFC 9110, 5.1), and the `http` crate stores every
//! name in lower case, so HTTP/1.1 clients built on it write `consumerkey` on the wire; HTTP/2 forces
//! lower case on everybody. Nothing can be done about it above the HTTP client: one that title-cases
//! names on request (hyper's `title_case_headers`) would write `Consumerkey`, no nearer to the
//! documents. The constants in [`header`] therefore hold the lower-case form of the documented name.
//!
//! **Success.** Both APIs put errors into replies with status 200, so a reply is proven by the token in
//! it and by nothing else. Read the reply first and ask [`fault`] what went wrong if the token is missing.

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use serde::Serialize;

use crate::provider::Unbuildable;
use crate::server::BaseUrl;

pub mod envelope;
pub mod fault;
pub mod gateway;
pub mod jwt;
pub mod neo;
pub mod trade_api;

/// The header names of both APIs; see the [module's page](self) for their case.
pub mod header {
    use http::HeaderName;

    /// `consumerKey`: the key of the application, as the gateway's developer portal gave it.
    pub const CONSUMER_KEY: HeaderName = HeaderName::from_static("consumerkey");
    /// `ip`: the address of the client; any text will do, the server does not compare it.
    pub const IP: HeaderName = HeaderName::from_static("ip");
    /// `appId`: the name of the application; any text will do.
    pub const APP_ID: HeaderName = HeaderName::from_static("appid");
    /// `userid`: the user, as a header of init, of the request for a code, and of logout only.
    pub const USERID: HeaderName = HeaderName::from_static("userid");
    /// `oneTimeToken`: what the login gave, for the second factor.
    pub const ONE_TIME_TOKEN: HeaderName = HeaderName::from_static("onetimetoken");
    /// `sessionToken`: what the second factor gave, for logout and every call after it.
    pub const SESSION_TOKEN: HeaderName = HeaderName::from_static("sessiontoken");
    /// `Sid` (Neo): the id of the session that the token in [`AUTH`] belongs to.
    pub const SID: HeaderName = HeaderName::from_static("sid");
    /// `Auth` (Neo): the view token before the second factor, the trade token after it.
    pub const AUTH: HeaderName = HeaderName::from_static("auth");
    /// `neo-fin-key` (Neo): a constant.
    pub const NEO_FIN_KEY: HeaderName = HeaderName::from_static("neo-fin-key");
}

/// Puts one request together; the first part that cannot be written is the error.
pub(crate) struct Build {
    request: Request<Vec<u8>>,
    broken: Option<&'static str>,
}

impl Build {
    /// Begins a request that accepts JSON.
    pub(crate) fn new(method: Method, base: &BaseUrl, path: &str) -> Self {
        let mut request = Request::new(Vec::new());
        *request.method_mut() = method;
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
        let uri: Result<Uri, _> = base.join(path);
        let broken = uri.is_err().then_some("path");
        if let Ok(uri) = uri {
            *request.uri_mut() = uri;
        }
        Self { request, broken }
    }

    /// Sets a header whose value may be logged.
    pub(crate) fn header(self, name: HeaderName, field: &'static str, value: &str) -> Self {
        self.set(name, field, value, false)
    }

    /// Sets a header whose value is a secret.
    pub(crate) fn secret(self, name: HeaderName, field: &'static str, value: &str) -> Self {
        self.set(name, field, value, true)
    }

    /// Sets `Authorization: <scheme> <token>`; the scheme may be empty.
    pub(crate) fn authorization(self, scheme: &str, token: &str) -> Self {
        let value = zeroize::Zeroizing::new(format!("{scheme}{token}"));
        self.set(AUTHORIZATION, "bearer", &value, true)
    }

    /// Sets a JSON body.
    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        match serde_json::to_vec(body) {
            Ok(body) => *self.request.body_mut() = body,
            Err(_) => self.broken = self.broken.or(Some("body")),
        }
        self.content("application/json")
    }

    /// Sets a form body.
    pub(crate) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        match serde_urlencoded::to_string(fields) {
            Ok(body) => *self.request.body_mut() = body.into_bytes(),
            Err(_) => self.broken = self.broken.or(Some("body")),
        }
        self.content("application/x-www-form-urlencoded")
    }

    /// Ends the request.
    pub(crate) fn done(self) -> Result<Request<Vec<u8>>, Unbuildable> {
        match self.broken {
            Some(part) => Err(Unbuildable::Part(part)),
            None => Ok(self.request),
        }
    }

    fn content(mut self, media: &'static str) -> Self {
        self.request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        self
    }

    fn set(mut self, name: HeaderName, field: &'static str, value: &str, secret: bool) -> Self {
        match value_of(value, secret) {
            Some(value) => {
                self.request.headers_mut().insert(name, value);
            }
            None => self.broken = self.broken.or(Some(field)),
        }
        self
    }
}

/// Makes a header value; `None` where the text has a character that no header may have.
fn value_of(text: &str, secret: bool) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(secret);
    Some(value)
}

/// Escapes a text for one segment of a path (RFC 3986, 2.3), so that no user id can leave it.
pub(crate) fn segment(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'~') {
            escaped.push(char::from(byte));
        } else {
            escaped.push('%');
            for half in [byte >> 4, byte & 15] {
                escaped.extend(char::from_digit(u32::from(half), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_cannot_leave_its_place() {
        assert_eq!(segment("1Y125"), "1Y125");
        assert_eq!(segment("../a?b#c%"), "%2E%2E%2Fa%3Fb%23c%25");
    }
}
