//! A provider that behaves as the one inside it and notes what the engine asked of it.

use core::time::Duration;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use http::request::Parts;

use crate::provider::{
    Answers, Build, Context, Ended, Entropy, Fact, Given, Identity, Judgment, Leave, Observed, Outcome, Plan, Provider,
    Replay, Rule, Target, Unauthorized, Unbuildable, Verdict, View, When,
};
use crate::{
    CloseReason, Input, NeedKind, Response, Secret, Ticket, Timestamp,
    machine::{Denial, NeedReason, Rejection},
};

/// How many requests one call of the session may have built before it counts as spinning.
const SPIN: usize = 1_000;

/// What the engine asked and what the provider said.
#[derive(Clone, Debug)]
pub(super) enum Note<S> {
    Request {
        step: S,
        answers: Vec<String>,
        fits: bool,
    },
    Said {
        from: From<S>,
        what: What,
    },
    Lost(S),
    NewTokens,
    Accepted(NeedKind),
    Unspent(NeedKind),
    Penalty(Duration),
    Waits(Duration),
    Instant(Timestamp),
    /// The session is kept or renewed by this step at that time.
    Planned {
        step: S,
        when: When,
        renewal: bool,
    },
    /// The tokens end.
    Ends(When),
    /// A request could not be built, for want of this.
    Unbuildable(S, &'static str),
}

/// What led to a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From<S> {
    Response(S),
    Other,
}

/// A verdict, as far as the laws speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    Next,
    Ask(NeedKind, NeedReason),
    Active,
    Unjudged,
    Judged,
    Failed,
    Unreadable(&'static str),
    Dead(&'static str),
    Close(CloseReason),
}

/// What was noted since somebody looked.
#[derive(Debug)]
pub(super) struct Log<S>(Arc<Mutex<Vec<Note<S>>>>, Arc<AtomicU64>);

impl<S> Clone for Log<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), Arc::clone(&self.1))
    }
}

impl<S> Log<S> {
    pub(super) fn new() -> Self {
        Self(Arc::default(), Arc::default())
    }

    /// Creates a provider draw the same in two lives that are compared, by a nonzero number; zero ends that.
    pub(super) fn draw_alike(&self, number: u64) {
        self.1.store(number, Ordering::Relaxed);
    }

    fn draws(&self) -> Option<Entropy<'static>> {
        let number = self.1.load(Ordering::Relaxed);
        (number > 0).then_some(Entropy { key: &[7; 24], epoch: 0, counter: number })
    }

    pub(super) fn drain(&self) -> Vec<Note<S>> {
        core::mem::take(&mut *self.lock())
    }

    /// Returns what the provider said of the last response, if it was asked.
    pub(super) fn peek(&self) -> Option<What> {
        self.lock().iter().find_map(|note| match note {
            Note::Said { from: From::Response(_), what } => Some(what.clone()),
            _ => None,
        })
    }

    /// Reports whether the provider said with the last response that an answer of this kind was accepted.
    pub(super) fn accepts(&self, kind: NeedKind) -> bool {
        self.lock().iter().any(|note| matches!(note, Note::Accepted(accepted) if *accepted == kind))
    }

    /// Reports whether the provider said so that the server has not checked an answer of this kind.
    pub(super) fn leaves_unspent(&self, kind: NeedKind) -> bool {
        self.lock().iter().any(|note| matches!(note, Note::Unspent(unspent) if *unspent == kind))
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Note<S>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The provider that notes.
pub(super) struct Watched<P: Provider> {
    pub(super) inner: P,
    pub(super) log: Log<P::Step>,
}

/// Returns the part of an answer that is secret, and unique in a run.
pub(super) fn secret(input: &Input) -> Option<&str> {
    match input {
        Input::Credentials(given) => Some(given.password()),
        Input::Code(text) | Input::Pin(text) | Input::Token(text) | Input::Redirect(text) | Input::Text(text) => {
            Some(text.expose())
        }
        Input::Totp(totp) => Some(totp.code()),
        _ => None,
    }
}

impl<P: Provider> Watched<P> {
    fn note(&self, note: Note<P::Step>) {
        self.log.lock().push(note);
    }

    fn said(&self, from: From<P::Step>, verdict: &Verdict<P::Step>) {
        let mut waits = Duration::ZERO;
        let what = match verdict {
            Verdict::Next { after, .. } => {
                waits = *after;
                What::Next
            }
            Verdict::Ask(ask) => {
                waits = ask.poll.as_ref().map_or(waits, |(_, every)| *every);
                What::Ask(ask.kind, ask.because)
            }
            Verdict::Active(plan) => {
                let Plan { keepalive, expires, .. } = plan;
                // A quarter longer after one of the user's own.
                waits = keepalive.as_ref().map_or(waits, |(_, every)| *every + *every / 4);
                if let Some((step, every)) = keepalive {
                    self.note(Note::Planned { step: *step, when: When::In(*every), renewal: false });
                }
                for (step, when) in plan.renewals() {
                    self.note(Note::Planned { step: *step, when: *when, renewal: true });
                }
                if let Some(when) = expires {
                    self.note(Note::Ends(*when));
                }
                for when in plan.renewals().map(|(_, when)| *when).chain(*expires) {
                    match when {
                        When::At(at) => self.note(Note::Instant(at)),
                        When::In(wait) => self.note(Note::Waits(wait)),
                    }
                }
                What::Active
            }
            Verdict::Retry { after, answer } => {
                waits = after.unwrap_or_default();
                match answer {
                    Judgment::Unjudged => What::Unjudged,
                    Judgment::Judged => What::Judged,
                    Judgment::Failed => What::Failed,
                }
            }
            Verdict::Unreadable(why) => What::Unreadable(why),
            Verdict::Dead { proof } => What::Dead(proof),
            Verdict::Close(reason) => What::Close(reason.clone()),
            Verdict::Unfit => What::Close(CloseReason::Denied(Denial::NotEntitled)),
        };
        self.note(Note::Waits(waits));
        self.note(Note::Said { from, what });
    }

    /// Runs a call of the provider and notes the facts that it told.
    fn facts<'a, R>(&self, cx: &mut Context<'a, P::State>, call: impl FnOnce(&mut Context<'a, P::State>) -> R) -> R {
        cx.entropy = self.log.draws().unwrap_or(cx.entropy);
        let told = cx.facts.len();
        let result = call(cx);
        for fact in cx.facts.iter().skip(told) {
            match fact {
                Fact::NewTokens => self.note(Note::NewTokens),
                Fact::Accepted(kind) => self.note(Note::Accepted(*kind)),
                Fact::Unspent(kind) => self.note(Note::Unspent(*kind)),
                Fact::Penalty(lasts) => self.note(Note::Penalty(*lasts)),
                _ => {}
            }
        }
        result
    }

    /// The same for what an answer led to, whose own word decides how long its penalty box lasts.
    fn facts_of<'a, R>(
        &self,
        cx: &mut Context<'a, P::State>,
        response: Response<'_>,
        call: impl FnOnce(&mut Context<'a, P::State>) -> R,
    ) -> R {
        let (named, before) = (crate::engine::penalty_named(cx.now, response).is_some(), self.log.lock().len());
        let result = self.facts(cx, call);
        if named {
            let mut log = self.log.lock();
            let later = log.split_off(before);
            log.extend(later.into_iter().filter(|note| !matches!(note, Note::Penalty(_))));
        }
        result
    }
}

/// Returns the longest wait that a rule itself can lead to.
fn longest(rule: &Rule) -> Duration {
    rule.pace.backoff.cap.max(rule.pace.min_interval * 2).max(rule.timeout.saturating_add(Duration::from_secs(5)))
}

#[deny(clippy::missing_trait_methods, reason = "the laws are checked on the provider inside, not on defaults")]
impl<P: Provider> Provider for Watched<P> {
    type Step = P::Step;
    type State = P::State;
    type Live = P::Live;

    fn identity(&self) -> Identity<'_> {
        self.inner.identity()
    }

    fn rule(&self, step: P::Step) -> &Rule {
        self.inner.rule(step)
    }

    fn open(&self, cx: &mut Context<'_, P::State>, because: NeedReason) -> Verdict<P::Step> {
        let verdict = self.facts(cx, |cx| self.inner.open(cx, because));
        self.said(From::Other, &verdict);
        verdict
    }

    fn admits(&self, state: &P::State) -> Result<(), &'static str> {
        self.inner.admits(state)
    }

    fn live<'a>(&self, state: &'a P::State) -> Option<&'a P::Live> {
        self.inner.live(state)
    }

    fn forget(&self, state: &mut P::State, ended: Ended) {
        self.inner.forget(state, ended);
    }

    fn answered(
        &self,
        cx: &mut Context<'_, P::State>,
        given: &Given<'_, P::Step>,
    ) -> Result<Verdict<P::Step>, Rejection> {
        let verdict = self.facts(cx, |cx| self.inner.answered(cx, given))?;
        self.said(From::Other, &verdict);
        Ok(verdict)
    }

    fn left(&self, cx: &mut Context<'_, P::State>, step: P::Step) {
        self.facts(cx, |cx| self.inner.left(cx, step));
    }

    #[expect(clippy::panic, reason = "an engine that spins never comes back to be asked")]
    fn request(
        &self,
        view: &View<'_, P::State>,
        step: P::Step,
        answers: &Answers<'_>,
    ) -> Result<Build<P::Step>, Unbuildable> {
        if self.log.lock().len() > SPIN {
            panic!("no spin: one call of the session built {step:?} over and over");
        }
        let rule = self.inner.rule(step);
        let built = self.inner.request(view, step, answers).inspect_err(|error| {
            if let Unbuildable::Part(part) = error {
                self.note(Note::Unbuildable(step, part));
            }
        })?;
        self.note(Note::Waits(longest(rule)));
        match &built {
            Build::Needs(ask) => {
                self.note(Note::Waits(ask.poll.as_ref().map_or(Duration::ZERO, |(_, every)| *every)));
            }
            Build::Request(_) => {
                let fits = rule.takes().all(|kind| answers.get(kind).is_ok_and(|answer| answer.fits(kind)));
                let answers = answers.iter().filter_map(|(_, answer)| secret(answer)).map(str::to_owned).collect();
                self.note(Note::Request { step, answers, fits });
            }
        }
        Ok(built)
    }

    fn interpret(&self, cx: &mut Context<'_, P::State>, step: P::Step, outcome: Outcome<'_>) -> Verdict<P::Step> {
        let call = |cx: &mut Context<'_, P::State>| self.inner.interpret(cx, step, outcome);
        let (verdict, from) = match outcome {
            Outcome::Response(response) => (self.facts_of(cx, response, call), From::Response(step)),
            Outcome::Lost => {
                self.note(Note::Lost(step));
                (self.facts(cx, call), From::Other)
            }
        };
        self.said(from, &verdict);
        verdict
    }

    fn probe(&self, state: &P::State) -> Option<P::Step> {
        self.inner.probe(state)
    }

    fn logout(&self, state: &P::State) -> Leave<P::Step> {
        self.inner.logout(state)
    }

    fn secret<'a>(&'a self, state: &'a P::State) -> Option<&'a Secret> {
        self.inner.secret(state)
    }

    fn authorize(&self, cx: &mut Context<'_, P::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        self.facts(cx, |cx| self.inner.authorize(cx, parts, body))
    }

    fn observe(&self, cx: &mut Context<'_, P::State>, call: &Ticket, response: Response<'_>) -> Observed {
        self.facts_of(cx, response, |cx| self.inner.observe(cx, call, response))
    }

    fn target<'a>(&'a self, state: &'a P::State, path: &str) -> Target<'a, P::Step> {
        self.inner.target(state, path)
    }
}

/// Reports whether sending a step twice may do harm.
pub(super) fn is_harmful(rule: &Rule) -> bool {
    rule.replay != Replay::Safe
}
