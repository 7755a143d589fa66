//! The session of an OAuth 2 server as a provider.

use core::time::Duration;

use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Request, StatusCode};
use sha2::{Digest, Sha256};

use super::config::{ClientOf, Grant, OAuth2, Place};
use super::state::{Attempt, Given, OAuth2Live, OAuth2State, OAuth2Step};
use super::wire::{
    self, Assertion, Authorization, Challenge, Client, Endpoint, Expected, Meaning, Metadata, Pkce, Purpose, Redirect,
    Registration, TokenKind, well_known,
};
use crate::provider::{
    Adopts, Answers, Ask, Build, Context, Ended, Fact, Given as Answer, Identity, Leave, Observed, Outcome, Provider,
    Rule, Target, Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    CloseReason, Input, NeedKind, Response, Secret, Ticket,
    machine::{Denial, Message, NeedReason, Rejection, ServerText},
};

/// How long a signature is good for: an assertion lives a minute.
const VALID: Duration = Duration::from_secs(45);

/// What this crate calls itself.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("sansession/", env!("CARGO_PKG_VERSION")));

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
            ClientOf::Register { .. } => state.client.as_ref()?.client(),
            ClientOf::Wrong(_) => None,
        }
    }

    /// Gives what the next consent is asked with.
    pub(super) fn attempt(&self, cx: &mut Context<'_, State>) {
        cx.state.attempt = Some(Attempt::new(&cx.entropy, self.server.base.authority().as_str()));
    }

    /// Goes on with what is known: a lookup, a registration, a renewal, or a consent.
    pub(super) fn go_on(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        if let ClientOf::Wrong(why) = &self.client {
            let text = Some(ServerText::new(&why.to_string()));
            return Verdict::Close(CloseReason::Denied(Denial::Rejected(text)));
        }
        if self.endpoints(cx.state).is_none() {
            cx.state.places = 0;
            return Verdict::next(Step::Discover);
        }
        if self.client_of(cx.state).is_none() {
            return Verdict::next(Step::Register);
        }
        if cx.state.refresh.is_some() && !cx.state.spent {
            return Verdict::next(Step::Refresh);
        }
        self.consent(cx)
    }

    /// Asks for a consent, and lets a session that is open go on meanwhile.
    pub(super) fn consent(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        match &self.grant {
            Grant::Code { .. } => {
                self.attempt(cx);
                let because = cx.state.because.take().unwrap_or(NeedReason::Opening);
                match self.ask_code(cx.state, because) {
                    Some(ask) => ask.into(),
                    None => Verdict::Unreadable("there is no authorization endpoint"),
                }
            }
            Grant::Device => Verdict::next(Step::DeviceBegin),
            Grant::ClientCredentials => Verdict::next(Step::Grant),
            Grant::Given => {
                let because = cx.state.because.take().unwrap_or(NeedReason::Opening);
                self.lasting(cx.state, Ask::new(NeedKind::GatewayToken, because)).into()
            }
        }
    }

    pub(super) fn lasting(&self, state: &State, ask: Ask<Step>) -> Ask<Step> {
        if state.live.is_some() { ask.lasting() } else { ask }
    }

    fn ask_code(&self, state: &State, because: NeedReason) -> Option<Ask<Step>> {
        let Grant::Code { redirect } = &self.grant else { return None };
        let (known, client) = (self.endpoints(state)?, self.client_of(state)?);
        let attempt = state.attempt.as_ref()?;
        let more: Vec<_> = self.more.iter().map(|(name, value)| (&**name, &**value)).collect();
        let url = Authorization {
            endpoint: known.authorization.as_ref()?,
            client: &client,
            redirect_uri: redirect,
            scope: &self.asked,
            state: &attempt.state,
            pkce: &Pkce::from_verifier(attempt.verifier.clone())?,
            resource: self.resource.as_deref(),
            more: &more,
        };
        let ask = Ask::new(NeedKind::Verifier, because).url(url.url().into()).then(Step::Code);
        Some(self.lasting(state, ask))
    }

    /// Reads what a person has pasted, or a listener has caught.
    fn redirect(&self, state: &State, pasted: &str) -> Result<Redirect, Rejection> {
        let wrong = Rejection::Malformed("redirect");
        let Grant::Code { redirect } = &self.grant else { return Err(Rejection::WrongKind) };
        let (known, attempt) = (self.endpoints(state).ok_or(wrong)?, state.attempt.as_ref().ok_or(wrong)?);
        let expected = Expected {
            redirect_uri: redirect,
            state: &attempt.state,
            issuer: Some(&*known.issuer).filter(|issuer| !issuer.is_empty()),
            names_issuer: known.names_issuer,
            bare_code: self.bare_code,
        };
        Redirect::read(pasted, &expected).map_err(|_| wrong)
    }

    /// The step that brings the next access token.
    pub(super) fn renewal(&self, state: &State) -> Option<Step> {
        let suspicious = state.refused > 1;
        match (&state.refresh, &self.grant) {
            (Some(_), _) if !state.spent && !suspicious => Some(Step::Refresh),
            (_, Grant::Code { .. }) => Some(Step::Code),
            (_, Grant::Device) => Some(Step::DeviceBegin),
            (_, Grant::ClientCredentials) => Some(Step::Grant),
            (_, Grant::Given) => None,
        }
    }

    fn send(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
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
            let ClientOf::Register { name } = &self.client else { return Err(part("the client's name")) };
            let redirects = self.redirects();
            return Ok(self.registration(name, &redirects).request(&endpoint).into());
        }
        if step == Step::Code && answers.text(NeedKind::Verifier).is_err() {
            let because = if state.live.is_some() { NeedReason::Renewing } else { NeedReason::Stale };
            return self.ask_code(state, because).map(Build::Needs).ok_or(Unbuildable::Missing(NeedKind::Verifier));
        }
        let client = self.client_of(state).ok_or(part("the client"))?;
        let assertion = match self.assertion(&client, &known, state, answers)? {
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
                let (token, kind) = match (&state.refresh, &state.live) {
                    (Some(token), _) => (token, TokenKind::Refresh),
                    (None, Some(live)) => (&live.access, TokenKind::Access),
                    (None, None) => return Err(part("a token to revoke")),
                };
                let request = wire::revoke_request(&endpoint, &client, assertion, token, kind);
                return request.map(Build::Request).map_err(|_| part("the client"));
            }
            Step::Code => {
                let Grant::Code { redirect } = &self.grant else { return Err(part("the redirect URI")) };
                let pasted = answers.text(NeedKind::Verifier)?;
                let Ok(Redirect::Code(found)) = self.redirect(state, pasted.expose()) else {
                    return Err(Unbuildable::Missing(NeedKind::Verifier));
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
            _ => wire::Grant::Refresh { token: state.refresh.as_ref().ok_or(part("the refresh token"))? },
        };
        let endpoint = at(known.token, "the token endpoint")?;
        grant.request(&endpoint, &client, assertion, resource).map(Build::Request).map_err(|_| part("the client"))
    }

    /// Signs for a client that proves itself by a key, or asks for the signature.
    fn assertion(
        &self,
        client: &Client,
        known: &Metadata,
        state: &State,
        answers: &Answers<'_>,
    ) -> Result<Result<Option<Assertion>, Box<Ask<Step>>>, Unbuildable> {
        let ClientOf::Jwt { key_id, .. } = &self.client else { return Ok(Ok(None)) };
        let (at, id) = state.stamp.as_ref().ok_or(Unbuildable::Part("the time of an assertion"))?;
        let token = known.token.as_ref().map(ToString::to_string).unwrap_or_default();
        let audience = if known.issuer.is_empty() { &token } else { &*known.issuer };
        let unsigned = client.assertion("RS256", key_id.as_deref(), audience, id.expose(), *at);
        match answers.signature() {
            Some(signature) => {
                let signed = unsigned.finish(signature.expose());
                signed.map(|signed| Ok(Some(signed))).map_err(|_| Unbuildable::Part("the signature"))
            }
            None => {
                let digest = Message::new(&Sha256::digest(unsigned.text().as_bytes()));
                Ok(Err(Box::new(Ask::new(NeedKind::Signature, NeedReason::Opening).about(digest, Some(VALID)))))
            }
        }
    }

    pub(super) fn redirects(&self) -> Vec<&str> {
        if let Grant::Code { redirect } = &self.grant { vec![redirect] } else { Vec::new() }
    }

    pub(super) fn registration<'a>(&'a self, name: &'a str, redirects: &'a [&'a str]) -> Registration<'a> {
        let grant_types: &[&str] = match self.grant {
            Grant::Device => &["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            _ => &["authorization_code", "refresh_token"],
        };
        let response_types: &[&str] = if redirects.is_empty() { &[] } else { &["code"] };
        Registration {
            client_name: name,
            redirect_uris: redirects,
            grant_types,
            response_types,
            token_endpoint_auth_method: "none",
            scope: &self.asked,
        }
    }
}

impl Provider for OAuth2 {
    type Step = OAuth2Step;
    type State = OAuth2State;
    type Live = OAuth2Live;

    fn identity(&self) -> Identity<'_> {
        let account = match &self.client {
            ClientOf::Known(client) | ClientOf::Jwt { client, .. } => Some(client.id()),
            ClientOf::Register { .. } | ClientOf::Wrong(_) => None,
        };
        Identity { account, rotates: self.rotates(), ..Identity::new(self.name, &self.server.base) }
    }

    fn rule(&self, step: Step) -> &Rule {
        self.rule_of(step)
    }

    fn open(&self, cx: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        cx.state.because = Some(because);
        let good = cx.state.live.as_ref().is_some_and(|live| live.expires.is_none_or(|ends| ends > cx.now));
        if good {
            return self.plan(cx);
        }
        self.go_on(cx)
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        let token =
            |token: Option<&Secret>| token.map_or(Ok(()), |token| Rejection::check_token("token", token.expose()));
        let tokens = token(state.live.as_ref().map(|live| &live.access)).and(token(state.refresh.as_ref()));
        tokens.map_err(|_| "a token cannot be carried by a request")?;
        match (&state.found, &self.server.place) {
            (Some(found), Place::Issuer(issuer)) => {
                if !issuer.is(&found.issuer) {
                    return Err("the endpoints are those of another issuer");
                }
                found.read().map(drop).ok_or("an endpoint is no https URL")
            }
            _ => Ok(()),
        }
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a OAuth2Live> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut State, ended: Ended) {
        let kept = core::mem::take(state);
        if ended == Ended::Expired {
            // Where the server is and who the client is outlives a consent.
            *state = State { found: kept.found, client: kept.client, again: kept.again, ..State::default() };
        }
    }

    fn answered(&self, cx: &mut Context<'_, State>, given: &Answer<'_, Step>) -> Result<Verdict<Step>, Rejection> {
        match (given.kind, given.input) {
            (NeedKind::Signature, _) => given.step.map(Verdict::next).ok_or(Rejection::WrongKind),
            (NeedKind::Verifier, Input::Code(pasted)) => match self.redirect(cx.state, pasted.expose())? {
                Redirect::Code(_) => Ok(Verdict::next(Step::Code)),
                Redirect::Error(error) => {
                    cx.tell(Fact::server_says(error.code.as_str()));
                    let text = error.description.clone().unwrap_or_else(|| error.code.clone());
                    if cx.state.live.is_some() || error.meaning(Purpose::Redirect) != Meaning::Denied {
                        // What is open goes on, and whoever said no may say yes later.
                        return Err(Rejection::Malformed("redirect"));
                    }
                    Ok(Verdict::Close(CloseReason::Denied(Denial::Rejected(Some(text)))))
                }
            },
            (NeedKind::Browser, _) => {
                let polls = cx.state.device.as_ref().is_some_and(|device| device.code.is_some());
                Ok(Verdict::next(if polls { Step::DevicePoll } else { Step::DeviceBegin }))
            }
            (NeedKind::GatewayToken, Input::Token(token)) => {
                (cx.state.refresh, cx.state.spent) = (Some(token.clone()), false);
                Ok(Verdict::next(Step::Refresh))
            }
            _ => Err(Rejection::WrongKind),
        }
    }

    fn left(&self, cx: &mut Context<'_, State>, step: Step) {
        if matches!(step, Step::Code | Step::DevicePoll | Step::Grant | Step::Refresh) {
            cx.state.sent = cx.now;
        }
        if matches!(self.client, ClientOf::Jwt { .. }) {
            let id = cx.entropy.text(&["oauth2", self.server.base.authority().as_str(), "assertion"]);
            cx.state.stamp = Some((cx.now, id));
        }
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let mut built = self.send(view, step, answers)?;
        if let (Build::Request(request), Some(agent)) = (&mut built, &self.agent) {
            request.headers_mut().insert(USER_AGENT, agent.clone());
        }
        Ok(built)
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        match outcome {
            Outcome::Response(response) => self.judge(cx, step, response),
            Outcome::Lost => self.lost(cx, step),
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        if state.live.is_none() || state.stale {
            let renewal = self.renewal(state)?;
            // An opening asks by itself.
            return (state.live.is_some() || renewal == Step::Refresh && self.endpoints(state).is_some())
                .then_some(renewal);
        }
        self.probe.as_ref().map(|_| Step::Probe)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.live.is_none() && state.refresh.is_none() {
            return Leave::Nothing;
        }
        let can =
            self.endpoints(state).is_some_and(|known| known.revocation.is_some()) && self.client_of(state).is_some();
        if can { Leave::Step(Step::Revoke) } else { Leave::Abandon }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let live = cx.state.live.as_ref().ok_or(Unauthorized::NotReady(None))?;
        let bearer = live.access.header("Bearer ").map_err(|_| Unauthorized::NotReady(None))?;
        parts.headers.insert(AUTHORIZATION, bearer);
        parts.headers.entry(USER_AGENT).or_insert_with(|| self.agent.clone().unwrap_or(AGENT));
        Ok(())
    }

    fn observe(&self, cx: &mut Context<'_, State>, _: &Ticket, response: Response<'_>) -> Observed {
        let challenge = Challenge::read(response).unwrap_or_default();
        match (response.status, challenge.error.as_deref()) {
            (StatusCode::UNAUTHORIZED, Some("invalid_token")) => {
                if !core::mem::replace(&mut cx.state.stale, true) {
                    cx.state.refused = cx.state.refused.saturating_add(1);
                }
                Observed::Doubt
            }
            (StatusCode::UNAUTHORIZED, _) => Observed::Doubt,
            (StatusCode::FORBIDDEN, Some("insufficient_scope")) => {
                let scope = challenge.scope.as_deref().unwrap_or_default();
                cx.tell(Fact::server_says(&format!("insufficient_scope {scope}")));
                Observed::Nothing
            }
            (status, _) => {
                if status.is_success() && !response.is_html() && !cx.state.stale {
                    cx.state.refused = 0;
                }
                Observed::Nothing
            }
        }
    }

    fn target<'a>(&'a self, _: &'a State, _: &str) -> Target<'a, Step> {
        Target::new(&self.calls)
    }
}

impl Adopts for OAuth2 {
    type Tokens = Given;

    fn adopt(&self, tokens: Given) -> Result<State, Rejection> {
        let Given { access, refresh } = tokens;
        if let Some(token) = &refresh {
            Rejection::check_token("refresh", token.expose())?;
        }
        if let Some((token, _)) = &access {
            Rejection::check_token("access", token.expose())?;
        }
        if access.is_none() && refresh.is_none() {
            return Err(Rejection::Empty("refresh"));
        }
        let renews = refresh.is_some();
        let live = access.map(|(access, expires)| OAuth2Live { access, expires, scope: None, renews });
        Ok(State { live, refresh, ..State::default() })
    }
}
