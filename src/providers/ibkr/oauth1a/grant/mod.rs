//! Access tokens: from IBKR's portal for one's own account, or by consent of somebody else's.
//!
//! For one's own account the portal gives access token and secret; request and access token must not
//! be asked for then. Third parties ask for a request token, send the owner to the consent page,
//! bring the verifier that it shows, and get an access token.

use core::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::header::{Consumer, SignError, plain};
use super::live_session_token::AccessTokenSecret;
use super::refusal::{Refusal, refusal};
use super::unsigned::{Parameters, Unsigned};
use crate::provider::Entropy;
use crate::providers::ibkr::keys::{KeyError, PrivateKey};
use crate::wire::{self, Text};
use crate::{BaseUrl, Response, Secret, Timestamp, secret};

/// The format of a grant's text.
const FORMAT: u32 = 1;

/// Builds `POST /oauth/request_token`, for the signature key to sign; third parties only.
///
/// # Errors
/// [`SignError`] names what cannot be written into it.
pub fn request_token(
    consumer: &Consumer,
    base: &BaseUrl,
    now: Timestamp,
    entropy: &Entropy<'_>,
) -> Result<Unsigned, SignError> {
    let first = Some(("oauth_callback", "oob".to_owned()));
    Unsigned::new(base, "/oauth/request_token", consumer, Parameters { first, ..Parameters::default() }, now, entropy)
}

/// The right to ask the owner of an account for consent, once.
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RequestToken(#[serde(with = "secret::exposed")] Secret);

impl RequestToken {
    /// Reads the response to [`request_token`].
    ///
    /// # Errors
    /// [`GrantError`] tells a refusal from a response that cannot be read.
    pub fn read(response: Response<'_>, now: Timestamp) -> Result<Self, GrantError> {
        let body = read(response, now)?;
        let token = body.token.ok_or(GrantError::Unreadable("no oauth_token"))?;
        let token = Self(Secret::new(token));
        token.check().map_err(|_| GrantError::Unreadable("an oauth_token of another alphabet"))?;
        Ok(token)
    }

    /// Tells whether the token can be written into a request; one out of a snapshot may not.
    pub(crate) fn check(&self) -> Result<(), SignError> {
        plain(self.0.expose(), "oauth_token").map(drop)
    }

    /// Shows the token.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Gives the page where the account's owner consents; it shows the verifier afterwards.
    pub fn consent_url(&self) -> String {
        format!("https://www.interactivebrokers.com/authorize?oauth_token={}", self.0.expose())
    }

    /// Builds `POST /oauth/access_token` with the consent page's verifier, for the signature key to sign.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where the verifier is empty or has a character that none has.
    pub fn access_token(
        &self,
        verifier: &Secret,
        consumer: &Consumer,
        base: &BaseUrl,
        now: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<Unsigned, SignError> {
        let parameters = Parameters {
            token: Some(self.0.expose()),
            verifier: Some(plain(verifier.expose(), "verifier")?),
            ..Parameters::default()
        };
        Unsigned::new(base, "/oauth/access_token", consumer, parameters, now, entropy)
    }
}

impl fmt::Debug for RequestToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestToken(..)")
    }
}

/// An access token and its secret: what an account's owner has granted, until it is revoked.
///
/// It outlives every session, logout included, so it has a text of its own to be stored:
/// [`Grant::expose_secrets`]. The secret in it is the encrypted one unless it was taken in clear.
#[derive(Clone)]
pub struct Grant {
    access_token: Secret,
    secret: GrantSecret,
    paper: Option<bool>,
}

/// The secret of a [`Grant`], in base64 either way.
#[derive(Clone, Debug, Serialize, Deserialize)]
enum GrantSecret {
    #[serde(rename = "encrypted")]
    Encrypted(#[serde(with = "secret::exposed")] Secret),
    #[serde(rename = "plain")]
    Plain(#[serde(with = "secret::exposed")] Secret),
}

/// The text of a grant.
#[derive(Serialize, Deserialize)]
struct Stored {
    format: u32,
    #[serde(with = "secret::exposed")]
    access_token: Secret,
    secret: GrantSecret,
    #[serde(default)]
    paper: Option<bool>,
}

impl Grant {
    /// Takes access token and encrypted secret (base64), as the portal shows them.
    ///
    /// # Errors
    /// [`GrantError::Malformed`] names the one that cannot be right.
    pub fn new(access_token: impl Into<Secret>, encrypted_secret: impl Into<Secret>) -> Result<Self, GrantError> {
        Self::checked(access_token.into(), GrantSecret::Encrypted(encrypted_secret.into()), None)
    }

    /// Takes an access token whose secret has been decrypted elsewhere, such as in a vault.
    ///
    /// # Errors
    /// [`GrantError::Malformed`] where the access token cannot be right.
    pub fn decrypted(access_token: impl Into<Secret>, secret: &AccessTokenSecret) -> Result<Self, GrantError> {
        let text = Secret::new(BASE64_STANDARD.encode(secret.expose()));
        Self::checked(access_token.into(), GrantSecret::Plain(text), None)
    }

    fn checked(access_token: Secret, secret: GrantSecret, paper: Option<bool>) -> Result<Self, GrantError> {
        let grant = Self { access_token, secret, paper };
        plain(grant.access_token(), "access token").map_err(|_| GrantError::Malformed("access token"))?;
        if grant.bytes()?.is_empty() {
            return Err(GrantError::Malformed("access token secret"));
        }
        Ok(grant)
    }

    /// Reads the response to [`RequestToken::access_token`].
    ///
    /// # Errors
    /// [`GrantError`] tells a refusal from a response that cannot be read.
    pub fn read(response: Response<'_>, now: Timestamp) -> Result<Self, GrantError> {
        let body = read(response, now)?;
        let token = body.token.ok_or(GrantError::Unreadable("no oauth_token"))?;
        let secret = body.secret.ok_or(GrantError::Unreadable("no oauth_token_secret"))?;
        Self::checked(Secret::new(token), GrantSecret::Encrypted(Secret::new(secret)), body.paper)
    }

    /// Takes back the text of [`Grant::expose_secrets`].
    ///
    /// # Errors
    /// [`GrantError::Damaged`] where it is none, [`GrantError::NewerFormat`] where a later version of
    /// this crate wrote it.
    pub fn from_text(text: &str) -> Result<Self, GrantError> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let Format { format } = serde_json::from_str(text).map_err(|_| GrantError::Damaged)?;
        if format > FORMAT {
            return Err(GrantError::NewerFormat { found: format, known: FORMAT });
        }
        let stored: Stored = serde_json::from_str(text).map_err(|_| GrantError::Damaged)?;
        Self::checked(stored.access_token, stored.secret, stored.paper)
    }

    /// Writes the whole grant as text, secrets included: store it where only the account's owner reads.
    pub fn expose_secrets(&self) -> Secret {
        let Self { access_token, secret, paper } = self.clone();
        let stored = Stored { format: FORMAT, access_token, secret, paper };
        Secret::new(serde_json::to_string(&stored).unwrap_or_default())
    }

    /// Shows the access token.
    pub fn access_token(&self) -> &str {
        self.access_token.expose()
    }

    /// Tells whether the account is a paper one, where the server said so.
    pub const fn paper(&self) -> Option<bool> {
        self.paper
    }

    /// Gives the ciphertext for a key that lives in a vault (RSAES-PKCS1-v1_5); bring what it makes of
    /// it to [`AccessTokenSecret::new`]. `None` where the secret is known in clear already.
    pub fn ciphertext(&self) -> Option<Vec<u8>> {
        match &self.secret {
            GrantSecret::Encrypted(_) => self.bytes().ok().map(|bytes| bytes.to_vec()),
            GrantSecret::Plain(_) => None,
        }
    }

    /// Gives the secret, decrypted with a key of this process. `entropy` serves the blinding only.
    ///
    /// # Errors
    /// [`GrantError::Key`] where the secret was not encrypted for this key.
    pub fn secret(&self, key: &PrivateKey, entropy: Entropy<'_>) -> Result<AccessTokenSecret, GrantError> {
        let bytes = self.bytes()?;
        let bytes = match &self.secret {
            GrantSecret::Encrypted(_) => key.decrypt(&bytes, entropy).map_err(GrantError::Key)?,
            GrantSecret::Plain(_) => bytes,
        };
        AccessTokenSecret::new(bytes).map_err(|_| GrantError::Malformed("access token secret"))
    }

    /// Gives the secret where it is known in clear.
    pub fn plain_secret(&self) -> Option<AccessTokenSecret> {
        match &self.secret {
            GrantSecret::Encrypted(_) => None,
            GrantSecret::Plain(_) => self.bytes().ok().and_then(|bytes| AccessTokenSecret::new(bytes).ok()),
        }
    }

    fn bytes(&self) -> Result<Zeroizing<Vec<u8>>, GrantError> {
        let (GrantSecret::Encrypted(text) | GrantSecret::Plain(text)) = &self.secret;
        let text = text.expose().trim();
        let mut bytes = Zeroizing::new(vec![0; text.len()]);
        let length =
            BASE64_STANDARD.decode_slice(text, &mut bytes).map_err(|_| GrantError::Malformed("access token secret"))?;
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// Written as its text's fields, into a provider's state only.
impl Serialize for Grant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { access_token, secret, paper } = self.clone();
        Stored { format: FORMAT, access_token, secret, paper }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Grant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Stored { access_token, secret, paper, .. } = Stored::deserialize(deserializer)?;
        Self::checked(access_token, secret, paper).map_err(serde::de::Error::custom)
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Grant").field("paper", &self.paper).finish_non_exhaustive()
    }
}

fn read(response: Response<'_>, now: Timestamp) -> Result<TokenBody<'_>, GrantError> {
    if let Some(refusal) = refusal(now, response) {
        return Err(GrantError::Refused(refusal));
    }
    wire::json(response.body).ok_or(GrantError::Unreadable("no JSON object"))
}

crate::wire_object! {
    /// The response to `POST /oauth/request_token` and `POST /oauth/access_token`.
    pub struct TokenBody<'a> {
        /// The token.
        token: Text<'a> = "oauth_token",
        /// The secret of an access token, encrypted for the encryption key, in base64.
        secret: Text<'a> = "oauth_token_secret",
        /// Whether the account is a paper one; IBKR's specification calls the field `is_true`.
        paper: bool = "is_paper" | "is_true",
    }
}

/// Why there is no token or no grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum GrantError {
    /// The server refused; the reason tells what to do.
    Refused(Refusal),
    /// The response is not one of this endpoint's; the text says why.
    Unreadable(&'static str),
    /// The named value cannot be right: empty, of another alphabet, or no base64.
    Malformed(&'static str),
    /// The secret cannot be decrypted.
    Key(KeyError),
    /// The text is damaged or no grant at all.
    Damaged,
    /// The text was written by a later version of this crate.
    NewerFormat {
        /// The format that the text has.
        found: u32,
        /// The latest format that is known.
        known: u32,
    },
}

impl fmt::Display for GrantError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Unreadable(why) => write!(f, "token: {why}"),
            Self::Malformed(what) => write!(f, "{what}: empty, of another alphabet, or no base64"),
            Self::Key(error) => error.fmt(f),
            Self::Damaged => f.write_str("the text is no grant"),
            Self::NewerFormat { found, known } => {
                write!(f, "the grant has format {found}, this version knows up to {known}")
            }
        }
    }
}

impl std::error::Error for GrantError {}

#[cfg(test)]
mod tests;
