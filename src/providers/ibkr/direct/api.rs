//! The configuration of a direct session, and the signing of its calls.

use core::time::Duration;

use http::request::Parts;

use super::host::{self, Hosts};
use super::{OAuth, WebApiState, WebApiToken};
use crate::provider::{Entropy, Unauthorized};
use crate::providers::ibkr::inner::{Settings, setters};
use crate::providers::ibkr::oauth1a::{SignError, Signer};
use crate::providers::ibkr::wire::Endpoints;
use crate::providers::ibkr::{Region, Takeover, Tier};
use crate::{BaseUrl, Timestamp, UrlError};

/// The Web API, direct.
#[derive(Debug)]
pub struct WebApi {
    pub(super) oauth: OAuth,
    pub(super) hosts: Hosts,
    pub(super) root: BaseUrl,
    pub(super) settings: Settings,
}

impl WebApi {
    /// Creates a provider from the base URL, `https://api.ibkr.com/v1/api`, and an [`OAuth1a`](super::OAuth1a) or [`OAuth2`](super::OAuth2).
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl, oauth: impl Into<OAuth>) -> Result<Self, UrlError> {
        Ok(Self {
            oauth: oauth.into(),
            hosts: Hosts::new(base)?,
            root: host::root(base)?,
            settings: Settings::default(),
        })
    }

    /// Sets whether the account must be a paper account, or must not.
    #[must_use]
    pub fn expect_paper(mut self, paper: bool) -> Self {
        self.settings.expect.paper = Some(paper);
        self
    }

    /// Returns the endpoints of the present host.
    pub(super) fn api(&self, state: &WebApiState) -> &Endpoints {
        self.hosts.of(state.host)
    }

    pub(super) fn sign(
        &self,
        state: &WebApiState,
        parts: &mut Parts,
        body: &[u8],
        now: Timestamp,
        entropy: &Entropy<'_>,
    ) -> Result<(), Unauthorized> {
        let signed = match (&self.oauth, &state.token) {
            (OAuth::V1a(oauth), Some(WebApiToken::Live(token))) => {
                let signer = Signer { consumer: &oauth.consumer, access_token: oauth.access_token(), token };
                signer.sign(parts, body, now, entropy)
            }
            (OAuth::V2(_), Some(WebApiToken::Bearer(bearer))) => bearer.authorize(parts),
            _ => return Err(Unauthorized::NotReady(Some(Tier::Sso.code()))),
        };
        signed.map_err(|error| Unauthorized::Unsignable(what(error)))
    }
}

setters!(WebApi);

/// Returns the part of a request that cannot be signed.
pub(super) const fn what(error: SignError) -> &'static str {
    match error {
        SignError::Malformed(what) | SignError::Uri(what) => what,
        SignError::Signature => "the signature key",
    }
}
