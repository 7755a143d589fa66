//! The shape of an answer: enough to find out what went wrong, none of its values.

use core::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};

use crate::machine::event::ServerText;
use crate::machine::exchange::Response;

/// What an answer looked like, without any value of it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ResponseSummary {
    /// The name of the step whose answer it was.
    pub step: Box<str>,
    /// Why it cannot be used.
    pub why: Box<str>,
    /// The status code, 0 if the answer was too large to be read.
    pub status: u16,
    /// The content type, cut and escaped.
    pub content_type: Option<ServerText>,
    /// The body's length in bytes.
    pub length: usize,
    /// The JSON type of the body, and the keys and types of its members where it is an object.
    pub json: Option<Box<str>>,
}

/// The most members of an object that are named.
const MEMBERS: usize = 16;
/// The longest key that is named: tokens are longer.
const KEY: usize = 24;
/// A key with so many digits may be a code or a token.
const DIGITS: usize = 4;
/// Larger bodies are not looked into.
const LARGEST: usize = 64 << 10;

impl ResponseSummary {
    /// Summarizes an answer.
    pub fn new(step: &str, why: &str, response: Response<'_>) -> Self {
        let json = (response.body.len() <= LARGEST).then(|| sketch(response.body)).flatten();
        Self {
            step: step.into(),
            why: why.into(),
            status: response.status.as_u16(),
            content_type: response.header(http::header::CONTENT_TYPE).map(ServerText::new),
            length: response.body.len(),
            json,
        }
    }

    /// Summarizes an answer that was not read, or of a request that could not be built.
    pub fn unread(step: &str, why: &str) -> Self {
        Self { step: step.into(), why: why.into(), status: 0, content_type: None, length: 0, json: None }
    }
}

impl fmt::Display for ResponseSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} (", self.step, self.why)?;
        if self.status == 0 {
            return f.write_str("nothing was read)");
        }
        let media = self.content_type.as_ref().map_or("no content type", ServerText::as_str);
        write!(f, "status {}, {media}, {} bytes", self.status, self.length)?;
        if let Some(json) = &self.json {
            write!(f, ", JSON {json}")?;
        }
        f.write_str(")")
    }
}

/// Writes `{user_id: number, token: string}` for an object, its type for anything else.
fn sketch(body: &[u8]) -> Option<Box<str>> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let sketch = json.deserialize_any(Sketch).ok()?;
    json.end().ok()?;
    Some(sketch.into())
}

struct Sketch;

impl<'de> Visitor<'de> for Sketch {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<String, E> {
        Ok("bool".into())
    }

    fn visit_i64<E>(self, _: i64) -> Result<String, E> {
        Ok("number".into())
    }

    fn visit_u64<E>(self, _: u64) -> Result<String, E> {
        Ok("number".into())
    }

    fn visit_f64<E>(self, _: f64) -> Result<String, E> {
        Ok("number".into())
    }

    fn visit_str<E>(self, _: &str) -> Result<String, E> {
        Ok("string".into())
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("null".into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<String, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok("array".into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<String, A::Error> {
        let mut text = String::from("{");
        let mut count = 0;
        while let Some(key) = map.next_key::<std::borrow::Cow<'de, str>>()? {
            let member = map.next_value::<Member>()?.0;
            count += 1;
            if count > MEMBERS {
                continue;
            }
            if count > 1 {
                text.push_str(", ");
            }
            let digits = key.bytes().filter(u8::is_ascii_digit).count();
            let word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            let plain = word && key.len() <= KEY && digits < DIGITS;
            text.push_str(if plain { &key } else { "?" });
            text.push_str(": ");
            text.push_str(member);
        }
        if count > MEMBERS {
            text.push_str(", …");
        }
        text.push('}');
        Ok(text)
    }
}

/// The type of one member.
struct Member(&'static str);

impl<'de> Deserialize<'de> for Member {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = Member;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_bool<E>(self, _: bool) -> Result<Member, E> {
                Ok(Member("bool"))
            }

            fn visit_i64<E>(self, _: i64) -> Result<Member, E> {
                Ok(Member("number"))
            }

            fn visit_u64<E>(self, _: u64) -> Result<Member, E> {
                Ok(Member("number"))
            }

            fn visit_f64<E>(self, _: f64) -> Result<Member, E> {
                Ok(Member("number"))
            }

            fn visit_str<E>(self, _: &str) -> Result<Member, E> {
                Ok(Member("string"))
            }

            fn visit_unit<E>(self) -> Result<Member, E> {
                Ok(Member("null"))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Member, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Member("array"))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Member, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Member("object"))
            }
        }
        deserializer.deserialize_any(Kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sketch_has_keys_and_types_but_no_value() {
        for (body, sketched) in [
            (
                r#"{"user_id":2,"cbrain_api_token":"933ccfadb75a91c4","ok":true,"n":null,"a":[1],"o":{"s":"x"}}"#,
                Some("{user_id: number, cbrain_api_token: string, ok: bool, n: null, a: array, o: object}"),
            ),
            (r#"{"933ccfadb75a91c45bd1a6f7adf86472":1,"a b":1}"#, Some("{?: number, ?: number}")),
            // A key of four digits may be a code, one of 25 letters a token.
            (r#"{"a123":1.5,"a1234":-1}"#, Some("{a123: number, ?: number}")),
            (
                r#"{"abcdefghijklmnopqrstuvwx":true,"abcdefghijklmnopqrstuvwxy":1}"#,
                Some("{abcdefghijklmnopqrstuvwx: bool, ?: number}"),
            ),
            ("true", Some("bool")),
            ("-1", Some("number")),
            ("1", Some("number")),
            ("1.5", Some("number")),
            ("null", Some("null")),
            ("[1,2]", Some("array")),
            ("\"secret\"", Some("string")),
            ("{} trailing", None),
            ("<html>", None),
            ("", None),
        ] {
            assert_eq!(sketch(body.as_bytes()).as_deref(), sketched, "{body}");
        }
        assert!(sketch("[".repeat(100_000).as_bytes()).is_none());
    }

    #[test]
    fn an_object_of_many_members_is_cut() {
        let object = |members: usize| {
            let members: Vec<_> = (0..members).map(|_| r#""m":1"#).collect();
            sketch(format!("{{{}}}", members.join(",")).as_bytes()).unwrap()
        };
        assert_eq!(object(MEMBERS).matches("m: number").count(), MEMBERS);
        assert!(object(MEMBERS).ends_with("number}"));
        for more in [MEMBERS + 1, MEMBERS + 2] {
            assert_eq!(object(more).matches("m: number").count(), MEMBERS);
            assert!(object(more).ends_with("number, …}"));
        }
    }

    #[test]
    fn a_large_body_is_not_looked_into() {
        for (length, sketched) in [(LARGEST, Some("string")), (LARGEST + 1, None)] {
            let body = format!("\"{}\"", "a".repeat(length - 2));
            let response = http::Response::builder().status(200).body(body).unwrap();
            let shape = ResponseSummary::new("login", "too large", Response::from(&response));
            assert_eq!((shape.json.as_deref(), shape.length), (sketched, length));
        }
    }

    #[test]
    fn a_shape_says_what_was_found() {
        let response = http::Response::builder().status(200).body("{}").unwrap();
        let shape = ResponseSummary::new("login", "no token", Response::from(&response));
        assert_eq!(shape.to_string(), "login: no token (status 200, no content type, 2 bytes, JSON {})");
        assert_eq!(ResponseSummary::unread("login", "too large").to_string(), "login: too large (nothing was read)");
    }
}
