//! The end of a JSON Web Token, decoded and not verified.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use core::marker::PhantomData;
use serde::de::{IgnoredAny, MapAccess};
use zeroize::Zeroizing;

use crate::Timestamp;
use crate::wire::{Any, Key, Lenient, json};

/// Reads when a token ends from its `exp` claim (RFC 7519, 4.1.4).
///
/// The signature is **not** verified: the token is the server's own, for the server, and the time is
/// only a hint when to expect its end. `None` where the text is no token or names no end.
pub fn ends(token: &str) -> Option<Timestamp> {
    let payload = token.split('.').nth(1)?.trim_end_matches('=');
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload).ok()?);
    let Claims(exp) = json(&payload)?;
    let Seconds(exp) = exp?;
    Some(Timestamp::from_secs(exp))
}

/// The last second of the year 9999: whatever ends later is a mistake.
const LATEST: u64 = 253_402_300_799;

/// The one claim that is looked at.
struct Claims(Option<Seconds>);

/// Whole seconds since the epoch; the claim may have a fraction.
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

impl<'de> Lenient<'de> for Claims {
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut exp = None;
        while let Some(is_end) = map.next_key_seed(Key(|key: &str| key == "exp"))? {
            if is_end {
                exp = map.next_value_seed(Any(PhantomData))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(Self(exp)))
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
