//! An exchange within its time, in a runtime of tokio.

use core::time::Duration;

use http::Response;

use crate::drive::{Reason, SendError};
use crate::{Failure, machine::FailureKind};

type InputHandled = Result<Response<Vec<u8>>, SendError>;

/// Lets an exchange take so long; `late` makes the error of one that takes longer.
///
/// The answer is checked before the clock: one that came while nobody polled is not late. Outside of tokio, where a
/// timer or a socket of its would panic, nothing is sent.
pub(super) async fn within(
    time: Duration,
    exchange: impl Future<Output = InputHandled>,
    late: impl FnOnce() -> SendError,
) -> InputHandled {
    if tokio::runtime::Handle::try_current().is_err() {
        let reason = Reason::Text("this client works in a runtime of tokio only".into());
        return Err(SendError { failure: Failure::not_sent(FailureKind::Other), reason });
    }
    tokio::time::timeout(time, exchange).await.unwrap_or_else(|_| Err(late()))
}
