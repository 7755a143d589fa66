//! What the outer tier of a gateway is: a person's login in a browser.

use core::time::Duration;

use http::StatusCode;
use http::header::{SERVER, WWW_AUTHENTICATE};

use super::state::GatewayState;
use super::step::GatewayStep;
use super::{Gateway, origin};
use crate::provider::{Ask, Context, Fact, Verdict};
use crate::providers::ibkr::inner::{Call, Judge, Outer, Settings, VALIDATE_INTERVAL};
use crate::providers::ibkr::refusal::says_denied;
use crate::providers::ibkr::wire::ErrorBody;
use crate::providers::ibkr::{Refusal, Tier};
use crate::wire::json;
use crate::{Event, NeedKind, Response, Timestamp, machine::NeedReason};

/// How often a person's login in a browser is looked for at first,
const BROWSER: Duration = Duration::from_secs(3);
/// for how long,
const BROWSER_SOON: Duration = Duration::from_secs(5 * 60);
/// and how often later, when the person is asleep rather than typing.
const BROWSER_LATER: Duration = Duration::from_secs(15);

/// How seldom `sso/validate` is asked while a person logs in, and only where an answer leaves open that it has happened.
const HINT: Duration = Duration::from_secs(5 * 60);

type Judged = Verdict<GatewayStep>;
type GatewayContext<'a> = Context<'a, GatewayState>;

impl Gateway {
    pub(super) fn judge(&self, cx: &mut GatewayContext<'_>, step: GatewayStep, response: Response<'_>) -> Judged {
        // What is none of IBKR's is told at once.
        if let Some(why) = is_foreign(cx, response) {
            return Verdict::Unreadable(why);
        }
        if is_worth_the_other_origin(cx, step, response) {
            return Verdict::next(step);
        }
        Judge::new(self, cx).answer(step, step.call(), response)
    }

    /// Nobody is logged in at the gateway (any more).
    fn sso_is_dead(&self, cx: &mut GatewayContext<'_>) -> Judged {
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

    /// Goes on waiting for the person in the browser; `hint` tells whether the login may have happened.
    fn watch(&self, cx: &mut GatewayContext<'_>, hint: bool) -> Judged {
        let last = cx.state.denied.max(cx.state.hinted);
        let hint = hint && last.is_none_or(|at| cx.now.since(at) >= HINT);
        if hint || cx.state.done && !cx.state.is_denied(cx.now) {
            cx.state.done = false;
            cx.state.hinted = Some(cx.now);
            return Verdict::next(Call::Validate.into());
        }
        self.ask_for_browser(cx, NeedReason::Opening)
    }

    fn ask_for_browser(&self, cx: &mut GatewayContext<'_>, because: NeedReason) -> Judged {
        cx.state.inner.met = true;
        // A midnight that passes while a person is asked makes it no other question.
        let because = cx.state.because.filter(|_| cx.state.asked.is_some()).unwrap_or(because);
        cx.state.because = Some(because);
        let since = *cx.state.asked.get_or_insert(cx.now);
        let pace = if cx.now.since(since) < BROWSER_SOON { BROWSER } else { BROWSER_LATER };
        Ask::new(NeedKind::Browser, because)
            .url(self.api.login_page().to_string().into())
            .poll(GatewayStep::Watch, pace)
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

    /// A login that was stored under other expectations may be of another account, as the next look finds out.
    fn may_use(&self, state: &GatewayState) -> bool {
        state.identified && self.settings.expect.admits_kind(state.inner.paper()) == Some(true)
    }

    fn flagged(&self, cx: &mut GatewayContext<'_>, login: bool) -> Option<Judged> {
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

    fn validated(&self, cx: &mut GatewayContext<'_>, admitted: Option<bool>, first: bool) {
        cx.state.denied = None;
        cx.state.done = false;
        note_login(cx, first);
        cx.state.nameless = cx.state.inner.live.as_ref().is_none_or(|live| live.user.is_none());
        cx.state.identified = admitted != Some(false);
        if cx.state.identified {
            // Where the kind is not known yet, the outer tier may not be used either.
            cx.tell(Fact::Usable(admitted == Some(true)));
        }
    }

    fn relogged(&self, cx: &mut GatewayContext<'_>) {
        cx.state.identified &= !self.settings.expect.is_any();
    }

    fn unvalidated(&self, cx: &mut GatewayContext<'_>) -> Option<Judged> {
        if cx.state.asked.is_some() {
            return Some(self.ask_for_browser(cx, NeedReason::Opening));
        }
        if !cx.state.inner.brokerage.ready || !cx.state.identified {
            return None;
        }
        cx.state.nameless = true;
        Some(Verdict::next(Call::Status.into()))
    }

    fn find_out(&self, cx: &mut GatewayContext<'_>) -> Judged {
        if cx.state.asked.is_some() {
            // Flags may stay as they are after the login, too.
            return self.watch(cx, true);
        }
        if cx.state.is_denied(cx.now) {
            return self.sso_is_dead(cx);
        }
        Verdict::next(Call::Validate.into())
    }

    fn no_login(&self, cx: &mut GatewayContext<'_>) -> Judged {
        // Where the flags say that all is well, one answer alone proves no death.
        if cx.state.inner.brokerage.ready
            && cx.state.identified
            && let Some(verdict) = self.unvalidated(cx)
        {
            return verdict;
        }
        cx.state.denied = Some(cx.now);
        self.sso_is_dead(cx)
    }

    fn doubted(&self, cx: &mut GatewayContext<'_>, refusal: Refusal, tier: Tier) -> Option<Judged> {
        if cx.state.asked.is_some() {
            // The brokerage tier alone being refused hints that the outer one has been opened.
            return Some(self.watch(cx, tier == Tier::Brokerage));
        }
        let plain = matches!(refusal, Refusal::LoginRedirect | Refusal::NotLoggedIn) && cx.state.inner.live.is_none();
        plain.then(|| self.sso_is_dead(cx))
    }

    fn moves(&self, _: &mut GatewayContext<'_>, _: GatewayStep) -> Option<Judged> {
        None
    }

    /// Who is logged in is asked late, so that a program which is started twice in a minute does not put its address into
    /// the penalty box.
    fn admitted(&self, cx: &mut GatewayContext<'_>) -> (Option<(GatewayStep, Timestamp)>, Option<Timestamp>) {
        let named = cx.state.nameless || cx.state.inner.live.as_ref().is_some_and(|live| live.user.is_some());
        let at = cx.state.inner.admitted.unwrap_or(cx.now) + VALIDATE_INTERVAL;
        ((!named).then_some((Call::Validate.into(), at)), None)
    }

    fn consented(&self, state: &GatewayState) -> Option<GatewayStep> {
        match state.asked {
            Some(_) => Some(GatewayStep::Watch),
            None => (state.inner.brokerage.rival && !state.identified).then_some(Call::Look.into()),
        }
    }

    fn minds(&self, _: &GatewayState, _: Refusal) -> bool {
        false
    }

    fn is_over(&self, _: &GatewayContext<'_>, _: Response<'_>, refusal: Refusal) -> Option<bool> {
        matches!(refusal, Refusal::LoginRedirect | Refusal::NotLoggedIn | Refusal::NoSession).then_some(true)
    }

    fn passed_midnight(&self, cx: &mut GatewayContext<'_>) {
        let told = cx.state.came_early(cx.now);
        cx.state.reset_at = Some(cx.now);
        if !told {
            cx.tell(Fact::Tell(Event::Reset));
        }
    }
}

/// Notes that somebody is logged in: because a person was asked to, or before anybody was.
fn note_login(cx: &mut GatewayContext<'_>, first: bool) {
    let asked = cx.state.asked.take().is_some();
    if asked {
        cx.tell(Fact::Settled(NeedKind::Browser));
    }
    if first {
        cx.tell(Fact::Found(!asked));
    }
}

/// Says what shows that an error is none of IBKR's, while nothing has shown that the server is.
fn is_foreign(cx: &GatewayContext<'_>, response: Response<'_>) -> Option<&'static str> {
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
fn is_worth_the_other_origin(cx: &mut GatewayContext<'_>, step: GatewayStep, response: Response<'_>) -> bool {
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
