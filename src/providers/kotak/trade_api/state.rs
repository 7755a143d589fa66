//! The steps of the Trade API, and the state between them.

use serde::{Deserialize, Serialize};

use super::TradeApi;
use crate::provider::{Adopts, Replay, Rule};
use crate::providers::kotak::PATIENCE;
use crate::providers::kotak::host::Told;
use crate::providers::kotak::login::Login;
use crate::providers::table::steps;
use crate::{NeedKind, Phase, Secret, machine::Rejection};

steps! {
    /// The requests of a Trade API session.
    pub enum TradeStep {
        /// `POST /token`: the gateway's bearer.
        Token = Rule::new("token").escalates(),
        /// `GET …/session/init`: the user's host.
        Init = Rule::new("init").phase(Phase::Opening),
        /// `POST …/login/userid`: the password.
        Login = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).timeout(PATIENCE),
        /// `GET …/2FA/accesscode`: sends a new code to the user. A second request would send a second SMS.
        RequestCode = Rule::new("request-code").phase(Phase::SecondFactor).replay(Replay::Never),
        /// `POST …/2FA/accesscode`: the code.
        AccessCode = Rule::new("access-code")
            .phase(Phase::SecondFactor)
            .spends(&[NeedKind::AccessCode])
            .opens()
            .timeout(PATIENCE),
        /// `POST …/2FA/oneTimeToken`: no code. A lost response may leave a session whose token is unknown.
        WithoutCode =
            Rule::new("without-code").phase(Phase::SecondFactor).replay(Replay::Never).opens().timeout(PATIENCE),
        /// `GET /reports/1.0/orders`: checks whether the session lives.
        Probe = Rule::new("probe"),
        /// `DELETE …/session/logout`.
        Logout = Rule::new("logout").phase(Phase::LoggingOut),
    }
}

/// The state of a Trade API session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct TradeState {
    pub(super) login: Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) host: Option<Told>,
    /// Whether this login has moved to another host.
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

/// The tokens of an open Trade API session.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct TradeLive {
    /// The session token, for the header `sessionToken`.
    #[serde(with = "crate::secret::exposed")]
    pub session_token: Secret,
    /// The client code, where the server named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_code: Option<String>,
}

/// The tokens of a session that another program opened.
#[derive(Debug)]
pub struct TradeTokens {
    /// The gateway's bearer.
    pub bearer: Secret,
    /// The session token.
    pub session_token: Secret,
}

impl Adopts for TradeApi {
    type Tokens = TradeTokens;

    fn adopt(&self, tokens: TradeTokens) -> Result<TradeState, Rejection> {
        for (name, token) in [("bearer", &tokens.bearer), ("session token", &tokens.session_token)] {
            Rejection::check_token(name, token.expose())?;
        }
        let mut state = TradeState::default();
        state.login.bearer.token = Some(tokens.bearer);
        state.live = Some(TradeLive { session_token: tokens.session_token, client_code: None });
        Ok(state)
    }
}
