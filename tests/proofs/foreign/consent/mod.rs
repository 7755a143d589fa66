//! OAuth with a consent that ends after seven days: a person consents again while the session goes on.

mod server;

use std::time::Duration;

use http::{Request, request::Parts};
use sansession::machine::{NeedReason, Rejection};
use sansession::provider::{
    Answers, Ask, Build, Context, Entropy, Fact, Given, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule,
    Unauthorized, Unbuildable, Verdict, View, When,
};
use sansession::providers::oauth2::wire::{
    Authorization, Client, Endpoint, Expected, Grant, Meaning, Pkce, Purpose, Redirect, Revocation, TokenAnswer,
    TokenKind, Tokens, revoke_request,
};
use sansession::{BaseUrl, CloseReason, Input, NeedKind, Phase, Secret, Timestamp, secret, wire};
use serde::{Deserialize, Serialize};
pub use server::Server;

const CONSENT: Duration = Duration::from_secs(7 * 24 * 3600);
/// A person is asked so long before the end.
const EARLY: Duration = Duration::from_secs(24 * 3600);

pub struct App {
    pub api: BaseUrl,
    pub authorize: Endpoint,
    pub token: Endpoint,
    pub revoke: Endpoint,
    pub client: Client,
    pub redirect_uri: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    Redeem,
    Refresh,
    Look,
    Revoke,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    #[serde(with = "secret::exposed_option")]
    access: Option<Secret>,
    #[serde(with = "secret::exposed_option")]
    refresh: Option<Secret>,
    ends: Timestamp,
    consent_ends: Timestamp,
    /// The consent that a person is asked for: its `state`, and the verifier of its challenge.
    #[serde(with = "secret::exposed_list")]
    asked: Vec<Secret>,
}

sansession::wire_object! {
    struct Me<'a> {
        user: wire::Text<'a> = "user",
        error: wire::Text<'a> = "error",
    }
}

impl App {
    /// Asks a person to consent at a new URL; an open session goes on meanwhile.
    fn ask(&self, state: &mut State, entropy: &Entropy<'_>, because: NeedReason) -> Verdict<Step> {
        state.asked = vec![entropy.text(&["app", "state"]), entropy.text(&["app", "verifier"])];
        let [own, verifier] = state.asked.as_slice() else { return Verdict::Unreadable("nothing was drawn") };
        let Some(pkce) = Pkce::from_verifier(verifier.clone()) else { return Verdict::Unreadable("no verifier") };
        let url = Authorization {
            endpoint: &self.authorize,
            client: &self.client,
            redirect_uri: &self.redirect_uri,
            scope: "orders",
            state: own,
            pkce: &pkce,
            resource: None,
            more: &[],
        };
        let ask = Ask::new(NeedKind::Verifier, because).then(Step::Redeem).url(url.url().into());
        if state.access.is_some() { ask.lasting().into() } else { ask.into() }
    }

    /// Reads what the person pasted: the address after the consent.
    fn code(&self, state: &State, pasted: &Secret) -> Option<Secret> {
        let [own, _] = state.asked.as_slice() else { return None };
        let expected = Expected {
            redirect_uri: &self.redirect_uri,
            state: own,
            issuer: None,
            names_issuer: false,
            bare_code: false,
        };
        match Redirect::read(pasted.expose(), &expected) {
            Ok(Redirect::Code(code)) => Some(code),
            _ => None,
        }
    }

    fn take(&self, cx: &mut Context<'_, State>, step: Step, tokens: Tokens) -> Verdict<Step> {
        if Rejection::check_token("access", tokens.access.expose()).is_err() {
            return Verdict::Unreadable("a token that cannot be sent");
        }
        cx.state.access = Some(tokens.access);
        cx.state.refresh = tokens.refresh.or(cx.state.refresh.take());
        cx.state.ends = cx.now + tokens.expires_in.unwrap_or(Duration::from_secs(1800));
        if step == Step::Redeem {
            cx.state.consent_ends = cx.now + tokens.consent_expires_in.unwrap_or(CONSENT);
            cx.state.asked.clear();
        }
        cx.tell(Fact::NewTokens);
        self.usable(cx)
    }

    fn usable(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        if cx.state.asked.is_empty() && cx.now + EARLY >= cx.state.consent_ends {
            return self.ask(cx.state, &cx.entropy, NeedReason::Renewing);
        }
        let early = When::At(cx.state.ends - Duration::from_secs(120));
        let plan = Plan::new().keepalive(Step::Look, Duration::from_secs(3600)).expires(When::At(cx.state.ends));
        if cx.state.refresh.is_some() { plan.renew(Step::Refresh, early).into() } else { plan.into() }
    }
}

impl Provider for App {
    type Step = Step;
    type State = State;
    type Live = Secret;

    fn identity(&self) -> Identity<'_> {
        Identity::new("app", &self.api).account(self.client.id()).rotates()
    }

    fn rule(&self, step: Step) -> &Rule {
        const REDEEM: Rule = Rule::new("redeem").spends(&[NeedKind::Verifier]).rotates().opens();
        const REFRESH: Rule = Rule::new("refresh").rotates();
        const LOOK: Rule = Rule::new("look");
        const REVOKE: Rule = Rule::new("revoke").phase(Phase::LoggingOut);
        match step {
            Step::Redeem => &REDEEM,
            Step::Refresh => &REFRESH,
            Step::Look => &LOOK,
            Step::Revoke => &REVOKE,
        }
    }

    fn open(&self, cx: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        self.ask(cx.state, &cx.entropy, because)
    }

    fn answered(&self, cx: &mut Context<'_, State>, given: &Given<'_, Step>) -> Result<Verdict<Step>, Rejection> {
        let Input::Code(pasted) = given.input else { return Err(Rejection::WrongKind) };
        match self.code(cx.state, pasted) {
            Some(_) => Ok(Verdict::next(Step::Redeem)),
            None => Err(Rejection::Malformed("redirect")),
        }
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a Secret> {
        state.access.as_ref()
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let state = view.state;
        let missing = Unbuildable::Part("token");
        let built = match step {
            Step::Redeem => {
                let code = self.code(state, answers.text(NeedKind::Verifier)?).ok_or(Unbuildable::Part("redirect"))?;
                let pkce = state.asked.get(1).cloned().and_then(Pkce::from_verifier).ok_or(missing)?;
                let grant = Grant::Code { code: &code, redirect_uri: &self.redirect_uri, pkce: &pkce };
                grant.request(&self.token, &self.client, None, None)
            }
            Step::Refresh => {
                let grant = Grant::Refresh { token: state.refresh.as_ref().ok_or(missing)? };
                grant.request(&self.token, &self.client, None, None)
            }
            Step::Look => {
                let bearer = state.access.as_ref().ok_or(missing)?.header("Bearer ")?;
                let request = Request::get(self.api.join("/me")?).header("authorization", bearer);
                return Ok(request.body(Vec::new())?.into());
            }
            Step::Revoke => {
                let (token, kind) = match (&state.refresh, &state.access) {
                    (Some(token), _) => (token, TokenKind::Refresh),
                    (None, Some(token)) => (token, TokenKind::Access),
                    (None, None) => return Err(missing),
                };
                revoke_request(&self.revoke, &self.client, None, token, kind)
            }
        };
        built.map(Build::Request).map_err(|_| Unbuildable::Part("client"))
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        let Outcome::Response(response) = outcome else {
            // What left may be used up.
            return match step {
                Step::Redeem => self.ask(cx.state, &cx.entropy, NeedReason::Lost),
                _ => {
                    cx.state.refresh = None;
                    Verdict::next(Step::Look)
                }
            };
        };
        match step {
            Step::Redeem | Step::Refresh => match TokenAnswer::read(response) {
                TokenAnswer::Tokens(tokens) => self.take(cx, step, *tokens),
                TokenAnswer::Unjudged => Verdict::unavailable(),
                TokenAnswer::Error { error, .. } => match (step, error.meaning(Purpose::Refresh)) {
                    (_, Meaning::Later) => Verdict::unavailable(),
                    (Step::Redeem, _) => self.ask(cx.state, &cx.entropy, NeedReason::Refused),
                    (_, Meaning::ConsentDead) => {
                        cx.state.refresh = None;
                        Verdict::next(Step::Look)
                    }
                    _ => Verdict::Unreadable("the token endpoint refuses the request"),
                },
                _ => Verdict::Retry { after: None, answer: Judgment::Judged },
            },
            Step::Look => {
                let me = wire::json::<Me<'_>>(response.body).unwrap_or_default();
                match (me.user, me.error.as_deref()) {
                    (Some(_), None) => self.usable(cx),
                    (_, Some("invalid_token")) => Verdict::Dead { proof: "the server does not know the token" },
                    _ if response.status.is_server_error() => Verdict::unavailable(),
                    _ => Verdict::Unreadable("not an answer of the server"),
                }
            }
            Step::Revoke => match Revocation::read(response) {
                Revocation::Done => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
                Revocation::Later => Verdict::unavailable(),
                _ => Verdict::Unreadable("nothing was revoked"),
            },
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        state.access.as_ref().map(|_| Step::Look)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        let any = state.refresh.is_some() || state.access.is_some();
        if any { Leave::Step(Step::Revoke) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let access = cx.state.access.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("authorization", access.header("Bearer ")?);
        Ok(())
    }
}
