//! The requests of a gateway session and the rules that the engine follows for them.

use serde::Serialize;

use crate::Phase;
use crate::provider::Rule;
use crate::providers::ibkr::inner::{BASE, Call};
use crate::providers::table::reads_steps;

/// The requests of a gateway session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GatewayStep {
    /// `POST iserver/auth/status` while a person logs in.
    #[serde(rename = "watch")]
    PollLogin,
    /// What direct sessions have as well.
    #[serde(untagged)]
    Call(Call),
}

reads_steps!(GatewayStep: "watch" => PollLogin);

impl From<Call> for GatewayStep {
    fn from(call: Call) -> Self {
        Self::Call(call)
    }
}

impl GatewayStep {
    /// Returns the call that the step makes.
    pub(super) const fn call(self) -> Call {
        match self {
            Self::PollLogin => Call::Look,
            Self::Call(call) => call,
        }
    }

    /// Reports whether the step is sent by POST, but for a [status](Call::is_status) that only GET has.
    pub(super) const fn is_post(self) -> bool {
        !matches!(self, Self::Call(Call::Validate | Call::Accounts))
    }
}

impl GatewayStep {
    pub(super) const fn rule(self) -> &'static Rule {
        const POLL_LOGIN: Rule = Rule { name: "watch", ..BASE }.phase(Phase::LoggingIn);
        match self {
            Self::PollLogin => &POLL_LOGIN,
            Self::Call(call) => call.rule(),
        }
    }
}
