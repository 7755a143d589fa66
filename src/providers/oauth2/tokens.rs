//! Tokens: taken, renewed in time, and what follows where a renewal brought none.

use core::time::Duration;

use super::config::{Grant, OAuth2, Rotation};
use super::judge::SLOWER;
use super::state::{OAuth2Live, OAuth2State, OAuth2Step};
use super::wire::{ErrorBody, Scopes, Tokens};
use crate::machine::backoff::spread;
use crate::provider::{Ask, Context, Fact, Observed, Plan, Verdict, When};
use crate::{Event, NeedKind, machine::NeedReason};

type State = OAuth2State;
type Step = OAuth2Step;

/// The least time before its end at which a token is renewed, and how much more the seed may add.
pub(super) const MARGIN: Duration = Duration::from_secs(30);

/// The most, so that a token of a month is not renewed days before its end.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The least time between two renewals for calls that were refused without proof that the token is dead: as often as a token
/// of a quarter of an hour is renewed.
const DOUBTS: Duration = LONGEST;

impl OAuth2 {
    pub(super) fn take(&self, cx: &mut Context<'_, State>, step: Step, tokens: Tokens) -> Verdict<Step> {
        let fresh = step != Step::Refresh;
        let sent = cx.state.sent.min(cx.now);
        // One that was given up has its answer after all, or a person has consented: nobody need be asked any more.
        if fresh || cx.state.spent || cx.state.dead {
            cx.state.because = None;
            cx.tell(Fact::Settled(self.asks_for()));
        }
        let same = match (&tokens.refresh, &cx.state.refresh) {
            (None, _) => true,
            (Some(new), Some(old)) => old.matches(new.expose()),
            (Some(_), None) => false,
        };
        cx.state.steady = if !fresh && same { cx.state.steady.saturating_add(1) } else { 0 };
        let refresh = if fresh { tokens.refresh } else { tokens.refresh.or_else(|| cx.state.refresh.take()) };
        if fresh && cx.state.keep_for_the_logout() {
            cx.tell(Fact::Tell(Event::MayLiveOn));
        }
        match refresh {
            Some(token) => cx.state.refresh_with(token),
            None => cx.state.forget_refresh(),
        }
        let named = tokens.consent_expires_in.or(tokens.refresh_expires_in);
        if let Some(lasts) = named.or(self.refresh_lasts.filter(|_| fresh)) {
            cx.state.ends = Some((sent + lasts, lasts / 14));
        } else if fresh {
            cx.state.ends = None;
        }
        let lasts = tokens.expires_in.or(self.access_lasts);
        cx.state.live = Some(OAuth2Live {
            access: tokens.access,
            expires: lasts.map(|lasts| sent + lasts),
            scope: tokens.scopes.as_ref().map(|scopes| scopes.iter().collect::<Vec<_>>().join(" ").into()),
            renews: cx.state.refresh.is_some() || self.grant == Grant::ClientCredentials,
        });
        if fresh {
            // Redeemed: what comes next is another attempt.
            (cx.state.attempt, cx.state.device) = (None, None);
            (cx.state.again, cx.state.declined) = (false, false);
        }
        if fresh && step != Step::Grant {
            // Tokens of another consent; what was refused was not theirs.
            cx.state.refused = 0;
        }
        (cx.state.stale, cx.state.dead) = (false, false);
        cx.tell(Fact::NewTokens);
        if let Some(why) = tokens.scopes.as_ref().and_then(|scopes| self.unfit(scopes)) {
            cx.tell(Fact::server_says(&why));
            return Verdict::Unfit;
        }
        self.plan(cx)
    }

    /// Returns what was granted and may not be, or was not and must be.
    fn unfit(&self, granted: &Scopes) -> Option<String> {
        // Whether a refresh token comes is seen, and servers leave this one out of what they granted.
        if let Some(missing) = granted.missing(&self.required).find(|scope| *scope != "offline_access") {
            return Some(format!("scope {missing} was not granted"));
        }
        if self.allowed == Scopes::default() {
            return None;
        }
        let more = self.allowed.missing(granted).find(|scope| !self.required.contains(scope));
        more.map(|scope| format!("scope {scope} was granted and is not allowed"))
    }

    /// The step that brings the next access token.
    pub(super) fn renewal(&self, state: &State) -> Option<Step> {
        let suspicious = state.refused > 1;
        match &state.refresh {
            _ if !self.refreshes() => Some(Step::Grant),
            Some(_) if !state.spent && !suspicious => Some(Step::Refresh),
            _ => self.consents_by(),
        }
    }

    /// The step that goes on from a person's consent.
    const fn consents_by(&self) -> Option<Step> {
        match self.grant {
            Grant::Code { .. } => Some(Step::Code),
            Grant::Device => Some(Step::DeviceBegin),
            Grant::ClientCredentials | Grant::Given => None,
        }
    }

    /// Plans the renewals of an open session.
    pub(super) fn plan(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        cx.state.because = cx.state.because.filter(|because| *because != NeedReason::Opening);
        // A request is made without a word of its own, so what a person may be asked with is made now.
        if matches!(self.grant, Grant::Code { .. }) {
            self.attempt(cx);
        }
        let state = &*cx.state;
        let (mut plan, renewal) = (Plan::new(), self.renewal(state));
        let left = state.live.as_ref().and_then(|live| live.expires).map(|expires| expires.since(cx.now));
        if let (Some(left), Some(step)) = (left, renewal) {
            let drawn = cx.entropy.bytes(&["oauth2", self.server.base.authority().as_str(), "renewal"]);
            let seed = drawn.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let tenth = (left / 10).min(LONGEST);
            let more = Duration::from_millis(spread(seed, crate::time::millis(tenth) + 1));
            let margin = (MARGIN.max(tenth / 2) + more / 2).min(left / 2);
            // A refresh token that ends sooner than the access token is used before, which may move its end.
            let before = state.ends.map(|(ends, margin)| (ends - margin * 2).since(cx.now));
            let before = before.filter(|before| !before.is_zero() && step == Step::Refresh);
            let due = (left - margin).min(before.unwrap_or(Duration::MAX));
            plan = plan.renew(step, When::In(due));
        }
        if let Some(left) = left {
            plan = plan.expires(When::In(left));
        }
        if let (Some((ends, margin)), Some(step)) = (state.ends, self.consents_by())
            && renewal != Some(step)
            // Nobody is asked twice.
            && !state.declined
            && state.device.is_none()
        {
            plan = plan.renew(step, When::At(ends - margin));
        }
        plan.into()
    }

    /// A refused call that proves nothing of its token is worth a renewal now and then, and not one each time.
    pub(super) fn doubts_at_times(&self, cx: &mut Context<'_, State>) -> Observed {
        if cx.state.doubted.is_some_and(|at| cx.now < at + DOUBTS) {
            return Observed::Nothing;
        }
        cx.state.doubted = Some(cx.now);
        Observed::Doubt
    }

    /// Nobody knows what became of a step that must not be sent again by itself.
    pub(super) fn lost(&self, cx: &mut Context<'_, State>, step: Step) -> Verdict<Step> {
        if step == Step::Refresh {
            let tried = cx.state.tried.unwrap_or(cx.now);
            let forgiven = matches!(self.rotation, Rotation::Grace(grace) if cx.now + SLOWER < tried + grace);
            if forgiven || cx.state.steady > 1 {
                cx.state.repeats = true;
                return Verdict::next(Step::Refresh);
            }
            // It may have been spent; a repetition would kill what came of it.
            cx.state.spent = true;
            if self.grant == Grant::Given && cx.state.live.is_none() {
                cx.state.keep_for_the_logout();
                cx.state.forget_refresh();
            }
        } else {
            // A code serves once, and so does what it was asked for with.
            cx.state.attempt = None;
        }
        cx.state.because = Some(NeedReason::Lost);
        self.consent(cx)
    }

    /// The server has not checked what was sent: it is as good as before, be it that it was given up.
    pub(super) fn unjudged(&self, cx: &mut Context<'_, State>, step: Step) -> Verdict<Step> {
        if step == Step::Refresh && core::mem::take(&mut cx.state.spent) {
            cx.state.because = None;
            cx.tell(Fact::Settled(self.asks_for()));
        }
        Verdict::unavailable()
    }

    /// The consent is dead. An access token that is good is used to its end, while a person is asked.
    pub(super) fn dead(&self, cx: &mut Context<'_, State>, error: &ErrorBody) -> Verdict<Step> {
        let words = error.subcode.as_ref().or(error.description.as_ref()).unwrap_or(&error.code);
        cx.tell(Fact::server_says(words.as_str()));
        cx.state.forget_refresh();
        if cx.state.is_good(cx.now) {
            cx.state.dead = true;
            cx.state.because.get_or_insert(NeedReason::Expired);
            return self.consent(cx);
        }
        if self.grant == Grant::Given && cx.state.live.is_none() {
            return Ask::new(NeedKind::GatewayToken, NeedReason::Refused).into();
        }
        cx.state.live = None;
        Verdict::Dead { proof: "the refresh token is dead" }
    }
}
