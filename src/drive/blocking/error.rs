//! Why a request got no answer, read from the errors of ureq.

use core::fmt;

use super::delivery::Stage;
use crate::drive::find;
use crate::drive::trust::reason;
use crate::drive::{Reason, SendError};
use crate::{
    Failure,
    machine::{Delivery, FailureKind},
};

impl SendError {
    /// Reads an error of ureq; how far the request got is not to be seen in it and is given.
    pub(super) fn new(stage: Stage, error: ureq::Error) -> Self {
        let (kind, reason) = sort(stage, error);
        let delivery = if stage == Stage::Sent { Delivery::MaybeSent } else { Delivery::NotSent };
        Self { failure: Failure { kind, delivery }, reason }
    }

    /// Creates the error of a request that this program ended itself.
    pub(super) fn interrupted(stage: Stage) -> Self {
        let delivery = if stage == Stage::Sent { Delivery::MaybeSent } else { Delivery::NotSent };
        Self { failure: Failure { kind: FailureKind::Interrupted, delivery }, reason: Reason::Interrupted }
    }
}

/// Reports the kind of an error.
///
/// ureq wraps certificate errors in `Io(InvalidData)`, failed look-ups in `Io(Uncategorized)`, so the
/// stage decides where the error alone cannot.
fn sort(stage: Stage, error: ureq::Error) -> (FailureKind, Reason) {
    use ureq::Error;
    let by_stage = match stage {
        Stage::Began => FailureKind::Connect,
        Stage::Connected => FailureKind::Tls,
        Stage::Sent => FailureKind::Interrupted,
    };
    match error {
        Error::Io(error) => match error.get_ref().and_then(|error| find::<rustls::Error>(error)) {
            Some(error) => (FailureKind::Tls, reason(error)),
            None => (by_stage, text(&error)),
        },
        Error::Rustls(error) => (FailureKind::Tls, reason(&error)),
        Error::Tls(_) | Error::TlsRequired | Error::Pem(_) => (FailureKind::Tls, text(&error)),
        Error::Timeout(_) => (FailureKind::Timeout, text(&error)),
        Error::BodyExceedsLimit(_) => (FailureKind::BodyTooLarge, text(&error)),
        Error::BodyStalled => (by_stage, Reason::Text("the connection ended within the answer".into())),
        Error::HostNotFound | Error::ConnectionFailed | Error::ConnectProxyFailed(_) => {
            (FailureKind::Connect, text(&error))
        }
        Error::LargeResponseHeader(..) => (FailureKind::Other, text(&error)),
        Error::Other(error) => match error.downcast::<Reason>() {
            Ok(reason) => (FailureKind::Tls, *reason),
            Err(_) => (FailureKind::Other, Reason::Text("other".into())),
        },
        Error::BadUri(_) | Error::Http(_) => {
            (FailureKind::Other, Reason::Text("the request cannot be written as HTTP".into()))
        }
        // The texts of these quote headers, so they are not passed on.
        _ => (FailureKind::Other, Reason::Text("the answer breaks the rules of HTTP".into())),
    }
}

fn text(error: &dyn fmt::Display) -> Reason {
    Reason::Text(error.to_string().into())
}
