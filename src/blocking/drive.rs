//! The loop that takes a session through its life.

use core::fmt;
use core::time::Duration;
use std::io;

use http::StatusCode;

use super::ask::Asking;
use super::{Handle, SendError, Transport};
use crate::{
    By, CloseReason, Event, Input, Machine, Misuse, Need, Outgoing, Output, Rejection, RequestId, Snapshot, WaitingOn,
};

/// Takes a session through its life in this thread, until it has closed or somebody [stops](super::Stop) it.
///
/// The session is started if it was not. The callbacks are called in this thread with no lock held,
/// so they may use the handle.
///
/// # Errors
/// [`DriveError::Save`] where a snapshot could not be stored. What had to be saved first has not
/// been sent, the session is in the handle, and the next `drive` begins with the same save; whoever
/// rather goes on without calls [`Handle::saved`]. [`DriveError::Driven`] where another thread is driving.
pub fn drive<M: Machine + ?Sized>(
    handle: &Handle<M>,
    transport: &Transport,
    driver: &mut (impl Driver + ?Sized),
) -> Result<Ended, DriveError> {
    let _seat = handle.seat().ok_or(DriveError::Driven)?;
    let mut asking = Asking::default();
    handle.start();
    while !handle.leaves() {
        match handle.poll() {
            Output::Send(outgoing) => send(handle, transport, driver, outgoing)?,
            Output::Save => {
                driver.save(&handle.snapshot()).map_err(DriveError::Save)?;
                handle.saved();
            }
            Output::Wait { until, on: WaitingOn::Need(need) } => handle.wait(asking.ask(handle, driver, need, until)),
            Output::Wait { until, .. } => handle.wait(until),
            Output::Event(event) => driver.event(&event),
            // Requests are sent in this thread, so none is under way here.
            Output::Cancel(_) => {}
            Output::Closed(reason) => return Ok(Ended::Closed(reason)),
        }
    }
    Ok(Ended::Left)
}

/// What a session wants of the program around it.
///
/// Only [`answer`](Driver::answer) must be written, and a closure `FnMut(&Need) -> Answer` is a driver
/// that has nothing else.
pub trait Driver {
    /// Answers a need, in the driving thread.
    ///
    /// It may take as long as a person types; the session is not polled and no stop is heard
    /// meanwhile. That harms no login by typed answers. But a session that waits for a browser login
    /// or a takeover looks by itself whether it has happened: show the URL once, say [`Answer::Later`]
    /// and let it look. So does a program whose answers come from other threads by [`Handle::answer`].
    ///
    /// The same need is asked again after [`Answer::Later`], at once after an answer that was
    /// [`rejected`](Driver::rejected), and after 10 s if it is still open although it was answered.
    fn answer(&mut self, need: &Need) -> Answer;

    /// Learns why an answer cannot be used.
    ///
    /// A person is asked again, five times in all. A program is not, since it would say the same:
    /// its rejected answer counts as [`Answer::GiveUp`], except for a one-time code that was too
    /// early, which is asked for when its time has come.
    fn rejected(&mut self, _need: &Need, _rejection: Rejection) {}

    /// Learns what happened.
    fn event(&mut self, _event: &Event) {}

    /// Stores a snapshot, before something is sent whose loss would do harm.
    ///
    /// # Errors
    /// Whatever keeps it from being stored; [`drive`] returns it then. The default is an error: this
    /// is called only for sessions with [`Options::durable`](crate::Options::durable), and saving
    /// nothing would break what that promises.
    fn save(&mut self, _snapshot: &Snapshot) -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "the session is durable and the driver saves nothing"))
    }

    /// Learns that a request is about to leave.
    fn sending(&mut self, _outgoing: &Outgoing) {}

    /// Learns that an answer came.
    fn received(&mut self, _id: RequestId, _status: StatusCode) {}

    /// Learns that no answer came.
    fn failed(&mut self, _id: RequestId, _error: &SendError) {}
}

impl<F: FnMut(&Need) -> Answer> Driver for F {
    fn answer(&mut self, need: &Need) -> Answer {
        self(need)
    }
}

/// What a driver says to a need.
#[derive(Debug)]
pub enum Answer {
    /// The answer, and who gives it.
    Now(Input, By),
    /// Ask again after this time, 100 ms at least; go on meanwhile.
    Later(Duration),
    /// Nobody will answer: the session closes.
    GiveUp,
}

/// How driving ended.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "why a session has closed tells what to do next"]
pub enum Ended {
    /// The session has closed.
    Closed(CloseReason),
    /// [`Stop::Leave`](super::Stop::Leave) was asked for; the session is open and in the handle.
    Left,
}

/// Why driving failed; the session is unharmed and in the handle.
#[derive(Debug)]
#[non_exhaustive]
pub enum DriveError {
    /// A snapshot could not be stored.
    Save(io::Error),
    /// Another thread is driving this session.
    Driven,
    /// The machine does not know its own request: its provider is wrong.
    Misuse(Misuse),
}

impl fmt::Display for DriveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Save(error) => write!(f, "the snapshot could not be stored: {error}"),
            Self::Driven => f.write_str("another thread is driving this session"),
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

fn send<M: Machine + ?Sized>(
    handle: &Handle<M>,
    transport: &Transport,
    driver: &mut (impl Driver + ?Sized),
    outgoing: Outgoing,
) -> Result<(), DriveError> {
    let id = outgoing.id();
    driver.sending(&outgoing);
    let accepted = match transport.send(outgoing) {
        Ok(response) => {
            driver.received(id, response.status());
            handle.responded(id, &response)
        }
        Err(error) => {
            driver.failed(id, &error);
            handle.failed(id, error.failure)
        }
    };
    accepted.map(drop).map_err(DriveError::Misuse)
}
