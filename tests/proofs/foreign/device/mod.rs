//! A broker whose devices are made known once: where it does not know one it sends a code, and wants the password again with it.

mod server;

use std::time::Duration;

use http::request::Parts;
use http::{Request, StatusCode};
use sansession::provider::{
    Answers, Ask, Build, Context, Ended, Fact, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule, Unauthorized,
    Unbuildable, Verdict, View,
};
use sansession::{
    BaseUrl, CloseReason, NeedKind, Phase, Secret,
    machine::{Denial, NeedReason, Rejection},
    secret, wire,
};
use serde::{Deserialize, Serialize};
pub use server::Server;

pub struct Broker(pub BaseUrl);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// The password alone.
    Login,
    /// Has a code sent to the owner.
    Challenge,
    /// The password again, and the code.
    Device,
    Look,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
pub struct State {
    #[serde(default, with = "secret::exposed_option")]
    session: Option<Secret>,
    /// What the server knows this device by; it outlives sessions.
    #[serde(default, with = "secret::exposed_option")]
    device: Option<Secret>,
    /// What the challenge is asked for with.
    #[serde(default, with = "secret::exposed_option")]
    challenge: Option<Secret>,
}

#[derive(Serialize)]
struct LoginBody<'a> {
    login: &'a str,
    password: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
}

sansession::wire_object! {
    struct Said<'a> {
        error: wire::Text<'a> = "error",
        session: Secret = "session",
        device: Secret = "device",
        challenge: Secret = "challenge",
        sent: bool = "sent",
        account: wire::Text<'a> = "account",
        ended: bool = "ended",
    }
}

fn ask_password(because: NeedReason) -> Verdict<Step> {
    Ask::new(NeedKind::Credentials, because).then(Step::Login).into()
}

fn ask_code(because: NeedReason) -> Verdict<Step> {
    Ask::new(NeedKind::AccessCode, because).then(Step::Device).into()
}

fn usable() -> Verdict<Step> {
    Plan::new().keepalive(Step::Look, Duration::from_secs(900)).into()
}

fn fits(token: &Secret) -> bool {
    Rejection::check_token("token", token.expose()).is_ok()
}

impl Provider for Broker {
    type Step = Step;
    type State = State;
    type Live = Secret;

    fn identity(&self) -> Identity<'_> {
        Identity::new("device-broker", &self.0)
    }

    fn rule(&self, step: Step) -> &Rule {
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).carries(&[NeedKind::Credentials]).opens();
        const CHALLENGE: Rule = Rule::new("challenge").phase(Phase::LoggingIn);
        const DEVICE: Rule = Rule::new("device")
            .phase(Phase::LoggingIn)
            .carries(&[NeedKind::Credentials])
            .spends(&[NeedKind::AccessCode])
            .opens();
        const LOOK: Rule = Rule::new("look");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Step::Login => &LOGIN,
            Step::Challenge => &CHALLENGE,
            Step::Device => &DEVICE,
            Step::Look => &LOOK,
            Step::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        ask_password(because)
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        let mut tokens = state.session.iter().chain(&state.device).chain(&state.challenge);
        if tokens.all(fits) { Ok(()) } else { Err("a token cannot be sent") }
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a Secret> {
        state.session.as_ref()
    }

    fn forget(&self, state: &mut State, _: Ended) {
        // The device stays known.
        *state = State { device: state.device.take(), ..State::default() };
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let token = |token: &Option<Secret>| {
            token.as_ref().ok_or(Unbuildable::Part("token"))?.header("").map_err(Unbuildable::from)
        };
        let state = view.state;
        let request = match step {
            Step::Login | Step::Device => {
                let given = answers.credentials()?;
                let code = if step == Step::Device { Some(answers.text(NeedKind::AccessCode)?) } else { None };
                let body = LoginBody {
                    login: given.login(),
                    password: given.password(),
                    device: state.device.as_ref().map(Secret::expose),
                    code: code.map(Secret::expose),
                };
                Request::post(self.0.join("/sessions")?)
                    .header("content-type", "application/json")
                    .body(serde_json::to_vec(&body).map_err(Unbuildable::body)?)?
            }
            Step::Challenge => Request::post(self.0.join("/challenge")?)
                .header("x-challenge", token(&state.challenge)?)
                .body(Vec::new())?,
            Step::Look => {
                Request::get(self.0.join("/me")?).header("x-session", token(&state.session)?).body(Vec::new())?
            }
            Step::Logout => Request::delete(self.0.join("/sessions")?)
                .header("x-session", token(&state.session)?)
                .body(Vec::new())?,
        };
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, Step::Login | Step::Device) => return ask_password(NeedReason::Lost),
            (Outcome::Lost, step) => return Verdict::next(step),
        };
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        match (step, said.error.as_deref()) {
            (Step::Login | Step::Device, None) if said.session.as_ref().is_some_and(fits) => {
                cx.state.session = said.session;
                cx.state.challenge = None;
                if let Some(device) = said.device.filter(fits) {
                    cx.state.device = Some(device);
                }
                cx.tell(Fact::NewTokens);
                usable()
            }
            (Step::Login, Some("device_challenge")) if said.challenge.as_ref().is_some_and(fits) => {
                cx.state.challenge = said.challenge;
                cx.tell(Fact::Accepted(NeedKind::Credentials));
                Verdict::next(Step::Challenge)
            }
            (Step::Challenge, None) if said.sent == Some(true) => ask_code(NeedReason::Opening),
            (Step::Challenge, Some("unknown_challenge")) => ask_password(NeedReason::Stale),
            (Step::Login | Step::Device, Some("wrong_password")) => ask_password(NeedReason::Refused),
            (Step::Device, Some("wrong_code")) => {
                cx.tell(Fact::Unspent(NeedKind::Credentials));
                ask_code(NeedReason::Refused)
            }
            (Step::Device, Some("code_expired")) => {
                cx.tell(Fact::Unspent(NeedKind::Credentials));
                Verdict::next(Step::Login)
            }
            (Step::Login | Step::Device, Some("locked")) => Verdict::Close(CloseReason::Denied(Denial::Locked)),
            (Step::Look, None) if said.account.is_some() => usable(),
            (Step::Look, Some("unknown_session")) => Verdict::Dead { proof: "the server does not know the session" },
            (Step::Logout, None) if said.ended == Some(true) => {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            (Step::Logout, Some("unknown_session")) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            _ if response.status == StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            _ if response.status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer of the broker"),
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        state.session.as_ref().map(|_| Step::Look)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.session.is_some() { Leave::Step(Step::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let session = cx.state.session.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("x-session", session.header("")?);
        Ok(())
    }
}
