//! The two tiers of a simulated session, and what ends them.

use core::time::Duration;

use super::{
    End, GatewaySim, Happening, KeptBy, Lever, Login, Midnight, Opener, Outage, Person, RefusedInit, Reinit, Rival,
};
use crate::Timestamp;

/// A login lasts no longer.
const MAXIMUM: Duration = Duration::from_secs(24 * 3_600);
const YEAR: Duration = Duration::from_secs(366 * 24 * 3_600);
/// `ssoExpires` falls from here to zero and renews itself.
const COUNTER: u64 = 600_000;

/// The outer tier.
#[derive(Clone, Debug)]
pub(super) struct Sso {
    pub(super) person: Person,
    pub(super) since: Timestamp,
    pub(super) id: String,
    /// When the counter reaches zero, once it renews itself no more.
    ends: Option<Timestamp>,
}

impl Sso {
    /// Returns the milliseconds that the counter shows.
    pub(super) fn expires_in(&self, now: Timestamp) -> u64 {
        let shown = |at: Timestamp| COUNTER - crate::time::millis(at.since(self.since)) % COUNTER;
        self.ends.map_or_else(|| shown(now), |ends| crate::time::millis(ends.since(now)))
    }
}

/// The inner tier.
#[derive(Clone, Debug)]
pub(super) enum Brokerage {
    Closed { connected: bool },
    Open { since: Timestamp, used: Timestamp, accounts_asked: bool, suppressed: usize },
}

/// What the flags say.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flags {
    pub(super) connected: bool,
    pub(super) authenticated: bool,
    pub(super) established: bool,
    pub(super) competing: bool,
}

/// Something that comes with the time.
#[derive(Clone, Copy, Debug)]
enum Due {
    Midnight,
    Maximum,
    Counter,
    Idle,
    Plan,
    Login,
    Reauthenticate,
}

impl GatewaySim {
    /// Lets time pass up to `now`; everything that is due happens, in its order and at its time.
    ///
    /// [`Simulator::handle`](crate::sim::Simulator::handle), [`GatewaySim::pull`] and the others do so
    /// themselves. Time never runs backwards: an earlier `now` counts as the latest that was seen.
    pub fn advance(&mut self, now: Timestamp) {
        let target = self.now.map_or(now, |seen| seen.max(now));
        // Nothing outlives a year, and a clock that jumps by a century must not take an hour.
        let mut clock = self.now.unwrap_or(target).max(target - YEAR);
        while let Some((at, due)) = self.next_due(clock).filter(|(at, _)| *at <= target && !at.is_never()) {
            clock = at.max(clock);
            self.now = Some(clock);
            self.happen(clock, due);
        }
        self.now = Some(target);
    }

    fn next_due(&self, clock: Timestamp) -> Option<(Timestamp, Due)> {
        let idle = match &self.brokerage {
            Brokerage::Open { used, .. } => Some(*used + self.settings.idle),
            Brokerage::Closed { .. } => None,
        };
        [
            Some((self.next_reset(clock), Due::Midnight)),
            self.sso.as_ref().map(|sso| (sso.since + MAXIMUM, Due::Maximum)),
            self.sso.as_ref().and_then(|sso| sso.ends).map(|ends| (ends, Due::Counter)),
            idle.map(|at| (at, Due::Idle)),
            self.plan.first().map(|(at, _)| (*at, Due::Plan)),
            self.login_at.as_ref().map(|(at, _)| (*at, Due::Login)),
            self.reauthenticates_at.map(|at| (at, Due::Reauthenticate)),
        ]
        .into_iter()
        .flatten()
        .min_by_key(|(at, _)| *at)
    }

    /// Returns the next time at which a day ends here.
    fn next_reset(&self, clock: Timestamp) -> Timestamp {
        let early = self.settings.early;
        self.settings.region.next_midnight(clock + early) - early
    }

    fn happen(&mut self, now: Timestamp, due: Due) {
        match due {
            Due::Midnight => {
                self.note(now, Happening::Midnight);
                match self.settings.midnight {
                    Midnight::EndsLogin => self.end_login(now, End::Midnight),
                    Midnight::EndsBrokerage => self.end_brokerage(now, End::Midnight, true),
                    Midnight::EndsNothing => {}
                }
            }
            Due::Maximum => self.end_login(now, End::Maximum),
            Due::Counter => self.end_login(now, End::Counter),
            Due::Idle => self.end_brokerage(now, End::Idle, true),
            Due::Plan => {
                let (_, lever) = self.plan.remove(0);
                self.apply(now, lever);
            }
            Due::Login => {
                if let Some((_, person)) = self.login_at.take() {
                    self.log_in(now, person);
                }
            }
            Due::Reauthenticate => {
                self.reauthenticates_at = None;
                if matches!(self.brokerage, Brokerage::Closed { .. }) && !self.wedged {
                    self.open(now, Opener::Reauthenticate, false);
                }
            }
        }
    }

    pub(super) fn apply(&mut self, now: Timestamp, lever: Lever) {
        match lever {
            Lever::LogIn(person) => self.log_in(now, person),
            Lever::Login(login) => {
                self.login_at = None;
                self.settings.login = login;
            }
            Lever::EndLogin => self.end_login(now, End::Lever),
            Lever::EndBrokerage { connected } => self.end_brokerage(now, End::Lever, connected),
            Lever::Wedge => {
                self.wedged = true;
                self.end_brokerage(now, End::Lever, false);
            }
            Lever::RivalTakes(rival) => {
                self.note(now, Happening::RivalTook);
                self.rival = Some(rival);
                self.end_brokerage(now, End::Rival, true);
            }
            Lever::RivalLeaves => {
                if self.rival.take().is_some() {
                    self.note(now, Happening::RivalLeft);
                }
            }
            Lever::StopRenewing => {
                if let Some(sso) = &mut self.sso {
                    sso.ends = Some(now + Duration::from_millis(sso.expires_in(now)));
                }
            }
            Lever::Outage { lasts, outage } => self.outage = Some((now + lasts, outage)),
            Lever::Mishap { next, path, mishap } => self.mishaps.plan(None, path, next, &mishap),
            Lever::Flaky(flaky) => self.settings.flaky = flaky,
            Lever::Penalty => {
                self.note(now, Happening::Boxed);
                self.limits.put_into_box(now + self.settings.penalty);
            }
        }
    }

    fn log_in(&mut self, now: Timestamp, person: Person) {
        if let Some((ends, _)) = self.outage_at(now) {
            self.login_at = Some((ends, person));
            return;
        }
        self.login_at = None;
        self.end_brokerage(now, End::Login, true);
        self.note(now, Happening::LoggedIn { user: person.user.clone(), paper: person.paper });
        let id = format!("{:016x}{:016x}", self.draw(), self.draw());
        self.sso = Some(Sso { person, since: now, id, ends: None });
        self.fail = false;
        self.wedged = false;
        (self.hmds, self.fyi) = (false, false);
        self.brokerage = Brokerage::Closed { connected: true };
        if self.settings.opens_itself && self.rival.is_none() {
            self.open(now, Opener::GatewaySim, false);
        }
    }

    pub(super) fn end_login(&mut self, now: Timestamp, why: End) {
        if let Some(sso) = self.sso.take() {
            self.end_brokerage(now, if why == End::Lever { End::Login } else { why }, false);
            self.note(now, Happening::LoginEnded(why));
            if why == End::Logout {
                self.logged_out = Some((now, sso));
            }
        }
        self.reauthenticates_at = None;
    }

    pub(super) fn end_brokerage(&mut self, now: Timestamp, why: End, connected: bool) {
        if matches!(self.brokerage, Brokerage::Open { .. }) {
            self.note(now, Happening::BrokerageEnded(why));
        }
        self.brokerage = Brokerage::Closed { connected };
    }

    /// Opens the brokerage session if it may be opened; says how it was refused otherwise.
    pub(super) fn open(&mut self, now: Timestamp, by: Opener, compete: bool) -> Option<RefusedInit> {
        let refused = match self.rival {
            Some(rival) => Some(rival.refusal),
            None => (self.settings.refuses_polite_init && by != Opener::GatewaySim).then_some(RefusedInit::Fail),
        };
        if let Some(refusal) = refused.filter(|_| !compete) {
            self.fail = refusal == RefusedInit::Fail;
            self.note(now, Happening::Refused);
            return Some(refusal);
        }
        self.fail = false;
        if let Some(rival) = self.rival.take() {
            self.note(now, Happening::TookOver);
            if let Some(pause) = rival.returns {
                self.schedule(now + pause, Lever::RivalTakes(rival));
            }
        }
        if matches!(self.brokerage, Brokerage::Open { .. }) {
            if self.settings.reinit == Reinit::Harmless {
                return None;
            }
            self.end_brokerage(now, End::Init, true);
        }
        self.note(now, Happening::Opened { by, compete });
        self.brokerage = Brokerage::Open { since: now, used: now, accounts_asked: false, suppressed: 0 };
        None
    }

    /// Remembers that the session was used.
    pub(super) fn use_brokerage(&mut self, now: Timestamp, is_tickle: bool) {
        if let Brokerage::Open { used, .. } = &mut self.brokerage
            && (is_tickle || self.settings.kept_by == KeptBy::AnyIserverCall)
        {
            *used = now;
        }
    }

    /// Calls a person to the browser, if one comes.
    pub(super) fn call_for_login(&mut self, now: Timestamp) {
        if let Login::After { delay, person } = &self.settings.login
            && self.sso.is_none()
            && self.login_at.is_none()
        {
            self.login_at = Some((now + *delay, person.clone()));
        }
    }

    pub(super) fn flags(&self, now: Timestamp) -> Flags {
        let competing = self.rival.is_some_and(|rival: Rival| rival.shows);
        match &self.brokerage {
            _ if self.sso.is_none() => {
                Flags { connected: false, authenticated: false, established: false, competing: false }
            }
            Brokerage::Open { since, .. } => Flags {
                connected: true,
                authenticated: true,
                established: now >= *since + self.settings.establish,
                competing,
            },
            Brokerage::Closed { connected } => {
                Flags { connected: *connected, authenticated: false, established: false, competing }
            }
        }
    }

    /// Returns the end of the outage that holds `now`, and its kind.
    pub(super) fn outage_at(&self, now: Timestamp) -> Option<(Timestamp, Outage)> {
        if let Some((until, outage)) = self.outage.filter(|(until, _)| now < *until) {
            return Some((until, outage));
        }
        let maintenance = self.settings.maintenance?;
        let starts = self.settings.region.last_midnight(now) + maintenance.after;
        let ends = starts + maintenance.lasts;
        (starts <= now && now < ends).then_some((ends, maintenance.outage))
    }

    /// Draws a number (SplitMix64).
    pub(super) fn draw(&mut self) -> u64 {
        self.random = self.random.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
