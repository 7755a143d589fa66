//! The requests that both kinds of session have, and their rules.

use core::time::Duration;

use http::Request;

use crate::provider::{Replay, Rule};
use crate::providers::ibkr::method::ByGet;
use crate::providers::ibkr::wire::{Endpoints, Init};
use crate::providers::table::steps;
use crate::{Phase, machine::Backoff};

/// The shortest time between two requests of `sso/validate`: one a minute is allowed, and a request
/// may be under way longer than the next one.
pub(in super::super) const VALIDATE_INTERVAL: Duration = Duration::from_secs(65);

/// The limits of the keepalive's interval: one tickle a second is allowed per address, and a session expires after five idle
/// minutes.
pub(in super::super) const TICKLE_BOUNDS: (Duration, Duration) =
    (Duration::from_millis(1_100), Duration::from_secs(4 * 60));

/// The base of all rules. IBKR aborts requests after 10 s.
pub(in super::super) const BASE: Rule = Rule::new("status").timeout(Duration::from_secs(12)).backoff(Backoff::new(
    Duration::from_secs(2),
    Duration::from_secs(30),
    10,
));

const INIT: Rule = Rule { name: "init", ..BASE }.phase(Phase::Opening).replay(Replay::Probe).opens();

steps! {
    /// A request that a session makes once the outer tier is open.
    pub enum Call {
        /// `POST iserver/auth/status` of a session that is believed to be usable.
        Status = BASE,
        /// The same while it is not.
        Look = Rule { name: "look", ..BASE }.phase(Phase::Opening),
        /// `GET sso/validate`; OAuth 1.0a does not have it.
        Validate = Rule { name: "validate", ..BASE }.min_interval(VALIDATE_INTERVAL),
        /// `GET iserver/accounts`, where the kind of the account matters and no other answer names it.
        Accounts = Rule { name: "accounts", ..BASE },
        /// `POST iserver/auth/ssodh/init` that throws nobody out.
        Init = INIT,
        /// `POST iserver/auth/ssodh/init` that throws another client out.
        TakeOver = Rule { name: "take-over", ..INIT },
        /// `POST tickle`.
        Tickle = Rule { name: "tickle", ..BASE }.min_interval(TICKLE_BOUNDS.0),
        /// `POST logout`.
        Logout = Rule { name: "logout", ..BASE }.phase(Phase::LoggingOut),
    }
}

impl Call {
    /// Builds the request, without what authorizes it.
    pub(in super::super) fn request(self, api: &Endpoints, by_get: ByGet) -> Request<Vec<u8>> {
        match self {
            Self::Status | Self::Look => by_get.status(api),
            Self::Validate => api.validate(),
            Self::Accounts => api.accounts(),
            Self::Init => api.init(Init::POLITE),
            Self::TakeOver => api.init(Init::TAKE_OVER),
            Self::Tickle => api.tickle(),
            Self::Logout => api.logout(),
        }
    }

    /// Returns the call that a path stands for, below whichever of a server's bases, where it may be made only so often:
    /// `tickle`, by any method, and `sso/validate`.
    pub(in super::super) fn of_path(path: &str) -> Option<Self> {
        if path.ends_with("/tickle") {
            Some(Self::Tickle)
        } else {
            path.ends_with("/sso/validate").then_some(Self::Validate)
        }
    }

    /// Reports whether the call asks for the flags of the brokerage session.
    pub(in super::super) const fn is_status(self) -> bool {
        matches!(self, Self::Status | Self::Look)
    }

    /// Reports whether the call opens the brokerage session.
    pub(in super::super) const fn is_init(self) -> bool {
        matches!(self, Self::Init | Self::TakeOver)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_session_does_by_itself_is_known_below_every_base() {
        for (path, call) in [
            ("/v1/api/tickle", Some(Call::Tickle)),
            ("/v1/portal/sso/validate", Some(Call::Validate)),
            ("/v1/api/iserver/auth/status", None),
            ("/v1/api/tickles", None),
            ("/v1/api/iserver/validate", None),
        ] {
            assert_eq!(Call::of_path(path), call, "{path}");
        }
    }
}
