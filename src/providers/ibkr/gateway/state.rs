//! What is known of a gateway session.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::step::VALIDATE_INTERVAL;
use crate::providers::ibkr::brokerage::Brokerage;
use crate::{Because, Secret, Timestamp};

/// How long an answer of `sso/validate` is believed against doubts of the inner tier; it may be asked once a minute.
const BELIEVED: Duration = Duration::from_secs(90);

/// How long it is believed against doubts of the outer tier itself: they led to it a moment ago.
const BELIEVED_AGAINST: Duration = Duration::from_secs(20);

/// How long after a regional midnight the end of all logins is expected: drops were seen up to an hour later.
const RESET: Duration = Duration::from_secs(2 * 3600);

/// A login lasts 24 hours at most; so on a day of 25 it ends before midnight. It was usable first some
/// time after it began.
const DAY: Duration = Duration::from_secs(23 * 3600);

/// What is known of a gateway session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct GatewayState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<GatewayLive>,
    /// Whether the logged-in user is known to be one that may be used.
    pub(super) identified: bool,
    pub(super) brokerage: Brokerage,
    /// When `sso/validate` last said that the login lives,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validated: Option<Timestamp>,
    /// or that nobody is logged in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) denied: Option<Timestamp>,
    /// When this login was usable first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admitted: Option<Timestamp>,
    /// Whether asking `sso/validate` who is logged in is given up.
    pub(super) nameless: bool,
    /// When the last regional midnight was noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reset_at: Option<Timestamp>,
    /// Why the session is being opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<Because>,
    /// Since when a person is asked to log in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) asked: Option<Timestamp>,
    /// Whether that person says that it is done, and `sso/validate` has not been asked since.
    pub(super) done: bool,
    /// Whether the server has shown that it is IBKR's gateway.
    pub(super) met: bool,
}

impl GatewayState {
    /// Tells whether the outer tier was proven to live a moment ago.
    pub(super) fn is_sso_alive(&self, now: Timestamp) -> bool {
        self.live.is_some() && is_recent(self.validated, now, BELIEVED)
    }

    /// Tells whether the outer tier was proven to live after the doubt of it.
    pub(super) fn is_sso_surely_alive(&self, now: Timestamp) -> bool {
        self.live.is_some() && is_recent(self.validated, now, BELIEVED_AGAINST)
    }

    /// Tells whether `sso/validate` has just said that nobody is logged in, and may not be asked again.
    pub(super) fn is_denied(&self, now: Timestamp) -> bool {
        is_recent(self.denied, now, VALIDATE_INTERVAL)
    }

    /// Tells whether the nightly end of all logins is expected about now.
    pub(super) fn is_reset(&self, now: Timestamp) -> bool {
        self.reset_at.is_some_and(|at| now.since(at) < RESET)
    }

    /// Tells whether the login has lasted as long as one does.
    pub(super) fn is_worn_out(&self, now: Timestamp) -> bool {
        self.admitted.is_some_and(|at| now.since(at) >= DAY)
    }

    /// Drops what belongs to a login that has ended. The pace of the requests outlives it.
    pub(super) fn end_login(&mut self) {
        self.live = None;
        self.identified = false;
        self.validated = None;
        self.admitted = None;
        self.nameless = false;
        self.brokerage.end();
    }
}

fn is_recent(at: Option<Timestamp>, now: Timestamp, within: Duration) -> bool {
    at.is_some_and(|at| at <= now && now.since(at) < within)
}

/// What an open gateway session has.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
#[non_exhaustive]
pub struct GatewayLive {
    /// The user's number, known after the first tickle.
    pub user_id: Option<u64>,
    /// The user's name, known a minute after the opening: it costs a request that may be made once a minute.
    pub user: Option<Box<str>>,
    /// Whether the account trades with play money, where the server said so.
    pub paper: Option<bool>,
    /// The id with which the stream is opened, known after the first tickle.
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub session: Option<Secret>,
}
