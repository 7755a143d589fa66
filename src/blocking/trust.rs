//! Which certificates a transport trusts.

use core::fmt;
use core::str::FromStr;
use std::path::Path;

use rustls::RootCertStore;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::TransportError;

/// Which certificates a transport trusts.
///
/// A server with a certificate of its own making, as IBKR's gateway has, is trusted by
/// [pinning](Trust::pin_file), not by [its certificate as a root](Trust::roots_file): what
/// `openssl req -x509` makes is marked as an authority and has often no subject alternative name, and
/// both are refused as a server's certificate however much it is trusted as a root.
#[derive(Clone, Debug, Default)]
pub struct Trust(pub(super) Trusted);

#[derive(Clone, Debug, Default)]
pub(super) enum Trusted {
    #[default]
    Mozilla,
    System,
    Roots(Vec<CertificateDer<'static>>),
    Pins(Vec<Pin>),
    AnythingOnLoopback,
}

impl Trust {
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
    /// Requests over TLS to other hosts fail with [`Reason::NotLoopback`](super::Reason::NotLoopback),
    /// nothing sent. Prefer a pin.
    pub fn danger_anything_on_loopback() -> Self {
        Self(Trusted::AnythingOnLoopback)
    }
}

/// The SHA-256 of a server's certificate in DER form.
///
/// `openssl x509 -noout -fingerprint -sha256` prints it; colons, blanks and case do not matter.
///
/// ```
/// use sansession::blocking::Pin;
///
/// let pin: Pin = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55".parse()?;
/// assert_eq!(pin, Pin::of(b""));
/// # Ok::<(), sansession::blocking::TransportError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Takes a SHA-256.
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Makes the pin of a certificate in DER form.
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }

    /// Gives the SHA-256.
    pub const fn sha256(&self) -> &[u8; 32] {
        &self.0
    }
}

impl FromStr for Pin {
    type Err = TransportError;

    fn from_str(text: &str) -> Result<Self, TransportError> {
        let text = text.rsplit_once('=').map_or(text, |(_, after)| after);
        let mut digits = text.bytes().filter(|byte| *byte != b':' && !byte.is_ascii_whitespace());
        let mut half =
            || digits.next().and_then(|byte| char::from(byte).to_digit(16)).and_then(|n| u8::try_from(n).ok());
        let mut sha256 = [0; 32];
        for byte in &mut sha256 {
            let (Some(high), Some(low)) = (half(), half()) else { return Err(TransportError::BadPin) };
            *byte = high << 4 | low;
        }
        if digits.next().is_some() { Err(TransportError::BadPin) } else { Ok(Self(sha256)) }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pin({self})")
    }
}

/// Tells whether a certificate is older than X.509 version 3.
///
/// Version 3 is written as `[0] { INTEGER 2 }` at the start of the inner sequence; version 1 leaves
/// it out. What is no certificate at all is not old.
pub(super) fn is_old(der: &[u8]) -> bool {
    let Some(inner) = contents(der).and_then(contents) else { return false };
    !inner.starts_with(&[0xa0, 3, 2, 1, 2])
}

/// Gives what follows the head of a DER sequence.
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
    fn a_pin_is_read_as_openssl_writes_it() {
        let plain = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        let openssl = "sha256 Fingerprint=E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55\n";
        assert_eq!(plain.parse::<Pin>().unwrap(), openssl.parse::<Pin>().unwrap());
        assert_eq!(plain.parse::<Pin>().unwrap().to_string(), plain);
        for wrong in ["", "e3", &plain[1..], &format!("{plain}0"), &plain.replace('e', "x"), &plain.replace('e', "é")]
        {
            assert_eq!(wrong.parse::<Pin>(), Err(TransportError::BadPin), "{wrong}");
        }
    }

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
