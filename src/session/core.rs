//! What is known of a session: all that a snapshot is made of.

use core::time::Duration;

use super::life::{Life, Trouble};
use super::limits::Limits;
use super::tally::Tally;
use crate::provider::When;
use crate::time::Interval;
use crate::{Need, NeedKind, Timestamp};

/// The shortest time between two requests that come again and again.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is known of a session.
///
/// All instants in it are relative ones, which move when the clock is set back, but for a [`Moment`]
/// that a server named.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Core<S, T> {
    pub(super) state: T,
    pub(super) life: Life,
    /// Since when the phase is what it is.
    pub(super) since: Timestamp,
    /// The last proof of life.
    pub(super) alive: Option<Timestamp>,
    pub(super) trouble: Option<Trouble>,
    pub(super) plans: Plans<S>,
    pub(super) limits: Limits<S>,
    pub(super) need: Option<Box<Open<S>>>,
    pub(super) counts: Counts,
    /// Counts the tokens, so that news about old ones is told from news about the present ones.
    pub(super) generation: u32,
}

/// What is planned.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Plans<S> {
    /// The next step of the protocol.
    pub(super) due: Option<Due<S>>,
    pub(super) keepalive: Option<Every<S>>,
    pub(super) renewal: Option<(S, Moment)>,
    pub(super) expires: Option<Moment>,
    /// When the tokens were last renewed.
    pub(super) renewed: Option<Timestamp>,
    /// When somebody wants to know whether the session lives.
    pub(super) check_at: Option<Timestamp>,
}

/// What is counted over restarts, so that no account is locked and no clock is fooled.
#[cfg_attr(feature = "testing", derive(Clone))]
#[derive(Default)]
pub(super) struct Counts {
    /// Counts the needs.
    pub(super) needs: u32,
    /// Answers that were refused or may have been, since the session was last usable.
    pub(super) tally: Tally,
    /// When the last one was refused.
    pub(super) refused_at: Option<Timestamp>,
    /// The end of the last one-time code that left.
    pub(super) code_spent: Option<Timestamp>,
    /// How many logins followed a proven expiry, and since when that is counted.
    pub(super) relogins: Option<(Timestamp, u8)>,
}

/// The next step of the protocol.
#[derive(Clone, Copy)]
pub(super) struct Due<S> {
    pub(super) step: S,
    pub(super) at: Timestamp,
    /// Whether it follows a failure.
    pub(super) retry: bool,
}

/// A step that comes again and again.
#[derive(Clone, Copy)]
pub(super) struct Every<S> {
    pub(super) step: S,
    pub(super) every: Interval,
    /// When it was last sent, or its count began.
    pub(super) from: Timestamp,
    /// The next attempt after a failure.
    pub(super) retry: Option<Timestamp>,
}

impl<S> Every<S> {
    pub(super) fn new(step: S, every: Duration, from: Timestamp) -> Self {
        Self { step, every: every.max(SHORTEST).into(), from, retry: None }
    }

    pub(super) fn at(&self) -> Timestamp {
        let at = self.from + self.every;
        self.retry.map_or(at, |retry| retry.min(at))
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.from = self.from - by;
        self.retry = self.retry.map(|at| at - by);
    }
}

/// An open question.
#[derive(Clone)]
pub(super) struct Open<S> {
    pub(super) need: Need,
    /// Looks whether the question has answered itself.
    pub(super) poll: Option<Every<S>>,
    /// Whether the session goes on meanwhile.
    pub(super) lasting: bool,
    /// The step that waits for the answer to a question about bytes, which is put anew when it grows old.
    pub(super) asker: Option<S>,
    /// The step that the answer is for, where the question names one.
    pub(super) then: Option<S>,
}

impl<S> Open<S> {
    /// Tells when the question is to be put anew, with other bytes.
    pub(super) fn ends(&self) -> Timestamp {
        match (&self.asker, &self.need.message) {
            (None, _) => Timestamp::NEVER,
            // The bytes were in the memory of an earlier process.
            (Some(_), None) => Timestamp::from_millis(0),
            (Some(_), Some(_)) => self.need.until.unwrap_or(Timestamp::NEVER),
        }
    }
}

/// An instant that a server named, or one that lies so long after another.
#[derive(Clone, Copy)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    pub(super) relative: bool,
}

impl Moment {
    pub(super) fn new(now: Timestamp, when: When) -> Self {
        match when {
            When::At(at) => Self { at, relative: false },
            When::In(after) => Self { at: now + after, relative: true },
        }
    }

    fn set_back(&mut self, by: Duration) {
        if self.relative {
            self.at = self.at - by;
        }
    }
}

impl<S: PartialEq, T> Core<S, T> {
    /// Moves everything relative back with the clock.
    pub(super) fn set_back(&mut self, by: Duration) {
        let Self { state: _, life, since, alive, trouble, plans, limits, need, counts, generation: _ } = self;
        let back = |at: &mut Timestamp| *at = *at - by;
        back(since);
        life.set_back(by);
        alive.iter_mut().for_each(back);
        if let Some(Trouble { since, attempt: _, cause: _ }) = trouble {
            back(since);
        }
        plans.set_back(by);
        limits.set_back(by);
        counts.set_back(by);
        if let Some(open) = need {
            open.need.fresh_after.iter_mut().for_each(back);
            // The time of the clock that was wrong is in the bytes.
            open.need.until = open.need.until.map(|_| Timestamp::from_millis(0));
            if let Some(poll) = &mut open.poll {
                poll.set_back(by);
            }
        }
    }

    /// Drops the plans of a step that leaves.
    pub(super) fn clear_plans_of(&mut self, now: Timestamp, step: S) {
        if self.plans.due.as_ref().is_some_and(|due| due.step == step) {
            self.plans.due = None;
        }
        if self.plans.renewal.as_ref().is_some_and(|(renewal, _)| *renewal == step) {
            self.plans.renewal = None;
            self.plans.renewed = Some(now);
        }
        let poll = self.need.as_mut().and_then(|open| open.poll.as_mut());
        for every in [self.plans.keepalive.as_mut(), poll].into_iter().flatten() {
            if every.step == step {
                every.from = now;
                every.retry = None;
            }
        }
    }

    /// Drops the plans of a step that may have left before the clock stopped.
    pub(super) fn clear_due_plans_of(&mut self, clock: Timestamp, step: S) {
        let from =
            |every: Option<&Every<S>>| every.filter(|every| every.at() > clock).map(|every| (every.from, every.retry));
        let keepalive = from(self.plans.keepalive.as_ref());
        let poll = from(self.need.as_ref().and_then(|open| open.poll.as_ref()));
        self.clear_plans_of(clock, step);
        // One that is not due has left at its own time.
        let every = self.plans.keepalive.as_mut().zip(keepalive);
        let poll = self.need.as_mut().and_then(|open| open.poll.as_mut()).zip(poll);
        for (every, (from, retry)) in every.into_iter().chain(poll) {
            every.from = from;
            every.retry = retry;
        }
    }

    /// Drops all that belongs to an open session, the provider's state aside.
    pub(super) fn clear_plans(&mut self) {
        self.plans = Plans { renewed: self.plans.renewed, ..Plans::default() };
        self.need = None;
    }

    /// Tells whether the session is open and something speaks against it.
    pub(super) fn is_suspect(&self) -> bool {
        self.life.is_open() && self.trouble.is_some_and(|trouble| trouble.cause.is_some())
    }

    /// Gives how many requests in a row have failed.
    pub(super) fn attempt(&self) -> u16 {
        self.trouble.map_or(0, |trouble| trouble.attempt)
    }

    /// Tells whether a question of this kind is open.
    pub(super) fn is_asked(&self, kind: NeedKind) -> bool {
        self.need.as_ref().is_some_and(|open| open.need.kind == kind)
    }
}

impl<S> Plans<S> {
    fn set_back(&mut self, by: Duration) {
        let Self { due, keepalive, renewal, expires, renewed, check_at } = self;
        let moments = renewal.iter_mut().map(|(_, moment)| moment).chain(expires);
        moments.for_each(|moment| moment.set_back(by));
        if let Some(keepalive) = keepalive {
            keepalive.set_back(by);
        }
        let due = due.as_mut().map(|due| &mut due.at);
        for at in [due, renewed.as_mut(), check_at.as_mut()].into_iter().flatten() {
            *at = *at - by;
        }
    }
}

impl Counts {
    fn set_back(&mut self, by: Duration) {
        let Self { needs: _, tally: _, refused_at, code_spent, relogins } = self;
        // A code's step is an instant, but one that was told by the clock that was wrong.
        let since = relogins.as_mut().map(|(since, _)| since);
        for at in [refused_at.as_mut(), code_spent.as_mut(), since].into_iter().flatten() {
            *at = *at - by;
        }
    }
}

impl<S> Default for Plans<S> {
    fn default() -> Self {
        Self { due: None, keepalive: None, renewal: None, expires: None, renewed: None, check_at: None }
    }
}

impl<S, T: Default> Default for Core<S, T> {
    fn default() -> Self {
        Self::new(T::default(), Life::Idle { adopted: false })
    }
}

impl<S, T> Core<S, T> {
    pub(super) fn new(state: T, life: Life) -> Self {
        Self {
            state,
            life,
            since: Timestamp::from_millis(0),
            alive: None,
            trouble: None,
            plans: Plans::default(),
            limits: Limits::default(),
            need: None,
            counts: Counts::default(),
            generation: 0,
        }
    }
}
