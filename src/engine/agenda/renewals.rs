//! What is done while a session is usable: the keepalive, the renewals and the known end of the tokens.

use core::time::Duration;

use super::super::chain::Chain;
use super::{Agenda, Entry, LINES, Slot, sift};
use crate::Timestamp;
use crate::provider::{Plan, When};

/// The shortest time between two renewals.
const RENEWAL_INTERVAL: Duration = Duration::from_secs(60);

/// The shortest one where a provider wants the next renewal sooner, by a length of time: tokens of less than a minute exist.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(10);

/// When each renewal was last sent.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Renewed<S>(pub(super) Chain<(S, Timestamp)>);

impl<S: Copy + PartialEq> Renewed<S> {
    /// Plans a renewal. A server that names a past instant each time is not asked each time, one that failed keeps its own
    /// wait, and the same length of time that is named again puts none off.
    fn plan(&self, now: Timestamp, step: S, when: When, old: Option<&Entry<S>>) -> Entry<S> {
        let mut entry = Entry::when(now, Slot::Renew, Some(step), when);
        if let Some((_, last)) = self.0.iter().find(|(renewal, _)| *renewal == step) {
            let interval = match when {
                When::In(wait) => wait.clamp(SHORTEST_INTERVAL, RENEWAL_INTERVAL),
                _ => RENEWAL_INTERVAL,
            };
            entry.wait_until(*last + interval);
        }
        let Some(old) = old else { return entry };
        let at = if entry.named || old.named { entry.at } else { entry.at.min(old.at) };
        Entry { at, retry: old.retry, ..entry }
    }

    /// Notes that a renewal is sent. What others left long ago matters no more.
    pub(super) fn note(&mut self, step: S, now: Timestamp) {
        self.0.retain(|(renewal, last)| *renewal != step && *last + RENEWAL_INTERVAL > now);
        self.0.push((step, now));
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        for (_, at) in self.0.iter_mut() {
            *at = *at - by;
        }
    }
}

impl<S: Copy + PartialEq> Agenda<S> {
    /// Plans what is to be done while the session is usable. Mostly it is planned already, and changed where it stands.
    pub(in super::super) fn follow(&mut self, now: Timestamp, plan: &Plan<S>) {
        let (mut keeps, mut ends) = (plan.keepalive, plan.expires);
        let Self { entries, renewed } = self;
        sift(entries, |entry| match entry.slot {
            Slot::Keepalive => match keeps.take() {
                Some((step, every)) => {
                    *entry = keepalive(now, step, every, Some(entry));
                    true
                }
                None => plan.stays,
            },
            Slot::Expiry => match ends.take() {
                Some(end) => {
                    *entry = Entry::when(now, Slot::Expiry, None, end);
                    entry.at > now
                }
                None => plan.stays,
            },
            Slot::Renew if plan.renewals().any(|(step, _)| entry.step == Some(*step)) => true,
            Slot::Renew => {
                settle_lost(now, entry, renewed);
                plan.stays
            }
            Slot::Next | Slot::Question | Slot::Check | Slot::Look => true,
        });
        if let Some((step, every)) = keeps {
            self.put(keepalive(now, step, every, None));
        }
        for (step, when) in plan.renewals() {
            self.renew(now, *step, *when);
        }
        if let Some(end) = ends {
            self.expire(now, end);
        }
        if self.entries.len() <= LINES && self.entries.capacity() > LINES {
            self.entries.shrink_to(LINES);
        }
    }

    /// Plans a renewal.
    fn renew(&mut self, now: Timestamp, step: S, when: When) {
        let Self { entries, renewed } = self;
        match entries.iter_mut().find(|entry| entry.slot == Slot::Renew && entry.step == Some(step)) {
            Some(entry) => *entry = renewed.plan(now, step, when, Some(entry)),
            None => {
                let entry = renewed.plan(now, step, when, None);
                self.put(entry);
            }
        }
    }

    /// Plans the known end of the tokens; one that has passed is none.
    fn expire(&mut self, now: Timestamp, end: When) {
        let entry = Entry::when(now, Slot::Expiry, None, end);
        if entry.at > now { self.put(entry) } else { self.drop(Slot::Expiry) }
    }

    /// Plans a further attempt of a renewal that has left; tells when it leaves then.
    pub(in super::super) fn renew_again(&mut self, step: S, at: Timestamp) -> Option<Timestamp> {
        let mut renewals = self.entries.iter_mut().filter(|entry| entry.away && entry.at.is_never());
        let entry = renewals.find(|entry| entry.step == Some(step))?;
        entry.try_at(at);
        Some(at)
    }

    /// The protocol goes on from a renewal, which is to be planned again.
    pub(in super::super) fn settle(&mut self, step: S) {
        if self.entries.iter().any(|entry| entry.away) {
            self.retain(|entry| !entry.away || !entry.at.is_never() || entry.step != Some(step));
        }
    }

    /// Names the renewals that failed and are tried again.
    #[cfg(feature = "testing")]
    pub(in super::super) fn tried(&self) -> impl Iterator<Item = S> {
        let renewals = self.entries.iter().filter(|entry| entry.slot == Slot::Renew && entry.retry.is_some());
        renewals.filter_map(|entry| entry.step)
    }

    /// Returns when each renewal was last sent.
    pub(in super::super) const fn renewed(&self) -> &Chain<(S, Timestamp)> {
        &self.renewed.0
    }
}

/// Plans the keepalive; one with the same step goes on with the count that it began.
fn keepalive<S: Copy + PartialEq>(now: Timestamp, step: S, every: Duration, old: Option<&Entry<S>>) -> Entry<S> {
    let old = old.filter(|old| old.step == Some(step));
    Entry::every(Slot::Keepalive, step, every, old.map_or(now, |old| old.at - old.every))
}

/// Plans once more what has left and of which nobody knows what became; what was not due yet keeps its time.
fn settle_lost<S: Copy + PartialEq>(now: Timestamp, entry: &mut Entry<S>, renewed: &Renewed<S>) {
    entry.keep_time();
    if let Some(step) = entry.step
        && entry.away
    {
        // No provider has asked for it sooner than a minute after the last.
        *entry = Entry { named: false, ..renewed.plan(now, step, When::At(now), Some(entry)) };
    }
}
