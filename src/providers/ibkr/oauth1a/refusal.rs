//! The 401 responses of OAuth, by what the owner has to do.

use core::fmt;
use core::time::Duration;

use http::StatusCode;
use http::header::DATE;

use crate::providers::ibkr;
use crate::{Response, Timestamp};

/// A refusal without a reason is blamed on a clock that differs by more than this.
/// IBKR's own tolerance is not known.
const TOLERANCE: Duration = Duration::from_secs(60);

/// Why IBKR refuses a signed request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refusal {
    /// The consumer key is unknown. A new one works only after IBKR's next nightly reset; else it is wrong.
    UnknownConsumer,
    /// The access token is void: it was regenerated in the portal. Use the new one.
    TokenRegenerated,
    /// A bearer token of OAuth 2.0 has expired.
    BearerExpired,
    /// This machine's clock is wrong, so the request's time is.
    Clock {
        /// The server's time less ours, in milliseconds.
        by_millis: i64,
    },
    /// Another reason, most likely the signature: a key that is not the uploaded one, or a wrong realm.
    Signature,
}

impl Refusal {
    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::UnknownConsumer => "oauth.unknown-consumer",
            Self::TokenRegenerated => "oauth.token-regenerated",
            Self::BearerExpired => "oauth.bearer-expired",
            Self::Clock { .. } => "oauth.clock",
            Self::Signature => "oauth.signature",
        }
    }
}

/// Returns the reason of a 401; `None` for every other status, and where it says nothing about the tokens: where only the
/// brokerage session is missing (`not authenticated`), or where a numbered host does not accept the client's address
/// (`IP not authorized`).
pub fn refusal(now: Timestamp, response: Response<'_>) -> Option<Refusal> {
    if response.status != StatusCode::UNAUTHORIZED {
        return None;
    }
    match ibkr::Refusal::of(response) {
        Some(ibkr::Refusal::NotAuthenticated | ibkr::Refusal::IpNotAuthorized) => return None,
        Some(ibkr::Refusal::ConsumerInvalid) => return Some(Refusal::UnknownConsumer),
        Some(ibkr::Refusal::TokenRegenerated) => return Some(Refusal::TokenRegenerated),
        Some(ibkr::Refusal::BearerExpired) => return Some(Refusal::BearerExpired),
        _ => {}
    }
    if let Some(theirs) = response.header(DATE).and_then(Timestamp::from_http_date)
        && theirs.since(now).max(now.since(theirs)) > TOLERANCE
    {
        let by = i128::from(theirs.as_millis()) - i128::from(now.as_millis());
        return Some(Refusal::Clock { by_millis: i64::try_from(by).unwrap_or(i64::MAX) });
    }
    Some(Refusal::Signature)
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownConsumer => {
                f.write_str("the consumer key is unknown; a new one works after the provider's next nightly reset")
            }
            Self::TokenRegenerated => f.write_str("the access token has been regenerated in the portal"),
            Self::BearerExpired => f.write_str("the bearer token has expired"),
            Self::Clock { by_millis } => write!(f, "this machine's clock is wrong by {} s", by_millis / 1_000),
            Self::Signature => f.write_str("the request was refused, most likely its signature"),
        }
    }
}

impl std::error::Error for Refusal {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        let now = Timestamp::from_http_date("Sun, 06 Nov 1994 08:49:37 GMT").unwrap();
        let late = "Sun, 06 Nov 1994 07:49:37 GMT";
        let clock = Some(Refusal::Clock { by_millis: -3_600_000 });
        for (status, date, body, expected) in [
            (
                401,
                "",
                r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#,
                Some(Refusal::UnknownConsumer),
            ),
            (
                401,
                late,
                r#"{"error":"id: 118871, error: LST failed, error: No access secret key found for x","statusCode":401}"#,
                Some(Refusal::TokenRegenerated),
            ),
            (
                401,
                "",
                r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#,
                Some(Refusal::BearerExpired),
            ),
            (401, late, r#"{"error":"not authenticated","statusCode":401}"#, None),
            (401, late, "IP not authorized, use api.ibkr.com instead", None),
            (401, late, "Unauthorized", clock),
            (401, "Sun, 06 Nov 1994 08:49:00 GMT", "", Some(Refusal::Signature)),
            (401, "", "", Some(Refusal::Signature)),
            (503, late, "", None),
            (200, late, r#"{"error":"id: 39687, error: invalid consumer"}"#, None),
        ] {
            let response = http::Response::builder().status(status).header("date", date).body(body).unwrap();
            assert_eq!(refusal(now, Response::from(&response)), expected, "{body}");
        }
    }
}
