//! Reads code and texts from every known shape of error body.

#![expect(unreachable_pub, reason = "the macro that declares bodies makes them public")]

use core::marker::PhantomData;

use serde::de::SeqAccess;

use super::{Class, Fault};
use crate::wire::{Any, Code, Lenient, Text, json};

/// Code and texts of an error body, wherever they are in it.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    /// The code: a number, or the name of an OAuth error.
    code: Option<Text<'a>>,
    text: Option<Text<'a>>,
    pub(super) description: Option<Text<'a>>,
    /// Whether the body says that it is a failure.
    pub(super) failed: bool,
}

impl<'a> Body<'a> {
    /// Reads a body; `None` where it is not a JSON object.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let (nested, outer) = (json::<Nested<'a>>(body)?, json::<Inner<'a>>(body)?);
        let mut found = Self::from(outer);
        match (nested.fault, nested.error) {
            (Some(fault), _) => return Some(Self { failed: true, ..fault.into() }),
            (None, Some(Error::Flag(flag))) => found.failed |= flag,
            (None, Some(Error::Text(error))) => {
                found.failed = true;
                // `{"error": "Rate limit exceeded", "message": "too many request received"}`
                let place = if found.text.is_some() { &mut found.description } else { &mut found.text };
                place.get_or_insert(error);
            }
            (None, Some(Error::Inner(inner))) => found = Self { failed: true, ..Self::from(inner).or(found) },
            (None, None) => {}
        }
        // Some servers of Neo put the whole error into `data`.
        if let (None, Some(data)) = (&found.code, nested.data) {
            let failed = data.code.is_some() || found.failed;
            found = found.or(data.into());
            found.failed |= failed;
        }
        Some(found)
    }

    /// Fills in what is missing.
    fn or(self, other: Self) -> Self {
        Self {
            code: self.code.or(other.code),
            text: self.text.or(other.text),
            description: self.description.or(other.description),
            failed: self.failed || other.failed,
        }
    }

    /// Creates a fault of a class; empty texts are omitted.
    pub(super) fn into_fault(self, class: Class<'a>) -> Fault<'a> {
        let said = |text: Option<Text<'a>>| text.filter(|text| !text.trim().is_empty());
        let code = said(self.code).filter(|code| code.trim() != "0");
        Fault { class, code, text: said(self.text), description: said(self.description) }
    }

    /// Returns the code as a number.
    pub(super) fn number(&self) -> Option<u64> {
        self.code.as_ref()?.trim().parse().ok()
    }

    /// Reports whether a text contains one of these words, which are in lower case.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        [&self.text, &self.description].into_iter().flatten().any(|text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }
}

crate::wire_object! {
    /// The members of an error body that may hold an error.
    pub struct Nested<'a> {
        /// The Trade API's error.
        fault: Inner<'a> = "fault" | "Fault",
        /// Neo's, sometimes.
        data: Inner<'a> = "data",
        /// A flag, a name, an object or a list of objects.
        error: Error<'a> = "error",
    }
}

crate::wire_object! {
    /// An error, at the top level or inside a member.
    pub struct Inner<'a> {
        /// A number or its text.
        code: Code<'a> = "stCode" | "code" | "errorCode" | "statusCode" | "Code",
        /// The message.
        text: Text<'a> = "errMsg" | "emsg" | "message" | "Message",
        /// A longer message.
        description: Text<'a> = "description" | "desc" | "error_description",
        /// `Not_Ok` and others.
        stat: Text<'a> = "stat",
        /// `failure`, `failed`, `error`.
        status: Text<'a> = "status",
    }
}

impl<'a> From<Inner<'a>> for Body<'a> {
    fn from(inner: Inner<'a>) -> Self {
        let failed = [&inner.stat, &inner.status].into_iter().flatten().any(|status| is_failure(status));
        Self { code: inner.code.map(|code| code.0), text: inner.text, description: inner.description, failed }
    }
}

/// The member `error`, which has four types.
#[derive(Debug)]
pub enum Error<'a> {
    /// `true`.
    Flag(bool),
    /// A name or a sentence.
    Text(Text<'a>),
    /// An object, or the first one of a list.
    Inner(Inner<'a>),
}

impl<'de> Lenient<'de> for Error<'de> {
    fn from_bool(value: bool) -> Option<Self> {
        Some(Self::Flag(value))
    }

    fn from_text(text: Text<'de>) -> Option<Self> {
        Some(Self::Text(text))
    }

    fn from_seq<A: SeqAccess<'de>>(mut seq: A) -> Result<Option<Self>, A::Error> {
        let mut first = None;
        while let Some(element) = seq.next_element_seed(Any::<Inner<'de>>(PhantomData))? {
            first = first.or(element);
        }
        Ok(first.map(Self::Inner))
    }

    fn from_map<A: serde::de::MapAccess<'de>>(map: A) -> Result<Option<Self>, A::Error> {
        Ok(Inner::from_map(map)?.map(Self::Inner))
    }
}

/// `Not_Ok`, `failure`, `failed`, `error`, `error in neo-login-check-api`.
fn is_failure(status: &str) -> bool {
    let status = status.to_ascii_lowercase();
    ["not_ok", "fail", "error"].iter().any(|word| status.starts_with(word))
}
