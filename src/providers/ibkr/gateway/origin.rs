//! The `Origin` of requests: in some configurations a gateway answers 401 to a POST without its own origin.

use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::BaseUrl;
use crate::providers::ibkr::Refusal;
use crate::providers::ibkr::method::refuses;

/// Whether the gateway wants its own `Origin`.
///
/// A gateway also answers 401 while nobody is logged in. A refusal of both forms therefore proves nothing, and
/// requests alternate between them until one is accepted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Origin {
    /// Whether the next request has it.
    sent: bool,
    /// Whether a request of this form was accepted.
    known: bool,
    /// Whether the other form was tried since one was accepted, or since the opening began.
    asked_both: bool,
}

impl Origin {
    /// Reports whether there is nothing to store.
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Lets an opening try the other form once.
    pub(super) const fn begin(&mut self) {
        self.asked_both = false;
    }

    /// Notes the response to a POST; returns true where it should be sent again at once in the other form.
    pub(super) fn note(&mut self, status: StatusCode, refusal: Option<Refusal>) -> bool {
        if is_missed(status, refusal) {
            if self.known {
                return false;
            }
            self.sent = !self.sent;
            return !core::mem::replace(&mut self.asked_both, true);
        }
        // A refusal of the method is no refusal of the origin.
        if status.is_success() || refusal.is_some_and(|refusal| refuses(status, refusal)) {
            *self = Self { sent: self.sent, known: true, asked_both: false };
        }
        false
    }

    /// Notes that a POST is refused although somebody is logged in: the gateway may have been reconfigured.
    pub(super) const fn doubt(&mut self) {
        self.known = false;
    }

    /// Sets the gateway's own origin on a request where it is wanted; like a browser, not on GET.
    pub(super) fn put(self, method: &Method, base: &BaseUrl, headers: &mut HeaderMap) {
        if !matches!(*method, Method::GET | Method::HEAD) {
            self.put_on_stream(base, headers);
        }
    }

    /// Sets it on the handshake of a stream, where a browser always does.
    pub(super) fn put_on_stream(self, base: &BaseUrl, headers: &mut HeaderMap) {
        if self.sent
            && let Ok(own) = HeaderValue::try_from(own(base))
        {
            headers.insert(ORIGIN, own);
        }
    }
}

/// Reports whether a response is one that a POST without the wanted origin gets, and also one without a login.
pub(super) fn is_missed(status: StatusCode, refusal: Option<Refusal>) -> bool {
    status == StatusCode::UNAUTHORIZED && matches!(refusal, Some(Refusal::NotLoggedIn | Refusal::Unauthorized))
}

/// Removes a foreign `Origin` or `Referer`, which the gateway treats as request forgery.
pub(super) fn drop_foreign(base: &BaseUrl, headers: &mut HeaderMap) {
    for name in [ORIGIN, REFERER] {
        let is_own = |value: &HeaderValue| {
            let uri = value.to_str().ok().and_then(|value| value.parse::<Uri>().ok());
            uri.is_some_and(|uri| base.same_origin(&uri))
        };
        if !headers.get_all(&name).iter().all(is_own) {
            headers.remove(name);
        }
    }
}

/// Returns an origin as browsers write it, without the scheme's default port.
fn own(base: &BaseUrl) -> String {
    let (scheme, host, port) = (base.scheme(), base.host(), base.port());
    if port == if scheme == "http" { 80 } else { 443 } {
        format!("{scheme}://{host}")
    } else {
        format!("{scheme}://{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_do() {
        for (base, expected) in [
            ("https://localhost:5000/v1/api", "https://localhost:5000"),
            ("https://LOCALHOST:443/v1/api", "https://localhost"),
            ("http://[::1]/v1/portal", "http://[::1]"),
            ("http://127.0.0.1:443/v1/portal", "http://127.0.0.1:443"),
        ] {
            assert_eq!(own(&BaseUrl::parse(base).unwrap()), expected);
        }
    }

    #[test]
    fn what_comes_from_another_page_does_not_say_so() {
        let base = BaseUrl::parse("https://localhost:5000/v1/api").unwrap();
        for (value, stays) in [
            ("https://localhost:5000", true),
            ("https://localhost:5000/sso/Login?forwardTo=22", true),
            ("https://localhost:5001", false),
            ("http://localhost:5000", false),
            ("https://example.org", false),
            ("null", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(ORIGIN, HeaderValue::from_static(value));
            headers.insert(REFERER, HeaderValue::from_static(value));
            drop_foreign(&base, &mut headers);
            assert_eq!((headers.contains_key(ORIGIN), headers.contains_key(REFERER)), (stays, stays), "{value}");
        }
    }
}
