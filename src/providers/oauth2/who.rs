//! Who asks for tokens.

#[cfg(feature = "ibkr-oauth")]
use std::sync::Arc;

use super::wire::{Client, ClientError, Fields};
use crate::Secret;
#[cfg(feature = "ibkr-oauth")]
use crate::providers::ibkr::keys::PrivateKey;

/// Who asks for tokens.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum ClientOf {
    /// A client that is registered already.
    Known(Client),
    /// A client with `private_key_jwt`.
    Jwt {
        /// The client.
        client: Client,
        /// The name of the key, where the server wants it.
        key_id: Option<Box<str>>,
        /// The key; none where each request needs a signature from elsewhere.
        #[cfg(feature = "ibkr-oauth")]
        key: Option<Arc<PrivateKey>>,
    },
    /// A client that registers itself (RFC 7591).
    Register(Described),
    /// A client that cannot be one.
    Wrong(ClientError),
}

impl ClientOf {
    fn of(client: Result<Client, ClientError>) -> Self {
        client.map_or_else(Self::Wrong, Self::Known)
    }

    /// A public client, without a secret.
    pub fn public(id: &str) -> Self {
        Self::of(Client::public(id))
    }

    /// A client with `client_secret_basic`.
    pub fn basic(id: &str, secret: impl Into<Secret>) -> Self {
        Self::of(Client::basic(id, secret))
    }

    /// A client with `client_secret_post`.
    pub fn post(id: &str, secret: impl Into<Secret>) -> Self {
        Self::of(Client::post(id, secret))
    }

    /// A client with `client_secret_basic` at a server that wants id and secret as they are, not form-encoded.
    pub fn basic_raw(id: &str, secret: impl Into<Secret>) -> Self {
        Self::of(Client::basic_raw(id, secret))
    }

    /// A client whose key signs elsewhere (`RS256`): each request asks for its signature
    /// ([`NeedKind::Signature`](crate::NeedKind::Signature)).
    pub fn jwt(id: &str, key_id: Option<&str>) -> Self {
        let jwt = |client| Self::Jwt {
            client,
            key_id: key_id.map(Into::into),
            #[cfg(feature = "ibkr-oauth")]
            key: None,
        };
        Client::jwt(id).map_or_else(Self::Wrong, jwt)
    }

    /// A client that signs with this RSA key (`RS256`), feature `ibkr-oauth`.
    #[cfg(feature = "ibkr-oauth")]
    pub fn jwt_signed(id: &str, key_id: Option<&str>, key: impl Into<Arc<PrivateKey>>) -> Self {
        let key = Some(key.into());
        Client::jwt(id).map_or_else(Self::Wrong, |client| Self::Jwt { client, key_id: key_id.map(Into::into), key })
    }

    /// A client that registers itself: under a name, or [described](Described) further.
    pub fn register(described: impl Into<Described>) -> Self {
        Self::Register(described.into())
    }
}

/// What a client says of itself where it registers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Described {
    pub(super) name: Box<str>,
    pub(super) method: &'static str,
    pub(super) more: Fields,
}

impl Described {
    /// Takes the name that people read on the page of consent. The client is a public one.
    pub fn new(name: &str) -> Self {
        Self { name: name.into(), method: "none", more: Fields::new() }
    }

    /// Asks for a secret, for `client_secret_basic`.
    #[must_use]
    pub fn with_secret(self) -> Self {
        Self { method: "client_secret_basic", ..self }
    }

    /// Adds a field that the server wants besides, such as `application_type` or `software_id`.
    #[must_use]
    pub fn field(mut self, name: &str, value: &str) -> Self {
        self.more.insert(name.into(), value.into());
        self
    }
}

impl From<&str> for Described {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}
