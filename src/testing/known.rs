//! What the laws note of a run.

use core::time::Duration;

use crate::{CloseReason, NeedKind, RequestId, Snapshot, Timestamp};

/// A request on its way.
pub(super) struct Flying<S> {
    pub(super) id: RequestId,
    pub(super) step: S,
    pub(super) request: http::Request<Vec<u8>>,
    pub(super) timeout: Duration,
    pub(super) answers: Vec<String>,
}

/// An answer that was given in the run.
pub(super) struct Given {
    pub(super) secret: String,
    pub(super) kind: NeedKind,
    pub(super) by_store: bool,
    /// It may be seen on the wire: a gateway token is no secret of one use.
    pub(super) reusable: bool,
    pub(super) fate: Fate,
}

/// How far an answer has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// Taken, and not sent since a server could have judged it.
    InHand,
    Sent,
    /// Judged, maybe judged, or dropped: it must not be seen again.
    Over,
}

/// What lies on the disk, and what a resumed session may be held to.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) text: String,
    pub(super) clock: Timestamp,
    pub(super) known: Known,
}

/// What a session knows of itself.
#[derive(Clone, Default)]
pub(super) struct Known {
    /// The server proved that the session lives, and nothing since says otherwise.
    pub(super) alive: bool,
    /// Something has happened that may close it.
    pub(super) excused: bool,
    pub(super) refused: Counted,
    pub(super) closed: Option<CloseReason>,
}

impl Known {
    /// What the next life knows: a session that was left, or given up while it may live, goes on in it.
    pub(super) fn resumed(self, text: &str) -> Self {
        Self { closed: self.closed.filter(|_| Snapshot::from_text(text).closed().is_some()), ..self }
    }
}

/// Answers that speak against a program's next one: their kind, and whether a person has given another of that kind since.
#[derive(Clone, Default)]
pub(super) struct Counted(Vec<(NeedKind, bool)>);

impl Counted {
    pub(super) fn add(&mut self, kind: NeedKind) {
        self.0.push((kind, false));
    }

    pub(super) fn is_attended(&mut self, kind: NeedKind) {
        self.0.iter_mut().filter(|(own, _)| *own == kind).for_each(|(_, attended)| *attended = true);
    }

    pub(super) fn accepted(&mut self, kind: NeedKind) {
        self.0.retain(|(own, _)| *own != kind);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn against(&self, kind: NeedKind) -> usize {
        self.0.iter().filter(|(own, attended)| *own == kind || !attended).count()
    }
}

/// What the provider has named, and when it is to be.
pub(super) struct Named<S> {
    pub(super) step: Option<S>,
    pub(super) at: Timestamp,
    pub(super) renewal: bool,
}
