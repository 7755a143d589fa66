//! Getting tokens: the steps before the first call, and their renewal.

use http::Request;

use super::super::Refusal;
use super::super::keys::SignatureKey;
use super::super::oauth1a::{self, HandshakeError, SignError};
use super::super::oauth2::{Bearer, TokenError};
use super::state::WebApiState;
use super::{OAuth, WebApi, WebApiStep, WebApiToken};
use crate::provider::{Cx, Entropy, Fact, Spent, Verdict};
use crate::{Cause, CloseReason, Denial, Input, Response};

/// So many tokens that are refused by the call after them are no accident.
const REFUSED: u8 = 3;

impl WebApi {
    pub(super) fn login_request(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
        answer: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, SignError> {
        let (host, at, entropy) = match cx.state.asked.take() {
            // The host is in what was signed.
            Some(asked) if asked.step == step => {
                let (at, entropy) = asked.stamp(cx.entropy);
                (asked.host, at, entropy)
            }
            _ => {
                self.counts_request(cx.state, step);
                (cx.state.host, cx.now, cx.entropy)
            }
        };
        cx.state.handshake = entropy.counter;
        let text = self.oauth.unfinished(self.hosts.of(host).base(), cx.state, step, at, &entropy)?;
        let signed;
        let signature = match (self.oauth.key(), answer) {
            (SignatureKey::Local(key), _) => {
                signed = key.sign(&text.digest(), cx.entropy).map_err(|_| SignError::Signature)?;
                signed.as_slice()
            }
            (_, Some(Input::Signature(signature))) => signature.expose(),
            _ => return Err(SignError::Signature),
        };
        text.finish(&self.root, signature)
    }

    /// Makes sense of the answer to a step that asks for a token.
    pub(super) fn judge_login(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
        response: Response<'_>,
    ) -> Verdict<WebApiStep> {
        let step = step.local();
        if oauth1a::refusal(cx.now, response).is_none() {
            match Refusal::of(response) {
                // Problem documents of OAuth 2.0 are read below.
                None | Some(Refusal::BadRequest | Refusal::Forbidden | Refusal::ErrorInside) => {}
                Some(refusal) => return self.refused(cx, step, refusal),
            }
        }
        match &self.oauth {
            OAuth::V1a(oauth) => {
                // The exponent is drawn again from the entropy that the request was built with.
                let entropy = Entropy { counter: cx.state.handshake, ..cx.entropy };
                let unknown = HandshakeError::Unreadable("the access token secret is not known");
                let accepted = oauth.handshake(cx.state).ok_or(unknown);
                match accepted.and_then(|handshake| handshake.accept(response, cx.now, &entropy)) {
                    Ok(token) => self.enter(cx, step, WebApiToken::Live(token)),
                    Err(HandshakeError::Refused(reason)) => self.login_refused(cx, step, denial(self, cx, reason)),
                    Err(HandshakeError::Signature) => self.login_refused(cx, step, Denial::ServerUnproven),
                    Err(HandshakeError::DiffieHellman(_)) => {
                        Verdict::Unreadable("the server's half of Diffie-Hellman is not in 2..=p-2")
                    }
                    Err(HandshakeError::Unreadable(why)) => Verdict::Unreadable(why),
                }
            }
            OAuth::V2(_) => self.judge_bearer(cx, step, response),
        }
    }

    fn judge_bearer(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
        response: Response<'_>,
    ) -> Verdict<WebApiStep> {
        use WebApiStep as S;
        let is_session = step.is_session();
        let read = if is_session { Bearer::read_session(response, cx.now) } else { Bearer::read(response, cx.now) };
        match read {
            Ok(bearer) if is_session => self.enter(cx, step, WebApiToken::Bearer(bearer)),
            Ok(bearer) => {
                cx.state.bearer = Some(bearer);
                Verdict::next(self.place(if step.renews() { S::RenewSession } else { S::Session }))
            }
            // The first token has died in between.
            Err(TokenError::Refused(_)) if step == S::RenewSession => {
                Verdict::Next { step: self.place(S::Renew), after: step.rule().backoff.cap }
            }
            Err(TokenError::Refused(_)) if is_session && self.counts_refusal(cx) => Verdict::next(self.place(S::Token)),
            Err(TokenError::Refused(reason)) => self.login_refused(cx, step, denial(self, cx, reason)),
            Err(TokenError::Rejected(text)) => self.login_refused(cx, step, Denial::Rejected(text)),
            Err(TokenError::Unreadable(why)) => Verdict::Unreadable(why),
        }
    }

    /// There is a token.
    fn enter(&self, cx: &mut Cx<'_, WebApiState>, step: WebApiStep, token: WebApiToken) -> Verdict<WebApiStep> {
        let account = self.account();
        cx.state.enter(cx.now, token, &cx.entropy, account);
        // The stream's id came with a tickle of the session before.
        if let Some(live) = cx.state.live.as_mut().filter(|_| !step.renews()) {
            live.session = None;
        }
        if let (Some(paper), Some(live)) = (self.known_paper(), &mut cx.state.live) {
            live.paper = Some(paper);
        }
        cx.tell(Fact::NewTokens);
        // Nothing is opened, and nobody thrown out, for an account that is not the expected one.
        if self.is_foreign(cx.state) {
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        cx.tell(Fact::Usable(true));
        // The brokerage session may outlive a token, so what is there is looked at before an init.
        Verdict::next(match &self.oauth {
            _ if cx.state.brokerage.ready && step.renews() => WebApiStep::Status,
            OAuth::V2(_) if !step.renews() => WebApiStep::Validate,
            _ => WebApiStep::Look,
        })
    }

    /// The server gives no token.
    fn login_refused(&self, cx: &Cx<'_, WebApiState>, step: WebApiStep, denial: Denial) -> Verdict<WebApiStep> {
        // Neither the keys nor the clock were wrong an hour ago, so a refusal proves nothing: but no
        // access token that was made anew comes back. While the present token works, it is used up.
        let is_final = !cx.state.opened || denial == Denial::TokenRegenerated && !step.renews();
        if is_final {
            return Verdict::Close(CloseReason::Denied(denial));
        }
        Verdict::Retry { after: None, answer: Spent::Judged }
    }

    /// A call was refused that was signed with the present token.
    pub(super) fn token_refused(&self, cx: &mut Cx<'_, WebApiState>, reason: oauth1a::Refusal) -> Verdict<WebApiStep> {
        self.distrust(cx);
        if !self.counts_refusal(cx) {
            return Verdict::Close(CloseReason::Denied(denial(self, cx, reason)));
        }
        Verdict::next(self.place(WebApiStep::Token))
    }

    /// Makes no further use of the present token.
    pub(super) fn distrust(&self, cx: &mut Cx<'_, WebApiState>) {
        cx.state.brokerage.doubt(cx.now);
        cx.tell(Fact::Doubt(Cause::Status(401)));
        cx.state.validated = None;
        // Calls of the user's own would be refused as well.
        cx.state.doubted = true;
        cx.tell(Fact::Usable(false));
        // Whatever else it would sign is refused, too: the next token comes first.
        cx.tell(Fact::TokensRefused);
    }

    /// Counts a refused token; gives false where there is no sense in another one.
    fn counts_refusal(&self, cx: &mut Cx<'_, WebApiState>) -> bool {
        cx.state.refused = cx.state.refused.saturating_add(1);
        cx.state.opened || cx.state.refused < REFUSED
    }

    /// Tells whether the account is known not to be the expected one.
    pub(super) fn is_foreign(&self, state: &WebApiState) -> bool {
        let paper = state.live.as_ref().and_then(|live| live.paper);
        self.expect.admits_kind(paper) == Some(false)
    }

    /// Tells whether calls may be made: a session that was stored under another expectation may be of another account, as
    /// the next look finds out.
    pub(super) fn may_use(&self, state: &WebApiState) -> bool {
        let paper = state.live.as_ref().and_then(|live| live.paper);
        self.expect.admits_kind(paper) == Some(true)
    }

    pub(super) fn known_paper(&self) -> Option<bool> {
        match &self.oauth {
            OAuth::V1a(oauth) => oauth.paper,
            OAuth::V2(_) => None,
        }
    }

    pub(super) fn account(&self) -> &str {
        match &self.oauth {
            OAuth::V1a(oauth) => &oauth.account,
            OAuth::V2(oauth) => &oauth.user,
        }
    }
}

/// Tells why an opening is refused, in the words of its owner.
fn denial(api: &WebApi, cx: &Cx<'_, WebApiState>, reason: oauth1a::Refusal) -> Denial {
    refusal_to_denial(reason, api.region.next_midnight(cx.now))
}

/// Tells what a refusal means for its owner; new keys are live after the next midnight.
pub(super) fn refusal_to_denial(reason: oauth1a::Refusal, midnight: crate::Timestamp) -> Denial {
    use oauth1a::Refusal as R;
    match reason {
        R::UnknownConsumer => Denial::KeyNotLive { not_before: midnight },
        R::TokenRegenerated => Denial::TokenRegenerated,
        R::Clock { by_millis } => Denial::ClockWrong { by_millis },
        R::BearerExpired | R::Signature => Denial::SignatureRefused,
    }
}
