//! The JSON web tokens that a client signs: its assertion, and the claims of a session.

use core::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::provider::Entropy;
use crate::providers::ibkr::keys::PrivateKey;
use crate::providers::ibkr::oauth1a::{SignError, check_length};
use crate::{Secret, Timestamp, machine::Rejection};

/// The client that IBKR registered: its id and the id of its signature key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Client {
    id: Box<str>,
    key_id: Box<str>,
}

impl Client {
    /// Creates a client from its id and the id of its key, both assigned by IBKR.
    ///
    /// # Errors
    /// [`SignError::Malformed`] names the one that is empty, or has spaces or other characters than printable ASCII.
    pub fn new(id: &str, key_id: &str) -> Result<Self, SignError> {
        for (text, what) in [(id, "client id"), (key_id, "key id")] {
            Rejection::check_token(what, text).map_err(|_| SignError::Malformed(what))?;
        }
        Ok(Self { id: id.into(), key_id: key_id.into() })
    }

    /// Returns the client's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Returns the assertion that authenticates the client in the token request (RFC 7523).
    ///
    /// It is valid from 10 s ago, for clocks that are a little ahead, until 20 s from now.
    pub fn assertion(&self, now: Timestamp) -> UnsignedJwt {
        let (id, seconds) = (&self.id, now.as_secs());
        let (from, until) = (seconds.saturating_sub(10), seconds.saturating_add(20));
        self.unsigned(&json!({"iss": id, "sub": id, "aud": "/token", "exp": until, "iat": from}))
    }

    /// Returns the claims for a session of one user at this machine's address.
    pub fn session(&self, user: &SessionUser<'_>, now: Timestamp) -> UnsignedJwt {
        let seconds = now.as_secs();
        let mut claims = json!({
            "ip": user.ip,
            "credential": user.credential,
            "iss": self.id,
            "exp": seconds.saturating_add(86_400),
            "iat": seconds,
        });
        let optional = [
            user.service.map(|service| ("service", json!(service))),
            (!user.alternative_ips.is_empty()).then(|| ("alternativeIps", json!(user.alternative_ips))),
        ];
        if let Some(claims) = claims.as_object_mut() {
            claims.extend(optional.into_iter().flatten().map(|(name, value)| (name.to_owned(), value)));
        }
        self.unsigned(&claims)
    }

    fn unsigned(&self, claims: &Value) -> UnsignedJwt {
        let header = json!({"alg": "RS256", "typ": "JWT", "kid": self.key_id});
        let part = |json: &Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
        UnsignedJwt { text: Secret::new(format!("{}.{}", part(&header), part(claims))) }
    }
}

/// The user of a session.
#[derive(Clone, Copy, Debug)]
pub struct SessionUser<'a> {
    /// This machine's address as IBKR sees it; the session is bound to it.
    pub ip: IpAddr,
    /// The user's name at IBKR.
    pub credential: &'a str,
    /// The service, for clients that have several.
    pub service: Option<&'a str>,
    /// Further addresses that may use the session.
    pub alternative_ips: &'a [IpAddr],
}

/// A JSON web token that lacks only its signature (RS256).
///
/// [`UnsignedJwt::sign`] takes a key of this process; if it is in a vault or an HSM, let it sign
/// [`UnsignedJwt::digest`] or [`UnsignedJwt::text`] and pass the signature to [`UnsignedJwt::finish`]
/// soon: an assertion is valid for 20 s.
#[derive(Debug)]
pub struct UnsignedJwt {
    text: Secret,
}

impl UnsignedJwt {
    /// Returns the text that is to be signed.
    pub fn text(&self) -> &str {
        self.text.expose()
    }

    /// Returns the SHA-256 of the text, which is what RSASSA-PKCS1-v1_5 signs.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(self.text()).into()
    }

    /// Signs with a key of this process; `entropy` is for the blinding only.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the key's parts do not belong together.
    pub fn sign(&self, key: &PrivateKey, entropy: Entropy<'_>) -> Result<Jwt, SignError> {
        let signature = key.sign(&self.digest(), entropy).map_err(|_| SignError::Signature)?;
        self.finish(&signature)
    }

    /// Returns the signed token with a signature that was made elsewhere.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the length is not an RSA key's (256 to 1024 bytes).
    pub fn finish(&self, signature: &[u8]) -> Result<Jwt, SignError> {
        check_length(signature)?;
        Ok(Jwt(Secret::new(format!("{}.{}", self.text(), BASE64_URL_SAFE_NO_PAD.encode(signature)))))
    }
}

/// A signed JSON web token, wiped on drop.
#[derive(Debug)]
pub struct Jwt(Secret);

impl Jwt {
    /// Returns the token.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}
