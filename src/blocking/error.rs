//! Why a transport cannot be made, and why a request got no answer.

use core::fmt;
use std::error::Error as StdError;
use std::io;

use super::Pin;
use super::watch::Stage;
use crate::{Delivery, Failure, FailureKind};

/// Why a transport cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TransportError {
    /// The file cannot be read.
    File(io::ErrorKind),
    /// The text holds no certificate in PEM form.
    NoCertificate,
    /// A certificate cannot be read, or cannot be a root.
    BadCertificate,
    /// A certificate is of X.509 version 1, with which no handshake succeeds: make a new one
    /// (`openssl req -x509` makes version 3).
    OldCertificate,
    /// The text is not a SHA-256 of 64 hexadecimal digits.
    BadPin,
    /// The proxy's URL is not `http://host:port`, with or without `user:password@`.
    BadProxy,
    /// Unverified loopback servers and a proxy exclude each other: the proxy has another loopback.
    LoopbackByProxy,
    /// TLS cannot be set up on this machine.
    Tls,
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(kind) => write!(f, "the file with the certificates cannot be read: {kind}"),
            Self::NoCertificate => f.write_str("there is no certificate in PEM form"),
            Self::BadCertificate => f.write_str("a certificate cannot be read, or cannot be a root"),
            Self::OldCertificate => f.write_str("the certificate is of X.509 version 1: make one of version 3"),
            Self::BadPin => f.write_str("a pin must be a SHA-256 of 64 hexadecimal digits"),
            Self::BadProxy => f.write_str("a proxy must be given as http://host:port"),
            Self::LoopbackByProxy => f.write_str("a proxy cannot reach this machine's own loopback servers"),
            Self::Tls => f.write_str("TLS cannot be set up on this machine"),
        }
    }
}

impl StdError for TransportError {}

/// Why a request got no answer: what the machine wants to know, and the reason for a person.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SendError {
    /// What to report to the machine.
    pub failure: Failure,
    /// What a person wants to know; it quotes neither request nor answer.
    pub reason: Reason,
}

/// What a person wants to know of a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reason {
    /// The server's certificate is not the pinned one but this: somebody is in between, or the server has a new one.
    OtherCertificate(Pin),
    /// The server's certificate is the pinned one, but of X.509 version 1, which cannot be verified.
    OldCertificate,
    /// Certificates may go unverified on loopback hosts only, and this is none.
    NotLoopback,
    /// [`Transport::interrupt`](super::Transport::interrupt) was called.
    Interrupted,
    /// Anything else, in words.
    Text(Box<str>),
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherCertificate(found) => {
                write!(f, "the server's certificate is not the pinned one; its SHA-256 is {found}")
            }
            Self::OldCertificate => {
                f.write_str("the server's certificate is of X.509 version 1 and cannot be verified")
            }
            Self::NotLoopback => f.write_str("the certificate must be verified: the host is not this machine itself"),
            Self::Interrupted => f.write_str("the request was interrupted by this program"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

impl StdError for Reason {}

impl SendError {
    /// Reads an error of ureq; how far the request got is not to be seen in it and is given.
    pub(super) fn new(stage: Stage, error: ureq::Error) -> Self {
        let (kind, reason) = sort(stage, error);
        let delivery = if stage == Stage::Sent { Delivery::MaybeSent } else { Delivery::NotSent };
        Self { failure: Failure { kind, delivery }, reason }
    }

    /// Makes the error of a request that this program ended itself.
    pub(super) fn interrupted(stage: Stage) -> Self {
        let delivery = if stage == Stage::Sent { Delivery::MaybeSent } else { Delivery::NotSent };
        Self { failure: Failure { kind: FailureKind::Interrupted, delivery }, reason: Reason::Interrupted }
    }
}

impl fmt::Display for SendError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sent = if self.failure.delivery == Delivery::NotSent { "not sent" } else { "maybe sent" };
        write!(f, "{} ({sent}): {}", self.failure.kind.code(), self.reason)
    }
}

impl StdError for SendError {}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        error.failure
    }
}

/// Tells the kind of an error.
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
        Error::Io(error) => match error.get_ref().and_then(find::<rustls::Error>) {
            Some(error) => (FailureKind::Tls, reason(error)),
            None => (by_stage, text(&error)),
        },
        Error::Rustls(error) => (FailureKind::Tls, reason(&error)),
        Error::Tls(_) | Error::TlsRequired | Error::Pem(_) => (FailureKind::Tls, text(&error)),
        Error::Timeout(_) => (FailureKind::Timeout, text(&error)),
        Error::BodyExceedsLimit(_) => (FailureKind::BodyTooLarge, text(&error)),
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

/// Gives what a verifier of this crate said, or rustls' own words, which quote names and dates only.
fn reason(error: &rustls::Error) -> Reason {
    if let rustls::Error::InvalidCertificate(rustls::CertificateError::Other(other)) = error
        && let Some(reason) = other.0.downcast_ref::<Reason>()
    {
        return reason.clone();
    }
    text(error)
}

/// Looks for an error of one type in an error and its sources.
fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + Send + Sync + 'static)) -> Option<&'a E> {
    let mut next: Option<&'a (dyn StdError + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

fn text(error: &dyn fmt::Display) -> Reason {
    Reason::Text(error.to_string().into())
}
