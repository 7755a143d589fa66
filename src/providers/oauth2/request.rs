//! The request of each step.

use core::time::Duration;

use http::Request;
use http::header::{AUTHORIZATION, USER_AGENT};
use sha2::{Digest, Sha256};

use super::config::{Grant, OAuth2, Place, Rotation};
use super::session::AGENT;
use super::state::{OAuth2State, OAuth2Step};
use super::who::{ClientOf, Described};
use super::wire::{self, Assertion, Client, Endpoint, Metadata, Pkce, Redirect, Registration, TokenKind, well_known};
use crate::provider::{Answers, Ask, Build, Unbuildable, View};
use crate::{
    NeedKind, Timestamp,
    machine::{Message, NeedReason},
};

/// How long a signature is good for: an assertion lives a minute.
const VALID: Duration = Duration::from_secs(45);

type State = OAuth2State;
type Step = OAuth2Step;

impl OAuth2 {
    pub(super) fn endpoints(&self, state: &State) -> Option<Metadata> {
        match &self.server.place {
            Place::Endpoints(known) => Some((**known).clone()),
            Place::Issuer(_) => state.found.as_ref()?.read(),
        }
    }

    pub(super) fn client_of(&self, state: &State) -> Option<Client> {
        match &self.client {
            ClientOf::Known(client) | ClientOf::Jwt { client, .. } => Some(client.clone()),
            ClientOf::Register(_) => state.client.as_ref()?.client(),
            ClientOf::Wrong(_) => None,
        }
    }

    pub(super) fn send(
        &self,
        view: &View<'_, State>,
        step: Step,
        answers: &Answers<'_>,
    ) -> Result<Build<Step>, Unbuildable> {
        let part = Unbuildable::Part;
        let state = view.state;
        if step == Step::Discover {
            let Place::Issuer(issuer) = &self.server.place else { return Err(part("the issuer")) };
            let places = well_known(issuer);
            let place = places.into_iter().nth(usize::from(state.places)).ok_or(part("a place for metadata"))?;
            return Ok(place.into());
        }
        if step == Step::Probe {
            let live = state.live.as_ref().ok_or(part("the access token"))?;
            let mut request = Request::new(Vec::new());
            *request.uri_mut() = self.probe.clone().ok_or(part("the probe"))?;
            let bearer = live.access.header("Bearer ").map_err(|_| part("the access token"))?;
            request.headers_mut().insert(AUTHORIZATION, bearer);
            request.headers_mut().insert(USER_AGENT, AGENT);
            return Ok(request.into());
        }
        let known = self.endpoints(state).ok_or(part("the endpoints"))?;
        let at = |endpoint: Option<Endpoint>, name| endpoint.ok_or(part(name));
        if step == Step::Register {
            let endpoint = at(known.registration, "the registration endpoint")?;
            let ClientOf::Register(described) = &self.client else { return Err(part("the client's name")) };
            let redirects = self.redirects();
            return Ok(self.registration(described, &redirects).request(&endpoint).into());
        }
        if step == Step::Code && answers.text(NeedKind::Redirect).is_err() {
            return self.ask_first(state, view.now);
        }
        let client = self.client_of(state).ok_or(part("the client"))?;
        let assertion = match self.assertion(&client, &known, view, answers)? {
            Ok(assertion) => assertion,
            Err(ask) => return Ok(Build::Needs(*ask)),
        };
        let (assertion, resource) = (assertion.as_ref(), self.resource.as_deref());
        let code;
        let pkce;
        let grant = match step {
            Step::DeviceBegin => {
                let endpoint = at(known.device, "the device endpoint")?;
                let request = wire::device_request(&endpoint, &client, assertion, &self.asked, resource);
                return request.map(Build::Request).map_err(|_| part("the client"));
            }
            Step::Revoke => {
                let endpoint = at(known.revocation, "the revocation endpoint")?;
                let (token, kind) = match (state.refresh.as_ref().or(state.former.last()), &state.live) {
                    (Some(token), _) => (token, TokenKind::Refresh),
                    (None, Some(live)) => (&live.access, TokenKind::Access),
                    (None, None) => return Err(part("a token to revoke")),
                };
                let request = wire::revoke_request(&endpoint, &client, assertion, token, kind);
                return request.map(Build::Request).map_err(|_| part("the client"));
            }
            Step::Code => {
                let Grant::Code { redirect } = &self.grant else { return Err(part("the redirect URI")) };
                let pasted = answers.text(NeedKind::Redirect)?;
                let Ok(Redirect::Code(found)) = self.redirect(state, pasted.expose()) else {
                    return Err(Unbuildable::Missing(NeedKind::Redirect));
                };
                code = found;
                let attempt = state.attempt.as_ref().ok_or(part("the attempt"))?;
                pkce = Pkce::from_verifier(attempt.verifier.clone()).ok_or(part("the verifier"))?;
                wire::Grant::Code { code: &code, redirect_uri: redirect, pkce: &pkce }
            }
            Step::DevicePoll => {
                let device = state.device.as_ref().and_then(|device| device.code.as_ref());
                wire::Grant::Device { code: device.ok_or(part("the device code"))? }
            }
            Step::Grant => wire::Grant::ClientCredentials { scope: &self.asked },
            _ => {
                self.within_grace(state, view.now)?;
                wire::Grant::Refresh { token: state.refresh.as_ref().ok_or(part("the refresh token"))? }
            }
        };
        let endpoint = at(known.token, "the token endpoint")?;
        grant.request(&endpoint, &client, assertion, resource).map(Build::Request).map_err(|_| part("the client"))
    }

    /// Signs for a client that proves itself by a key, or asks for the signature.
    fn assertion(
        &self,
        client: &Client,
        known: &Metadata,
        view: &View<'_, State>,
        answers: &Answers<'_>,
    ) -> Result<Result<Option<Assertion>, Box<Ask<Step>>>, Unbuildable> {
        let ClientOf::Jwt {
            key_id,
            #[cfg(feature = "ibkr-oauth")]
            key,
            ..
        } = &self.client
        else {
            return Ok(Ok(None));
        };
        let (at, id) = view.state.stamp.as_ref().ok_or(Unbuildable::Part("the time of an assertion"))?;
        let token = known.token.as_ref().map(ToString::to_string).unwrap_or_default();
        let audience = if known.issuer.is_empty() { &token } else { &*known.issuer };
        let unsigned = client.assertion("RS256", key_id.as_deref(), audience, id.expose(), *at);
        match answers.signature() {
            Some(signature) => {
                let signed = unsigned.finish(signature.expose());
                signed.map(|signed| Ok(Some(signed))).map_err(|_| Unbuildable::Part("the signature"))
            }
            None => {
                let digest: [u8; 32] = Sha256::digest(unsigned.text().as_bytes()).into();
                #[cfg(feature = "ibkr-oauth")]
                if let Some(key) = key {
                    let signature = key.sign(&digest, view.entropy).map_err(|_| Unbuildable::Part("the key"))?;
                    let signed = unsigned.finish(&signature).map_err(|_| Unbuildable::Part("the signature"))?;
                    return Ok(Ok(Some(signed)));
                }
                let digest = Message::new(&digest);
                Ok(Err(Box::new(Ask::new(NeedKind::Signature, NeedReason::Opening).about(digest, Some(VALID)))))
            }
        }
    }

    pub(super) fn redirects(&self) -> Vec<&str> {
        if let Grant::Code { redirect } = &self.grant { vec![redirect] } else { Vec::new() }
    }

    pub(super) fn registration<'a>(&'a self, described: &'a Described, redirects: &'a [&'a str]) -> Registration<'a> {
        let grant_types: &[&str] = match self.grant {
            Grant::Code { .. } => &["authorization_code", "refresh_token"],
            Grant::Device => &["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            Grant::ClientCredentials => &["client_credentials"],
            Grant::Given => &["refresh_token"],
        };
        let response_types: &[&str] = if redirects.is_empty() { &[] } else { &["code"] };
        Registration {
            client_name: &described.name,
            redirect_uris: redirects,
            grant_types,
            response_types,
            token_endpoint_auth_method: described.method,
            scope: &self.asked,
            more: Some(&described.more),
        }
    }

    /// A refresh token whose answer was lost is forgiven for a while only, however long the pause before this attempt was.
    fn within_grace(&self, state: &State, now: Timestamp) -> Result<(), Unbuildable> {
        let over = |grace| state.tried.is_some_and(|tried| now >= tried + grace);
        match self.rotation {
            Rotation::Grace(grace) if state.repeats && over(grace) => Err(Unbuildable::Part("the refresh token")),
            _ => Ok(()),
        }
    }
}
