//! What drives machines: the loop in a thread, as a future, and for many sessions at once.
//!
//! One loop takes a session through its life, and a `Handle` shares it among threads or tasks; `blocking` and
//! `asynchronous` bring sockets, a clock and randomness. [`fleet`] keeps many sessions in one loop of yours.

#[cfg(feature = "async")]
pub mod asynchronous;
#[cfg(feature = "ureq")]
pub mod blocking;
pub mod fleet;
#[cfg(feature = "async")]
mod shared;
#[cfg(feature = "_tls")]
pub(crate) mod trust;

#[cfg(feature = "async")]
pub use self::shared::*;
#[cfg(feature = "_tls")]
pub use self::trust::Trust;
