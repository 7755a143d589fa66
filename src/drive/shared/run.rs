//! The one loop that takes a session through its life, in a task or in a thread.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::{Context, Poll};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};

use http::Response;

use super::ask::Asking;
use super::handle::{Look, wake_at};
use super::trace;
use super::{Answer, Client, Ended, Handle, Program, SendError, Timer};
use crate::{Event, Failure, Machine, Misuse, Output, Phase, RequestId, Timestamp, WaitingOn, machine::FailureKind};

/// What ends a wait.
enum News {
    Saved(io::Result<()>),
    /// What was sent has its answer.
    Answered,
    Given(Answer),
    /// Somebody did something to the session, or the time has come.
    Look,
}

/// Drives a session through its life.
///
/// What is under way stands in this future: whoever holds it and polls it through a reference may stop polling at any
/// await and go on later, and nothing is lost. Where it is dropped, what was in flight is reported as what it is.
pub(crate) async fn run<M, C, T, P>(handle: &Handle<M>, client: &C, timer: &T, program: &P) -> Result<Ended, DriveError>
where
    M: Machine + ?Sized,
    C: Client + ?Sized,
    T: Timer + ?Sized,
    P: Program + ?Sized,
{
    let life = async {
        let ended = run_within(handle, client, timer, program).await;
        trace::outcome(&ended);
        ended
    };
    trace::in_span(handle, life).await
}

async fn run_within<M, C, T, P>(handle: &Handle<M>, client: &C, timer: &T, program: &P) -> Result<Ended, DriveError>
where
    M: Machine + ?Sized,
    C: Client + ?Sized,
    T: Timer + ?Sized,
    P: Program + ?Sized,
{
    let mut asking = Asking::default();
    let mut nap = pin!(None);
    let mut nap_ends = Timestamp::NEVER;
    let mut spins = false;
    let mut looked_at = None;
    let mut waker = None;
    let mut sent: Option<InFlight<'_, M, _>> = None;
    let mut saving = None;
    handle.note_begin();
    handle.start();
    loop {
        let Look { leave, unsaved } = handle.look();
        if leave && sent.is_none() && saving.is_none() {
            handle.leaves();
            handle.note_end(Ended::Left);
            return Ok(Ended::Left);
        }
        let now = looked_at.take().unwrap_or_else(|| handle.now());
        let mut until = Timestamp::NEVER;
        if !leave && saving.is_none() {
            let output = if unsaved { Output::Save } else { handle.poll_at(now) };
            handle.note(&output);
            match output {
                Output::Send(outgoing) => {
                    let (id, policy) = (outgoing.id(), outgoing.policy());
                    let mut fate = Fate { handle, id, left: false, told: false };
                    trace::sending(&outgoing);
                    program.sending(&outgoing);
                    fate.left = true;
                    let answer = Box::pin(client.send(outgoing.into_request(), policy));
                    let sending = sent.insert(InFlight { fate, answer, got: None, polled: false });
                    // It leaves before anything else is told; a client that blocks has its answer at once.
                    if poll_fn(|cx| Poll::Ready(sending.poll(cx))).await {
                        sending.report(program)?;
                        sent = None;
                    } else {
                        sending.polled = true;
                    }
                    continue;
                }
                Output::Save => saving = Some(Box::pin(program.save(handle.snapshot()))),
                Output::Wait { until: due, on } => {
                    until = due;
                    match on {
                        WaitingOn::Need(need) => {
                            until = due.min(asking.put(handle.now(), need, |need| {
                                trace::asking(&need);
                                program.answer(need)
                            }));
                        }
                        // A question may be open all the same.
                        WaitingOn::Response(_) => {}
                        _ => asking.withdraw(),
                    }
                }
                Output::Event(event) => {
                    if let Event::PhaseChanged { to: Phase::LoggingOut | Phase::Closed, .. } = event {
                        asking.withdraw();
                    }
                    trace::event(&event);
                    program.event(&event);
                    continue;
                }
                Output::Cancel(id) => {
                    if let Some(mut unwanted) = sent.take_if(|sent| sent.fate.id == id) {
                        unwanted.fate.told = true;
                    }
                    continue;
                }
                Output::Closed(reason) => return Ok(Ended::Closed(reason)),
            }
        }
        // Nothing leaves while a snapshot is being stored, or when the driver is to leave.
        let looks = !leave && saving.is_none();
        let news = poll_fn(|cx| {
            if let Some(saving) = &mut saving
                && let Poll::Ready(saved) = saving.as_mut().poll(cx)
            {
                return Poll::Ready(News::Saved(saved));
            }
            if let Some(sent) = &mut sent
                && !core::mem::take(&mut sent.polled)
                && sent.poll(cx)
            {
                return Poll::Ready(News::Answered);
            }
            if looks && let Poll::Ready(answer) = asking.poll_answer(cx) {
                return Poll::Ready(News::Given(answer));
            }
            if core::mem::take(&mut spins) {
                return Poll::Ready(News::Look);
            }
            let wake_at = wake_at(now, until);
            // One that ends sooner than what is waited for goes on.
            let fresh = nap.is_none() || nap_ends <= now || nap_ends > wake_at;
            if fresh {
                nap.set(Some(timer.sleep(wake_at.since(now))));
                nap_ends = wake_at;
            }
            if nap.as_mut().as_pin_mut().is_some_and(|nap| nap.poll(cx).is_pending()) {
                return if looks { handle.poll_changed(cx, &mut waker).map(|()| News::Look) } else { Poll::Pending };
            }
            nap.set(None);
            if fresh {
                let now = handle.now();
                // A timer that is over before its time keeps nobody else in this thread from running.
                if now < nap_ends {
                    spins = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                looked_at = Some(now);
            }
            Poll::Ready(News::Look)
        })
        .await;
        match news {
            News::Saved(result) => {
                saving = None;
                result.map_err(|error| {
                    handle.note_end(Ended::Unsaved(error.kind()));
                    DriveError::Save(error)
                })?;
                handle.saved();
            }
            News::Answered => {
                if let Some(mut sent) = sent.take() {
                    sent.report(program)?;
                }
            }
            News::Given(answer) => asking.take(handle, program, answer),
            News::Look => {}
        }
    }
}

/// A request that is under way.
struct InFlight<'a, M: Machine + ?Sized, F> {
    fate: Fate<'a, M>,
    answer: Pin<Box<F>>,
    got: Option<Result<Response<Vec<u8>>, SendError>>,
    /// Whether it was polled in this turn already.
    polled: bool,
}

impl<M: Machine + ?Sized, F: Future<Output = Result<Response<Vec<u8>>, SendError>>> InFlight<'_, M, F> {
    /// Reports whether the answer is there.
    fn poll(&mut self, cx: &mut Context<'_>) -> bool {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            self.got = Some(answer);
        }
        self.got.is_some()
    }

    /// Tells the machine what came, and then the program.
    fn report(&mut self, program: &(impl Program + ?Sized)) -> Result<(), DriveError> {
        let Some(answer) = &self.got else { return Ok(()) };
        let Fate { handle, id, told, .. } = &mut self.fate;
        let accepted = handle.report(*id, answer);
        *told = true;
        match answer {
            Ok(response) => {
                trace::received(*id, response.status());
                program.received(*id, response);
            }
            Err(error) => {
                trace::failed(*id, error);
                program.failed(*id, error);
            }
        }
        accepted.map(drop).map_err(DriveError::Misuse)
    }
}

/// What becomes of a request: where nobody will ever know, the session need not wait to find that out.
struct Fate<'a, M: Machine + ?Sized> {
    handle: &'a Handle<M>,
    id: RequestId,
    /// Whether the client has it.
    left: bool,
    /// Whether the machine knows.
    told: bool,
}

impl<M: Machine + ?Sized> Drop for Fate<'_, M> {
    fn drop(&mut self) {
        if !self.told {
            let failure = if self.left { Failure::maybe_sent } else { Failure::not_sent };
            let lost = Err(failure(FailureKind::Interrupted).into());
            // Where a callback has panicked, the clock may, too.
            let report = AssertUnwindSafe(|| self.handle.report(self.id, &lost));
            drop(catch_unwind(report));
        }
    }
}

/// Why driving failed; the session is unharmed and in the handle.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriveError {
    /// A snapshot could not be stored.
    Save(io::Error),
    /// Somebody else is driving this session.
    Driven,
    /// The machine does not know its own request: its provider is wrong.
    Misuse(Misuse),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Save(error) => write!(f, "the snapshot could not be stored: {error}"),
            Self::Driven => f.write_str("somebody else is driving this session"),
            Self::Misuse(misuse) => misuse.fmt(f),
        }
    }
}

impl std::error::Error for DriveError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Save(error) => Some(error),
            Self::Driven | Self::Misuse(_) => None,
        }
    }
}
