//! The requests of a direct session, and the rule of each.

use core::time::Duration;

use serde::Serialize;

use crate::provider::{Replay, Rule};
use crate::providers::ibkr::inner::{BASE, Call};
use crate::providers::table::reads_steps;
use crate::{Phase, machine::Backoff};

/// The requests of a direct session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WebApiStep {
    /// `POST oauth/live_session_token`, or `POST /oauth2/api/v1/token`, where there is no token that works.
    Token,
    /// `POST /gw/api/v1/sso-sessions`, OAuth 2.0 only.
    Session,
    /// The same as [`WebApiStep::Token`] while the present token still works.
    Renew,
    /// The same as [`WebApiStep::Session`] while the present session still works.
    RenewSession,
    /// What sessions at a gateway have as well.
    #[serde(untagged)]
    Call(Call),
}

reads_steps!(WebApiStep: "token" => Token, "session" => Session, "renew" => Renew, "renew-session" => RenewSession);

impl From<Call> for WebApiStep {
    fn from(call: Call) -> Self {
        Self::Call(call)
    }
}

impl WebApiStep {
    /// Returns the call that the step makes with a token; none where it asks for one.
    pub(super) const fn call(self) -> Option<Call> {
        if let Self::Call(call) = self { Some(call) } else { None }
    }

    /// Reports whether the step asks for a session, with OAuth 2.0's first token.
    pub(super) const fn is_session(self) -> bool {
        matches!(self, Self::Session | Self::RenewSession)
    }

    /// Reports whether the step works on the next token while the present one is good.
    pub(super) const fn renews(self) -> bool {
        matches!(self, Self::Renew | Self::RenewSession)
    }
}

impl WebApiStep {
    /// Returns the rule of the step; `remote` reports whether the key that signs a login is kept elsewhere.
    pub(super) const fn rule(self, remote: bool) -> &'static Rule {
        // A lost response leaves an unknown token, and the next handshake creates another one.
        // The backoff also counts between handshakes, where each token is refused by the next call.
        const TOKEN: Rule = Rule { name: "token", ..BASE }
            .phase(Phase::Opening)
            .backoff(Backoff::new(Duration::from_secs(5), Duration::from_secs(5 * 60), 8))
            .escalates();
        const SESSION: Rule = Rule { name: "session", ..TOKEN }.opens();
        const RENEWAL: Backoff = Backoff::new(Duration::from_secs(60), Duration::from_secs(10 * 60), u16::MAX);
        const RENEW: Rule = Rule { name: "renew", ..BASE }.backoff(RENEWAL);
        const RENEW_SESSION: Rule = Rule { name: "renew-session", ..RENEW }.opens();
        // A signature leaves once.
        const REMOTE_TOKEN: Rule = TOKEN.replay(Replay::Never);
        const REMOTE_SESSION: Rule = SESSION.replay(Replay::Never);
        // After a lost response the next attempt can wait: there is at least an hour.
        const REMOTE_RENEW: Rule = RENEW.replay(Replay::Never).escalates().min_interval(RENEWAL.first);
        const REMOTE_RENEW_SESSION: Rule = Rule { name: "renew-session", ..REMOTE_RENEW }.opens();
        match self {
            Self::Token if remote => &REMOTE_TOKEN,
            Self::Token => &TOKEN,
            Self::Session if remote => &REMOTE_SESSION,
            Self::Session => &SESSION,
            Self::Renew if remote => &REMOTE_RENEW,
            Self::Renew => &RENEW,
            Self::RenewSession if remote => &REMOTE_RENEW_SESSION,
            Self::RenewSession => &RENEW_SESSION,
            Self::Call(call) => call.rule(),
        }
    }
}
