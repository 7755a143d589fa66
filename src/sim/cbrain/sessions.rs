//! The table of sessions.

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use crate::Timestamp;

/// The name of the browser's session cookie.
pub(super) const COOKIE: &str = "BrainPortal5_Session";
/// A token dies when nobody uses it for a day (`SESSION_API_TOKEN_VALIDITY`).
const UNUSED: Duration = Duration::from_secs(24 * 60 * 60);
/// A use is noted at most once a minute (`touch_unless_recent`).
const TOUCH: Duration = Duration::from_secs(60);
/// A browser's cookie lives for three days.
const COOKIE_LIFE: Duration = Duration::from_secs(3 * 24 * 60 * 60);

pub(super) struct Sessions {
    rows: BTreeMap<String, Session>,
    seed: u64,
    made: u64,
}

struct Session {
    user: u64,
    /// The address that the token is bound to; none before the first use of one made on the account's page.
    address: Option<IpAddr>,
    active: bool,
    updated: Timestamp,
    /// The browser's cookie and when it was given.
    cookie: Option<(String, Timestamp)>,
}

/// What a token turned out to be.
pub(super) enum Found {
    Live {
        user: u64,
    },
    /// It came from another address than its own, and is dead from now on.
    Moved {
        user: u64,
    },
    Nothing,
}

impl Sessions {
    pub(super) fn new(seed: u64) -> Self {
        Self { rows: BTreeMap::new(), seed, made: 0 }
    }

    /// Opens a session; gives its token.
    pub(super) fn open(&mut self, now: Timestamp, user: u64, address: Option<IpAddr>) -> String {
        let token = self.text();
        self.rows.insert(token.clone(), Session { user, address, active: true, updated: now, cookie: None });
        token
    }

    /// Returns a session a browser's cookie.
    pub(super) fn give_cookie(&mut self, token: &str) -> Option<String> {
        let cookie = self.text();
        let session = self.rows.get_mut(token)?;
        session.cookie = Some((cookie.clone(), session.updated));
        Some(cookie)
    }

    pub(super) fn find(&mut self, now: Timestamp, address: IpAddr, token: &str) -> Found {
        let Some(session) = self.rows.get_mut(token) else { return Found::Nothing };
        if !session.is_live(now) {
            return Found::Nothing;
        }
        if *session.address.get_or_insert(address) != address {
            session.active = false;
            return Found::Moved { user: session.user };
        }
        Found::Live { user: session.user }
    }

    /// Finds the session of a browser's cookie: its token and its user.
    pub(super) fn find_cookie(&self, now: Timestamp, cookie: &str) -> Option<(String, u64)> {
        let (token, session) = self.rows.iter().find(|(_, session)| {
            session.active
                && session
                    .cookie
                    .as_ref()
                    .is_some_and(|(value, given)| value == cookie && now.since(*given) < COOKIE_LIFE)
        })?;
        Some((token.clone(), session.user))
    }

    /// Notes a use.
    pub(super) fn touch(&mut self, now: Timestamp, token: &str) {
        if let Some(session) = self.rows.get_mut(token)
            && now.since(session.updated) >= TOUCH
        {
            session.updated = now;
        }
    }

    pub(super) fn end(&mut self, token: &str) {
        if let Some(session) = self.rows.get_mut(token) {
            session.active = false;
        }
    }

    pub(super) fn end_all_of(&mut self, user: u64) {
        self.rows.retain(|_, session| session.user != user);
    }

    pub(super) fn purge(&mut self, now: Timestamp, unused: Duration) {
        self.rows.retain(|_, session| now.since(session.updated) < unused);
    }

    pub(super) fn expire_all(&mut self) {
        for session in self.rows.values_mut() {
            session.updated = Timestamp::from_millis(0);
        }
    }

    pub(super) fn live(&self, now: Timestamp, user: u64) -> usize {
        self.rows.values().filter(|session| session.user == user && session.is_live(now)).count()
    }

    /// Creates 32 lower-case hexadecimal digits, the same ones for the same seed and count.
    fn text(&mut self) -> String {
        self.made += 1;
        let high = mix(self.seed ^ mix(self.made));
        format!("{high:016x}{:016x}", mix(high ^ self.made))
    }
}

impl Session {
    fn is_live(&self, now: Timestamp) -> bool {
        self.active && now.since(self.updated) < UNUSED
    }
}

/// The output function of SplitMix64.
fn mix(value: u64) -> u64 {
    let value = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
