//! External keys: what they sign, and how signatures are checked.
//!
//! ```text
//!  token is due ─▶ Need { Decryption, ciphertext }   once, where the secret is not known yet
//!               ─▶ Need { Signature, digest, until }  ─▶ checked ─▶ token leaves
//! ```
//!
//! The text contains the time, so it is built when the step is due, after all waits and penalty boxes, and built
//! again if the answer takes longer than [`VALID`]. The text never leaves the process, since it begins with the access
//! token secret, and is not stored: the same stamp builds the same text.

use core::time::Duration;
use std::borrow::Cow;

use super::super::keys::SignatureKey;
use super::super::oauth1a::SignError;
use crate::provider::{Answers, Entropy, Given, Verdict};
use crate::{
    SecretBytes, Timestamp,
    machine::{Message, Rejection},
};

/// How long a signature can be used: an assertion of OAuth 2.0 is valid for 20 s from its time on.
pub(super) const VALID: Duration = Duration::from_secs(15);

/// The inputs of the text of a signed request, besides the state, so that it can be built again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stamp<S> {
    /// The step that it is for.
    pub(super) step: S,
    /// Which of the provider's hosts it goes to.
    pub(super) host: usize,
    /// The time in the text.
    pub(super) at: Timestamp,
    /// The counter of the text's entropy.
    pub(super) counter: u64,
}

impl<S> Stamp<S> {
    /// Returns the entropy of the text.
    pub(super) fn entropy<'a>(&self, entropy: Entropy<'a>) -> Entropy<'a> {
        Entropy { counter: self.counter, ..entropy }
    }
}

/// Returns the signature of a digest, or `None` where it has to be asked for.
///
/// # Errors
/// [`SignError::Signature`] where the parts of the key do not belong together.
pub(super) fn sign<'a>(
    key: &SignatureKey,
    digest: &[u8; 32],
    answers: &Answers<'a>,
    entropy: Entropy<'_>,
) -> Result<Option<Cow<'a, [u8]>>, SignError> {
    match key {
        SignatureKey::Local(key) => {
            key.sign(digest, entropy).map(|signature| Some(signature.into())).map_err(|_| SignError::Signature)
        }
        SignatureKey::Remote(_) => Ok(answers.signature().map(|signature| signature.expose().into())),
    }
}

/// Checks a signature for the step that waits for it.
///
/// # Errors
/// [`Rejection::Malformed`] where it is not the signature of the bytes of the question by the expected key.
pub(super) fn signed<S: Copy>(
    key: &SignatureKey,
    given: &Given<'_, S>,
    signature: &SecretBytes,
) -> Result<Verdict<S>, Rejection> {
    let digest = given.message.and_then(|message| Message::as_bytes(message).try_into().ok());
    let (Some(step), Some(digest)) = (given.step, digest) else { return Err(Rejection::NotFresh) };
    match key.admits(digest, signature.expose()) {
        true => Ok(Verdict::next(step)),
        false => Err(Rejection::Malformed("signature")),
    }
}
