//! The one engine: it drives every provider's steps through time, failures and questions.
//!
//! # Life (`life`)
//!
#![doc = include_str!("life.md")]
//!
//! # Agenda (`agenda`) and limits (`limits`)
//!
#![doc = include_str!("agenda.md")]
//!
//! # Consequences (`after`)
//!
//! What follows where a step did not get what it was sent for:
//!
#![doc = include_str!("after.md")]
//!
//! # Files
//!
//! - `door`: the only way to change it: time, and the poll that comes too early
//! - `engine`: what it is made of, and how the provider is asked
//! - `core`: what is known of a session, of its `life`, of the `agenda` and of `limits`
//! - `text`: that in types of its own, and `format`: written down and read; `summary`: what anybody may read of it
//! - `trouble`: what speaks against it, and how long it has
//! - `saves`: what the driver is to store
//! - `agenda`: what is planned, as one table: its lines (`entry`), and what the plan of an open session makes of them (`renewals`)
//! - `plan`: what is due next: the least instant of the table, behind the limits
//! - `poll`: what the driver is told to do
//! - `queue`: what waits to be told
//! - `judge`: what follows from responses and verdicts
//! - `after`: what follows where a step did not get what it was sent for, as a table
//! - `fall`: how that is done
//! - `flight`: requests that are under way
//! - `said`: what servers say about time
//! - `active`: usable, and found dead
//! - `questions`: those that are put: open, waiting or declined
//! - `answer`: needs and their answers
//! - `hand`: the answers in memory
//! - `tally`: what a login has cost: answers that were refused, or may have been
//! - `remember`: what a new session takes over of an earlier one
//! - `end`: logout and closing
//! - `aside`: a life that ends while the session lives on
//! - `preview`: what the next poll would send, for those who drive many sessions
//! - `calls`: the user's own calls
//! - `boxes`: limits of a server that counts each of its APIs for itself
//! - `chain`: a short list, mostly empty
//! - `resume`: taking up a session that was written down
//! - `copy`: copies, for walks
//! - `stream`: the stream that some providers serve beside the calls

mod active;
mod after;
mod agenda;
mod answer;
mod aside;
mod boxes;
mod calls;
mod chain;
#[cfg(feature = "testing")]
mod copy;
mod core;
mod door;
mod end;
mod fall;
mod flight;
mod format;
mod hand;
mod judge;
mod life;
#[cfg(feature = "testing")]
mod likeness;
mod limits;
mod plan;
mod poll;
mod preview;
mod questions;
mod queue;
mod redact;
mod remember;
mod resume;
mod said;
mod saves;
mod stream;
mod summary;
mod tally;
mod text;
mod trouble;
mod turn;

use ::core::time::Duration;
use std::sync::Arc;

pub(crate) use door::STANDS_STILL;
use http::request::Parts;
#[cfg(feature = "testing")]
pub(crate) use likeness::{left_in, likeness};
#[cfg(feature = "testing")]
pub(crate) use said::penalty_named;
pub(crate) use said::penalty_of;

use self::core::Core;
use self::door::Door;
use self::life::Life;
use self::plan::Next;
use self::turn::{Engine, Ids};
use crate::provider::{Adopts, Provider};
use crate::{
    AuthorizeError, Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, Options, Output, Phase, RequestId,
    Response, Seed, Snapshot, Source, Status, Ticket, Timestamp,
    machine::{Rejection, Upcoming},
};

/// A login session of one provider: the engine, and the [`Machine`] that drivers see.
///
/// # Life
///
#[doc = include_str!("life.md")]
///
/// # What goes next
///
#[doc = include_str!("agenda.md")]
///
/// # What follows a failure
///
/// It depends on where the session stands, on what the step's [rule](crate::provider::Rule::replay) says, and on what became of
/// the request: the table is at [`Replay`](crate::provider::Replay).
pub struct Session<P: Provider>(Door<Engine<P>, Next<P::Step>>);

impl<P: Provider> Session<P> {
    /// Creates a session that is to be opened with [`Machine::start`].
    ///
    /// Many sessions may share their options: hand each a clone of one `Arc`.
    pub fn new(provider: P, options: impl Into<Arc<Options>>, seed: impl Into<Seed>) -> Self {
        Self::begun_by(provider, options.into(), &seed.into(), Core::default())
    }

    /// Prepares a session of tokens that somebody already has; [`Machine::start`] looks first whether they live.
    ///
    /// # Errors
    /// [`Rejection`] names the token that is empty or malformed.
    pub fn adopt(
        provider: P,
        tokens: P::Tokens,
        options: impl Into<Arc<Options>>,
        seed: impl Into<Seed>,
    ) -> Result<Self, Rejection>
    where
        P: Adopts,
    {
        let state = provider.adopt(tokens)?;
        Ok(Self::of_state(provider, state, options.into(), &seed.into()))
    }

    /// Prepares a session of a state that was made of somebody's tokens.
    pub(crate) fn of_state(provider: P, state: P::State, options: Arc<Options>, seed: &Seed) -> Self {
        Self::begun_by(provider, options, seed, Core::new(state, Life::Idle { adopted: true }))
    }

    fn begun_by(provider: P, options: Arc<Options>, seed: &Seed, core: Core<P::Step, P::State>) -> Self {
        Self::of(Timestamp::from_millis(0), Engine::new(provider, options, Ids::new(seed, 1), core))
    }

    fn of(clock: Timestamp, engine: Engine<P>) -> Self {
        Self(Door::new(clock, engine, Next::Nothing))
    }

    /// Shows what is known of the session while it is usable: user id, base URLs, expiry, tokens.
    pub fn live(&self) -> Option<&P::Live> {
        let engine = self.0.inside();
        if engine.serves_calls() { engine.provider.live(&engine.core.state) } else { None }
    }

    /// Shows the provider.
    pub const fn provider(&self) -> &P {
        &self.0.inside().provider
    }

    /// Returns the provider back.
    pub fn into_provider(self) -> P {
        self.0.into_inside().provider
    }

    /// Prepares a call of the user's own, see [`Machine::authorize`].
    ///
    /// # Errors
    /// Those of [`Machine::authorize`].
    pub fn authorize_request<B: AsRef<[u8]>>(
        &mut self,
        now: Timestamp,
        request: http::Request<B>,
    ) -> Result<(http::Request<B>, Ticket), AuthorizeError> {
        let (mut parts, body) = request.into_parts();
        let (now, engine) = self.0.open(now);
        let ticket = engine.authorize_call(now, &mut parts, body.as_ref())?;
        Ok((http::Request::from_parts(parts, body), ticket))
    }

    #[inline(never)]
    fn poll_inside(&mut self, now: Timestamp) -> Output {
        let (now, engine, quiet) = self.0.open_to_poll(now);
        engine.poll_output(now, quiet)
    }
}

impl<P: Provider + Send> Machine for Session<P> {
    fn start(&mut self, now: Timestamp) {
        let (now, engine) = self.0.open(now);
        engine.start(now);
    }

    fn poll(&mut self, now: Timestamp) -> Output {
        // Most polls come too early for anything.
        match self.0.still(now) {
            Some((until, next, engine)) => Output::Wait { until, on: engine.waiting_on(now, next) },
            None => self.poll_inside(now),
        }
    }

    fn handle_response(&mut self, now: Timestamp, id: RequestId, response: Response<'_>) -> Result<Handled, Misuse> {
        let (now, engine) = self.0.open(now);
        engine.take_response(now, id, response)
    }

    fn handle_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        let (now, engine) = self.0.open(now);
        engine.take_failure(now, id, failure)
    }

    fn handle_input(&mut self, now: Timestamp, need: NeedId, input: Input, by: Source) -> InputHandled {
        let (now, engine) = self.0.open(now);
        engine.take_input(now, need, input, by)
    }

    fn authorize(&mut self, now: Timestamp, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        let (now, engine) = self.0.open(now);
        engine.authorize_call(now, parts, body)
    }

    fn observe(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Handled {
        let (now, engine) = self.0.open(now);
        engine.observe_call(now, ticket, response)
    }

    fn observe_failure(&mut self, now: Timestamp, ticket: &Ticket, _: Failure) -> Handled {
        // A call that got no answer says something of the network and nothing of the session.
        if self.0.open(now).1.is_current(ticket) { Handled::Used } else { Handled::Stale }
    }

    fn check(&mut self, now: Timestamp) {
        let (now, engine) = self.0.open(now);
        engine.want_check(now);
    }

    fn logout(&mut self, now: Timestamp) {
        let (now, engine) = self.0.open(now);
        engine.begin_logout(now);
    }

    fn snapshot(&self) -> Snapshot {
        format::write(self.0.inside(), self.0.clock())
    }

    fn deadline(&self) -> Timestamp {
        self.0.quiet().unwrap_or_else(|| self.0.inside().due_at(self.0.clock()))
    }

    fn upcoming(&mut self, now: Timestamp) -> Option<Upcoming> {
        let (now, engine) = self.0.open(now);
        engine.preview(now)
    }

    fn hold_back(&mut self, now: Timestamp, lasts: Duration) -> Duration {
        let (now, engine) = self.0.open(now);
        engine.core.limits.penalize(now + lasts);
        engine.core.limits.penalty.since(now)
    }

    fn phase(&self) -> Phase {
        self.0.inside().phase_now()
    }

    fn status(&self) -> Status {
        let (engine, clock) = (self.0.inside(), self.0.clock());
        let due = engine.next().1;
        Status {
            phase: engine.phase_now(),
            since: engine.aside().map_or(engine.core.since, |aside| aside.at),
            suspect: engine.core.is_suspect() && engine.aside().is_none(),
            stuck: engine.core.life.is_stuck() && engine.aside().is_none(),
            penalty: Some(engine.core.limits.penalty).filter(|end| *end > clock),
            last_alive: engine.core.alive,
            // Not what the last poll said: so the two can be held against each other.
            deadline: engine.due_at(clock),
            on: engine.waiting_on(clock, due),
        }
    }

    fn provider(&self) -> &'static str {
        self.0.inside().provider.identity().provider
    }

    fn limit_group(&self) -> String {
        let identity = self.0.inside().provider.identity();
        format!("{}|{}", identity.server.authority(), identity.account.unwrap_or_default())
    }
}

impl<P: Provider> std::fmt::Debug for Session<P> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let engine = self.0.inside();
        f.debug_struct("Session")
            .field("provider", &engine.provider.identity().provider)
            .field("phase", &engine.phase_now())
            .field("since", &engine.core.since)
            .finish_non_exhaustive()
    }
}
