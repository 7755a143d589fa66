//! What is known of a session: the part of the engine that a snapshot holds.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::Over;
use super::tally::Tally;
use crate::event::Cause;
use crate::provider::{Rule, When};
use crate::time::Interval;
use crate::{CloseReason, Need, Phase, Timestamp};

/// The shortest time between two requests that come again and again.
const SHORTEST: Duration = Duration::from_secs(1);

/// What is known of a session.
///
/// All instants in it are relative ones, which move when the clock is set back, but for a [`Moment`]
/// that a server named.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "testing", derive(Clone))]
#[serde(
    default,
    bound(
        serialize = "S: Serialize, T: Serialize",
        deserialize = "S: Deserialize<'de>, T: Deserialize<'de> + Default"
    )
)]
pub(super) struct Core<S, T> {
    /// The latest time that was seen.
    pub(super) clock: Timestamp,
    pub(super) phase: Phase,
    pub(super) since: Timestamp,
    pub(super) state: T,
    /// Started from somebody's tokens, which are not known to have ended: look first whether they live.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) adopted: bool,
    /// Whether somebody else opened this login.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) found: bool,
    /// When this login became usable; from then on no outage closes the session.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) opened: Option<Timestamp>,
    /// Whether calls of the user's own may be authorized.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) usable: bool,
    /// The last proof of life.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alive: Option<Timestamp>,
    #[serde(skip_serializing_if = "is_default")]
    pub(super) suspect: bool,
    /// Whether the login lives and no usable session comes of it.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) stuck: bool,
    /// The next step of the protocol.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) due: Option<Due<S>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keepalive: Option<Every<S>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renewal: Option<(S, Moment)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expires: Option<Moment>,
    /// When the tokens were last renewed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renewed: Option<Timestamp>,
    /// When somebody wants to know whether the session lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) check_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) need: Option<Box<Open<S>>>,
    /// Counts the needs.
    pub(super) needs: u32,
    /// How many answers were refused since the session was last usable, as versions read it that keep no kinds.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) refused: u8,
    /// When the last one was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) refused_at: Option<Timestamp>,
    /// How many answers may have been refused since the session was last usable, likewise.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) lost: u8,
    /// Of which kinds these were.
    #[serde(skip_serializing_if = "Tally::is_empty")]
    pub(super) tally: Tally,
    /// The end of the last one-time code that left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_spent: Option<Timestamp>,
    /// Since when the session is not what it should be; what `Options::patience` counts from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<Timestamp>,
    /// How many requests in a row have failed.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) attempt: u16,
    /// Why the last one failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
    /// The engine sends nothing before.
    pub(super) hold: Timestamp,
    /// The end of the penalty box: nobody sends anything before.
    pub(super) penalty: Timestamp,
    /// How often in a row the server has named a longer wait than it was believed.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) over: Over,
    /// The APIs that are limited, where each is for itself.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) boxes: Vec<super::boxes::ApiBox>,
    /// When the requests that were sent would have left at [`plan::FLOW`](super::plan) apart.
    pub(super) flow: Timestamp,
    /// When the steps that keep a distance were last sent.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) paces: Vec<Pace<S>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) relogins: Option<(Timestamp, u8)>,
    /// When the logout began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ending: Option<Timestamp>,
    /// Whether the logout's own steps are under way.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) leaving: bool,
    /// Whether something that nobody knows of may live on when the logout is done.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) unsure: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) closed: Option<Box<CloseReason>>,
    /// Counts the tokens, so that news about old ones is told from news about the present ones.
    pub(super) generation: u32,
}

/// The next step of the protocol.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Due<S> {
    pub(super) step: S,
    pub(super) at: Timestamp,
    /// Whether it follows a failure.
    pub(super) retry: bool,
}

/// A step that comes again and again.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Every<S> {
    pub(super) step: S,
    pub(super) every: Interval,
    /// When it was last sent, or its count began.
    pub(super) from: Timestamp,
    /// The next attempt after a failure.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Open<S> {
    pub(super) need: Need,
    /// Looks whether the question has answered itself.
    pub(super) poll: Option<Every<S>>,
    /// Whether the session goes on meanwhile.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) lasting: bool,
    /// The step that waits for the answer to a question about bytes, which is put anew when it grows old.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) asker: Option<S>,
    /// The step that the answer is for, where the question names one.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
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
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Moment {
    pub(super) at: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
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

/// When a step was last sent, and how often since the session was last usable; or how often in a row calls of the
/// user's own have put it off.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Pace<S> {
    pub(super) step: S,
    pub(super) last: Timestamp,
    pub(super) tries: u16,
}

impl<S: PartialEq, T> Core<S, T> {
    /// Moves everything relative back with the clock.
    pub(super) fn set_back(&mut self, by: Duration) {
        let back = |at: &mut Timestamp| *at = *at - by;
        back(&mut self.since);
        back(&mut self.hold);
        back(&mut self.penalty);
        self.over.set_back(by);
        back(&mut self.flow);
        let options = [
            &mut self.opened,
            &mut self.alive,
            &mut self.trouble,
            &mut self.ending,
            &mut self.check_at,
            &mut self.renewed,
            &mut self.refused_at,
        ];
        for at in options.into_iter().flatten() {
            back(at);
        }
        if let Some((_, moment)) = &mut self.renewal {
            moment.set_back(by);
        }
        if let Some(moment) = &mut self.expires {
            moment.set_back(by);
        }
        // A code's step is an instant, but one that was told by the clock that was wrong.
        if let Some(at) = &mut self.code_spent {
            back(at);
        }
        if let Some(at) = self.need.as_mut().and_then(|open| open.need.fresh_after.as_mut()) {
            back(at);
        }
        // The time of the clock that was wrong is in the bytes.
        if let Some(at) = self.need.as_mut().and_then(|open| open.need.until.as_mut()) {
            *at = Timestamp::from_millis(0);
        }
        if let Some(due) = &mut self.due {
            back(&mut due.at);
        }
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.set_back(by);
        }
        if let Some(poll) = self.need.as_mut().and_then(|open| open.poll.as_mut()) {
            poll.set_back(by);
        }
        if let Some((since, _)) = &mut self.relogins {
            back(since);
        }
        for pace in &mut self.paces {
            back(&mut pace.last);
        }
        for boxed in &mut self.boxes {
            boxed.set_back(by);
        }
    }

    /// Bounds the waits that a text tells: no server is believed longer.
    pub(super) fn bound_waits(&mut self) {
        let latest = self.clock + self.over.longest();
        self.penalty = self.penalty.min(latest);
        self.hold = self.hold.min(latest);
        self.over.bound(self.clock);
        for boxed in &mut self.boxes {
            boxed.bound(self.clock);
        }
    }

    /// Changes the pace of a step, which begins here if there is none.
    pub(super) fn note_pace(&mut self, step: S, note: impl FnOnce(&mut Pace<S>)) {
        match self.paces.iter_mut().find(|pace| pace.step == step) {
            Some(pace) => note(pace),
            None => {
                let mut pace = Pace { step, last: Timestamp::from_millis(0), tries: 0 };
                note(&mut pace);
                self.paces.push(pace);
            }
        }
    }

    /// Notes that a step leaves which keeps a distance from the next one.
    pub(super) fn note_left(&mut self, step: S, rule: &Rule, now: Timestamp)
    where
        S: Copy,
    {
        if !rule.is_remembered() && self.paces.iter().all(|pace| pace.step != step) {
            return;
        }
        self.note_pace(step, |pace| {
            pace.last = now;
            pace.tries = if rule.escalates { pace.tries.saturating_add(1) } else { 0 };
        });
    }

    /// Lets the steps that escalate start at their first wait again.
    pub(super) fn ease(&mut self, escalates: impl Fn(S) -> bool)
    where
        S: Copy,
    {
        for pace in self.paces.iter_mut().filter(|pace| escalates(pace.step)) {
            pace.tries = 0;
        }
    }

    /// Drops the plans of a step that leaves.
    pub(super) fn clear_plans_of(&mut self, now: Timestamp, step: S) {
        if self.due.as_ref().is_some_and(|due| due.step == step) {
            self.due = None;
        }
        if self.renewal.as_ref().is_some_and(|(renewal, _)| *renewal == step) {
            self.renewal = None;
            self.renewed = Some(now);
        }
        let poll = self.need.as_mut().and_then(|open| open.poll.as_mut());
        for every in [self.keepalive.as_mut(), poll].into_iter().flatten() {
            if every.step == step {
                every.from = now;
                every.retry = None;
            }
        }
    }

    /// Drops the plans of a step that may have left before the clock stopped.
    pub(super) fn clear_due_plans_of(&mut self, step: S) {
        let clock = self.clock;
        let from =
            |every: Option<&Every<S>>| every.filter(|every| every.at() > clock).map(|every| (every.from, every.retry));
        let keepalive = from(self.keepalive.as_ref());
        let poll = from(self.need.as_ref().and_then(|open| open.poll.as_ref()));
        self.clear_plans_of(clock, step);
        // One that is not due has left at its own time.
        let every = self.keepalive.as_mut().zip(keepalive);
        let poll = self.need.as_mut().and_then(|open| open.poll.as_mut()).zip(poll);
        for (every, (from, retry)) in every.into_iter().chain(poll) {
            every.from = from;
            every.retry = retry;
        }
    }

    /// Drops all that belongs to an open session, the provider's state aside.
    pub(super) fn clear_plans(&mut self) {
        self.due = None;
        self.keepalive = None;
        self.renewal = None;
        self.expires = None;
        self.need = None;
        self.check_at = None;
        self.opened = None;
        self.usable = false;
        self.suspect = false;
        self.stuck = false;
    }
}

impl<S, T: Default> Default for Core<S, T> {
    fn default() -> Self {
        let zero = Timestamp::from_millis(0);
        Self {
            clock: zero,
            phase: Phase::Idle,
            since: zero,
            state: T::default(),
            adopted: false,
            found: false,
            opened: None,
            usable: false,
            alive: None,
            suspect: false,
            stuck: false,
            due: None,
            keepalive: None,
            renewal: None,
            expires: None,
            renewed: None,
            check_at: None,
            need: None,
            needs: 0,
            refused: 0,
            refused_at: None,
            lost: 0,
            tally: Tally::default(),
            code_spent: None,
            trouble: None,
            attempt: 0,
            cause: None,
            hold: zero,
            penalty: zero,
            over: Over::default(),
            boxes: Vec::new(),
            flow: zero,
            paces: Vec::new(),
            relogins: None,
            ending: None,
            leaving: false,
            unsure: false,
            closed: None,
            generation: 0,
        }
    }
}

fn none<S>() -> Option<S> {
    None
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
