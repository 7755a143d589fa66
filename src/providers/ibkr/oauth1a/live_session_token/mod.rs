//! The live session token: a Diffie-Hellman handshake that only the holder of both RSA
//! keys can finish. The token signs every later call.

use core::fmt;
use core::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha1::Sha1;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::dh::{DhError, DhParams, Exponent};
use super::header::{Consumer, SignError, plain};
use super::refusal::{Refusal, refusal};
use super::unsigned::{Parameters, Unsigned};
use crate::provider::Entropy;
use crate::providers::ibkr::hex;
use crate::providers::table::named;
use crate::wire::{self, Text};
use crate::{BaseUrl, Response, Secret, SecretBytes, Timestamp};

/// The lifetime of a token where the server does not say.
const LIFE: Duration = Duration::from_secs(24 * 60 * 60);
/// An expiry that is nearer than this is the time at which the token was made, see [`expiry`].
const NEAREST: Duration = Duration::from_secs(5 * 60);

/// The access token secret in clear, wiped on drop.
#[derive(Clone, Debug)]
pub struct AccessTokenSecret(SecretBytes);

impl AccessTokenSecret {
    /// Creates a secret from the decrypted bytes of the access token secret.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where there is none, or more than an RSA key could have encrypted.
    pub fn new(bytes: Zeroizing<Vec<u8>>) -> Result<Self, SignError> {
        match bytes.len() {
            1..=1024 => Ok(Self(SecretBytes::new(&**bytes))),
            _ => Err(SignError::Malformed("access token secret")),
        }
    }

    /// Returns the bytes.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }

    /// Returns the bytes as hexadecimal digits, the prefix of a base string.
    pub(crate) fn prefix(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new(String::with_capacity(2 * self.expose().len()));
        hex::push(&mut digits, self.expose());
        digits
    }
}

/// One handshake for a live session token.
///
/// It stores nothing between request and response: the exponent is derived again from the entropy of
/// the request.
#[derive(Clone, Copy, Debug)]
pub struct Handshake<'a> {
    /// The caller.
    pub consumer: &'a Consumer,
    /// The access token.
    pub access_token: &'a str,
    /// The access token's secret, decrypted.
    pub secret: &'a AccessTokenSecret,
    /// Prime and generator, as uploaded to IBKR.
    pub params: &'a DhParams,
}

impl Handshake<'_> {
    /// Builds the request, `POST /oauth/live_session_token`, for the key to sign.
    ///
    /// # Errors
    /// [`SignError`] names what cannot be written into it.
    pub fn request(&self, base: &BaseUrl, now: Timestamp, entropy: &Entropy<'_>) -> Result<Unsigned, SignError> {
        let exponent = Exponent::draw(entropy, self.access_token);
        self.request_with(&exponent, base, now, entropy)
    }

    pub(crate) fn request_with(
        &self,
        exponent: &Exponent,
        base: &BaseUrl,
        now: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<Unsigned, SignError> {
        let challenge = self.params.challenge(exponent);
        let parameters = Parameters {
            prefix: &self.secret.prefix(),
            first: Some(("diffie_hellman_challenge", challenge)),
            token: Some(plain(self.access_token, "access token")?),
            verifier: None,
        };
        Unsigned::new(base, "/oauth/live_session_token", self.consumer, parameters, now, entropy)
    }

    /// Computes the token from the server's response; `entropy` is that of [`Handshake::request`].
    ///
    /// # Errors
    /// [`HandshakeError`] distinguishes a refusal from a response that is unreadable or proves nothing.
    pub fn accept(
        &self,
        response: Response<'_>,
        now: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<LiveSessionToken, HandshakeError> {
        self.accept_with(&Exponent::draw(entropy, self.access_token), response, now)
    }

    pub(crate) fn accept_with(
        &self,
        exponent: &Exponent,
        response: Response<'_>,
        now: Timestamp,
    ) -> Result<LiveSessionToken, HandshakeError> {
        if let Some(refusal) = refusal(now, response) {
            return Err(HandshakeError::Refused(refusal));
        }
        let body: LiveSessionTokenBody<'_> =
            wire::json(response.body).ok_or(HandshakeError::Unreadable("no JSON object"))?;
        let answer = body.response.ok_or(HandshakeError::Unreadable("no diffie_hellman_response"))?;
        let claimed = body.signature.ok_or(HandshakeError::Unreadable("no live_session_token_signature"))?;
        let shared = self.params.shared(exponent, &answer).map_err(HandshakeError::DiffieHellman)?;
        let token =
            LiveSessionToken::new(hmac_sha1(shared.expose(), self.secret.expose()), expiry(body.expiration, now));
        let expected = hmac_sha1(token.key.as_slice(), self.consumer.key().as_bytes());
        // The digits are a number's: leading zeros may be missing, so that their number may be odd.
        let claimed = hex::integer::<20>(&claimed).ok_or(HandshakeError::Signature)?;
        if claimed.iter().zip(&expected).fold(0, |differs, (left, right)| differs | (left ^ right)) != 0 {
            return Err(HandshakeError::Signature);
        }
        Ok(token)
    }
}

/// Reads `live_session_token_expiration` (milliseconds).
///
/// Sources disagree on whether it is the expiry or the time at which the token was made. Later than
/// five minutes from now it can only be the expiry; otherwise the token lives for 24 hours from then,
/// or from now where that would have been over already.
pub(crate) fn expiry(stamp: Option<u64>, now: Timestamp) -> Timestamp {
    let soon = now + NEAREST;
    let stamp = Timestamp::from_millis(stamp.unwrap_or_default());
    if stamp > soon {
        stamp
    } else if stamp + LIFE > soon {
        stamp + LIFE
    } else {
        now + LIFE
    }
}

crate::wire_object! {
    /// The response to `POST /oauth/live_session_token`.
    pub struct LiveSessionTokenBody<'a> {
        /// The server's half, in hexadecimal digits, perhaps an odd number of them.
        response: Text<'a> = "diffie_hellman_response",
        /// The proof that the server has come to the same token, 40 hexadecimal digits at most.
        signature: Text<'a> = "live_session_token_signature",
        /// When the token ends, or when it was made, in milliseconds.
        expiration: u64 = "live_session_token_expiration",
    }
}

/// The key that signs every call of a session, wiped on drop.
#[derive(Clone)]
pub struct LiveSessionToken {
    key: Zeroizing<[u8; 20]>,
    /// HMAC after its first step, which depends on the key alone; it is wiped on drop too.
    mac: Hmac<Sha256>,
    expires: Timestamp,
}

impl LiveSessionToken {
    /// Creates a token from base64, the form in which other clients store it.
    ///
    /// # Errors
    /// [`SignError::Malformed`] where it is not the base64 of 20 bytes.
    pub fn from_base64(token: &str, expires: Timestamp) -> Result<Self, SignError> {
        let mut key = Zeroizing::new([0; 24]);
        let length = BASE64_STANDARD.decode_slice(token, &mut *key).unwrap_or_default();
        let key = key.first_chunk::<20>().filter(|_| length == 20);
        key.map(|key| Self::new(*key, expires)).ok_or(SignError::Malformed("live session token"))
    }

    fn new(key: [u8; 20], expires: Timestamp) -> Self {
        let mut block = Zeroizing::new([0; 64]);
        for (target, byte) in block.iter_mut().zip(key) {
            *target = byte;
        }
        // A key that is padded with zeros to the length of a block is the same key.
        Self { key: Zeroizing::new(key), mac: Hmac::new((&*block).into()), expires }
    }

    /// Returns the token in base64.
    pub fn expose(&self) -> Secret {
        Secret::new(BASE64_STANDARD.encode(self.key.as_slice()))
    }

    /// Returns when the token ends.
    pub const fn expires(&self) -> Timestamp {
        self.expires
    }

    pub(crate) fn mac(&self, text: &[u8]) -> [u8; 32] {
        let mut mac = self.mac.clone();
        mac.update(text);
        mac.finalize().into_bytes().into()
    }
}

impl fmt::Debug for LiveSessionToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LiveSessionToken").field("expires", &self.expires).finish_non_exhaustive()
    }
}

/// Written as base64 and expiry, into a provider's state only.
impl Serialize for LiveSessionToken {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.expose().expose(), self.expires).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LiveSessionToken {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (token, expires) = <(Secret, Timestamp)>::deserialize(deserializer)?;
        Self::from_base64(token.expose(), expires).map_err(serde::de::Error::custom)
    }
}

fn hmac_sha1(key: &[u8], text: &[u8]) -> [u8; 20] {
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else {
        // HMAC takes keys of every length.
        return [0; 20];
    };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

named! {
    /// Why a response does not yield a live session token.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum HandshakeError {
        /// The server refused; the reason says what to do.
        Refused(refusal: Refusal) => "{refusal}",
        /// The response is not one of this endpoint's; the text says why.
        Unreadable(why: &'static str) => "live session token: {why}",
        /// The server's half cannot be used.
        DiffieHellman(error: DhError) => "{error}",
        /// The server has come to another token: the prime is not the uploaded one, or the secret is not
        /// this access token's, or somebody sits in between.
        Signature => "live session token: the server's signature is wrong",
    }
}

#[cfg(test)]
pub(crate) mod tests;
