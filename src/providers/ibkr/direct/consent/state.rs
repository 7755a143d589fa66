//! The requests on the way to a grant, and what is known there.

use serde::{Deserialize, Serialize};

use super::super::super::oauth1a::{Grant, RequestToken};
use super::super::remote::Asked;
use crate::provider::Rule;
use crate::{Because, NeedKind, Phase, Secret};

/// The requests on the way to a grant.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ConsentStep {
    /// `POST oauth/request_token`.
    RequestToken,
    /// `POST oauth/access_token`, with the verifier.
    AccessToken,
    /// [`ConsentStep::RequestToken`] with a signature of a key that is kept elsewhere.
    RemoteRequestToken,
    /// [`ConsentStep::AccessToken`] with such a signature.
    RemoteAccessToken,
}

impl ConsentStep {
    pub(super) const fn rule(self) -> &'static Rule {
        const REQUEST_TOKEN: Rule = Rule::new("request-token").phase(Phase::Opening).escalates();
        const ACCESS_TOKEN: Rule = Rule::new("access-token").phase(Phase::SecondFactor).spends(NeedKind::Verifier);
        const REMOTE_REQUEST_TOKEN: Rule = REQUEST_TOKEN.spends(NeedKind::Signature);
        const REMOTE_ACCESS_TOKEN: Rule = ACCESS_TOKEN.spends(NeedKind::Signature);
        match self {
            Self::RequestToken => &REQUEST_TOKEN,
            Self::AccessToken => &ACCESS_TOKEN,
            Self::RemoteRequestToken => &REMOTE_REQUEST_TOKEN,
            Self::RemoteAccessToken => &REMOTE_ACCESS_TOKEN,
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
    pub(super) because: Option<Because>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) grant: Option<Grant>,
    /// The verifier while it waits for a signature; no snapshot holds it.
    #[serde(skip)]
    pub(super) verifier: Option<Secret>,
    #[serde(skip)]
    pub(super) asked: Option<Box<Asked<ConsentStep>>>,
}
