//! What is planned: one table, of which the least instant counts.

use core::time::Duration;

use super::chain::Chain;
use crate::Timestamp;

mod entry;
mod renewals;

pub(super) use entry::{Entry, Slot};
use renewals::Renewed;

/// There are three or four lines, seldom more.
const LINES: usize = 4;

/// All that is planned, at most once for each slot, but for each step that renews, and in the order of the slots.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Agenda<S> {
    entries: Vec<Entry<S>>,
    renewed: Renewed<S>,
}

impl<S> Default for Agenda<S> {
    fn default() -> Self {
        Self { entries: Vec::new(), renewed: Renewed(Chain::new()) }
    }
}

impl<S: Copy + PartialEq> Agenda<S> {
    /// Takes what a text says.
    pub(super) fn of(entries: impl Iterator<Item = Entry<S>>, renewed: Chain<(S, Timestamp)>) -> Self {
        let mut agenda = Self { entries: Vec::new(), renewed: Renewed(renewed) };
        entries.for_each(|entry| agenda.put(entry));
        agenda
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &Entry<S>> {
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

    /// Returns the step that is planned for a slot.
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
        if self.entries.capacity() == 0 {
            self.entries.reserve_exact(LINES);
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
        keepalive.try_at(at);
        Some(keepalive.due())
    }

    /// Puts the next look off; tells when it leaves then.
    pub(super) fn look_later(&mut self, step: S, at: Timestamp) -> Option<Timestamp> {
        let look = self.get_mut(Slot::Look).filter(|entry| entry.step == Some(step))?;
        look.wait_until(at);
        Some(look.at)
    }

    /// Plans a look at an open question every so often, or none.
    pub(super) fn look(&mut self, now: Timestamp, look: Option<(S, Duration)>) {
        match look {
            Some((step, every)) => self.put(Entry::every(Slot::Look, step, every, now)),
            None => self.drop(Slot::Look),
        }
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
            entry.put_off(earliest(entry.step));
        }
    }

    /// Brings a further attempt forward, of the next step or of a renewal; tells whether that is sooner.
    pub(super) fn hasten(&mut self, at: Timestamp) -> bool {
        let mut tried = self.entries.iter_mut().filter(|entry| matches!(entry.slot, Slot::Next | Slot::Renew));
        tried.find(|entry| entry.retry.is_some()).is_some_and(|entry| entry.hasten(at))
    }

    /// Lets the keepalive come so much later than its own interval from now.
    pub(super) fn put_keepalive_off(&mut self, now: Timestamp, step: S, most: Duration) {
        if let Some(keepalive) = self.get_mut(Slot::Keepalive).filter(|entry| entry.step == Some(step)) {
            keepalive.count_from(now, most);
        }
    }

    /// Plans that a question is asked again, or not.
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
        sift(&mut self.entries, |entry| keep(entry));
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
        sift(&mut self.entries, |entry| {
            if entry.step != Some(step) || !which(entry) {
                return true;
            }
            if entry.slot == Slot::Renew {
                renews = true;
                entry.send_away(is_next || entry.due() <= now);
                return true;
            }
            entry.restart(now);
            entry.comes_again()
        });
        if renews {
            self.renewed.note(step, now);
        }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        let Self { entries, renewed } = self;
        for entry in entries {
            entry.set_back(by);
        }
        renewed.set_back(by);
    }
}

/// Changes lines, and drops some. Mostly none are.
#[inline]
fn sift<S>(entries: &mut Vec<Entry<S>>, mut keep: impl FnMut(&mut Entry<S>) -> bool) {
    let mut place = 0;
    while let Some(entry) = entries.get_mut(place) {
        if keep(entry) {
            place += 1;
        } else {
            entries.remove(place);
        }
    }
}

#[cfg(test)]
mod tests;
