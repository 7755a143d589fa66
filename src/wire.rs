//! Reading what servers really send.
//!
//! The field that proves success alone decides; every other one may be missing, `null`, of another
//! type, or there twice, and the body is still read. [`wire_object!`](crate::wire_object) declares a
//! body whose fields are all optional in this sense.

use core::fmt;
use core::marker::PhantomData;
use std::borrow::Cow;

use serde::de::{Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// Text of a body: borrowed unless it has an escape in it.
pub type Text<'a> = Cow<'a, str>;

/// Reads a JSON body of a type; `None` where it is no JSON, or of another type.
///
/// No error is given on purpose: the texts of JSON errors quote values.
pub fn json<'a, T: Lenient<'a>>(body: &'a [u8]) -> Option<T> {
    // Checked as a whole, which is much faster than each of its strings; where it is no UTF-8, the strings
    // that matter may be.
    match core::str::from_utf8(body) {
        Ok(text) => read(serde_json::Deserializer::from_str(text)),
        Err(_) => read(serde_json::Deserializer::from_slice(body)),
    }
}

fn read<'a, T: Lenient<'a>, R: serde_json::de::Read<'a>>(mut json: serde_json::Deserializer<R>) -> Option<T> {
    let value = Any(PhantomData).deserialize(&mut json).ok()?;
    json.end().ok()?;
    value
}

/// What a type makes of each JSON type; what it does not name counts as missing.
pub trait Lenient<'de>: Sized {
    /// Takes `true` or `false`.
    fn from_bool(_: bool) -> Option<Self> {
        None
    }

    /// Takes a whole number that is not negative.
    fn from_u64(_: u64) -> Option<Self> {
        None
    }

    /// Takes a negative whole number.
    fn from_i64(_: i64) -> Option<Self> {
        None
    }

    /// Takes any other number.
    fn from_f64(_: f64) -> Option<Self> {
        None
    }

    /// Takes a string.
    fn from_text(_: Text<'de>) -> Option<Self> {
        None
    }

    /// Takes an array.
    ///
    /// # Errors
    /// Those of broken JSON.
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    /// Takes an object.
    ///
    /// # Errors
    /// Those of broken JSON.
    fn from_map<A: MapAccess<'de>>(mut map: A) -> Result<Option<Self>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

impl Lenient<'_> for bool {
    fn from_bool(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl<'de> Lenient<'de> for u64 {
    fn from_u64(value: u64) -> Option<Self> {
        Some(value)
    }

    fn from_text(text: Text<'de>) -> Option<Self> {
        text.parse().ok()
    }
}

impl<'de> Lenient<'de> for i64 {
    fn from_u64(value: u64) -> Option<Self> {
        value.try_into().ok()
    }

    fn from_i64(value: i64) -> Option<Self> {
        Some(value)
    }

    fn from_text(text: Text<'de>) -> Option<Self> {
        text.parse().ok()
    }
}

impl<'de> Lenient<'de> for Text<'de> {
    fn from_text(text: Self) -> Option<Self> {
        Some(text)
    }
}

impl<'de> Lenient<'de> for crate::Secret {
    fn from_text(text: Text<'de>) -> Option<Self> {
        Some(Self::new(text))
    }
}

/// A code or a name that some servers write as a string and others as a number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Code<'a>(pub Text<'a>);

impl<'de> Lenient<'de> for Code<'de> {
    fn from_u64(value: u64) -> Option<Self> {
        Some(Self(value.to_string().into()))
    }

    fn from_i64(value: i64) -> Option<Self> {
        Some(Self(value.to_string().into()))
    }

    fn from_text(text: Text<'de>) -> Option<Self> {
        Some(Self(text))
    }
}

impl<'de, T: Lenient<'de>> Lenient<'de> for Vec<T> {
    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut all = Self::new();
        while let Some(element) = seq.next_element_seed(Any::<T>(PhantomData))? {
            all.extend(element);
        }
        Ok(Some(all))
    }
}

/// Reads any JSON value as a type, for the fields of [`wire_object!`](crate::wire_object).
#[doc(hidden)]
#[derive(Debug)]
pub struct Any<T>(pub PhantomData<T>);

impl<'de, T: Lenient<'de>> DeserializeSeed<'de> for Any<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Lenient<'de>> Visitor<'de> for Any<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    #[inline]
    fn visit_bool<E>(self, value: bool) -> Result<Option<T>, E> {
        Ok(T::from_bool(value))
    }

    #[inline]
    fn visit_u64<E>(self, value: u64) -> Result<Option<T>, E> {
        Ok(T::from_u64(value))
    }

    #[inline]
    fn visit_i64<E>(self, value: i64) -> Result<Option<T>, E> {
        Ok(T::from_i64(value))
    }

    #[inline]
    fn visit_f64<E>(self, value: f64) -> Result<Option<T>, E> {
        Ok(T::from_f64(value))
    }

    #[inline]
    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Option<T>, E> {
        Ok(T::from_text(Cow::Borrowed(value)))
    }

    #[inline]
    fn visit_str<E>(self, value: &str) -> Result<Option<T>, E> {
        Ok(T::from_text(Cow::Owned(value.to_owned())))
    }

    #[inline]
    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    #[inline]
    fn visit_seq<A: SeqAccess<'de>>(self, seq: A) -> Result<Option<T>, A::Error> {
        T::from_seq(seq)
    }

    #[inline]
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Option<T>, A::Error> {
        T::from_map(map)
    }
}

/// An object's key, borrowed unless it has an escape in it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Key<'a>(pub Text<'a>);

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let key = Any::<Text<'de>>(PhantomData).deserialize(deserializer)?;
        Ok(Self(key.unwrap_or_default()))
    }
}

#[doc(hidden)]
pub use serde::de::{IgnoredAny as __IgnoredAny, MapAccess as __MapAccess};

/// Declares a body whose fields are all optional: missing, `null` and of a wrong type are one.
///
/// A field that is there twice has its last readable value. A field may have several spellings.
///
/// ```
/// sansession::wire_object! {
///     /// Who is there.
///     pub struct Session<'a> {
///         /// The user.
///         user_id: u64 = "user_id" | "userId",
///         /// The token.
///         token: sansession::wire::Text<'a> = "token",
///     }
/// }
///
/// let body: Session = sansession::wire::json(br#"{"userId": "2", "token": null, "x": [1]}"#).unwrap();
/// assert_eq!((body.user_id, body.token), (Some(2), None));
/// ```
#[macro_export]
macro_rules! wire_object {
    ($(#[$meta:meta])* pub struct $name:ident<$life:lifetime> { $($(#[$field_meta:meta])* $field:ident: $type:ty = $($key:literal)|+),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub struct $name<$life> { $($(#[$field_meta])* pub $field: Option<$type>),* }
        impl<$life> $crate::wire::Lenient<$life> for $name<$life> { $crate::wire_object!(@body $life $($field: $type = $($key)|+),*); }
    };
    ($(#[$meta:meta])* pub struct $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty = $($key:literal)|+),* $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Default)]
        pub struct $name { $($(#[$field_meta])* pub $field: Option<$type>),* }
        impl<'de> $crate::wire::Lenient<'de> for $name { $crate::wire_object!(@body 'de $($field: $type = $($key)|+),*); }
    };
    (@body $life:lifetime $($field:ident: $type:ty = $($key:literal)|+),*) => {
        fn from_map<A: $crate::wire::__MapAccess<$life>>(mut map: A) -> Result<Option<Self>, A::Error> {
            let mut object = Self::default();
            while let Some(key) = map.next_key::<$crate::wire::Key<$life>>()? {
                match &*key.0 {
                    $($($key)|+ => {
                        if let Some(value) = map.next_value_seed($crate::wire::Any::<$type>(core::marker::PhantomData))? {
                            object.$field = Some(value);
                        }
                    })*
                    _ => { map.next_value::<$crate::wire::__IgnoredAny>()?; }
                }
            }
            Ok(Some(object))
        }
    };
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares public bodies")]
mod tests {
    use super::*;

    wire_object! {
        /// A body.
        pub struct Body<'a> {
            /// A number.
            number: u64 = "number",
            /// A text.
            text: Text<'a> = "text" | "TEXT",
            /// A code.
            code: Code<'a> = "code",
            /// Another object.
            inner: Inner = "inner",
            /// A list.
            list: Vec<Text<'a>> = "list",
        }
    }

    wire_object! {
        /// An object in another.
        pub struct Inner {
            /// A flag.
            flag: bool = "flag",
        }
    }

    #[test]
    fn a_wrong_type_counts_as_missing() {
        let body: Body<'_> =
            json(br#"{"number":1e30,"text":7,"code":["x"],"inner":"none","list":{},"more":{"a":[null]}}"#).unwrap();
        assert!(
            body.number.is_none()
                && body.text.is_none()
                && body.code.is_none()
                && body.inner.is_none()
                && body.list.is_none()
        );
    }

    #[test]
    fn strings_and_numbers_are_one_where_both_were_seen() {
        let body: Body<'_> =
            json(br#"{"number":"42","TEXT":"a\u0062","code":-7,"inner":{"flag":true,"flag":null},"list":["x",1,"y"]}"#)
                .unwrap();
        assert_eq!(body.number, Some(42));
        assert_eq!(body.text.as_deref(), Some("ab"));
        assert_eq!(body.code.unwrap().0, "-7");
        assert_eq!(body.inner.unwrap().flag, Some(true));
        assert_eq!(body.list.unwrap(), ["x", "y"]);
    }

    #[test]
    fn what_is_no_object_is_no_body() {
        for text in ["", "null", "[]", "\"x\"", "1", "{", "{}x", "{\"a\":}"] {
            assert!(json::<Body<'_>>(text.as_bytes()).is_none(), "{text}");
        }
        assert!(json::<Body<'_>>("[".repeat(100_000).as_bytes()).is_none());
        assert!(json::<Body<'_>>(b"{\"text\":\"\xff\"}").is_none());
        // Names in Latin-1 that nobody asked for do no harm.
        let body: Body<'_> = json(b"{\"name\":\"Andr\xe9\",\"number\":1}").unwrap();
        assert_eq!(body.number, Some(1));
    }
}
