//! The `Authorization` header, and calls that are signed with the live session token.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;

use super::LiveSessionToken;
use super::base_string::{self, is_unreserved, push_encoded};
use crate::Timestamp;
use crate::provider::Entropy;
use crate::providers::ibkr::draw;
use crate::providers::table::named;

/// The caller: the consumer key that is registered at IBKR, and its realm.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Consumer {
    key: Box<str>,
    realm: Box<str>,
}

impl Consumer {
    /// Creates a consumer from its key (9 characters for one's own account) with the matching realm:
    /// `test_realm` for IBKR's test key `TESTCONS`, `limited_poa` for all others.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where the key is empty or has a character that would need an escape.
    pub fn new(key: &str) -> Result<Self, SignError> {
        let realm = if key == "TESTCONS" { "test_realm" } else { "limited_poa" };
        Self::with_realm(key, realm)
    }

    /// Creates a consumer from a key and a realm.
    ///
    /// # Errors
    /// [`SignError::Malformed`] names the one that is empty or has a character that would need an escape.
    pub fn with_realm(key: &str, realm: &str) -> Result<Self, SignError> {
        Ok(Self { key: plain(key, "consumer key")?.into(), realm: plain(realm, "realm")?.into() })
    }

    /// Returns the consumer key.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Returns the realm.
    pub fn realm(&self) -> &str {
        &self.realm
    }
}

/// Checks that a text needs no escape in headers and base strings and has at most 512 characters.
pub(crate) fn plain<'a>(text: &'a str, what: &'static str) -> Result<&'a str, SignError> {
    let fits = (1..=512).contains(&text.len()) && text.bytes().all(is_unreserved);
    if fits { Ok(text) } else { Err(SignError::Malformed(what)) }
}

/// Signs calls with a live session token (HMAC-SHA256).
#[derive(Clone, Copy, Debug)]
pub struct Signer<'a> {
    /// The caller.
    pub consumer: &'a Consumer,
    /// The access token that the live session token belongs to.
    pub access_token: &'a str,
    /// The live session token.
    pub token: &'a LiveSessionToken,
}

impl Signer<'_> {
    /// Signs a call: sets its `Authorization` header and replaces an earlier one.
    ///
    /// Method, URI and, for `application/x-www-form-urlencoded`, the body are signed, so they must
    /// not change afterwards. Sign each attempt again, retries included, with new `entropy`:
    /// the server accepts a nonce only once.
    ///
    /// # Errors
    /// [`SignError::Uri`] where the URI is not absolute, [`SignError::Malformed`] where the access
    /// token has a character that it cannot have.
    pub fn sign(self, parts: &mut Parts, body: &[u8], now: Timestamp, entropy: &Entropy<'_>) -> Result<(), SignError> {
        let stamp = Stamp::new(now, entropy, self.access_token);
        let params = Params {
            first: None,
            consumer: self.consumer,
            stamp: &stamp,
            method: "HMAC-SHA256",
            token: Some(plain(self.access_token, "access token")?),
            verifier: None,
        };
        let form = is_form(parts).then_some(body);
        let text = base_string::build("", &parts.method, &parts.uri, params.iter(), form).map_err(SignError::Uri)?;
        let mac = self.token.mac(&text);
        let mut signature = [0; 44];
        let length = BASE64_STANDARD.encode_slice(mac, &mut signature).unwrap_or_default();
        let value = params.header(signature.get(..length).unwrap_or_default(), text)?;
        parts.headers.insert(AUTHORIZATION, value);
        Ok(())
    }
}

fn is_form(parts: &Parts) -> bool {
    let Some(value) = parts.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else { return false };
    let media = value.split_once(';').map_or(value, |(media, _)| media);
    media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// Nonce and time of one emission, as text.
#[derive(Clone)]
pub(crate) struct Stamp {
    nonce: [u8; 32],
    seconds: [u8; 20],
    from: u8,
}

impl Stamp {
    /// Draws the nonce and takes the time in whole seconds.
    pub(crate) fn new(now: Timestamp, entropy: &Entropy<'_>, account: &str) -> Self {
        let mut seconds = [b'0'; 20];
        let mut left = now.as_secs();
        let mut from = 20_u8;
        for digit in seconds.iter_mut().rev() {
            *digit = b'0' + u8::try_from(left % 10).unwrap_or_default();
            left /= 10;
            from -= 1;
            if left == 0 {
                break;
            }
        }
        Self { nonce: draw::nonce(entropy, account), seconds, from }
    }

    fn nonce(&self) -> &str {
        core::str::from_utf8(&self.nonce).unwrap_or_default()
    }

    fn seconds(&self) -> &str {
        let digits = self.seconds.get(usize::from(self.from)..).unwrap_or_default();
        core::str::from_utf8(digits).unwrap_or_default()
    }
}

/// The OAuth parameters of one request, in the order of their names. None of them needs an escape.
#[derive(Clone, Copy)]
pub(crate) struct Params<'a> {
    /// `diffie_hellman_challenge` or `oauth_callback`.
    pub(crate) first: Option<(&'static str, &'a str)>,
    pub(crate) consumer: &'a Consumer,
    pub(crate) stamp: &'a Stamp,
    pub(crate) method: &'static str,
    pub(crate) token: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
}

/// The signature precedes this parameter in the header.
const AFTER_SIGNATURE: &str = "oauth_signature_method";

impl<'a> Params<'a> {
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        [
            self.first,
            Some(("oauth_consumer_key", self.consumer.key())),
            Some(("oauth_nonce", self.stamp.nonce())),
            Some((AFTER_SIGNATURE, self.method)),
            Some(("oauth_timestamp", self.stamp.seconds())),
            self.token.map(|token| ("oauth_token", token)),
            self.verifier.map(|verifier| ("oauth_verifier", verifier)),
        ]
        .into_iter()
        .flatten()
    }

    /// Writes the header into a buffer that is no longer needed; `signature` is base64.
    ///
    /// The realm comes first, as in the clients that are known to work; it is not signed.
    pub(crate) fn header(&self, signature: &[u8], mut buffer: Vec<u8>) -> Result<HeaderValue, SignError> {
        let parameters: usize = self.iter().map(|(name, value)| name.len() + value.len() + 5).sum();
        buffer.clear();
        buffer.reserve_exact(24 + self.consumer.realm.len() + parameters + 3 * signature.len() + 20);
        buffer.extend_from_slice(b"OAuth realm=\"");
        buffer.extend_from_slice(self.consumer.realm.as_bytes());
        buffer.push(b'"');
        for (name, value) in self.iter() {
            if name == AFTER_SIGNATURE {
                buffer.extend_from_slice(b", oauth_signature=\"");
                push_encoded(&mut buffer, signature);
                buffer.push(b'"');
            }
            for part in [", ", name, "=\"", value, "\""] {
                buffer.extend_from_slice(part.as_bytes());
            }
        }
        let mut value = HeaderValue::try_from(buffer).map_err(|_| SignError::Malformed("header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

named! {
    /// Why a request cannot be signed.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum SignError {
        /// The named value is empty, too long, or has a character that would need an escape.
        Malformed(what: &'static str) => "{what}: empty, too long, or with a character that OAuth would escape",
        /// The URI cannot be signed; the text says why.
        Uri(why: &'static str) => "{why}",
        /// Signing failed, or an external signature does not have the length of an RSA key.
        Signature => "signature: signing failed, or the length is not an RSA key's",
    }
}

#[cfg(test)]
mod tests;
