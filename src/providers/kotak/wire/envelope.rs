//! The `Success` envelope of the Trade API's responses.
//!
//! The vendor's models are flat; the wire wraps them in `{"Success": {…}}` or `{"success": {…}}`, and
//! the case differs by endpoint: upper case at init, login and logout, lower case at the second factor.
//! All three forms are read everywhere.

use serde::de::{IgnoredAny, MapAccess};

use crate::wire::{Any, Key, Lenient, json};
use core::marker::PhantomData;

/// Reads a response from its envelope, or flat where it has none; `None` where it is not a JSON object.
pub fn read<'a, T: Lenient<'a>>(body: &'a [u8]) -> Option<T> {
    match json::<Envelope<T>>(body)? {
        Envelope::Wrapped(inner) => Some(inner),
        Envelope::Faulty => None,
        Envelope::Flat => json(body),
    }
}

/// Reports whether a response is an envelope of success, whatever its content: reports wrap arrays.
pub fn is_success(body: &[u8]) -> bool {
    matches!(json(body), Some(Envelope::Wrapped(Something)))
}

enum Envelope<T> {
    Wrapped(T),
    /// The envelope's content cannot be read.
    Faulty,
    Flat,
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Envelope<T> {
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        let mut found = Self::Flat;
        while let Some(is_success) = map.next_key_seed(Key(|key: &str| key.eq_ignore_ascii_case("success")))? {
            if is_success {
                if let Some(inner) = map.next_value_seed(Any::<T>(PhantomData))? {
                    found = Self::Wrapped(inner);
                } else if matches!(found, Self::Flat) {
                    found = Self::Faulty;
                }
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(Some(found))
    }
}

/// An object or an array.
struct Something;

impl<'de> Lenient<'de> for Something {
    fn from_seq<A: serde::de::SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }

    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Some(Self))
    }
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro that declares bodies makes them public")]
mod tests {
    use super::*;
    use crate::wire::Text;

    crate::wire_object! {
        /// A reply.
        pub struct Reply<'a> {
            /// A token.
            token: Text<'a> = "token",
        }
    }

    fn token(body: &str) -> Option<String> {
        read::<Reply<'_>>(body.as_bytes())?.token.map(Text::into_owned)
    }

    #[test]
    fn both_cases_and_the_flat_model_are_read() {
        for body in [r#"{"Success":{"token":"a"}}"#, r#"{"x":1,"success":{"token":"a"}}"#, r#"{"token":"a","x":[]}"#] {
            assert_eq!(token(body).as_deref(), Some("a"), "{body}");
        }
        assert_eq!(token(r#"{"Success":null,"token":"a"}"#), None, "an empty envelope is not a flat response");
        assert_eq!(token(r#"{"Success":"yes"}"#), None);
        assert_eq!(token("<html>"), None);
    }

    #[test]
    fn a_report_is_an_array_in_an_envelope() {
        assert!(is_success(br#"{"success":[{"a":1}]}"#) && is_success(br#"{"Success":{}}"#));
        assert!(!is_success(br#"{"success":true}"#) && !is_success(br#"{"fault":{"code":99999}}"#));
    }
}
