//! Who a direct session is of, and the keys that prove it.

use core::fmt;
use core::net::IpAddr;

use http::Request;
use sha2::{Digest, Sha256};

use super::super::hex;
use super::super::keys::{KeyError, PrivateKey};
use super::super::oauth1a::{AccessTokenSecret, Consumer, DhParams, Grant, GrantError, Handshake, SignError};
use super::super::oauth2::{self, Bearer, Client, SessionUser};
use crate::provider::Entropy;
use crate::{BaseUrl, Secret, Timestamp};

/// How a direct session proves whose it is.
#[derive(Debug)]
#[non_exhaustive]
pub enum OAuth {
    /// With OAuth 1.0a: for everybody, over IBKR's self-service page.
    V1a(Box<OAuth1a>),
    /// With OAuth 2.0: for institutions that IBKR has admitted.
    V2(Box<OAuth2>),
}

impl From<OAuth1a> for OAuth {
    fn from(oauth: OAuth1a) -> Self {
        Self::V1a(Box::new(oauth))
    }
}

impl From<OAuth2> for OAuth {
    fn from(oauth: OAuth2) -> Self {
        Self::V2(Box::new(oauth))
    }
}

/// All that OAuth 1.0a needs, checked before anything is sent.
pub struct OAuth1a {
    pub(super) consumer: Consumer,
    access_token: Secret,
    secret: AccessTokenSecret,
    key: PrivateKey,
    params: DhParams,
    pub(super) account: Box<str>,
    pub(super) paper: Option<bool>,
}

impl OAuth1a {
    /// Takes consumer, grant, both private keys and the Diffie-Hellman parameters.
    ///
    /// The access token secret is decrypted here, and the encryption key is not needed any longer.
    ///
    /// # Errors
    /// [`GrantError::Key`] where the secret was not encrypted for that key: the two keys are mixed up,
    /// or the secret belongs to another upload.
    pub fn new(
        consumer: Consumer,
        grant: &Grant,
        signature: PrivateKey,
        encryption: &PrivateKey,
        params: DhParams,
    ) -> Result<Self, GrantError> {
        // The blinding hides nothing from anybody here: no one far away can choose the ciphertext or
        // measure what becomes of it, and no seed is at hand yet.
        let secret = grant.secret(encryption, Entropy { key: &[0; 24], epoch: 0, counter: 0 })?;
        Ok(Self::with_secret(consumer, grant, secret, signature, params))
    }

    /// Takes an access token secret that was decrypted elsewhere, such as in a vault.
    pub fn with_secret(
        consumer: Consumer,
        grant: &Grant,
        secret: AccessTokenSecret,
        signature: PrivateKey,
        params: DhParams,
    ) -> Self {
        let account = account(&consumer, grant.access_token());
        let access_token = Secret::new(grant.access_token());
        Self { consumer, access_token, secret, key: signature, params, account, paper: grant.paper() }
    }

    pub(super) fn access_token(&self) -> &str {
        self.access_token.expose()
    }

    pub(super) fn key(&self) -> &PrivateKey {
        &self.key
    }

    pub(super) fn handshake(&self) -> Handshake<'_> {
        Handshake {
            consumer: &self.consumer,
            access_token: self.access_token.expose(),
            secret: &self.secret,
            params: &self.params,
        }
    }

    /// Builds and signs the handshake's request.
    pub(super) fn request(
        &self,
        base: &BaseUrl,
        now: Timestamp,
        entropy: Entropy<'_>,
    ) -> Result<Request<Vec<u8>>, SignError> {
        self.handshake().request(base, now, &entropy)?.sign(&self.key, entropy)
    }
}

impl fmt::Debug for OAuth1a {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth1a").field("account", &self.account).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Names an account without its access token: the consumer key, which several accounts may share, and
/// the start of the access token's SHA-256.
fn account(consumer: &Consumer, access_token: &str) -> Box<str> {
    let mut name = format!("{}/", consumer.key());
    hex::push(&mut name, Sha256::digest(access_token).get(..8).unwrap_or_default());
    name.into()
}

/// All that OAuth 2.0 needs, checked before anything is sent.
#[derive(Debug)]
pub struct OAuth2 {
    client: Client,
    pub(super) key: PrivateKey,
    pub(super) user: Box<str>,
    ip: IpAddr,
    service: Option<Box<str>>,
    alternative_ips: Vec<IpAddr>,
}

impl OAuth2 {
    /// Takes the client, its key, the user's name at IBKR, and the address that IBKR sees this machine under.
    ///
    /// # Errors
    /// [`OAuth2Error`] where the key is too short or the user has no name.
    pub fn new(client: Client, signature: PrivateKey, user: &str, ip: IpAddr) -> Result<Self, OAuth2Error> {
        signature.at_least(oauth2::SHORTEST_KEY).map_err(OAuth2Error::Key)?;
        if user.is_empty() {
            return Err(OAuth2Error::User);
        }
        let alternative_ips = Vec::new();
        Ok(Self { client, key: signature, user: user.into(), ip, service: None, alternative_ips })
    }

    /// Sets the service, for clients that have several.
    #[must_use]
    pub fn service(self, service: &str) -> Self {
        Self { service: Some(service.into()), ..self }
    }

    /// Sets further addresses that may use the session.
    #[must_use]
    pub fn alternative_ips(self, alternative_ips: Vec<IpAddr>) -> Self {
        Self { alternative_ips, ..self }
    }

    pub(super) fn token_request(
        &self,
        root: &BaseUrl,
        now: Timestamp,
        entropy: Entropy<'_>,
    ) -> Result<Request<Vec<u8>>, SignError> {
        oauth2::token_request(root, &self.client.assertion(now).sign(&self.key, entropy)?)
    }

    pub(super) fn session_request(
        &self,
        root: &BaseUrl,
        bearer: &Bearer,
        now: Timestamp,
        entropy: Entropy<'_>,
    ) -> Result<Request<Vec<u8>>, SignError> {
        let user = SessionUser {
            ip: self.ip,
            credential: &self.user,
            service: self.service.as_deref(),
            alternative_ips: &self.alternative_ips,
        };
        oauth2::session_request(root, bearer, &self.client.session(&user, now).sign(&self.key, entropy)?)
    }
}

/// Why OAuth 2.0 cannot be used like this.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum OAuth2Error {
    /// The key is too short.
    Key(KeyError),
    /// The user's name is empty.
    User,
}

impl fmt::Display for OAuth2Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(error) => error.fmt(f),
            Self::User => f.write_str("user: must not be empty"),
        }
    }
}

impl std::error::Error for OAuth2Error {}
