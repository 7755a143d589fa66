//! What the outer tier of a direct session is: a token of OAuth.

use super::super::brokerage::LOOK;
use super::super::inner::{Call, Judge, Outer, Settings};
use super::super::oauth1a;
use super::super::{Refusal, Tier};
use super::state::{LIFE, WebApiState, renewal};
use super::{OAuth, WebApi, WebApiStep};
use crate::provider::{Context, Fact, Verdict};
use crate::{Response, Timestamp};

type Judged = Verdict<WebApiStep>;
type DirectContext<'a> = Context<'a, WebApiState>;

impl WebApi {
    /// Goes on after a request of unknown fate.
    pub(super) fn lost(&self, state: &WebApiState, step: WebApiStep) -> Judged {
        Verdict::next(match &state.token {
            // What a lost renewal would have brought is asked for again in time.
            Some(_) if step.renews() => state.inner.probe().into(),
            Some(_) if step.call().is_some() => Call::Look.into(),
            _ => WebApiStep::Token,
        })
    }

    /// Makes sense of the answer to a call that was signed with the present token.
    pub(super) fn judge(
        &self,
        cx: &mut DirectContext<'_>,
        step: WebApiStep,
        call: Call,
        response: Response<'_>,
    ) -> Judged {
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

    /// Under OAuth 1.0a nothing else could be asked.
    fn is_proven_by_calls(&self) -> bool {
        matches!(self.oauth, OAuth::V1a(_))
    }

    /// A session that was stored under another expectation may be of another account, as the next look finds out.
    fn may_use(&self, state: &WebApiState) -> bool {
        self.settings.expect.admits_kind(state.inner.paper()) == Some(true)
    }

    fn flagged(&self, cx: &mut DirectContext<'_>, _: bool) -> Option<Judged> {
        // A token that is taken again was refused for another reason, such as this machine's clock.
        if core::mem::take(&mut cx.state.doubted) {
            cx.tell(Fact::Usable(true));
        }
        // Nothing is opened, and nobody thrown out, for an account that is not the expected one.
        let untold = !self.may_use(cx.state) && cx.state.inner.paper().is_none();
        let may_ask = !self.is_proven_by_calls() && cx.state.inner.validated.is_none();
        (untold && may_ask).then(|| Verdict::next(Call::Validate.into()))
    }

    fn validated(&self, _: &mut DirectContext<'_>, _: Option<bool>, _: bool) {}

    fn unvalidated(&self, cx: &mut DirectContext<'_>) -> Option<Judged> {
        cx.state.inner.brokerage.ready.then(|| Verdict::next(Call::Status.into()))
    }

    fn find_out(&self, _: &mut DirectContext<'_>) -> Judged {
        match self.oauth {
            OAuth::V2(_) => Verdict::next(Call::Validate.into()),
            OAuth::V1a(_) => Verdict::Next { step: Call::Look.into(), after: LOOK },
        }
    }

    fn no_login(&self, cx: &mut DirectContext<'_>) -> Judged {
        self.token_refused(cx, oauth1a::Refusal::BearerExpired)
    }

    fn doubted(&self, cx: &mut DirectContext<'_>, refusal: Refusal, _: Tier) -> Option<Judged> {
        (refusal == Refusal::LoginRedirect).then(|| self.token_refused(cx, oauth1a::Refusal::Signature))
    }

    fn moves(&self, cx: &mut DirectContext<'_>, step: WebApiStep) -> Option<Judged> {
        Some(self.moved(cx, step))
    }

    fn admitted(&self, cx: &mut DirectContext<'_>) -> (Option<(WebApiStep, Timestamp)>, Option<Timestamp>) {
        cx.state.opened = true;
        cx.state.refused = 0;
        cx.state.settle();
        let expires = cx.state.inner.live.as_ref().and_then(|live| live.expires);
        // An adopted token may have told no end.
        let ends = expires.unwrap_or(cx.now + LIFE / 2);
        let renew_at = cx.state.renew_at.unwrap_or_else(|| renewal(cx.now, ends, &cx.entropy, self.account()));
        cx.state.renew_at = Some(renew_at);
        // A clock that was set back must not put the renewal off for days.
        (Some((WebApiStep::Renew, renew_at.min(cx.now + LIFE))), expires)
    }

    /// A token that was refused opens nothing, consent or not.
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

    fn is_over(&self, cx: &DirectContext<'_>, response: Response<'_>, refusal: Refusal) -> Option<bool> {
        let over = match refusal {
            Refusal::LoginRedirect | Refusal::NoSession => true,
            // What no token opens any more is over, unless it is this machine's clock that refuses.
            _ => {
                let reason = oauth1a::refusal(cx.now, response);
                reason.is_some_and(|reason| !matches!(reason, oauth1a::Refusal::Clock { .. }))
            }
        };
        // That a token is refused says nothing new where it was known: what it had opened may live on.
        over.then_some(!cx.state.doubted)
    }
}
