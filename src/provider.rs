//! What a protocol is: its steps, its state and pure functions over them.
//!
//! A provider knows no clock, no retry and no queue; [`Session`](crate::Session) has those. It is
//! public, so that others can be written outside this crate.

use core::fmt::Debug;
use core::time::Duration;
use std::sync::Arc;

use http::Request;
use http::request::Parts;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::retry::Backoff;
use crate::{
    BaseUrl, Because, CloseReason, Event, Input, Message, NeedKind, Phase, Rejection, Response, ServerText, Ticket,
    Timestamp,
};

/// A protocol: how a session of one provider is opened, kept alive and ended.
pub trait Provider {
    /// The requests that the protocol has.
    type Step: Step;
    /// What is known of the session: tokens, a moved host, counts. Written into a snapshot as it is.
    type State: Default + Serialize + DeserializeOwned + Send;
    /// What a user may want to see of an open session.
    type Live;
    /// What [`Session::adopt`](crate::Session::adopt) starts from.
    type Tokens;

    /// Tells whom the session is with; a snapshot of another one is refused.
    fn identity(&self) -> Identity<'_>;

    /// Gives the base URL for the user's own calls.
    fn base<'a>(&'a self, state: &'a Self::State) -> &'a BaseUrl;

    /// Says how to begin: with a step, or with a question.
    fn open(&self, cx: &mut Cx<'_, Self::State>, because: Because) -> Verdict<Self::Step>;

    /// Makes a state of tokens that somebody already has; [`Provider::probe`] is asked for next.
    ///
    /// # Errors
    /// [`Rejection`] names the token that is empty or malformed.
    fn adopt(&self, tokens: Self::Tokens) -> Result<Self::State, Rejection>;

    /// Checks a state that comes from a snapshot: a host in it must be one that may get tokens.
    ///
    /// # Errors
    /// Says what is not admitted.
    fn admits(&self, state: &Self::State) -> Result<(), &'static str> {
        let _ = state;
        Ok(())
    }

    /// Shows what is known of an open session.
    fn live<'a>(&self, state: &'a Self::State) -> Option<&'a Self::Live>;

    /// Drops what a proven expiry makes worthless.
    fn forget(&self, state: &mut Self::State) {
        *state = Self::State::default();
    }

    /// Drops what a closed session has no use for: everything, unless something outlives all sessions,
    /// as an owner's consent does.
    fn retire(&self, state: &mut Self::State) {
        *state = Self::State::default();
    }

    /// Says how to go on with an answer. The engine keeps it in hand until a step that
    /// [spends](Rule::spends) it has been judged, and wipes it when the session is usable.
    ///
    /// # Errors
    /// [`Rejection`] where the answer cannot be used; the question stays open.
    fn answered(
        &self,
        cx: &mut Cx<'_, Self::State>,
        kind: NeedKind,
        input: &Input,
    ) -> Result<Verdict<Self::Step>, Rejection>;

    /// Puts the question for the answer that a step [spends](Rule::spends), where it is due to leave and
    /// there is none: it grew old in hand, or was in the memory of an earlier process. A provider whose
    /// question is about bytes that it makes ([`Ask::about`]) plans the step and makes them here.
    ///
    /// # Errors
    /// [`Unbuildable`] where the bytes cannot be made.
    fn question(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        kind: NeedKind,
    ) -> Result<Ask<Self::Step>, Unbuildable> {
        let _ = (cx, step);
        Ok(Ask::new(kind, Because::Stale))
    }

    /// Builds the request of a step. `answer` is there for a step that spends one.
    ///
    /// # Errors
    /// [`Unbuildable`] where a part of the state or the answer cannot be written into a request.
    fn request(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        answer: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable>;

    /// Makes sense of the response to a step.
    fn interpret(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step, response: Response<'_>) -> Verdict<Self::Step>;

    /// Says how to go on where nobody knows whether a step with [`Replay::Never`] arrived.
    fn lost(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step) -> Verdict<Self::Step>;

    /// Names the step that finds out whether the session lives, if there is something to find out.
    fn probe(&self, state: &Self::State) -> Option<Self::Step>;

    /// Names the step that ends the session at the server, if there is something to end.
    fn logout(&self, state: &Self::State) -> Option<Self::Step>;

    /// Tells whether tokens stay valid at the server after a logout that has nothing to send, as where
    /// the protocol has no call for it; the end is then told with [`Event::MayLiveOn`].
    fn leaves_behind(&self, state: &Self::State) -> bool {
        let _ = state;
        false
    }

    /// Puts tokens, cookies or a signature on a call of the user's own.
    ///
    /// # Errors
    /// [`Unauthorized`] where there is nothing to put, or a part of the call cannot be signed.
    fn authorize(&self, cx: &mut Cx<'_, Self::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized>;

    /// Makes sense of what a call of the user's own got.
    fn observe(&self, cx: &mut Cx<'_, Self::State>, call: &Ticket, response: Response<'_>) -> Observed;

    /// Names the part of the provider that a path belongs to, where it has several.
    fn tier(&self, path: &str) -> Option<&'static str> {
        let _ = path;
        None
    }
}

/// A request of a protocol.
pub trait Step: Copy + Eq + Debug + Serialize + DeserializeOwned + Send + 'static {
    /// Gives the rule that the engine follows for this request.
    fn rule(self) -> &'static Rule;
}

/// How the engine treats a step.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rule {
    /// The name that drivers and logs see, such as `login`.
    pub name: &'static str,
    /// Where the session stands while this step runs; `None` leaves it where it is.
    pub phase: Option<Phase>,
    /// What may follow where nobody knows whether the request arrived.
    pub replay: Replay,
    /// The kind of answer that this step uses up; it leaves only with one in hand.
    pub spends: Option<NeedKind>,
    /// How long the answer may take.
    pub timeout: Duration,
    /// The pace of further attempts.
    pub backoff: Backoff,
    /// The shortest time between two requests of this step, whatever happens in between; zero for none.
    pub min_interval: Duration,
    /// Whether each further request of this step before the session is usable waits its
    /// [`Rule::backoff`], also where other steps came in between.
    pub escalates: bool,
    /// Whether the request may leave a session at the server: a logout waits for its answer, and one
    /// whose fate stays unknown is told as [`Event::MayLiveOn`].
    pub opens: bool,
}

impl Rule {
    /// Makes a rule for a request that may be sent again freely, with 10 s to answer.
    pub const fn new(name: &'static str) -> Self {
        Self {
            name,
            phase: None,
            replay: Replay::Safe,
            spends: None,
            timeout: Duration::from_secs(10),
            backoff: Backoff::new(Duration::from_secs(2), Duration::from_secs(60), 8),
            min_interval: Duration::ZERO,
            escalates: false,
            opens: false,
        }
    }

    /// Sets the phase.
    #[must_use]
    pub const fn phase(self, phase: Phase) -> Self {
        Self { phase: Some(phase), ..self }
    }

    /// Sets what may follow where nobody knows whether the request arrived.
    #[must_use]
    pub const fn replay(self, replay: Replay) -> Self {
        Self { replay, ..self }
    }

    /// Sets the kind of answer that is used up; its fate is never to be guessed, so replay is [`Replay::Never`].
    #[must_use]
    pub const fn spends(self, kind: NeedKind) -> Self {
        Self { spends: Some(kind), replay: Replay::Never, escalates: true, ..self }
    }

    /// Sets how long the answer may take.
    #[must_use]
    pub const fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Sets the pace of further attempts.
    #[must_use]
    pub const fn backoff(self, backoff: Backoff) -> Self {
        Self { backoff, ..self }
    }

    /// Sets the shortest time between two requests of this step.
    #[must_use]
    pub const fn min_interval(self, min_interval: Duration) -> Self {
        Self { min_interval, ..self }
    }

    /// Says that the request may leave a session at the server.
    #[must_use]
    pub const fn opens(self) -> Self {
        Self { opens: true, ..self }
    }

    /// Tells whether requests of this step keep a distance from each other.
    pub(crate) const fn is_paced(&self) -> bool {
        self.escalates || !self.min_interval.is_zero()
    }

    /// Makes each further request wait its backoff until the session is usable.
    #[must_use]
    pub const fn escalates(self) -> Self {
        Self { escalates: true, ..self }
    }
}

/// What may follow where nobody knows whether a request arrived.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Replay {
    /// Send it again: it changes nothing that its first arrival has not changed.
    Safe,
    /// Ask the server how things stand first.
    Probe,
    /// Do not send it again by itself: [`Provider::lost`] says how to go on.
    Never,
}

/// What a provider makes of a response.
#[derive(Debug)]
#[must_use = "a verdict says how the session goes on"]
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
    /// The session is usable; the response proves it.
    Active {
        /// The step that keeps it so, and how often.
        keepalive: Option<(S, Duration)>,
        /// The step that renews tokens, and when.
        renew: Option<(S, When)>,
        /// When the tokens end, as far as known. Passing it proves nothing: the session is looked at.
        expires: Option<When>,
    },
    /// Try this step again, later.
    Retry {
        /// The shortest wait, where the protocol tells one; a `Retry-After` header is read by the engine.
        after: Option<Duration>,
        /// Whether the server may have acted on the request, and judged the answer that it spent. One
        /// that may have been is repeated only as [`Rule::replay`] allows.
        answer: Spent,
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
}

impl<S> Verdict<S> {
    /// Goes on with another step at once.
    pub const fn next(step: S) -> Self {
        Self::Next { step, after: Duration::ZERO }
    }

    /// Tries again after the server refused before it looked at anything: 503, a quota.
    pub const fn unavailable() -> Self {
        Self::Retry { after: None, answer: Spent::Unjudged }
    }
}

/// An instant, or a length of time from now.
///
/// The difference matters when this machine's clock is set: what a server named stays, a length of
/// time stays a length of time.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum When {
    /// At an instant that the server named.
    At(Timestamp),
    /// After so long.
    In(Duration),
}

/// Whether the answer that a step spent may have been judged by the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spent {
    /// It may have been: it is wiped and never sent again.
    Judged,
    /// The server refused before anybody looked at it: it stays in hand.
    Unjudged,
}

/// A question of a provider.
#[derive(Debug)]
pub struct Ask<S> {
    /// What is needed.
    pub kind: NeedKind,
    /// Why.
    pub because: Because,
    /// Where a person has to go, for [`NeedKind::Browser`].
    pub url: Option<Arc<str>>,
    /// A step that looks, every so often, whether the question has answered itself.
    pub poll: Option<(S, Duration)>,
    /// Whether the session goes on meanwhile, so that a proof of life does not close the question.
    pub lasting: bool,
    /// What a key that is kept elsewhere is to work on.
    pub message: Option<Message>,
    /// How long an answer can be used.
    pub valid: Option<Duration>,
}

impl<S> Ask<S> {
    /// Makes a question.
    pub const fn new(kind: NeedKind, because: Because) -> Self {
        Self { kind, because, url: None, poll: None, lasting: false, message: None, valid: None }
    }

    /// Looks every so often whether the question has answered itself.
    #[must_use]
    pub fn poll(self, step: S, every: Duration) -> Self {
        Self { poll: Some((step, every)), ..self }
    }

    /// Lets the session go on meanwhile: only an answer closes the question.
    #[must_use]
    pub fn lasting(self) -> Self {
        Self { lasting: true, ..self }
    }

    /// Gives the bytes that a key kept elsewhere is to work on, and how long its answer can be used; for
    /// [`Provider::question`], which is asked anew when that is over.
    #[must_use]
    pub fn about(self, message: Message, valid: Option<Duration>) -> Self {
        Self { message: Some(message), valid, ..self }
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

/// What a call of the user's own says about the session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Observed {
    /// Nothing that matters.
    Nothing,
    /// The session may be dead: the engine has a look.
    Doubt,
}

/// Whom a session is with.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
}

/// What a provider's functions are given.
#[derive(Debug)]
pub struct Cx<'a, S> {
    /// The present time.
    pub now: Timestamp,
    /// Randomness for this emission.
    pub entropy: Entropy<'a>,
    /// What is known of the session.
    pub state: &'a mut S,
    pub(crate) facts: &'a mut Vec<Fact>,
}

impl<S> Cx<'_, S> {
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
    /// Nothing may be sent for this long: a penalty box.
    Penalty(Duration),
    /// The tokens are others than before: calls authorized with the old ones say nothing any more.
    NewTokens,
    /// The server refuses the present tokens: no keepalive, no renewal and no look that was asked for leaves
    /// before the session is active again.
    TokensRefused,
    /// Whether calls of the user's own may be authorized although the session is not active (an outer tier).
    Usable(bool),
    /// The question of this kind has answered itself, although the session is not usable yet.
    Settled(NeedKind),
    /// The server made way: steps that [escalate](Rule::escalates) start at their first wait again.
    Progress,
}

impl Fact {
    /// Tells the user a server's words.
    pub fn server_says(text: &str) -> Self {
        Self::Tell(Event::ServerSays(ServerText::new(text)))
    }
}

/// Randomness for one emission: the key is the session's, the counter never repeats within it.
#[derive(Clone, Copy)]
pub struct Entropy<'a> {
    /// 24 bytes of the caller's seed.
    pub key: &'a [u8; 24],
    /// The session's fence, so that a seed given twice by mistake still differs between lives.
    pub epoch: u64,
    /// Counts the emissions of this life.
    pub counter: u64,
}

impl Debug for Entropy<'_> {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Entropy").field("counter", &self.counter).finish_non_exhaustive()
    }
}

/// A request that cannot be built; the text names the part.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Unbuildable(pub &'static str);

/// Why a provider does not authorize a call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Unauthorized {
    /// There are no tokens for that call now; the part of the provider, where it has several.
    NotReady(Option<&'static str>),
    /// The call has a part that cannot be signed; the text names it.
    Unsignable(&'static str),
}

impl<P: Provider> Provider for Arc<P> {
    type Step = P::Step;
    type State = P::State;
    type Live = P::Live;
    type Tokens = P::Tokens;

    fn identity(&self) -> Identity<'_> {
        (**self).identity()
    }

    fn base<'a>(&'a self, state: &'a Self::State) -> &'a BaseUrl {
        (**self).base(state)
    }

    fn open(&self, cx: &mut Cx<'_, Self::State>, because: Because) -> Verdict<Self::Step> {
        (**self).open(cx, because)
    }

    fn adopt(&self, tokens: Self::Tokens) -> Result<Self::State, Rejection> {
        (**self).adopt(tokens)
    }

    fn admits(&self, state: &Self::State) -> Result<(), &'static str> {
        (**self).admits(state)
    }

    fn live<'a>(&self, state: &'a Self::State) -> Option<&'a Self::Live> {
        (**self).live(state)
    }

    fn forget(&self, state: &mut Self::State) {
        (**self).forget(state);
    }

    fn retire(&self, state: &mut Self::State) {
        (**self).retire(state);
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, Self::State>,
        kind: NeedKind,
        input: &Input,
    ) -> Result<Verdict<Self::Step>, Rejection> {
        (**self).answered(cx, kind, input)
    }

    fn question(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        kind: NeedKind,
    ) -> Result<Ask<Self::Step>, Unbuildable> {
        (**self).question(cx, step, kind)
    }

    fn request(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        answer: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable> {
        (**self).request(cx, step, answer)
    }

    fn interpret(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step, response: Response<'_>) -> Verdict<Self::Step> {
        (**self).interpret(cx, step, response)
    }

    fn lost(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step) -> Verdict<Self::Step> {
        (**self).lost(cx, step)
    }

    fn probe(&self, state: &Self::State) -> Option<Self::Step> {
        (**self).probe(state)
    }

    fn logout(&self, state: &Self::State) -> Option<Self::Step> {
        (**self).logout(state)
    }

    fn leaves_behind(&self, state: &Self::State) -> bool {
        (**self).leaves_behind(state)
    }

    fn authorize(&self, cx: &mut Cx<'_, Self::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        (**self).authorize(cx, parts, body)
    }

    fn observe(&self, cx: &mut Cx<'_, Self::State>, call: &Ticket, response: Response<'_>) -> Observed {
        (**self).observe(cx, call, response)
    }

    fn tier(&self, path: &str) -> Option<&'static str> {
        (**self).tier(path)
    }
}
