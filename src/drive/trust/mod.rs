//! Which certificates a transport trusts.

mod verify;

use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

#[cfg(feature = "_clients")]
pub(crate) use verify::client_config;
pub(crate) use verify::reason;
#[cfg(feature = "ureq")]
pub(crate) use verify::verifier;

use crate::drive::{Pin, TransportError};

/// Which certificates a transport trusts.
///
/// A server with a certificate of its own making, as IBKR's gateway has, is trusted by
/// [pinning](Trust::pin_file), not by [its certificate as a root](Trust::roots_file): what
/// `openssl req -x509` makes is marked as an authority and has often no subject alternative name, and
/// both are refused as a server's certificate however much it is trusted as a root.
#[derive(Clone, Debug, Default)]
pub struct Trust(pub(crate) Trusted);

#[derive(Clone, Debug, Default)]
pub(crate) enum Trusted {
    #[default]
    Mozilla,
    System,
    Roots(Vec<CertificateDer<'static>>),
    Pins(Vec<Pin>),
    AnythingOnLoopback,
}

impl Trust {
    /// Reports whether certificates go unverified, on this machine only.
    #[cfg(feature = "_transport")]
    pub(crate) const fn is_loopback_only(&self) -> bool {
        matches!(self.0, Trusted::AnythingOnLoopback)
    }

    /// Trusts Mozilla's bundle of roots as it was when this program was built; the default.
    pub fn mozilla() -> Self {
        Self(Trusted::Mozilla)
    }

    /// Trusts what the operating system trusts, roots of a company included.
    pub fn system() -> Self {
        Self(Trusted::System)
    }

    /// Trusts the roots in a PEM file and no other; names and dates are checked as always.
    ///
    /// # Errors
    /// Those of [`Trust::roots_pem`], and [`TransportError::File`].
    pub fn roots_file(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        Self::roots_pem(&read(path.as_ref())?)
    }

    /// Trusts the roots in a PEM text and no other; names and dates are checked as always.
    ///
    /// # Errors
    /// [`TransportError::NoCertificate`], or [`TransportError::BadCertificate`] where one of them cannot be a root.
    pub fn roots_pem(pem: &[u8]) -> Result<Self, TransportError> {
        let roots = certificates(pem)?;
        let mut store = RootCertStore::empty();
        for root in &roots {
            store.add(root.clone()).map_err(|_| TransportError::BadCertificate)?;
        }
        Ok(Self(Trusted::Roots(roots)))
    }

    /// Trusts one certificate, whatever its names, dates and issuer are.
    ///
    /// The server must present this very certificate and prove by the handshake's signature that it
    /// has the key.
    pub fn pin(pin: Pin) -> Self {
        Self(Trusted::Pins(vec![pin]))
    }

    /// Trusts each of several certificates, for the time in which a server changes its own.
    pub fn pins(pins: impl IntoIterator<Item = Pin>) -> Self {
        Self(Trusted::Pins(pins.into_iter().collect()))
    }

    /// Trusts the certificates in a PEM file as the server's own, see [`Trust::pin`].
    ///
    /// # Errors
    /// Those of [`Trust::pin_pem`], and [`TransportError::File`].
    pub fn pin_file(path: impl AsRef<Path>) -> Result<Self, TransportError> {
        Self::pin_pem(&read(path.as_ref())?)
    }

    /// Trusts the certificates in a PEM text as the server's own, see [`Trust::pin`].
    ///
    /// # Errors
    /// [`TransportError::NoCertificate`], or [`TransportError::OldCertificate`] for X.509 version 1,
    /// which is not known to rustls, so that a handshake with it fails even if it is pinned.
    pub fn pin_pem(pem: &[u8]) -> Result<Self, TransportError> {
        let certificates = certificates(pem)?;
        if certificates.iter().any(|certificate| is_old(certificate)) {
            return Err(TransportError::OldCertificate);
        }
        Ok(Self::pins(certificates.iter().map(|certificate| Pin::of(certificate))))
    }

    /// Trusts any certificate, on loopback hosts only: whoever has a local port gets the passwords.
    ///
    /// Requests over TLS to other hosts fail with `Reason::NotLoopback`,
    /// nothing sent. Prefer a pin.
    pub fn danger_anything_on_loopback() -> Self {
        Self(Trusted::AnythingOnLoopback)
    }
}

/// Reports whether a certificate is older than X.509 version 3.
///
/// Version 3 is written as `[0] { INTEGER 2 }` at the start of the inner sequence; version 1 leaves
/// it out. What is no certificate at all is not old.
fn is_old(der: &[u8]) -> bool {
    let Some(inner) = contents(der).and_then(contents) else { return false };
    !inner.starts_with(&[0xa0, 3, 2, 1, 2])
}

/// Returns what follows the head of a DER sequence.
fn contents(der: &[u8]) -> Option<&[u8]> {
    match der {
        [0x30, length, rest @ ..] if *length < 0x80 => Some(rest),
        [0x30, length, rest @ ..] => rest.get(usize::from(length & 0x7f)..),
        _ => None,
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(TransportError::NoCertificate),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TransportError> {
    std::fs::read(path).map_err(|error| TransportError::File(error.kind()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_certificates_is_refused() {
        for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
            assert_eq!(Trust::pin_pem(pem.as_bytes()).unwrap_err(), TransportError::NoCertificate, "{pem}");
            assert_eq!(Trust::roots_pem(pem.as_bytes()).unwrap_err(), TransportError::NoCertificate, "{pem}");
        }
        let nonsense = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert_eq!(Trust::roots_pem(nonsense).unwrap_err(), TransportError::BadCertificate);
        assert_eq!(Trust::roots_file("/nonexistent").unwrap_err(), TransportError::File(std::io::ErrorKind::NotFound));
    }

    #[test]
    fn age_is_told_from_any_bytes() {
        assert!(is_old(&[0x30, 0x05, 0x30, 0x03, 0x02, 0x01, 0x01]));
        assert!(!is_old(&[0x30, 0x82, 1, 0, 0x30, 0x81, 200, 0xa0, 3, 2, 1, 2, 2]));
        for junk in [&[][..], &[0x30], &[0x30, 0x84, 1], &[0x31, 0, 0x30, 0], &[0x30, 0xff, 0, 0]] {
            assert!(!is_old(junk), "{junk:?}");
        }
    }
}
