//! Those who wait for a session to get somewhere, and what they and drivers have to know besides the machine.

use core::future::poll_fn;
use core::task::{Poll, Waker};
use std::sync::MutexGuard;

use super::super::Ended;
use super::super::events::Listener;
use super::Handle;
use crate::{Machine, Phase};

/// What drivers and those who wait have to know besides the machine. The two locks are never held together.
#[derive(Default)]
pub(super) struct News {
    pub(super) driven: bool,
    /// Whether a snapshot was taken, so that somebody can find the session again.
    pub(super) kept: bool,
    /// How the last driving ended, until the next one begins.
    pub(super) ended: Option<Ended>,
    /// The task that drives.
    pub(super) driver: Option<Waker>,
    /// The tasks that wait for the session to get somewhere, each under a number of its own.
    pub(super) waiting: Vec<(u64, Waker)>,
    /// Those who listen to its events, likewise.
    pub(super) listeners: Vec<Listener>,
    numbers: u64,
}

impl News {
    pub(super) fn number(&mut self) -> u64 {
        self.numbers = self.numbers.wrapping_add(1);
        self.numbers
    }
}

impl<M: Machine + ?Sized> Handle<M> {
    /// Wakes all who wait for the session to get somewhere.
    pub(super) fn announce(&self, mut news: MutexGuard<'_, News>) {
        let waiting = core::mem::take(&mut news.waiting);
        drop(news);
        self.0.changed.notify_all();
        for (_, waiting) in waiting {
            waiting.wake();
        }
    }

    /// Reports whether somebody can find the session again.
    #[cfg(feature = "ureq")]
    pub(crate) fn is_kept(&self) -> bool {
        self.news().kept
    }

    /// Waits until the session is usable.
    pub(crate) async fn until_active(&self) -> Result<(), Ended> {
        self.until(|| match self.phase() {
            Phase::Active => Some(Ok(())),
            _ => self.news().ended.clone().map(Err),
        })
        .await
    }

    /// Waits until driving has ended.
    pub(crate) async fn until_ended(&self) -> Ended {
        self.until(|| self.news().ended.clone()).await
    }

    /// Waits until something holds. It is asked again whenever the session has moved on or driving has ended.
    pub(super) async fn until<T>(&self, met: impl Fn() -> Option<T>) -> T {
        let mut place = Place { handle: self, number: None };
        poll_fn(|cx| {
            // Before the look, so that what happens after it is not missed.
            place.take(cx.waker());
            met().map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

/// A place among those who wait, given up when the waiting ends.
struct Place<'a, M: Machine + ?Sized> {
    handle: &'a Handle<M>,
    number: Option<u64>,
}

impl<M: Machine + ?Sized> Place<'_, M> {
    fn take(&mut self, waker: &Waker) {
        let mut news = self.handle.news();
        let number = *self.number.get_or_insert_with(|| news.number());
        match news.waiting.iter_mut().find(|(held, _)| *held == number) {
            Some((_, held)) => held.clone_from(waker),
            None => news.waiting.push((number, waker.clone())),
        }
    }
}

impl<M: Machine + ?Sized> Drop for Place<'_, M> {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.handle.news().waiting.retain(|(held, _)| *held != number);
        }
    }
}
