//! The requests on the way to a grant, and what is known there.

use serde::{Deserialize, Serialize};

use super::super::super::oauth1a::{Grant, RequestToken};
use super::super::remote::Stamp;
use crate::provider::{Replay, Rule};
use crate::{NeedKind, Phase, machine::NeedReason};

/// The requests on the way to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConsentStep {
    /// `POST oauth/request_token`.
    RequestToken,
    /// `POST oauth/access_token`, with the verifier.
    AccessToken,
}

impl ConsentStep {
    pub(super) const fn rule(self, remote: bool) -> &'static Rule {
        const REQUEST_TOKEN: Rule = Rule::new("request-token").phase(Phase::Opening).escalates();
        const ACCESS_TOKEN: Rule = Rule::new("access-token").phase(Phase::SecondFactor).spends(&[NeedKind::Verifier]);
        // A signature leaves once.
        const REMOTE_REQUEST_TOKEN: Rule = REQUEST_TOKEN.replay(Replay::Never);
        match self {
            Self::RequestToken if remote => &REMOTE_REQUEST_TOKEN,
            Self::RequestToken => &REQUEST_TOKEN,
            Self::AccessToken => &ACCESS_TOKEN,
        }
    }
}

/// What is known on the way to a grant.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct ConsentState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request: Option<RequestToken>,
    /// Why the question is put again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<NeedReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<Grant>,
    /// What the text of the last request is made of.
    #[serde(skip)]
    pub(super) stamp: Option<Stamp<ConsentStep>>,
}
