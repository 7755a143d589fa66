//! What revocations and looks lead to.

use http::StatusCode;

use super::config::OAuth2;
use super::state::{OAuth2Live, OAuth2State, OAuth2Step};
use super::tokens::MARGIN;
use super::wire::{Meaning, Purpose, Revocation};
use crate::provider::{Context, Fact, Judgment, Verdict};
use crate::{CloseReason, Response};

type State = OAuth2State;
type Step = OAuth2Step;

impl OAuth2 {
    pub(super) fn revoked(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        let over = |confirmed| Verdict::Close(CloseReason::LoggedOut { confirmed });
        match Revocation::read(response) {
            Revocation::Done => {
                let state = &mut *cx.state;
                let was_refresh = state.refresh.take().or_else(|| state.former.pop()).is_some();
                // A token that ends at once need not be ended.
                let lives = |live: &OAuth2Live| live.expires.is_none_or(|ends| ends > cx.now + MARGIN);
                if !state.former.is_empty() || was_refresh && state.live.as_ref().is_some_and(lives) {
                    return Verdict::next(Step::Revoke);
                }
                cx.state.live = None;
                over(true)
            }
            // The refresh token is revoked by then; an access token ends by itself.
            Revocation::Error(error) if error.meaning(Purpose::Revoke) == Meaning::CannotRevoke => {
                over(cx.state.refresh.is_none() && cx.state.former.is_empty())
            }
            Revocation::Error(error) if error.meaning(Purpose::Revoke) == Meaning::Later => Verdict::unavailable(),
            Revocation::Error(error) => {
                cx.tell(Fact::server_says(error.code.as_str()));
                over(false)
            }
            Revocation::Later => Verdict::unavailable(),
            Revocation::Unknown => Verdict::Retry { after: None, answer: Judgment::Judged },
        }
    }

    pub(super) fn probed(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        match response.status {
            status if status.is_success() && !response.is_html() => {
                cx.state.refused = 0;
                // The first look at tokens that somebody gave finds no plan.
                self.plan(cx)
            }
            // Whatever the reason, the token is not good there: one renewal, then a person.
            StatusCode::UNAUTHORIZED if !response.is_html() => {
                cx.state.stale = true;
                cx.state.refused = cx.state.refused.saturating_add(1);
                self.renewal(cx.state).map_or(Verdict::Dead { proof: "the access token is refused" }, Verdict::next)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            status if status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer to the probe"),
        }
    }
}
