//! How far a request got and how its connection ended: what ureq's errors cannot tell.

use core::cell::Cell;
use std::io::ErrorKind;

use ureq::Error;
use ureq::unversioned::transport::{Buffers, ConnectionDetails, Connector, NextTimeout, Transport};

/// How far the present request of this thread got.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Stage {
    /// The host is being looked up or connected.
    Began,
    /// There is a connection, over which TLS is being set up.
    Connected,
    /// Bytes of the request were given to the connection; nobody knows how far they went.
    Sent,
}

thread_local! {
    // ureq does all the work of a request in the thread that asked for it, and its pool hands the
    // same transport to many requests: the thread knows whose bytes they are, the transport does not.
    static STAGE: Cell<Stage> = const { Cell::new(Stage::Began) };
    // What broke the connection while an answer was read over it.
    static BROKEN: Cell<Option<ErrorKind>> = const { Cell::new(None) };
}

/// Notes that this thread begins a request.
pub(super) fn begin() {
    STAGE.set(Stage::Began);
    BROKEN.set(None);
}

/// Returns how far the present request of this thread got.
pub(super) fn stage() -> Stage {
    STAGE.get()
}

/// Returns how the connection broke while the present answer of this thread was read.
///
/// ureq takes a reset, and an end of TLS without `close_notify`, for the end of an answer that has no length.
pub(super) fn broken() -> Option<ErrorKind> {
    BROKEN.get()
}

/// The link after the one that opens sockets: notes that there is a connection.
#[derive(Debug)]
pub(super) struct Connected;

impl<In: Transport> Connector<In> for Connected {
    type Out = In;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<In>, Error> {
        if details.needs_tls() {
            STAGE.set(Stage::Connected);
        }
        Ok(chained)
    }
}

/// The last link: wraps the transport and notes when the first byte of a request is given to it.
#[derive(Debug)]
pub(super) struct Observer {
    /// Whether there is a proxy. ureq runs the whole chain for the connection to it first, with the
    /// proxy taken out of the configuration; what is sent over that one is not the request.
    pub(super) proxied: bool,
}

impl<In: Transport> Connector<In> for Observer {
    type Out = Watched<In>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Watched<In>>, Error> {
        let silent = self.proxied && details.config.proxy().is_none();
        Ok(chained.map(|inner| Watched { inner, silent }))
    }
}

/// A transport that notes when something is sent over it.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    silent: bool,
}

impl<T: Transport> Transport for Watched<T> {
    fn buffers(&mut self) -> &mut dyn Buffers {
        self.inner.buffers()
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        if !self.silent {
            STAGE.set(Stage::Sent);
        }
        self.inner.transmit_output(amount, timeout)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let awaited = self.inner.await_input(timeout);
        if let Err(Error::Io(error)) = &awaited {
            BROKEN.set(Some(error.kind()));
        }
        awaited
    }

    fn is_open(&mut self) -> bool {
        self.inner.is_open()
    }

    fn is_tls(&self) -> bool {
        self.inner.is_tls()
    }
}
