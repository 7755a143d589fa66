//! What happened at a simulated gateway, for tests to judge a client by.

use core::fmt;

use crate::Timestamp;

/// Something that happened, and when.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Logged {
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// Something that happened at a gateway.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Happening {
    /// A request was answered; also one whose answer got lost.
    Answered {
        /// Which.
        call: Call,
        /// The status code.
        status: u16,
    },
    /// A person logged in in the browser.
    LoggedIn {
        /// The user's name.
        user: String,
        /// Whether it is the account with play money.
        paper: bool,
    },
    /// The login ended.
    LoginEnded(End),
    /// A brokerage session was opened.
    Opened {
        /// By what.
        by: Opener,
        /// Whether it would have thrown another client out.
        compete: bool,
    },
    /// Another client was thrown out.
    TookOver,
    /// A brokerage session was refused.
    Refused,
    /// An init was answered and opened nothing, see [`Lever::Wedge`](super::Lever::Wedge).
    OpenedNothing,
    /// The brokerage session ended.
    BrokerageEnded(End),
    /// Another client took the brokerage session.
    RivalTook,
    /// The other client logged out.
    RivalLeft,
    /// Settings of the brokerage session were made: so many questions are suppressed.
    Suppressed(usize),
    /// It is midnight in the gateway's region.
    Midnight,
    /// The penalty box began.
    Boxed,
    /// A request met a mishap; the text is [`Mishap::code`](crate::sim::Mishap::code).
    Troubled(&'static str),
}

/// Who opened a brokerage session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Opener {
    /// The gateway itself, after the login.
    GatewaySim,
    /// An init.
    Init,
    /// A reauthenticate.
    Reauthenticate,
}

/// Why something ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum End {
    /// It was not used.
    Idle,
    /// It was midnight.
    Midnight,
    /// The login was 24 hours old.
    Maximum,
    /// The counter of the login ran out.
    Counter,
    /// The client logged out.
    Logout,
    /// Another client took it.
    Rival,
    /// The login under it ended.
    Login,
    /// An init began it again.
    Init,
    /// A test did it.
    Lever,
}

/// An operation of the gateway.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum Call {
    /// `iserver/auth/status`
    Status,
    /// `iserver/auth/ssodh/init`
    Init,
    /// `iserver/reauthenticate`
    Reauthenticate,
    /// `sso/validate`
    Validate,
    /// `tickle`
    Tickle,
    /// `logout`
    Logout,
    /// `iserver/accounts`
    Accounts,
    /// `iserver/account/orders`
    Orders,
    /// `iserver/questions/suppress`
    Suppress,
    /// `portfolio/accounts`
    Portfolio,
    /// `iserver/account`, which chooses an account
    Choose,
    /// `hmds/auth/init`
    HmdsInit,
    /// `one/user`
    User,
    /// `sso/ping`, by which the login page keeps its own session
    Ping,
    /// `ws`
    Stream,
    /// A step of OAuth that asks for a token; only the Web API's log has it.
    Token,
    /// A page for people: the login and what follows it.
    Page,
    /// Any other path under `iserver`.
    OtherBrokerage,
    /// Any other path.
    Other,
}

impl Call {
    /// Returns which operation a path below the base is.
    pub(super) fn of(path: &str) -> Self {
        match path.trim_end_matches('/') {
            "/iserver/auth/status" => Self::Status,
            "/iserver/auth/ssodh/init" => Self::Init,
            "/iserver/reauthenticate" => Self::Reauthenticate,
            "/sso/validate" => Self::Validate,
            "/tickle" => Self::Tickle,
            "/logout" => Self::Logout,
            "/iserver/accounts" => Self::Accounts,
            "/iserver/account/orders" => Self::Orders,
            "/iserver/questions/suppress" => Self::Suppress,
            "/portfolio/accounts" => Self::Portfolio,
            "/iserver/account" => Self::Choose,
            "/hmds/auth/init" => Self::HmdsInit,
            "/one/user" => Self::User,
            "/sso/ping" => Self::Ping,
            "/ws" => Self::Stream,
            path if path.starts_with("/iserver/") => Self::OtherBrokerage,
            _ => Self::Other,
        }
    }

    /// Returns a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Init => "init",
            Self::Reauthenticate => "reauthenticate",
            Self::Validate => "validate",
            Self::Tickle => "tickle",
            Self::Logout => "logout",
            Self::Accounts => "accounts",
            Self::Orders => "orders",
            Self::Suppress => "suppress",
            Self::Portfolio => "portfolio",
            Self::Choose => "choose",
            Self::HmdsInit => "hmds-init",
            Self::User => "user",
            Self::Ping => "ping",
            Self::Stream => "stream",
            Self::Token => "token",
            Self::Page => "page",
            Self::OtherBrokerage => "other-brokerage",
            Self::Other => "other",
        }
    }
}

impl fmt::Display for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}
