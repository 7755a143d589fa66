//! The identity of a direct session, and its keys.

use core::fmt;
use core::net::IpAddr;

use http::Request;
use sha2::{Digest, Sha256};

use super::super::hex;
use super::super::keys::{KeyError, PrivateKey, PublicKey, SignatureKey};
use super::super::oauth1a::{AccessTokenSecret, Consumer, DhParams, Grant, GrantError, Handshake, SignError, Unsigned};
use super::super::oauth2::{self, Bearer, Client, SessionUser, UnsignedJwt};
use super::{WebApiState, WebApiStep};
use crate::provider::Entropy;
use crate::providers::table::named;
use crate::{
    BaseUrl, Secret, Timestamp,
    machine::{Message, Rejection},
};

/// The authorization of a direct session.
#[derive(Debug)]
#[non_exhaustive]
pub enum OAuth {
    /// OAuth 1.0a: for everybody, through IBKR's self-service page.
    V1a(Box<OAuth1a>),
    /// OAuth 2.0: for institutions that IBKR has approved.
    V2(Box<OAuth2>),
}

impl OAuth {
    pub(super) fn key(&self) -> &SignatureKey {
        match self {
            Self::V1a(oauth) => &oauth.key,
            Self::V2(oauth) => &oauth.key,
        }
    }

    /// Returns the ciphertext of the access token secret, where it still has to be decrypted elsewhere.
    pub(super) fn sealed(&self, state: &WebApiState) -> Option<&Message> {
        match self {
            Self::V1a(oauth) => match &oauth.secret {
                TokenSecret::Sealed(sealed) if state.secret.is_none() => Some(sealed),
                _ => None,
            },
            Self::V2(_) => None,
        }
    }

    /// Builds the request of a login step without its signature.
    pub(super) fn unfinished<'a>(
        &'a self,
        api: &BaseUrl,
        state: &'a WebApiState,
        step: WebApiStep,
        at: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<Unfinished<'a>, SignError> {
        match self {
            Self::V1a(oauth) => {
                let handshake = oauth.handshake(state).ok_or(SignError::Malformed("access token secret"))?;
                Ok(Unfinished::Live(Box::new(handshake.request(api, at, entropy)?)))
            }
            Self::V2(oauth) if step.is_session() => {
                let bearer = state.bearer.as_ref().ok_or(SignError::Malformed("bearer token"))?;
                Ok(Unfinished::Session(oauth.session(at), bearer))
            }
            Self::V2(oauth) => Ok(Unfinished::Token(oauth.client.assertion(at))),
        }
    }
}

/// The request of a login step that lacks its signature.
pub(super) enum Unfinished<'a> {
    Live(Box<Unsigned>),
    Token(UnsignedJwt),
    Session(UnsignedJwt, &'a Bearer),
}

impl Unfinished<'_> {
    pub(super) fn digest(&self) -> [u8; 32] {
        match self {
            Self::Live(unsigned) => unsigned.digest(),
            Self::Token(jwt) | Self::Session(jwt, _) => jwt.digest(),
        }
    }

    /// Sets the signature; `root` is where the paths of OAuth 2.0 begin.
    pub(super) fn finish(&self, root: &BaseUrl, signature: &[u8]) -> Result<Request<Vec<u8>>, SignError> {
        match self {
            Self::Live(unsigned) => unsigned.finish(signature),
            Self::Token(jwt) => oauth2::token_request(root, &jwt.finish(signature)?),
            Self::Session(jwt, bearer) => oauth2::session_request(root, bearer, &jwt.finish(signature)?),
        }
    }
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

/// The parameters of OAuth 1.0a, checked before anything is sent.
pub struct OAuth1a {
    pub(super) consumer: Consumer,
    access_token: Secret,
    secret: TokenSecret,
    key: SignatureKey,
    params: DhParams,
    pub(super) account: Box<str>,
    pub(super) paper: Option<bool>,
}

/// The access token secret.
enum TokenSecret {
    Known(AccessTokenSecret),
    /// As the portal gave it, for a key that is kept elsewhere.
    Sealed(Message),
}

impl OAuth1a {
    /// Creates the parameters from consumer, grant, both keys and the Diffie-Hellman parameters. The signature key may be a
    /// [`PublicKey`]: the session then asks for each signature.
    ///
    /// The access token secret is decrypted here; the encryption key is not needed afterwards.
    ///
    /// # Errors
    /// [`GrantError::Key`] where the secret was not encrypted for that key: the two keys are mixed up,
    /// or the secret belongs to another upload.
    pub fn new(
        consumer: Consumer,
        grant: &Grant,
        signature: impl Into<SignatureKey>,
        encryption: &PrivateKey,
        params: DhParams,
    ) -> Result<Self, GrantError> {
        // The blinding may be constant: nobody else can choose the ciphertext or time its decryption,
        // and there is no seed yet.
        let secret = grant.secret(encryption, Entropy { key: &[0; 24], epoch: 0, counter: 0 })?;
        Ok(Self::with_secret(consumer, grant, secret, signature, params))
    }

    /// Creates the parameters with an access token secret that was decrypted elsewhere, such as in a vault.
    pub fn with_secret(
        consumer: Consumer,
        grant: &Grant,
        secret: AccessTokenSecret,
        signature: impl Into<SignatureKey>,
        params: DhParams,
    ) -> Self {
        Self::with(consumer, grant, TokenSecret::Known(secret), signature.into(), params)
    }

    /// Creates the parameters for keys that are in a vault or an HSM.
    ///
    /// The session asks once for the access token secret, with a need of the kind
    /// [`Decryption`](crate::NeedKind::Decryption), unless the grant has it in clear, and daily for a
    /// [`Signature`](crate::NeedKind::Signature). Neither key is ever in this process.
    ///
    /// # Errors
    /// [`GrantError::Malformed`] where the grant's secret is not base64.
    pub fn remote(
        consumer: Consumer,
        grant: &Grant,
        signature: PublicKey,
        params: DhParams,
    ) -> Result<Self, GrantError> {
        let secret = match (grant.plain_secret(), grant.ciphertext()) {
            (Some(secret), _) => TokenSecret::Known(secret),
            (None, Some(sealed)) => TokenSecret::Sealed(Message::new(&sealed)),
            (None, None) => return Err(GrantError::Malformed("access token secret")),
        };
        Ok(Self::with(consumer, grant, secret, signature.into(), params))
    }

    fn with(consumer: Consumer, grant: &Grant, secret: TokenSecret, key: SignatureKey, params: DhParams) -> Self {
        let account = account(&consumer, grant.access_token());
        let access_token = Secret::new(grant.access_token());
        Self { consumer, access_token, secret, key, params, account, paper: grant.paper() }
    }

    pub(super) fn access_token(&self) -> &str {
        self.access_token.expose()
    }

    /// Returns the handshake, as soon as the access token secret is known.
    pub(super) fn handshake<'a>(&'a self, state: &'a WebApiState) -> Option<Handshake<'a>> {
        let secret = match &self.secret {
            TokenSecret::Known(secret) => secret,
            TokenSecret::Sealed(_) => state.secret.as_ref()?,
        };
        let access_token = self.access_token.expose();
        Some(Handshake { consumer: &self.consumer, access_token, secret, params: &self.params })
    }
}

impl fmt::Debug for OAuth1a {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OAuth1a").field("account", &self.account).field("key", &self.key).finish_non_exhaustive()
    }
}

/// Returns a name for an account without its access token: the consumer key, which several accounts may share, and
/// the start of the access token's SHA-256.
fn account(consumer: &Consumer, access_token: &str) -> Box<str> {
    let mut name = format!("{}/", consumer.key());
    hex::push(&mut name, Sha256::digest(access_token).get(..8).unwrap_or_default());
    name.into()
}

/// The parameters of OAuth 2.0, checked before anything is sent.
#[derive(Debug)]
pub struct OAuth2 {
    client: Client,
    key: SignatureKey,
    pub(super) user: Box<str>,
    ip: IpAddr,
    service: Option<Box<str>>,
    alternative_ips: Vec<IpAddr>,
}

impl OAuth2 {
    /// Creates the parameters from the client, its key, the user's name at IBKR, and this machine's address as IBKR sees it.
    /// The key may be a [`PublicKey`]: the session then asks for each signature.
    ///
    /// # Errors
    /// [`OAuth2Error`] where the key is too short, or the user's name is malformed.
    pub fn new(
        client: Client,
        signature: impl Into<SignatureKey>,
        user: &str,
        ip: IpAddr,
    ) -> Result<Self, OAuth2Error> {
        let key = signature.into();
        key.at_least(oauth2::SHORTEST_KEY).map_err(OAuth2Error::Key)?;
        Rejection::check_token("user", user).map_err(|_| OAuth2Error::User)?;
        let alternative_ips = Vec::new();
        Ok(Self { client, key, user: user.into(), ip, service: None, alternative_ips })
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

    fn session(&self, at: Timestamp) -> UnsignedJwt {
        let user = SessionUser {
            ip: self.ip,
            credential: &self.user,
            service: self.service.as_deref(),
            alternative_ips: &self.alternative_ips,
        };
        self.client.session(&user, at)
    }
}

named! {
    /// Why the parameters of OAuth 2.0 are invalid.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum OAuth2Error {
        /// The key is too short.
        Key(error: KeyError) => "{error}",
        /// The user's name is empty, or has spaces or other characters than printable ASCII.
        User => "user: empty, or with a character that is not allowed",
    }
}
