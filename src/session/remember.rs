//! What a new session takes over of an earlier one of the same login.

use super::Session;
use super::core::Core;
use super::resume::{Read, read};
use super::tally::Spoilt;
use crate::provider::Provider;
use crate::{Event, Phase, ResumeError, Snapshot};

impl<P: Provider> Session<P> {
    /// Takes over what an earlier session of the same login has cost, be it closed or not: the answers that were refused or
    /// may have been, the step of the last one-time code, and a penalty box that lasts.
    ///
    /// Call it on a session that is new, before its start, wherever there is a stored snapshot that is not resumed. So
    /// [`Options::max_refused`](crate::Options::max_refused) holds over all restarts of a program. No token, no plan and no
    /// question is taken over; a request that was in flight then counts as one of unknown fate.
    ///
    /// Another key and another way out of the network are no other login, so they are not asked for.
    ///
    /// ```
    /// use sansession::providers::cbrain::Cbrain;
    /// use sansession::{BaseUrl, Options, ResumeError, Session, Snapshot, Timestamp};
    ///
    /// /// Goes on with what is stored, or logs in anew, knowing what the last login has cost.
    /// fn begin(portal: Cbrain, stored: &Snapshot, now: Timestamp) -> Result<Session<Cbrain>, ResumeError> {
    ///     let (options, seed) = (Options::default(), [7; 32]); // a real one comes from the system's randomness
    ///     if stored.closed().is_none() {
    ///         return Session::resume(portal, stored, options, None, seed, now);
    ///     }
    ///     let mut session = Session::new(portal, options, seed);
    ///     session.remember(stored)?;
    ///     Ok(session)
    /// }
    /// # let portal = Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap();
    /// # let text = sansession::Machine::snapshot(&Session::new(portal.clone(), Options::default(), [7; 32]));
    /// # assert!(begin(portal, &text, Timestamp::from_secs(1)).is_ok());
    /// ```
    ///
    /// # Errors
    /// [`ResumeError`] tells why nothing is taken over: the text is damaged or of a newer format, or of another
    /// provider, server or account. The session is as it was then.
    pub fn remember(&mut self, earlier: &Snapshot) -> Result<(), ResumeError> {
        let read = read(earlier, self.provider(), None)?;
        let Read { epoch, in_flight, may_live_on, session, .. } = read;
        let mut core = session.ok_or(ResumeError::Damaged)?;
        core.know_sums();
        core.bound_waits();
        let in_flight = in_flight.filter(|_| core.closed.is_none());
        let spent = in_flight.and_then(|step| self.provider().rule(step).spends);
        if let Some(kind) = spent.filter(|kind| kind.is_judged()) {
            core.count(kind, Spoilt::Lost);
        }
        let Core { phase, clock, .. } = self.0.inside().core;
        // The first call tells how far back its clock is, as after a resume.
        let now = if phase == Phase::Idle { clock.max(core.clock) } else { clock };
        core.set_back(core.clock.since(now));
        let (_, engine) = self.0.open(now);
        if may_live_on || in_flight.is_some_and(|step| engine.provider.rule(step).opens) {
            engine.tell(Event::MayLiveOn);
        }
        if phase == Phase::Idle {
            engine.ids.epoch = engine.ids.epoch.max(epoch.saturating_add(1));
        }
        // Whoever begins anew after a long wait does not begin at the first cap.
        if core.penalty >= engine.core.penalty {
            engine.core.over = core.over;
        }
        engine.core.penalty = engine.core.penalty.max(core.penalty);
        engine.core.code_spent = engine.core.code_spent.max(core.code_spent);
        engine.core.tally.remember(core.tally);
        engine.core.sum_up();
        Ok(())
    }
}
