//! Requests for tokens: the steps before the first call, and renewal.

use super::super::Refusal;
use super::super::inner::{Call, Judge};
use super::super::oauth1a::{self, HandshakeError};
use super::super::oauth2::{Bearer, TokenError};
use super::remote::{VALID, sign};
use super::state::WebApiState;
use super::{Built, Cx, Judged, OAuth, WebApi, WebApiStep, WebApiToken, what};
use crate::provider::{Answers, Ask, Build, Fact, Judgment, Provider, Unbuildable, Verdict, View};
use crate::{
    CloseReason, NeedKind, Response,
    machine::{Cause, Denial, Message, NeedReason},
};

/// After this number of tokens that the next call refuses, an opening fails.
const REFUSED: u8 = 3;

impl WebApi {
    pub(super) fn login_request(&self, view: &View<'_, WebApiState>, step: WebApiStep, answers: &Answers<'_>) -> Built {
        let because = if step.renews() { NeedReason::Renewing } else { NeedReason::Opening };
        let needs = |kind, message: Message, valid| {
            let ask = Ask::new(kind, because).about(message, valid);
            // The session stays active during a renewal.
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
        let digest = text.digest();
        match sign(self.oauth.key(), &digest, answers, view.entropy).map_err(unbuildable)? {
            Some(signature) => text.finish(&self.root, &signature).map(Build::Request).map_err(unbuildable),
            None => needs(NeedKind::Signature, Message::new(&digest), Some(VALID)),
        }
    }

    /// Interprets the answer to a step that asks for a token.
    pub(super) fn judge_login(&self, cx: &mut Cx<'_>, step: WebApiStep, response: Response<'_>) -> Judged {
        if oauth1a::refusal(cx.now, response).is_none() {
            match Refusal::of(response) {
                // Problem documents of OAuth 2.0 are read below.
                None | Some(Refusal::BadRequest | Refusal::Forbidden | Refusal::ErrorInside) => {}
                Some(refusal) => return Judge::new(self, cx).refused_token(step, refusal),
            }
        }
        match &self.oauth {
            OAuth::V1a(oauth) => {
                // The exponent is derived again from the entropy of the request.
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

    fn judge_bearer(&self, cx: &mut Cx<'_>, step: WebApiStep, response: Response<'_>) -> Judged {
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
                Verdict::Next { step: S::Renew, after: self.rule(step).pace.backoff.cap }
            }
            Err(TokenError::Refused(_)) if is_session && self.counts_refusal(cx) => Verdict::next(S::Token),
            Err(TokenError::Refused(reason)) => self.login_refused(cx, step, denial(self, cx, reason)),
            Err(TokenError::Rejected(text)) => self.login_refused(cx, step, Denial::Rejected(text)),
            Err(TokenError::Unreadable(why)) => Verdict::Unreadable(why),
        }
    }

    /// Stores a new token.
    fn enter(&self, cx: &mut Cx<'_>, step: WebApiStep, token: WebApiToken) -> Judged {
        let account = self.account();
        cx.state.enter(cx.now, token, &cx.entropy, account);
        let live = cx.state.inner.live.get_or_insert_default();
        live.paper = self.known_paper().or(live.paper);
        if !step.renews() {
            // The stream's id belongs to the previous session.
            live.session = None;
            cx.state.inner.admitted = None;
        }
        cx.tell(Fact::NewTokens);
        // Nothing is opened, and nobody thrown out, for an account that is not the expected one.
        if self.is_foreign(cx.state) {
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        cx.tell(Fact::Usable(true));
        // The brokerage session may outlive a token, so its status is checked before an init.
        Verdict::next(match &self.oauth {
            OAuth::V2(_) if !step.renews() => Call::Validate.into(),
            _ if step.renews() => cx.state.inner.probe().into(),
            _ => Call::Look.into(),
        })
    }

    /// Judges a refused request for a token.
    fn login_refused(&self, cx: &Cx<'_>, step: WebApiStep, denial: Denial) -> Judged {
        // In an open session keys and clock were right before, so a refusal proves nothing, except that a
        // regenerated access token is final. While the present token works, the session goes on.
        let is_final = !cx.state.opened || denial == Denial::TokenRegenerated && !step.renews();
        if is_final {
            return Verdict::Close(CloseReason::Denied(denial));
        }
        Verdict::Retry { after: None, answer: Judgment::Judged }
    }

    /// Judges a refused call that was signed with the present token.
    pub(super) fn token_refused(&self, cx: &mut Cx<'_>, reason: oauth1a::Refusal) -> Judged {
        self.distrust(cx);
        if !self.counts_refusal(cx) {
            return Verdict::Close(CloseReason::Denied(denial(self, cx, reason)));
        }
        Verdict::next(WebApiStep::Token)
    }

    /// Stops using the present token.
    pub(super) fn distrust(&self, cx: &mut Cx<'_>) {
        cx.state.inner.brokerage.doubt(cx.now);
        cx.tell(Fact::Doubt(Cause::Status(401)));
        cx.state.inner.validated = None;
        // The user's own calls would be refused as well.
        cx.state.doubted = true;
        cx.tell(Fact::Usable(false));
        // It would be refused everywhere, so the next token comes first.
        cx.tell(Fact::TokensRefused);
    }

    /// Counts a refused token; returns false where another one would be no better.
    fn counts_refusal(&self, cx: &mut Cx<'_>) -> bool {
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

/// Returns the denial for a refused opening.
fn denial(api: &WebApi, cx: &Cx<'_>, reason: oauth1a::Refusal) -> Denial {
    refusal_to_denial(reason, api.settings.region.next_midnight(cx.now))
}

/// Returns the denial for a refusal; new keys are valid after the next midnight.
pub(super) fn refusal_to_denial(reason: oauth1a::Refusal, midnight: crate::Timestamp) -> Denial {
    use oauth1a::Refusal as R;
    match reason {
        R::UnknownConsumer => Denial::KeyNotLive { not_before: midnight },
        R::TokenRegenerated => Denial::TokenRegenerated,
        R::Clock { by_millis } => Denial::ClockWrong { by_millis },
        R::BearerExpired | R::Signature => Denial::SignatureRefused,
    }
}
