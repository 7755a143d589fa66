//! What a refusal leads to once the outer tier is open.

use super::judge::Judge;
use super::table::{Next, leads_to};
use super::{Call, Outer};
use crate::provider::{Fact, Judgment, Verdict};
use crate::providers::ibkr::brokerage::{AFTER_FAILED_INIT, LOOK, Move};
use crate::providers::ibkr::refusal::PENALTY;
use crate::providers::ibkr::wire::{Logout, LogoutOutcome};
use crate::providers::ibkr::{Refusal, Tier};
use crate::wire::json;
use crate::{CloseReason, Response, machine::Denial};

impl<O: Outer> Judge<'_, '_, O> {
    /// Continues without a response of `sso/validate` where possible; otherwise judges it like any step's.
    pub(super) fn go_without(self, step: O::Step, refusal: Refusal) -> Verdict<O::Step> {
        match self.outer.unvalidated(self.cx) {
            Some(verdict) => verdict,
            None => self.refused_as(step, None, refusal),
        }
    }

    pub(super) fn not_json(mut self, step: O::Step, call: Call, response: Response<'_>) -> Verdict<O::Step> {
        match Refusal::of(response) {
            Some(refusal) => self.refused(step, call, refusal),
            // Empty bodies come with restarts.
            None if response.body.is_empty() && self.inner().met => self.refused(step, call, Refusal::Aborted),
            None => Verdict::Unreadable("IBKR answers with a JSON object"),
        }
    }

    /// Follows an error response to a step.
    pub(super) fn refused(self, step: O::Step, call: Call, refusal: Refusal) -> Verdict<O::Step> {
        self.refused_as(step, Some(call), refusal)
    }

    /// Follows an error response to a request for a token.
    #[cfg(feature = "ibkr-oauth")]
    pub(in super::super) fn refused_token(self, step: O::Step, refusal: Refusal) -> Verdict<O::Step> {
        self.refused_as(step, None, refusal)
    }

    pub(super) fn refused_as(mut self, step: O::Step, call: Option<Call>, refusal: Refusal) -> Verdict<O::Step> {
        match leads_to(refusal, call, self.inner().met) {
            Next::Wait => {
                self.cx.tell(Fact::Penalty(PENALTY));
                Verdict::unavailable()
            }
            Next::Move => match (self.outer.moves(self.cx, step), call) {
                (Some(verdict), _) => verdict,
                // 410 was seen right after a logout, too.
                (None, Some(Call::Init | Call::TakeOver)) => self.look_later(),
                (None, Some(Call::Validate)) => self.go_without(step, Refusal::ErrorInside),
                (None, _) => Verdict::unavailable(),
            },
            Next::Again => Verdict::unavailable(),
            Next::Later => Verdict::Retry { after: None, answer: Judgment::Judged },
            Next::Deny => Verdict::Close(CloseReason::Denied(Denial::IpNotAllowed)),
            Next::NoLogin => self.outer.no_login(self.cx),
            Next::Doubt(tier) => self.doubted(call, refusal, tier),
            Next::LookLater => {
                if refusal.doubts().is_some() {
                    self.cx.tell(Fact::Doubt(refusal.cause()));
                }
                self.look_later()
            }
            Next::GoWithout => self.go_without(step, refusal),
            Next::Unreadable(why) => Verdict::Unreadable(why),
        }
    }

    /// Checks what an init did; the next init keeps its pace.
    pub(super) fn look_later(mut self) -> Verdict<O::Step> {
        // A single failure may be an accident.
        if self.inner().brokerage.is_stuck(2) {
            self.cx.tell(Fact::Stuck(true));
        }
        // An opening is checked soon; a session that was open can wait.
        let after = if self.inner().admitted.is_none() { AFTER_FAILED_INIT } else { LOOK };
        Verdict::Next { step: Call::Look.into(), after }
    }

    /// Follows a response that casts doubt on a tier.
    pub(super) fn doubted(mut self, call: Option<Call>, refusal: Refusal, tier: Tier) -> Verdict<O::Step> {
        let now = self.cx.now;
        let was_ready = self.inner().brokerage.ready;
        self.inner().brokerage.doubt(now);
        self.cx.tell(Fact::Doubt(refusal.cause()));
        if let Some(verdict) = self.outer.doubted(self.cx, refusal, tier) {
            return verdict;
        }
        // Tickles fail now and then without a cause: re-check immediately.
        if was_ready && call == Some(Call::Tickle) {
            return Verdict::next(Call::Look.into());
        }
        // A 401 may concern the brokerage tier alone: check the outer tier before giving up the login.
        if !self.lives(tier) {
            return self.outer.find_out(self.cx);
        }
        let takeover = self.outer.settings().takeover;
        let next = self.inner().brokerage.open(now, takeover);
        if matches!(next, Move::Look(_)) && self.inner().brokerage.is_stuck(1) {
            self.cx.tell(Fact::Stuck(true));
        }
        self.follow(next)
    }

    /// Reports whether the outer tier is known to live, against a doubt of this tier.
    pub(super) fn lives(&self, doubted: Tier) -> bool {
        self.outer.is_proven_by_calls() || self.cx.state.as_ref().is_sso_alive(self.cx.now, doubted)
    }

    pub(super) fn logged_out(self, step: O::Step, response: Response<'_>) -> Verdict<O::Step> {
        let done = |confirmed| Verdict::Close(CloseReason::LoggedOut { confirmed });
        let Some(refusal) = Refusal::of(response) else {
            return match json::<Logout<'_>>(response.body).and_then(|logout| logout.outcome()) {
                Some(LogoutOutcome::Ended) => done(true),
                Some(LogoutOutcome::LivesOn) => Verdict::unavailable(),
                None => Verdict::Unreadable("a logout answers with status"),
            };
        };
        match refusal {
            Refusal::PenaltyBox => {
                self.cx.tell(Fact::Penalty(PENALTY));
                Verdict::unavailable()
            }
            Refusal::Gone => {
                self.outer.moves(self.cx, step).unwrap_or(Verdict::Retry { after: None, answer: Judgment::Judged })
            }
            refusal => match self.outer.is_over(self.cx, response, refusal) {
                Some(certain) => done(certain),
                None => Verdict::Retry { after: None, answer: Judgment::Judged },
            },
        }
    }
}
