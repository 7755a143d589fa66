//! A session in the hands of tasks, in any runtime.
//!
//! [`new`] makes two things of a session: a [`Handle`] for the tasks that use it, and a [`Driver`], the future that
//! takes it through its life. Nothing here spawns, sleeps or connects: a [`Client`](super::Client), a [`Timer`](super::Timer) and a [`Program`](super::Program) come
//! from outside, and closures are all three.
//!
//! ```no_run
//! use http::{Request, Response};
//! use sansession::drive::{asynchronous, Answer, SendError};
//! use sansession::{Credentials, Machine, Need, machine::SendPolicy};
//! # async fn send(_: Request<Vec<u8>>, _: SendPolicy) -> Result<Response<Vec<u8>>, SendError> { std::future::pending().await }
//! # async fn sleep(_: std::time::Duration) {}
//! # fn spawn(_: impl Future + Send + 'static) {}
//!
//! async fn run(machine: impl Machine + 'static) -> Result<(), Box<dyn std::error::Error>> {
//!     let answers = |_: Need| Answer::from(Credentials::new("me", "secret"));
//!     let (session, driver) = asynchronous::new(machine, send, sleep, answers);
//!     spawn(driver); // nothing happens before
//!     session.ready().await?;
//!     let groups = session.call(Request::get("/groups").body(Vec::new())?).await?;
//!     println!("{}", groups.status());
//!     Ok(session.logout().await.into_result()?)
//! }
//! ```
//!
//! # Cancel safety
//!
//! A [`Driver`] holds what is under way, and is polled through a reference as well: `select!` on `&mut driver` drops
//! nothing but the reference, and the next one goes on where it was, a request in flight included. A driver that is
//! itself dropped, with the task that it was moved into, is an honest end: the request in flight is reported as one that
//! may have arrived, [`Handle::ready`] and the others say [`Ended::Abandoned`](super::Ended::Abandoned) and do not hang, and
//! [`Handle::driver`] makes a new one.
//!
//! A request in flight makes progress while its driver is polled. A client whose timeouts run all the time (those of
//! reqwest do) may find one passed when it is polled again: do not leave a driver alone for longer than a request takes.

mod driver;
mod handle;
#[cfg(feature = "_clients")]
mod length;
#[cfg(feature = "tokio")]
mod open;
#[cfg(feature = "reqwest")]
mod reqwest;
#[cfg(feature = "cli")]
mod streaming;
#[cfg(feature = "tokio")]
mod transport;
#[cfg(feature = "tokio")]
mod way;
#[cfg(feature = "_clients")]
mod within;

#[cfg(feature = "reqwest")]
pub use self::reqwest::Reqwest;
pub use driver::{Driver, new};
pub use handle::Handle;
#[cfg(feature = "tokio")]
pub use open::{OpenError, open, spawn};
#[cfg(feature = "cli")]
#[doc(hidden)]
pub use streaming::Streaming;
#[cfg(feature = "tokio")]
pub use transport::{Transport, TransportBuilder};
