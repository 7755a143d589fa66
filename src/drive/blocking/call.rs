//! What threads do with a session.

use core::fmt;
use core::time::Duration;

use http::{Request, Response};

use super::Transport;
use super::park::Parker;
use crate::drive::{CallError, Ended, Events, Handle};
use crate::{Event, Machine};

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

    /// Waits until the session is usable, for so long at most; another thread drives it.
    ///
    /// # Errors
    /// [`NotActive`].
    pub fn wait_active(&self, limit: Duration) -> Result<(), NotActive> {
        match Parker::default().block_on_for(limit, self.until_active()) {
            Some(active) => active.map_err(NotActive::Ended),
            None => Err(NotActive::Late),
        }
    }

    /// Waits until driving has ended, for so long at most.
    pub fn wait_ended(&self, limit: Duration) -> Option<Ended> {
        Parker::default().block_on_for(limit, self.until_ended())
    }
}

impl<M: Machine + ?Sized> Events<M> {
    /// Waits for the next event, for `limit` at most; `None` where none came, or where [`Events::next`] returns it.
    pub fn wait(&mut self, limit: Duration) -> Option<Event> {
        Parker::default().block_on_for(limit, self.next()).flatten()
    }
}

/// Why a session is not usable.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NotActive {
    /// It is not, so far.
    Late,
    /// It has ended instead.
    Ended(Ended),
}

impl fmt::Display for NotActive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Late => f.write_str("the session is not usable yet"),
            Self::Ended(ended) => ended.fmt(f),
        }
    }
}

impl std::error::Error for NotActive {}
