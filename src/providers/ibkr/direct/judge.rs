//! The outer tier of a direct session: an OAuth token.

use super::super::brokerage::LOOK;
use super::super::inner::{Call, Judge, Outer, Settings};
use super::super::oauth1a;
use super::super::{Refusal, Tier};
use super::state::{LIFE, WebApiState, renewal};
use super::{Cx, Judged, OAuth, WebApi, WebApiStep};
use crate::provider::{Fact, Verdict};
use crate::{Response, Timestamp};

impl WebApi {
    /// Continues after a lost response.
    pub(super) fn lost(&self, state: &WebApiState, step: WebApiStep) -> Judged {
        Verdict::next(match &state.token {
            // A lost renewal is repeated later.
            Some(_) if step.renews() => state.inner.probe().into(),
            Some(_) if step.call().is_some() => Call::Look.into(),
            _ => WebApiStep::Token,
        })
    }

    /// Interprets the answer to a call that was signed with the present token.
    pub(super) fn judge(&self, cx: &mut Cx<'_>, step: WebApiStep, call: Call, response: Response<'_>) -> Judged {
        match oauth1a::refusal(cx.now, response) {
            Some(reason) if call != Call::Logout => self.token_refused(cx, reason),
            _ => Judge::new(self, cx).answer(step, call, response),
        }
    }
}

impl Outer for WebApi {
    type Step = WebApiStep;
    type State = WebApiState;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    /// OAuth 1.0a has no call that checks the outer tier.
    fn is_proven_by_calls(&self) -> bool {
        matches!(self.oauth, OAuth::V1a(_))
    }

    /// A session that was stored with another expectation may be for another account; the next check finds out.
    fn may_use(&self, state: &WebApiState) -> bool {
        self.settings.expect.admits_kind(state.inner.paper()) == Some(true)
    }

    fn flagged(&self, cx: &mut Cx<'_>, _: bool) -> Option<Judged> {
        // A token that is accepted again was refused for another reason, such as this machine's clock.
        if core::mem::take(&mut cx.state.doubted) {
            cx.tell(Fact::Usable(true));
        }
        // Nothing is opened, and nobody thrown out, for an account that is not the expected one.
        let untold = !self.may_use(cx.state) && cx.state.inner.paper().is_none();
        let may_ask = !self.is_proven_by_calls() && cx.state.inner.validated.is_none();
        (untold && may_ask).then(|| Verdict::next(Call::Validate.into()))
    }

    fn validated(&self, _: &mut Cx<'_>, _: Option<bool>, _: bool) {}

    fn unvalidated(&self, cx: &mut Cx<'_>) -> Option<Judged> {
        cx.state.inner.brokerage.ready.then(|| Verdict::next(Call::Status.into()))
    }

    fn find_out(&self, _: &mut Cx<'_>) -> Judged {
        match self.oauth {
            OAuth::V2(_) => Verdict::next(Call::Validate.into()),
            OAuth::V1a(_) => Verdict::Next { step: Call::Look.into(), after: LOOK },
        }
    }

    fn no_login(&self, cx: &mut Cx<'_>) -> Judged {
        self.token_refused(cx, oauth1a::Refusal::BearerExpired)
    }

    fn doubted(&self, cx: &mut Cx<'_>, refusal: Refusal, _: Tier) -> Option<Judged> {
        (refusal == Refusal::LoginRedirect).then(|| self.token_refused(cx, oauth1a::Refusal::Signature))
    }

    fn moves(&self, cx: &mut Cx<'_>, step: WebApiStep) -> Option<Judged> {
        Some(self.moved(cx, step))
    }

    fn admitted(&self, cx: &mut Cx<'_>) -> (Option<(WebApiStep, Timestamp)>, Option<Timestamp>) {
        cx.state.opened = true;
        cx.state.refused = 0;
        cx.state.settle();
        let expires = cx.state.inner.live.as_ref().and_then(|live| live.expires);
        // The expiry of an adopted token may be unknown.
        let ends = expires.unwrap_or(cx.now + LIFE / 2);
        let renew_at = cx.state.renew_at.unwrap_or_else(|| renewal(cx.now, ends, &cx.entropy, self.account()));
        cx.state.renew_at = Some(renew_at);
        // Setting the clock back must not delay the renewal by days.
        (Some((WebApiStep::Renew, renew_at.min(cx.now + LIFE))), expires)
    }

    /// A refused token opens nothing, even with consent.
    fn consented(&self, state: &WebApiState) -> Option<WebApiStep> {
        (state.token.is_none() || state.doubted).then_some(WebApiStep::Token)
    }

    fn minds(&self, state: &WebApiState, refusal: Refusal) -> bool {
        match refusal {
            Refusal::ConsumerInvalid | Refusal::TokenRegenerated | Refusal::Gone | Refusal::IpNotAuthorized => true,
            // What the call lacks elsewhere may be what the host refuses here.
            Refusal::EdgeDenied | Refusal::Forbidden => self.hosts.is_numbered(state.host),
            _ => false,
        }
    }

    fn is_over(&self, cx: &Cx<'_>, response: Response<'_>, refusal: Refusal) -> Option<bool> {
        let over = match refusal {
            Refusal::LoginRedirect | Refusal::NoSession => true,
            // A refused token means that the session is over, unless the cause is this machine's clock.
            _ => {
                let reason = oauth1a::refusal(cx.now, response);
                reason.is_some_and(|reason| !matches!(reason, oauth1a::Refusal::Clock { .. }))
            }
        };
        // If the token was refused before, this refusal proves nothing: the session may live on.
        over.then_some(!cx.state.doubted)
    }
}
