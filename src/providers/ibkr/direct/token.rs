//! Getting tokens: the steps before the first call, and their renewal.

use super::super::Refusal;
use super::super::inner::{Call, Judge};
use super::super::keys::SignatureKey;
use super::super::oauth1a::{self, HandshakeError, SignError};
use super::super::oauth2::{Bearer, TokenError};
use super::remote::VALID;
use super::state::WebApiState;
use super::{OAuth, WebApi, WebApiStep, WebApiToken, what};
use crate::provider::{Answers, Ask, Build, Context, Fact, Judgment, Provider, Unbuildable, Verdict, View};
use crate::{
    CloseReason, NeedKind, Response,
    machine::{Cause, Denial, Message, NeedReason},
};

/// So many tokens that are refused by the call after them are no accident.
const REFUSED: u8 = 3;

impl WebApi {
    pub(super) fn login_request(
        &self,
        view: &View<'_, WebApiState>,
        step: WebApiStep,
        answers: &Answers<'_>,
    ) -> Result<Build<WebApiStep>, Unbuildable> {
        let because = if step.renews() { NeedReason::Renewing } else { NeedReason::Opening };
        let needs = |kind, message: Message, valid| {
            let ask = Ask::new(kind, because).about(message, valid);
            // A renewal is no reason to stop keeping alive what works.
            Ok(Build::Needs(if step.renews() { ask.lasting() } else { ask }))
        };
        if let Some(sealed) = self.oauth.sealed(view.state) {
            return needs(NeedKind::Decryption, sealed.clone(), None);
        }
        let stamp = view.state.stamp.as_ref().filter(|stamp| stamp.step == step);
        let stamp = stamp.ok_or(Unbuildable::Part("the time of a login"))?;
        // The host is in what is signed.
        let (host, entropy) = (self.hosts.of(stamp.host).base(), stamp.entropy(view.entropy));
        let unbuildable = |error| Unbuildable::Part(what(error));
        let text = self.oauth.unfinished(host, view.state, step, stamp.at, &entropy).map_err(unbuildable)?;
        let request = match (self.oauth.key(), answers.signature()) {
            (SignatureKey::Local(key), _) => {
                let signature =
                    key.sign(&text.digest(), view.entropy).map_err(|_| unbuildable(SignError::Signature))?;
                text.finish(&self.root, &signature)
            }
            (SignatureKey::Remote(_), Some(signature)) => text.finish(&self.root, signature.expose()),
            (SignatureKey::Remote(_), None) => {
                return needs(NeedKind::Signature, Message::new(&text.digest()), Some(VALID));
            }
        };
        request.map(Build::Request).map_err(unbuildable)
    }

    /// Makes sense of the answer to a step that asks for a token.
    pub(super) fn judge_login(
        &self,
        cx: &mut Context<'_, WebApiState>,
        step: WebApiStep,
        response: Response<'_>,
    ) -> Verdict<WebApiStep> {
        if oauth1a::refusal(cx.now, response).is_none() {
            match Refusal::of(response) {
                // Problem documents of OAuth 2.0 are read below.
                None | Some(Refusal::BadRequest | Refusal::Forbidden | Refusal::ErrorInside) => {}
                Some(refusal) => return Judge::new(self, cx).refused_token(step, refusal),
            }
        }
        match &self.oauth {
            OAuth::V1a(oauth) => {
                // The exponent is drawn again from the entropy that the request was built with.
                let entropy = cx.state.stamp.as_ref().map_or(cx.entropy, |stamp| stamp.entropy(cx.entropy));
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
        cx: &mut Context<'_, WebApiState>,
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
                Verdict::next(if step.renews() { S::RenewSession } else { S::Session })
            }
            // The first token has died in between.
            Err(TokenError::Refused(_)) if step == S::RenewSession => {
                Verdict::Next { step: S::Renew, after: self.rule(step).backoff.cap }
            }
            Err(TokenError::Refused(_)) if is_session && self.counts_refusal(cx) => Verdict::next(S::Token),
            Err(TokenError::Refused(reason)) => self.login_refused(cx, step, denial(self, cx, reason)),
            Err(TokenError::Rejected(text)) => self.login_refused(cx, step, Denial::Rejected(text)),
            Err(TokenError::Unreadable(why)) => Verdict::Unreadable(why),
        }
    }

    /// There is a token.
    fn enter(&self, cx: &mut Context<'_, WebApiState>, step: WebApiStep, token: WebApiToken) -> Verdict<WebApiStep> {
        let account = self.account();
        cx.state.enter(cx.now, token, &cx.entropy, account);
        let live = cx.state.inner.live.get_or_insert_default();
        live.paper = self.known_paper().or(live.paper);
        if !step.renews() {
            // The stream's id came with a tickle of the session before.
            live.session = None;
            cx.state.inner.admitted = None;
        }
        cx.tell(Fact::NewTokens);
        // Nothing is opened, and nobody thrown out, for an account that is not the expected one.
        if self.is_foreign(cx.state) {
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        cx.tell(Fact::Usable(true));
        // The brokerage session may outlive a token, so what is there is looked at before an init.
        Verdict::next(match &self.oauth {
            OAuth::V2(_) if !step.renews() => Call::Validate.into(),
            _ if step.renews() => cx.state.inner.probe().into(),
            _ => Call::Look.into(),
        })
    }

    /// The server gives no token.
    fn login_refused(&self, cx: &Context<'_, WebApiState>, step: WebApiStep, denial: Denial) -> Verdict<WebApiStep> {
        // Neither the keys nor the clock were wrong an hour ago, so a refusal proves nothing: but no
        // access token that was made anew comes back. While the present token works, it is used up.
        let is_final = !cx.state.opened || denial == Denial::TokenRegenerated && !step.renews();
        if is_final {
            return Verdict::Close(CloseReason::Denied(denial));
        }
        Verdict::Retry { after: None, answer: Judgment::Judged }
    }

    /// A call was refused that was signed with the present token.
    pub(super) fn token_refused(
        &self,
        cx: &mut Context<'_, WebApiState>,
        reason: oauth1a::Refusal,
    ) -> Verdict<WebApiStep> {
        self.distrust(cx);
        if !self.counts_refusal(cx) {
            return Verdict::Close(CloseReason::Denied(denial(self, cx, reason)));
        }
        Verdict::next(WebApiStep::Token)
    }

    /// Makes no further use of the present token.
    pub(super) fn distrust(&self, cx: &mut Context<'_, WebApiState>) {
        cx.state.inner.brokerage.doubt(cx.now);
        cx.tell(Fact::Doubt(Cause::Status(401)));
        cx.state.inner.validated = None;
        // Calls of the user's own would be refused as well.
        cx.state.doubted = true;
        cx.tell(Fact::Usable(false));
        // Whatever else it would sign is refused, too: the next token comes first.
        cx.tell(Fact::TokensRefused);
    }

    /// Counts a refused token; gives false where there is no sense in another one.
    fn counts_refusal(&self, cx: &mut Context<'_, WebApiState>) -> bool {
        cx.state.refused = cx.state.refused.saturating_add(1);
        cx.state.opened || cx.state.refused < REFUSED
    }

    /// Reports whether the account is known not to be the expected one.
    fn is_foreign(&self, state: &WebApiState) -> bool {
        self.settings.expect.admits_kind(state.inner.paper()) == Some(false)
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
fn denial(api: &WebApi, cx: &Context<'_, WebApiState>, reason: oauth1a::Refusal) -> Denial {
    refusal_to_denial(reason, api.settings.region.next_midnight(cx.now))
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
