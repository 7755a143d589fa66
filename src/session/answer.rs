//! Needs and their answers.

use super::core::{Every, Open};
use super::engine::{Engine, InHand};
use super::tally::Spoilt;
use crate::provider::{Ask, Provider, Unbuildable, Verdict};
use crate::{
    Answered, Because, By, CloseReason, Denial, Event, Input, Need, NeedId, NeedKind, Phase, Rejection, Timestamp, Totp,
};

impl<P: Provider> Engine<P> {
    /// Opens a question, or keeps the same one open.
    pub(super) fn ask(&mut self, now: Timestamp, ask: Ask<P::Step>) {
        self.put(now, ask, None);
    }

    /// Puts the question for the answer that a step spends.
    pub(super) fn ask_for(&mut self, now: Timestamp, step: P::Step, kind: NeedKind) {
        let asked = self.consult(now, |provider, cx| provider.question(cx, step, kind));
        match asked {
            Ok(ask) => self.put(now, ask, Some(step)),
            Err(Unbuildable(part)) => {
                self.core.need = None;
                self.unbuildable(now, step, part);
            }
        }
    }

    /// Puts a question anew whose bytes have grown old.
    pub(super) fn ask_anew(&mut self, now: Timestamp) {
        let Some(open) = self.core.need.take() else { return };
        if let Some((step, kind)) = open.asker.and_then(|step| Some((step, self.provider.rule(step).spends?))) {
            self.ask_for(now, step, kind);
        }
    }

    fn put(&mut self, now: Timestamp, ask: Ask<P::Step>, asker: Option<P::Step>) {
        let Ask { kind, because, url, poll, lasting, message, valid } = ask;
        let asker = asker.filter(|_| message.is_some());
        // What a look or a keepalive asks for again may be on its way already.
        let on_its_way = self.core.due.is_some() && self.answer.as_ref().is_some_and(|answer| answer.input.fits(kind));
        if on_its_way && !matches!(because, Because::Refused | Because::Lost | Because::Stale) {
            return;
        }
        // A session that goes on has plans that are not the question's.
        if !lasting || self.core.due.as_ref().is_some_and(|due| self.provider.rule(due.step).spends == Some(kind)) {
            self.core.due = None;
        }
        self.answer = None;
        // The next process must not find the dead token out by using it.
        self.out.unsaved |= because == Because::Expired;
        if because == Because::Refused {
            self.note_refused(now, kind);
        }
        if !matches!(because, Because::Lost | Because::Stale) {
            self.core.attempt = 0;
            self.core.trouble = None;
        }
        match kind {
            NeedKind::Credentials | NeedKind::Browser => {
                self.core.usable = false;
                self.core.stuck = false;
                self.set_phase(now, Phase::LoggingIn);
            }
            NeedKind::AccessCode | NeedKind::Totp | NeedKind::Pin if self.core.opened.is_none() => {
                self.set_phase(now, Phase::SecondFactor);
            }
            _ => {}
        }
        let poll = poll.map(|(step, every)| Every::new(step, every, now));
        if let Some(open) = &mut self.core.need
            && open.need.kind == kind
            && open.need.because == because
            && because != Because::Refused
            && message.is_none()
        {
            open.need.url = url;
            open.poll = poll;
            return;
        }
        self.core.needs = self.core.needs.wrapping_add(1).max(1);
        let fresh_after = if kind == NeedKind::Totp { self.core.code_spent } else { None };
        let (id, until) = (NeedId(self.core.needs), valid.map(|valid| now + valid));
        let (refused, lost) = self.core.tally.sums();
        let need = Need { id, kind, because, refused, lost, fresh_after, url, message, until };
        self.core.need = Some(Box::new(Open { need, poll, lasting, asker }));
    }

    /// Counts an answer that was refused, and tells.
    pub(super) fn note_refused(&mut self, now: Timestamp, kind: NeedKind) {
        self.core.count(kind, Spoilt::Refused);
        self.core.refused_at = Some(now);
        self.out.unsaved = true;
        self.tell(Event::Refused);
    }

    /// Counts the answer that a step spent, where no reply tells whether it was refused.
    pub(super) fn note_lost(&mut self, step: P::Step) {
        if let Some(kind) = self.provider.rule(step).spends.filter(|kind| kind.is_judged()) {
            self.core.count(kind, Spoilt::Lost);
        }
    }

    pub(super) fn take_input(&mut self, now: Timestamp, id: NeedId, input: Input, by: By) -> Answered {
        if self.is_over() || self.leaving || self.core.ending.is_some() {
            return Answered::Stale;
        }
        let kind = match &self.core.need {
            Some(open) if open.need.id == id => open.need.kind,
            _ if id == NeedId::UNASKED && matches!(input, Input::TakeOver) => return self.take_over(now, &input),
            _ => return Answered::Stale,
        };
        if matches!(input, Input::GiveUp) {
            self.close(now, self.given_up(kind));
            return Answered::Used;
        }
        if let Err(rejection) = self.admit(now, kind, &input, by) {
            return Answered::Rejected(rejection);
        }
        let until = self.core.need.as_ref().and_then(|open| open.need.until);
        let answered = self.consult(now, |provider, cx| provider.answered(cx, kind, &input));
        let verdict = match answered {
            Ok(verdict) => verdict,
            Err(rejection) => return Answered::Rejected(rejection),
        };
        // What the look would find is told by the answer, and it must not undo what follows from that.
        if let Some(look) = self.core.need.as_ref().and_then(|open| open.poll.as_ref()).map(|poll| poll.step)
            && let Some(flight) = self.flight.take_if(|flight| flight.step == look)
        {
            self.out.cancel = Some(flight.seq);
        }
        // A person who says that the login in the browser is done may be wrong: the question stays
        // open until the server agrees.
        if kind != NeedKind::Browser {
            self.core.need = None;
        }
        if kind.is_judged() {
            self.core.tally.given(kind, &input, by);
        }
        // Patience begins anew, but not for a healthy session that was asked something beside its life.
        if self.core.opened.is_none() || self.core.trouble.is_some() {
            self.core.trouble = Some(now);
        }
        let keep = match (&verdict, &input) {
            (_, Input::Done | Input::TakeOver) => false,
            // The provider has taken it over, unless the very next step spends it.
            (Verdict::Next { step, .. }, Input::Token(_)) => self.provider.rule(*step).spends == Some(kind),
            (verdict, _) => matches!(verdict, Verdict::Next { .. }),
        };
        self.apply(now, None, verdict);
        self.answer = keep.then(|| Box::new(InHand { input, until }));
        Answered::Used
    }

    /// Checks an answer before the provider sees it.
    fn admit(&self, now: Timestamp, kind: NeedKind, input: &Input, by: By) -> Result<(), Rejection> {
        if !input.fits(kind) {
            return Err(Rejection::WrongKind);
        }
        let core = &self.core;
        if core.need.as_ref().is_some_and(|open| open.ends() <= now) {
            return Err(Rejection::NotFresh);
        }
        if by == By::Store && kind.is_judged() {
            core.tally.admit(kind, input, self.options.max_refused)?;
        }
        if let Input::Totp(code) = input {
            let used_up = core.code_spent.is_some_and(|end| code.made_at() < end);
            if used_up || code.ends() <= now || code.made_at() > now + Totp::STEP {
                return Err(Rejection::NotFresh);
            }
        }
        input.check()
    }

    /// Grants a takeover that nobody asked for.
    fn take_over(&mut self, now: Timestamp, input: &Input) -> Answered {
        let granted = self.consult(now, |provider, cx| provider.answered(cx, NeedKind::Takeover, input));
        match granted {
            Ok(verdict) => {
                if self.core.need.as_ref().is_some_and(|open| open.need.kind == NeedKind::Takeover) {
                    self.core.need = None;
                }
                // The start, what is in flight, or is to be looked at after a failure, comes first; the grant is in
                // the provider's state by now.
                let waits = self.core.phase == Phase::Idle || self.flight.is_some();
                if !waits && !self.core.due.as_ref().is_some_and(|due| due.retry) {
                    self.apply(now, None, verdict);
                }
                Answered::Used
            }
            Err(rejection) => Answered::Rejected(rejection),
        }
    }

    fn given_up(&self, kind: NeedKind) -> CloseReason {
        match kind {
            NeedKind::Takeover => CloseReason::Rival,
            kind => {
                let blamed = if kind.is_judged() { self.core.tally.blamed(kind) } else { None };
                // A server that failed has refused nothing, and whoever answers is not to blame.
                let lost = self.core.need.as_ref().is_some_and(|open| open.need.because == Because::Lost);
                blamed.unwrap_or(match self.core.cause {
                    Some(cause) if lost => CloseReason::RetriesExhausted(cause),
                    _ => CloseReason::Denied(Denial::Unanswered { kind }),
                })
            }
        }
    }
}
