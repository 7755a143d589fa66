//! The server's half of OAuth 1.0a: it verifies what clients sign and computes its own side of the
//! Diffie-Hellman exchange, so that a wrong signature, a replayed nonce or a wrong clock is refused
//! here as it is there.
//!
//! [`OAuthServer::handle`] answers the three `/oauth/…` endpoints, [`OAuthServer::verify`] checks the
//! signature of any other call. The texts of refusals are IBKR's where they are known (an unknown
//! consumer, an access token that was created again); the others are the simulator's own words.

mod handshake;
mod numbers;

use core::time::Duration;
use std::collections::BTreeMap;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crypto_bigint::BoxedUint;
use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use hmac::{Hmac, KeyInit, Mac};
use http::{Method, Request, Response};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Encrypt, Pkcs1v15Sign, PublicKey as RsaPublicKey};
use serde_json::json;
use sha2::{Digest, Sha256};

use self::numbers::{digits, hex, number, read_params, sha1};
use super::oauth_keys::Random;
use super::oauth_text::{self, base_strings, parameters};
use crate::Timestamp;

type Reply = Response<Vec<u8>>;

/// What the portal knows: consumers, access tokens, and what was made with them.
#[derive(Debug)]
pub struct OAuthServer {
    random: Random,
    consumers: BTreeMap<String, Consumer>,
    requests: BTreeMap<String, Pending>,
    grants: BTreeMap<String, Granted>,
    nonces: BTreeMap<(String, String), Timestamp>,
    /// How far a request's time may be off. IBKR's own tolerance is not known. Default: 5 minutes.
    pub tolerance: Duration,
    /// How long a live session token lives. Default: 24 hours.
    pub life: Duration,
    /// Whether `live_session_token_expiration` is the time at which the token was made, as some say.
    pub stamps_creation: bool,
    /// Whether the next handshakes end with a wrong proof, as if somebody sat in between.
    pub lies: bool,
}

#[derive(Debug)]
struct Consumer {
    live_from: Timestamp,
    signature: RsaPublicKey,
    encryption: RsaPublicKey,
    prime: BoxedMontyParams,
    generator: BoxedUint,
}

#[derive(Debug)]
struct Pending {
    consumer: String,
    verifier: Option<String>,
}

#[derive(Debug)]
struct Granted {
    consumer: String,
    secret: [u8; 32],
    tokens: Vec<(Vec<u8>, Timestamp)>,
}

/// An access token as the portal shows it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The access token.
    pub access_token: String,
    /// Its secret in base64, encrypted for the consumer's encryption key.
    pub encrypted_secret: String,
}

/// What a consumer uploads, all as PEM.
#[derive(Clone, Copy, Debug)]
pub struct Upload<'a> {
    /// The public half of the signature key.
    pub signature: &'a str,
    /// The public half of the encryption key.
    pub encryption: &'a str,
    /// The Diffie-Hellman parameters.
    pub dh_params: &'a str,
}

/// Why the server refuses a request.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Refused {
    /// The consumer key is unknown or not live yet.
    UnknownConsumer,
    /// The access token of this name is unknown or was created again.
    NoSecret(String),
    /// The signature of a call is wrong, or of a live session token that has ended; pybkr knows the text.
    InvalidSignature,
    /// Another reason, in words that are the simulator's own.
    Other(&'static str),
}

impl Refused {
    /// Returns the answer of status 401, with the server's time in its `Date`.
    pub fn answer(&self, now: Timestamp) -> Response<Vec<u8>> {
        let error = match self {
            Self::UnknownConsumer => "id: 39687, error: invalid consumer".to_owned(),
            Self::NoSecret(token) => {
                format!("id: 118871, error: LST failed, error: No access secret key found for {token}")
            }
            Self::InvalidSignature => "Invalid signature".to_owned(),
            Self::Other(why) => format!("id: 0, error: {why}"),
        };
        oauth_text::json(now, 401, &json!({ "error": error, "statusCode": 401 }))
    }
}

impl OAuthServer {
    /// Creates a server without any consumer.
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            random: Random::new(seed),
            consumers: BTreeMap::new(),
            requests: BTreeMap::new(),
            grants: BTreeMap::new(),
            nonces: BTreeMap::new(),
            tolerance: Duration::from_secs(5 * 60),
            life: Duration::from_secs(24 * 60 * 60),
            stamps_creation: false,
            lies: false,
        }
    }

    /// Registers a consumer key, which works from `live_from` on: IBKR's do after the next nightly reset.
    ///
    /// # Errors
    /// Names the file that cannot be read.
    pub fn register(&mut self, key: &str, upload: &Upload<'_>, live_from: Timestamp) -> Result<(), &'static str> {
        let public = |pem| RsaPublicKey::from_public_key_pem(pem).ok();
        let (prime, generator) = read_params(upload.dh_params).ok_or("the Diffie-Hellman parameters")?;
        let consumer = Consumer {
            live_from,
            signature: public(upload.signature).ok_or("the signature key")?,
            encryption: public(upload.encryption).ok_or("the encryption key")?,
            prime,
            generator,
        };
        self.consumers.insert(key.to_owned(), consumer);
        Ok(())
    }

    /// Creates an access token for the consumer's own account, as the portal does; earlier ones end.
    pub fn issue(&mut self, consumer: &str) -> Option<Issued> {
        self.grants.retain(|_, granted| granted.consumer != consumer);
        self.grant(consumer)
    }

    /// Consents to a request token in the owner's name; returns the verifier that the page shows.
    pub fn consent(&mut self, request_token: &str) -> Option<String> {
        let verifier = self.random.token(20);
        self.requests.get_mut(request_token)?.verifier = Some(verifier.clone());
        Some(verifier)
    }

    /// Ends all live session tokens, as a nightly reset or another login does.
    pub fn end_sessions(&mut self) {
        for granted in self.grants.values_mut() {
            granted.tokens.clear();
        }
    }

    /// Answers a request to one of the `/oauth/…` endpoints; `None` for every other path.
    pub fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Option<Reply> {
        let (_, name) = request.uri().path().rsplit_once("/oauth/")?;
        if !matches!(name, "request_token" | "access_token" | "live_session_token") {
            return None;
        }
        if let Some(refused) = oauth_text::edge(now, request) {
            return Some(refused);
        }
        if request.method() != Method::POST {
            return Some(oauth_text::answer(now, 405, "text/plain", "Method Not Allowed".into()));
        }
        let outcome = match name {
            "request_token" => self.request_token(now, request),
            "access_token" => self.access_token(now, request),
            _ => self.live_session_token(now, request),
        };
        Some(outcome.unwrap_or_else(|refused| refused.answer(now)))
    }

    /// Checks the HMAC of a call and gives the access token that it was made with.
    ///
    /// # Errors
    /// [`Refused`] is to be [answered](Refused::answer).
    pub fn verify(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Result<String, Refused> {
        let fields = self.fields(now, request, "HMAC-SHA256")?;
        let token = field(&fields, "oauth_token")?;
        let texts = base_strings("", request, &fields);
        let signature = BASE64_STANDARD.decode(field(&fields, "oauth_signature")?).unwrap_or_default();
        let granted =
            self.grants.get_mut(token).filter(|granted| fields.get("oauth_consumer_key") == Some(&granted.consumer));
        let granted = granted.ok_or_else(|| Refused::NoSecret(token.to_owned()))?;
        granted.tokens.retain(|(_, ends)| *ends > now);
        let signs = |key: &[u8], text: &String| {
            Hmac::<Sha256>::new_from_slice(key).is_ok_and(|mac| mac.chain_update(text).verify_slice(&signature).is_ok())
        };
        if !granted.tokens.iter().any(|(key, _)| texts.iter().any(|text| signs(key, text))) {
            return Err(Refused::InvalidSignature);
        }
        self.spend_nonce(now, &fields)?;
        Ok(token.to_owned())
    }

    /// Reports whether a handshake may name this access token: whether a live session token was made with it.
    pub(super) fn knows(&self, now: Timestamp, access_token: &str) -> Result<(), Refused> {
        let granted = self.grants.get(access_token).ok_or_else(|| Refused::NoSecret(access_token.to_owned()))?;
        let lives = granted.tokens.iter().any(|(_, ends)| *ends > now);
        if lives { Ok(()) } else { Err(Refused::InvalidSignature) }
    }

    fn grant(&mut self, consumer: &str) -> Option<Issued> {
        let secret = self.random.block();
        let key = &self.consumers.get(consumer)?.encryption;
        let sealed = key.encrypt(&mut self.random, Pkcs1v15Encrypt, &secret).ok()?;
        let access_token = self.random.token(20);
        let granted = Granted { consumer: consumer.to_owned(), secret, tokens: Vec::new() };
        self.grants.insert(access_token.clone(), granted);
        Some(Issued { access_token, encrypted_secret: BASE64_STANDARD.encode(sealed) })
    }

    /// Reads the header and checks all of it but the signature and the nonce.
    fn fields(
        &self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        method: &str,
    ) -> Result<BTreeMap<String, String>, Refused> {
        let fields = parameters(request).ok_or(Refused::Other("no OAuth header"))?;
        let key = field(&fields, "oauth_consumer_key")?;
        if self.consumers.get(key).is_none_or(|consumer| consumer.live_from > now) {
            return Err(Refused::UnknownConsumer);
        }
        if field(&fields, "oauth_signature_method")? != method {
            return Err(Refused::Other("signature method refused"));
        }
        let realm = if key == "TESTCONS" { "test_realm" } else { "limited_poa" };
        if fields.get("realm").is_some_and(|given| given != realm) {
            return Err(Refused::Other("realm refused"));
        }
        let stamp = field(&fields, "oauth_timestamp")?.parse().map(Timestamp::from_secs);
        let stamp = stamp.map_err(|_| Refused::Other("timestamp refused"))?;
        if stamp.since(now).max(now.since(stamp)) > self.tolerance {
            return Err(Refused::Other("timestamp refused"));
        }
        Ok(fields)
    }

    /// Refuses a nonce that was there before; only a request with a right signature spends one.
    fn spend_nonce(&mut self, now: Timestamp, fields: &BTreeMap<String, String>) -> Result<(), Refused> {
        let nonce = field(fields, "oauth_nonce")?;
        // Beyond twice the tolerance the time in the request is refused anyway.
        let horizon = now - self.tolerance.saturating_mul(2);
        self.nonces.retain(|_, seen| *seen >= horizon);
        let account = fields.get("oauth_token").or(fields.get("oauth_consumer_key")).cloned().unwrap_or_default();
        if self.nonces.insert((account, nonce.to_owned()), now).is_some() {
            return Err(Refused::Other("nonce used"));
        }
        Ok(())
    }
}

fn field<'a>(fields: &'a BTreeMap<String, String>, name: &str) -> Result<&'a str, Refused> {
    let value = fields.get(name).filter(|value| !value.is_empty());
    value.map(String::as_str).ok_or(Refused::Other("parameter missing"))
}

#[cfg(test)]
pub(crate) mod tests;
