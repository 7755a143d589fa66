//! The steps and the state of a CBRAIN session.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::provider::Rule;
use crate::providers::table::steps;
use crate::{NeedKind, Phase, Secret};

/// The portal delays the answer to a refused login by 3 s, longer when several wait.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

steps! {
    /// The requests of a CBRAIN session.
    pub enum CbrainStep {
        /// `POST /session`.
        Login =
            Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).opens().timeout(LOGIN_TIMEOUT),
        /// `GET /session`: keepalive and probe.
        Check = Rule::new("check"),
        /// `DELETE /session`.
        Logout = Rule::new("logout").phase(Phase::LoggingOut),
    }
}

/// The state of a CBRAIN session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
pub struct CbrainState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<CbrainLive>,
}

/// The user and token of an open CBRAIN session.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct CbrainLive {
    /// The user's number; unknown until an adopted token has been checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u64>,
    /// The token, for `Authorization: Bearer`.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
}
