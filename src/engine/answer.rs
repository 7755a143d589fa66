//! Needs and their answers.

use core::time::Duration;

use super::agenda::Slot;
use super::hand::Held;
use super::life::Life;
use super::questions::Open;
use super::tally::Spoilt;
use super::turn::Engine;
use crate::provider::{Ask, Build, Given, Provider, Verdict};
use crate::{
    CloseReason, Event, Input, InputHandled, Need, NeedId, NeedKind, Phase, Source, Timestamp,
    machine::{Denial, NeedReason, Rejection, Totp},
};

impl<P: Provider> Engine<P> {
    /// Opens a question, or keeps the same one open.
    pub(super) fn ask(&mut self, now: Timestamp, ask: Ask<P::Step>) {
        self.put(now, ask, None);
    }

    /// Puts the question for what a step needs to be built; the step waits for it.
    pub(super) fn ask_first(&mut self, now: Timestamp, step: P::Step, ask: Ask<P::Step>) {
        // A snapshot must not say that it has left.
        self.out.saves.call_off();
        self.core.agenda.leave(now, step);
        // The question stands for a look that cannot leave; one that stayed would be due for ever.
        self.note_looked(now, step);
        self.put(now, ask, Some(step));
    }

    /// Puts a question again whose bytes have grown old.
    pub(super) fn ask_anew(&mut self, now: Timestamp) {
        if let Some(step) = self.core.take_question(now).and_then(|open| open.asker) {
            self.depart(now, step);
            match self.build(now, step) {
                Ok(Build::Request(_)) => self.core.agenda.next(step, now),
                Ok(Build::Needs(ask)) => self.ask_first(now, step, ask),
                Err(why) => self.unbuildable(now, step, why),
            }
        }
    }

    fn put(&mut self, now: Timestamp, ask: Ask<P::Step>, asker: Option<P::Step>) {
        let Ask { kind, because, url, prompt, poll, lasting, message, valid, then } = ask;
        // What a look or a keepalive asks for again may be on its way already.
        let next = self.core.agenda.step(Slot::Next);
        let anew = matches!(because, NeedReason::Refused | NeedReason::Lost | NeedReason::Stale);
        // What waits already, or was declined, is not put once more.
        let lasts = lasting && !anew;
        let aside = lasts && self.core.questions.is_aside(kind, because)
            || lasting && self.core.questions.is_declined(kind, because);
        if next.is_some() && self.hand.has(kind) && !anew || aside {
            return;
        }
        let waits = lasts && self.core.questions.open().is_some_and(|open| open.need.kind != kind);
        if waits {
            let need = self.need(now, kind, because, valid);
            let (poll, asker) = (poll.map(|(step, every)| (step, every.into())), asker.filter(|_| message.is_some()));
            let need = Need { url, prompt: prompt.shared(), message, ..need };
            let then = then.or(asker);
            self.core.questions.park(Open { need, lasting, declined: false, poll, asker, then });
            return;
        }
        // A session that goes on has plans that are not the question's.
        if !lasting || next.is_some_and(|step| self.takes(step, kind)) {
            self.core.agenda.drop(Slot::Next);
        }
        // What else is in hand waits for the step that takes both.
        self.hand.drop(kind);
        // The next process must not find the dead token out by using it.
        self.out.saves.note_if(because == NeedReason::Expired);
        if because == NeedReason::Refused {
            self.note_refused(kind);
        }
        if !matches!(because, NeedReason::Lost | NeedReason::Stale) {
            // Whoever is asked may take any time.
            self.core.trouble.wait_for_person(now, self.core.life.is_open());
        }
        match kind {
            // What is asked for a later time changes nothing now.
            _ if lasting && self.core.life.is_open() => {}
            NeedKind::Credentials | NeedKind::Browser | NeedKind::Redirect => {
                self.let_calls(false);
                self.stick(now, false);
                self.set_phase(now, Phase::LoggingIn);
            }
            NeedKind::AccessCode | NeedKind::Totp | NeedKind::Pin if !self.core.life.is_open() => {
                self.set_phase(now, Phase::SecondFactor);
            }
            _ => {}
        }
        let poll = poll.map(|(step, every)| (step, every.into()));
        if let Some(open) = self.core.questions.open_mut()
            && open.need.kind == kind
            && open.need.because == because
            && because != NeedReason::Refused
            && message.is_none()
        {
            (open.need.url, open.need.prompt, open.then, open.poll) = (url, prompt.shared(), then, poll);
            open.lasting = lasting;
        } else {
            let need = Need { url, prompt: prompt.shared(), message, ..self.need(now, kind, because, valid) };
            // Only bytes grow old.
            let (then, asker) = (then.or(asker), asker.filter(|_| need.message.is_some()));
            self.core.questions.put(Open { need, lasting, declined: false, poll, asker, then });
        }
        self.core.plan_question(now);
    }

    /// Numbers a question.
    fn need(&mut self, now: Timestamp, kind: NeedKind, because: NeedReason, valid: Option<Duration>) -> Need {
        let counts = &mut self.core.counts;
        counts.needs = counts.needs.wrapping_add(1).max(1);
        let fresh_after = if kind == NeedKind::Totp { counts.code_spent } else { None };
        let (id, until) = (NeedId(counts.needs), valid.map(|valid| now + valid));
        let (refused, lost) = counts.tally.sums();
        Need { id, kind, because, refused, lost, fresh_after, url: None, prompt: None, message: None, until }
    }

    /// Counts an answer that was refused, and tells.
    pub(super) fn note_refused(&mut self, kind: NeedKind) {
        self.core.counts.tally.note(kind, Spoilt::Refused);
        self.out.saves.note();
        self.tell(Event::Refused);
    }

    /// Counts answers that left, where no reply tells whether they were refused.
    pub(super) fn note_lost(&mut self, kinds: impl Iterator<Item = NeedKind>) {
        for kind in kinds.filter(|kind| kind.is_judged()) {
            self.core.counts.tally.note(kind, Spoilt::Lost);
        }
    }

    pub(super) fn takes(&self, step: P::Step, kind: NeedKind) -> bool {
        self.provider.rule(step).takes().any(|taken| taken == kind)
    }

    pub(super) fn take_input(&mut self, now: Timestamp, id: NeedId, input: Input, by: Source) -> InputHandled {
        // A logout asks for nothing but what its own request is made of.
        let made_of = || self.core.questions.open().is_some_and(|open| open.asker.is_some());
        let over = match self.core.life {
            Life::Ending(ending) => !ending.leaving || !made_of(),
            Life::Closed(_) => true,
            _ => false,
        };
        if self.is_parting() || over {
            return InputHandled::Stale;
        }
        if id == NeedId::UNSOLICITED && matches!(input, Input::TakeOver) {
            return self.take_over(now, &input);
        }
        // One that waits has been seen by whoever answers it.
        if self.core.questions.open().is_none_or(|open| open.need.id != id) {
            if !self.core.questions.bring(id) {
                return InputHandled::Stale;
            }
            self.core.plan_question(now);
        }
        let Some(kind) = self.core.questions.open().map(|open| open.need.kind) else { return InputHandled::Stale };
        if matches!(input, Input::GiveUp) {
            self.give_up_on(now, kind);
            return InputHandled::Used;
        }
        if let Err(rejection) = self.admit(now, kind, &input, by) {
            return InputHandled::Rejected(rejection);
        }
        let open = self.core.questions.open();
        let (until, asker) = open.map_or((None, None), |open| (open.need.until, open.asker));
        let (step, message) = open.map_or((None, None), |open| (open.then, open.need.message.clone()));
        let given = Given { kind, input: &input, step, message: message.as_ref() };
        let answered = self.consult(now, |provider, cx| provider.answered(cx, &given));
        let verdict = match answered {
            Ok(verdict) => verdict,
            Err(rejection) => return InputHandled::Rejected(rejection),
        };
        // It was a no: the session goes on without.
        if self.core.questions.was_declined(id) {
            return InputHandled::Used;
        }
        // What the look would find is told by the answer, and it must not undo what follows from that.
        if let Some(look) = self.core.agenda.step(Slot::Look)
            && self.flights.step() == Some(look)
        {
            self.flights.cancel();
        }
        // A person who says that the login in the browser is done may be wrong: the question stays
        // open until the server agrees.
        if kind != NeedKind::Browser {
            self.core.take_question(now);
        }
        self.hand.note_given(kind);
        if kind.is_judged() {
            self.core.counts.tally.given(kind, &input, by);
        }
        // Patience begins again, but not for a healthy session that was asked something beside its life.
        if !self.core.life.is_open() {
            self.core.trouble.count(now);
        }
        self.be_patient_anew(now);
        let keep = match (&verdict, &input) {
            // The provider has taken it over,
            (_, Input::Done | Input::TakeOver | Input::Decrypted(_)) => false,
            // as it has this one, unless the very next step spends it.
            (Verdict::Next { step, .. }, Input::Token(_)) => self.takes(*step, kind),
            // A step may take it together with what is asked for next.
            (Verdict::Ask(ask), input) => ask.kind != kind && !matches!(input, Input::Token(_)),
            (verdict, _) => matches!(verdict, Verdict::Next { .. }),
        };
        self.apply(now, None, verdict);
        if keep && !self.is_over() {
            self.hand.put(Held { kind, input, until, asker, before: None, unspent: false });
        }
        InputHandled::Used
    }

    /// Checks an answer before the provider sees it.
    fn admit(&self, now: Timestamp, kind: NeedKind, input: &Input, by: Source) -> Result<(), Rejection> {
        if !input.fits(kind) {
            return Err(Rejection::WrongKind);
        }
        let core = &self.core;
        if core.agenda.get(Slot::Question).is_some_and(|end| end.at <= now) {
            return Err(Rejection::NotFresh);
        }
        if by == Source::Store && kind.is_judged() {
            core.counts.tally.admit(kind, input, self.options.max_refused)?;
        }
        if let Input::Totp(code) = input {
            let used_up = core.counts.code_spent.is_some_and(|end| code.made_at() < end);
            if used_up || code.ends() <= now || code.made_at() > now + Totp::STEP {
                return Err(Rejection::NotFresh);
            }
        }
        input.check()
    }

    /// Grants a takeover that nobody asked for.
    fn take_over(&mut self, now: Timestamp, input: &Input) -> InputHandled {
        let given = Given { kind: NeedKind::Takeover, input, step: None, message: None };
        let granted = self.consult(now, |provider, cx| provider.answered(cx, &given));
        match granted {
            Ok(verdict) => {
                if self.core.is_asked(NeedKind::Takeover) {
                    self.core.take_question(now);
                }
                // The start, what is in flight, or is to be checked after a failure, comes first; the grant is in
                // the provider's state by now.
                let waits = self.core.life.is_idle() || !self.flights.are_none();
                let retries = self.core.agenda.get(Slot::Next).is_some_and(|next| next.retry.is_some());
                if !waits && !retries {
                    self.apply(now, None, verdict);
                }
                InputHandled::Used
            }
            Err(rejection) => InputHandled::Rejected(rejection),
        }
    }

    /// Nobody will answer. That ends a session that cannot go on without, and not one whose question is about a later time.
    fn give_up_on(&mut self, now: Timestamp, kind: NeedKind) {
        match self.core.questions.open_mut() {
            Some(open) if open.lasting && self.core.life.is_open() => {
                open.declined = true;
                self.core.plan_question(now);
                self.out.saves.note();
            }
            _ => self.close(now, self.given_up(kind)),
        }
    }

    fn given_up(&self, kind: NeedKind) -> CloseReason {
        match kind {
            NeedKind::Takeover => CloseReason::Rival,
            kind => {
                let blamed = if kind.is_judged() { self.core.counts.tally.blamed(kind) } else { None };
                // A server that failed has refused nothing, and whoever answers is not to blame.
                let lost = self.core.questions.open().is_some_and(|open| open.need.because == NeedReason::Lost);
                blamed.unwrap_or(match self.core.trouble.cause() {
                    Some(cause) if lost => CloseReason::RetriesExhausted(cause),
                    _ => CloseReason::Denied(Denial::Unanswered { kind }),
                })
            }
        }
    }
}
