//! What waits to be told.

use std::collections::VecDeque;

use crate::Event;

/// The most events that wait for a poll.
const MOST: usize = 64;

/// Events in the order in which they happened.
///
/// A keepalive tells one and a driver polls at once, so the first has a place of its own and nothing is
/// allocated.
#[derive(Default, Clone)]
pub(super) struct Queue {
    first: Option<Event>,
    /// Empty, unless there is a first.
    rest: Option<Box<VecDeque<Event>>>,
}

impl Queue {
    pub(super) const fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Tells whether an event still waits.
    pub(super) fn holds(&self, event: &Event) -> bool {
        self.first.iter().chain(self.rest.iter().flat_map(|rest| rest.iter())).any(|held| held == event)
    }

    /// Adds an event. A driver that never polls must not fill the memory: what repeats itself is dropped first.
    pub(super) fn push(&mut self, event: Event) {
        if self.first.is_none() {
            self.first = Some(event);
            return;
        }
        let rest = self.rest.get_or_insert_default();
        rest.push_back(event);
        if rest.len() >= MOST {
            let dull = |event: &Event| {
                matches!(
                    event,
                    Event::KeptAlive | Event::Retrying { .. } | Event::ClockSkew { .. } | Event::Penalty { .. }
                )
            };
            if self.first.as_ref().is_some_and(dull) {
                self.pop();
            } else if let Some(rest) = &mut self.rest {
                match rest.iter().position(dull) {
                    Some(oldest) => drop(rest.remove(oldest)),
                    None => self.first = rest.pop_front(),
                }
            }
        }
    }

    pub(super) fn pop(&mut self) -> Option<Event> {
        let event = self.first.take()?;
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            if rest.is_empty() {
                self.rest = None;
            }
        }
        Some(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(queue: &mut Queue) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.pop()).map(|event| event.code()).collect()
    }

    #[test]
    fn events_come_in_their_order() {
        let mut queue = Queue::default();
        assert!(queue.is_empty() && queue.pop().is_none());
        for event in [Event::Reset, Event::Rival, Event::Recovered] {
            queue.push(event);
        }
        assert_eq!(queue.pop().map(|event| event.code()), Some(Event::Reset.code()));
        queue.push(Event::KeptAlive);
        assert_eq!(told(&mut queue), [Event::Rival.code(), Event::Recovered.code(), Event::KeptAlive.code()]);
        assert!(queue.rest.is_none());
    }

    #[test]
    fn what_repeats_itself_is_dropped_first() {
        let mut queue = Queue::default();
        queue.push(Event::Reset);
        for _ in 0..1_000 {
            queue.push(Event::KeptAlive);
        }
        queue.push(Event::Rival);
        let all = told(&mut queue);
        assert_eq!((all.len(), all[0], all[MOST - 1]), (MOST, Event::Reset.code(), Event::Rival.code()));
        for _ in 0..1_000 {
            queue.push(Event::Rival);
        }
        assert_eq!(told(&mut queue).len(), MOST);
    }
}
