//! Keys that are kept elsewhere: what they are asked to sign, and what becomes of their answers.
//!
//! ```text
//!  token is due ─▶ Need { Decryption, ciphertext }   once, where the secret is not known yet
//!               ─▶ Need { Signature, digest, until }  ─▶ checked ─▶ token leaves
//! ```
//!
//! The text holds the time, so it is made when the step is due, after all waits and penalty boxes, and made
//! anew where the answer takes longer than [`VALID`]. The text itself stays here: it begins with the access
//! token secret. It is not kept either: made again with the same stamp it is the same.

use core::time::Duration;

use super::super::keys::SignatureKey;
use crate::provider::{Entropy, Given, Verdict};
use crate::{
    SecretBytes, Timestamp,
    machine::{Message, Rejection},
};

/// How long a signature can be used: an assertion of OAuth 2.0 is valid for 20 s from its time on.
pub(super) const VALID: Duration = Duration::from_secs(15);

/// What the text of a signed request is made of, beside the state, so that it is the same however often it is made.
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
    /// Gives the entropy of the text.
    pub(super) fn entropy<'a>(&self, entropy: Entropy<'a>) -> Entropy<'a> {
        Entropy { counter: self.counter, ..entropy }
    }
}

/// Takes a signature for the step that waits for it.
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
