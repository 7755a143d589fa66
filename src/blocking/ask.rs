//! How often a driver is asked for the same answer.

use core::time::Duration;

use super::{Answer, Driver, Handle, now};
use crate::{Answered, By, Input, Machine, Need, Rejection, Timestamp};

/// The shortest time after which the same question is put again.
const SOONEST: Duration = Duration::from_millis(100);
/// When a question is put again that is open although it was answered: a browser login that has not happened.
const STILL_OPEN: Duration = Duration::from_secs(10);
/// How many unusable answers to one question are taken before nobody is asked any more.
const MOST_REJECTED: u8 = 5;

/// The question that is open, and when it was put and is to be put again.
pub(super) struct Asking {
    need: Option<Need>,
    rejected: u8,
    asked: Timestamp,
    pause: Duration,
}

impl Default for Asking {
    fn default() -> Self {
        Self { need: None, rejected: 0, asked: Timestamp::from_millis(0), pause: Duration::ZERO }
    }
}

impl Asking {
    /// Puts a question if it is due, and tells when to look at the session again.
    pub(super) fn ask<M: Machine + ?Sized>(
        &mut self,
        handle: &Handle<M>,
        driver: &mut (impl Driver + ?Sized),
        need: Need,
        until: Timestamp,
    ) -> Timestamp {
        let now_is = now();
        if self.need.as_ref() != Some(&need) {
            *self = Self { need: Some(need.clone()), asked: now_is, ..Self::default() };
        }
        // A clock that was set back behind the last question makes it due, not far away.
        if (self.asked..self.asked + self.pause).contains(&now_is) {
            return until.min(self.asked + self.pause);
        }
        self.pause = match driver.answer(&need) {
            Answer::Now(input, by) => self.give(handle, driver, &need, input, by),
            Answer::Later(pause) => pause.max(SOONEST),
            Answer::GiveUp => give_up(handle, &need),
        };
        self.asked = now();
        until.min(self.asked + self.pause)
    }

    fn give<M: Machine + ?Sized>(
        &mut self,
        handle: &Handle<M>,
        driver: &mut (impl Driver + ?Sized),
        need: &Need,
        input: Input,
        by: By,
    ) -> Duration {
        let Answered::Rejected(rejection) = handle.answer(need.id, input, by) else { return STILL_OPEN };
        driver.rejected(need, rejection);
        self.rejected += 1;
        match (by, rejection) {
            _ if self.rejected >= MOST_REJECTED => give_up(handle, need),
            (By::Person, _) => Duration::ZERO,
            (By::Store, Rejection::NotFresh) => need.fresh_after.map_or(SOONEST, |then| then.since(now())).max(SOONEST),
            (By::Store, _) => give_up(handle, need),
        }
    }
}

fn give_up<M: Machine + ?Sized>(handle: &Handle<M>, need: &Need) -> Duration {
    // Whatever comes of it: a session that goes on asking is not answered in a hot loop.
    let _ = handle.answer(need.id, Input::GiveUp, By::Person);
    STILL_OPEN
}
