//! The future that takes a session through its life.

use core::fmt;
use core::pin::Pin;
use core::task::{Context, Poll};
use std::sync::Arc;

use super::Handle;
use super::handle::AnyClient;
use crate::Machine;
use crate::drive::{self, Clock, Seat, shared::run};
use crate::drive::{Client, DriveError, Ended, Program, Timer};

/// Creates a handle and a driver of a session that is new or resumed.
///
/// The clock is that of the [`Timer`].
pub fn new<M, C, T, P>(machine: M, client: C, timer: T, program: P) -> (Handle<M>, Driver)
where
    M: Machine + 'static,
    C: Client + Send + Sync + 'static,
    T: Timer + Send + Sync + 'static,
    P: Program + Send + Sync + 'static,
{
    let (client, timer) = (Arc::new(client), Arc::new(timer));
    let session = drive::Handle::with_clock(machine, Some(Arc::clone(&timer) as Arc<dyn Clock>));
    let seat = session.take_seat();
    let driver = Driver::new(Parts { seat, client: Arc::clone(&client), timer, program });
    (Handle::new(session, client), driver)
}

type Life = Pin<Box<dyn Future<Output = Result<Ended, DriveError>> + Send>>;

/// The future that takes a session through its life, until it has closed or somebody has it leave.
///
/// Spawn it, or poll it through a reference where something else may come first. It may be polled again after it has
/// ended: after [`Ended::Left`] it goes on, after [`DriveError::Save`] it begins with the same save.
#[must_use = "a session does nothing unless its driver is polled: spawn it"]
pub struct Driver {
    /// Dropped before the seat is given up.
    life: Option<Life>,
    parts: Arc<dyn Begin>,
}

impl Driver {
    pub(super) fn new(parts: impl Begin + 'static) -> Self {
        Self { life: None, parts: Arc::new(parts) }
    }
}

impl Future for Driver {
    type Output = Result<Ended, DriveError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { life, parts } = &mut *self;
        let polled = life.get_or_insert_with(|| Arc::clone(parts).begin()).as_mut().poll(cx);
        if polled.is_ready() {
            *life = None;
        }
        polled
    }
}

impl fmt::Debug for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Driver").finish_non_exhaustive()
    }
}

/// What a driver is made of.
pub(super) struct Parts<M: Machine + ?Sized, C: ?Sized, T, P> {
    pub(super) seat: Seat<M>,
    pub(super) client: Arc<C>,
    pub(super) timer: Arc<T>,
    pub(super) program: P,
}

/// Begins to drive, whatever the types are.
pub(super) trait Begin: Send + Sync {
    fn begin(self: Arc<Self>) -> Life;
}

impl<M, C, T, P> Begin for Parts<M, C, T, P>
where
    M: Machine + ?Sized + 'static,
    C: Client + Send + Sync + 'static,
    T: Timer + Send + Sync + 'static,
    P: Program + Send + Sync + 'static,
{
    fn begin(self: Arc<Self>) -> Life {
        Box::pin(async move { run(self.seat.handle(), &*self.client, &*self.timer, &self.program).await })
    }
}

impl<M, T, P> Begin for Parts<M, dyn AnyClient, T, P>
where
    M: Machine + ?Sized + 'static,
    T: Timer + Send + Sync + 'static,
    P: Program + Send + Sync + 'static,
{
    fn begin(self: Arc<Self>) -> Life {
        Box::pin(async move { run(self.seat.handle(), &Erased(&*self.client), &*self.timer, &self.program).await })
    }
}

/// A client of whatever type.
struct Erased<'a>(&'a dyn AnyClient);

impl Client for Erased<'_> {
    fn send(
        &self,
        request: http::Request<Vec<u8>>,
        policy: crate::machine::SendPolicy,
    ) -> impl Future<Output = Result<http::Response<Vec<u8>>, crate::drive::SendError>> + Send {
        self.0.send_boxed(request, policy)
    }
}
