//! What a driver sees of a session: outputs, needs, answers, events and reasons to close.
//!
//! What most programs name stands in the root of the crate, such as [`Machine`](crate::Machine), [`Output`](crate::Output)
//! and [`Need`](crate::Need); here is what belongs to it.

pub(crate) mod backoff;
pub(crate) mod call;
pub(crate) mod close;
pub(crate) mod contract;
pub(crate) mod event;
pub(crate) mod exchange;
pub(crate) mod need;
pub(crate) mod options;
pub(crate) mod output;
pub(crate) mod shape;
pub(crate) mod snapshot;
pub(crate) mod status;
pub(crate) mod stream;

pub use backoff::Backoff;
pub use close::{Advice, Denial, Ends};
pub use event::{Cause, ServerText};
pub use exchange::{Delivery, FailureKind, SendPolicy};
pub use need::{Message, NeedReason, Prompt, Rejection, Totp};
pub use output::{Purpose, Upcoming};
pub use shape::ResponseSummary;
pub use snapshot::Summary;
pub use stream::StreamOpening;
