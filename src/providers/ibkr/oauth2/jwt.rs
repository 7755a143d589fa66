//! The JSON web tokens that a client signs: its assertion, and the claims of a session.

use core::fmt;
use core::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::provider::Entropy;
use crate::providers::ibkr::keys::PrivateKey;
use crate::providers::ibkr::oauth1a::SignError;
use crate::{Timestamp, machine::Rejection};

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
    /// [`SignError::Malformed`] names the one that is empty, or has spaces or other characters than printable ASCII.
    pub fn new(id: &str, key_id: &str) -> Result<Self, SignError> {
        for (text, what) in [(id, "client id"), (key_id, "key id")] {
            Rejection::check_token(what, text).map_err(|_| SignError::Malformed(what))?;
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
