//! The requests of a gateway session and the rules that the engine follows for them.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::{Replay, Rule};
use crate::{Backoff, Phase};

/// The requests of a gateway session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GatewayStep {
    /// `POST iserver/auth/status` of a session that is thought to be usable.
    Status,
    /// The same while it is not.
    Look,
    /// The same while a person logs in.
    Watch,
    /// `GET sso/validate`.
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

impl GatewayStep {
    /// Tells whether the step is sent by POST, but for a [status](Self::is_status) that only GET has.
    pub(super) const fn is_post(self) -> bool {
        !matches!(self, Self::Validate | Self::Accounts)
    }

    /// Tells whether the step asks for the flags of the brokerage session.
    pub(super) const fn is_status(self) -> bool {
        matches!(self, Self::Status | Self::Look | Self::Watch)
    }
}

/// The shortest time between two requests of `sso/validate`: one a minute is allowed, and a request
/// may be under way longer than the next one.
pub(super) const VALIDATE_INTERVAL: Duration = Duration::from_secs(65);

/// The shortest time between two tickles: one a second is allowed, whosesoever they are.
pub(in super::super) const TICKLE_INTERVAL: Duration = Duration::from_millis(1_100);

impl GatewayStep {
    pub(super) const fn rule(self) -> &'static Rule {
        // IBKR aborts what takes longer than 10 s.
        const STATUS: Rule = Rule::new("status").timeout(Duration::from_secs(12)).backoff(Backoff::new(
            Duration::from_secs(2),
            Duration::from_secs(30),
            10,
        ));
        const LOOK: Rule = Rule { name: "look", ..STATUS }.phase(Phase::Opening);
        const WATCH: Rule = Rule { name: "watch", ..STATUS }.phase(Phase::LoggingIn);
        const VALIDATE: Rule = Rule { name: "validate", ..STATUS }.min_interval(VALIDATE_INTERVAL);
        const ACCOUNTS: Rule = Rule { name: "accounts", ..STATUS };
        const INIT: Rule = Rule { name: "init", ..STATUS }.phase(Phase::Opening).replay(Replay::Probe).opens();
        const TAKE_OVER: Rule = Rule { name: "take-over", ..INIT };
        const TICKLE: Rule = Rule { name: "tickle", ..STATUS }.min_interval(TICKLE_INTERVAL);
        const LOGOUT: Rule = Rule { name: "logout", ..STATUS }.phase(Phase::LoggingOut);
        match self {
            Self::Status => &STATUS,
            Self::Look => &LOOK,
            Self::Watch => &WATCH,
            Self::Validate => &VALIDATE,
            Self::Accounts => &ACCOUNTS,
            Self::Init => &INIT,
            Self::TakeOver => &TAKE_OVER,
            Self::Tickle => &TICKLE,
            Self::Logout => &LOGOUT,
        }
    }
}
