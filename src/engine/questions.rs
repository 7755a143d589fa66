//! The questions that are put: one is open, others wait for it, and some were declined.

use core::time::Duration;

use super::chain::Chain;
use crate::time::Interval;
use crate::{Need, NeedId, NeedKind, Timestamp, machine::NeedReason};

/// A question. The looks and the end of the one that is open are on the agenda.
#[derive(Clone)]
pub(super) struct Open<S> {
    pub(super) need: Need,
    /// Whether the session goes on meanwhile.
    pub(super) lasting: bool,
    /// Nobody will answer it, so it is not put again.
    pub(super) declined: bool,
    /// The step that looks whether it has answered itself, and how often.
    pub(super) poll: Option<(S, Interval)>,
    /// The step that waits for the answer to a question about bytes, which is asked again when it grows old.
    pub(super) asker: Option<S>,
    /// The step that the answer is for, where the question names one.
    pub(super) then: Option<S>,
}

/// All of them. The first that was not declined is open.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Questions<S>(Chain<Open<S>>);

impl<S> Open<S> {
    fn is(&self, kind: NeedKind, because: NeedReason) -> bool {
        (self.need.kind, self.need.because) == (kind, because)
    }

    /// Returns when it is to be asked again: only bytes grow old.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.asker.as_ref().and(self.need.until)
    }
}

impl<S> Default for Questions<S> {
    fn default() -> Self {
        Self(Chain::new())
    }
}

impl<S> Questions<S> {
    /// Returns the one that is open.
    #[inline]
    pub(super) fn open(&self) -> Option<&Open<S>> {
        self.iter().find(|open| !open.declined)
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open<S>> {
        self.0.iter_mut().find(|open| !open.declined)
    }

    /// Returns all of them, from the first one on, which may be declined.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Open<S>> {
        self.0.iter()
    }

    /// Reports whether this question waits, or was declined.
    pub(super) fn is_aside(&self, kind: NeedKind, because: NeedReason) -> bool {
        let open = self.open().map(|open| open.need.id);
        self.iter().any(|other| other.is(kind, because) && Some(other.need.id) != open)
    }

    /// Returns what waits, and what was declined.
    #[cfg(feature = "testing")]
    pub(super) fn aside(&self) -> Vec<(NeedKind, NeedReason, bool)> {
        let open = self.open().map(|open| open.need.id);
        let others = self.iter().filter(|other| Some(other.need.id) != open);
        others.map(|open| (open.need.kind, open.need.because, open.declined)).collect()
    }

    /// Opens a question. Those that last wait for it, and others are over.
    pub(super) fn put(&mut self, open: Open<S>) {
        let kind = open.need.kind;
        self.0.retain(|other| (other.lasting || other.declined) && other.need.kind != kind);
        self.0.push_front(open);
    }

    /// Lets a question wait until the others are over.
    pub(super) fn park(&mut self, open: Open<S>) {
        self.0.push(open);
    }

    /// Takes the open one away.
    pub(super) fn take(&mut self) -> Option<Open<S>> {
        self.0.remove(|open| !open.declined)
    }

    /// Takes one of a kind away, wherever it is.
    pub(super) fn settle(&mut self, kind: NeedKind) -> Option<Open<S>> {
        self.0.remove(|open| open.need.kind == kind)
    }

    /// Notes that nobody will answer the one of a kind that lasts; tells whether there is one.
    pub(super) fn decline(&mut self, kind: NeedKind) -> bool {
        let mut all = self.0.iter_mut();
        let found = all.find(|open| open.need.kind == kind && open.lasting && !open.declined);
        found.map(|open| open.declined = true).is_some()
    }

    /// Reports whether the one with an id was declined.
    pub(super) fn was_declined(&self, id: NeedId) -> bool {
        self.iter().any(|other| other.need.id == id && other.declined)
    }

    /// Reports whether this question was declined.
    pub(super) fn is_declined(&self, kind: NeedKind, because: NeedReason) -> bool {
        self.iter().any(|other| other.is(kind, because) && other.declined)
    }

    /// Brings the one with an id to the front, unless it was declined; tells whether there is one.
    pub(super) fn bring(&mut self, id: NeedId) -> bool {
        let found = self.0.remove(|open| open.need.id == id && !open.declined);
        found.map(|open| self.0.push_front(open)).is_some()
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        for open in self.0.iter_mut() {
            open.need.fresh_after = open.need.fresh_after.map(|at| at - by);
            // The time of the clock that was wrong is in the bytes.
            open.need.until = open.need.until.map(|_| Timestamp::from_millis(0));
        }
    }
}

impl<S> FromIterator<Open<S>> for Questions<S> {
    fn from_iter<I: IntoIterator<Item = Open<S>>>(all: I) -> Self {
        Self(all.into_iter().collect())
    }
}
