//! The questions that are put: one is open, others wait for it, and some were declined.

use core::time::Duration;

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
    /// The step that waits for the answer to a question about bytes, which is put anew when it grows old.
    pub(super) asker: Option<S>,
    /// The step that the answer is for, where the question names one.
    pub(super) then: Option<S>,
    /// The question that waits until this one is over.
    pub(super) behind: Option<Box<Self>>,
}

/// All of them. The first that was not declined is open.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Questions<S>(Option<Box<Open<S>>>);

impl<S> Open<S> {
    fn is(&self, kind: NeedKind, because: NeedReason) -> bool {
        (self.need.kind, self.need.because) == (kind, because)
    }

    /// Returns when it is to be put anew: only bytes grow old.
    pub(super) fn ends(&self) -> Option<Timestamp> {
        self.asker.as_ref().and(self.need.until)
    }
}

impl<S> Default for Questions<S> {
    fn default() -> Self {
        Self(None)
    }
}

impl<S> Questions<S> {
    /// Takes what a text says.
    pub(super) const fn of(first: Option<Box<Open<S>>>) -> Self {
        Self(first)
    }

    /// Returns the first one, which may be declined.
    pub(super) fn first(&self) -> Option<&Open<S>> {
        self.0.as_deref()
    }

    fn iter(&self) -> impl Iterator<Item = &Open<S>> {
        core::iter::successors(self.first(), |open| open.behind.as_deref())
    }

    /// Returns the one that is open.
    #[inline]
    pub(super) fn open(&self) -> Option<&Open<S>> {
        self.iter().find(|open| !open.declined)
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut Open<S>> {
        let mut next = self.0.as_deref_mut();
        while let Some(open) = next {
            if !open.declined {
                return Some(open);
            }
            next = open.behind.as_deref_mut();
        }
        None
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
    pub(super) fn put(&mut self, mut open: Open<S>) {
        let kind = open.need.kind;
        self.retain(|other| (other.lasting || other.declined) && other.need.kind != kind);
        open.behind = self.0.take();
        self.0 = Some(Box::new(open));
    }

    /// Lets a question wait until the others are over.
    pub(super) fn park(&mut self, open: Open<S>) {
        let mut end = &mut self.0;
        while let Some(other) = end {
            end = &mut other.behind;
        }
        *end = Some(Box::new(open));
    }

    /// Takes the open one away.
    pub(super) fn take(&mut self) -> Option<Box<Open<S>>> {
        self.remove(|open| !open.declined)
    }

    /// Takes one of a kind away, wherever it is.
    pub(super) fn settle(&mut self, kind: NeedKind) -> Option<Box<Open<S>>> {
        self.remove(|open| open.need.kind == kind)
    }

    /// Notes that nobody will answer the one of a kind that lasts; tells whether there is one.
    pub(super) fn decline(&mut self, kind: NeedKind) -> bool {
        let mut next = self.0.as_deref_mut();
        while let Some(open) = next {
            if open.need.kind == kind && open.lasting && !open.declined {
                open.declined = true;
                return true;
            }
            next = open.behind.as_deref_mut();
        }
        false
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
        let Some(mut found) = self.remove(|open| open.need.id == id && !open.declined) else { return false };
        found.behind = self.0.take();
        self.0 = Some(found);
        true
    }

    fn remove(&mut self, which: impl Fn(&Open<S>) -> bool) -> Option<Box<Open<S>>> {
        let mut place = &mut self.0;
        while place.as_ref().is_some_and(|open| !which(open)) {
            place = &mut place.as_mut()?.behind;
        }
        let mut found = place.take()?;
        *place = found.behind.take();
        Some(found)
    }

    fn retain(&mut self, keep: impl Fn(&Open<S>) -> bool) {
        while self.remove(|open| !keep(open)).is_some() {}
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        let mut next = self.0.as_deref_mut();
        while let Some(open) = next {
            open.need.fresh_after = open.need.fresh_after.map(|at| at - by);
            // The time of the clock that was wrong is in the bytes.
            open.need.until = open.need.until.map(|_| Timestamp::from_millis(0));
            next = open.behind.as_deref_mut();
        }
    }
}
