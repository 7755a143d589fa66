//! The one loop that takes a session through its life, in a task or in a thread.

use core::fmt;
use core::future::poll_fn;
use core::pin::{Pin, pin};
use core::task::Poll;
use std::io;

use http::Response;

use super::ask::Asking;
use super::trace;
use super::{Answer, Client, Ended, Handle, Program, SendError, Timer};
use crate::{Event, Failure, FailureKind, Machine, Misuse, Output, Phase, RequestId, Timestamp, WaitingOn};

/// What ends a wait.
enum News {
    Saved(io::Result<()>),
    Answered(Result<Response<Vec<u8>>, SendError>),
    Given(Answer),
    /// Somebody did something to the session, or the time has come.
    Look,
}

/// Takes a session through its life.
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
    let mut sent = None;
    let mut saving = None;
    handle.note_begin();
    handle.start();
    loop {
        let leaves = handle.is_to_leave();
        let mut until = Timestamp::NEVER;
        if leaves && sent.is_none() && saving.is_none() {
            handle.leaves();
            handle.note_end(Ended::Left);
            return Ok(Ended::Left);
        }
        if !leaves && saving.is_none() {
            match handle.poll() {
                Output::Send(outgoing) => {
                    trace::sending(&outgoing);
                    program.sending(&outgoing);
                    let (id, policy) = (outgoing.id(), outgoing.policy());
                    let answer = Box::pin(client.send(outgoing.into_request(), policy));
                    let sending = sent.insert(InFlight { handle, id, answer, over: false });
                    // It leaves before anything else is told; a client that blocks has its answer at once.
                    let answered = poll_fn(|cx| Poll::Ready(sending.answer.as_mut().poll(cx))).await;
                    if let Poll::Ready(answer) = answered {
                        report(handle, program, sent.take(), &answer)?;
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
                    if let Some(mut unwanted) = sent.take_if(|sent| sent.id == id) {
                        unwanted.over = true;
                    }
                    continue;
                }
                Output::Closed(reason) => return Ok(Ended::Closed(reason)),
            }
        }
        // Nothing leaves while a snapshot is being stored, or when the driver is to leave.
        let looks = !leaves && saving.is_none();
        let mut nap = pin!(timer.sleep(handle.nap(until)));
        let news = poll_fn(|cx| {
            if let Some(saving) = &mut saving
                && let Poll::Ready(saved) = saving.as_mut().poll(cx)
            {
                return Poll::Ready(News::Saved(saved));
            }
            if let Some(sent) = &mut sent
                && let Poll::Ready(answer) = sent.answer.as_mut().poll(cx)
            {
                return Poll::Ready(News::Answered(answer));
            }
            if looks {
                if let Poll::Ready(answer) = asking.poll_answer(cx) {
                    return Poll::Ready(News::Given(answer));
                }
                if handle.poll_changed(cx).is_ready() {
                    return Poll::Ready(News::Look);
                }
            }
            nap.as_mut().poll(cx).map(|()| News::Look)
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
            News::Answered(answer) => report(handle, program, sent.take(), &answer)?,
            News::Given(answer) => asking.take(handle, program, answer),
            News::Look => {}
        }
    }
}

/// A request that is under way.
struct InFlight<'a, M: Machine + ?Sized, F> {
    handle: &'a Handle<M>,
    id: RequestId,
    answer: Pin<Box<F>>,
    /// Whether there is nothing to report any more.
    over: bool,
}

impl<M: Machine + ?Sized, F> Drop for InFlight<'_, M, F> {
    fn drop(&mut self) {
        if !self.over {
            // Nobody will ever know what came of it, and the session need not wait to find that out.
            let lost = Err(SendError::from(Failure::maybe_sent(FailureKind::Interrupted)));
            let _ = self.handle.report(self.id, &lost);
        }
    }
}

fn report<M: Machine + ?Sized, F>(
    handle: &Handle<M>,
    program: &(impl Program + ?Sized),
    sent: Option<InFlight<'_, M, F>>,
    answer: &Result<Response<Vec<u8>>, SendError>,
) -> Result<(), DriveError> {
    let Some(mut sent) = sent else { return Ok(()) };
    sent.over = true;
    match answer {
        Ok(response) => {
            trace::received(sent.id, response.status());
            program.received(sent.id, response.status());
        }
        Err(error) => {
            trace::failed(sent.id, error);
            program.failed(sent.id, error);
        }
    }
    handle.report(sent.id, answer).map(drop).map_err(DriveError::Misuse)
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
