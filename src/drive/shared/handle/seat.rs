//! The place of the one driver.

use super::super::{Ended, trace};
use super::{Handle, Stop};
use crate::Machine;

/// The place of the one driver.
pub(crate) struct Seat<M: Machine + ?Sized>(Handle<M>);

impl<M: Machine + ?Sized> Seat<M> {
    pub(crate) fn handle(&self) -> &Handle<M> {
        &self.0
    }
}

impl<M: Machine + ?Sized> Drop for Seat<M> {
    fn drop(&mut self) {
        let mut news = self.0.news();
        news.driven = false;
        news.driver = None;
        if news.ended.is_none() {
            trace::ended(&Ended::Abandoned);
            news.ended = Some(Ended::Abandoned);
        }
        self.0.announce(news);
    }
}

impl<M: Machine + ?Sized> Handle<M> {
    /// Takes the place of the one driver of a session that nobody else knows.
    pub(crate) fn take_seat(&self) -> Seat<M> {
        self.news().driven = true;
        Seat(self.clone())
    }

    /// Takes the place of the one driver, until it is dropped; nothing if it is taken.
    pub(crate) fn seat(&self) -> Option<Seat<M>> {
        let mut news = self.news();
        if core::mem::replace(&mut news.driven, true) {
            return None;
        }
        news.ended = None;
        drop(news);
        Some(Seat(self.clone()))
    }

    /// Has the driver leave, where there is one, and waits for that.
    pub(crate) async fn until_left(&self) {
        if self.tell_to_leave() {
            let _ = self.until_ended().await;
        }
    }

    /// Tells the driver to leave, and whether there is one that will.
    fn tell_to_leave(&self) -> bool {
        let drives = {
            let news = self.news();
            news.driven && news.ended.is_none()
        };
        if drives {
            self.stop(Stop::Leave);
        }
        drives
    }
}
