//! What follows from the answers of an open outer tier: the brokerage session, as behind the gateway.

use core::time::Duration;

use super::super::account::{Counted, is_paper};
use super::super::brokerage::{ESTABLISHING, LOOK, Move};
use super::super::gateway::PENALTY;
use super::super::oauth1a;
use super::super::wire::{Accounts, Flags, Logout, LogoutOutcome, Pulse, Validate};
use super::super::{Refusal, Standing};
use super::state::{LIFE, WebApiState, renewal};
use super::{OAuth, WebApi, WebApiStep};
use crate::provider::{Ask, Cx, Fact, Spent, Verdict, When};
use crate::{Because, CloseReason, Denial, Event, NeedKind, Response};

/// After so long without a tickle the brokerage session may be gone: the page says 5 minutes and 6.
const IDLE: Duration = Duration::from_secs(5 * 60);

impl WebApi {
    /// Makes sense of the answer to a call that was signed with the present token.
    pub(super) fn judge(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
        response: Response<'_>,
    ) -> Verdict<WebApiStep> {
        if step == WebApiStep::Logout {
            return self.logged_out(cx, response);
        }
        if let Some(reason) = oauth1a::refusal(cx.now, response) {
            return self.token_refused(cx, reason);
        }
        // Bodies are read once: where the status is a success, the fields tell whether it is one. A web
        // page has none.
        if !response.status.is_success() {
            let refusal = Refusal::of(response).unwrap_or(Refusal::Foreign);
            if step.is_status()
                && let Some(verdict) = cx.state.by_get.refused(step, response.status, refusal)
            {
                return verdict;
            }
            return self.refused(cx, step, refusal);
        }
        match step {
            WebApiStep::Tickle => self.tickled(cx, response),
            WebApiStep::Validate | WebApiStep::Accounts => match Refusal::of(response) {
                Some(refusal) => self.refused(cx, step, refusal),
                None if step == WebApiStep::Validate => self.validated(cx, response),
                None => self.counted(cx, response),
            },
            step => self.flags(cx, step, response),
        }
    }

    /// Makes sense of flags, wherever they came from.
    fn weigh(&self, cx: &mut Cx<'_, WebApiState>, flags: &Flags<'_>, standing: Standing) -> Verdict<WebApiStep> {
        let now = cx.now;
        // Under OAuth 1.0a the answer itself proves the outer tier: nothing else could be asked.
        let sso = matches!(self.oauth, OAuth::V1a(_)) || cx.state.is_sso_alive(now);
        self.note_midnight(cx);
        // A token that is taken again was refused for another reason, such as this machine's clock.
        if core::mem::take(&mut cx.state.doubted) {
            cx.tell(Fact::Usable(true));
        }
        let was_ready = cx.state.brokerage.ready;
        let mut told = None;
        let next = cx.state.brokerage.weigh(now, self.takeover, flags, standing, sso, &mut |event| told = Some(event));
        if let Some(event) = told {
            cx.tell(Fact::Tell(event));
        }
        if let Some(stuck) = cx.state.brokerage.stuck(standing, next) {
            cx.tell(Fact::Stuck(stuck));
        }
        match next {
            // What was usable a moment ago is looked at once more at once, which also tells the phase.
            Move::Look(after) if was_ready && after > ESTABLISHING => Verdict::next(WebApiStep::Look),
            next => self.follow(cx, next),
        }
    }

    fn note_midnight(&self, cx: &mut Cx<'_, WebApiState>) {
        if cx.state.brokerage.note_midnight(cx.now, self.region) {
            cx.tell(Fact::Tell(Event::Reset));
        }
    }

    fn follow(&self, cx: &mut Cx<'_, WebApiState>, next: Move) -> Verdict<WebApiStep> {
        use WebApiStep as S;
        match next {
            Move::Use => self.admit(cx),
            Move::Look(after) => Verdict::Next { step: S::Look, after },
            Move::CheckSso if matches!(self.oauth, OAuth::V2(_)) => Verdict::next(S::Validate),
            Move::CheckSso => Verdict::Next { step: S::Look, after: LOOK },
            Move::Init => Verdict::next(S::Init),
            Move::TakeOver => Verdict::next(S::TakeOver),
            Move::Ask => Ask::new(NeedKind::Takeover, Because::Rival).poll(S::Look, LOOK).into(),
            Move::Yield => Verdict::Close(CloseReason::Rival),
            Move::Puzzle => Verdict::Unreadable("the flags of a brokerage session are missing"),
        }
    }

    /// The brokerage session is usable: is it the expected account's?
    fn admit(&self, cx: &mut Cx<'_, WebApiState>) -> Verdict<WebApiStep> {
        let live = cx.state.live.get_or_insert_default();
        match self.expect.admits_kind(live.paper) {
            Some(true) => {}
            Some(false) => return Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            None => return Verdict::next(WebApiStep::Accounts),
        }
        let expires = live.expires;
        cx.state.opened = true;
        cx.state.refused = 0;
        cx.state.settle();
        // An adopted token may have told no end.
        let ends = expires.unwrap_or(cx.now + LIFE / 2);
        let renew_at = cx.state.renew_at.unwrap_or_else(|| renewal(cx.now, ends, &cx.entropy, self.account()));
        cx.state.renew_at = Some(renew_at);
        Verdict::Active {
            keepalive: Some((WebApiStep::Tickle, self.tickle)),
            // A clock that was set back must not put the renewal off for days.
            renew: Some((WebApiStep::Renew, When::At(renew_at.min(cx.now + LIFE)))),
            expires: Some(match expires.filter(|at| *at > cx.now && at.since(cx.now) < IDLE) {
                Some(at) => When::At(at),
                None => When::In(IDLE),
            }),
        }
    }

    fn validated(&self, cx: &mut Cx<'_, WebApiState>, response: Response<'_>) -> Verdict<WebApiStep> {
        let Some(validate) = crate::wire::json::<Validate<'_>>(response.body) else {
            return Verdict::Unreadable("sso/validate answers with a JSON object");
        };
        match validate.result {
            Some(true) => {}
            Some(false) => return self.token_refused(cx, oauth1a::Refusal::BearerExpired),
            None => return Verdict::Unreadable("sso/validate answers with RESULT"),
        }
        let live = cx.state.live.get_or_insert_default();
        live.user_id = validate.user_id;
        live.user = validate.user_name.as_deref().map(str::to_owned);
        live.paper = is_paper(&validate).or(live.paper);
        cx.state.validated = Some(cx.now);
        if self.is_foreign(cx.state) {
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        if cx.state.brokerage.ready { self.admit(cx) } else { Verdict::next(WebApiStep::Look) }
    }

    fn counted(&self, cx: &mut Cx<'_, WebApiState>, response: Response<'_>) -> Verdict<WebApiStep> {
        let Some(accounts) = crate::wire::json::<Accounts<'_>>(response.body) else {
            return self.not_json(cx, WebApiStep::Accounts, response);
        };
        match Counted::of(&accounts) {
            Counted::Paper(paper) => {
                cx.state.live.get_or_insert_default().paper = Some(paper);
                self.admit(cx)
            }
            Counted::Empty => Verdict::unavailable(),
            Counted::Untold => Verdict::Unreadable("nothing tells whether the account is a paper one"),
        }
    }

    /// Follows an error answer that says nothing of the token.
    pub(super) fn refused(
        &self,
        cx: &mut Cx<'_, WebApiState>,
        step: WebApiStep,
        refusal: Refusal,
    ) -> Verdict<WebApiStep> {
        match refusal {
            Refusal::PenaltyBox => {
                cx.tell(Fact::Penalty(PENALTY));
                Verdict::unavailable()
            }
            Refusal::Gone => self.moved(cx, step),
            Refusal::EdgeDenied | Refusal::Forbidden | Refusal::IpNotAuthorized if !cx.state.opened => {
                Verdict::Close(CloseReason::Denied(Denial::IpNotAllowed))
            }
            Refusal::EdgeDenied | Refusal::Forbidden | Refusal::IpNotAuthorized => Verdict::unavailable(),
            Refusal::LoginRedirect if !step.is_login() => self.token_refused(cx, oauth1a::Refusal::Signature),
            // What an init did is seen by looking; the init itself waits its turn.
            _ if step.is_init() => {
                // One may fail by chance.
                if cx.state.brokerage.is_stuck(2) {
                    cx.tell(Fact::Stuck(true));
                }
                Verdict::Next { step: WebApiStep::Look, after: LOOK }
            }
            refusal if refusal.doubts().is_some() && step == WebApiStep::Validate => {
                self.token_refused(cx, oauth1a::Refusal::BearerExpired)
            }
            refusal if refusal.doubts().is_some() && !step.is_login() => {
                self.note_midnight(cx);
                cx.tell(Fact::Doubt(refusal.cause()));
                // Tickles fail now and then while all is well: what was usable a moment ago is looked at at once.
                if step == WebApiStep::Tickle && cx.state.brokerage.ready {
                    cx.state.brokerage.doubt(cx.now);
                    return Verdict::next(WebApiStep::Look);
                }
                let next = cx.state.brokerage.open(cx.now, self.takeover);
                self.follow(cx, next)
            }
            refusal if refusal.is_passing() => Verdict::Retry { after: None, answer: Spent::Judged },
            Refusal::ErrorInside => Verdict::unavailable(),
            Refusal::NotFound => Verdict::Unreadable("there is no such operation: is the base URL right?"),
            Refusal::Foreign => Verdict::Unreadable("a web page, or a redirect that is not IBKR's"),
            _ => Verdict::Unreadable("an error that IBKR's Web API is not known to answer with"),
        }
    }

    fn tickled(&self, cx: &mut Cx<'_, WebApiState>, response: Response<'_>) -> Verdict<WebApiStep> {
        // The older specifications have a void answer, which proves neither life nor death.
        if response.body.trim_ascii().is_empty() {
            return Verdict::next(WebApiStep::Status);
        }
        let Some(pulse) = crate::wire::json::<Pulse<'_>>(response.body) else {
            return self.not_json(cx, WebApiStep::Tickle, response);
        };
        if let Some(error) = pulse.error() {
            return self.refused(cx, WebApiStep::Tickle, Refusal::inside(error));
        }
        if let (Some(session), Some(live)) = (&pulse.session, &mut cx.state.live)
            && !live.session.as_ref().is_some_and(|known| known.matches(session.expose()))
        {
            live.session = Some(session.to_secret());
        }
        match pulse.flags() {
            Some(flags) => self.weigh(cx, flags, Standing::of(flags)),
            // Older bodies under OAuth have no flags; the status has them then.
            None if pulse.session.is_some() => Verdict::next(WebApiStep::Status),
            None => Verdict::Unreadable("a tickle answers with session or iserver"),
        }
    }

    fn flags(&self, cx: &mut Cx<'_, WebApiState>, step: WebApiStep, response: Response<'_>) -> Verdict<WebApiStep> {
        let Some(flags) = crate::wire::json::<Flags<'_>>(response.body) else {
            return self.not_json(cx, step, response);
        };
        if let Some(error) = flags.error() {
            return self.refused(cx, step, Refusal::inside(error));
        }
        if step.is_status() {
            cx.state.by_get.answered();
        }
        let standing = if step.is_init() { Standing::of_init(&flags) } else { Standing::of(&flags) };
        self.weigh(cx, &flags, standing)
    }

    fn not_json(&self, cx: &mut Cx<'_, WebApiState>, step: WebApiStep, response: Response<'_>) -> Verdict<WebApiStep> {
        match Refusal::of(response) {
            Some(refusal) => self.refused(cx, step, refusal),
            // Empty bodies come with restarts.
            None if response.body.is_empty() && cx.state.opened => Verdict::unavailable(),
            None => Verdict::Unreadable("the Web API answers with a JSON object"),
        }
    }

    fn logged_out(&self, cx: &mut Cx<'_, WebApiState>, response: Response<'_>) -> Verdict<WebApiStep> {
        let done = |confirmed| Verdict::Close(CloseReason::LoggedOut { confirmed });
        // That a token is refused says nothing new where it was known: what it had opened may live on.
        let tells = !cx.state.doubted;
        match Refusal::of(response) {
            Some(Refusal::LoginRedirect | Refusal::NoSession) => return done(tells),
            Some(Refusal::Gone) => return self.moved(cx, WebApiStep::Logout),
            Some(Refusal::PenaltyBox) => {
                cx.tell(Fact::Penalty(PENALTY));
                return Verdict::unavailable();
            }
            // What no token opens any more is over, unless it is this machine's clock that refuses.
            Some(_) => {
                let reason = oauth1a::refusal(cx.now, response);
                if reason.is_some_and(|reason| !matches!(reason, oauth1a::Refusal::Clock { .. })) {
                    return done(tells);
                }
                return Verdict::Retry { after: None, answer: Spent::Judged };
            }
            None => {}
        }
        match crate::wire::json::<Logout<'_>>(response.body).and_then(|logout| logout.outcome()) {
            Some(LogoutOutcome::Ended) => done(true),
            Some(LogoutOutcome::LivesOn) => Verdict::unavailable(),
            None => Verdict::Unreadable("a logout answers with status"),
        }
    }
}
