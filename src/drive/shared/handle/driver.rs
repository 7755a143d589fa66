//! What a driver does with the session.

use core::task::{Context, Poll, Waker};
use std::sync::atomic::Ordering;

use http::Response;

use super::super::{Ended, SendError};
use super::{Handle, Look};
use crate::{Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, Output, RequestId, Source, Timestamp};

/// For a driver of one's own, where `blocking::drive` and `asynchronous::Driver` do not fit.
impl<M: Machine + ?Sized> Handle<M> {
    /// Begins to open the session, see [`Machine::start`].
    pub fn start(&self) {
        self.change(|machine, now| machine.start(now));
    }

    /// Returns the next thing to do, see [`Machine::poll`].
    ///
    /// Once it has said [`Output::Save`] it says nothing else until [`Handle::saved`] was called: a
    /// request that must not leave unsaved does not.
    pub fn poll(&self) -> Output {
        match self.look() {
            Look { unsaved: true, .. } => Output::Save,
            _ => {
                let output = self.poll_at(self.now());
                self.note(&output);
                output
            }
        }
    }

    /// Notes that the [snapshot](Handle::snapshot) was stored, or that its loss is borne.
    pub fn saved(&self) {
        self.signals().unsaved.store(false, Ordering::Release);
    }

    /// Accepts the answer to a request, see [`Machine::handle_response`].
    ///
    /// # Errors
    /// Those of [`Machine::handle_response`].
    pub fn responded(&self, id: RequestId, response: &Response<impl AsRef<[u8]>>) -> Result<Handled, Misuse> {
        self.change(|machine, now| machine.handle_response(now, id, response.into()))
    }

    /// Reports to the session that a request got no answer, see [`Machine::handle_failure`].
    ///
    /// # Errors
    /// Those of [`Machine::handle_failure`].
    pub fn failed(&self, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        self.change(|machine, now| machine.handle_failure(now, id, failure))
    }

    /// Sleeps until then, or until something happens, 10 s at most: poll afterwards in any case. It blocks the thread.
    #[cfg(feature = "ureq")]
    pub fn wait(&self, until: Timestamp) {
        let now = self.now();
        let sleep = super::wake_at(now, until).since(now);
        // The guard that comes back, of a poisoned lock or not, is given up at once.
        drop(self.0.changed.wait_timeout_while(self.news(), sleep, |_| !self.signals().are_new()));
    }

    /// Tells, once for each [`Stop::Leave`](super::Stop::Leave), that the driver has to leave.
    pub fn leaves(&self) -> bool {
        self.signals().leave.swap(false, Ordering::AcqRel)
    }

    /// Returns what the driver has to know besides the machine; what happens from here on wakes it.
    pub(in crate::drive::shared) fn look(&self) -> Look {
        let signals = self.signals();
        signals.seen.store(signals.changes.load(Ordering::Acquire), Ordering::Release);
        Look { leave: signals.leave.load(Ordering::Acquire), unsaved: signals.unsaved.load(Ordering::Acquire) }
    }

    /// Returns the next thing to do after a [look](Self::look) that found nothing unsaved; [note](Self::note) it.
    pub(in crate::drive::shared) fn poll_at(&self, now: Timestamp) -> Output {
        self.machine().poll(now)
    }

    /// Notes what is to be done. (It is large: by itself, a poll writes it to where it is wanted.)
    #[inline]
    pub(in crate::drive::shared) fn note(&self, output: &Output) {
        match output {
            Output::Save => self.signals().unsaved.store(true, Ordering::Release),
            Output::Event(event) => self.tell(event),
            Output::Closed(reason) => self.note_end(Ended::Closed(reason.clone())),
            _ => {}
        }
    }

    /// Reports what a request got, by the driver itself.
    pub(in crate::drive::shared) fn report(
        &self,
        id: RequestId,
        answer: &Result<Response<Vec<u8>>, SendError>,
    ) -> Result<Handled, Misuse> {
        self.quietly(|machine, now| match answer {
            Ok(response) => machine.handle_response(now, id, response.into()),
            Err(error) => machine.handle_failure(now, id, error.failure),
        })
    }

    /// Answers a need, by the driver itself.
    pub(in crate::drive::shared) fn give(&self, need: NeedId, input: Input, by: Source) -> InputHandled {
        self.quietly(|machine, now| machine.handle_input(now, need, input, by))
    }

    /// Waits until somebody else has done something to the session since the last poll; `left` is the waker that was
    /// left for that.
    pub(in crate::drive::shared) fn poll_changed(&self, cx: &Context<'_>, left: &mut Option<Waker>) -> Poll<()> {
        if !left.as_ref().is_some_and(|left| left.will_wake(cx.waker())) {
            *left = Some(cx.waker().clone());
            self.news().driver.clone_from(left);
        }
        if self.signals().are_new() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Notes that driving begins, or goes on after it was left.
    pub(in crate::drive::shared) fn note_begin(&self) {
        self.news().ended = None;
    }

    /// Notes how driving ended.
    pub(in crate::drive::shared) fn note_end(&self, ended: Ended) {
        let mut news = self.news();
        if news.ended.as_ref() != Some(&ended) {
            news.ended = Some(ended);
            self.announce(news);
        }
    }
}
