//! A broker that wants client, PIN and code in one request of JSON, and ends all sessions at 05:00 in India.

mod server;

use std::time::Duration;

use http::request::Parts;
use http::{Request, StatusCode};
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Given, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule, Unauthorized,
    Unbuildable, Verdict, View, When,
};
use sansession::{
    BaseUrl, CloseReason, NeedKind, Phase, Secret, Timestamp,
    machine::{Denial, NeedReason, Rejection},
    provider::Zone,
    secret, wire,
};
use serde::{Deserialize, Serialize};
pub use server::Server;

pub struct Broker {
    pub base: BaseUrl,
    pub client: String,
    pub key: Secret,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    Login,
    Profile,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
pub struct State {
    #[serde(default, with = "secret::exposed_option")]
    jwt: Option<Secret>,
    #[serde(default)]
    ends: Timestamp,
}

#[derive(Serialize)]
struct LoginBody<'a> {
    clientcode: &'a str,
    password: &'a str,
    totp: &'a str,
}

sansession::wire_object! {
    struct Said<'a> {
        status: bool = "status",
        errorcode: wire::Text<'a> = "errorcode",
        data: Data<'a> = "data",
    }
}

sansession::wire_object! {
    struct Data<'a> {
        jwt: Secret = "jwtToken",
        client: wire::Text<'a> = "clientcode",
    }
}

fn ask(kind: NeedKind, because: NeedReason) -> Verdict<Step> {
    Ask::new(kind, because).then(Step::Login).into()
}

fn usable(state: &State) -> Verdict<Step> {
    Plan::new().keepalive(Step::Profile, Duration::from_secs(1800)).expires(When::At(state.ends)).into()
}

impl Provider for Broker {
    type Step = Step;
    type State = State;
    type Live = Secret;

    fn identity(&self) -> Identity<'_> {
        Identity::new("broker", &self.base).account(&self.client).binds_ip()
    }

    fn rule(&self, step: Step) -> &Rule {
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Pin, NeedKind::Totp]).opens();
        const PROFILE: Rule = Rule::new("profile");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Step::Login => &LOGIN,
            Step::Profile => &PROFILE,
            Step::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        ask(NeedKind::Pin, because)
    }

    fn answered(&self, _: &mut Context<'_, State>, given: &Given<'_, Step>) -> Result<Verdict<Step>, Rejection> {
        match given.kind {
            NeedKind::Pin => Ok(ask(NeedKind::Totp, NeedReason::Opening)),
            _ => Ok(Verdict::next(Step::Login)),
        }
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        let token = state.jwt.as_ref().map_or(Ok(()), |jwt| Rejection::check_token("jwt", jwt.expose()));
        token.map_err(|_| "the token cannot be sent")
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a Secret> {
        state.jwt.as_ref()
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let bearer =
            || view.state.jwt.as_ref().ok_or(Unbuildable::Part("token"))?.header("Bearer ").map_err(Unbuildable::from);
        let request = match step {
            Step::Login => {
                let (pin, code) = (answers.text(NeedKind::Pin)?, answers.totp()?);
                let body = LoginBody { clientcode: &self.client, password: pin.expose(), totp: code.code() };
                Request::post(self.base.join("/login")?)
                    .header("content-type", "application/json")
                    .header("x-privatekey", self.key.header("")?)
                    .body(serde_json::to_vec(&body).map_err(Unbuildable::body)?)?
            }
            Step::Profile => Request::get(self.base.join("/profile")?)
                .header("x-privatekey", self.key.header("")?)
                .header("authorization", bearer()?)
                .body(Vec::new())?,
            Step::Logout => Request::post(self.base.join("/logout")?)
                .header("x-privatekey", self.key.header("")?)
                .header("authorization", bearer()?)
                .body(Vec::new())?,
        };
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, Step::Login) => return ask(NeedKind::Pin, NeedReason::Lost),
            (Outcome::Lost, step) => return Verdict::next(step),
        };
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        let data = said.data.unwrap_or_default();
        let code = said.errorcode.as_deref().filter(|code| !code.is_empty());
        match (step, code) {
            (Step::Login, None) if said.status == Some(true) => match data.jwt {
                Some(jwt) if Rejection::check_token("jwt", jwt.expose()).is_ok() => {
                    cx.state.jwt = Some(jwt);
                    cx.state.ends = Zone::INDIA.next(cx.now, 5, 0);
                    cx.tell(Fact::NewTokens);
                    usable(cx.state)
                }
                _ => Verdict::Unreadable("a login without a token"),
            },
            (Step::Profile, None) if data.client.as_deref() == Some(&self.client) => usable(cx.state),
            (Step::Logout, None) if said.status == Some(true) => {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            (Step::Login, Some("AB1007")) => ask(NeedKind::Pin, NeedReason::Refused),
            (Step::Login, Some("AB1050")) => ask(NeedKind::Totp, NeedReason::Refused),
            (Step::Login, Some("AB1006")) => Verdict::Close(CloseReason::Denied(Denial::Locked)),
            (Step::Profile, Some("AG8001")) => Verdict::Dead { proof: "invalid token" },
            (Step::Logout, Some("AG8001")) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            _ if response.status == StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            _ if response.status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer of the broker"),
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        state.jwt.as_ref().map(|_| Step::Profile)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.jwt.is_some() { Leave::Step(Step::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let jwt = cx.state.jwt.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("authorization", jwt.header("Bearer ")?);
        parts.headers.insert("x-privatekey", self.key.header("")?);
        Ok(())
    }
}
