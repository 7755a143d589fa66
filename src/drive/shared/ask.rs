//! How often a program is asked for the same answer.

use core::pin::Pin;
use core::task::{Context, Poll};
use core::time::Duration;

use super::{Answer, Handle, Program};
use crate::{Input, InputHandled, Machine, Need, Source, Timestamp, machine::Rejection};

/// The shortest time after which the same question is put again.
const SOONEST: Duration = Duration::from_millis(100);
/// When a question is put again that is open although it was answered: a browser login that has not happened.
const STILL_OPEN: Duration = Duration::from_secs(10);
/// How many unusable answers to one question are taken before nobody is asked any more.
const MOST_REJECTED: u8 = 5;

/// The question that is open, and when it was put and is to be put again.
pub(super) struct Asking<F> {
    need: Option<Need>,
    rejected: u8,
    asked: Timestamp,
    pause: Duration,
    /// Somebody thinks about it.
    answer: Option<Pin<Box<F>>>,
}

impl<F> Default for Asking<F> {
    fn default() -> Self {
        Self { need: None, rejected: 0, asked: Timestamp::from_millis(0), pause: Duration::ZERO, answer: None }
    }
}

impl<F: Future<Output = Answer>> Asking<F> {
    /// Puts a question if it is due, and tells when to look at it again.
    pub(super) fn put(&mut self, now: Timestamp, need: Need, ask: impl FnOnce(Need) -> F) -> Timestamp {
        if self.need.as_ref() != Some(&need) {
            *self = Self { need: Some(need.clone()), asked: now, ..Self::default() };
        }
        if self.answer.is_some() {
            return Timestamp::NEVER;
        }
        // A clock that was set back behind the last question makes it due, not far away.
        if (self.asked..self.asked + self.pause).contains(&now) {
            return self.asked + self.pause;
        }
        self.answer = Some(Box::pin(ask(need)));
        Timestamp::NEVER
    }

    /// Gives up on an answer that nobody waits for any more.
    pub(super) fn withdraw(&mut self) {
        if self.need.is_some() {
            *self = Self::default();
        }
    }

    pub(super) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answer> {
        let Some(answer) = &mut self.answer else { return Poll::Pending };
        let answer = answer.as_mut().poll(cx);
        if answer.is_ready() {
            self.answer = None;
        }
        answer
    }

    /// Accepts an answer to the question that is open.
    pub(super) fn take<M: Machine + ?Sized>(
        &mut self,
        handle: &Handle<M>,
        program: &(impl Program + ?Sized),
        answer: Answer,
    ) {
        let Some(need) = self.need.take() else { return };
        self.pause = match answer {
            Answer::Now(input, by) => self.give(handle, program, &need, input, by),
            Answer::Later(pause) => pause.max(SOONEST),
            Answer::GiveUp => give_up(handle, &need),
        };
        self.need = Some(need);
        self.asked = handle.now();
    }

    fn give<M: Machine + ?Sized>(
        &mut self,
        handle: &Handle<M>,
        program: &(impl Program + ?Sized),
        need: &Need,
        input: Input,
        by: Source,
    ) -> Duration {
        let InputHandled::Rejected(rejection) = handle.give(need.id, input, by) else { return STILL_OPEN };
        program.rejected(need, rejection);
        // A code that comes too early costs nothing: the next one is a matter of seconds.
        self.rejected += u8::from((by, rejection) != (Source::Person, Rejection::NotFresh));
        match (by, rejection) {
            _ if self.rejected >= MOST_REJECTED => give_up(handle, need),
            (Source::Person, Rejection::NotFresh) => SOONEST,
            (Source::Person, _) => Duration::ZERO,
            (Source::Store, Rejection::NotFresh) => {
                need.fresh_after.map_or(SOONEST, |then| then.since(handle.now())).max(SOONEST)
            }
            (Source::Store, _) => give_up(handle, need),
        }
    }
}

fn give_up<M: Machine + ?Sized>(handle: &Handle<M>, need: &Need) -> Duration {
    // Whatever comes of it: a session that goes on asking is not answered in a hot loop.
    let _ = handle.give(need.id, Input::GiveUp, Source::Person);
    STILL_OPEN
}
