//! When a session moves between IBKR's hosts.
//!
//! A 410 means that a host is retired and another one may serve (a client's advice). A numbered host may also refuse
//! an address that the plain host accepts, with its own text: "IP not authorized, use api.ibkr.com instead". A
//! refusal by a numbered host therefore says nothing about keys, tokens or the address, and the session moves on. After the
//! last host the configured one is tried again. If it still does not serve, only that host is tried for a while, before
//! another round.

use core::time::Duration;

use super::super::brokerage::LOOK;
use super::super::inner::Call;
use super::super::{Refusal, Tier};
use super::{Cx, Judged, OAuth, WebApi, WebApiState, WebApiStep};
use crate::machine::event::Cause;
use crate::provider::{Fact, Judgment, Verdict};
use crate::{Response, Timestamp};

/// The pause before the next host.
const MOVE: Duration = Duration::from_secs(1);

/// The wait after the first failed round of hosts; four times as long after each further one,
const FIRST_REST: Duration = Duration::from_secs(60);

/// up to this limit: hosts that refuse an address do so for days.
const LONGEST_REST: Duration = Duration::from_secs(4 * 3_600);

/// The configured host is tried again at least this often between two rounds: a session idles out in five minutes.
const RETURN: Duration = Duration::from_secs(5 * 60);

/// The number of consecutive requests without a response after which another host is tried.
const UNANSWERED: u8 = 3;

impl WebApi {
    /// Moves on where a numbered host refuses to serve; its text is not interpreted.
    pub(super) fn leaves(&self, cx: &mut Cx<'_>, step: WebApiStep, response: Response<'_>) -> Option<Judged> {
        cx.state.unanswered = 0;
        // While the present token works, a renewal that is refused here waits, and the session stays.
        if !self.hosts.is_numbered(cx.state.host) || self.asks_the_root(step) || step.renews() {
            return None;
        }
        let refusal = Refusal::of(response)?;
        if !refuses_to_serve(refusal, step, cx.state.moves == 0) {
            return None;
        }
        cx.tell(Fact::Doubt(Cause::Status(response.status.as_u16())));
        cx.state.sour |= refusal.doubts() == Some(Tier::Sso) && step.call().is_some();
        Some(self.moved(cx, step))
    }

    /// Moves to the next host.
    pub(super) fn moved(&self, cx: &mut Cx<'_>, step: WebApiStep) -> Judged {
        if self.hosts.count() == 1 || self.asks_the_root(step) {
            return wait(step, None);
        }
        let mut step = step;
        if cx.state.host == 0 {
            let rest = cx.state.rest(cx.now);
            if !rest.is_zero() {
                // An opening ends after its attempts.
                return wait(step, cx.state.opened.then(|| rest.min(RETURN)));
            }
            cx.state.rounds = cx.state.rounds.saturating_add(1);
            cx.state.round_at = cx.now;
            // In the round before, the token was refused wherever there was an answer.
            if core::mem::take(&mut cx.state.sour) && is_call(step) {
                self.distrust(cx);
                step = WebApiStep::Token;
            }
        }
        self.moves_on(cx.state);
        // The pace at one host does not apply to the next.
        cx.tell(Fact::Progress);
        let step = if is_init(step) { Call::Look.into() } else { step };
        Verdict::Next { step, after: MOVE }
    }

    /// Counts a request, and leaves a host that has not answered the last few. If the plain host is configured,
    /// the network is at fault, and the session stays.
    pub(super) fn counts_request(&self, state: &mut WebApiState, step: WebApiStep) {
        if state.host == 0 && !self.hosts.is_numbered(0) || self.asks_the_root(step) {
            return;
        }
        if state.unanswered >= UNANSWERED {
            self.moves_on(state);
        }
        state.unanswered += 1;
    }

    fn moves_on(&self, state: &mut WebApiState) {
        state.host = (state.host + 1) % self.hosts.count();
        state.moves = state.moves.saturating_add(1);
        state.unanswered = 0;
    }

    /// Reports whether a step goes to the configured host, whichever is called now.
    fn asks_the_root(&self, step: WebApiStep) -> bool {
        matches!(self.oauth, OAuth::V2(_)) && step.call().is_none()
    }
}

impl WebApiState {
    /// Returns how long no other host is to be tried.
    fn rest(&mut self, now: Timestamp) -> Duration {
        // The clock may have been set back since.
        self.round_at = self.round_at.min(now);
        let rest = match (self.rounds, self.opened) {
            (0, _) => return Duration::ZERO,
            (_, false) => Duration::MAX,
            (rounds, true) => FIRST_REST.saturating_mul(1 << (2 * (rounds - 1)).min(8)).min(LONGEST_REST),
        };
        rest.saturating_sub(now.since(self.round_at))
    }

    /// Notes that the session is usable at the present host.
    pub(super) fn settle(&mut self) {
        self.moves = 0;
        self.rounds = 0;
        self.sour = false;
    }
}

/// Reports whether a numbered host's response means that it does not serve this client; `served` reports whether it did before.
fn refuses_to_serve(refusal: Refusal, step: WebApiStep, served: bool) -> bool {
    match refusal {
        Refusal::Gone | Refusal::IpNotAuthorized | Refusal::EdgeDenied | Refusal::Forbidden => true,
        // A host that has served refuses a call because of its token, so a new token is requested from it first.
        Refusal::LoginRedirect
        | Refusal::NotLoggedIn
        | Refusal::Unauthorized
        | Refusal::ConsumerInvalid
        | Refusal::TokenRegenerated
        | Refusal::BearerExpired => !served || !is_call(step),
        Refusal::NotFound | Refusal::MethodNotAllowed | Refusal::BadRequest | Refusal::Foreign => !served,
        _ => false,
    }
}

/// Stays at the present host.
fn wait(step: WebApiStep, after: Option<Duration>) -> Judged {
    match is_init(step) {
        // It was seen right after a logout, too.
        true => Verdict::Next { step: Call::Look.into(), after: after.unwrap_or(LOOK) },
        false => Verdict::Retry { after, answer: Judgment::Unjudged },
    }
}

/// Reports whether a step is a call that goes on where its token is taken, which a logout is not.
fn is_call(step: WebApiStep) -> bool {
    step.call().is_some_and(|call| call != Call::Logout)
}

fn is_init(step: WebApiStep) -> bool {
    step.call().is_some_and(Call::is_init)
}
