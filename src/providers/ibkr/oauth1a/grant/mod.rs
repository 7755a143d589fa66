//! Access tokens: from IBKR's portal for one's own account, or by consent for another account.
//!
//! For one's own account the portal issues access token and secret; do not request tokens
//! then. A third party gets a request token, sends the owner to the consent page,
//! and exchanges the verifier that the page shows for an access token.

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
use crate::providers::table::named;
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
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(transparent)]
pub struct RequestToken(#[serde(with = "secret::exposed")] Secret);

impl RequestToken {
    /// Reads the response to [`request_token`].
    ///
    /// # Errors
    /// [`GrantError`] distinguishes a refusal from an unreadable response.
    pub fn read(response: Response<'_>, now: Timestamp) -> Result<Self, GrantError> {
        let body = read(response, now)?;
        let token = body.token.ok_or(GrantError::Unreadable("no oauth_token"))?;
        let token = Self(Secret::new(token));
        token.check().map_err(|_| GrantError::Unreadable("an oauth_token of another alphabet"))?;
        Ok(token)
    }

    /// Reports whether the token can be written into a request; one out of a snapshot may not.
    pub(crate) fn check(&self) -> Result<(), SignError> {
        plain(self.0.expose(), "oauth_token").map(drop)
    }

    /// Returns the token.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Returns the page where the account's owner consents; it shows the verifier afterwards.
    pub fn consent_url(&self) -> String {
        format!("https://www.interactivebrokers.com/authorize?oauth_token={}", self.0.expose())
    }

    /// Builds `POST /oauth/access_token` with the consent page's verifier, for the signature key to sign.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where the verifier is empty or has a character that is not allowed.
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

/// An access token and its secret: what an account's owner has granted, until it is revoked.
///
/// It outlives every session, logout included, so it has a text of its own to be stored:
/// [`Grant::expose_secrets`]. The secret in it is the encrypted one unless it was taken in clear.
#[derive(Clone, Debug)]
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
    /// Creates a grant from access token and encrypted secret (base64), as the portal shows them.
    ///
    /// # Errors
    /// [`GrantError::Malformed`] names the malformed one.
    pub fn new(access_token: impl Into<Secret>, encrypted_secret: impl Into<Secret>) -> Result<Self, GrantError> {
        Self::checked(access_token.into(), GrantSecret::Encrypted(encrypted_secret.into()), None)
    }

    /// Creates a grant from an access token whose secret was decrypted elsewhere, such as in a vault.
    ///
    /// # Errors
    /// [`GrantError::Malformed`] where the access token is malformed.
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
    /// [`GrantError`] distinguishes a refusal from an unreadable response.
    pub fn read(response: Response<'_>, now: Timestamp) -> Result<Self, GrantError> {
        let body = read(response, now)?;
        let token = body.token.ok_or(GrantError::Unreadable("no oauth_token"))?;
        let secret = body.secret.ok_or(GrantError::Unreadable("no oauth_token_secret"))?;
        Self::checked(Secret::new(token), GrantSecret::Encrypted(Secret::new(secret)), body.paper)
    }

    /// Parses the text of [`Grant::expose_secrets`].
    ///
    /// # Errors
    /// [`GrantError::Damaged`] where it is not one, [`GrantError::NewerFormat`] where a later version of
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

    /// Returns the grant as text, secrets included: store it where only the account's owner can read it.
    pub fn expose_secrets(&self) -> Secret {
        let Self { access_token, secret, paper } = self.clone();
        let stored = Stored { format: FORMAT, access_token, secret, paper };
        Secret::new(serde_json::to_string(&stored).unwrap_or_default())
    }

    /// Returns the access token.
    pub fn access_token(&self) -> &str {
        self.access_token.expose()
    }

    /// Reports whether the account is a paper one, where the server said so.
    pub const fn paper(&self) -> Option<bool> {
        self.paper
    }

    /// Returns the ciphertext for a key in a vault (RSAES-PKCS1-v1_5); pass the plaintext
    /// to [`AccessTokenSecret::new`]. `None` where the secret is not encrypted.
    pub fn ciphertext(&self) -> Option<Vec<u8>> {
        match &self.secret {
            GrantSecret::Encrypted(_) => self.bytes().ok().map(|bytes| bytes.to_vec()),
            GrantSecret::Plain(_) => None,
        }
    }

    /// Returns the secret, decrypted with a key of this process. `entropy` is for the blinding only.
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

    /// Returns the secret where it is not encrypted.
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

named! {
    /// Why there is no token or no grant.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum GrantError {
        /// The server refused; the reason says what to do.
        Refused(refusal: Refusal) => "{refusal}",
        /// The response is not one of this endpoint's; the text says why.
        Unreadable(why: &'static str) => "token: {why}",
        /// The named value is empty, of another alphabet, or not base64.
        Malformed(what: &'static str) => "{what}: empty, of another alphabet, or not base64",
        /// The secret cannot be decrypted.
        Key(error: KeyError) => "{error}",
        /// The text is not a grant, or damaged.
        Damaged => "the text is not a grant",
        /// The text was written by a later version of this crate.
        NewerFormat {
            /// The format that the text has.
            found: u32,
            /// The latest format that is known.
            known: u32,
        } => "the grant has format {found}, this version knows up to {known}",
    }
}

#[cfg(test)]
mod tests;
