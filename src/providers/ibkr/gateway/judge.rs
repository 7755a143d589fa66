//! The outer tier of a gateway: a person's login in a browser.

use core::time::Duration;

use http::StatusCode;
use http::header::{SERVER, WWW_AUTHENTICATE};

use super::state::GatewayState;
use super::step::GatewayStep;
use super::{Cx, Gateway, Judged, origin};
use crate::provider::{Ask, Fact, Verdict};
use crate::providers::ibkr::inner::{Call, Judge, Outer, Settings, VALIDATE_INTERVAL};
use crate::providers::ibkr::refusal::says_denied;
use crate::providers::ibkr::wire::ErrorBody;
use crate::providers::ibkr::{Refusal, Tier};
use crate::wire::json;
use crate::{Event, NeedKind, Response, Timestamp, machine::NeedReason};

/// The interval of checks for a person's login in a browser at first,
const BROWSER: Duration = Duration::from_secs(3);
/// its duration,
const BROWSER_SOON: Duration = Duration::from_secs(5 * 60);
/// and the interval later, when the person is probably away.
const BROWSER_LATER: Duration = Duration::from_secs(15);

/// The interval of `sso/validate` while a person logs in, where the flags leave it open whether that has happened.
const HINT: Duration = Duration::from_secs(5 * 60);

impl Gateway {
    pub(super) fn judge(&self, cx: &mut Cx<'_>, step: GatewayStep, response: Response<'_>) -> Judged {
        // A foreign server is reported at once.
        if let Some(why) = is_foreign(cx, response) {
            return Verdict::Unreadable(why);
        }
        if is_worth_the_other_origin(cx, step, response) {
            return Verdict::next(step);
        }
        Judge::new(self, cx).answer(step, step.call(), response)
    }

    /// Judges that nobody is logged in at the gateway (any more).
    fn sso_is_dead(&self, cx: &mut Cx<'_>) -> Judged {
        self.note_midnight(cx);
        let ends = cx.state.is_worn_out(cx.now) || cx.state.is_before_midnight(cx.now);
        if ends && !cx.state.is_reset(cx.now) {
            cx.state.reset_at = Some(cx.now);
            cx.tell(Fact::Tell(Event::Reset));
        }
        let was_usable = cx.state.inner.admitted.is_some();
        if cx.state.inner.live.is_some() {
            cx.tell(Fact::NewTokens);
        }
        cx.state.end_login();
        let reset = cx.state.is_reset(cx.now);
        if was_usable && !reset {
            return Verdict::Dead { proof: "nobody is logged in at the gateway" };
        }
        let because = if reset { NeedReason::Reset } else { cx.state.because.unwrap_or(NeedReason::Opening) };
        self.ask_for_browser(cx, because)
    }

    /// Goes on waiting for the person in the browser; `hint` reports whether the login may have happened.
    fn watch(&self, cx: &mut Cx<'_>, hint: bool) -> Judged {
        let last = cx.state.denied.max(cx.state.hinted);
        let hint = hint && last.is_none_or(|at| cx.now.since(at) >= HINT);
        if hint || cx.state.done && !cx.state.is_denied(cx.now) {
            cx.state.done = false;
            cx.state.hinted = Some(cx.now);
            return Verdict::next(Call::Validate.into());
        }
        self.ask_for_browser(cx, NeedReason::Opening)
    }

    fn ask_for_browser(&self, cx: &mut Cx<'_>, because: NeedReason) -> Judged {
        cx.state.inner.met = true;
        // Midnight keeps the question's reason.
        let because = cx.state.because.filter(|_| cx.state.asked.is_some()).unwrap_or(because);
        cx.state.because = Some(because);
        let since = *cx.state.asked.get_or_insert(cx.now);
        let pace = if cx.now.since(since) < BROWSER_SOON { BROWSER } else { BROWSER_LATER };
        Ask::new(NeedKind::Browser, because)
            .url(self.api.login_page().to_string().into())
            .poll(GatewayStep::PollLogin, pace)
            .into()
    }
}

impl Outer for Gateway {
    type Step = GatewayStep;
    type State = GatewayState;

    fn settings(&self) -> &Settings {
        &self.settings
    }

    fn is_proven_by_calls(&self) -> bool {
        false
    }

    /// A login that was stored with another expectation may be for another account; the next check finds out.
    fn may_use(&self, state: &GatewayState) -> bool {
        state.identified && self.settings.expect.admits_kind(state.inner.paper()) == Some(true)
    }

    fn flagged(&self, cx: &mut Cx<'_>, login: bool) -> Option<Judged> {
        if !login {
            return None;
        }
        let first = cx.state.inner.live.is_none();
        cx.state.inner.live.get_or_insert_default();
        note_login(cx, first);
        if cx.state.identified {
            return None;
        }
        // Nothing is opened, and nobody thrown out, for a user who is not the expected one.
        if self.settings.expect.is_any() {
            return Some(Verdict::next(Call::Validate.into()));
        }
        cx.state.identified = true;
        cx.tell(Fact::Usable(true));
        None
    }

    fn validated(&self, cx: &mut Cx<'_>, admitted: Option<bool>, first: bool) {
        cx.state.denied = None;
        cx.state.done = false;
        note_login(cx, first);
        cx.state.nameless = cx.state.inner.live.as_ref().is_none_or(|live| live.user.is_none());
        cx.state.identified = admitted != Some(false);
        if cx.state.identified {
            // While the kind is unknown, the outer tier may not be used either.
            cx.tell(Fact::Usable(admitted == Some(true)));
        }
    }

    fn relogged(&self, cx: &mut Cx<'_>) {
        cx.state.identified &= !self.settings.expect.is_any();
    }

    fn unvalidated(&self, cx: &mut Cx<'_>) -> Option<Judged> {
        if cx.state.asked.is_some() {
            return Some(self.ask_for_browser(cx, NeedReason::Opening));
        }
        if !cx.state.inner.brokerage.ready || !cx.state.identified {
            return None;
        }
        cx.state.nameless = true;
        Some(Verdict::next(Call::Status.into()))
    }

    fn find_out(&self, cx: &mut Cx<'_>) -> Judged {
        if cx.state.asked.is_some() {
            // The flags may not change at the login.
            return self.watch(cx, true);
        }
        if cx.state.is_denied(cx.now) {
            return self.sso_is_dead(cx);
        }
        Verdict::next(Call::Validate.into())
    }

    fn no_login(&self, cx: &mut Cx<'_>) -> Judged {
        // While the flags are good, a single response proves no death.
        if cx.state.inner.brokerage.ready
            && cx.state.identified
            && let Some(verdict) = self.unvalidated(cx)
        {
            return verdict;
        }
        cx.state.denied = Some(cx.now);
        self.sso_is_dead(cx)
    }

    fn doubted(&self, cx: &mut Cx<'_>, refusal: Refusal, tier: Tier) -> Option<Judged> {
        if cx.state.asked.is_some() {
            // A refusal of the brokerage tier alone hints that the outer tier is open.
            return Some(self.watch(cx, tier == Tier::Brokerage));
        }
        let plain = matches!(refusal, Refusal::LoginRedirect | Refusal::NotLoggedIn) && cx.state.inner.live.is_none();
        plain.then(|| self.sso_is_dead(cx))
    }

    fn moves(&self, _: &mut Cx<'_>, _: GatewayStep) -> Option<Judged> {
        None
    }

    /// The user name is requested late, so that a program which starts twice in a minute stays within the rate
    /// limit.
    fn admitted(&self, cx: &mut Cx<'_>) -> (Option<(GatewayStep, Timestamp)>, Option<Timestamp>) {
        let named = cx.state.nameless || cx.state.inner.live.as_ref().is_some_and(|live| live.user.is_some());
        let at = cx.state.inner.admitted.unwrap_or(cx.now) + VALIDATE_INTERVAL;
        ((!named).then_some((Call::Validate.into(), at)), None)
    }

    fn consented(&self, state: &GatewayState) -> Option<GatewayStep> {
        match state.asked {
            Some(_) => Some(GatewayStep::PollLogin),
            None => (state.inner.brokerage.rival && !state.identified).then_some(Call::Look.into()),
        }
    }

    fn minds(&self, _: &GatewayState, _: Refusal) -> bool {
        false
    }

    fn is_over(&self, _: &Cx<'_>, _: Response<'_>, refusal: Refusal) -> Option<bool> {
        matches!(refusal, Refusal::LoginRedirect | Refusal::NotLoggedIn | Refusal::NoSession).then_some(true)
    }

    fn passed_midnight(&self, cx: &mut Cx<'_>) {
        let told = cx.state.came_early(cx.now);
        cx.state.reset_at = Some(cx.now);
        if !told {
            cx.tell(Fact::Tell(Event::Reset));
        }
    }
}

/// Notes a login, and whether this session asked for it.
fn note_login(cx: &mut Cx<'_>, first: bool) {
    let asked = cx.state.asked.take().is_some();
    if asked {
        cx.tell(Fact::Settled(NeedKind::Browser));
    }
    if first {
        cx.tell(Fact::Found(!asked));
    }
}

/// Returns why an error is not IBKR's, as long as nothing proves that the server is.
fn is_foreign(cx: &Cx<'_>, response: Response<'_>) -> Option<&'static str> {
    if cx.state.inner.met {
        return None;
    }
    match response.status {
        StatusCode::FORBIDDEN if response.header(SERVER).is_some_and(|server| server.starts_with("AirTunes")) => {
            Some("the AirPlay receiver of macOS has this port; give the gateway another one")
        }
        StatusCode::FORBIDDEN if !says_denied(response.body) => Some("403, not in IBKR's words"),
        StatusCode::UNAUTHORIZED if response.headers.contains_key(WWW_AUTHENTICATE) => {
            Some("a server that wants HTTP authentication, which IBKR's does not")
        }
        StatusCode::UNAUTHORIZED if json::<ErrorBody<'_>>(response.body).is_some_and(|e| e.text().is_none()) => {
            Some("401 in JSON that is not IBKR's")
        }
        _ => None,
    }
}

/// Notes what an answer says of the gateway's wish for its own `Origin`; reports whether the step is worth being sent once
/// more with the other one before anything is made of its refusal.
fn is_worth_the_other_origin(cx: &mut Cx<'_>, step: GatewayStep, response: Response<'_>) -> bool {
    if !step.is_post() || step.call().is_status() && cx.state.inner.by_get.is_used() {
        return false;
    }
    // Bodies of successes are read once, and elsewhere.
    let refusal = if response.status.is_success() { None } else { Refusal::of(response) };
    // `sso/validate`, which is asked by GET, says the contrary of such a refusal.
    if cx.state.inner.is_sso_alive(cx.now, Tier::Sso) && origin::is_missed(response.status, refusal) {
        cx.state.origin.doubt();
    }
    let again = cx.state.origin.note(response.status, refusal);
    let knows_nobody = cx.state.asked.is_some() || cx.state.is_denied(cx.now);
    // An init waits its turn.
    again && !knows_nobody && !step.call().is_init()
}
