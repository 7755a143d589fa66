//! The judge of all responses once the outer tier is open.

use core::time::Duration;

use super::{Call, Inner, Outer, TICKLE, TICKLE_BOUNDS};
use crate::provider::{Ask, Context, Fact, Observed, Plan, Verdict, When};
use crate::providers::ibkr::brokerage::{ESTABLISHING, LOOK, Move};
use crate::providers::ibkr::refusal::PENALTY;
use crate::providers::ibkr::wire::{Accounts, Flags, Login, Pulse, Validate};
use crate::providers::ibkr::{BrokerageState, Refusal, Tier};
use crate::wire::json;
use crate::{
    CloseReason, NeedKind, Response, Timestamp,
    machine::{Denial, NeedReason},
};

/// How long a brokerage session lives without a tickle: the page says 5 minutes and 6.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// How long after midnight the session is checked.
const AFTER_MIDNIGHT: Duration = Duration::from_secs(5);

/// Interprets responses, for a session with this outer tier.
pub(in super::super) struct Judge<'j, 'c, O: Outer> {
    pub(in super::super) outer: &'j O,
    pub(in super::super) cx: &'j mut Context<'c, O::State>,
}

impl<'j, 'c, O: Outer> Judge<'j, 'c, O> {
    pub(in super::super) const fn new(outer: &'j O, cx: &'j mut Context<'c, O::State>) -> Self {
        Self { outer, cx }
    }

    /// Interprets the response to a step, which makes this call.
    pub(in super::super) fn answer(mut self, step: O::Step, call: Call, response: Response<'_>) -> Verdict<O::Step> {
        self.outer.note_midnight(self.cx);
        if call == Call::Logout {
            return self.logged_out(step, response);
        }
        // Bodies are parsed once: after a success status, the fields decide. A web page has none.
        if !response.status.is_success() {
            let refusal = Refusal::of(response).unwrap_or(Refusal::Foreign);
            if call.is_status()
                && let Some(verdict) = self.inner().by_get.refused(step, response.status, refusal)
            {
                return verdict;
            }
            return self.refused(step, call, refusal);
        }
        match call {
            Call::Tickle => self.tickled(step, response),
            Call::Validate | Call::Accounts => match Refusal::of(response) {
                Some(refusal) => self.refused(step, call, refusal),
                None if call == Call::Validate => self.validated(response),
                None => self.counted(step, response),
            },
            _ => self.flagged(step, call, response),
        }
    }

    /// Interprets the response to a user's own call.
    pub(in super::super) fn observed(self, response: Response<'_>) -> Observed {
        // Bodies of successes are the user's own, and may be large.
        if response.status.is_success() {
            return Observed::Nothing;
        }
        match Refusal::of(response) {
            Some(Refusal::PenaltyBox) => {
                self.cx.tell(Fact::Penalty(PENALTY));
                Observed::Nothing
            }
            Some(refusal) if refusal.doubts().is_some() || self.outer.minds(self.cx.state, refusal) => Observed::Doubt,
            _ => Observed::Nothing,
        }
    }

    /// Continues after the owner's consent to a takeover.
    pub(in super::super) fn consented(self) -> Verdict<O::Step> {
        let brokerage = &mut self.cx.state.as_mut().brokerage;
        // One consent is one takeover, however often it is given before it is used.
        brokerage.granted = 1;
        let rival = brokerage.rival;
        let first = self.outer.consented(self.cx.state);
        Verdict::next(
            first.unwrap_or_else(|| if rival { Call::TakeOver.into() } else { self.cx.state.as_ref().probe().into() }),
        )
    }

    pub(super) fn inner(&mut self) -> &mut Inner {
        self.cx.state.as_mut()
    }

    fn flagged(mut self, step: O::Step, call: Call, response: Response<'_>) -> Verdict<O::Step> {
        let Some(flags) = json::<Flags<'_>>(response.body) else {
            return self.not_json(step, call, response);
        };
        if let Some(error) = flags.error() {
            return self.refused(step, call, Refusal::inside(error));
        }
        if call.is_status() {
            self.inner().by_get.answered();
        }
        let standing = if call.is_init() { BrokerageState::of_init(&flags) } else { BrokerageState::of(&flags) };
        self.weigh(&flags, standing)
    }

    fn tickled(mut self, step: O::Step, response: Response<'_>) -> Verdict<O::Step> {
        // The older specifications have an empty response, which proves nothing.
        if response.body.trim_ascii().is_empty() {
            return Verdict::next(Call::Status.into());
        }
        let Some(pulse) = json::<Pulse<'_>>(response.body) else {
            return self.not_json(step, Call::Tickle, response);
        };
        if let Some(error) = pulse.error() {
            return self.refused(step, Call::Tickle, Refusal::inside(error));
        }
        if let (Some(session), Some(live)) = (&pulse.session, &mut self.inner().live)
            && !live.session.as_ref().is_some_and(|known| known.matches(session.expose()))
        {
            let another = live.session.replace(session.to_secret()).is_some();
            live.user_id = pulse.user_id.or(live.user_id);
            if another {
                self.outer.relogged(self.cx);
            }
        }
        match pulse.flags() {
            Some(flags) => self.weigh(flags, BrokerageState::of(flags)),
            // The block may be missing; the status has the flags then.
            None if pulse.session.is_some() => Verdict::next(Call::Status.into()),
            None => Verdict::Unreadable("a tickle answers with session or iserver"),
        }
    }

    /// Interprets flags from any response.
    fn weigh(mut self, flags: &Flags<'_>, standing: BrokerageState) -> Verdict<O::Step> {
        let now = self.cx.now;
        self.inner().met |= standing != BrokerageState::Unknown;
        // Without a login there is no back end to judge.
        let login = flags.connected == Some(true) || flags.authenticated == Some(true);
        if let Some(first) = self.outer.flagged(self.cx, login) {
            return first;
        }
        let sso = self.lives(Tier::Brokerage);
        let takeover = self.outer.settings().takeover;
        let brokerage = &mut self.inner().brokerage;
        let was_ready = brokerage.ready;
        let mut told = None;
        let next = brokerage.weigh(now, takeover, flags, standing, sso, &mut |event| told = Some(event));
        let stuck = brokerage.stuck(standing, next);
        if let Some(event) = told {
            self.cx.tell(Fact::Tell(event));
        }
        if let Some(stuck) = stuck {
            self.cx.tell(Fact::Stuck(stuck));
        }
        match next {
            // Re-check immediately a session that was usable; this also sets the phase.
            Move::Look(after) if was_ready && after > ESTABLISHING => Verdict::next(Call::Look.into()),
            next => self.follow(next),
        }
    }

    pub(super) fn follow(self, next: Move) -> Verdict<O::Step> {
        match next {
            Move::Use => self.admit(),
            Move::Look(after) => Verdict::Next { step: Call::Look.into(), after },
            Move::CheckSso => self.outer.find_out(self.cx),
            Move::Init => Verdict::next(Call::Init.into()),
            Move::TakeOver => Verdict::next(Call::TakeOver.into()),
            Move::Ask => Ask::new(NeedKind::Takeover, NeedReason::Rival).poll(Call::Look.into(), LOOK).into(),
            Move::Yield => Verdict::Close(CloseReason::Rival),
            Move::Puzzle => Verdict::Unreadable("the flags of a brokerage session are missing"),
        }
    }

    /// Checks the account of a usable brokerage session.
    pub(super) fn admit(self) -> Verdict<O::Step> {
        let settings = self.outer.settings();
        match settings.expect.admits_kind(self.cx.state.as_ref().paper()) {
            Some(true) => {}
            Some(false) => return Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            // Some responses lack the kind of the login; the list of accounts has it.
            None => return Verdict::next(Call::Accounts.into()),
        }
        let now = self.cx.now;
        let inner = self.cx.state.as_mut();
        let admitted = *inner.admitted.get_or_insert(now);
        let midnight = inner.brokerage.midnight.map(|midnight| (Call::Status.into(), midnight + AFTER_MIDNIGHT));
        // The first tickle returns the stream's key, or the next one does. It must be a second after the last tickle, which a
        // crashed process may have sent.
        let has_stream = inner.live.get_or_insert_default().session.is_some();
        let stream =
            (!has_stream && now.since(admitted) < TICKLE).then_some((Call::Tickle.into(), admitted + TICKLE_BOUNDS.0));
        let (own, expires) = self.outer.admitted(self.cx);
        let ends = match expires.filter(|at| *at > now && at.since(now) < IDLE) {
            Some(at) => When::At(at),
            None => When::In(IDLE),
        };
        let plan = Plan::new().keepalive(Call::Tickle.into(), settings.tickle).expires(ends);
        // Each tickle plans them again, so the earliest is enough.
        let first: Option<(O::Step, Timestamp)> =
            [stream, own, midnight].into_iter().flatten().min_by_key(|(_, at)| *at);
        match first {
            Some((step, at)) => plan.renew(step, When::At(at)).into(),
            None => plan.into(),
        }
    }

    fn validated(mut self, response: Response<'_>) -> Verdict<O::Step> {
        let validate = json::<Validate<'_>>(response.body);
        let Some((validate, result)) = validate.and_then(|validate| validate.result.map(|result| (validate, result)))
        else {
            let without = self.outer.unvalidated(self.cx);
            return without.unwrap_or(Verdict::Unreadable("sso/validate answers with RESULT"));
        };
        if !result {
            return self.outer.no_login(self.cx);
        }
        let now = self.cx.now;
        let inner = self.inner();
        inner.met = true;
        inner.validated = Some(now);
        let first = inner.live.is_none();
        let live = inner.live.get_or_insert_default();
        live.user_id = validate.user_id.or(live.user_id);
        live.user = validate.user_name.as_deref().map(Box::from);
        live.paper = validate.login().map(|login| login == Login::Paper).or(live.paper);
        let paper = live.paper;
        let expect = &self.outer.settings().expect;
        let admitted = if expect.admits_user(&validate) { expect.admits_kind(paper) } else { Some(false) };
        self.outer.validated(self.cx, admitted, first);
        match admitted {
            Some(false) => Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            _ if self.inner().brokerage.ready => self.admit(),
            _ => Verdict::next(Call::Look.into()),
        }
    }

    fn counted(mut self, step: O::Step, response: Response<'_>) -> Verdict<O::Step> {
        let Some(accounts) = json::<Accounts<'_>>(response.body) else {
            return self.not_json(step, Call::Accounts, response);
        };
        match (accounts.is_paper, accounts.accounts.is_none_or(|accounts| accounts.is_empty())) {
            (Some(paper), _) => {
                self.inner().live.get_or_insert_default().paper = Some(paper);
                self.admit()
            }
            // The list is empty while the session is being established.
            (None, true) => Verdict::unavailable(),
            (None, false) => Verdict::Unreadable("nothing tells whether the account is a paper one"),
        }
    }
}
