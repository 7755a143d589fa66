//! One session in the hands of several threads or tasks, and the one loop that takes it through its life.
//!
//! [`asynchronous`](crate::drive::asynchronous) and `blocking` stand on it and show what is here: a session is shared by
//! [`Handle`]s whatever drives it.

mod ask;
#[cfg(feature = "_transport")]
mod builder;
mod clock;
mod ended;
mod error;
mod events;
mod handle;
mod pin;
mod run;
#[cfg(feature = "_seed")]
mod seed;
mod trace;
mod traits;

#[cfg(feature = "_transport")]
pub use builder::TransportBuilder;
pub(crate) use clock::Clock;
pub use clock::now;
pub use ended::Ended;
#[cfg(feature = "_tls")]
pub(crate) use error::find;
pub use error::{CallError, Reason, SendError, TransportError};
pub use events::Events;
pub(crate) use handle::Seat;
pub use handle::{Handle, Stop};
pub use pin::Pin;
pub use run::DriveError;
pub(crate) use run::run;
#[cfg(feature = "_seed")]
pub use seed::seed;
pub use traits::{Answer, Client, Program, Timer};
