//! What a protocol is: its steps, its state and pure functions over them.
//!
//! A provider knows no clock, no retry and no queue; [`Session`](crate::Session) has those. It is
//! public, so that others can be written outside this crate.

mod adopts;
mod build;
mod entropy;
mod plan;
mod request;
mod rule;
mod shared;
mod stream;
mod verdict;

use core::fmt::Debug;
use core::time::Duration;

use http::header::InvalidHeaderValue;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use self::adopts::Adopts;
pub use self::build::RequestBuilder;
pub(crate) use self::build::{AGENT, JSON};
pub use self::entropy::Entropy;
pub use self::plan::{Plan, When};
pub use self::request::{Answers, Build, Given, Unbuildable, View};
pub use self::rule::{Pace, Replay, Rule, Step};
pub use self::stream::Streams;
pub use self::verdict::{Ask, Judgment, Verdict};
pub use crate::time::zone::Zone;
use crate::{
    BaseUrl, Event, NeedKind, Response, Secret, Ticket, Timestamp,
    machine::{Cause, NeedReason, Rejection, ServerText},
};

/// A protocol: how a session of one provider is opened, kept alive and ended.
pub trait Provider {
    /// The requests that the protocol has.
    type Step: Step;
    /// What is known of the session: tokens, a moved host, counts. Written into a snapshot as it is.
    type State: Default + Serialize + DeserializeOwned + Send;
    /// What a user may want to see of an open session.
    type Live;

    /// Returns whom the session is with; a snapshot of another one is refused.
    fn identity(&self) -> Identity<'_>;

    /// Returns the rule that the engine follows for a step. It may depend on how the provider is configured, and is the same
    /// each time.
    fn rule(&self, step: Self::Step) -> &Rule;

    /// Returns how to begin: with a step, or with a question.
    fn open(&self, cx: &mut Context<'_, Self::State>, because: NeedReason) -> Verdict<Self::Step>;

    /// Checks a state that comes from a snapshot: a host in it must be one that may get tokens, and a token one that can be
    /// sent ([`Rejection::check_token`]).
    ///
    /// # Errors
    /// Says what is not admitted.
    fn admits(&self, state: &Self::State) -> Result<(), &'static str> {
        let _ = state;
        Ok(())
    }

    /// Shows what is known of an open session.
    fn live<'a>(&self, state: &'a Self::State) -> Option<&'a Self::Live> {
        let _ = state;
        None
    }

    /// Drops what an end makes worthless: everything, unless something outlives a session, as an owner's consent does.
    fn forget(&self, state: &mut Self::State, ended: Ended) {
        let _ = ended;
        *state = Self::State::default();
    }

    /// Returns how to go on with an answer: with the [step](Given::step) that it is for, where nothing else is said.
    ///
    /// The engine keeps the answer in hand until a step that [spends](Rule::spends) it has been judged, and wipes it when the
    /// session is usable. Where a step spends several, the next question ([`Verdict::Ask`]) may follow from the answer to the
    /// last one.
    ///
    /// # Errors
    /// [`Rejection`] where the answer cannot be used; the question stays open.
    fn answered(
        &self,
        cx: &mut Context<'_, Self::State>,
        given: &Given<'_, Self::Step>,
    ) -> Result<Verdict<Self::Step>, Rejection> {
        let _ = cx;
        given.step.map(Verdict::next).ok_or(Rejection::WrongKind)
    }

    /// Notes a step that is about to leave, once for each time: of its pace, or of the time and the randomness that
    /// its request is to be made of. It comes before the snapshot that is stored ahead of a step, so whatever an earlier
    /// process may have sent has been noted; a logout may still keep the step from leaving.
    fn left(&self, cx: &mut Context<'_, Self::State>, step: Self::Step) {
        let _ = (cx, step);
    }

    /// Builds the request of a step that has been [noted](Provider::left). It may be built twice for one departure, so what
    /// must be the same then comes out of the state. Where an answer is missing that the step [spends](Rule::spends), as it
    /// grew old in hand or was in the memory of an earlier process, this is asked for the question
    /// ([`Build::Needs`]), and nothing has been noted.
    ///
    /// # Errors
    /// [`Unbuildable`] where an answer is missing, or a part of the state or an answer cannot be written into a request.
    fn request(
        &self,
        view: &View<'_, Self::State>,
        step: Self::Step,
        answers: &Answers<'_>,
    ) -> Result<Build<Self::Step>, Unbuildable>;

    /// Interprets what came of a step.
    fn interpret(
        &self,
        cx: &mut Context<'_, Self::State>,
        step: Self::Step,
        outcome: Outcome<'_>,
    ) -> Verdict<Self::Step>;

    /// Names the step that finds out whether the session lives, if there is something to find out.
    fn probe(&self, state: &Self::State) -> Option<Self::Step>;

    /// Returns how the session is ended at the server.
    fn logout(&self, state: &Self::State) -> Leave<Self::Step>;

    /// Returns a secret that a server may quote from a request, such as a client's.
    ///
    /// The engine redacts it in events, errors and close reasons. Answers of people, and text that looks like a token, are redacted
    /// without this.
    fn secret<'a>(&'a self, _: &'a Self::State) -> Option<&'a Secret> {
        None
    }

    /// Puts tokens, cookies or a signature on a call of the user's own.
    ///
    /// # Errors
    /// [`Unauthorized`] where there is nothing to put, or a part of the call cannot be signed.
    fn authorize(&self, cx: &mut Context<'_, Self::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized>;

    /// Interprets what a call of the user's own got. A 401 raises a doubt where nothing else is said, whoever it is from.
    fn observe(&self, cx: &mut Context<'_, Self::State>, call: &Ticket, response: Response<'_>) -> Observed {
        let _ = (cx, call);
        if response.status == http::StatusCode::UNAUTHORIZED { Observed::Doubt } else { Observed::Nothing }
    }

    /// Returns where the user's own calls go, and what a call to a path is. It is asked once more when the answer comes, and
    /// says the same then.
    fn target<'a>(&'a self, state: &'a Self::State, path: &str) -> Target<'a, Self::Step> {
        let _ = (state, path);
        Target::new(self.identity().server)
    }
}

/// What came of a request.
///
/// Exhaustive on purpose: a provider must judge each of them.
#[derive(Clone, Copy, Debug)]
pub enum Outcome<'a> {
    /// This response.
    Response(Response<'a>),
    /// It is unknown whether it arrived, and its rule does not let it be sent again by itself.
    Lost,
}

/// How a session is ended at the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Leave<S> {
    /// There is nothing to end.
    Nothing,
    /// This step ends it.
    Step(S),
    /// Tokens stay valid and the protocol has no call that ends them; the end is told with [`Event::MayLiveOn`].
    Abandon,
}

/// Why a state has lost its worth.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Ended {
    /// The session was proven dead, and a new login follows.
    Expired,
    /// It is closed for good.
    Closed,
}

/// Where a call of the user's own goes, and what it is there.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Target<'a, S> {
    /// The base URL of all calls.
    pub base: &'a BaseUrl,
    /// The part of the provider that the path belongs to, where it has several.
    pub tier: Option<&'static str>,
    /// The API that the path belongs to, where the server limits each of its APIs for itself: a call that is one too many
    /// holds back further calls of that API and nothing else. One limit is for all otherwise.
    pub api: Option<&'static str>,
    /// The step that the call repeats, such as a keepalive: both keep one [pace](Rule::min_interval), and what such a call
    /// got is taken for the answer to the session's own.
    pub repeats: Option<S>,
}

impl<'a, S> Target<'a, S> {
    /// Creates a target of which nothing is known but the base URL.
    pub const fn new(base: &'a BaseUrl) -> Self {
        Self { base, tier: None, api: None, repeats: None }
    }
}

/// What a call of the user's own says about the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Observed {
    /// Nothing that matters.
    Nothing,
    /// The session may be dead: the engine has a look.
    Doubt,
    /// The call was one too many, as 429 says by itself.
    Limited,
}

/// Whom a session is with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Identity<'a> {
    /// The provider's name.
    pub provider: &'static str,
    /// The configured server.
    pub server: &'a BaseUrl,
    /// The configured account, where one is configured.
    pub account: Option<&'a str>,
    /// A fingerprint of the configured key, where one is configured; never the key.
    pub key: Option<&'a str>,
    /// Whether the server binds its tokens to the client's IP address.
    pub binds_ip: bool,
    /// Whether the server takes some token only once and gives another one for it, so that a step [rotates](Rule::rotates): the
    /// session is stored as soon as it begins, and a program that cannot store it learns that before anything is sent.
    pub rotates: bool,
}

impl<'a> Identity<'a> {
    /// Names the provider and the configured server.
    pub const fn new(provider: &'static str, server: &'a BaseUrl) -> Self {
        Self { provider, server, account: None, key: None, binds_ip: false, rotates: false }
    }

    /// Names the configured account.
    #[must_use]
    pub const fn account(self, account: &'a str) -> Self {
        Self { account: Some(account), ..self }
    }

    /// Names the fingerprint of the configured key.
    #[must_use]
    pub const fn key(self, fingerprint: &'a str) -> Self {
        Self { key: Some(fingerprint), ..self }
    }

    /// Declares that the server binds its tokens to the client's IP address.
    #[must_use]
    pub const fn binds_ip(self) -> Self {
        Self { binds_ip: true, ..self }
    }

    /// Declares that the server takes some token only once, so that a step [rotates](Rule::rotates).
    #[must_use]
    pub const fn rotates(self) -> Self {
        Self { rotates: true, ..self }
    }
}

/// What a provider's functions are given.
#[derive(Debug)]
pub struct Context<'a, S> {
    /// The present time.
    pub now: Timestamp,
    /// Randomness for this emission.
    pub entropy: Entropy<'a>,
    /// What is known of the session.
    pub state: &'a mut S,
    pub(crate) facts: &'a mut Vec<Fact>,
}

impl<S> Context<'_, S> {
    /// Tells the engine something beside the verdict.
    pub fn tell(&mut self, fact: Fact) {
        self.facts.push(fact);
    }
}

/// Something that a provider noticed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Fact {
    /// An event for the user, such as [`Event::ActionRequired`].
    Tell(Event),
    /// Nothing may be sent for this long: a penalty box. The `Retry-After` of a 429 decides instead where there is
    /// one, up to its cap.
    Penalty(Duration),
    /// The tokens are others than before: calls authorized with the old ones say nothing any more.
    NewTokens,
    /// The server refuses the present tokens: no keepalive, no renewal and no look that was asked for leaves
    /// before the session is active again.
    TokensRefused,
    /// Something speaks against an open session, which goes on: it is in doubt, and in trouble, until it is active again.
    Doubt(Cause),
    /// Whether calls of the user's own may be authorized although the session is not active (an outer tier).
    Usable(bool),
    /// The question of this kind has answered itself, although the session is not usable yet.
    Settled(NeedKind),
    /// The person has said no to the question of this kind at the server, as if by [`Input::GiveUp`](crate::Input::GiveUp): a
    /// usable session goes on, and the same question is not put again. Only for one that [lasts](Ask::lasting).
    Declined(NeedKind),
    /// Whether the login was there before this session asked for one, which [`Options::ends`](crate::Options::ends)
    /// spares. The engine knows that adopted tokens are and that what follows a proven expiry is not.
    Found(bool),
    /// Whether the login lives and no usable session comes of it, whatever was tried: [`Event::Stuck`] tells it once.
    /// It is over when the session is active or asks for a login.
    Stuck(bool),
    /// The server has accepted the answer of this kind, although the session is not usable yet: earlier refusals
    /// of that kind do not count any more. Where nobody tells, only a usable session shows that it was right.
    Accepted(NeedKind),
    /// The server has not checked the answer of this kind, which left beside one that it refused, or on a detour: it stays in
    /// hand, whatever the verdict on the step says. One that may have been checked must not be told here: accounts lock. Only [`Provider::interpret`] can tell it, of what the
    /// step took along.
    Unspent(NeedKind),
    /// The server made way: steps that [escalate](Rule::escalates) start at their first wait again.
    Progress,
}

impl Fact {
    /// Tells the user a server's words.
    pub fn server_says(text: &str) -> Self {
        Self::Tell(Event::ServerSays(ServerText::new(text)))
    }
}

/// Why a provider does not authorize a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Unauthorized {
    /// There are no tokens for that call now; the part of the provider, where it has several.
    NotReady(Option<&'static str>),
    /// The call has a part that cannot be signed; the text names it.
    Unsignable(&'static str),
}

impl From<InvalidHeaderValue> for Unauthorized {
    fn from(_: InvalidHeaderValue) -> Self {
        Self::Unsignable("header")
    }
}
