//! The session of an OAuth 2 server as a provider.

use http::header::{AUTHORIZATION, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, StatusCode};

use super::config::{OAuth2, Place};
use super::state::{Device, Given, OAuth2Live, OAuth2State, OAuth2Step, Registration};
use super::who::ClientOf;
use super::wire::{Challenge, Endpoint};
use crate::provider::{
    Adopts, Answers, Build, Context, Ended, Fact, Given as Answer, Identity, Leave, Observed, Outcome, Provider, Rule,
    Target, Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    Input, NeedKind, Response, Secret, Ticket,
    machine::{NeedReason, Rejection},
};

/// What this crate calls itself.
pub(super) const AGENT: HeaderValue = HeaderValue::from_static(concat!("sansession/", env!("CARGO_PKG_VERSION")));

type State = OAuth2State;
type Step = OAuth2Step;

impl Provider for OAuth2 {
    type Step = OAuth2Step;
    type State = OAuth2State;
    type Live = OAuth2Live;

    fn identity(&self) -> Identity<'_> {
        let account = match &self.client {
            ClientOf::Known(client) | ClientOf::Jwt { client, .. } => Some(client.id()),
            ClientOf::Register(_) | ClientOf::Wrong(_) => None,
        };
        Identity { account, rotates: self.rotates(), ..Identity::new(self.name, &self.server.base) }
    }

    fn rule(&self, step: Step) -> &Rule {
        self.rule_of(step)
    }

    fn open(&self, cx: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        cx.state.because = Some(because);
        self.go_on(cx)
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        let token =
            |token: Option<&Secret>| token.map_or(Ok(()), |token| Rejection::check_token("token", token.expose()));
        let tokens = token(state.live.as_ref().map(|live| &live.access)).and(token(state.refresh.as_ref()));
        tokens.map_err(|_| "a token cannot be carried by a request")?;
        if let (Some(found), Place::Issuer(issuer)) = (&state.found, &self.server.place) {
            if !issuer.is(&found.issuer) {
                return Err("the endpoints are those of another issuer");
            }
            found.read().map(drop).ok_or("an endpoint is no https URL")?;
        }
        let other = |client: &Registration| !client.is_for(self.redirects().first().copied());
        if matches!(self.client, ClientOf::Register(_)) && state.client.as_ref().is_some_and(other) {
            return Err("the client was registered for another redirect URI");
        }
        let page = |device: &Device| Endpoint::parse(&device.uri).is_ok();
        state.device.as_ref().is_none_or(page).then_some(()).ok_or("the page for the device code is no https URL")
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a OAuth2Live> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut State, ended: Ended) {
        state.keep_for_the_logout();
        let kept = core::mem::take(state);
        if ended == Ended::Expired {
            // Where the server is and who the client is outlives a consent.
            *state = State {
                found: kept.found,
                client: kept.client,
                again: kept.again,
                former: kept.former,
                // A person may be looking at the page, or typing the code.
                attempt: kept.attempt,
                device: kept.device,
                ..State::default()
            };
        }
    }

    fn answered(&self, cx: &mut Context<'_, State>, given: &Answer<'_, Step>) -> Result<Verdict<Step>, Rejection> {
        match (given.kind, given.input) {
            (NeedKind::Signature, _) => given.step.map(Verdict::next).ok_or(Rejection::WrongKind),
            (NeedKind::Redirect, Input::Redirect(pasted)) => {
                let found = self.redirect(cx.state, pasted.expose())?;
                self.redirected(cx, found)
            }
            (NeedKind::Browser, _) => {
                let polls = cx.state.device.as_ref().is_some_and(|device| device.code.is_some());
                Ok(Verdict::next(if polls { Step::DevicePoll } else { Step::DeviceBegin }))
            }
            (NeedKind::GatewayToken, Input::Token(token)) => {
                cx.state.refresh_with(token.clone());
                cx.state.ends = self.refresh_lasts.map(|lasts| (cx.now + lasts, lasts / 14));
                Ok(Verdict::next(Step::Refresh))
            }
            _ => Err(Rejection::WrongKind),
        }
    }

    fn left(&self, cx: &mut Context<'_, State>, step: Step) {
        if matches!(step, Step::Code | Step::DevicePoll | Step::Grant | Step::Refresh) {
            cx.state.sent = cx.now;
        }
        if step == Step::Refresh {
            cx.state.tried.get_or_insert(cx.now);
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
        // Tokens that somebody has given say nothing of where they are renewed, and by whom.
        let given = state.live.is_some() || state.refresh.is_some();
        if self.endpoints(state).is_none() {
            return given.then_some(Step::Discover);
        }
        if self.client_of(state).is_none() {
            return given.then_some(Step::Register);
        }
        if state.live.is_some() && !state.stale && !state.dead && self.probe.is_some() {
            return Some(Step::Probe);
        }
        match (self.renewal(state)?, &state.device) {
            (Step::DeviceBegin, Some(device)) => device.code.as_ref().map(|_| Step::DevicePoll),
            (renewal, _) => (state.live.is_some() || renewal == Step::Refresh).then_some(renewal),
        }
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.live.is_none() && state.refresh.is_none() && state.former.is_empty() {
            return Leave::Nothing;
        }
        let can =
            self.endpoints(state).is_some_and(|known| known.revocation.is_some()) && self.client_of(state).is_some();
        if can { Leave::Step(Step::Revoke) } else { Leave::Abandon }
    }

    fn secret<'a>(&'a self, state: &'a State) -> Option<&'a Secret> {
        match &self.client {
            ClientOf::Known(client) | ClientOf::Jwt { client, .. } => client.secret(),
            ClientOf::Register(_) => state.client.as_ref()?.secret.as_ref(),
            ClientOf::Wrong(_) => None,
        }
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
                // Where no person can help, a next token that is refused as well is no reason for one more at once.
                if self.refreshes() || cx.state.refused < 2 { Observed::Doubt } else { self.doubts_at_times(cx) }
            }
            // It may be the call's own fault, and each look is a new token.
            (StatusCode::UNAUTHORIZED, _) if self.probe.is_none() => self.doubts_at_times(cx),
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
