//! A session in two words, on tokio.

use core::fmt;
use std::io;

use super::{Handle, Transport, new};
use crate::drive::{Client, Program};
use crate::drive::{TransportError, seed};
use crate::{Machine, Options, Provider, Session};

/// Opens a session with a task of its own that keeps it alive, a [`Transport`] that trusts Mozilla's roots, and the
/// default options. Wait for [`Handle::ready`].
///
/// # Errors
/// [`OpenError`], before anything is sent.
pub fn open<P>(provider: P, program: impl Program + Send + Sync + 'static) -> Result<Handle<Session<P>>, OpenError>
where
    P: Provider + Send + 'static,
{
    let session = Session::new(provider, Options::default(), seed().map_err(OpenError::Seed)?);
    spawn(session, Transport::new().map_err(OpenError::Transport)?, program)
}

/// Drives a session that is new or resumed in a task of its own, whose end [`Handle::ended`] tells.
///
/// # Errors
/// [`OpenError::NoRuntime`].
pub fn spawn<M: Machine + 'static>(
    machine: M,
    client: impl Client + Send + Sync + 'static,
    program: impl Program + Send + Sync + 'static,
) -> Result<Handle<M>, OpenError> {
    let runtime = tokio::runtime::Handle::try_current().map_err(|_| OpenError::NoRuntime)?;
    let (handle, driver) = new(machine, client, tokio::time::sleep, program);
    runtime.spawn(driver);
    Ok(handle)
}

/// Why a session cannot be opened; nothing was sent.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// This thread is in no runtime of tokio.
    NoRuntime,
    /// The system gave no randomness.
    Seed(io::Error),
    /// The transport cannot be made.
    Transport(TransportError),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRuntime => f.write_str(
                "sansession::drive::asynchronous::spawn is called outside of a tokio runtime; `new` makes a driver for any other",
            ),
            Self::Seed(error) => write!(f, "the system gave no randomness: {error}"),
            Self::Transport(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}
