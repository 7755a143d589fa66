//! Taking up a session that was written down.

use std::sync::Arc;

use super::Session;
use super::format;
use super::turn::{Engine, Ids};
use crate::machine::exchange::{Failure, FailureKind};
use crate::provider::Provider;
use crate::{Event, Options, ResumeError, Seed, Snapshot, Timestamp};

impl<P: Provider> Session<P> {
    /// Takes up a session that was written down, in this process or another one.
    ///
    /// The provider value brings keys and configuration; the snapshot brings tokens and plans. The
    /// `fence` must be higher than the one that the snapshot was made with (1 for a new session):
    /// `None` takes the next one, a service that shares sessions between machines gives its lease's.
    /// What was in flight counts as a request of unknown fate.
    ///
    /// # Errors
    /// [`ResumeError`] tells why the snapshot is refused; nothing of it has been used then.
    pub fn resume(
        provider: P,
        snapshot: &Snapshot,
        options: impl Into<Arc<Options>>,
        fence: Option<u64>,
        seed: impl Into<Seed>,
        now: Timestamp,
    ) -> Result<Self, ResumeError> {
        let options = options.into();
        let text = format::read(snapshot, &provider, Some(&options))?;
        let (left, may_live_on) = (text.in_flight, text.may_live_on);
        let epoch = match fence {
            None if text.epoch < u64::MAX => text.epoch + 1,
            None => return Err(ResumeError::OlderFence { found: text.epoch, given: text.epoch }),
            Some(given) if given > text.epoch => given,
            Some(given) => return Err(ResumeError::OlderFence { found: text.epoch, given }),
        };
        let (stored_at, core) = text.session.ok_or(ResumeError::Damaged)?.core();
        provider.admits(&core.state).map_err(ResumeError::NotAdmitted)?;
        let mut resumed = Self::of(stored_at, Engine::new(provider, options, Ids::new(&seed.into(), epoch), core));
        let (now, engine) = resumed.0.open(now);
        let leaving = engine.core.life.is_leaving();
        engine.core.limits.bound(now, now, leaving);
        // Nobody tried anything meanwhile.
        engine.be_patient_anew(now);
        engine.hand.note_resumed();
        engine.note_must_store();
        if may_live_on {
            engine.tell(Event::MayLiveOn);
        }
        if let Some(step) = left
            && engine.core.life.closed().is_none()
        {
            // The plans in the text may be those from before it left.
            engine.core.agenda.may_have_left(now, step);
            engine.failed(now, step, Failure::maybe_sent(FailureKind::Interrupted));
        }
        Ok(resumed)
    }
}
