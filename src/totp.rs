//! Codes of an authenticator, for programs that keep its secret themselves.
//!
//! A secret beside a password makes one factor of two; that is the price of a login that nobody
//! attends. There is no clock here: the caller says for when a code is wanted.

use totp_rs::{Builder, Secret as Key};
use zeroize::Zeroizing;

use crate::{
    Secret, Timestamp,
    machine::{Rejection, Totp},
};

/// The shortest secret in bytes that is taken: providers give 80 bits at least.
const SHORTEST: usize = 10;

/// Returns the code that an authenticator with this secret shows at a time, as an answer to
/// [`NeedKind::Totp`](crate::NeedKind::Totp).
///
/// The secret is Base32 text as providers show it beside their QR code; spaces, dashes, padding and
/// lower case are fine. The code has six digits and holds for 30 s, by HMAC-SHA-1 (RFC 6238's usual
/// choice, and Kotak's). To give no code twice, ask for one at
/// [`Need::fresh_after`](crate::Need::fresh_after) or later.
///
/// ```
/// use sansession::{Secret, Timestamp, totp};
///
/// let secret = Secret::from("gezd gnbv gy3t qojq gezd gnbv gy3t qojq");
/// assert_eq!(totp::code(&secret, Timestamp::from_secs(59))?.code(), "287082");
/// # Ok::<(), sansession::machine::Rejection>(())
/// ```
///
/// # Errors
/// [`Rejection`] where the secret is empty, no Base32, or shorter than 80 bits.
pub fn code(secret: &Secret, at: Timestamp) -> Result<Totp, Rejection> {
    let mut text = Zeroizing::new(String::with_capacity(secret.expose().len()));
    let kept = |character: &char| !character.is_ascii_whitespace() && !matches!(character, '-' | '=');
    text.extend(secret.expose().chars().filter(kept).map(|character| character.to_ascii_uppercase()));
    if text.is_empty() {
        return Err(Rejection::Empty("totp secret"));
    }
    let key = Key::try_from_base32(&*text).map_err(|_| Rejection::Malformed("totp secret"))?;
    if key.as_ref().len() < SHORTEST {
        return Err(Rejection::Malformed("totp secret"));
    }
    // The other way of building refuses 80 bits, which authenticators take.
    let token = Builder::new().with_secret(key).build_noncompliant().generate(at.as_secs());
    Totp::new(token.to_string(), at)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key of RFC 6238, appendix B.
    const KEY: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    #[test]
    fn codes_are_those_of_rfc_6238() {
        for (at, expected) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let at = Timestamp::from_secs(at);
            let totp = code(&KEY.into(), at).unwrap();
            assert_eq!((totp.code(), totp.made_at()), (expected, at));
        }
    }

    #[test]
    fn one_code_holds_for_its_step() {
        let of = |millis| code(&KEY.into(), Timestamp::from_millis(millis)).unwrap().code().to_owned();
        assert_eq!(of(30_000), of(59_999));
        assert_ne!(of(59_999), of(60_000));
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for text in ["", " - ", "=="] {
            assert_eq!(code(&text.into(), Timestamp::from_secs(0)).unwrap_err(), Rejection::Empty("totp secret"));
        }
        for text in ["0189", "otpauth://totp/x?secret=GEZDGNBVGY3TQOJQ", "GEZDGNBVGY3TQ", "\u{e9}"] {
            let error = code(&text.into(), Timestamp::from_secs(0)).unwrap_err();
            assert_eq!(error, Rejection::Malformed("totp secret"), "{text}");
        }
        assert!(code(&"GEZDGNBVGY3TQOJQ".into(), Timestamp::from_secs(0)).is_ok(), "80 bits");
    }
}
