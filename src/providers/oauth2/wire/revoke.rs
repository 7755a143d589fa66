//! The revocation of a token (RFC 7009).

use http::Request;

use super::{Assertion, Client, ClientError, Endpoint, ErrorBody};
use crate::wire::{self, Text};
use crate::{Response, Secret};

/// Which token is revoked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// A refresh token: revoke it first, since the server should end its access tokens with it.
    Refresh,
    /// An access token. Do not revoke old ones on the way: there are servers that end the refresh token with it.
    Access,
}

/// Builds the request that revokes a token. It may be repeated.
///
/// # Errors
/// [`ClientError::NoAssertion`] where the client has a key and `assertion` is missing.
pub fn revoke_request(
    endpoint: &Endpoint,
    client: &Client,
    assertion: Option<&Assertion>,
    token: &Secret,
    kind: TokenKind,
) -> Result<Request<Vec<u8>>, ClientError> {
    let hint = match kind {
        TokenKind::Refresh => "refresh_token",
        TokenKind::Access => "access_token",
    };
    client.post_as(endpoint, &[("token", token.expose()), ("token_type_hint", hint)], assertion)
}

crate::wire_object! {
    /// The fields of an error.
    struct RevokeBody<'a> {
        /// The code.
        error: Text<'a> = "error",
        /// Its description.
        error_description: Text<'a> = "error_description",
    }
}

/// What a revocation got.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Revocation {
    /// The token is dead, or was before.
    Done,
    /// The token lives on; ask [`ErrorBody::meaning`].
    Error(ErrorBody),
    /// The token lives on: the server had no time for it (503, 429). Try again after its `Retry-After`.
    Later,
    /// Nothing is proven. A repetition is safe.
    Unknown,
}

impl Revocation {
    /// Reads the answer: 200 with any body but an error's is success (section 2.2); an HTML page is a proxy's.
    pub fn read(response: Response<'_>) -> Self {
        let body = wire::json::<RevokeBody<'_>>(response.body).unwrap_or_default();
        if let Some(error) = ErrorBody::of(response.status, body.error, body.error_description, None) {
            return Self::Error(error);
        }
        match response.status.as_u16() {
            200 if !response.is_html() => Self::Done,
            429 | 503 => Self::Later,
            _ => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_request_names_the_token_and_its_kind() {
        let endpoint = Endpoint::parse("https://login.example.org/revoke").unwrap();
        let client = Client::public("app").unwrap();
        let form = |kind| {
            let request = revoke_request(&endpoint, &client, None, &"t/1".into(), kind).unwrap();
            String::from_utf8(request.into_body()).unwrap()
        };
        assert_eq!(form(TokenKind::Refresh), "token=t%2F1&token_type_hint=refresh_token&client_id=app");
        assert_eq!(form(TokenKind::Access), "token=t%2F1&token_type_hint=access_token&client_id=app");
    }

    #[test]
    fn only_200_that_is_no_page_is_success() {
        let read = |status: u16, body: &str| {
            Revocation::read((&http::Response::builder().status(status).body(body).unwrap()).into())
        };
        for body in ["", "{}", "ok", r#"{"error":null}"#] {
            assert_eq!(read(200, body), Revocation::Done, "{body}");
        }
        assert!(matches!(read(400, r#"{"error":"unsupported_token_type"}"#), Revocation::Error(_)));
        assert!(matches!(read(200, r#"{"error":"invalid_request"}"#), Revocation::Error(_)));
        assert_eq!(read(503, ""), Revocation::Later);
        assert_eq!(read(429, ""), Revocation::Later);
        for (status, body) in
            [(200, "<html>log in</html>"), (302, ""), (401, ""), (404, "{}"), (500, ""), (502, "<html>")]
        {
            assert_eq!(read(status, body), Revocation::Unknown, "{status} {body}");
        }
    }
}
