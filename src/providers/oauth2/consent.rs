//! The consent of a person: asked for, read, declined, begun again.

use super::config::{Grant, OAuth2};
use super::state::{Attempt, OAuth2State, OAuth2Step};
use super::who::ClientOf;
use super::wire::{Authorization, ErrorBody, Expected, Meaning, Pkce, Purpose, Redirect};
use crate::provider::{Ask, Build, Context, Fact, Unbuildable, Verdict};
use crate::{
    CloseReason, NeedKind, Timestamp,
    machine::{Denial, NeedReason, Rejection, ServerText},
};

type State = OAuth2State;
type Step = OAuth2Step;

impl OAuth2 {
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
        // Tokens that somebody has given: there is nothing to ask for yet.
        if matches!(cx.state.because, None | Some(NeedReason::Opening)) && cx.state.is_good(cx.now) {
            return if self.probe.is_some() { Verdict::next(Step::Probe) } else { self.plan(cx) };
        }
        if self.refreshes() && cx.state.refresh.is_some() && !cx.state.spent {
            return Verdict::next(Step::Refresh);
        }
        self.consent(cx)
    }

    /// Asks for a consent, and lets a session that is open go on meanwhile.
    pub(super) fn consent(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        match &self.grant {
            Grant::Code { .. } => {
                let because = *cx.state.because.get_or_insert(NeedReason::Opening);
                self.attempt(cx);
                match self.ask_code(cx.state, cx.now, because) {
                    Some(ask) => ask.into(),
                    None => Verdict::Unreadable("there is no authorization endpoint"),
                }
            }
            // A code that a person is typing is not taken away.
            Grant::Device if cx.state.device.as_ref().is_some_and(|device| device.is_open(cx.now)) => {
                self.ask_device(cx.state, cx.now)
            }
            Grant::Device => Verdict::next(Step::DeviceBegin),
            Grant::ClientCredentials => Verdict::next(Step::Grant),
            Grant::Given => {
                let because = cx.state.because.take().unwrap_or(NeedReason::Opening);
                lasting(cx.state, cx.now, Ask::new(NeedKind::GatewayToken, because)).into()
            }
        }
    }

    /// Names the kind of the question for a consent.
    pub(super) const fn asks_for(&self) -> NeedKind {
        match self.grant {
            Grant::Code { .. } => NeedKind::Redirect,
            Grant::Device => NeedKind::Browser,
            Grant::ClientCredentials | Grant::Given => NeedKind::GatewayToken,
        }
    }

    /// Creates what the next redirect is held against, unless a question is open with it.
    pub(super) fn attempt(&self, cx: &mut Context<'_, State>) {
        let server = self.server.base.authority().as_str();
        cx.state.attempt.get_or_insert_with(|| Attempt::new(&cx.entropy, server));
    }

    fn ask_code(&self, state: &State, now: Timestamp, because: NeedReason) -> Option<Ask<Step>> {
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
        let ask = Ask::new(NeedKind::Redirect, because).url(url.url().into()).then(Step::Code);
        Some(lasting(state, now, ask))
    }

    /// Asks for the redirect that a step lacks: it is due, or the one in hand is gone.
    pub(super) fn ask_first(&self, state: &State, now: Timestamp) -> Result<Build<Step>, Unbuildable> {
        if state.is_over(now) {
            return Err(Unbuildable::Over("the consent is dead, and the access token has ended"));
        }
        let because = match (&state.live, state.because) {
            (None, _) | (_, Some(NeedReason::Refused)) => NeedReason::Stale,
            (Some(_), because) => because.unwrap_or(NeedReason::Renewing),
        };
        self.ask_code(state, now, because).map(Build::Needs).ok_or(Unbuildable::Missing(NeedKind::Redirect))
    }

    /// Reads what a person has pasted, or a listener has caught.
    pub(super) fn redirect(&self, state: &State, pasted: &str) -> Result<Redirect, Rejection> {
        let unfit = |why| Rejection::Unfit { field: "redirect", why };
        let Grant::Code { redirect } = &self.grant else { return Err(Rejection::WrongKind) };
        let (Some(known), Some(attempt)) = (self.endpoints(state), &state.attempt) else {
            return Err(unfit("it belongs to another attempt"));
        };
        let expected = Expected {
            redirect_uri: redirect,
            state: &attempt.state,
            issuer: Some(&*known.issuer).filter(|issuer| !issuer.is_empty()),
            names_issuer: known.names_issuer,
            bare_code: self.bare_code,
        };
        Redirect::read(pasted, &expected).map_err(|why| unfit(why.text()))
    }

    /// Goes on from a redirect that is this attempt's.
    pub(super) fn redirected(&self, cx: &mut Context<'_, State>, found: Redirect) -> Result<Verdict<Step>, Rejection> {
        let error = match found {
            Redirect::Code(_) => return Ok(Verdict::next(Step::Code)),
            Redirect::Error(error) => error,
        };
        let good = cx.state.is_good(cx.now);
        let unfit = |why| Err(Rejection::Unfit { field: "redirect", why });
        match error.meaning(Purpose::Redirect) {
            Meaning::Denied if good => {
                cx.tell(Fact::server_says(error.code.as_str()));
                cx.tell(Fact::Declined(NeedKind::Redirect));
                cx.state.declined = true;
                Ok(Verdict::alive())
            }
            Meaning::Client if matches!(self.client, ClientOf::Register { .. }) => Ok(self.client_unknown(cx, &error)),
            Meaning::Denied | Meaning::Client | Meaning::Configuration if !good => Ok(self.refused(&error)),
            meaning => {
                cx.tell(Fact::server_says(error.code.as_str()));
                match meaning {
                    Meaning::Later => unfit("the server could not answer: open the page once more later"),
                    Meaning::AttemptOver => unfit("the server wants a login: open the page once more"),
                    _ => unfit("the server refuses the request"),
                }
            }
        }
    }

    /// Asks a person to approve on another device, and looks meanwhile.
    pub(super) fn ask_device(&self, state: &State, now: Timestamp) -> Verdict<Step> {
        if state.is_over(now) {
            return Verdict::Dead { proof: "the consent is dead, and the access token has ended" };
        }
        let Some(device) = &state.device else { return Verdict::next(Step::DeviceBegin) };
        let why =
            state.because.unwrap_or(if state.live.is_some() { NeedReason::Renewing } else { NeedReason::Opening });
        let ask = Ask::new(NeedKind::Browser, why).url((*device.uri).into()).then(Step::DeviceBegin);
        let ask = if device.code.is_some() {
            // Both are shown, also where a link has the code in it (RFC 8628, section 3.3.1).
            ask.poll(Step::DevicePoll, device.interval).user_code(&*device.user_code).text(&*device.text)
        } else {
            ask.text("the code is over: answer to get another one")
        };
        lasting(state, now, ask).into()
    }

    /// The device code is over: whoever still wants to consent says so.
    pub(super) fn device_over(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        if let Some(device) = &mut cx.state.device {
            device.code = None;
        }
        cx.state.because = Some(NeedReason::Stale);
        self.ask_device(cx.state, cx.now)
    }

    /// The person said no on the other device.
    pub(super) fn device_declined(&self, cx: &mut Context<'_, State>, error: &ErrorBody) -> Verdict<Step> {
        if !cx.state.is_good(cx.now) {
            return self.refused(error);
        }
        // What was declined is not put again, so this puts nothing.
        let again = self.ask_device(cx.state, cx.now);
        (cx.state.device, cx.state.declined) = (None, true);
        cx.tell(Fact::server_says(error.code.as_str()));
        cx.tell(Fact::Declined(NeedKind::Browser));
        again
    }
}

/// Lets a session go on meanwhile whose token is good.
pub(super) fn lasting(state: &State, now: Timestamp, ask: Ask<Step>) -> Ask<Step> {
    if state.is_good(now) { ask.lasting() } else { ask }
}
