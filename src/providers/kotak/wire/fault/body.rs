//! Reading code and words out of every shape of error body that was seen.

#![expect(unreachable_pub, reason = "the macro that declares bodies makes them public")]

use core::marker::PhantomData;

use serde::de::SeqAccess;

use super::{Class, Fault};
use crate::wire::{Any, Code, Lenient, Text};

/// Code and words of an error body, from wherever they stand in it.
#[derive(Debug, Default)]
pub(super) struct Body<'a> {
    /// The code, a number in all but a few names of OAuth.
    pub(super) code: Option<Text<'a>>,
    /// The first words.
    pub(super) text: Option<Text<'a>>,
    /// Further words.
    pub(super) description: Option<Text<'a>>,
    /// Whether the body calls itself a failure.
    pub(super) failed: bool,
    /// Whether the body has the Trade API's `fault`.
    pub(super) is_fault: bool,
}

impl<'a> Body<'a> {
    /// Reads a body; `None` where it is no JSON object.
    pub(super) fn read(body: &'a [u8]) -> Option<Self> {
        let outer: Members<'a> = crate::wire::json(body)?;
        let failed = outer.calls_itself_failed();
        let Members { fault, data, error, code, text, description, .. } = outer;
        if let Some(fault) = fault {
            return Some(Self {
                code: fault.code.map(|code| code.0),
                text: fault.text,
                description: fault.description,
                failed: true,
                is_fault: true,
            });
        }
        let mut found = Self { code: code.map(|code| code.0), text, description, failed, is_fault: false };
        match error {
            Some(Error::Flag(flag)) => found.failed |= flag,
            Some(Error::Text(error)) => {
                found.failed = true;
                match found.text {
                    None => found.text = Some(error),
                    // `{"error": "Rate limit exceeded", "message": "too many request received"}`
                    Some(_) => found.description = found.description.or(Some(error)),
                }
            }
            Some(Error::Inner(inner)) => {
                found.failed = true;
                found.code = inner.code.map(|code| code.0).or(found.code);
                found.text = inner.text.or(found.text);
                found.description = inner.description.or(found.description);
            }
            None => {}
        }
        // Some servers of Neo put the whole error into `data`.
        if found.code.is_none()
            && let Some(data) = data
        {
            found.failed |= data.stat.as_ref().or(data.status.as_ref()).is_some_and(|status| is_failure(status))
                || data.code.is_some();
            found.code = data.code.map(|code| code.0);
            found.text = found.text.or(data.text);
            found.description = found.description.or(data.description);
        }
        Some(found)
    }

    /// Puts the fault into a class; what says nothing is left out.
    pub(super) fn into_fault(self, class: Class<'a>) -> Fault<'a> {
        let said = |text: Option<Text<'a>>| text.filter(|text| !text.trim().is_empty());
        let code = said(self.code).filter(|code| code.trim() != "0");
        Fault { class, code, text: said(self.text), description: said(self.description) }
    }

    /// Gives the code as a number.
    pub(super) fn number(&self) -> Option<u64> {
        self.code.as_ref()?.trim().parse().ok()
    }

    /// Tells whether one of these words, in lower case, is in the texts.
    pub(super) fn says(&self, words: &[&str]) -> bool {
        [&self.text, &self.description].into_iter().flatten().any(|text| {
            let text = text.to_ascii_lowercase();
            words.iter().any(|word| text.contains(word))
        })
    }
}

crate::wire_object! {
    /// The members of an error body that are looked at.
    pub struct Members<'a> {
        /// The Trade API's error.
        fault: Inner<'a> = "fault" | "Fault",
        /// Neo's, sometimes.
        data: Inner<'a> = "data",
        /// A flag, a name, an object or a list of objects.
        error: Error<'a> = "error",
        /// A number or its text.
        code: Code<'a> = "stCode" | "code" | "errorCode" | "statusCode",
        /// Words.
        text: Text<'a> = "errMsg" | "emsg" | "message",
        /// More words.
        description: Text<'a> = "description" | "desc" | "error_description",
        /// `Not_Ok` and others.
        stat: Text<'a> = "stat",
        /// `failure`, `failed`, `error`.
        status: Text<'a> = "status",
    }
}

impl Members<'_> {
    fn calls_itself_failed(&self) -> bool {
        [&self.stat, &self.status].into_iter().flatten().any(|status| is_failure(status))
    }
}

crate::wire_object! {
    /// An error inside another member.
    pub struct Inner<'a> {
        /// A number or its text.
        code: Code<'a> = "code" | "stCode" | "errorCode" | "Code",
        /// Words.
        text: Text<'a> = "message" | "errMsg" | "emsg" | "Message",
        /// More words.
        description: Text<'a> = "description" | "desc",
        /// `Not_Ok` and others.
        stat: Text<'a> = "stat",
        /// `failed`.
        status: Text<'a> = "status",
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
