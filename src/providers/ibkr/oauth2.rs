//! OAuth 2.0 as IBKR speaks it, for institutions: a client assertion for a token, the token and the
//! address of this machine for a session, whose own token is the bearer of every call.
//!
//! ```text
//!  Client::assertion ─ key ─▶ token_request ─▶ Bearer ─┐
//!  Client::session   ─ key ─▶ session_request ◀────────┘ ─▶ the second Bearer ─▶ authorize
//! ```
//!
//! The paths begin at the server's root (`https://api.ibkr.com`), not below `/v1/api`.

use core::fmt;
use core::net::IpAddr;
use core::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::keys::PrivateKey;
use super::oauth1a::{AGENT, Refusal, SignError, refusal};
use crate::provider::Entropy;
use crate::wire::{self, Text};
use crate::{BaseUrl, Response, Secret, ServerText, Timestamp, secret};

/// The shortest signature key in bits that IBKR registers for OAuth 2.0.
pub const SHORTEST_KEY: u32 = 3_072;

/// The client that IBKR registered: its id and the id of its signature key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    id: Box<str>,
    key_id: Box<str>,
}

impl Client {
    /// Takes the client's id and the id of its key, both as IBKR assigned them.
    ///
    /// # Errors
    /// [`SignError::Malformed`] names the one that is empty.
    pub fn new(id: &str, key_id: &str) -> Result<Self, SignError> {
        for (text, what) in [(id, "client id"), (key_id, "key id")] {
            if text.is_empty() {
                return Err(SignError::Malformed(what));
            }
        }
        Ok(Self { id: id.into(), key_id: key_id.into() })
    }

    /// Gives the client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Writes the assertion that stands for a password in the token request (RFC 7523).
    ///
    /// It is valid from 10 s ago, for clocks that are a little ahead, until 20 s from now.
    pub fn assertion(&self, now: Timestamp) -> UnsignedJwt {
        let seconds = now.as_secs();
        UnsignedJwt::new(
            &self.key_id,
            &AssertionClaims {
                iss: &self.id,
                sub: &self.id,
                aud: "/token",
                exp: seconds.saturating_add(20),
                iat: seconds.saturating_sub(10),
            },
        )
    }

    /// Writes the claims for a session of one user, seen from this machine's address.
    pub fn session(&self, user: &SessionUser<'_>, now: Timestamp) -> UnsignedJwt {
        let seconds = now.as_secs();
        UnsignedJwt::new(
            &self.key_id,
            &SessionClaims {
                ip: user.ip,
                credential: user.credential,
                iss: &self.id,
                exp: seconds.saturating_add(86_400),
                iat: seconds,
                service: user.service,
                alternative_ips: user.alternative_ips,
            },
        )
    }
}

/// Whom a session is for.
#[derive(Clone, Copy, Debug)]
pub struct SessionUser<'a> {
    /// The address that IBKR sees this machine under; the session is bound to it.
    pub ip: IpAddr,
    /// The user's name at IBKR.
    pub credential: &'a str,
    /// The service, for clients that have several.
    pub service: Option<&'a str>,
    /// Further addresses that may use the session.
    pub alternative_ips: &'a [IpAddr],
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'static str,
    kid: &'a str,
}

#[derive(Serialize)]
struct AssertionClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'static str,
    exp: u64,
    iat: u64,
}

#[derive(Serialize)]
struct SessionClaims<'a> {
    ip: IpAddr,
    credential: &'a str,
    iss: &'a str,
    exp: u64,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<&'a str>,
    #[serde(rename = "alternativeIps", skip_serializing_if = "<[_]>::is_empty")]
    alternative_ips: &'a [IpAddr],
}

/// A JSON web token that lacks only its signature (RS256).
///
/// [`UnsignedJwt::sign`] takes a key of this process; where it lives in a vault or an HSM, hand out
/// [`UnsignedJwt::digest`] or [`UnsignedJwt::text`] and bring the answer to [`UnsignedJwt::finish`]
/// soon: an assertion is valid for 20 s.
pub struct UnsignedJwt {
    text: Zeroizing<String>,
}

impl UnsignedJwt {
    fn new(key_id: &str, claims: &impl Serialize) -> Self {
        // Neither can fail: there is no map with keys that are no strings.
        let header = serde_json::to_vec(&Header { alg: "RS256", typ: "JWT", kid: key_id }).unwrap_or_default();
        let claims = Zeroizing::new(serde_json::to_vec(claims).unwrap_or_default());
        let mut text = Zeroizing::new(String::with_capacity((header.len() + claims.len()) * 4 / 3 + 8));
        BASE64_URL_SAFE_NO_PAD.encode_string(header, &mut text);
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(&*claims, &mut text);
        Self { text }
    }

    /// Shows the text that is to be signed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Gives the SHA-256 of the text, which is what RSASSA-PKCS1-v1_5 signs.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text.as_bytes()).into()
    }

    /// Signs with a key of this process; `entropy` serves the blinding only.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the key's parts do not belong together.
    pub fn sign(&self, key: &PrivateKey, entropy: Entropy<'_>) -> Result<Jwt, SignError> {
        let signature = key.sign(&self.digest(), entropy).map_err(|_| SignError::Signature)?;
        self.finish(&signature)
    }

    /// Takes the signature's bytes from elsewhere.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the length is no RSA key's (256 to 1024 bytes).
    pub fn finish(&self, signature: &[u8]) -> Result<Jwt, SignError> {
        if !(256..=1024).contains(&signature.len()) || !signature.len().is_multiple_of(8) {
            return Err(SignError::Signature);
        }
        let mut text = Zeroizing::new(String::with_capacity(self.text.len() + signature.len() * 4 / 3 + 5));
        text.push_str(&self.text);
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(signature, &mut text);
        Ok(Jwt(text))
    }
}

impl fmt::Debug for UnsignedJwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnsignedJwt(..)")
    }
}

/// A signed JSON web token, wiped on drop.
pub struct Jwt(Zeroizing<String>);

impl Jwt {
    /// Shows the token.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Jwt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Jwt(..)")
    }
}

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
    post(root, "/oauth2/api/v1/token", "application/x-www-form-urlencoded", form.into_bytes(), None)
}

/// Builds `POST /gw/api/v1/sso-sessions` with a signed [`Client::session`] and the first token.
///
/// # Errors
/// [`SignError::Uri`] where the base URL cannot be extended, [`SignError::Malformed`] where the token
/// cannot stand in a header.
pub fn session_request(root: &BaseUrl, token: &Bearer, claims: &Jwt) -> Result<Request<Vec<u8>>, SignError> {
    let body = claims.expose().as_bytes().to_vec();
    post(root, "/gw/api/v1/sso-sessions", "application/jwt", body, Some(token))
}

fn post(
    root: &BaseUrl,
    path: &str,
    media: &'static str,
    body: Vec<u8>,
    token: Option<&Bearer>,
) -> Result<Request<Vec<u8>>, SignError> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = root.join(path).map_err(|_| SignError::Uri("the base URL"))?;
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media));
    headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(USER_AGENT, AGENT);
    if let Some(token) = token {
        headers.insert(AUTHORIZATION, token.header()?);
    }
    Ok(request)
}

/// A bearer token and when it ends, as far as known.
#[derive(Clone, Serialize, Deserialize)]
pub struct Bearer {
    #[serde(with = "secret::exposed")]
    token: Secret,
    expires: Option<Timestamp>,
}

impl Bearer {
    /// Takes a token.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where it is empty or cannot stand in a header.
    pub fn new(token: impl Into<Secret>, expires: Option<Timestamp>) -> Result<Self, SignError> {
        let bearer = Self { token: token.into(), expires };
        bearer.header()?;
        Ok(bearer)
    }

    /// Reads the response to [`token_request`].
    ///
    /// # Errors
    /// [`TokenError`] tells a refusal from an answer that cannot be read.
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
    /// The second token does not tell its end: it follows the session's.
    ///
    /// # Errors
    /// [`TokenError`] tells a refusal from an answer that cannot be read.
    pub fn read_session(response: Response<'_>, now: Timestamp) -> Result<Self, TokenError> {
        let body: SessionBody<'_> = read(response, now)?;
        if body.active == Some(false) {
            return Err(TokenError::Unreadable("a session that is not active"));
        }
        let token = body.access_token.ok_or(TokenError::Unreadable("no access_token"))?;
        Self::new(Secret::new(token), None).map_err(|_| TokenError::Unreadable("an access_token of another alphabet"))
    }

    /// Shows the token.
    pub fn expose(&self) -> &str {
        self.token.expose()
    }

    /// Tells when the token ends, where the server said so.
    pub const fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    /// Puts the token on a call, in place of an earlier one.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where it cannot stand in a header, which no token made by this type does.
    pub fn authorize(&self, parts: &mut Parts) -> Result<(), SignError> {
        parts.headers.insert(AUTHORIZATION, self.header()?);
        Ok(())
    }

    fn header(&self) -> Result<HeaderValue, SignError> {
        let token = self.token.expose();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(SignError::Malformed("bearer token"));
        }
        let mut text = Vec::with_capacity(7 + token.len());
        text.extend_from_slice(b"Bearer ");
        text.extend_from_slice(token.as_bytes());
        let mut value = HeaderValue::try_from(text).map_err(|_| SignError::Malformed("bearer token"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl fmt::Debug for Bearer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bearer").field("expires", &self.expires).finish_non_exhaustive()
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

/// Why there is no bearer token.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TokenError {
    /// The server refused who asks; the reason tells what to do.
    Refused(Refusal),
    /// The server refused what is asked: the assertion, the address or the user.
    Rejected(Option<ServerText>),
    /// The response is not one of this endpoint's; the text says why.
    Unreadable(&'static str),
}

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Rejected(Some(text)) => write!(f, "the server does not take the request: {text}"),
            Self::Rejected(None) => f.write_str("the server does not take the request"),
            Self::Unreadable(why) => write!(f, "token: {why}"),
        }
    }
}

impl std::error::Error for TokenError {}

#[cfg(test)]
mod tests;
