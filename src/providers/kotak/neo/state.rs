//! The steps and the state of a Neo session.

use serde::{Deserialize, Serialize};

use super::Neo;
use crate::provider::{Adopts, Rule};
use crate::providers::kotak::PATIENCE;
use crate::providers::kotak::host::{self, Told};
use crate::providers::kotak::login::Login;
use crate::providers::kotak::wire::jwt;
use crate::providers::kotak::wire::neo::Granted;
use crate::providers::table::steps;
use crate::{BaseUrl, NeedKind, Phase, Secret, Timestamp, machine::Rejection};

steps! {
    /// The requests of a Neo session.
    pub enum NeoStep {
        /// `POST /login/1.0/tradeApiLogin`: the authenticator's code.
        Login = Rule::new("login").phase(Phase::SecondFactor).spends(&[NeedKind::Totp]).timeout(PATIENCE).own_limit(),
        /// `POST /login/1.0/tradeApiValidate`: the MPIN.
        Validate = Rule::new("validate")
            .phase(Phase::SecondFactor)
            .spends(&[NeedKind::Pin])
            .opens()
            .timeout(PATIENCE)
            .own_limit(),
        /// `GET /login/1.0/get-client-ip`: checks whether the session lives.
        Probe = Rule::new("probe").own_limit(),
    }
}

/// The state of a Neo session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct NeoState {
    /// Its bearer is the dashboard's token, where it was asked for.
    pub(super) login: Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) view: Option<ViewToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<NeoLive>,
    /// The end of the day in which the session was last alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) day_ends: Option<Timestamp>,
}

impl AsMut<Login> for NeoState {
    fn as_mut(&mut self) -> &mut Login {
        &mut self.login
    }
}

/// The tokens from the first step.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct ViewToken {
    #[serde(with = "crate::secret::exposed")]
    pub(super) token: Secret,
    #[serde(with = "crate::secret::exposed")]
    pub(super) sid: Secret,
}

/// The tokens and host of an open Neo session.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct NeoLive {
    /// The trade token, for the header `Auth`.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
    /// The session's id, for the header `Sid`.
    #[serde(with = "crate::secret::exposed")]
    pub sid: Secret,
    /// The host of this user's other calls; `None` for the login host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Told>,
    /// The expiry in the token, as a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The data centre, such as `E43`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_center: Option<String>,
}

impl NeoLive {
    pub(super) fn granted(&self) -> Granted<'_> {
        Granted { token: &self.token, sid: &self.sid }
    }
}

/// The tokens of a session that another program opened.
#[derive(Debug)]
pub struct NeoTokens {
    /// The trade token.
    pub token: Secret,
    /// The session's id.
    pub sid: Secret,
    /// The host of this user's other calls.
    pub base: BaseUrl,
}

impl Adopts for Neo {
    type Tokens = NeoTokens;

    fn adopt(&self, tokens: NeoTokens) -> Result<NeoState, Rejection> {
        for (name, token) in [("token", &tokens.token), ("sid", &tokens.sid)] {
            Rejection::check_token(name, token.expose())?;
        }
        let host = host::admit(&self.base, &tokens.base.to_string(), None).map_err(|_| Rejection::Malformed("base"))?;
        let expires = jwt::ends(tokens.token.expose());
        let live = NeoLive { token: tokens.token, sid: tokens.sid, host, expires, data_center: None };
        Ok(NeoState { live: Some(live), ..NeoState::default() })
    }
}
