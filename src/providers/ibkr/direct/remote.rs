//! Keys that are kept elsewhere: what they are asked to sign, and what becomes of their answers.
//!
//! ```text
//!  RemoteToken is due ─▶ Need { Decryption, ciphertext }   once, where the secret is not known yet
//!                     ─▶ Need { Signature, digest, until }  ─▶ checked ─▶ RemoteToken leaves
//! ```
//!
//! The text holds the time, so it is made when the step is due, after all waits and penalty boxes, and made
//! anew where the answer takes longer than [`VALID`]. The text itself stays here: it begins with the access
//! token secret. It is not kept either: made again of the same time and entropy it is the same.

use core::time::Duration;

use super::{WebApi, WebApiState, WebApiStep};
use crate::provider::{Ask, Cx, Entropy, Unbuildable, Verdict};
use crate::{Because, Input, Message, NeedKind, Rejection, SecretBytes, Timestamp};

use super::super::oauth1a::AccessTokenSecret;
use super::what;

/// How long a signature can be used: an assertion of OAuth 2.0 is valid for 20 s from its time on.
pub(super) const VALID: Duration = Duration::from_secs(15);

/// What a key kept elsewhere was asked last.
#[derive(Clone, Debug)]
pub(super) struct Asked<S> {
    /// The step that waits for the answer.
    pub(super) step: S,
    /// Which of the provider's hosts it goes to.
    pub(super) host: usize,
    /// The time in the text.
    pub(super) at: Timestamp,
    /// The counter of the text's entropy.
    pub(super) counter: u64,
    /// What is to be signed, where a signature was asked for.
    pub(super) digest: Option<[u8; 32]>,
}

impl<S: Copy> Asked<S> {
    /// Gives time and entropy of the text, so that it can be made again.
    pub(super) fn stamp<'a>(&self, entropy: Entropy<'a>) -> (Timestamp, Entropy<'a>) {
        (self.at, Entropy { counter: self.counter, ..entropy })
    }
}

/// Takes a signature as the answer to what was asked.
///
/// # Errors
/// [`Rejection::Malformed`] where it is not the signature of these bytes by the expected key.
pub(super) fn signed<S: Copy>(
    asked: Option<&Asked<S>>,
    admits: impl Fn(&[u8; 32], &[u8]) -> bool,
    signature: &SecretBytes,
) -> Result<S, Rejection> {
    let (asked, digest) = asked.and_then(|asked| Some((asked, asked.digest?))).ok_or(Rejection::NotFresh)?;
    match admits(&digest, signature.expose()) {
        true => Ok(asked.step),
        false => Err(Rejection::Malformed("signature")),
    }
}

impl WebApi {
    /// Gives the step that logs in, as the place of the key wants it; other steps stay what they are.
    pub(super) fn place(&self, step: WebApiStep) -> WebApiStep {
        if self.oauth.key().is_remote() { step.remote() } else { step }
    }

    /// Puts the question that a step has to have answered.
    pub(super) fn question_for(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
    ) -> Result<Ask<WebApiStep>, Unbuildable> {
        self.counts_request(cx.state, step);
        let (host, at, counter) = (cx.state.host, cx.now, cx.entropy.counter);
        let because = if step.renews() { Because::Renewing } else { Because::Opening };
        let (ask, digest) = match self.oauth.sealed(cx.state) {
            Some(sealed) => (Ask::new(NeedKind::Decryption, because).about(sealed.clone(), None), None),
            None => {
                let text = self.oauth.unfinished(self.api(cx.state).base(), cx.state, step, at, &cx.entropy);
                let digest = text.map_err(|error| Unbuildable(what(error)))?.digest();
                let ask = Ask::new(NeedKind::Signature, because).about(Message::new(&digest), Some(VALID));
                (ask, Some(digest))
            }
        };
        cx.state.asked = Some(Box::new(Asked { step, host, at, counter, digest }));
        // A renewal is no reason to stop keeping alive what works.
        Ok(if step.renews() { ask.lasting() } else { ask })
    }

    /// Takes what a key kept elsewhere has made.
    pub(super) fn key_answered(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        input: &Input,
    ) -> Result<Verdict<WebApiStep>, Rejection> {
        let asked = cx.state.asked.as_deref();
        let step = match input {
            Input::Signature(signature) => {
                signed(asked, |digest, signature| self.oauth.key().admits(digest, signature), signature)?
            }
            Input::Decrypted(secret) => {
                let step = asked.ok_or(Rejection::NotFresh)?.step;
                let secret = AccessTokenSecret::new(secret.expose().to_vec().into());
                cx.state.secret = Some(secret.map_err(|_| Rejection::Malformed("decrypted"))?);
                step
            }
            _ => return Err(Rejection::WrongKind),
        };
        Ok(Verdict::next(step))
    }
}
