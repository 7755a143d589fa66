//! Those who listen to a session's events.

use super::super::Events;
use super::super::events::Listener;
use super::Handle;
use crate::{Event, Machine};

impl<M: Machine + ?Sized> Handle<M> {
    /// Listens to what the session tells from now on, beside the program that drives it.
    pub fn events(&self) -> Events<M> {
        let mut news = self.news();
        let number = news.number();
        news.listeners.push(Listener::new(number));
        drop(news);
        Events::new(self.clone(), number)
    }

    /// Reports an event to those who listen, and wakes those who wait where it may concern them.
    pub(super) fn tell(&self, event: &Event) {
        let mut news = self.news();
        for listener in &mut news.listeners {
            listener.tell(event.clone());
        }
        if !news.listeners.is_empty() || matches!(event, Event::PhaseChanged { .. }) {
            self.announce(news);
        }
    }

    /// Does something with what waits for a listener.
    pub(in crate::drive::shared) fn hear<T>(&self, number: u64, act: impl FnOnce(&mut Listener) -> T) -> Option<T> {
        self.news().listeners.iter_mut().find(|listener| listener.number == number).map(act)
    }

    pub(in crate::drive::shared) fn unlisten(&self, number: u64) {
        self.news().listeners.retain(|listener| listener.number != number);
    }

    /// Waits for the next event, or for the end of driving.
    pub(in crate::drive::shared) async fn until_told(&self, number: u64) -> Option<Event> {
        self.until(|| match self.hear(number, Listener::take).flatten() {
            Some(event) => Some(Some(event)),
            None => self.news().ended.is_some().then_some(None),
        })
        .await
    }
}
