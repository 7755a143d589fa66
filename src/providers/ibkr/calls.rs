//! The user's own calls: what they need on the way, and which of them do what the session does by itself.

use http::header::{ACCEPT, CONTENT_LENGTH, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};

use super::wire;

/// Adds what the transport in front of IBKR's servers demands of every call.
pub(super) fn complete(parts: &mut Parts, body: &[u8]) {
    let agent = const { HeaderValue::from_static(wire::USER_AGENT) };
    parts.headers.entry(USER_AGENT).or_insert(agent);
    parts.headers.entry(ACCEPT).or_insert(wire::JSON);
    // A POST without a length is answered with 411.
    if body.is_empty() && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        parts.headers.entry(CONTENT_LENGTH).or_insert(const { HeaderValue::from_static("0") });
    }
}

/// A call that the session makes by itself, too, and that may be made only so often.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Own {
    /// `tickle`, at most once a second, by any method.
    Tickle,
    /// `sso/validate`, at most once a minute.
    Validate,
}

impl Own {
    /// Tells what a path is for, below whichever of a server's bases.
    pub(super) fn of_path(path: &str) -> Option<Self> {
        if path.ends_with("/tickle") {
            Some(Self::Tickle)
        } else {
            path.ends_with("/sso/validate").then_some(Self::Validate)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_session_does_by_itself_is_known_below_every_base() {
        for (path, own) in [
            ("/v1/api/tickle", Some(Own::Tickle)),
            ("/v1/portal/sso/validate", Some(Own::Validate)),
            ("/v1/api/iserver/auth/status", None),
            ("/v1/api/tickles", None),
            ("/v1/api/iserver/validate", None),
        ] {
            assert_eq!(Own::of_path(path), own, "{path}");
        }
    }
}
