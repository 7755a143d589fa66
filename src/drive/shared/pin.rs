//! What a certificate is known by.

use core::fmt;
use core::str::FromStr;

use super::TransportError;

/// The SHA-256 of a server's certificate in DER form.
///
/// `openssl x509 -noout -fingerprint -sha256` prints it; colons, blanks and case do not matter.
///
/// ```
/// use sansession::drive::Pin;
///
/// let pin: Pin = "E3:B0:C4:42:98:FC:1C:14:9A:FB:F4:C8:99:6F:B9:24:27:AE:41:E4:64:9B:93:4C:A4:95:99:1B:78:52:B8:55".parse()?;
/// assert_eq!(pin, Pin::of(b""));
/// # Ok::<(), sansession::drive::TransportError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Pin([u8; 32]);

impl Pin {
    /// Creates a pin from a SHA-256.
    pub const fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// Creates the pin of a certificate in DER form.
    #[cfg(feature = "_tls")]
    pub fn of(der: &[u8]) -> Self {
        Self(<sha2::Sha256 as sha2::Digest>::digest(der).into())
    }

    /// Returns the SHA-256.
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
}
