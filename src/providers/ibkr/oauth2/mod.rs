//! IBKR's OAuth 2.0, for institutions: a client assertion is exchanged for a token, token and
//! address of this machine for a session, and the session's token is the bearer of every call.
//!
//! ```text
//!  Client::assertion ─ key ─▶ token_request ─▶ Bearer ─┐
//!  Client::session   ─ key ─▶ session_request ◀────────┘ ─▶ the second Bearer ─▶ authorize
//! ```
//!
//! The paths begin at the server's root (`https://api.ibkr.com`), not below `/v1/api`.
//!
//! [`direct`](super::direct) describes a session on these parts (steps, needs, deadlines, close reasons, diagram).
//!
//! # Prerequisites and lifetimes
//!
//! A client id, a key id and an RSA key of 3072 bits or more, registered on application; not available to individuals. An
//! assertion is valid for 20 s, the first token for 86399 s. The second token, of the session,
//! names no expiry: 24 hours are assumed. It is bound to the address that [`SessionUser::ip`] names, which the
//! server compares with the one that it sees: a session **may not move** to another.
//!
//! # Traps
//!
//! - Calls need the second token; with the first one they are refused (the specification's text, and
//!   the one public client).
//! - The assertion's audience is the path `/token`, not a URL (the same sources).
//! - The specification lists the form's fields in camel case; the wire wants `client_assertion`.
//! - Errors are `application/problem+json`: 400 for a refused assertion, address or user, 401 "Access token expired"
//!   for a dead bearer, which is no refusal of the user.

mod jwt;

use core::fmt;
use core::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use serde::{Deserialize, Serialize};

use super::oauth1a::{Refusal, SignError, post, refusal};
use crate::wire::{self, Text};
use crate::{
    BaseUrl, Response, Secret, Timestamp,
    machine::{Rejection, ServerText},
    secret,
};

pub use jwt::{Client, Jwt, SessionUser, UnsignedJwt};

/// The shortest signature key in bits that IBKR registers for OAuth 2.0.
pub const SHORTEST_KEY: u32 = 3_072;

/// Builds `POST /oauth2/api/v1/token` with a signed [`Client::assertion`]. `root` is the server's root.
///
/// # Errors
/// [`SignError::Uri`] where the base URL cannot be extended.
pub fn token_request(root: &BaseUrl, assertion: &Jwt) -> Result<Request<Vec<u8>>, SignError> {
    let mut form = String::with_capacity(assertion.expose().len() + 256);
    // The alphabet of a JWT needs no escape in a form.
    for part in [
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=",
        assertion.expose(),
        "&scope=sso-sessions.write",
    ] {
        form.push_str(part);
    }
    post_to(root, "/oauth2/api/v1/token", "application/x-www-form-urlencoded", form.into_bytes(), None)
}

/// Builds `POST /gw/api/v1/sso-sessions` with a signed [`Client::session`] and the first token.
///
/// # Errors
/// [`SignError::Uri`] where the base URL cannot be extended, [`SignError::Malformed`] where the token
/// cannot stand in a header.
pub fn session_request(root: &BaseUrl, token: &Bearer, claims: &Jwt) -> Result<Request<Vec<u8>>, SignError> {
    let body = claims.expose().as_bytes().to_vec();
    post_to(root, "/gw/api/v1/sso-sessions", "application/jwt", body, Some(token))
}

/// Builds `POST /gw/api/v1/sso-browser-sessions`, for end users who log in on a page of their own.
///
/// It takes the same claims as [`session_request`] and is answered with a [`BrowserSessionBody`], whose
/// URL the user opens. No session of this crate uses it.
///
/// # Errors
/// Those of [`session_request`].
pub fn browser_session_request(root: &BaseUrl, token: &Bearer, claims: &Jwt) -> Result<Request<Vec<u8>>, SignError> {
    let body = claims.expose().as_bytes().to_vec();
    post_to(root, "/gw/api/v1/sso-browser-sessions", "application/jwt", body, Some(token))
}

fn post_to(
    root: &BaseUrl,
    path: &str,
    media: &'static str,
    body: Vec<u8>,
    token: Option<&Bearer>,
) -> Result<Request<Vec<u8>>, SignError> {
    let mut request = post(root.join(path).map_err(|_| SignError::Uri("the base URL"))?, body);
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    if let Some(token) = token {
        request.headers_mut().insert(AUTHORIZATION, token.header()?);
    }
    Ok(request)
}

/// A bearer token and when it ends, as far as known.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Bearer {
    #[serde(with = "secret::exposed")]
    token: Secret,
    expires: Option<Timestamp>,
}

impl Bearer {
    /// Creates a bearer from a token.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where it is empty or cannot stand in a header.
    pub fn new(token: impl Into<Secret>, expires: Option<Timestamp>) -> Result<Self, SignError> {
        let bearer = Self { token: token.into(), expires };
        bearer.check()?;
        Ok(bearer)
    }

    /// Reads the response to [`token_request`].
    ///
    /// # Errors
    /// [`TokenError`] distinguishes a refusal from an unreadable response.
    pub fn read(response: Response<'_>, now: Timestamp) -> Result<Self, TokenError> {
        let body: TokenBody<'_> = read(response, now)?;
        let token = body.access_token.ok_or(TokenError::Unreadable("no access_token"))?;
        // 86399 s, as far as was seen.
        let expires = body.expires_in.map(|seconds| now + Duration::from_secs(seconds));
        Self::new(Secret::new(token), expires)
            .map_err(|_| TokenError::Unreadable("an access_token of another alphabet"))
    }

    /// Reads the response to [`session_request`].
    ///
    /// The second token names no expiry: it expires with the session.
    ///
    /// # Errors
    /// [`TokenError`] distinguishes a refusal from an unreadable response.
    pub fn read_session(response: Response<'_>, now: Timestamp) -> Result<Self, TokenError> {
        let body: SessionBody<'_> = read(response, now)?;
        if body.active == Some(false) {
            return Err(TokenError::Unreadable("a session that is not active"));
        }
        let token = body.access_token.ok_or(TokenError::Unreadable("no access_token"))?;
        Self::new(Secret::new(token), None).map_err(|_| TokenError::Unreadable("an access_token of another alphabet"))
    }

    /// Returns the token.
    pub fn expose(&self) -> &str {
        self.token.expose()
    }

    /// Returns when the token ends, where the server said so.
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Sets the token on a call and replaces an earlier one.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where it cannot stand in a header, which no token made by this type does.
    pub fn authorize(&self, parts: &mut Parts) -> Result<(), SignError> {
        parts.headers.insert(AUTHORIZATION, self.header()?);
        Ok(())
    }

    /// Reports whether the token can stand in a header; one out of a snapshot may not.
    pub(super) fn check(&self) -> Result<(), SignError> {
        const WHAT: &str = "bearer token";
        Rejection::check_token(WHAT, self.token.expose()).map_err(|_| SignError::Malformed(WHAT))
    }

    fn header(&self) -> Result<HeaderValue, SignError> {
        self.check()?;
        self.token.header("Bearer ").map_err(|_| SignError::Malformed("bearer token"))
    }
}

fn read<'a, T: wire::Lenient<'a>>(response: Response<'a>, now: Timestamp) -> Result<T, TokenError> {
    if let Some(refusal) = refusal(now, response) {
        return Err(TokenError::Refused(refusal));
    }
    match response.status {
        StatusCode::BAD_REQUEST | StatusCode::FORBIDDEN => {
            let body: ProblemBody<'_> = wire::json(response.body).unwrap_or_default();
            let text = body.detail.or(body.error_description).or(body.title).or(body.error);
            Err(TokenError::Rejected(text.map(|text| ServerText::new(&text))))
        }
        _ => wire::json(response.body).ok_or(TokenError::Unreadable("no JSON object")),
    }
}

crate::wire_object! {
    /// The response to `POST /oauth2/api/v1/token`.
    pub struct TokenBody<'a> {
        /// The token.
        access_token: Text<'a> = "access_token",
        /// `Bearer`.
        token_type: Text<'a> = "token_type",
        /// What the token is for.
        scope: Text<'a> = "scope",
        /// The token's life in seconds.
        expires_in: u64 = "expires_in",
    }
}

crate::wire_object! {
    /// The response to `POST /gw/api/v1/sso-sessions`.
    pub struct SessionBody<'a> {
        /// Whether the session is usable.
        active: bool = "active",
        /// The bearer token of all further calls.
        access_token: Text<'a> = "access_token",
        /// `Bearer`.
        token_type: Text<'a> = "token_type",
    }
}

crate::wire_object! {
    /// The response to `POST /gw/api/v1/sso-browser-sessions`, which logs end users in.
    pub struct BrowserSessionBody<'a> {
        /// Whether the session is usable.
        active: bool = "active",
        /// Where the user has to go.
        url: Text<'a> = "url",
    }
}

crate::wire_object! {
    /// An error of these endpoints, `application/problem+json` or that of RFC 6749.
    pub struct ProblemBody<'a> {
        /// The kind of error in words.
        title: Text<'a> = "title",
        /// What is wrong.
        detail: Text<'a> = "detail",
        /// The kind of error as a code.
        error: Text<'a> = "error",
        /// What is wrong.
        error_description: Text<'a> = "error_description",
    }
}

/// Why a response does not yield a bearer token.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// The server refused the client; the reason says what to do.
    Refused(Refusal),
    /// The server refused the request: the assertion, the address or the user.
    Rejected(Option<ServerText>),
    /// The response is not one of this endpoint's; the text says why.
    Unreadable(&'static str),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Rejected(Some(text)) => write!(f, "the server refuses the request: {text}"),
            Self::Rejected(None) => f.write_str("the server refuses the request"),
            Self::Unreadable(why) => write!(f, "token: {why}"),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests;
