//! What a new session takes over of an earlier one of the same login.

use super::Session;
use super::format;
use super::tally::Spoilt;
use crate::provider::Provider;
use crate::{Event, ResumeError, Snapshot};

impl<P: Provider> Session<P> {
    /// Takes over what an earlier session of the same login has cost, be it closed or not: the answers that were refused or
    /// may have been, the step of the last one-time code, and penalty boxes and waits that last.
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
    /// /// Goes on with what is stored, or logs in again, knowing what the last login has cost.
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
        let text = format::read(earlier, self.provider(), None)?;
        let (epoch, left, may_live_on) = (text.epoch, text.in_flight, text.may_live_on);
        let (stored_at, mut core) = text.session.ok_or(ResumeError::Damaged)?.core();
        let (idle, clock) = (self.0.inside().core.life.is_idle(), self.0.clock());
        // The first call tells how far back its clock is, as after a resume.
        let now = if idle { clock.max(stored_at) } else { clock };
        core.limits.bound(stored_at, now, false);
        let left = left.filter(|_| core.life.closed().is_none());
        for kind in left.iter().flat_map(|step| self.provider().rule(*step).takes()) {
            if kind.is_judged() {
                core.counts.tally.note(kind, Spoilt::Lost);
            }
        }
        core.set_back(stored_at.since(now));
        let (_, engine) = self.0.open(now);
        if may_live_on || left.is_some_and(|step| engine.provider.rule(step).opens) {
            engine.tell(Event::MayLiveOn);
        }
        if idle {
            engine.ids.epoch = engine.ids.epoch.max(epoch.saturating_add(1));
        }
        engine.core.limits.remember(core.limits);
        engine.core.counts.remember(&core.counts);
        Ok(())
    }
}
