//! The answers in memory. They are in no snapshot, and each leaves with its step.

use core::time::Duration;

use super::chain::Chain;
use super::redact::Words;
use crate::provider::{Answers, Rule};
use crate::{Input, NeedKind, Timestamp, machine::NeedReason};

/// An answer that waits for its step.
pub(super) struct Held<S> {
    pub(super) kind: NeedKind,
    pub(super) input: Input,
    /// Until when it can be used.
    pub(super) until: Option<Timestamp>,
    /// The step that asked for it while it was built: it leaves with that step, once.
    pub(super) asker: Option<S>,
    /// The end of the one-time code before this one, once it has been noted that this one leaves.
    pub(super) before: Option<Timestamp>,
    /// The server has not checked it, whatever became of what left with it.
    pub(super) unspent: bool,
}

impl<S: Copy + PartialEq> Held<S> {
    fn is_for(&self, step: S, rule: &Rule) -> bool {
        self.is_taken(rule) || self.asker == Some(step)
    }

    fn is_taken(&self, rule: &Rule) -> bool {
        rule.takes().any(|kind| kind == self.kind)
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        let end = if let Input::Totp(code) = &self.input { Some(code.ends()) } else { self.until };
        end.is_none_or(|end| now < end)
    }
}

/// All of them: there is one, seldom two.
pub(super) struct Hand<S> {
    held: Chain<Held<S>>,
    /// The kinds that were given for this login, as bits: one that is not in hand any more is asked for with another reason.
    given: u32,
}

/// Returns the bit of a kind. Those that are a provider's own may share one.
const fn bit(kind: NeedKind) -> u32 {
    let place = match kind {
        NeedKind::Credentials => 0,
        NeedKind::AccessCode => 1,
        NeedKind::Totp => 2,
        NeedKind::Pin => 3,
        NeedKind::Browser => 4,
        NeedKind::Takeover => 5,
        NeedKind::GatewayToken => 6,
        NeedKind::Verifier => 7,
        NeedKind::Signature => 8,
        NeedKind::Decryption => 9,
        NeedKind::Redirect => 10,
        NeedKind::Custom(number) => 11 + number % 21,
    };
    1 << place
}

impl<S> Default for Hand<S> {
    fn default() -> Self {
        Self { held: Chain::new(), given: 0 }
    }
}

impl<S: Copy + PartialEq> Hand<S> {
    pub(super) fn put(&mut self, held: Held<S>) {
        self.drop(held.kind);
        self.held.push(held);
    }

    /// Drops everything: what follows is another matter.
    #[inline]
    pub(super) fn clear(&mut self) {
        self.given = 0;
        self.held.clear();
    }

    /// Notes that an answer was given, whether or not it waits here for its step.
    pub(super) const fn note_given(&mut self, kind: NeedKind) {
        self.given |= bit(kind);
    }

    /// Notes that an earlier process may have been given answers of every kind.
    pub(super) const fn note_resumed(&mut self) {
        self.given = u32::MAX;
    }

    /// Returns why an answer that is not in hand is asked for: it grew old or was lost with a process, or it never came.
    pub(super) const fn why_missing(&self, kind: NeedKind) -> NeedReason {
        if self.given & bit(kind) == 0 { NeedReason::Opening } else { NeedReason::Stale }
    }

    pub(super) fn drop(&mut self, kind: NeedKind) {
        self.held.retain(|held| held.kind != kind);
    }

    /// Drops what has grown old.
    #[inline]
    pub(super) fn freshen(&mut self, now: Timestamp) {
        self.held.retain(|held| held.is_fresh(now));
    }

    /// Drops what a step has used up; what it carried stays.
    pub(super) fn spend(&mut self, rule: &Rule) {
        self.held.retain(|held| core::mem::take(&mut held.unspent) || !rule.spends.contains(&held.kind));
    }

    /// Drops all that left with a step, since any of it may have been refused.
    pub(super) fn wipe(&mut self, rule: &Rule) {
        self.held.retain(|held| core::mem::take(&mut held.unspent) || !held.is_taken(rule));
    }

    /// Notes that the server has not checked an answer; gives the end of the one-time code before it, where it is one.
    pub(super) fn stays(&mut self, kind: NeedKind) -> Option<Option<Timestamp>> {
        let held = self.held.iter_mut().find(|held| held.kind == kind)?;
        held.unspent = true;
        matches!(held.input, Input::Totp(_)).then_some(held.before)
    }

    /// Drops what was made for one departure of a step: it has the time and a nonce in it, which a server takes only once.
    pub(super) fn leave(&mut self, step: S) {
        self.held.retain(|held| held.asker != Some(step));
    }

    /// Notes that the one-time code of a step leaves, and gives its end.
    pub(super) fn code_leaves(&mut self, rule: &Rule, before: Option<Timestamp>) -> Option<Timestamp> {
        let mut held = self.held.iter_mut();
        let held = held.find(|held| matches!(held.input, Input::Totp(_)) && held.is_taken(rule))?;
        held.before = before;
        if let Input::Totp(code) = &held.input { Some(code.ends()) } else { None }
    }

    /// Returns the end of the one-time code before the one that a step took along, which nobody has checked.
    pub(super) fn code_returns(&self, rule: &Rule) -> Option<Option<Timestamp>> {
        let mut codes = self.iter().filter(|held| matches!(held.input, Input::Totp(_)));
        codes.find(|held| held.is_taken(rule)).map(|held| held.before)
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        for held in self.held.iter_mut() {
            // What it signed has the time of the clock that was wrong.
            held.until = held.until.map(|_| Timestamp::from_millis(0));
            held.before = held.before.map(|at| at - by);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    pub(super) fn has(&self, kind: NeedKind) -> bool {
        self.iter().any(|held| held.kind == kind)
    }

    /// Names an answer that a step cannot leave without.
    #[inline]
    pub(super) fn lacks(&self, rule: &Rule) -> Option<NeedKind> {
        rule.takes().find(|kind| !self.has(*kind))
    }

    /// Reports whether something waits for a step.
    pub(super) fn is_for(&self, step: S, rule: &Rule) -> bool {
        self.iter().any(|held| held.is_for(step, rule))
    }

    /// Reports whether a step is to leave with what was asked for while it was built.
    pub(super) fn is_asked_by(&self, step: S) -> bool {
        self.iter().any(|held| held.asker == Some(step))
    }

    /// Returns what leaves with a step.
    #[inline]
    pub(super) fn answers(&self, step: S, rule: &Rule) -> Answers<'_> {
        if self.is_empty() {
            return Answers::default();
        }
        self.iter().filter(|held| held.is_for(step, rule)).map(|held| (held.kind, &held.input)).collect()
    }

    /// Returns the words of each that a server's text must not show.
    pub(super) fn words(&self) -> impl Iterator<Item = Words<'_>> {
        self.iter().map(|held| Words::of(&held.input))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Held<S>> {
        self.held.iter()
    }
}

#[cfg(feature = "testing")]
impl<S> Hand<S> {
    pub(super) fn copy_by(&self, copy: impl Fn(&Held<S>) -> Option<Held<S>>) -> Self {
        Self { held: self.held.iter().filter_map(copy).collect(), given: self.given }
    }
}
