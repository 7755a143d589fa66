//! Consent: how a third party gets a [`Grant`] for another account.
//!
//! ```text
//!  request_token ─▶ Need { Verifier, url } ─▶ access_token ─▶ Active: live() is the Grant
//! ```
//!
//! It is a session without keepalive and without logout: take
//! [`Session::live`](crate::Session::live), store [`Grant::expose_secrets`], and open a
//! [`WebApi`](super::WebApi) with it. A grant survives logout and stays valid until its owner revokes it.
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | `request-token` | `POST oauth/request_token` | at the opening, and again after a lost response to `access-token` |
//! | `access-token` | `POST oauth/access_token` | with the verifier, once |
//!
//! # Needs
//!
//! - [`NeedKind::Verifier`]: show the owner [`Need::url`](crate::Need::url) and give the code of that page as
//!   [`Input::Code`]. `Refused`: the code was wrong. `Lost`: the response was lost, so there is a
//!   new page with a new code. `Stale`: the program was restarted before the code was used; the same code is valid.
//! - [`NeedKind::Signature`] for keys in a vault or an HSM, before each of the two steps.
//!
//! # Deadlines
//!
//! Requests time out after 10 s. The lifetime of a request token is not published; if it has expired, the verifier is
//! refused.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | it was ended; a grant is still valid | nothing |
//! | `logged-out.unconfirmed` | it was ended while a request for a grant was in flight | nothing: nobody has that grant |
//! | `denied.refused` | the verifier was wrong, and no other one was given | ask the owner again |
//! | `denied.unanswered` | nobody gave a verifier or a signature | ask the owner again; look at the vault |
//! | `denied.key-not-live` | the server does not know the consumer key | wait for the time that it names; else it is mistyped |
//! | `denied.token-regenerated` | the request token is void | start again |
//! | `denied.signature-refused` | another key was registered than the one that signs | upload the public part again, or give the right file |
//! | `denied.clock-wrong` | the signed time is refused | set this machine's clock |
//! | `denied.ip-not-allowed` | the edge refuses this address altogether | another address; those of data centres may be refused |
//! | `retries-exhausted` | an outage, or nobody gave another verifier after a lost response | try later |
//! | `protocol` | a response that is not IBKR's | inspect the shape |
//!
//! # Moving a session
//!
//! Yes, to another process and address: the request token is in the snapshot. So is the grant: protect it
//! like a password.
//!
//! # Traps
//!
//! - A first party must not use this: its token comes from IBKR's portal (IBKR's page on third parties).
//! - The secret of an access token is encrypted for the consumer's encryption key and stays encrypted here.
//! - The specification names the field that tells a paper account differently from the servers' responses (`is_true` and
//!   `is_paper`, by its text); both are read.
//!
//! # States
//!
#![doc = include_str!("../consent.md")]

mod state;

use http::request::Parts;

pub use self::state::{ConsentState, ConsentStep};
use super::super::keys::SignatureKey;
use super::super::oauth1a::{self, Consumer, Grant, GrantError, RequestToken, SignError, Unsigned};
use super::super::refusal::PENALTY;
use super::super::{Refusal, Region};
use super::remote::{Stamp, VALID, sign, signed};
use super::token::refusal_to_denial;
use super::what;
use crate::provider::{
    Adopts, Answers, Ask, Build, Context, Ended, Entropy, Fact, Given, Identity, Judgment, Leave, Outcome, Plan,
    Provider, Rule, Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    BaseUrl, CloseReason, Input, NeedKind, Response, Secret, Timestamp,
    machine::{Denial, Message, NeedReason, Rejection},
};

type Cx<'a> = Context<'a, ConsentState>;
type Judged = Verdict<ConsentStep>;
type Built = Result<Build<ConsentStep>, Unbuildable>;

/// The consent flow for third parties: gets a grant for another account.
#[derive(Debug)]
pub struct Consent {
    base: BaseUrl,
    consumer: Consumer,
    key: SignatureKey,
    region: Region,
}

impl Consent {
    /// Creates a flow from the base URL, `https://api.ibkr.com/v1/api`, the consumer and its signature key, which may be
    /// a [`PublicKey`](super::super::keys::PublicKey): the session then asks for both signatures.
    pub fn new(base: &BaseUrl, consumer: Consumer, signature: impl Into<SignatureKey>) -> Self {
        Self { base: base.clone(), consumer, key: signature.into(), region: Region::default() }
    }

    /// Sets the region whose midnight makes new keys live; New York otherwise.
    #[must_use]
    pub fn region(self, region: Region) -> Self {
        Self { region, ..self }
    }

    fn judge(&self, cx: &mut Cx<'_>, step: ConsentStep, response: Response<'_>) -> Judged {
        match step {
            ConsentStep::RequestToken => match RequestToken::read(response, cx.now) {
                Ok(token) => {
                    let because = cx.state.because.take().unwrap_or(NeedReason::Opening);
                    Self::ask(cx.state.request.insert(token), because).into()
                }
                Err(error) => self.failed(cx, response, error),
            },
            ConsentStep::AccessToken => {
                match (Grant::read(response, cx.now), &cx.state.request) {
                    (Ok(grant), _) => {
                        *cx.state = ConsentState { grant: Some(grant), ..ConsentState::default() };
                        Verdict::Active(Plan::new())
                    }
                    // The key was accepted a moment ago, so the verifier is wrong.
                    (Err(GrantError::Refused(oauth1a::Refusal::Signature)), Some(token)) => {
                        Self::ask(token, NeedReason::Refused).into()
                    }
                    (Err(error), _) => self.failed(cx, response, error),
                }
            }
        }
    }

    fn failed(&self, cx: &mut Cx<'_>, response: Response<'_>, error: GrantError) -> Judged {
        match Refusal::of(response) {
            Some(Refusal::PenaltyBox) => {
                cx.tell(Fact::Penalty(PENALTY));
                return Verdict::unavailable();
            }
            // The server may have issued the access token before it failed.
            Some(refusal) if refusal.is_passing() => return Verdict::Retry { after: None, answer: Judgment::Judged },
            Some(Refusal::EdgeDenied | Refusal::Forbidden | Refusal::IpNotAuthorized) => {
                return Verdict::Close(CloseReason::Denied(Denial::IpNotAllowed));
            }
            _ => {}
        }
        match error {
            GrantError::Refused(reason) => {
                let denial = refusal_to_denial(reason, self.region.next_midnight(cx.now));
                Verdict::Close(CloseReason::Denied(denial))
            }
            GrantError::Unreadable(why) => Verdict::Unreadable(why),
            GrantError::Malformed(what) => Verdict::Unreadable(what),
            _ => Verdict::Unreadable("no token"),
        }
    }

    /// Builds the request of a step without its signature.
    fn unsigned(
        &self,
        state: &ConsentState,
        step: ConsentStep,
        verifier: Option<&Secret>,
        at: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<Unsigned, SignError> {
        match (step, &state.request, verifier) {
            (ConsentStep::RequestToken, ..) => oauth1a::request_token(&self.consumer, &self.base, at, entropy),
            (_, Some(token), Some(verifier)) => token.access_token(verifier, &self.consumer, &self.base, at, entropy),
            _ => Err(SignError::Malformed("verifier")),
        }
    }

    fn ask(token: &RequestToken, because: NeedReason) -> Ask<ConsentStep> {
        Ask::new(NeedKind::Verifier, because).url(token.consent_url().into())
    }
}

impl Provider for Consent {
    type Step = ConsentStep;
    type State = ConsentState;
    type Live = Grant;

    fn identity(&self) -> Identity<'_> {
        let (account, key) = (Some(self.consumer.key()), Some(self.key.fingerprint()));
        Identity { account, key, ..Identity::new("ibkr-consent", &self.base) }
    }

    fn rule(&self, step: ConsentStep) -> &Rule {
        step.rule(self.key.is_remote())
    }

    fn open(&self, cx: &mut Cx<'_>, because: NeedReason) -> Judged {
        if cx.state.grant.is_some() {
            return Verdict::Active(Plan::new());
        }
        cx.state.because = Some(because);
        Verdict::next(ConsentStep::RequestToken)
    }

    fn admits(&self, state: &ConsentState) -> Result<(), &'static str> {
        let checked = state.request.as_ref().map_or(Ok(()), RequestToken::check);
        checked.map_err(|_| "the request token cannot be carried by a header")
    }

    fn live<'a>(&self, state: &'a ConsentState) -> Option<&'a Grant> {
        state.grant.as_ref()
    }

    fn forget(&self, state: &mut ConsentState, _: Ended) {
        // The owner's consent outlives every session.
        *state = ConsentState { grant: state.grant.take(), ..ConsentState::default() };
    }

    fn answered(&self, cx: &mut Cx<'_>, given: &Given<'_, ConsentStep>) -> Result<Judged, Rejection> {
        let verifier = match given.input {
            Input::Signature(signature) => return signed(&self.key, given, signature),
            Input::Code(verifier) => verifier,
            _ => return Err(Rejection::WrongKind),
        };
        if cx.state.request.is_none() {
            return Ok(Verdict::next(ConsentStep::RequestToken));
        }
        // A verifier that cannot be written into a request leaves the question open.
        self.unsigned(cx.state, ConsentStep::AccessToken, Some(verifier), cx.now, &cx.entropy)
            .map_err(|_| Rejection::Malformed("verifier"))?;
        Ok(Verdict::next(ConsentStep::AccessToken))
    }

    fn left(&self, cx: &mut Cx<'_>, step: ConsentStep) {
        cx.state.stamp = Some(Stamp { step, host: 0, at: cx.now, counter: cx.entropy.counter });
    }

    fn request(&self, view: &View<'_, ConsentState>, step: ConsentStep, answers: &Answers<'_>) -> Built {
        let verifier = match (step, answers.text(NeedKind::Verifier)) {
            (ConsentStep::RequestToken, _) => None,
            (ConsentStep::AccessToken, Ok(verifier)) => Some(verifier),
            (ConsentStep::AccessToken, Err(missing)) => {
                let token = view.state.request.as_ref().ok_or(missing)?;
                return Ok(Build::Needs(Self::ask(token, NeedReason::Stale)));
            }
        };
        let stamp = view.state.stamp.as_ref().filter(|stamp| stamp.step == step);
        let stamp = stamp.ok_or(Unbuildable::Part("the time of a request"))?;
        let unbuildable = |error| Unbuildable::Part(what(error));
        let unsigned = self.unsigned(view.state, step, verifier, stamp.at, &stamp.entropy(view.entropy));
        let unsigned = unsigned.map_err(unbuildable)?;
        let digest = unsigned.digest();
        match sign(&self.key, &digest, answers, view.entropy).map_err(unbuildable)? {
            Some(signature) => unsigned.finish(&signature).map(Build::Request).map_err(unbuildable),
            None => {
                let ask = Ask::new(NeedKind::Signature, NeedReason::Opening);
                Ok(Build::Needs(ask.about(Message::new(&digest), Some(VALID))))
            }
        }
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: ConsentStep, outcome: Outcome<'_>) -> Judged {
        let Outcome::Response(response) = outcome else {
            // A verifier is valid for one access token, which may have been issued.
            *cx.state = ConsentState { because: Some(NeedReason::Lost), ..ConsentState::default() };
            return Verdict::next(ConsentStep::RequestToken);
        };
        self.judge(cx, step, response)
    }

    fn probe(&self, _: &ConsentState) -> Option<ConsentStep> {
        None
    }

    fn logout(&self, _: &ConsentState) -> Leave<ConsentStep> {
        Leave::Nothing
    }

    fn authorize(&self, _: &mut Cx<'_>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        Err(Unauthorized::NotReady(None))
    }
}

impl Adopts for Consent {
    type Tokens = Grant;

    fn adopt(&self, grant: Grant) -> Result<ConsentState, Rejection> {
        Ok(ConsentState { grant: Some(grant), ..ConsentState::default() })
    }
}
