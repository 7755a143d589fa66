//! The inner tier: what to do next about the brokerage session, for the gateway and the direct Web API alike.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::Region;
use super::flags::Standing;
use super::takeover::{OrElse, Takeover};
use super::wire::Flags;
use crate::provider::Entropy;
use crate::time::Interval;
use crate::{Backoff, Event, Timestamp};

/// How often a brokerage session that is not there is looked for.
pub(super) const LOOK: Duration = Duration::from_secs(60);

/// How soon a session that is being established is looked at; peers take one to three seconds.
pub(super) const ESTABLISHING: Duration = Duration::from_secs(2);

/// After so many looks it is not that fast: every ten seconds will do.
const ESTABLISHING_LOOKS: u8 = 30;

/// The pace of init: one that was repeated each minute for hours made a gateway refuse fresh logins.
const INIT: Backoff = Backoff::new(Duration::from_secs(60), SLOWEST, u16::MAX);

/// The longest wait between two inits.
const SLOWEST: Duration = Duration::from_secs(30 * 60);

/// No two inits are closer, whatever the spread and whatever has helped since.
const INIT_INTERVAL: Duration = Duration::from_secs(60);

/// After so many inits since midnight they come at the slowest pace: twice what that makes of a whole day. They do
/// not stop, since a session that the server would give again must not be missed until midnight.
const INITS: u16 = 100;

/// What is known of the brokerage session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Brokerage {
    pub(super) ready: bool,
    /// Whether it is, as far as known, the one that settings were made for.
    same: bool,
    /// Somebody else holds it, as far as known.
    pub(super) rival: bool,
    /// Whether a flag says so; where one did and no longer does, the rival may be gone.
    shown: bool,
    /// When a usable session was usable no more.
    lost_at: Option<Timestamp>,
    /// When somebody else took it while it was ours.
    thrown_out: Option<Timestamp>,
    /// How many takeovers the owner has granted and nobody has used.
    pub(super) granted: u8,
    /// How many were made since midnight.
    takeovers: u8,
    /// How many inits in a row did not help, and when the next may leave: this long after the last.
    tries: u16,
    tried: Timestamp,
    wait: Interval,
    /// Whether the last one was a takeover.
    took: bool,
    /// How many were sent since midnight.
    inits: u16,
    disconnected: bool,
    establishing: u8,
    /// The next regional midnight.
    pub(super) midnight: Option<Timestamp>,
}

/// What to do next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Move {
    /// The brokerage session is usable.
    Use,
    /// Look again after this time.
    Look(Duration),
    /// Look whether the outer tier lives.
    CheckSso,
    /// Open it without throwing anybody out.
    Init,
    /// Open it and throw out whoever has it.
    TakeOver,
    /// Ask the owner whether somebody may be thrown out.
    Ask,
    /// Give way.
    Yield,
    /// The answer has no flags.
    Puzzle,
}

impl Brokerage {
    /// Makes sense of flags; `sso` tells whether the outer tier is known to live.
    pub(super) fn weigh(
        &mut self,
        now: Timestamp,
        policy: Takeover,
        flags: &Flags<'_>,
        standing: Standing,
        sso: bool,
        tell: &mut dyn FnMut(Event),
    ) -> Move {
        self.note_connection(flags);
        if !matches!(standing, Standing::Ready | Standing::Unknown) {
            self.doubt(now);
            self.same = false;
        }
        match standing {
            Standing::Ready => {
                if !self.same {
                    tell(Event::SettingsLost);
                }
                self.same = true;
                if !self.ready {
                    // A consent that was not needed is none for the next rival.
                    self.granted = 0;
                }
                self.ready = true;
                self.rival = false;
                self.shown = false;
                self.lost_at = None;
                self.thrown_out = None;
                self.tries = 0;
                self.establishing = 0;
                Move::Use
            }
            Standing::Establishing => {
                self.establishing = self.establishing.saturating_add(1);
                Move::Look(if self.establishing > ESTABLISHING_LOOKS { ESTABLISHING * 5 } else { ESTABLISHING })
            }
            Standing::NeedsInit => {
                if core::mem::take(&mut self.shown) {
                    self.rival = false;
                    self.start_anew();
                }
                self.open(now, policy)
            }
            Standing::LoggedOut if sso => self.open(now, policy),
            Standing::LoggedOut => Move::CheckSso,
            Standing::TakeoverNeeded | Standing::Competing => {
                self.shown |= standing == Standing::Competing;
                self.note_rival(tell);
                self.open(now, policy)
            }
            Standing::Contradictory => Move::Look(ESTABLISHING * 3),
            Standing::Unknown => Move::Puzzle,
        }
    }

    /// Says how to open a session that is not there.
    pub(super) fn open(&mut self, now: Timestamp, policy: Takeover) -> Move {
        self.doubt(now);
        self.establishing = 0;
        if self.rival && self.granted > 0 {
            return Move::TakeOver;
        }
        let rest = self.next_init(now);
        // Without the compete flag nobody is thrown out, and no flag says truly whether the session is free.
        let politely = rest.map_or(Move::Init, |rest| Move::Look(rest.min(LOOK)));
        if !self.rival {
            return politely;
        }
        match policy {
            Takeover::Never { then: OrElse::Close } => Move::Yield,
            Takeover::Ask if rest.is_some() => Move::Ask,
            Takeover::Always { budget, quiet } if self.takeovers < budget && self.inits < INITS => {
                let quiet = self.quiet_left(now, quiet);
                match (quiet, politely) {
                    (Some(quiet), Move::Look(rest)) => Move::Look(rest.min(quiet)),
                    (Some(_), politely) => politely,
                    // A polite init that was refused is no takeover that did not help.
                    (None, _) if !self.took || rest.is_none() => Move::TakeOver,
                    (None, politely) => politely,
                }
            }
            _ => politely,
        }
    }

    /// Takes the session for unusable until the flags say otherwise; nothing is known to have ended it.
    pub(super) fn doubt(&mut self, now: Timestamp) {
        if self.ready {
            self.ready = false;
            self.lost_at = Some(now);
        }
    }

    /// Takes note that the outer tier has ended, and with it who held what.
    pub(super) fn end(&mut self) {
        self.ready = false;
        self.same = false;
        self.granted = 0;
        self.rival = false;
        self.shown = false;
        self.lost_at = None;
        self.thrown_out = None;
        self.establishing = 0;
    }

    /// Notes that an init leaves.
    pub(super) fn note_init(&mut self, now: Timestamp, takes_over: bool, entropy: Entropy<'_>) {
        self.tries = self.tries.saturating_add(1);
        self.inits = self.inits.saturating_add(1);
        self.tried = now;
        self.took = takes_over;
        self.same = false;
        let [k0, k1, k2, k3, k4, k5, k6, k7, ..] = *entropy.key;
        let seed = u64::from_le_bytes([k0, k1, k2, k3, k4, k5, k6, k7]) ^ entropy.counter;
        self.wait = INIT.delay(seed, self.tries).max(INIT_INTERVAL).into();
        if takes_over {
            self.granted = self.granted.saturating_sub(1);
            self.takeovers = self.takeovers.saturating_add(1);
        }
    }

    /// Notes the regional midnight; gives true where one has passed since the last time.
    pub(super) fn note_midnight(&mut self, now: Timestamp, region: Region) -> bool {
        let passed = match self.midnight {
            Some(midnight) if now < midnight => {
                // The clock may have been set back by a day.
                if midnight.since(now) > Duration::from_secs(25 * 3600) {
                    self.midnight = Some(region.next_midnight(now));
                }
                return false;
            }
            before => before.is_some(),
        };
        self.midnight = Some(region.next_midnight(now));
        self.inits = 0;
        self.takeovers = 0;
        passed
    }

    fn note_rival(&mut self, tell: &mut dyn FnMut(Event)) {
        if self.rival {
            return;
        }
        self.rival = true;
        self.thrown_out = self.lost_at;
        tell(Event::Rival);
    }

    /// Starts the pace anew where the back end was lost and is there again.
    fn note_connection(&mut self, flags: &Flags<'_>) {
        // What a refused init says beside `passed` is no look at the connection: it was seen to say
        // `true` where each look says `false`.
        if flags.passed.is_some() {
            return;
        }
        match flags.connected {
            Some(true) if self.disconnected => {
                self.disconnected = false;
                self.start_anew();
            }
            Some(false) => self.disconnected = true,
            _ => {}
        }
    }

    const fn start_anew(&mut self) {
        self.tries = 0;
    }

    /// Gives how long whoever threw this session out is left alone still.
    fn quiet_left(&mut self, now: Timestamp, quiet: Duration) -> Option<Duration> {
        // The clock may have been set back since.
        let at = self.thrown_out.map(|at| at.min(now))?;
        self.thrown_out = Some(at);
        quiet.checked_sub(now.since(at)).filter(|left| !left.is_zero())
    }

    /// Gives the time to wait before the next init, none if it may leave now.
    fn next_init(&mut self, now: Timestamp) -> Option<Duration> {
        self.tried = self.tried.min(now);
        let wait = match self.tries {
            _ if self.inits >= INITS => SLOWEST,
            0 => INIT_INTERVAL,
            _ => self.wait.into(),
        };
        wait.checked_sub(now.since(self.tried)).filter(|rest| !rest.is_zero())
    }
}
