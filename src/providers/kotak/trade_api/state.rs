//! The steps of the Trade API and what is known between them.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::{Replay, Rule};
use crate::providers::kotak::host::Told;
use crate::providers::kotak::login::Login;
use crate::{NeedKind, Phase, Secret};

/// The requests of a Trade API session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum TradeStep {
    /// `POST /token`: the gateway's bearer.
    Token,
    /// `GET …/session/init`: the user's host.
    Init,
    /// `POST …/login/userid`: the password.
    Login,
    /// `GET …/2FA/accesscode`: a new code is sent to the user.
    RequestCode,
    /// `POST …/2FA/accesscode`: the code.
    AccessCode,
    /// `POST …/2FA/oneTimeToken`: no code.
    WithoutCode,
    /// `GET /reports/1.0/orders`: whether the session lives.
    Probe,
    /// `DELETE …/session/logout`.
    Logout,
}

/// How long an answer to what cannot be repeated may take: the vendor's present SDK waits 30 s, and
/// users report stalls.
const PATIENCE: Duration = Duration::from_secs(30);

impl TradeStep {
    pub(super) const fn rule(self) -> &'static Rule {
        const TOKEN: Rule = Rule::new("token").escalates();
        const INIT: Rule = Rule::new("init").phase(Phase::Opening);
        const LOGIN: Rule =
            Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).timeout(PATIENCE);
        // A second one would send a second SMS.
        const REQUEST: Rule = Rule::new("request-code").phase(Phase::SecondFactor).replay(Replay::Never);
        const CODE: Rule = Rule::new("access-code")
            .phase(Phase::SecondFactor)
            .spends(&[NeedKind::AccessCode])
            .opens()
            .timeout(PATIENCE);
        // A lost one may have opened a session that nobody knows the token of, which is to be told.
        const WITHOUT: Rule =
            Rule::new("without-code").phase(Phase::SecondFactor).replay(Replay::Never).opens().timeout(PATIENCE);
        const PROBE: Rule = Rule::new("probe");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match self {
            Self::Token => &TOKEN,
            Self::Init => &INIT,
            Self::Login => &LOGIN,
            Self::RequestCode => &REQUEST,
            Self::AccessCode => &CODE,
            Self::WithoutCode => &WITHOUT,
            Self::Probe => &PROBE,
            Self::Logout => &LOGOUT,
        }
    }
}

/// What is known of a Trade API session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct TradeState {
    pub(super) login: Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<Told>,
    /// Whether this login has followed the server to another host.
    pub(super) switched: bool,
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub(super) one_time_token: Option<Secret>,
    pub(super) code_requested: bool,
    /// Whether the logout waits for a bearer.
    pub(super) leaving: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<TradeLive>,
}

impl AsMut<Login> for TradeState {
    fn as_mut(&mut self) -> &mut Login {
        &mut self.login
    }
}

/// What an open Trade API session has.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct TradeLive {
    /// The session token, for the header `sessionToken`.
    #[serde(with = "crate::secret::exposed")]
    pub session_token: Secret,
    /// The client code, where the server told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_code: Option<String>,
}

/// The tokens of a session that another program has opened.
#[derive(Debug)]
pub struct TradeTokens {
    /// The gateway's bearer.
    pub bearer: Secret,
    /// The session token.
    pub session_token: Secret,
}
