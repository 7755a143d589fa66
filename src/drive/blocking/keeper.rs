//! A session with a thread of its own.

use core::fmt;
use core::ops::Deref;
use core::time::Duration;
use std::io;
use std::thread::{self, JoinHandle};

use http::{Request, Response};

use super::{Driver, NotActive, Transport, drive};
use crate::drive::{CallError, DriveError, Ended, Handle, Stop, TransportError, seed};
use crate::{Machine, Options, Provider, Session, Snapshot};

/// How long a session that is dropped is waited for: as long as a logout is tried by default.
const PATIENCE: Duration = Duration::from_secs(30);

/// Opens a session with a thread of its own that keeps it alive, a [`Transport`] that trusts Mozilla's roots, and the
/// default options, and waits until it is usable.
///
/// # Errors
/// [`OpenError`].
pub fn open<P>(provider: P, driver: impl Driver + Send + 'static) -> Result<Keeper<Session<P>>, OpenError>
where
    P: Provider + Send + 'static,
{
    let session = Session::new(provider, Options::default(), seed().map_err(OpenError::System)?);
    let keeper =
        Keeper::start(session, Transport::new().map_err(OpenError::Transport)?, driver).map_err(OpenError::System)?;
    match keeper.wait_active(Duration::MAX) {
        Ok(()) => Ok(keeper),
        Err(NotActive::Ended(ended)) => Err(OpenError::Ended(ended)),
        Err(NotActive::Late) => Err(OpenError::Ended(Ended::Abandoned)),
    }
}

/// A session with a thread of its own, which keeps it alive until this is dropped.
///
/// Dropping it logs out and waits for that, 30 s at most: nobody could find the session again. If a
/// [snapshot](Handle::snapshot) of it was taken somebody can, so it is left open then. [`Keeper::logout`] tells what
/// came of it. A login that was found living is left alone all the same ([`Options::ends`]). It derefs to the
/// [`Handle`], for other threads.
#[must_use = "a session that is dropped is logged out"]
pub struct Keeper<M: Machine + ?Sized = dyn Machine> {
    handle: Handle<M>,
    transport: Transport,
    thread: Option<JoinHandle<Result<Ended, DriveError>>>,
}

impl<M: Machine + 'static> Keeper<M> {
    /// Begins to drive a session that is new or resumed in a thread of its own.
    ///
    /// # Errors
    /// Those of starting a thread.
    pub fn start(machine: M, transport: Transport, mut driver: impl Driver + Send + 'static) -> io::Result<Self> {
        let (handle, theirs) = (Handle::new(machine), transport.clone());
        let seat = handle.take_seat();
        let thread =
            thread::Builder::new().name("session".into()).spawn(move || drive::sit(&seat, &theirs, &mut driver))?;
        Ok(Self { handle, transport, thread: Some(thread) })
    }
}

impl<M: Machine + ?Sized> Keeper<M> {
    /// Makes a call of the user's own, see [`Handle::call`].
    ///
    /// # Errors
    /// Those of [`Handle::call`].
    pub fn call(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError> {
        self.handle.call(&self.transport, request)
    }

    /// Ends the session at the server and tells how that went.
    ///
    /// # Errors
    /// Every end but a logout that the server confirmed.
    pub fn logout(mut self) -> Result<(), Ended> {
        self.handle.stop(Stop::Logout);
        self.join().into_result()
    }

    /// Leaves the session open and gives it, to be stored and resumed; one that has ended meanwhile
    /// [says so](Snapshot::closed).
    pub fn leave(mut self) -> Snapshot {
        self.handle.stop(Stop::Leave);
        let _ = self.join();
        self.handle.snapshot()
    }

    fn join(&mut self) -> Ended {
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Ok(ended))) => ended,
            Some(Ok(Err(DriveError::Save(error)))) => Ended::Unsaved(error.kind()),
            _ => Ended::Abandoned,
        }
    }
}

impl<M: Machine + ?Sized> Drop for Keeper<M> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.handle.stop(if self.handle.is_kept() { Stop::Leave } else { Stop::Logout });
            self.handle.wait_ended(PATIENCE);
        }
    }
}

impl<M: Machine + ?Sized> Deref for Keeper<M> {
    type Target = Handle<M>;

    fn deref(&self) -> &Handle<M> {
        &self.handle
    }
}

impl<M: Machine + ?Sized> fmt::Debug for Keeper<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keeper").finish_non_exhaustive()
    }
}

/// Why there is no open session.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// The system gave no randomness or no thread; nothing was sent.
    System(io::Error),
    /// The transport cannot be made; nothing was sent.
    Transport(TransportError),
    /// The session has ended before it was usable.
    Ended(Ended),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System(error) => error.fmt(f),
            Self::Transport(error) => error.fmt(f),
            Self::Ended(ended) => ended.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
