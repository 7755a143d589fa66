//! The loop in a thread.

use core::cell::RefCell;
use core::future::{Future, ready};
use std::io;

use http::{Request, Response};

use super::Transport;
use super::park::Parker;
use crate::drive::{Answer, DriveError, Ended, Handle, SendError};
use crate::drive::{Client, Program, Seat, shared::run};
use crate::{
    Event, Machine, Need, Outgoing, RequestId, Snapshot,
    machine::{Rejection, SendPolicy},
};

/// Drives a session through its life in this thread, until it has closed or somebody [stops](crate::drive::Stop) it.
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
    sit(&handle.seat().ok_or(DriveError::Driven)?, transport, driver)
}

/// Drives in a seat that was taken before.
pub(super) fn sit<M: Machine + ?Sized>(
    seat: &Seat<M>,
    transport: &Transport,
    driver: &mut (impl Driver + ?Sized),
) -> Result<Ended, DriveError> {
    let parker = Parker::default();
    parker.block_on(run(seat.handle(), &Blocking(transport), &parker, &Callbacks(RefCell::new(driver))))
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
    /// A person is asked again, five times in all, not counting one-time codes that came too early
    /// ([`Need::fresh_after`](crate::Need::fresh_after)). A program is not, since it would say the same:
    /// its rejected answer counts as [`Answer::GiveUp`], except for a one-time code that was too
    /// early, which is asked for when its time has come.
    fn rejected(&mut self, _need: &Need, _rejection: Rejection) {}

    /// Learns what happened.
    fn event(&mut self, _event: &Event) {}

    /// Stores a snapshot, before something is sent whose loss would do harm.
    ///
    /// # Errors
    /// Whatever keeps it from being stored; [`drive`] returns it then. The default is an error
    /// ([`Unsupported`](io::ErrorKind::Unsupported)): this is called only for sessions with
    /// [`Options::durable`](crate::Options::durable) or of a provider that [rotates](crate::provider::Identity::rotates)
    /// tokens, and saving nothing would break what that promises. The latter are saved before anything is sent, so the
    /// error comes at once; who accepts that a login is lost with the process sets
    /// [`Options::forgetful`](crate::Options::forgetful).
    fn save(&mut self, _snapshot: &Snapshot) -> io::Result<()> {
        Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the session is to be stored and the driver does not: implement `save`, or set `Options::forgetful`",
        ))
    }

    /// Learns that a request is about to leave.
    fn sending(&mut self, _outgoing: &Outgoing) {}

    /// Learns what came for an answer, after the session did. It may hold tokens.
    fn received(&mut self, _id: RequestId, _response: &Response<Vec<u8>>) {}

    /// Learns that no answer came.
    fn failed(&mut self, _id: RequestId, _error: &SendError) {}
}

impl<F: FnMut(&Need) -> Answer> Driver for F {
    fn answer(&mut self, need: &Need) -> Answer {
        self(need)
    }
}

/// A client whose futures are done when they are first polled.
struct Blocking<'a>(&'a Transport);

impl Client for Blocking<'_> {
    async fn send(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        self.0.send_with(request, policy)
    }
}

/// A driver as the loop sees it. What it is asked is done at once, so no two calls meet.
struct Callbacks<'a, D: ?Sized>(RefCell<&'a mut D>);

impl<D: Driver + ?Sized> Program for Callbacks<'_, D> {
    fn answer(&self, need: Need) -> impl Future<Output = Answer> + Send {
        ready(self.0.borrow_mut().answer(&need))
    }

    fn rejected(&self, need: &Need, rejection: Rejection) {
        self.0.borrow_mut().rejected(need, rejection);
    }

    fn event(&self, event: &Event) {
        self.0.borrow_mut().event(event);
    }

    fn save(&self, snapshot: Snapshot) -> impl Future<Output = io::Result<()>> + Send {
        ready(self.0.borrow_mut().save(&snapshot))
    }

    fn sending(&self, outgoing: &Outgoing) {
        self.0.borrow_mut().sending(outgoing);
    }

    fn received(&self, id: RequestId, response: &Response<Vec<u8>>) {
        self.0.borrow_mut().received(id, response);
    }

    fn failed(&self, id: RequestId, error: &SendError) {
        self.0.borrow_mut().failed(id, error);
    }
}
