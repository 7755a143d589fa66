//! What a provider makes of a response, and the questions that it puts.

use core::time::Duration;
use std::sync::Arc;

use super::Plan;
use crate::{
    CloseReason, NeedKind,
    machine::{Message, NeedReason, Prompt},
};

/// What a provider makes of a response.
#[derive(Debug)]
#[must_use = "a verdict says how the session goes on"]
#[non_exhaustive]
pub enum Verdict<S> {
    /// Go on with another step, or with the same one without calling it a failure.
    Next {
        /// The step.
        step: S,
        /// How long to wait before it.
        after: Duration,
    },
    /// Ask a person or a secret store.
    Ask(Ask<S>),
    /// The session is usable; the response proves it. This is to be done from now on.
    Active(Plan<S>),
    /// Try this step again, later.
    Retry {
        /// The shortest wait, where the protocol tells one; a `Retry-After` header is read by the engine.
        after: Option<Duration>,
        /// Whether the server may have acted on the request, and judged the answer that it spent. One
        /// that may have been is repeated only as [`Rule::replay`](super::Rule::replay) allows.
        answer: Judgment,
    },
    /// The response is not one of the protocol's; the text says why. Proves nothing.
    Unreadable(&'static str),
    /// The session is dead for certain.
    Dead {
        /// What proves it.
        proof: &'static str,
    },
    /// The session ends for this reason.
    Close(CloseReason),
    /// The session is alive, but not the one that was asked for, such as one with another scope.
    ///
    /// It is ended at the server as by a logout and closes with [`Denial::NotEntitled`](crate::machine::Denial::NotEntitled). No call
    /// is authorized meanwhile.
    Unfit,
}

impl<S> Verdict<S> {
    /// Goes on with another step at once.
    pub const fn next(step: S) -> Self {
        Self::Next { step, after: Duration::ZERO }
    }

    /// Declares that the session is usable and that all plans stay as they are.
    pub const fn alive() -> Self {
        Self::Active(Plan::staying())
    }

    /// Tries again after the server refused before it checked anything: 503, a quota.
    pub const fn unavailable() -> Self {
        Self::Retry { after: None, answer: Judgment::Unjudged }
    }
}

/// Whether the answer that a step spent may have been judged by the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Judgment {
    /// It may have been: it is wiped, asked for again, and counts as one that may have been refused.
    Judged,
    /// The server says itself that it failed at its work. It may have acted on the request, so the answer is wiped
    /// and asked for again, but a failure is no refusal and does not count as one.
    Failed,
    /// The server refused before it checked it: it stays in hand.
    Unjudged,
}

/// A question of a provider.
#[derive(Debug)]
#[non_exhaustive]
pub struct Ask<S> {
    /// What is needed.
    pub kind: NeedKind,
    /// Why.
    pub because: NeedReason,
    /// Where a person has to go, for [`NeedKind::Browser`], [`NeedKind::Verifier`] and [`NeedKind::Redirect`].
    pub url: Option<Arc<str>>,
    /// What to tell the person beside that.
    pub prompt: Prompt,
    /// A step that looks, every so often, whether the question has answered itself.
    pub poll: Option<(S, Duration)>,
    /// Whether the session goes on meanwhile, see [`Ask::lasting`].
    pub lasting: bool,
    /// What a key that is kept elsewhere is to work on.
    pub message: Option<Message>,
    /// How long an answer can be used.
    pub valid: Option<Duration>,
    /// The step that the answer is for.
    pub then: Option<S>,
}

impl<S> Ask<S> {
    /// Creates a question.
    pub const fn new(kind: NeedKind, because: NeedReason) -> Self {
        let prompt = Prompt { name: None, text: None, user_code: None };
        Self { kind, because, url: None, prompt, poll: None, lasting: false, message: None, valid: None, then: None }
    }

    /// Looks every so often whether the question has answered itself.
    #[must_use]
    pub fn poll(self, step: S, every: Duration) -> Self {
        Self { poll: Some((step, every)), ..self }
    }

    /// Lets the session go on meanwhile, as the question is about a later time: a consent that ends tomorrow.
    ///
    /// A proof of life does not close it, calls of the user's own are authorized on, and it waits while another question is
    /// open. Who [gives up](crate::Input::GiveUp) on it declines it and nothing else: the session goes on, and the same
    /// question (of this kind, for this reason) is not put again before the next login.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// Names the step that the answer is for.
    #[must_use]
    pub fn then(self, step: S) -> Self {
        Self { then: Some(step), ..self }
    }

    /// Returns the bytes that a key kept elsewhere is to work on, and how long its answer can be used. Where a step
    /// [needs](super::Build::Needs) it, the step is built again when that is over, with other bytes.
    #[must_use]
    pub fn about(self, message: Message, valid: Option<Duration>) -> Self {
        Self { message: Some(message), valid, ..self }
    }

    /// Names what a provider needs in its own words, for [`NeedKind::Custom`]: stable, for programs.
    #[must_use]
    pub fn name(mut self, name: impl Into<Arc<str>>) -> Self {
        self.prompt.name = Some(name.into());
        self
    }

    /// Tells the person something. What a server said is cut and escaped first, see [`ServerText`](crate::machine::ServerText).
    #[must_use]
    pub fn text(mut self, text: impl Into<Arc<str>>) -> Self {
        self.prompt.text = Some(text.into());
        self
    }

    /// Sets the code that the person types at the [place](Ask::url) to go to.
    #[must_use]
    pub fn user_code(mut self, code: impl Into<Arc<str>>) -> Self {
        self.prompt.user_code = Some(code.into());
        self
    }

    /// Names the place where a person has to go.
    #[must_use]
    pub fn url(self, url: Arc<str>) -> Self {
        Self { url: Some(url), ..self }
    }
}

impl<S> From<Ask<S>> for Verdict<S> {
    fn from(ask: Ask<S>) -> Self {
        Self::Ask(ask)
    }
}
