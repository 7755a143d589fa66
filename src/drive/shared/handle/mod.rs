//! One session in the hands of several threads or tasks.

mod driver;
mod listening;
mod seat;
mod signals;
mod waiting;

use core::fmt;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use http::Response;
use http::request::Parts;

pub(crate) use self::seat::Seat;
use self::signals::Signals;
pub(super) use self::signals::{Look, wake_at};
use self::waiting::News;
use super::clock::{Clock, now};
use crate::{
    AuthorizeError, Failure, Handled, Input, InputHandled, Machine, NeedId, Phase, Snapshot, Source, Status, Ticket,
    Timestamp,
};

/// A session that several threads or tasks use while one of them drives it.
///
/// Clones are handles on the same session. No lock is held during I/O, sleep, an await or a callback. What
/// another thread does here wakes the driver.
///
/// `Handle::new(session)` knows the session's type, so [`Handle::with`] reaches what only that type
/// has; [`Handle::erased`] gives the `Handle` for struct fields and lists of different sessions.
///
/// A thread that panics inside [`Handle::with`] does not spoil the handle for the others.
pub struct Handle<M: Machine + ?Sized = dyn Machine>(Arc<Shared<M>>);

struct Shared<M: ?Sized> {
    /// This machine's own, unless somebody gives another one.
    clock: Option<Arc<dyn Clock>>,
    signals: Signals,
    changed: Condvar,
    news: Mutex<News>,
    machine: Mutex<M>,
}

/// How to stop a session from another thread, or from a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stop {
    /// End the session at the server, or leave it where it is not its own to end
    /// ([`Options::ends`](crate::Options::ends)); driving goes on until it says how it ended.
    Logout,
    /// Stop driving and leave the session open: take a [snapshot](Handle::snapshot) then.
    ///
    /// A request that is under way is waited for.
    Leave,
}

impl<M: Machine> Handle<M> {
    /// Takes a session.
    pub fn new(machine: M) -> Self {
        Self::with_clock(machine, None)
    }

    pub(crate) fn with_clock(machine: M, clock: Option<Arc<dyn Clock>>) -> Self {
        Self(Arc::new(Shared {
            clock,
            signals: Signals::default(),
            changed: Condvar::new(),
            news: Mutex::default(),
            machine: Mutex::new(machine),
        }))
    }

    /// Forgets the type of the session.
    pub fn erased(self) -> Handle
    where
        M: 'static,
    {
        Handle(self.0)
    }
}

/// For the threads and tasks that use the session.
impl<M: Machine + ?Sized> Handle<M> {
    /// Prepares a call of the user's own, see [`Machine::authorize`].
    ///
    /// # Errors
    /// Those of [`Machine::authorize`].
    pub fn authorize(&self, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        self.pass(|machine, now| machine.authorize(now, parts, body))
    }

    /// Accepts what a call of the user's own got, see [`Machine::observe`].
    pub fn observe(&self, ticket: &Ticket, response: &Response<impl AsRef<[u8]>>) -> Handled {
        self.pass(|machine, now| machine.observe(now, ticket, response.into()))
    }

    /// Reports to the session that a call of the user's own got no answer, see [`Machine::observe_failure`].
    pub fn observe_failure(&self, ticket: &Ticket, failure: Failure) -> Handled {
        self.pass(|machine, now| machine.observe_failure(now, ticket, failure))
    }

    /// Answers a need, see [`Machine::handle_input`].
    pub fn answer(&self, need: NeedId, input: Input, by: Source) -> InputHandled {
        self.change(|machine, now| machine.handle_input(now, need, input, by))
    }

    /// Allows the session to throw another client out, once, whether or not it has asked.
    pub fn take_over(&self) -> InputHandled {
        self.answer(NeedId::UNSOLICITED, Input::TakeOver, Source::Person)
    }

    /// Asks for a look whether the session still lives, see [`Machine::check`].
    pub fn check(&self) {
        self.change(|machine, now| machine.check(now));
    }

    /// Stops the session, or only its driver.
    pub fn stop(&self, stop: Stop) {
        match stop {
            Stop::Logout => self.change(|machine, now| machine.logout(now)),
            Stop::Leave => {
                self.signals().leave.store(true, Ordering::Release);
                self.ring();
            }
        }
    }

    /// Returns the session as it stands, to be stored and resumed.
    pub fn snapshot(&self) -> Snapshot {
        self.news().kept = true;
        self.machine().snapshot()
    }

    /// Returns where the session stands.
    pub fn phase(&self) -> Phase {
        self.machine().phase()
    }

    /// Returns what a health check wants to know.
    pub fn status(&self) -> Status {
        self.machine().status()
    }

    /// Returns the name of the provider.
    pub fn provider(&self) -> &'static str {
        self.machine().provider()
    }

    /// Names the group of sessions that share the server's rate limits.
    pub fn limit_group(&self) -> String {
        self.machine().limit_group()
    }

    /// Lends the session itself and wakes the driver afterwards.
    ///
    /// Everything else waits meanwhile, and using the handle inside deadlocks: look and go.
    pub fn with<T>(&self, look: impl FnOnce(&mut M) -> T) -> T {
        self.change(|machine, _| look(machine))
    }

    fn change<T>(&self, act: impl FnOnce(&mut M, Timestamp) -> T) -> T {
        let result = self.quietly(act);
        self.signals().note_change();
        self.ring();
        result
    }

    /// Does what leaves a healthy session as it is, and wakes the driver only where it has more to do than before.
    fn pass<T>(&self, act: impl FnOnce(&mut M, Timestamp) -> T) -> T {
        let (result, sooner) = self.quietly(|machine, now| {
            let before = machine.deadline();
            (act(machine, now), machine.deadline() < before)
        });
        if sooner {
            self.signals().note_change();
            self.ring();
        }
        result
    }

    /// Does something to the session without waking the driver, who is the one that does it.
    fn quietly<T>(&self, act: impl FnOnce(&mut M, Timestamp) -> T) -> T {
        let now = self.now();
        act(&mut self.machine(), now)
    }

    /// Wakes the driver.
    fn ring(&self) {
        // It stays there: a driver leaves it once.
        let driver = self.news().driver.clone();
        self.0.changed.notify_all();
        if let Some(driver) = driver {
            driver.wake();
        }
    }

    fn machine(&self) -> MutexGuard<'_, M> {
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signals(&self) -> &Signals {
        &self.0.signals
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.as_ref().map_or_else(now, |clock| clock.now())
    }
}

impl<M: Machine + ?Sized> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Machine + ?Sized> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}
