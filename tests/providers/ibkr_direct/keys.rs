//! Throw-away keys, made once for all tests.

use std::sync::OnceLock;

use sansession::Secret;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::sim::ibkr::oauth_keys::Keys;

pub fn client_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

/// The longer ones of OAuth 2.0.
pub fn institution_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([8; 32], 3_072).unwrap())
}

pub fn key(pem: &Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}
