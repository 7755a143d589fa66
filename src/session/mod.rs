//! The one engine: it drives every provider's steps through time, failures and questions.
//!
//! - `core`: what is known of a session, which is also what a snapshot holds
//! - `plan`: what is due when, derived from the core anew after every call but a poll that waits
//! - `poll`: what the driver is told to do
//! - `queue`: what waits to be told
//! - `judge`: what follows from responses, failures and verdicts
//! - `limits`: what servers say about time
//! - `active`: usable, and found dead
//! - `answer`: needs and their answers
//! - `tally`: what a login has cost: answers that were refused, or may have been
//! - `remember`: what a new session takes over of an earlier one
//! - `end`: logout and closing
//! - `aside`: a life that ends while the session lives on
//! - `ahead`: what the next poll would send, for those who drive many sessions
//! - `calls`: the user's own calls
//! - `boxes`: limits of a server that counts each of its APIs for itself
//! - `resume`: snapshots
//! - `twin`: copies, for walks
//! - `stream`: the stream that some providers serve beside the calls

mod active;
mod ahead;
mod answer;
mod aside;
mod boxes;
mod calls;
mod core;
mod end;
mod judge;
mod limits;
mod plan;
mod poll;
mod queue;
mod remember;
mod resume;
mod stream;
mod tally;
#[cfg(feature = "testing")]
mod twin;

use ::core::time::Duration;
use std::sync::Arc;

use http::request::Parts;
#[cfg(feature = "testing")]
pub(crate) use limits::penalty_named;
pub(crate) use limits::penalty_of;
pub(crate) use plan::STANDS_STILL;
pub use stream::{StreamOpening, Streams};
use zeroize::Zeroizing;

use self::aside::Aside;
use self::core::Core;
use self::plan::Next;
use self::queue::Queue;
use crate::conceal::Words;
use crate::provider::{Fact, Provider, Verdict};
use crate::{
    Accepted, Answered, AuthorizeError, Because, By, Event, Failure, Input, Machine, Misuse, NeedId, Options, Output,
    Phase, Rejection, RequestId, Response, Seed, Snapshot, Status, Ticket, Timestamp, Upcoming,
};

/// A login session of one provider: the engine, and the [`Machine`] that drivers see.
pub struct Session<P: Provider> {
    provider: P,
    options: Arc<Options>,
    /// Feeds the spread of waits.
    jitter: u64,
    /// Feeds the provider's nonces and exponents.
    key: Zeroizing<[u8; 24]>,
    epoch: u64,
    life: u32,
    seq: u32,
    /// Counts what was given to the provider with entropy.
    counter: u64,
    core: Core<P::Step, P::State>,
    /// A logout leaves the session alone, as soon as what is in flight is answered.
    leaving: bool,
    /// How this life ended, where the session lives on.
    aside: Option<Box<Aside>>,
    in_flight: Option<InFlight<P::Step>>,
    /// The answer to the last need, until the step that spends it has been judged.
    answer: Option<Box<InHand>>,
    /// The end of the one-time code before the one in flight.
    code_before: Option<Timestamp>,
    /// The difference of clocks that was told last, in milliseconds.
    skew: i64,
    /// When somebody was last told.
    checked_at: Timestamp,
    /// The harmful step before which the driver was asked to save.
    saving: Option<P::Step>,
    /// Whether something has happened that a crash must not lose.
    unsaved: bool,
    /// The request whose answer is no longer wanted.
    cancel: Option<u32>,
    events: Queue,
    /// What the last poll waited for; only a poll leaves it as it is.
    quiet: Option<(Timestamp, Next<P::Step>)>,
}

/// An answer that waits for its step.
struct InHand {
    input: Input,
    /// Until when it can be used.
    until: Option<Timestamp>,
}

/// A request whose answer is awaited.
#[derive(Clone, Copy)]
struct InFlight<S> {
    step: S,
    seq: u32,
    /// When the driver's verdict is no longer waited for.
    deadline: Timestamp,
}

/// Gives a provider's context out of the fields of a session, so that the others stay free to borrow.
macro_rules! cx {
    ($session:ident, $now:expr, $facts:ident) => {{
        $session.counter = $session.counter.wrapping_add(1);
        $crate::provider::Cx {
            now: $now,
            entropy: $crate::provider::Entropy {
                key: &$session.key,
                epoch: $session.epoch,
                counter: u64::from($session.life) << 32 | ($session.counter & 0xffff_ffff),
            },
            state: &mut $session.core.state,
            facts: &mut $facts,
        }
    }};
}
use cx;

impl<P: Provider> Session<P> {
    /// Makes a session that is to be opened with [`Machine::start`].
    ///
    /// Many sessions may share their options: hand each a clone of one `Arc`.
    pub fn new(provider: P, options: impl Into<Arc<Options>>, seed: impl Into<Seed>) -> Self {
        Self::with_core(provider, options.into(), &seed.into(), 1, Core::default())
    }

    /// Makes a session of tokens that somebody already has; [`Machine::start`] looks first whether they live.
    ///
    /// # Errors
    /// [`Rejection`] names the token that is empty or malformed.
    pub fn adopt(
        provider: P,
        tokens: P::Tokens,
        options: impl Into<Arc<Options>>,
        seed: impl Into<Seed>,
    ) -> Result<Self, Rejection> {
        let state = provider.adopt(tokens)?;
        let core = Core { state, adopted: true, found: true, ..Core::default() };
        Ok(Self::with_core(provider, options.into(), &seed.into(), 1, core))
    }

    fn with_core(provider: P, options: Arc<Options>, seed: &Seed, epoch: u64, core: Core<P::Step, P::State>) -> Self {
        let [j0, j1, j2, j3, j4, j5, j6, j7, key @ ..] = &*seed.0;
        let jitter = u64::from_le_bytes([*j0, *j1, *j2, *j3, *j4, *j5, *j6, *j7]);
        Self {
            provider,
            options,
            jitter,
            key: Zeroizing::new(*key),
            epoch,
            life: (crate::retry::split_mix(jitter) >> 32) as u32,
            seq: 0,
            counter: 0,
            core,
            leaving: false,
            aside: None,
            in_flight: None,
            answer: None,
            code_before: None,
            skew: 0,
            checked_at: Timestamp::from_millis(0),
            saving: None,
            unsaved: false,
            cancel: None,
            events: Queue::default(),
            quiet: None,
        }
    }

    /// Shows what is known of the session while it is usable: user id, base URLs, expiry, tokens.
    pub fn live(&self) -> Option<&P::Live> {
        if self.serves_calls() { self.provider.live(&self.core.state) } else { None }
    }

    /// Shows the provider.
    pub const fn provider(&self) -> &P {
        &self.provider
    }

    /// Gives the provider back.
    pub fn into_provider(self) -> P {
        self.provider
    }

    /// Makes a call of the user's own ready to leave, see [`Machine::authorize`].
    ///
    /// # Errors
    /// Those of [`Machine::authorize`].
    pub fn authorize_request<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        request: http::Request<B>,
    ) -> Result<(http::Request<B>, Ticket), AuthorizeError> {
        let (mut parts, body) = request.into_parts();
        let ticket = self.authorize_call(now, &mut parts, body.as_ref())?;
        Ok((http::Request::from_parts(parts, body), ticket))
    }

    /// Works out when something is to be done next.
    fn due_at(&self) -> Timestamp {
        // A closed session says so for ever, and nothing changes by asking.
        if self.has_news() { self.core.clock } else { self.next().0 }
    }

    fn tell(&mut self, event: Event) {
        self.events.push(event);
    }

    fn set_phase(&mut self, now: Timestamp, to: Phase) {
        let (from, shown) = (self.core.phase, self.phase_now());
        if from != to {
            self.core.phase = to;
            self.core.since = now;
            // What was usable and is not, without anybody being asked, is in trouble.
            if from == Phase::Active && self.core.opened.is_some() {
                self.core.trouble.get_or_insert(now);
            }
            if shown != self.phase_now() {
                self.tell(Event::PhaseChanged { from: shown, to });
            }
        }
    }

    /// Takes what the provider told beside its verdict, which is mostly nothing.
    #[inline]
    fn absorb(&mut self, now: Timestamp, facts: Vec<Fact>) {
        if !facts.is_empty() {
            self.absorb_all(now, facts);
        }
    }

    fn absorb_all(&mut self, now: Timestamp, facts: Vec<Fact>) {
        for fact in facts {
            match fact {
                Fact::Tell(mut event) => {
                    if let Some(answer) = &self.answer {
                        Words::of(&answer.input).blot_event(&mut event);
                    }
                    self.tell(event);
                }
                Fact::Penalty(lasts) => self.penalize(now, lasts),
                Fact::NewTokens => {
                    self.core.generation = self.core.generation.wrapping_add(1);
                    self.unsaved = true;
                }
                Fact::Doubt(cause) => self.trouble(now, cause),
                Fact::TokensRefused => {
                    // The next process must not call with them either.
                    self.unsaved = true;
                    self.core.keepalive = None;
                    self.core.renewal = None;
                    self.core.check_at = None;
                    // What waits for a person looks on when the next token has been taken, and asks again if it must.
                    if let Some(open) = &mut self.core.need {
                        open.poll = None;
                    }
                }
                Fact::Usable(usable) => self.core.usable = usable,
                Fact::Settled(kind) => {
                    if self.core.need.take_if(|open| open.need.kind == kind).is_some() {
                        // As after an answer, patience begins anew.
                        self.core.trouble = self.core.trouble.map(|_| now);
                    }
                }
                Fact::Found(found) => self.core.found = found,
                Fact::Stuck(true) => self.stick(now),
                Fact::Stuck(false) => self.core.stuck = false,
                Fact::Accepted(kind) => {
                    self.core.tally.accepted(kind);
                    self.core.sum_up();
                }
                Fact::Progress => {
                    self.core.attempt = 0;
                    self.core.ease(|step| self.provider.rule(step).escalates);
                }
            }
        }
    }
}

impl<P: Provider + Send> Machine for Session<P> {
    fn start(&mut self, now: Timestamp) {
        let now = self.tick(now);
        if self.core.phase != Phase::Idle {
            return;
        }
        self.core.trouble = Some(now);
        self.set_phase(now, Phase::Opening);
        let mut facts = Vec::new();
        let probe = if self.core.adopted { self.provider.probe(&self.core.state) } else { None };
        let verdict = match probe {
            Some(step) => Verdict::next(step),
            None => self.provider.open(&mut cx!(self, now, facts), Because::Opening),
        };
        self.absorb(now, facts);
        self.apply(now, None, verdict);
    }

    fn poll(&mut self, now: Timestamp) -> Output {
        // Most polls come too early for anything.
        match self.still_waits(now) {
            Some((until, next)) => Output::Wait { until, on: self.waiting_on(next) },
            None => self.poll_output(now),
        }
    }

    fn handle_response(&mut self, now: Timestamp, id: RequestId, response: Response<'_>) -> Result<Accepted, Misuse> {
        self.take_response(now, id, response)
    }

    fn handle_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Accepted, Misuse> {
        self.take_failure(now, id, failure)
    }

    fn handle_input(&mut self, now: Timestamp, need: NeedId, input: Input, by: By) -> Answered {
        self.take_input(now, need, input, by)
    }

    fn authorize(&mut self, now: Timestamp, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        self.authorize_call(now, parts, body)
    }

    fn observe(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Accepted {
        self.observe_call(now, ticket, response)
    }

    fn observe_failure(&mut self, now: Timestamp, ticket: &Ticket, _: Failure) -> Accepted {
        self.tick(now);
        // A call that got no answer says something of the network and nothing of the session.
        if self.is_current(ticket) { Accepted::Used } else { Accepted::Stale }
    }

    fn check(&mut self, now: Timestamp) {
        let now = self.tick(now);
        self.want_check(now);
    }

    fn logout(&mut self, now: Timestamp) {
        let now = self.tick(now);
        self.begin_logout(now);
    }

    fn snapshot(&self) -> Snapshot {
        self.write_snapshot()
    }

    fn deadline(&self) -> Timestamp {
        self.quiet.map_or_else(|| self.due_at(), |(until, _)| until)
    }

    fn upcoming(&mut self, now: Timestamp) -> Option<Upcoming> {
        self.look_ahead(now)
    }

    fn hold_back(&mut self, now: Timestamp, lasts: Duration) -> Duration {
        let now = self.tick(now);
        self.core.penalty = self.core.penalty.max(now + lasts);
        self.core.penalty.since(now)
    }

    fn phase(&self) -> Phase {
        self.phase_now()
    }

    fn status(&self) -> Status {
        let due = self.next().1;
        Status {
            phase: self.phase_now(),
            since: self.aside.as_ref().map_or(self.core.since, |aside| aside.at),
            suspect: self.core.suspect && self.aside.is_none(),
            stuck: self.core.stuck && self.aside.is_none(),
            penalty: Some(self.core.penalty).filter(|end| *end > self.core.clock),
            last_alive: self.core.alive,
            // Not what the last poll said: so the two can be held against each other.
            deadline: self.due_at(),
            on: self.waiting_on(due),
        }
    }

    fn provider(&self) -> &'static str {
        self.provider.identity().provider
    }

    fn limit_group(&self) -> String {
        let identity = self.provider.identity();
        format!("{}|{}", identity.server.authority(), identity.account.unwrap_or_default())
    }
}

impl<P: Provider> std::fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("provider", &self.provider.identity().provider)
            .field("phase", &self.phase_now())
            .field("since", &self.core.since)
            .finish_non_exhaustive()
    }
}
