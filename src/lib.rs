//! Sans-IO state machines that open, keep alive and end login sessions of HTTP providers.

#![forbid(unsafe_code)]
#![warn(unreachable_pub)]
// Nothing panics on input; tests may.
#![deny(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

pub mod close;
pub mod event;
pub mod exchange;
mod machine;
mod need;
pub mod provider;
pub mod providers;
mod retry;
pub mod secret;
mod server;
mod session;
mod shape;
mod snapshot;
mod time;
pub mod wire;

pub use close::{Advice, CloseReason, Denial};
pub use event::{Cause, Event, ServerText};
pub use exchange::{Delivery, Failure, FailureKind, Outgoing, RequestId, Response, SendPolicy};
pub use machine::{
    Accepted, AuthorizeError, Machine, Misuse, Options, Output, Phase, Relogin, Seed, Status, Ticket, WaitingOn,
};
pub use need::{Answered, Because, By, Credentials, Input, Need, NeedId, NeedKind, Rejection, Totp};
pub use provider::Provider;
pub use retry::Backoff;
pub use secret::Secret;
pub use server::{BaseUrl, UrlError};
pub use session::Session;
pub use shape::Shape;
pub use snapshot::{ResumeError, Snapshot};
pub use time::Timestamp;

#[cfg(feature = "ureq")]
pub mod blocking;
#[cfg(feature = "sim")]
pub mod sim;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(feature = "totp")]
pub mod totp;
