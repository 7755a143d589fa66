//! What is planned: one table, of which the least instant counts.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::provider::{Plan, When};
use crate::time::Interval;

/// The shortest time between two requests that come again and again.
const SHORTEST: Duration = Duration::from_secs(1);

/// The shortest time between two renewals.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// What a plan is for. Of two that are due at once, the earlier one here comes first. Snapshots have these names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Slot {
    /// The known end of the tokens passes.
    Expiry,
    /// The next step of the protocol, or a further attempt at one.
    Next,
    /// A question about bytes that have grown old is put anew.
    Question,
    /// Something is renewed: there is one entry for each step.
    Renew,
    /// Somebody wants to know whether the session lives.
    Check,
    /// Looks whether a question has answered itself.
    Look,
    /// Keeps the session alive.
    Keepalive,
}

/// A line of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Entry<S> {
    pub(super) slot: Slot,
    /// None for what sends nothing, and for a check, whose step the state tells.
    pub(super) step: Option<S>,
    /// Whether a server named the instant, which the clock does not move.
    pub(super) named: bool,
    /// How often it comes again; zero for once.
    pub(super) every: Interval,
    pub(super) at: Timestamp,
    /// The next attempt after a failure.
    pub(super) retry: Option<Timestamp>,
    /// Whether its step has left and it is not known yet what became of it, for a renewal.
    pub(super) away: bool,
}

/// All that is planned, at most once for each slot, but for each step that renews, and in the order of the slots.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Agenda<S> {
    entries: Vec<Entry<S>>,
    /// When each renewal was last sent.
    renewed: Vec<(S, Timestamp)>,
}

impl<S> Entry<S> {
    pub(super) const fn once(slot: Slot, step: Option<S>, at: Timestamp) -> Self {
        Self { slot, step, named: false, every: Interval::from_millis(0), at, retry: None, away: false }
    }

    /// Tells when it is due.
    pub(super) fn due(&self) -> Timestamp {
        match (self.slot, self.retry) {
            // A failed keepalive does not push the next one out.
            (Slot::Keepalive, Some(retry)) => retry.min(self.at),
            (_, retry) => retry.unwrap_or(self.at),
        }
    }

    const fn comes_again(&self) -> bool {
        self.every.as_millis() > 0
    }

    /// Begins to count anew.
    fn restart(&mut self, from: Timestamp) {
        self.at = from + self.every;
        self.retry = None;
    }

    fn set_back(&mut self, by: Duration) {
        if self.slot == Slot::Question {
            // The time of the clock that was wrong is in the bytes.
            self.at = Timestamp::from_millis(0);
        } else if !self.named {
            self.at = self.at - by;
        }
        self.retry = self.retry.map(|at| at - by);
    }
}

impl<S> Default for Agenda<S> {
    fn default() -> Self {
        Self { entries: Vec::new(), renewed: Vec::new() }
    }
}

impl<S: Copy + PartialEq> Agenda<S> {
    /// Takes what a text says.
    pub(super) fn of(entries: impl Iterator<Item = Entry<S>>, renewed: Vec<(S, Timestamp)>) -> Self {
        let mut agenda = Self { entries: Vec::new(), renewed };
        entries.for_each(|entry| agenda.put(entry));
        agenda
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Entry<S>> {
        self.entries.iter()
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&Entry<S>> {
        self.entries.iter().find(|entry| entry.slot == slot)
    }

    fn get_mut(&mut self, slot: Slot) -> Option<&mut Entry<S>> {
        self.entries.iter_mut().find(|entry| entry.slot == slot)
    }

    pub(super) fn has(&self, slot: Slot) -> bool {
        self.get(slot).is_some()
    }

    /// Gives the step that is planned for a slot.
    pub(super) fn step(&self, slot: Slot) -> Option<S> {
        self.get(slot)?.step
    }

    /// Plans something, in the place of what was planned for the same.
    pub(super) fn put(&mut self, entry: Entry<S>) {
        // Renewals stand in the order in which they were named.
        let is_same = |old: &Entry<S>| old.slot == entry.slot && (entry.slot != Slot::Renew || old.step == entry.step);
        match self.entries.iter_mut().find(|old| old.slot > entry.slot || is_same(old)) {
            Some(old) if old.slot == entry.slot => *old = entry,
            _ => self.insert(self.entries.iter().take_while(|old| old.slot <= entry.slot).count(), entry),
        }
    }

    fn insert(&mut self, place: usize, entry: Entry<S>) {
        // There are three or four, seldom more.
        if self.entries.capacity() == 0 {
            self.entries.reserve_exact(4);
        }
        self.entries.insert(place, entry);
    }

    /// Plans the next step of the protocol.
    pub(super) fn next(&mut self, step: S, at: Timestamp) {
        self.put(Entry::once(Slot::Next, Some(step), at));
    }

    /// Plans a further attempt, or what follows a failure.
    pub(super) fn again(&mut self, step: S, at: Timestamp) {
        self.put(Entry { retry: Some(at), ..Entry::once(Slot::Next, Some(step), at) });
    }

    /// Tries a keepalive once more before it comes again; tells when it leaves then.
    pub(super) fn keep_trying(&mut self, step: S, at: Timestamp) -> Option<Timestamp> {
        let keepalive = self.get_mut(Slot::Keepalive).filter(|entry| entry.step == Some(step))?;
        keepalive.retry = Some(at);
        Some(keepalive.due())
    }

    /// Puts the next look off; tells when it leaves then.
    pub(super) fn look_later(&mut self, step: S, at: Timestamp) -> Option<Timestamp> {
        let look = self.get_mut(Slot::Look).filter(|entry| entry.step == Some(step))?;
        look.at = look.at.max(at);
        Some(look.at)
    }

    /// Plans a look at an open question every so often, or none.
    pub(super) fn look(&mut self, now: Timestamp, look: Option<(S, Duration)>) {
        match look {
            Some((step, every)) => self.every(Slot::Look, step, every, now),
            None => self.drop(Slot::Look),
        }
    }

    fn every(&mut self, slot: Slot, step: S, every: Duration, from: Timestamp) {
        let mut entry = Entry { every: every.max(SHORTEST).into(), ..Entry::once(slot, Some(step), from) };
        entry.restart(from);
        self.put(entry);
    }

    /// Plans a look at the session, unless one is planned.
    pub(super) fn check(&mut self, at: Timestamp) {
        if !self.has(Slot::Check) {
            self.check_at(at);
        }
    }

    /// Plans a look at the session then.
    pub(super) fn check_at(&mut self, at: Timestamp) {
        self.put(Entry::once(Slot::Check, None, at));
    }

    /// No server was reached: whatever is tried again waits as if it had failed itself, so that one request at a time
    /// tries for all of them.
    pub(super) fn put_attempts_off(&mut self, earliest: impl Fn(Option<S>) -> Timestamp) {
        for entry in &mut self.entries {
            match (entry.slot, &mut entry.retry) {
                (_, Some(retry)) => *retry = (*retry).max(earliest(entry.step)),
                (Slot::Check, None) => entry.at = entry.at.max(earliest(entry.step)),
                _ => {}
            }
        }
    }

    /// Brings a further attempt forward, of the next step or of a renewal; tells whether that is sooner.
    pub(super) fn hasten(&mut self, at: Timestamp) -> bool {
        let mut tried = self.entries.iter_mut().filter(|entry| matches!(entry.slot, Slot::Next | Slot::Renew));
        match tried.find(|entry| entry.retry.is_some()) {
            Some(next) if next.retry.is_some_and(|retry| at < retry) => {
                (next.at, next.retry) = (at, Some(at));
                true
            }
            _ => false,
        }
    }

    /// Plans what is to be done while the session is usable.
    pub(super) fn follow(&mut self, now: Timestamp, plan: &Plan<S>) {
        if !plan.stays {
            let named = |entry: &Entry<S>| plan.renewals().any(|(step, _)| entry.step == Some(*step));
            self.retain(|entry| match entry.slot {
                Slot::Keepalive => plan.keepalive.is_some(),
                Slot::Expiry => plan.expires.is_some(),
                Slot::Renew => named(entry),
                Slot::Next | Slot::Question | Slot::Check | Slot::Look => true,
            });
        }
        if let Some((step, every)) = plan.keepalive {
            self.keep_alive(now, step, every);
        }
        for (step, when) in plan.renewals() {
            self.renew(now, *step, *when);
        }
        if let Some(end) = plan.expires {
            self.expire(now, end);
        }
        self.renew_lost(now);
    }

    /// Plans the keepalive; one with the same step goes on with the count that it began.
    fn keep_alive(&mut self, now: Timestamp, step: S, every: Duration) {
        let old = self.get(Slot::Keepalive).filter(|old| old.step == Some(step));
        let from = old.map_or(now, |old| old.at - old.every);
        self.every(Slot::Keepalive, step, every, from);
    }

    /// Lets the keepalive come so much later than its own interval from now.
    pub(super) fn put_keepalive_off(&mut self, now: Timestamp, step: S, most: Duration) {
        if let Some(keepalive) = self.get_mut(Slot::Keepalive).filter(|entry| entry.step == Some(step)) {
            keepalive.at = now + (Duration::from(keepalive.every) / 4).min(most) + keepalive.every;
        }
    }

    /// Plans a renewal. One that failed keeps its own wait, and the same length of time that is named again puts none off.
    fn renew(&mut self, now: Timestamp, step: S, when: When) {
        let old = self.entries.iter().find(|entry| entry.slot == Slot::Renew && entry.step == Some(step)).copied();
        let mut entry = Self::at(now, Slot::Renew, Some(step), when);
        // A server that names a past instant each time must not be asked each time.
        if let Some((_, last)) = self.renewed.iter().find(|(renewal, _)| *renewal == step) {
            entry.at = entry.at.max(*last + RENEWAL_INTERVAL);
        }
        if let Some(old) = old {
            entry.retry = old.retry;
            if !entry.named && !old.named {
                entry.at = entry.at.min(old.at);
            }
        }
        self.put(entry);
    }

    /// Plans a further attempt of a renewal that has left; tells when it leaves then.
    pub(super) fn renew_again(&mut self, step: S, at: Timestamp) -> Option<Timestamp> {
        let mut renewals = self.entries.iter_mut().filter(|entry| entry.away && entry.at.is_never());
        let entry = renewals.find(|entry| entry.step == Some(step))?;
        (entry.retry, entry.away) = (Some(at), false);
        Some(at)
    }

    /// The protocol goes on from a renewal, which is to be planned anew.
    pub(super) fn settle(&mut self, step: S) {
        self.retain(|entry| !entry.away || !entry.at.is_never() || entry.step != Some(step));
    }

    /// Plans once more what has left and of which nobody knows what became; what was not due yet keeps its time.
    fn renew_lost(&mut self, now: Timestamp) {
        for entry in &mut self.entries {
            entry.away &= entry.at.is_never();
        }
        while let Some(step) = self.entries.iter().find(|entry| entry.away).and_then(|entry| entry.step) {
            self.renew(now, step, When::In(Duration::ZERO));
        }
    }

    /// Names the renewals that failed and are tried again.
    #[cfg(feature = "testing")]
    pub(super) fn tried(&self) -> impl Iterator<Item = S> {
        let renewals = self.entries.iter().filter(|entry| entry.slot == Slot::Renew && entry.retry.is_some());
        renewals.filter_map(|entry| entry.step)
    }

    /// Gives when each renewal was last sent.
    pub(super) fn renewed(&self) -> &[(S, Timestamp)] {
        &self.renewed
    }

    /// Plans the known end of the tokens; one that has passed is none.
    fn expire(&mut self, now: Timestamp, end: When) {
        let entry = Self::at(now, Slot::Expiry, None, end);
        if entry.at > now { self.put(entry) } else { self.drop(Slot::Expiry) }
    }

    fn at(now: Timestamp, slot: Slot, step: Option<S>, when: When) -> Entry<S> {
        match when {
            When::At(at) => Entry { named: true, ..Entry::once(slot, step, at) },
            When::In(after) => Entry::once(slot, step, now + after),
        }
    }

    /// Plans that a question is put anew, or not.
    pub(super) fn put_anew(&mut self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.put(Entry::once(Slot::Question, None, at)),
            None => self.drop(Slot::Question),
        }
    }

    pub(super) fn drop(&mut self, slot: Slot) {
        self.retain(|entry| entry.slot != slot);
    }

    pub(super) fn retain(&mut self, keep: impl Fn(&Entry<S>) -> bool) {
        self.entries.retain(keep);
    }

    /// Drops everything. When renewals were sent stays known.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Brings the plans up to date with a step that leaves.
    pub(super) fn leave(&mut self, now: Timestamp, step: S) {
        self.leave_if(now, step, |_| true);
    }

    /// The same, for a step that may have left before the clock stopped: what is not due has left at its own time.
    pub(super) fn may_have_left(&mut self, now: Timestamp, step: S) {
        self.leave_if(now, step, |entry| !entry.comes_again() || entry.due() <= now);
    }

    fn leave_if(&mut self, now: Timestamp, step: S, which: impl Fn(&Entry<S>) -> bool) {
        // A look or a keepalive with the same step is no renewal before its time.
        let (mut renews, is_next) = (false, self.step(Slot::Next) == Some(step));
        self.entries.retain_mut(|entry| {
            if entry.step != Some(step) || !which(entry) {
                return true;
            }
            if entry.slot == Slot::Renew {
                renews = true;
                if is_next || entry.due() <= now {
                    (entry.at, entry.named) = (Timestamp::NEVER, true);
                }
                (entry.away, entry.retry) = (true, None);
                return true;
            }
            entry.restart(now);
            entry.comes_again()
        });
        if renews {
            self.note_renewed(step, now);
        }
    }

    fn note_renewed(&mut self, step: S, now: Timestamp) {
        match self.renewed.iter_mut().find(|(renewal, _)| *renewal == step) {
            Some((_, last)) => *last = now,
            None => {
                self.renewed.reserve_exact(1);
                self.renewed.push((step, now));
            }
        }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        let Self { entries, renewed } = self;
        for entry in entries {
            entry.set_back(by);
        }
        for (_, at) in renewed {
            *at = *at - by;
        }
    }
}

#[cfg(test)]
mod tests;
