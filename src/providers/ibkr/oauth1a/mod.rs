//! IBKR's OAuth 1.0a: headless login without gateway, browser or daily second factor.
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
//! as [`PrivateKey`](super::keys::PrivateKey) or, where they are in a vault, as the answers to
//! [`Unsigned::digest`] and [`Grant::ciphertext`].
//!
//! What differs from RFC 5849: signatures are RSA-SHA256 and HMAC-SHA256; parameters are encoded once,
//! as a whole ([`base_string`]); the decrypted access token secret stands before the base string of the
//! handshake, and Diffie-Hellman takes the place of a token secret afterwards.
//!
//! [`direct`](super::direct) describes a session on these parts (steps, needs, deadlines, close reasons, diagram);
//! how a third party gets a grant is at [`consent`](super::direct::consent).
//!
//! # What has to be there first
//!
//! | what | from where | lifetime |
//! |---|---|---|
//! | two RSA keys of 2048 bits, for signatures and for encryption | made by their owner; the public parts are uploaded | until others are uploaded |
//! | Diffie-Hellman parameters, 2048 bits, generator 2 | `openssl dhparam 2048`, uploaded | the same |
//! | consumer key, nine characters | the self-service page | from the next nightly reset on; "invalid consumer" before |
//! | access token and its encrypted secret | the same page, or a [`RequestToken`] and a verifier for another account | until it is regenerated, which ends the old one at once |
//! | live session token | a [`Handshake`] | 24 hours |
//!
//! None of this is bound to an address, as far as known. The realm is `limited_poa`; `test_realm` is that of
//! the consumer `TESTCONS` alone.
//!
//! # Traps
//!
//! - Four refusals are 401 and differ only in their text: an unknown consumer, a regenerated access token,
//!   a wrong signature, and a wrong clock, which has no text ([`Refusal`]; bodies in the issues of several clients).
//! - The shared secret is a signed number: a zero byte comes in front where its length in bits is a multiple of
//!   eight. Clients that omit it fail in up to half of all handshakes.
//! - The challenge is hexadecimal without leading zeros, so it may have an odd number of digits, as in IBKR's
//!   own example.
//! - `live_session_token_expiration` is the expiry by one source and the time of creation by another: one that is nearly
//!   over is treated as the latter.
//! - The stamp is in seconds, though one of IBKR's texts says milliseconds.
//! - JSON bodies are not signed; queries and form fields are.
//! - An empty POST needs `Content-Length: 0`.
//! - IBKR's published example contains private keys. They are in no file here: its numbers are verified with the public keys.

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
pub use refusal::{Refusal, refusal};
pub use unsigned::Unsigned;
pub(crate) use unsigned::{check_length, post};

#[cfg(test)]
mod handshake_tests;

/// IBKR's published worked example.
#[cfg(test)]
fn vectors() -> serde_json::Value {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/ibkr-oauth1a.json"));
    serde_json::from_str(text).unwrap()
}
