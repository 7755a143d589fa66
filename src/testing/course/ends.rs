//! How a life before a simulator ends.

use super::{Course, MOMENT};
use crate::testing::calls::Call;
use crate::testing::served::told;
use crate::testing::twist::Twist;
use crate::testing::world::{Broken, Lawful, broken};
use crate::{CloseReason, Machine, Phase, Provider};

impl<P: Provider + Send> Course<'_, '_, P> {
    /// Ends the session, and looks what has become of it at the server.
    pub(super) fn end(&mut self) -> Lawful {
        self.recovered()?;
        self.ending = true;
        let open = self.is_open();
        let sent = self.world.sent;
        self.world.unbuildable = None;
        self.world.make(&Call::Logout)?;
        let mut turns = 0;
        while let Some(until) = self.world.drain()? {
            turns += 1;
            if turns > 500 {
                broken!("16. logout", "500 turns and no end");
            }
            if self.world.flying.is_some() {
                self.reply()?;
            } else if self.world.session.phase() != Phase::LoggingOut {
                // The process has died, and the next one ends the session as well.
                self.world.make(&Call::Logout)?;
            } else if self.is_answered()? {
                // What the request of the logout is made of, such as a signature.
            } else if until.is_never() {
                broken!("16. logout", "waits for ever");
            } else {
                self.world.now = until;
            }
        }
        if let Some((step, part)) = self.world.unbuildable {
            broken!("16. logout", "`{}` is to end the session and cannot be built: {part}", self.world.name_of(step));
        }
        let confirmed = match self.world.known.closed {
            Some(CloseReason::LoggedOut { confirmed }) => confirmed,
            _ => return Ok(()),
        };
        let last = self.world.last.as_deref().unwrap_or_default();
        let steps: Vec<_> =
            self.left.iter().filter(|left| left.ending).map(|left| self.world.name_of(left.step)).collect();
        if open == Some(false) && self.world.sent > sent && !self.is_disturbed() {
            broken!("16. logout", "nothing is open at the server, and {steps:?} leaves to end it: {last}");
        }
        if confirmed
            && self.is_open() == Some(true)
            && (!self.is_disturbed() || matches!(self.twist, Twist::Leaving(..)))
        {
            broken!("16. logout", "it counts as confirmed and the login is still open at the server: {last}");
        }
        if !confirmed && !self.is_disturbed() {
            broken!("16. logout", "nothing went wrong and it is not confirmed: {last}");
        }
        Ok(())
    }

    fn is_open(&self) -> Option<bool> {
        self.world.simulator.as_ref().and_then(|simulator| simulator.is_open(self.world.now))
    }

    /// What went wrong has passed: the session is active, and its calls are not refused.
    fn recovered(&mut self) -> Lawful {
        let early = matches!(self.twist, Twist::Logout(_) | Twist::Leaving(..));
        if early || self.twist == Twist::Wrong && self.active_at.is_none() {
            return Ok(());
        }
        let last = self.world.last.as_deref().unwrap_or("nothing was answered");
        if self.active_at.is_none() {
            broken!("21. gets in", "it never becomes active: {last}");
        }
        let phase = self.world.session.phase();
        if phase != Phase::Active {
            broken!("28. mishaps pass", "the session is {} and not active again: {last}", phase.code());
        }
        self.world.now = self.world.now + MOMENT;
        if let Some((request, _)) = self.world.authorized()? {
            let response = self.world.arrives(&request, "a call of the user's own")?;
            if self.is_refused(&response) {
                broken!(
                    "24. calls of the user's own",
                    "one still gets {} long after something went wrong",
                    told(&response)
                );
            }
        }
        Ok(())
    }
}
