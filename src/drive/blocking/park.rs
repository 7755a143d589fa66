//! The least of runtimes: one future, in one thread, which sleeps meanwhile.
#![expect(clippy::disallowed_methods, reason = "a thread sleeps by the monotonic clock")]

use core::future::{Future, poll_fn};
use core::pin::pin;
use core::task::{Context, Poll, Waker};
use core::time::Duration;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Wake;
use std::thread::{self, Thread};
use std::time::Instant;

use crate::drive::Timer;

/// Runs a future in this thread, and is its timer.
#[derive(Default)]
pub(super) struct Parker {
    /// When the future wants to be polled again at the latest.
    due: Mutex<Option<Instant>>,
}

impl Parker {
    /// Runs a future to its end.
    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        loop {
            self.set(None);
            if let Poll::Ready(done) = future.as_mut().poll(&mut cx) {
                return done;
            }
            let due = *self.due.lock().unwrap_or_else(PoisonError::into_inner);
            match due {
                Some(due) => thread::park_timeout(due.saturating_duration_since(Instant::now())),
                None => thread::park(),
            }
        }
    }

    /// Runs a future for so long at most.
    pub(super) fn block_on_for<T>(&self, time: Duration, future: impl Future<Output = T>) -> Option<T> {
        let (mut late, mut future) = (pin!(self.sleep(time)), pin!(future));
        self.block_on(poll_fn(|cx| match future.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => late.as_mut().poll(cx).map(|()| None),
        }))
    }

    fn set(&self, due: Option<Instant>) {
        *self.due.lock().unwrap_or_else(PoisonError::into_inner) = due;
    }
}

impl Timer for Parker {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        let end = Instant::now().checked_add(time);
        poll_fn(move |_| match end {
            Some(end) if Instant::now() >= end => Poll::Ready(()),
            end => {
                self.set(end);
                Poll::Pending
            }
        })
    }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}
