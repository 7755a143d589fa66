//! What a session is made of, and how the provider is asked.

use core::time::Duration;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::agenda::Slot;
use super::aside::Parting;
use super::core::Core;
use super::door::Inside;
use super::flight::Flights;
use super::hand::Hand;
use super::life::{Life, Stage};
use super::queue::Queue;
use super::redact::Words;
use super::saves::Saves;
use crate::machine::backoff::split_mix;
use crate::provider::{Context, Entropy, Fact, Provider, Verdict};
use crate::{Event, Options, RequestId, Seed, Timestamp, machine::NeedReason};

/// One session. Every function that changes it takes the time that [`Door::open`](super::door::Door::open) gave.
pub(super) struct Engine<P: Provider> {
    pub(super) provider: P,
    pub(super) options: Arc<Options>,
    pub(super) ids: Ids,
    pub(super) core: Core<P::Step, P::State>,
    pub(super) parting: Option<Box<Parting>>,
    pub(super) flights: Flights<P::Step>,
    /// The answers to needs, until the steps that spend them have been judged.
    pub(super) hand: Hand<P::Step>,
    /// The difference of clocks that was told last, in milliseconds.
    pub(super) skew: i64,
    /// When a look that somebody asked for was last made.
    pub(super) checked_at: Timestamp,
    pub(super) out: Out<P::Step>,
}

/// What makes this life of a session differ from every other.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Ids {
    /// Feeds the spread of waits.
    pub(super) jitter: u64,
    /// Feeds the provider's nonces and exponents.
    pub(super) key: Zeroizing<[u8; 24]>,
    pub(super) epoch: u64,
    pub(super) seq: u32,
    /// Counts what was given to the provider with entropy.
    pub(super) counter: u32,
}

/// What the driver is to be told.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Out<S> {
    pub(super) events: Queue,
    pub(super) saves: Saves<S>,
}

impl Ids {
    pub(super) fn new(seed: &Seed, epoch: u64) -> Self {
        let [j0, j1, j2, j3, j4, j5, j6, j7, key @ ..] = &*seed.0;
        let jitter = u64::from_le_bytes([*j0, *j1, *j2, *j3, *j4, *j5, *j6, *j7]);
        Self { jitter, key: Zeroizing::new(*key), epoch, seq: 0, counter: 0 }
    }

    /// Reports this life from others of the same epoch.
    pub(super) const fn life(&self) -> u32 {
        (split_mix(self.jitter) >> 32) as u32
    }

    pub(super) fn entropy(&mut self) -> Entropy<'_> {
        self.counter = self.counter.wrapping_add(1);
        let counter = u64::from(self.life()) << 32 | u64::from(self.counter);
        Entropy { key: &self.key, epoch: self.epoch, counter }
    }

    pub(super) const fn request(&self, seq: u32) -> RequestId {
        RequestId { epoch: self.epoch, life: self.life(), seq }
    }
}

impl<P: Provider> Engine<P> {
    pub(super) fn new(provider: P, options: Arc<Options>, ids: Ids, core: Core<P::Step, P::State>) -> Self {
        Self {
            provider,
            options,
            ids,
            core,
            parting: None,
            flights: Flights::default(),
            hand: Hand::default(),
            skew: 0,
            checked_at: Timestamp::from_millis(0),
            out: Out { events: Queue::default(), saves: Saves::default() },
        }
    }

    /// Asks the provider; `facts` takes what it tells beside its answer.
    #[inline]
    pub(super) fn ask_provider<R>(
        &mut self,
        now: Timestamp,
        facts: &mut Vec<Fact>,
        ask: impl FnOnce(&P, &mut Context<'_, P::State>) -> R,
    ) -> R {
        let entropy = self.ids.entropy();
        ask(&self.provider, &mut Context { now, entropy, state: &mut self.core.state, facts })
    }

    /// Asks the provider, and takes what it tells beside its answer.
    #[inline]
    pub(super) fn consult<R>(&mut self, now: Timestamp, ask: impl FnOnce(&P, &mut Context<'_, P::State>) -> R) -> R {
        let mut facts = Vec::new();
        let said = self.ask_provider(now, &mut facts, ask);
        self.absorb(now, facts);
        said
    }

    pub(super) fn start(&mut self, now: Timestamp) {
        let Life::Idle { adopted } = self.core.life else { return };
        self.note_must_store();
        self.core.trouble.begin(now);
        self.turn(now, Life::Opening { stage: Stage::opening(adopted), adopted });
        let probe = if adopted { self.provider.probe(&self.core.state) } else { None };
        let verdict = match probe {
            Some(step) => Verdict::next(step),
            None => self.consult(now, |provider, cx| provider.open(cx, NeedReason::Opening)),
        };
        self.apply(now, None, verdict);
    }

    /// Has the session stored before anything else where a server takes its tokens only once: a program that cannot store
    /// them, and does not say so, finds that out before anybody was asked for anything.
    pub(super) fn note_must_store(&mut self) {
        let rotates = self.provider.identity().rotates && self.core.life.closed().is_none();
        self.out.saves.note_rotated(rotates && !self.options.forgetful);
    }

    /// Returns the secrets that a server's text must not show.
    pub(super) fn words(&self) -> impl Iterator<Item = Words<'_>> {
        self.hand.words().chain(self.provider.secret(&self.core.state).map(Words::secret))
    }

    pub(super) fn tell(&mut self, event: Event) {
        self.out.events.push(event);
    }

    /// Takes what the provider told beside its answer, which is mostly nothing.
    #[inline]
    pub(super) fn absorb(&mut self, now: Timestamp, facts: Vec<Fact>) {
        if !facts.is_empty() {
            self.absorb_all(now, facts);
        }
    }

    fn absorb_all(&mut self, now: Timestamp, facts: Vec<Fact>) {
        for fact in facts {
            match fact {
                Fact::Tell(mut event) => {
                    for words in self.words() {
                        words.redact_event(&mut event);
                    }
                    self.tell(event);
                }
                Fact::Penalty(lasts) => self.penalize(now, lasts),
                Fact::NewTokens => {
                    self.flights.forget_late();
                    self.core.counts.renew_tokens();
                    self.out.saves.note();
                }
                Fact::Doubt(cause) => self.doubt(now, cause, None),
                Fact::TokensRefused => {
                    // The next process must not call with them either.
                    self.out.saves.note();
                    // What waits for a person looks on when the next token has been taken, and asks again if it must.
                    self.core.agenda.retain(|entry| {
                        !matches!(entry.slot, Slot::Keepalive | Slot::Renew | Slot::Check | Slot::Look)
                    });
                }
                Fact::Usable(usable) => self.let_calls(usable),
                Fact::Settled(kind) => {
                    if self.core.questions.settle(kind).is_some() {
                        self.core.plan_question(now);
                        // As after an answer.
                        self.be_patient_anew(now);
                    }
                }
                Fact::Declined(kind) => {
                    if self.core.questions.decline(kind) {
                        self.core.plan_question(now);
                        self.out.saves.note();
                    }
                }
                Fact::Found(found) => self.find(found),
                Fact::Stuck(stuck) => self.stick(now, stuck),
                Fact::Accepted(kind) => {
                    self.core.counts.tally.accepted(kind);
                }
                // Only what came of a step tells that, see `note_unspent`.
                Fact::Unspent(_) => {}
                Fact::Progress => {
                    self.core.trouble.progress();
                    self.core.limits.reset_escalation(|step| self.provider.rule(step).pace.escalates);
                }
            }
        }
    }
}

impl<P: Provider> Inside for Engine<P> {
    fn set_back(&mut self, by: Duration) {
        self.core.set_back(by);
        self.checked_at = self.checked_at - by;
        self.hand.set_back(by);
        self.flights.set_back(by);
    }
}
