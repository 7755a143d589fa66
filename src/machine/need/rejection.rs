//! Why an answer is not taken.

use core::fmt;

/// Why an answer cannot be used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Rejection {
    /// The field of this name is empty.
    Empty(&'static str),
    /// The field of this name has a wrong length or a character that cannot be sent.
    Malformed(&'static str),
    /// The field of this name is not what is waited for: an address of another attempt, of another server, without a code.
    Unfit {
        /// The field.
        field: &'static str,
        /// What is wrong, for people.
        why: &'static str,
    },
    /// The answer is of another kind than the question.
    WrongKind,
    /// The code was made before [`fresh_after`](crate::Need::fresh_after), or the answer came after
    /// [`until`](crate::Need::until).
    NotFresh,
    /// [As many answers as may be](crate::Options::max_refused) were refused, the last one or an earlier one: a person
    /// has to give the next one.
    Unattended,
    /// As many answers as may be have been sent and none was refused for certain, but nobody knows what the server made
    /// of them: a person has to give the next one.
    MaybeRefused,
}

/// No server is known that takes a longer line in a header.
pub(super) const LONGEST: usize = 16 << 10;

impl Rejection {
    /// Checks a token, a key or an id that travels in a header as it is: printable ASCII without spaces.
    ///
    /// For providers: whatever comes from a configuration, a person, another program or a snapshot is checked where it
    /// comes in, under the name of its field. Later it would fail as a request that cannot be built.
    ///
    /// # Errors
    /// [`Rejection::Empty`] and [`Rejection::Malformed`] name the field.
    pub fn check_token(field: &'static str, text: &str) -> Result<(), Self> {
        match text.len() {
            0 => Err(Self::Empty(field)),
            1..=LONGEST if text.bytes().all(|byte| byte.is_ascii_graphic()) => Ok(()),
            _ => Err(Self::Malformed(field)),
        }
    }

    /// Checks a text that travels in a header and may have spaces within, such as a name.
    ///
    /// # Errors
    /// [`Rejection::Empty`] and [`Rejection::Malformed`] name the field.
    pub fn check_words(field: &'static str, text: &str) -> Result<(), Self> {
        // Spaces at the ends are no part of a header's value.
        if text.starts_with(' ') || text.ends_with(' ') {
            return Err(Self::Malformed(field));
        }
        match text.len() {
            0 => Err(Self::Empty(field)),
            1..=LONGEST if text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic()) => Ok(()),
            _ => Err(Self::Malformed(field)),
        }
    }

    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Empty(_) => "empty",
            Self::Malformed(_) => "malformed",
            Self::Unfit { .. } => "unfit",
            Self::WrongKind => "wrong-kind",
            Self::NotFresh => "not-fresh",
            Self::Unattended => "unattended",
            Self::MaybeRefused => "maybe-refused",
        }
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(field) => write!(f, "{field}: must not be empty"),
            Self::Malformed(field) => write!(f, "{field}: has a wrong length or a character that cannot be sent"),
            Self::Unfit { field, why } => write!(f, "{field}: {why}"),
            Self::WrongKind => f.write_str("the answer is of another kind than the question"),
            Self::NotFresh => f.write_str("the answer is too old: wait for the next question or code"),
            Self::Unattended => f.write_str("the server refused an earlier answer: a person has to give the next one"),
            Self::MaybeRefused => f.write_str(
                "an earlier answer got no clear reply and may have been refused: a person has to give the next one",
            ),
        }
    }
}

impl std::error::Error for Rejection {}
