//! What a session tells, for tasks and threads that listen.

use core::fmt;
use std::collections::VecDeque;

use super::Handle;
use crate::{Event, Machine};

/// How many events wait for a listener that does not take them: some hours of keepalives.
const MOST_WAITING: usize = 256;

/// The events of a session from the moment at which somebody began to listen, made by [`Handle::events`].
///
/// Listeners are independent of each other and hold nothing up: one that does not take its events loses the oldest
/// beyond 256, and [`lost`](Events::lost) counts them.
pub struct Events<M: Machine + ?Sized = dyn Machine> {
    handle: Handle<M>,
    number: u64,
}

impl<M: Machine + ?Sized> Events<M> {
    pub(super) fn new(handle: Handle<M>, number: u64) -> Self {
        Self { handle, number }
    }

    /// Returns the next event, or `None` once the session has closed, was left, or its driver is gone.
    ///
    /// It may be called again after `None`: where a new driver goes on, so do the events. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Event> {
        self.handle.until_told(self.number).await
    }

    /// Returns the next event if one waits.
    pub fn try_next(&mut self) -> Option<Event> {
        self.handle.hear(self.number, Listener::take)?
    }

    /// Returns how many events were dropped because nobody took them.
    pub fn lost(&self) -> u64 {
        self.handle.hear(self.number, |listener| listener.lost).unwrap_or(0)
    }
}

impl<M: Machine + ?Sized> Drop for Events<M> {
    fn drop(&mut self) {
        self.handle.unlisten(self.number);
    }
}

impl<M: Machine + ?Sized> fmt::Debug for Events<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("lost", &self.lost()).finish_non_exhaustive()
    }
}

/// What waits for one who listens.
pub(super) struct Listener {
    pub(super) number: u64,
    waiting: VecDeque<Event>,
    lost: u64,
}

impl Listener {
    pub(super) fn new(number: u64) -> Self {
        Self { number, waiting: VecDeque::new(), lost: 0 }
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.waiting.len() == MOST_WAITING {
            self.waiting.pop_front();
            self.lost += 1;
        }
        self.waiting.push_back(event);
    }

    pub(super) fn take(&mut self) -> Option<Event> {
        self.waiting.pop_front()
    }
}
