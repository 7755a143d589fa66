//! Reports that come late, or of requests that nobody knows, with the laws that they must keep.

use super::calls::Reply;
use super::world::{Broken, Lawful, World, broken};
use crate::{Failure, Handled, Machine, Misuse, Provider, RequestId, Response, machine::FailureKind};

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn report_late(&mut self, which: usize, reply: &Reply) -> Lawful {
        let Some(&id) = self.over.get(which % self.over.len().max(1)) else { return Ok(()) };
        if id.epoch > self.epoch() {
            // A life that was resumed from an older text cannot know of it.
            return Ok(());
        }
        let response = self.response(reply, None);
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_response(now, id, Response::from(&response)) {
                Ok(Handled::Stale) => Ok(()),
                other => broken!("17. late news", "{id:?} is over and its answer is {other:?}"),
            }
        })
    }

    fn epoch(&self) -> u64 {
        self.session.epoch()
    }

    pub(super) fn report_unknown(&mut self, ahead: u32) -> Lawful {
        let Some(last) = self.ids.iter().max().copied() else { return Ok(()) };
        let id = if ahead == 0 {
            RequestId { epoch: last.epoch + 1_000, ..last }
        } else {
            RequestId { seq: last.seq + 100_000 * ahead, ..last }
        };
        // An id of another life of the same epoch cannot be distinguished from a late one.
        if ahead > 0 && self.flying.as_ref().is_none_or(|flying| flying.id != last) {
            return Ok(());
        }
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_failure(now, id, Failure::not_sent(FailureKind::Other)) {
                Err(Misuse::UnknownId) => Ok(()),
                other => broken!("17. late news", "{id:?} was never issued and is {other:?}"),
            }
        })
    }
}
