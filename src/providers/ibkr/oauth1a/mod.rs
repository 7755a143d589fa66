//! OAuth 1.0a as IBKR speaks it: the headless way in, without gateway, browser or daily second factor.
//!
//! ```text
//!  one's own account                      somebody else's
//!  portal: access token,                  request_token ─▶ consent page ─▶ verifier ─▶ access_token
//!          encrypted secret                                                              │
//!          └──────────────────────────────▶ Grant ◀─────────────────────────────────────┘
//!                                             │ encryption key
//!                                             ▼
//!                  Handshake ─ signature key, Diffie-Hellman ─▶ LiveSessionToken (24 h)
//!                                                                     │
//!                                                    Signer ◀─────────┘ signs every call
//! ```
//!
//! All of it is pure: time comes in as `now`, randomness as [`Entropy`](crate::provider::Entropy), keys
//! as [`PrivateKey`](super::keys::PrivateKey) or, where they live in a vault, as the answers to
//! [`Unsigned::digest`] and [`Grant::ciphertext`].
//!
//! What differs from RFC 5849: signatures are RSA-SHA256 and HMAC-SHA256; parameters are encoded once,
//! as a whole ([`base_string`]); the decrypted access token secret stands before the base string of the
//! handshake, and Diffie-Hellman takes the place of a token secret afterwards.

mod base_string;
mod dh;
mod grant;
mod header;
mod live_session_token;
mod refusal;
mod unsigned;

pub use base_string::base_string;
pub use dh::{DhError, DhParams, Exponent, SharedSecret};
pub use grant::{Grant, GrantError, RequestToken, TokenBody, request_token};
pub use header::{Consumer, SignError, Signer};
pub use live_session_token::{AccessTokenSecret, Handshake, HandshakeError, LiveSessionToken, LiveSessionTokenBody};
pub use refusal::{Refusal, RefusalBody, refusal};
pub(crate) use unsigned::AGENT;
pub use unsigned::Unsigned;

#[cfg(test)]
mod handshake_tests;

/// IBKR's published worked example.
#[cfg(test)]
fn vectors() -> serde_json::Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ibkr-oauth1a.json"));
    serde_json::from_str(text).unwrap()
}
