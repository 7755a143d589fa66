//! What a request is made of, and what may come of making it.

use http::Request;
use http::header::InvalidHeaderValue;

use super::{Ask, Entropy};
use crate::{
    Credentials, Input, NeedKind, Secret, SecretBytes, Timestamp, UrlError,
    machine::{Message, Totp},
};

/// What a request is made of, beside its answers.
#[derive(Debug)]
#[non_exhaustive]
pub struct View<'a, S> {
    /// The present time.
    pub now: Timestamp,
    /// Randomness for this emission.
    pub entropy: Entropy<'a>,
    /// What is known of the session.
    pub state: &'a S,
}

/// What came of making a request.
#[derive(Debug)]
#[non_exhaustive]
pub enum Build<S> {
    /// The request.
    Request(Request<Vec<u8>>),
    /// This is needed first, such as a signature of bytes that are made here ([`Ask::about`]). The step is put off until the
    /// answer has come, which it then finds among its own.
    Needs(Ask<S>),
}

impl<S> From<Request<Vec<u8>>> for Build<S> {
    fn from(request: Request<Vec<u8>>) -> Self {
        Self::Request(request)
    }
}

/// Why a request cannot be made.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unbuildable {
    /// An answer of this kind is not in hand; it is asked for.
    Missing(NeedKind),
    /// A part of the state or an answer cannot be written into a request; the text names it.
    Part(&'static str),
    /// The session is dead for certain: what this step would renew has ended, and the server has said before that it renews
    /// nothing. The text says what proves it.
    Over(&'static str),
}

impl Unbuildable {
    /// Makes of a serializer's error that the body cannot be written, for `map_err(Unbuildable::body)`.
    pub fn body<E: serde::ser::Error>(_: E) -> Self {
        Self::Part("body")
    }
}

/// What `?` makes of the errors that come up while a request is written.
macro_rules! parts {
    ($($error:ty => $part:literal),* $(,)?) => {$(
        impl From<$error> for Unbuildable {
            fn from(_: $error) -> Self {
                Self::Part($part)
            }
        }
    )*};
}

parts! {
    UrlError => "url",
    InvalidHeaderValue => "header",
    http::Error => "request",
}

/// An answer that was given to a question.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Given<'a, S> {
    /// What was asked for.
    pub kind: NeedKind,
    /// The answer; it fits the kind.
    pub input: &'a Input,
    /// The step that it is for: the one that the question [named](Ask::then), or that [needs](Build::Needs) it.
    pub step: Option<S>,
    /// The bytes that the question was [about](Ask::about).
    pub message: Option<&'a Message>,
}

/// The answers that leave with a step: those that its rule [spends](super::Rule::spends), and those that were asked for while it
/// was built.
#[derive(Clone, Default, Debug)]
pub struct Answers<'a> {
    // There is one, seldom two, for which nothing is allocated.
    first: [Option<(NeedKind, &'a Input)>; 2],
    more: Vec<(NeedKind, &'a Input)>,
}

impl<'a> FromIterator<(NeedKind, &'a Input)> for Answers<'a> {
    fn from_iter<I: IntoIterator<Item = (NeedKind, &'a Input)>>(answers: I) -> Self {
        let mut answers = answers.into_iter().fuse();
        let first = [answers.next(), answers.next()];
        Self { first, more: answers.collect() }
    }
}

impl<'a> Answers<'a> {
    /// Returns the answer of a kind.
    ///
    /// # Errors
    /// [`Unbuildable::Missing`], for which the engine asks.
    pub fn get(&self, kind: NeedKind) -> Result<&'a Input, Unbuildable> {
        let mut answers = self.iter();
        answers.find(|(held, _)| *held == kind).map(|(_, input)| input).ok_or(Unbuildable::Missing(kind))
    }

    /// Returns login name and password.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn credentials(&self) -> Result<&'a Credentials, Unbuildable> {
        match self.get(NeedKind::Credentials)? {
            Input::Credentials(given) => Ok(given),
            _ => Err(Unbuildable::Missing(NeedKind::Credentials)),
        }
    }

    /// Returns the code of an authenticator.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn totp(&self) -> Result<&'a Totp, Unbuildable> {
        match self.get(NeedKind::Totp)? {
            Input::Totp(totp) => Ok(totp),
            _ => Err(Unbuildable::Missing(NeedKind::Totp)),
        }
    }

    /// Returns the text of a kind that is one: a PIN, a code, a token, an address, a text of the provider's own.
    ///
    /// # Errors
    /// As [`Answers::get`].
    pub fn text(&self, kind: NeedKind) -> Result<&'a Secret, Unbuildable> {
        match self.get(kind)? {
            Input::Pin(text) | Input::Code(text) | Input::Token(text) | Input::Redirect(text) | Input::Text(text) => {
                Ok(text)
            }
            _ => Err(Unbuildable::Missing(kind)),
        }
    }

    /// Returns the signature that was asked for with [`Build::Needs`].
    pub fn signature(&self) -> Option<&'a SecretBytes> {
        match self.get(NeedKind::Signature) {
            Ok(Input::Signature(signature)) => Some(signature),
            _ => None,
        }
    }

    /// Returns all of them.
    pub fn iter(&self) -> impl Iterator<Item = (NeedKind, &'a Input)> {
        self.first.iter().flatten().chain(&self.more).copied()
    }
}
