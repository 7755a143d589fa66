//! One session in the hands of several threads or tasks.

use core::fmt;
use core::future::poll_fn;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use http::Response;
use http::request::Parts;

use super::clock::{Clock, now};
use super::events::Listener;
use super::{Ended, Events, SendError, trace};
use crate::{
    Accepted, Answered, AuthorizeError, By, Event, Failure, Input, Machine, Misuse, NeedId, Output, Phase, RequestId,
    Snapshot, Status, Ticket, Timestamp,
};

/// The longest sleep: monotonic clocks stop while a machine is suspended, so a long one would end too late.
const LONGEST_SLEEP: Duration = Duration::from_secs(10);
/// The shortest sleep, so that a machine that is due already and has nothing to do does not burn the processor.
const SHORTEST_SLEEP: Duration = Duration::from_millis(1);

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

/// What a driver looks at in each turn, without a lock.
///
/// Whoever sets something here wakes the driver afterwards; the driver leaves its waker first and then looks. The lock
/// of [`News`], through which both go, orders the two: one of them sees the other.
#[derive(Default)]
struct Signals {
    /// Counts what was done to the machine; `seen` is what the last poll knew of. Something that
    /// happens between a poll and the sleep after it is not lost this way.
    changes: AtomicU64,
    seen: AtomicU64,
    leave: AtomicBool,
    unsaved: AtomicBool,
}

impl Signals {
    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::AcqRel);
    }

    /// Tells whether the driver has to look.
    fn are_new(&self) -> bool {
        self.changes.load(Ordering::Acquire) != self.seen.load(Ordering::Acquire) || self.leave.load(Ordering::Acquire)
    }
}

/// What drivers and those who wait have to know besides the machine. The two locks are never held together.
#[derive(Default)]
struct News {
    driven: bool,
    /// Whether a snapshot was taken, so that somebody can find the session again.
    kept: bool,
    /// How the last driving ended, until the next one begins.
    ended: Option<Ended>,
    /// The task that drives.
    driver: Option<Waker>,
    /// The tasks that wait for the session to get somewhere, each under a number of its own.
    waiting: Vec<(u64, Waker)>,
    /// Those who listen to its events, likewise.
    listeners: Vec<Listener>,
    numbers: u64,
}

impl News {
    fn number(&mut self) -> u64 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }
}

/// What a driver has to know besides the machine.
pub(super) struct Look {
    /// It has to leave; [`Handle::leaves`] is to be called when it does.
    pub(super) leave: bool,
    /// Nothing but a save may be done.
    pub(super) unsaved: bool,
}

/// Gives when to look next at the latest.
pub(super) fn wake_at(now: Timestamp, until: Timestamp) -> Timestamp {
    until.clamp(now + SHORTEST_SLEEP, now + LONGEST_SLEEP)
}

/// How to stop a session from another thread, or from a callback.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
    /// Makes a call of the user's own ready to leave, see [`Machine::authorize`].
    ///
    /// # Errors
    /// Those of [`Machine::authorize`].
    pub fn authorize(&self, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        self.pass(|machine, now| machine.authorize(now, parts, body))
    }

    /// Takes what a call of the user's own got, see [`Machine::observe`].
    pub fn observe(&self, ticket: &Ticket, response: &Response<impl AsRef<[u8]>>) -> Accepted {
        self.pass(|machine, now| machine.observe(now, ticket, response.into()))
    }

    /// Takes the news that a call of the user's own got no answer, see [`Machine::observe_failure`].
    pub fn observe_failure(&self, ticket: &Ticket, failure: Failure) -> Accepted {
        self.pass(|machine, now| machine.observe_failure(now, ticket, failure))
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
                self.signals().leave.store(true, Ordering::Release);
                self.ring();
            }
        }
    }

    /// Gives the session as it stands, to be stored and resumed.
    pub fn snapshot(&self) -> Snapshot {
        self.news().kept = true;
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

    /// Returns the name of the provider.
    pub fn provider(&self) -> &'static str {
        self.machine().provider()
    }

    /// Listens to what the session tells from now on, beside the program that drives it.
    pub fn events(&self) -> Events<M> {
        let mut news = self.news();
        let number = news.number();
        news.listeners.push(Listener::new(number));
        drop(news);
        Events::new(self.clone(), number)
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

    /// Wakes all who wait for the session to get somewhere.
    fn announce(&self, mut news: MutexGuard<'_, News>) {
        let waiting = core::mem::take(&mut news.waiting);
        drop(news);
        self.0.changed.notify_all();
        for (_, waiting) in waiting {
            waiting.wake();
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
}

/// For a driver of one's own, where `blocking::drive` and `asynchronous::Driver` do not fit.
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
        match self.look() {
            Look { unsaved: true, .. } => Output::Save,
            _ => {
                let output = self.poll_at(self.now());
                self.note(&output);
                output
            }
        }
    }

    /// Notes that the [snapshot](Handle::snapshot) was stored, or that its loss is borne.
    pub fn saved(&self) {
        self.signals().unsaved.store(false, Ordering::Release);
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

    /// Sleeps until then, or until something happens, 10 s at most: poll afterwards in any case. It blocks the thread.
    #[cfg(feature = "ureq")]
    pub fn wait(&self, until: Timestamp) {
        let now = self.now();
        let sleep = wake_at(now, until).since(now);
        // The guard that comes back, of a poisoned lock or not, is given up at once.
        drop(self.0.changed.wait_timeout_while(self.news(), sleep, |_| !self.signals().are_new()));
    }

    /// Tells, once for each [`Stop::Leave`], that the driver has to leave.
    pub fn leaves(&self) -> bool {
        self.signals().leave.swap(false, Ordering::AcqRel)
    }

    /// Tells whether somebody can find the session again.
    #[cfg(feature = "ureq")]
    pub(crate) fn is_kept(&self) -> bool {
        self.news().kept
    }

    /// Tells what the driver has to know besides the machine; what happens from here on wakes it.
    pub(super) fn look(&self) -> Look {
        let signals = self.signals();
        signals.seen.store(signals.changes.load(Ordering::Acquire), Ordering::Release);
        Look { leave: signals.leave.load(Ordering::Acquire), unsaved: signals.unsaved.load(Ordering::Acquire) }
    }

    /// Gives the next thing to do after a [look](Self::look) that found nothing unsaved; [note](Self::note) it.
    pub(super) fn poll_at(&self, now: Timestamp) -> Output {
        self.machine().poll(now)
    }

    /// Takes note of what is to be done. (It is large: by itself, a poll writes it to where it is wanted.)
    #[inline]
    pub(super) fn note(&self, output: &Output) {
        match output {
            Output::Save => self.signals().unsaved.store(true, Ordering::Release),
            Output::Event(event) => self.tell(event),
            Output::Closed(reason) => self.note_end(Ended::Closed(reason.clone())),
            _ => {}
        }
    }

    /// Reports what a request got, by the driver itself.
    pub(super) fn report(
        &self,
        id: RequestId,
        answer: &Result<Response<Vec<u8>>, SendError>,
    ) -> Result<Accepted, Misuse> {
        self.quietly(|machine, now| match answer {
            Ok(response) => machine.handle_response(now, id, response.into()),
            Err(error) => machine.handle_failure(now, id, error.failure),
        })
    }

    /// Answers a need, by the driver itself.
    pub(super) fn give(&self, need: NeedId, input: Input, by: By) -> Answered {
        self.quietly(|machine, now| machine.handle_input(now, need, input, by))
    }

    /// Waits until somebody else has done something to the session since the last poll; `left` is the waker that was
    /// left for that.
    pub(super) fn poll_changed(&self, cx: &Context<'_>, left: &mut Option<Waker>) -> Poll<()> {
        if !left.as_ref().is_some_and(|left| left.will_wake(cx.waker())) {
            *left = Some(cx.waker().clone());
            self.news().driver.clone_from(left);
        }
        if self.signals().are_new() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Notes that driving begins, or goes on after it was left.
    pub(super) fn note_begin(&self) {
        self.news().ended = None;
    }

    /// Notes how driving ended.
    pub(super) fn note_end(&self, ended: Ended) {
        let mut news = self.news();
        if news.ended.as_ref() != Some(&ended) {
            news.ended = Some(ended);
            self.announce(news);
        }
    }

    /// Takes the place of the one driver of a session that nobody else knows.
    pub(crate) fn take_seat(&self) -> Seat<M> {
        self.news().driven = true;
        Seat(self.clone())
    }

    /// Takes the place of the one driver, until it is dropped; nothing if it is taken.
    pub(crate) fn seat(&self) -> Option<Seat<M>> {
        let mut news = self.news();
        if core::mem::replace(&mut news.driven, true) {
            return None;
        }
        news.ended = None;
        drop(news);
        Some(Seat(self.clone()))
    }

    /// Tells an event to those who listen, and wakes those who wait where it may concern them.
    fn tell(&self, event: &Event) {
        let mut news = self.news();
        for listener in &mut news.listeners {
            listener.tell(event.clone());
        }
        if !news.listeners.is_empty() || matches!(event, Event::PhaseChanged { .. }) {
            self.announce(news);
        }
    }

    /// Does something with what waits for a listener.
    pub(super) fn hear<T>(&self, number: u64, act: impl FnOnce(&mut Listener) -> T) -> Option<T> {
        self.news().listeners.iter_mut().find(|listener| listener.number == number).map(act)
    }

    pub(super) fn unlisten(&self, number: u64) {
        self.news().listeners.retain(|listener| listener.number != number);
    }

    /// Waits for the next event, or for the end of driving.
    pub(super) async fn until_told(&self, number: u64) -> Option<Event> {
        self.until(|| match self.hear(number, Listener::take).flatten() {
            Some(event) => Some(Some(event)),
            None => self.news().ended.is_some().then_some(None),
        })
        .await
    }

    /// Waits until the session is usable.
    pub(crate) async fn until_active(&self) -> Result<(), Ended> {
        self.until(|| match self.phase() {
            Phase::Active => Some(Ok(())),
            _ => self.news().ended.clone().map(Err),
        })
        .await
    }

    /// Waits until driving has ended.
    pub(crate) async fn until_ended(&self) -> Ended {
        self.until(|| self.news().ended.clone()).await
    }

    /// Has the driver leave, where there is one, and waits for that.
    pub(crate) async fn until_left(&self) {
        if self.tell_to_leave() {
            let _ = self.until_ended().await;
        }
    }

    /// Tells the driver to leave, and whether there is one that will.
    fn tell_to_leave(&self) -> bool {
        let drives = {
            let news = self.news();
            news.driven && news.ended.is_none()
        };
        if drives {
            self.stop(Stop::Leave);
        }
        drives
    }

    /// Waits until something holds. It is asked again whenever the session has moved on or driving has ended.
    async fn until<T>(&self, met: impl Fn() -> Option<T>) -> T {
        let mut place = Place { handle: self, number: None };
        poll_fn(|cx| {
            // Before the look, so that what happens after it is not missed.
            place.take(cx.waker());
            met().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.as_ref().map_or_else(now, |clock| clock.now())
    }
}

/// The place of the one driver.
pub(crate) struct Seat<M: Machine + ?Sized>(Handle<M>);

impl<M: Machine + ?Sized> Seat<M> {
    pub(crate) fn handle(&self) -> &Handle<M> {
        &self.0
    }
}

impl<M: Machine + ?Sized> Drop for Seat<M> {
    fn drop(&mut self) {
        let mut news = self.0.news();
        news.driven = false;
        news.driver = None;
        if news.ended.is_none() {
            trace::ended(&Ended::Abandoned);
            news.ended = Some(Ended::Abandoned);
        }
        self.0.announce(news);
    }
}

/// A place among those who wait, given up when the waiting ends.
struct Place<'a, M: Machine + ?Sized> {
    handle: &'a Handle<M>,
    number: Option<u64>,
}

impl<M: Machine + ?Sized> Place<'_, M> {
    fn take(&mut self, waker: &Waker) {
        let mut news = self.handle.news();
        let number = *self.number.get_or_insert_with(|| news.number());
        match news.waiting.iter_mut().find(|(held, _)| *held == number) {
            Some((_, held)) => held.clone_from(waker),
            None => news.waiting.push((number, waker.clone())),
        }
    }
}

impl<M: Machine + ?Sized> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.handle.news().waiting.retain(|(held, _)| *held != number);
        }
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
