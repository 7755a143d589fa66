//! What keeps a request from leaving now: one gate for all that is planned.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::boxes::ApiBox;
use super::chain::Chain;
use crate::Timestamp;
use crate::provider::Pace;

/// However a server steers a session, it sends no more than one request in so long on the average,
const FLOW: Duration = Duration::from_secs(2);

/// and no more than thirty at once. A logout is exempt, it has bounds of its own.
const AT_ONCE: Duration = Duration::from_secs(60);

/// The longest wait that a server is believed at first. The longest penalty known of is 15 minutes; an uncapped one
/// would leave a session dead for as long as a server likes, where the header was meant in milliseconds, or the box was
/// lifted early.
///
/// A server that goes on naming a longer wait means it: IBKR blocks an address for good whose requests are refused again
/// and again. So each further capped wait lasts twice as long as the one before, see [`Over`].
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// The longest wait that a server is believed at all.
const LONGEST_OF_ALL: Duration = Duration::from_secs(4 * 60 * 60);

/// Before when nothing leaves, for one reason or another.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Limits<S> {
    /// The engine sends nothing before.
    pub(super) hold: Timestamp,
    /// The end of the penalty box: nobody sends anything before.
    pub(super) penalty: Timestamp,
    /// How often in a row the server has named a longer wait than it was believed.
    pub(super) over: Over,
    /// The APIs that are limited, where each is for itself.
    pub(super) boxes: Chain<ApiBox>,
    /// When the requests that were sent would have left at [`FLOW`] apart.
    pub(super) flow: Timestamp,
    /// When the steps that keep a distance were last sent.
    pub(super) paces: Chain<Sent<S>>,
}

/// When a step was last sent, and how often since the session was last usable; or how often in a row calls of the
/// user's own have put it off.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub(super) struct Sent<S> {
    pub(super) step: S,
    pub(super) last: Timestamp,
    pub(super) tries: u16,
}

/// How often in a row a server has named a longer wait than it was believed.
#[derive(Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Over {
    times: u8,
    /// When the last such wait ends.
    until: Timestamp,
}

impl<S> Default for Limits<S> {
    fn default() -> Self {
        let zero = Timestamp::from_millis(0);
        Self { hold: zero, penalty: zero, over: Over::default(), boxes: Chain::new(), flow: zero, paces: Chain::new() }
    }
}

impl<S: PartialEq> Limits<S> {
    /// Returns the time before which nothing leaves, whatever the step.
    pub(super) fn free_at(&self, leaving: bool) -> Timestamp {
        if leaving { self.held_until() } else { self.held_until().max(self.flow - AT_ONCE) }
    }

    /// Returns until when the server has asked to wait.
    pub(super) fn held_until(&self) -> Timestamp {
        self.hold.max(self.penalty)
    }

    /// Returns the earliest time at or after `at` that the step's own pace allows.
    pub(super) fn paced(&self, step: &S, pace: &Pace, at: Timestamp, leaving: bool, jitter: u64) -> Timestamp {
        if !pace.is_kept() {
            return at;
        }
        let Some(sent) = self.paces.iter().find(|sent| sent.step == *step) else { return at };
        let escalated = match sent.tries {
            tries if pace.escalates && tries > 0 && !leaving => pace.backoff.delay(jitter, tries),
            _ => Duration::ZERO,
        };
        at.max(sent.last + escalated.max(pace.min_interval))
    }

    /// Notes that a step leaves.
    pub(super) fn note_sent(&mut self, now: Timestamp, step: S, pace: &Pace) {
        self.flow = self.flow.max(now) + FLOW;
        // Mostly there is nothing to remember.
        let known = || self.paces.iter().any(|sent| sent.step == step);
        if pace.is_remembered() || pace.is_kept() && known() {
            self.note_pace(step, |sent| {
                sent.last = now;
                sent.tries = if pace.escalates { sent.tries.saturating_add(1) } else { 0 };
            });
        }
    }

    /// Changes the pace of a step, which begins here if there is none.
    pub(super) fn note_pace(&mut self, step: S, note: impl FnOnce(&mut Sent<S>)) {
        let known = self.paces.iter_mut().find(|sent| sent.step == step);
        match known {
            Some(sent) => note(sent),
            None => {
                let mut sent = Sent { step, last: Timestamp::from_millis(0), tries: 0 };
                note(&mut sent);
                self.paces.push(sent);
            }
        }
    }

    /// Lets the steps that escalate start at their first wait again.
    pub(super) fn reset_escalation(&mut self, escalates: impl Fn(S) -> bool)
    where
        S: Copy,
    {
        for sent in self.paces.iter_mut().filter(|sent| sent.tries > 0 && escalates(sent.step)) {
            sent.tries = 0;
        }
    }

    /// Waits at least so long before the session's own requests; tells whether that is longer than before.
    pub(super) fn hold(&mut self, until: Timestamp) -> bool {
        let longer = until > self.hold;
        self.hold = self.hold.max(until);
        longer
    }

    /// Keeps everybody from sending for so long; tells whether that is longer than before.
    pub(super) fn penalize(&mut self, until: Timestamp) -> bool {
        let longer = until > self.penalty;
        self.penalty = self.penalty.max(until);
        longer
    }

    /// Takes over what an earlier session of the same login was told.
    pub(super) fn remember(&mut self, earlier: Self) {
        // Whoever begins again after a long wait does not begin at the first cap.
        if earlier.penalty >= self.penalty {
            self.over = earlier.over;
        }
        self.penalty = self.penalty.max(earlier.penalty);
        self.hold = self.hold.max(earlier.hold);
        // A session that is new has met no limit of its own.
        if self.boxes.is_empty() {
            self.boxes = earlier.boxes;
        }
    }

    /// Bounds what a text says: no server is believed longer, and no request but those of a logout leaves that would
    /// put the others further ahead.
    pub(super) fn bound(&mut self, clock: Timestamp, now: Timestamp, leaving: bool) {
        let latest = clock + self.over.longest();
        self.penalty = self.penalty.min(latest);
        self.hold = self.hold.min(latest);
        self.over.bound(clock);
        for boxed in self.boxes.iter_mut() {
            boxed.bound(clock);
        }
        if !leaving {
            self.flow = self.flow.min(now + AT_ONCE + FLOW);
        }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        let Self { hold, penalty, over, boxes, flow, paces } = self;
        for at in [hold, penalty, flow].into_iter().chain(paces.iter_mut().map(|sent| &mut sent.last)) {
            *at = *at - by;
        }
        over.set_back(by);
        for boxed in boxes.iter_mut() {
            boxed.set_back(by);
        }
    }
}

impl Over {
    /// Returns how long to wait where a server names this long.
    pub(super) fn believe(&mut self, now: Timestamp, named: Duration) -> Duration {
        // What had left before the last wait began tells the same one again.
        let same = now < self.until;
        let times = if same { self.times.saturating_sub(1) } else { self.times };
        let cap = LONGEST.saturating_mul(1 << times.min(4)).min(LONGEST_OF_ALL);
        if named > LONGEST {
            self.times = times.saturating_add(1);
            self.until = self.until.max(now + named.min(cap));
        }
        named.min(cap)
    }

    /// Reports whether no escalation is to be reset.
    pub(super) fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The server answered and named no long wait. What had left before the last one began tells nothing of it.
    pub(super) fn reset_escalation(&mut self, now: Timestamp) {
        if now >= self.until {
            *self = Self::default();
        }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        self.until = self.until - by;
    }

    /// Returns the longest wait that a server can have been believed by now.
    pub(super) fn longest(self) -> Duration {
        LONGEST.saturating_mul(1 << self.times.saturating_sub(1).min(4)).min(LONGEST_OF_ALL)
    }

    /// Bounds what an edited text says.
    pub(super) fn bound(&mut self, clock: Timestamp) {
        self.until = self.until.min(clock + self.longest());
    }
}
