//! One session in the hands of several threads.

use core::fmt;
use core::time::Duration;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use http::request::Parts;
use http::{Request, Response};

use super::{SendError, Transport, now};
use crate::{
    Accepted, Answered, AuthorizeError, By, Failure, Input, Machine, Misuse, NeedId, Output, Phase, RequestId,
    Snapshot, Status, Ticket, Timestamp,
};

/// The longest sleep: monotonic clocks stop while a machine is suspended, so a long one would end too late.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// The shortest sleep, so that a machine that is due already and has nothing to do does not burn the processor.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

/// A session that several threads use while one of them [drives](super::drive) it.
///
/// Clones are handles on the same session. No lock is held during I/O, sleep or a callback. What
/// another thread does here wakes the driver.
///
/// `Handle::new(session)` knows the session's type, so [`Handle::with`] reaches what only that type
/// has; [`Handle::erased`] gives the `Handle` for struct fields and lists of different sessions.
///
/// A thread that panics inside [`Handle::with`] does not spoil the handle for the others.
pub struct Handle<M: Machine + ?Sized = dyn Machine>(Arc<Shared<M>>);

struct Shared<M: ?Sized> {
    changed: Condvar,
    news: Mutex<News>,
    machine: Mutex<M>,
}

/// What the driver has to know besides the machine. The two locks are never held together.
#[derive(Default)]
struct News {
    /// Counts what was done to the machine; `seen` is what the last poll knew of. Something that
    /// happens between a poll and the sleep after it is not lost this way.
    changes: u64,
    seen: u64,
    leave: bool,
    driven: bool,
    unsaved: bool,
}

/// How to stop a session from another thread, or from a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stop {
    /// End the session at the server; driving goes on until it says how it ended.
    Logout,
    /// Stop driving and leave the session open: take a [snapshot](Handle::snapshot) then.
    ///
    /// A request that is under way is waited for; [`Transport::interrupt`] cuts that short.
    Leave,
}

impl<M: Machine> Handle<M> {
    /// Takes a session.
    pub fn new(machine: M) -> Self {
        Self(Arc::new(Shared { changed: Condvar::new(), news: Mutex::default(), machine: Mutex::new(machine) }))
    }

    /// Forgets the type of the session.
    pub fn erased(self) -> Handle
    where
        M: 'static,
    {
        Handle(self.0)
    }
}

/// For the threads that use the session.
impl<M: Machine + ?Sized> Handle<M> {
    /// Makes a call of the user's own, authorized: [`Handle::authorize`], [`Transport::call`] and
    /// [`Handle::observe`] in one.
    ///
    /// The answer is given whatever its status is; the session has seen it.
    ///
    /// # Errors
    /// [`CallError::Authorize`] before anything is sent; [`CallError::Send`] where no answer came.
    pub fn call(&self, transport: &Transport, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError> {
        let (mut parts, body) = request.into_parts();
        let ticket = self.authorize(&mut parts, &body).map_err(CallError::Authorize)?;
        match transport.call(Request::from_parts(parts, body)) {
            Ok(response) => {
                self.observe(&ticket, &response);
                Ok(response)
            }
            Err(error) => {
                self.observe_failure(&ticket, error.failure);
                Err(CallError::Send(error))
            }
        }
    }

    /// Makes a call of the user's own ready to leave, see [`Machine::authorize`].
    ///
    /// # Errors
    /// Those of [`Machine::authorize`].
    pub fn authorize(&self, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        self.change(|machine, now| machine.authorize(now, parts, body))
    }

    /// Takes what a call of the user's own got, see [`Machine::observe`].
    pub fn observe(&self, ticket: &Ticket, response: &Response<impl AsRef<[u8]>>) -> Accepted {
        self.change(|machine, now| machine.observe(now, ticket, response.into()))
    }

    /// Takes the news that a call of the user's own got no answer, see [`Machine::observe_failure`].
    pub fn observe_failure(&self, ticket: &Ticket, failure: Failure) -> Accepted {
        self.change(|machine, now| machine.observe_failure(now, ticket, failure))
    }

    /// Answers a need, see [`Machine::handle_input`].
    pub fn answer(&self, need: NeedId, input: Input, by: By) -> Answered {
        self.change(|machine, now| machine.handle_input(now, need, input, by))
    }

    /// Allows the session to throw another client out, once, whether or not it has asked.
    pub fn take_over(&self) -> Answered {
        self.answer(NeedId::UNASKED, Input::TakeOver, By::Person)
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
                self.news().leave = true;
                self.0.changed.notify_all();
            }
        }
    }

    /// Gives the session as it stands, to be stored and resumed.
    pub fn snapshot(&self) -> Snapshot {
        self.machine().snapshot()
    }

    /// Tells where the session stands.
    pub fn phase(&self) -> Phase {
        self.machine().phase()
    }

    /// Gives what a health check wants to know.
    pub fn status(&self) -> Status {
        self.machine().status()
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
        let result = act(&mut self.machine(), now());
        let mut news = self.news();
        news.changes = news.changes.wrapping_add(1);
        drop(news);
        self.0.changed.notify_all();
        result
    }

    fn machine(&self) -> MutexGuard<'_, M> {
        self.0.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn news(&self) -> MutexGuard<'_, News> {
        self.0.news.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// For a driver of one's own, where [`drive`](super::drive) does not fit.
impl<M: Machine + ?Sized> Handle<M> {
    /// Begins to open the session, see [`Machine::start`].
    pub fn start(&self) {
        self.change(|machine, now| machine.start(now));
    }

    /// Gives the next thing to do, see [`Machine::poll`].
    ///
    /// Once it has said [`Output::Save`] it says nothing else until [`Handle::saved`] was called: a
    /// request that must not leave unsaved does not.
    pub fn poll(&self) -> Output {
        {
            let mut news = self.news();
            if news.unsaved {
                return Output::Save;
            }
            news.seen = news.changes;
        }
        let output = self.machine().poll(now());
        if matches!(output, Output::Save) {
            self.news().unsaved = true;
        }
        output
    }

    /// Notes that the [snapshot](Handle::snapshot) was stored, or that its loss is borne.
    pub fn saved(&self) {
        self.news().unsaved = false;
    }

    /// Takes the answer to a request, see [`Machine::handle_response`].
    ///
    /// # Errors
    /// Those of [`Machine::handle_response`].
    pub fn responded(&self, id: RequestId, response: &Response<impl AsRef<[u8]>>) -> Result<Accepted, Misuse> {
        self.change(|machine, now| machine.handle_response(now, id, response.into()))
    }

    /// Takes the news that a request got no answer, see [`Machine::handle_failure`].
    ///
    /// # Errors
    /// Those of [`Machine::handle_failure`].
    pub fn failed(&self, id: RequestId, failure: Failure) -> Result<Accepted, Misuse> {
        self.change(|machine, now| machine.handle_failure(now, id, failure))
    }

    /// Sleeps until then, or until something happens, 10 s at most: poll afterwards in any case.
    pub fn wait(&self, until: Timestamp) {
        let sleep = until.since(now()).clamp(SHORTEST_SLEEP, LONGEST_SLEEP);
        // The guard that comes back, of a poisoned lock or not, is given up at once.
        drop(self.0.changed.wait_timeout_while(self.news(), sleep, |news| news.changes == news.seen && !news.leave));
    }

    /// Tells, once for each [`Stop::Leave`], that the driver has to leave.
    pub fn leaves(&self) -> bool {
        core::mem::take(&mut self.news().leave)
    }

    /// Takes the place of the one driver, until the guard is dropped; nothing if it is taken.
    pub(super) fn seat(&self) -> Option<Seat<'_, M>> {
        (!core::mem::replace(&mut self.news().driven, true)).then(|| Seat(self))
    }
}

/// The place of the one driver.
pub(super) struct Seat<'a, M: Machine + ?Sized>(&'a Handle<M>);

impl<M: Machine + ?Sized> Drop for Seat<'_, M> {
    fn drop(&mut self) {
        self.0.news().driven = false;
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

/// Why a call of the user's own got no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CallError {
    /// It could not leave; nothing was sent.
    Authorize(AuthorizeError),
    /// It left, or tried to, and no whole answer came.
    Send(SendError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorize(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for CallError {}
