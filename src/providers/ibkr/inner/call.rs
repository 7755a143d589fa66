//! The requests that both kinds of session have, and the rules that the engine follows for them.

use core::time::Duration;

use http::Request;
use serde::{Deserialize, Serialize};

use crate::provider::{Replay, Rule};
use crate::providers::ibkr::method::ByGet;
use crate::providers::ibkr::wire::{Endpoints, Init};
use crate::{Phase, machine::Backoff};

/// A request that a session makes once the outer tier is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Call {
    /// `POST iserver/auth/status` of a session that is thought to be usable.
    Status,
    /// The same while it is not.
    Look,
    /// `GET sso/validate`; OAuth 1.0a does not have it.
    Validate,
    /// `GET iserver/accounts`, where the kind of the account is to be known and nothing else tells it.
    Accounts,
    /// `POST iserver/auth/ssodh/init` that throws nobody out.
    Init,
    /// `POST iserver/auth/ssodh/init` that does.
    TakeOver,
    /// `POST tickle`.
    Tickle,
    /// `POST logout`.
    Logout,
}

/// The shortest time between two requests of `sso/validate`: one a minute is allowed, and a request
/// may be under way longer than the next one.
pub(in super::super) const VALIDATE_INTERVAL: Duration = Duration::from_secs(65);

/// How often a session may be kept alive: one tickle a second is allowed, whosesoever they are, and a session idles out
/// in five minutes.
pub(in super::super) const TICKLE_BOUNDS: (Duration, Duration) =
    (Duration::from_millis(1_100), Duration::from_secs(4 * 60));

/// The rule that the others vary. IBKR aborts what takes longer than 10 s.
pub(in super::super) const BASE: Rule = Rule::new("status").timeout(Duration::from_secs(12)).backoff(Backoff::new(
    Duration::from_secs(2),
    Duration::from_secs(30),
    10,
));

impl Call {
    /// Returns the rule for this request.
    pub(in super::super) const fn rule(self) -> &'static Rule {
        const STATUS: Rule = BASE;
        const LOOK: Rule = Rule { name: "look", ..BASE }.phase(Phase::Opening);
        const VALIDATE: Rule = Rule { name: "validate", ..BASE }.min_interval(VALIDATE_INTERVAL);
        const ACCOUNTS: Rule = Rule { name: "accounts", ..BASE };
        const INIT: Rule = Rule { name: "init", ..BASE }.phase(Phase::Opening).replay(Replay::Probe).opens();
        const TAKE_OVER: Rule = Rule { name: "take-over", ..INIT };
        const TICKLE: Rule = Rule { name: "tickle", ..BASE }.min_interval(TICKLE_BOUNDS.0);
        const LOGOUT: Rule = Rule { name: "logout", ..BASE }.phase(Phase::LoggingOut);
        match self {
            Self::Status => &STATUS,
            Self::Look => &LOOK,
            Self::Validate => &VALIDATE,
            Self::Accounts => &ACCOUNTS,
            Self::Init => &INIT,
            Self::TakeOver => &TAKE_OVER,
            Self::Tickle => &TICKLE,
            Self::Logout => &LOGOUT,
        }
    }

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
