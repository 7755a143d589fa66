//! The calls of a machine, by key.

use http::request::Parts;

use super::sessions::Slot;
use super::{CallError, Fleet, Refusal, UnknownKey};
use crate::{
    Failure, Handled, Input, InputHandled, Machine, NeedId, RequestId, Response, Snapshot, Source, Status, Ticket,
    Timestamp,
};

impl<K: Ord + Clone, M: Machine> Fleet<K, M> {
    /// Accepts the answer to a request of a session; a 429 boxes its lane.
    ///
    /// # Errors
    /// [`CallError::UnknownKey`] where the session was removed meanwhile; [`CallError::Misuse`] as from
    /// [`Machine::handle_response`].
    pub fn handle_response(
        &mut self,
        now: Timestamp,
        key: &K,
        id: RequestId,
        response: Response<'_>,
    ) -> Result<Handled, CallError> {
        let (accepted, boxed) = self.reach(now, key, |now, slot| {
            let accepted = slot.machine.handle_response(now, id, response);
            (accepted, slot.machine.status().penalty.is_some())
        })?;
        // Where each API of a server has a limit of its own, nobody else is kept waiting.
        if boxed || accepted != Ok(Handled::Used) {
            self.obey(key, response);
        }
        Ok(accepted?)
    }

    /// Reports to the session that a request of a session got no answer.
    ///
    /// # Errors
    /// As [`Fleet::handle_response`].
    pub fn handle_failure(
        &mut self,
        now: Timestamp,
        key: &K,
        id: RequestId,
        failure: Failure,
    ) -> Result<Handled, CallError> {
        Ok(self.reach(now, key, |now, slot| slot.machine.handle_failure(now, id, failure))??)
    }

    /// Accepts the answer to a need of a session.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn handle_input(
        &mut self,
        now: Timestamp,
        key: &K,
        need: NeedId,
        input: Input,
        by: Source,
    ) -> Result<InputHandled, UnknownKey> {
        self.reach(now, key, |now, slot| slot.machine.handle_input(now, need, input, by))
    }

    /// Prepares a call of the user's own, as [`Machine::authorize`] does.
    ///
    /// How long the call may take is the caller's affair: it should end before the lease does.
    ///
    /// # Errors
    /// [`Refusal::Lapsed`] once the lease is over, [`Refusal::Session`] as from [`Machine::authorize`], also
    /// while the lane is in the penalty box, [`Refusal::UnknownKey`] where there is no such session.
    pub fn authorize(&mut self, now: Timestamp, key: &K, parts: &mut Parts, body: &[u8]) -> Result<Ticket, Refusal> {
        self.clock.tick(now);
        let elapsed = self.clock.elapsed();
        self.reach(now, key, |now, slot| {
            if elapsed >= slot.lease {
                return Err(Refusal::Lapsed);
            }
            Ok(slot.machine.authorize(now, parts, body)?)
        })?
    }

    /// Accepts what a call of the user's own got; a 429 boxes the session's lane.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn observe(
        &mut self,
        now: Timestamp,
        key: &K,
        ticket: &Ticket,
        response: Response<'_>,
    ) -> Result<Handled, UnknownKey> {
        let (accepted, boxed) = self.reach(now, key, |now, slot| {
            let accepted = slot.machine.observe(now, ticket, response);
            (accepted, slot.machine.status().penalty.is_some())
        })?;
        if boxed || accepted != Handled::Used {
            self.obey(key, response);
        }
        Ok(accepted)
    }

    /// Reports to the session that a call of the user's own got no answer.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn observe_failure(
        &mut self,
        now: Timestamp,
        key: &K,
        ticket: &Ticket,
        failure: Failure,
    ) -> Result<Handled, UnknownKey> {
        self.reach(now, key, |now, slot| slot.machine.observe_failure(now, ticket, failure))
    }

    /// Asks for a look whether a session still lives, soon.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn check(&mut self, now: Timestamp, key: &K) -> Result<(), UnknownKey> {
        self.reach(now, key, |now, slot| slot.machine.check(now))
    }

    /// Begins to end a session; it stays in the fleet until it is removed.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn logout(&mut self, now: Timestamp, key: &K) -> Result<(), UnknownKey> {
        self.reach(now, key, |now, slot| slot.machine.logout(now))
    }

    /// Does with a session's machine what has no call here, such as opening a stream.
    ///
    /// The work must not poll the machine: what it would send would have passed no gate.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn with<T>(
        &mut self,
        now: Timestamp,
        key: &K,
        work: impl FnOnce(Timestamp, &mut M) -> T,
    ) -> Result<T, UnknownKey> {
        self.reach(now, key, |now, slot| work(now, &mut slot.machine))
    }

    /// Returns until when this process may speak for a session; [`Timestamp::NEVER`] for ever, as at first.
    ///
    /// Nothing leaves for it whose answer, at its timeout, could come later. The time counts from the last
    /// `now` that the fleet was given, and a clock set back does not prolong it.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn lease(&mut self, key: &K, until: Timestamp) -> Result<(), UnknownKey> {
        let lease = self.clock.elapsed_at(until);
        let index = *self.places.get(key).ok_or(UnknownKey)?;
        let slot = self.sessions.at_mut(index).ok_or(UnknownKey)?;
        slot.lease = lease;
        slot.lapsed = false;
        self.wake(index);
        Ok(())
    }

    /// Returns a session in its present phase, to be stored and resumed elsewhere.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn snapshot(&self, key: &K) -> Result<Snapshot, UnknownKey> {
        self.machine(key).map(M::snapshot).ok_or(UnknownKey)
    }

    /// Returns what a health check wants to know of a session.
    ///
    /// # Errors
    /// [`UnknownKey`] where there is no such session.
    pub fn status(&self, key: &K) -> Result<Status, UnknownKey> {
        self.machine(key).map(M::status).ok_or(UnknownKey)
    }

    /// Boxes the lane of a session that got a 429, also where the answer comes too late for the session.
    fn obey(&mut self, key: &K, response: Response<'_>) {
        let Some(lasts) = crate::engine::penalty_of(self.clock.shown(), response) else { return };
        let slot = self.places.get(key).and_then(|index| self.sessions.at_mut(*index));
        let Some(slot) = slot else { return };
        // The provider may know of a longer one.
        let lasts = slot.machine.hold_back(self.clock.shown(), lasts);
        let lane = slot.lane;
        self.box_lane(lane, lasts);
    }

    fn reach<T>(
        &mut self,
        now: Timestamp,
        key: &K,
        work: impl FnOnce(Timestamp, &mut Slot<K, M>) -> T,
    ) -> Result<T, UnknownKey> {
        self.clock.tick(now);
        let index = *self.places.get(key).ok_or(UnknownKey)?;
        self.inform(index);
        let slot = self.sessions.at_mut(index).ok_or(UnknownKey)?;
        let result = work(self.clock.shown(), slot);
        self.wake(index);
        Ok(result)
    }
}
