//! The expiry of a JSON Web Token, decoded without verification.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use crate::Timestamp;
use crate::wire::{Lenient, json};

/// Returns when a token expires, from its `exp` claim (RFC 7519, 4.1.4).
///
/// The signature is **not** verified: the server issues the token for itself, and the time is only a hint.
/// `None` where the text is not a token or has no expiry.
pub fn ends(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    let claims: Claims = json(&payload)?;
    claims.exp.map(|Seconds(exp)| Timestamp::from_secs(exp))
}

/// The last second of the year 9999: a later expiry is a mistake.
const LATEST: u64 = 253_402_300_799;

crate::wire_object! {
    /// The only claim that is read.
    struct Claims {
        exp: Seconds = "exp",
    }
}

/// Whole seconds since the epoch; the claim may have a fraction.
#[derive(Debug)]
struct Seconds(u64);

impl Lenient<'_> for Seconds {
    fn from_u64(value: u64) -> Option<Self> {
        (1..=LATEST).contains(&value).then_some(Self(value))
    }

    fn from_f64(value: f64) -> Option<Self> {
        // Written out and read again: there is no checked conversion from a float.
        format!("{:.0}", value.trunc()).parse().ok().and_then(Self::from_u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(claims))
    }

    #[test]
    fn the_end_is_read_without_verification() {
        assert_eq!(ends(&token(r#"{"scope":["Trade"],"exp":1687977000}"#)), Some(Timestamp::from_secs(1_687_977_000)));
        assert_eq!(ends(&token(r#"{"exp":1687977000.5}"#)), Some(Timestamp::from_secs(1_687_977_000)));
    }

    #[test]
    fn what_names_no_end_has_none() {
        for text in ["", "a", "a.b.c", "..", "e30.!!.x"] {
            assert_eq!(ends(text), None, "{text}");
        }
        for claims in ["{}", "[]", r#"{"exp":"soon"}"#, r#"{"exp":-1}"#, r#"{"exp":1e300}"#, r#"{"exp":0}"#] {
            assert_eq!(ends(&token(claims)), None, "{claims}");
        }
    }
}
