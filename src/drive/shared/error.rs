//! Why a transport cannot be made, and why a request got no answer.

use core::fmt;
use std::error::Error as StdError;
use std::io;

use super::Pin;
use crate::{AuthorizeError, Failure, machine::Delivery};

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
    /// `Transport::interrupt` was called.
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

impl From<Failure> for SendError {
    fn from(failure: Failure) -> Self {
        Self { failure, reason: Reason::Text(failure.kind.code().into()) }
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

/// Looks for an error of one type in an error, its sources and what an `io::Error` holds.
#[cfg(feature = "_tls")]
pub(crate) fn find<'a, E: StdError + 'static>(error: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// Why a call of the user's own got no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum CallError {
    /// It could not leave; nothing was sent.
    Authorize(AuthorizeError),
    /// It left, or tried to, and no whole answer came.
    Send(SendError),
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorize(error) => error.fmt(f),
            Self::Send(error) => error.fmt(f),
        }
    }
}

impl StdError for CallError {}
