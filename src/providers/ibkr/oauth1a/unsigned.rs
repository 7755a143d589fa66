//! Requests that are signed with the RSA signature key: built, then signed, here or elsewhere.

use core::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, USER_AGENT};
use http::{HeaderValue, Method, Request, Uri};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::base_string;
use super::header::{Consumer, Params, SignError, Stamp};
use crate::provider::{AGENT, Entropy};
use crate::providers::ibkr::keys::PrivateKey;
use crate::{BaseUrl, Timestamp};

/// A request that lacks only its RSA-SHA256 signature.
///
/// [`Unsigned::sign`] takes a key of this process. If the key is in a vault or an HSM, let it sign
/// [`Unsigned::digest`] (or [`Unsigned::text`], if it does the hashing) and pass the signature
/// to [`Unsigned::finish`] soon: the text contains the time of the request. The same
/// values always build the same request.
pub struct Unsigned {
    uri: Uri,
    text: Zeroizing<Vec<u8>>,
    consumer: Consumer,
    stamp: Stamp,
    first: Option<(&'static str, String)>,
    token: Option<String>,
    verifier: Option<String>,
}

/// The parameters of an [`Unsigned`], besides consumer, time and randomness.
#[derive(Default)]
pub(crate) struct Parameters<'a> {
    pub(crate) prefix: &'a str,
    pub(crate) first: Option<(&'static str, String)>,
    pub(crate) token: Option<&'a str>,
    pub(crate) verifier: Option<&'a str>,
}

impl Unsigned {
    pub(crate) fn new(
        base: &BaseUrl,
        path: &str,
        consumer: &Consumer,
        parameters: Parameters<'_>,
        now: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<Self, SignError> {
        let Parameters { prefix, first, token, verifier } = parameters;
        let uri = base.join(path).map_err(|_| SignError::Uri("the base URL"))?;
        let stamp = Stamp::new(now, entropy, token.unwrap_or(consumer.key()));
        let mut unsigned = Self {
            uri,
            text: Zeroizing::default(),
            consumer: consumer.clone(),
            stamp,
            first,
            token: token.map(Into::into),
            verifier: verifier.map(Into::into),
        };
        let text = base_string::build(prefix, &Method::POST, &unsigned.uri, unsigned.params().iter(), None);
        unsigned.text = Zeroizing::new(text.map_err(SignError::Uri)?);
        Ok(unsigned)
    }

    fn params(&self) -> Params<'_> {
        Params {
            first: self.first.as_ref().map(|(name, value)| (*name, value.as_str())),
            consumer: &self.consumer,
            stamp: &self.stamp,
            method: "RSA-SHA256",
            token: self.token.as_deref(),
            verifier: self.verifier.as_deref(),
        }
    }

    /// Returns the text that is to be signed. Except for a request token it begins with the access token
    /// secret: prefer [`Unsigned::digest`].
    pub fn text(&self) -> &[u8] {
        &self.text
    }

    /// Returns the SHA-256 of the text, which is what RSASSA-PKCS1-v1_5 signs.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.text).into()
    }

    /// Signs with a key of this process; `entropy` is for the blinding only.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the key's parts do not belong together.
    pub fn sign(&self, key: &PrivateKey, entropy: Entropy<'_>) -> Result<Request<Vec<u8>>, SignError> {
        let signature = key.sign(&self.digest(), entropy).map_err(|_| SignError::Signature)?;
        self.finish(&signature)
    }

    /// Returns the finished request with a signature that was made elsewhere.
    ///
    /// # Errors
    /// [`SignError::Signature`] where the length is not an RSA key's (256 to 1024 bytes): decode a base64 text
    /// first.
    pub fn finish(&self, signature: &[u8]) -> Result<Request<Vec<u8>>, SignError> {
        check_length(signature)?;
        let mut request = post(self.uri.clone(), Vec::new());
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, self.params().header(BASE64_STANDARD.encode(signature).as_bytes(), Vec::new())?);
        // A POST without a length is answered with 411.
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        Ok(request)
    }
}

/// Checks that a signature has the length of an RSA key (256 to 1024 bytes).
///
/// # Errors
/// [`SignError::Signature`] where it has another.
pub(crate) fn check_length(signature: &[u8]) -> Result<(), SignError> {
    let fits = (256..=1024).contains(&signature.len()) && signature.len().is_multiple_of(8);
    if fits { Ok(()) } else { Err(SignError::Signature) }
}

/// Creates a POST. IBKR's edge answers 403 to requests without a user agent; any value works.
pub(crate) fn post(uri: Uri, body: Vec<u8>) -> Request<Vec<u8>> {
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    request.headers_mut().extend([(ACCEPT, const { HeaderValue::from_static("*/*") }), (USER_AGENT, AGENT)]);
    request
}

impl fmt::Debug for Unsigned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unsigned").field("path", &self.uri.path()).finish_non_exhaustive()
    }
}
