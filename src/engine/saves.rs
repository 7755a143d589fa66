//! What the driver is to store, and when.

/// What is to be stored, and why.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Saves<S> {
    /// Something has happened that a crash must not lose; stored where sessions are durable.
    unsaved: bool,
    /// A token that is taken only once was exchanged, which is stored whether or not sessions are durable.
    rotated: bool,
    /// The harmful step before which the driver was asked to store that it leaves.
    before: Option<S>,
}

impl<S> Default for Saves<S> {
    fn default() -> Self {
        Self { unsaved: false, rotated: false, before: None }
    }
}

impl<S: Copy + PartialEq> Saves<S> {
    /// Notes that something has happened that a crash must not lose.
    pub(super) const fn note(&mut self) {
        self.unsaved = true;
    }

    /// Notes the same where it is so.
    pub(super) const fn note_if(&mut self, harms: bool) {
        self.unsaved |= harms;
    }

    /// Notes that a token that is taken only once was exchanged, where it was.
    pub(super) const fn note_rotated(&mut self, rotated: bool) {
        self.rotated |= rotated;
    }

    /// Reports whether something is to be stored now.
    pub(super) const fn is_due(&self, durable: bool) -> bool {
        self.unsaved && durable || self.rotated
    }

    /// Notes that the driver was asked to store.
    pub(super) const fn done(&mut self) {
        (self.unsaved, self.rotated) = (false, false);
    }

    /// Reports whether the driver must be asked to store that a step leaves; asked once, it may leave.
    pub(super) fn asks_before(&mut self, step: S, harms: bool) -> bool {
        let asks = harms && !self.is_before(step);
        self.before = asks.then_some(step);
        asks
    }

    /// Reports whether the driver was asked to store that this step leaves.
    pub(super) fn is_before(&self, step: S) -> bool {
        self.before == Some(step)
    }

    /// Returns the step that leaves as soon as that is stored.
    pub(super) const fn before(&self) -> Option<S> {
        self.before
    }

    /// No step leaves next.
    pub(super) const fn call_off(&mut self) {
        self.before = None;
    }
}
