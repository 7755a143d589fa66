//! One session in the hands of several tasks.

use core::fmt;
use core::ops::Deref;
use core::pin::Pin;
use core::time::Duration;
use std::sync::Arc;

use http::{Request, Response};

use super::Driver;
use super::driver::Parts;
use crate::drive::{self, Stop};
use crate::drive::{CallError, Client, DriveError, Ended, Program, SendError, Timer};
use crate::{Machine, Snapshot, machine::SendPolicy};

/// How the user's own calls are sent where nothing else is said.
const CALLS: SendPolicy = SendPolicy { timeout: Duration::from_secs(30), max_body: 16 << 20 };

/// A session that several tasks use while a [`Driver`] drives it.
///
/// Clones are handles on the same session; dropping them ends nothing. It derefs to what threads have as well:
/// [`authorize`](drive::Handle::authorize), [`observe`](drive::Handle::observe), [`answer`](drive::Handle::answer),
/// [`check`](drive::Handle::check), [`status`](drive::Handle::status), [`with`](drive::Handle::with). Each future here
/// may be dropped at any time.
pub struct Handle<M: Machine + ?Sized = dyn Machine> {
    session: drive::Handle<M>,
    client: Arc<dyn AnyClient>,
}

impl<M: Machine> Handle<M> {
    /// Forgets the type of the session.
    pub fn erased(self) -> Handle
    where
        M: 'static,
    {
        Handle { session: self.session.erased(), client: self.client }
    }
}

impl<M: Machine + ?Sized> Handle<M> {
    pub(super) fn new(session: drive::Handle<M>, client: Arc<dyn AnyClient>) -> Self {
        Self { session, client }
    }

    /// Waits until the session is usable.
    ///
    /// # Errors
    /// How it ended instead.
    pub async fn ready(&self) -> Result<(), Ended> {
        self.session.until_active().await
    }

    /// Waits until driving has ended, and tells how.
    pub async fn ended(&self) -> Ended {
        self.session.until_ended().await
    }

    /// Makes a call of the user's own, authorized, within 30 s and 16 MiB: see [`Handle::call_with`].
    ///
    /// # Errors
    /// [`CallError::Authorize`] before anything is sent; [`CallError::Send`] where no answer came.
    pub async fn call(&self, request: Request<Vec<u8>>) -> Result<Response<Vec<u8>>, CallError> {
        self.call_with(request, CALLS).await
    }

    /// Makes a call of the user's own, authorized: `authorize`, [`Client::send`] and `observe` in one.
    ///
    /// The answer is given whatever its status is; the session has seen it.
    ///
    /// # Errors
    /// [`CallError::Authorize`] before anything is sent; [`CallError::Send`] where no answer came.
    pub async fn call_with(
        &self,
        request: Request<Vec<u8>>,
        policy: SendPolicy,
    ) -> Result<Response<Vec<u8>>, CallError> {
        let (mut parts, body) = request.into_parts();
        let ticket = self.session.authorize(&mut parts, &body).map_err(CallError::Authorize)?;
        match self.client.send_boxed(Request::from_parts(parts, body), policy).await {
            Ok(response) => {
                self.session.observe(&ticket, &response);
                Ok(response)
            }
            Err(error) => {
                self.session.observe_failure(&ticket, error.failure);
                Err(CallError::Send(error))
            }
        }
    }

    /// Ends the session at the server, and waits until it has ended.
    ///
    /// The order is given at once and stands, also where this future is dropped.
    pub fn logout(&self) -> impl Future<Output = Ended> + Send + use<M> {
        self.session.stop(Stop::Logout);
        let session = self.session.clone();
        async move { session.until_ended().await }
    }

    /// Has the driver stop when what is in flight is answered, and gives the session as it stands, to be stored and
    /// resumed; it stays open at the server.
    pub async fn leave(&self) -> Snapshot {
        self.session.until_left().await;
        self.session.snapshot()
    }

    /// Creates a new driver, where the last one is gone: its task was aborted, or a callback panicked.
    ///
    /// # Errors
    /// [`DriveError::Driven`] where there is one.
    pub fn driver<T, P>(&self, timer: T, program: P) -> Result<Driver, DriveError>
    where
        M: 'static,
        T: Timer + Send + Sync + 'static,
        P: Program + Send + Sync + 'static,
    {
        let seat = self.session.seat().ok_or(DriveError::Driven)?;
        Ok(Driver::new(Parts { seat, client: Arc::clone(&self.client), timer: Arc::new(timer), program }))
    }
}

impl<M: Machine + ?Sized> Deref for Handle<M> {
    type Target = drive::Handle<M>;

    fn deref(&self) -> &drive::Handle<M> {
        &self.session
    }
}

impl<M: Machine + ?Sized> Clone for Handle<M> {
    fn clone(&self) -> Self {
        Self { session: self.session.clone(), client: Arc::clone(&self.client) }
    }
}

impl<M: Machine + ?Sized> fmt::Debug for Handle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle").finish_non_exhaustive()
    }
}

type InputHandled<'a> = Pin<Box<dyn Future<Output = Result<Response<Vec<u8>>, SendError>> + Send + 'a>>;

/// A client whose type is forgotten.
pub(super) trait AnyClient: Send + Sync {
    fn send_boxed(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> InputHandled<'_>;
}

impl<C: Client + Send + Sync> AnyClient for C {
    fn send_boxed(&self, request: Request<Vec<u8>>, policy: SendPolicy) -> InputHandled<'_> {
        Box::pin(self.send(request, policy))
    }
}
