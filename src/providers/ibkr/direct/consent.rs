//! Consent: how a third party gets a [`Grant`] of somebody else's account.
//!
//! ```text
//!  request_token ─▶ Need { Verifier, url } ─▶ access_token ─▶ Active: live() is the Grant
//! ```
//!
//! It is a session of its own, with nothing to keep alive and nothing to end at the server: take
//! [`Session::live`](crate::Session::live), store [`Grant::expose_secrets`], and open a
//! [`WebApi`](super::WebApi) with it. A grant stays what it is through logout, until its owner revokes it.

use http::Request;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::super::gateway::PENALTY;
use super::super::keys::PrivateKey;
use super::super::oauth1a::{self, Consumer, Grant, GrantError, RequestToken};
use super::super::{Refusal, Region};
use super::token::refusal_to_denial;
use super::what;
use crate::provider::{
    Ask, Cx, Fact, Identity, Observed, Provider, Rule, Spent, Step, Unauthorized, Unbuildable, Verdict,
};
use crate::{BaseUrl, Because, CloseReason, Denial, Input, NeedKind, Phase, Rejection, Response, Ticket};

/// The way to a grant of somebody else's account, for third parties.
#[derive(Debug)]
pub struct Consent {
    base: BaseUrl,
    consumer: Consumer,
    key: PrivateKey,
    region: Region,
}

impl Consent {
    /// Takes the base URL, `https://api.ibkr.com/v1/api`, the consumer and its signature key.
    pub fn new(base: &BaseUrl, consumer: Consumer, signature: PrivateKey) -> Self {
        Self { base: base.clone(), consumer, key: signature, region: Region::default() }
    }

    /// Sets the region whose midnight makes new keys live; New York otherwise.
    #[must_use]
    pub fn region(self, region: Region) -> Self {
        Self { region, ..self }
    }

    fn failed(&self, cx: &mut Cx<'_, ConsentState>, response: Response<'_>, error: GrantError) -> Verdict<ConsentStep> {
        match Refusal::of(response) {
            Some(Refusal::PenaltyBox) => {
                cx.tell(Fact::Penalty(PENALTY));
                return Verdict::unavailable();
            }
            Some(refusal) if refusal.is_passing() => return Verdict::Retry { after: None, answer: Spent::Unjudged },
            Some(Refusal::EdgeDenied | Refusal::Forbidden) => {
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

    fn ask(token: &RequestToken, because: Because) -> Verdict<ConsentStep> {
        Ask::new(NeedKind::Verifier, because).url(token.consent_url().into()).into()
    }
}

/// The requests on the way to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConsentStep {
    /// `POST oauth/request_token`.
    RequestToken,
    /// `POST oauth/access_token`, with the verifier.
    AccessToken,
}

impl Step for ConsentStep {
    fn rule(self) -> &'static Rule {
        const REQUEST_TOKEN: Rule = Rule::new("request-token").phase(Phase::Opening).escalates();
        const ACCESS_TOKEN: Rule = Rule::new("access-token").phase(Phase::SecondFactor).spends(NeedKind::Verifier);
        match self {
            Self::RequestToken => &REQUEST_TOKEN,
            Self::AccessToken => &ACCESS_TOKEN,
        }
    }
}

/// What is known on the way to a grant.
#[derive(Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ConsentState {
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<RequestToken>,
    /// Why the question is put again.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<Because>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grant: Option<Grant>,
}

impl Provider for Consent {
    type Step = ConsentStep;
    type State = ConsentState;
    type Live = Grant;
    type Tokens = Grant;

    fn identity(&self) -> Identity<'_> {
        let (account, key) = (Some(self.consumer.key()), Some(self.key.fingerprint()));
        Identity { provider: "ibkr-consent", server: &self.base, account, key, binds_ip: false }
    }

    fn base<'a>(&'a self, _: &'a ConsentState) -> &'a BaseUrl {
        &self.base
    }

    fn open(&self, cx: &mut Cx<'_, ConsentState>, because: Because) -> Verdict<ConsentStep> {
        if cx.state.grant.is_some() {
            return Verdict::Active { keepalive: None, renew: None, expires: None };
        }
        cx.state.because = Some(because);
        Verdict::next(ConsentStep::RequestToken)
    }

    fn adopt(&self, grant: Grant) -> Result<ConsentState, Rejection> {
        Ok(ConsentState { grant: Some(grant), ..ConsentState::default() })
    }

    fn live<'a>(&self, state: &'a ConsentState) -> Option<&'a Grant> {
        state.grant.as_ref()
    }

    fn forget(&self, state: &mut ConsentState) {
        // The owner's consent outlives every session.
        *state = ConsentState { grant: state.grant.take(), ..ConsentState::default() };
    }

    fn retire(&self, state: &mut ConsentState) {
        self.forget(state);
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, ConsentState>,
        kind: NeedKind,
        input: &Input,
    ) -> Result<Verdict<ConsentStep>, Rejection> {
        let (NeedKind::Verifier, Input::Code(verifier)) = (kind, input) else { return Err(Rejection::WrongKind) };
        let Some(token) = &cx.state.request else { return Ok(Verdict::next(ConsentStep::RequestToken)) };
        // Built once to see whether it can be: what cannot leaves the question open.
        match token.access_token(verifier, &self.consumer, &self.base, cx.now, &cx.entropy) {
            Ok(_) => Ok(Verdict::next(ConsentStep::AccessToken)),
            Err(_) => Err(Rejection::Malformed("verifier")),
        }
    }

    fn request(
        &self,
        cx: &mut Cx<'_, ConsentState>,
        step: ConsentStep,
        answer: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable> {
        let (now, entropy) = (cx.now, cx.entropy);
        let unsigned = match (step, &cx.state.request, answer) {
            (ConsentStep::RequestToken, ..) => oauth1a::request_token(&self.consumer, &self.base, now, &entropy),
            (ConsentStep::AccessToken, Some(token), Some(Input::Code(verifier))) => {
                token.access_token(verifier, &self.consumer, &self.base, now, &entropy)
            }
            _ => return Err(Unbuildable("verifier")),
        };
        unsigned.and_then(|unsigned| unsigned.sign(&self.key, entropy)).map_err(|error| Unbuildable(what(error)))
    }

    fn interpret(
        &self,
        cx: &mut Cx<'_, ConsentState>,
        step: ConsentStep,
        response: Response<'_>,
    ) -> Verdict<ConsentStep> {
        match step {
            ConsentStep::RequestToken => match RequestToken::read(response, cx.now) {
                Ok(token) => {
                    let because = cx.state.because.take().unwrap_or(Because::Opening);
                    Self::ask(cx.state.request.insert(token), because)
                }
                Err(error) => self.failed(cx, response, error),
            },
            ConsentStep::AccessToken => match (Grant::read(response, cx.now), &cx.state.request) {
                (Ok(grant), _) => {
                    *cx.state = ConsentState { grant: Some(grant), ..ConsentState::default() };
                    Verdict::Active { keepalive: None, renew: None, expires: None }
                }
                // The same key was taken a moment ago, so it is the verifier.
                (Err(GrantError::Refused(oauth1a::Refusal::Signature)), Some(token)) => {
                    Self::ask(token, Because::Refused)
                }
                (Err(error), _) => self.failed(cx, response, error),
            },
        }
    }

    fn lost(&self, cx: &mut Cx<'_, ConsentState>, _: ConsentStep) -> Verdict<ConsentStep> {
        // A verifier is good for one access token, which may have been made.
        *cx.state = ConsentState { because: Some(Because::Lost), ..ConsentState::default() };
        Verdict::next(ConsentStep::RequestToken)
    }

    fn probe(&self, _: &ConsentState) -> Option<ConsentStep> {
        None
    }

    fn logout(&self, _: &ConsentState) -> Option<ConsentStep> {
        None
    }

    fn authorize(&self, _: &mut Cx<'_, ConsentState>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        Err(Unauthorized::NotReady(None))
    }

    fn observe(&self, _: &mut Cx<'_, ConsentState>, _: &Ticket, _: Response<'_>) -> Observed {
        Observed::Nothing
    }
}
