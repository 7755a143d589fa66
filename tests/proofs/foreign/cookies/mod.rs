//! A site with a login form: cookies are the session, and whatever changes something carries the CSRF token of a cookie.

mod server;

use std::time::Duration;

use http::request::Parts;
use http::{Method, Request, StatusCode};
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Identity, Judgment, Leave, Observed, Outcome, Plan, Provider, Rule,
    Unauthorized, Unbuildable, Verdict, View,
};
use sansession::wire::Cookies;
use sansession::{BaseUrl, CloseReason, NeedKind, Phase, Response, Ticket, machine::NeedReason, wire};
use serde::{Deserialize, Serialize};
pub use server::Server;

pub struct Site(pub BaseUrl);

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    /// Fetches the form, which sets the CSRF cookie.
    Form,
    Login,
    Ping,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
pub struct State {
    #[serde(default)]
    cookies: Cookies,
    /// The login is there.
    #[serde(default)]
    open: bool,
}

sansession::wire_object! {
    struct Said<'a> {
        user: wire::Text<'a> = "user",
        form: wire::Text<'a> = "form",
        error: wire::Text<'a> = "error",
        bye: bool = "bye",
    }
}

fn ask(because: NeedReason) -> Verdict<Step> {
    Ask::new(NeedKind::Credentials, because).then(Step::Form).into()
}

fn usable() -> Verdict<Step> {
    Plan::new().keepalive(Step::Ping, Duration::from_secs(600)).into()
}

impl Provider for Site {
    type Step = Step;
    type State = State;
    type Live = Cookies;

    fn identity(&self) -> Identity<'_> {
        Identity::new("site", &self.0)
    }

    fn rule(&self, step: Step) -> &Rule {
        const FORM: Rule = Rule::new("form").phase(Phase::LoggingIn);
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).opens();
        const PING: Rule = Rule::new("ping");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Step::Form => &FORM,
            Step::Login => &LOGIN,
            Step::Ping => &PING,
            Step::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        ask(because)
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        state.cookies.header().map(drop).map_err(|_| "a cookie cannot be sent")
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a Cookies> {
        state.open.then_some(&state.cookies)
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let cookies = &view.state.cookies;
        let csrf = || cookies.get("csrf").ok_or(Unbuildable::Part("csrf"))?.header("").map_err(Unbuildable::from);
        let request = match step {
            Step::Form => Request::get(self.0.join("/login")?).body(Vec::new())?,
            Step::Login => {
                let given = answers.credentials()?;
                let form = [("user", given.login()), ("password", given.password())];
                Request::post(self.0.join("/login")?)
                    .header("cookie", cookies.header()?)
                    .header("x-csrf-token", csrf()?)
                    .body(serde_urlencoded::to_string(form).map_err(Unbuildable::body)?.into_bytes())?
            }
            Step::Ping => Request::get(self.0.join("/ping")?).header("cookie", cookies.header()?).body(Vec::new())?,
            Step::Logout => Request::post(self.0.join("/logout")?)
                .header("cookie", cookies.header()?)
                .header("x-csrf-token", csrf()?)
                .body(Vec::new())?,
        };
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, Step::Login) => return ask(NeedReason::Lost),
            (Outcome::Lost, step) => return Verdict::next(step),
        };
        // A page of a proxy sets cookies as well: they are taken only from an answer that is the site's.
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        let is_ours = said.user.is_some() || said.form.is_some();
        if is_ours && cx.state.cookies.take(cx.now, response) {
            cx.tell(Fact::NewTokens);
        }
        match (step, said.error.as_deref()) {
            (Step::Form, None) if said.form.is_some() && cx.state.cookies.get("csrf").is_some() => {
                Verdict::next(Step::Login)
            }
            (Step::Login, None) if said.user.is_some() && cx.state.cookies.get("session").is_some() => {
                cx.state.open = true;
                usable()
            }
            (Step::Ping, None) if said.user.is_some() => usable(),
            (Step::Logout, None) if said.bye == Some(true) => {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            (Step::Login, Some("wrong")) => ask(NeedReason::Refused),
            (Step::Login, Some("csrf")) => {
                // Nobody has checked the password.
                cx.tell(Fact::Unspent(NeedKind::Credentials));
                Verdict::Next { step: Step::Form, after: Duration::from_secs(5) }
            }
            (Step::Ping, Some("login")) => Verdict::Dead { proof: "the site wants a login" },
            (Step::Logout, Some("login")) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            _ if response.status == StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            _ if response.status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer of the site"),
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        state.open.then_some(Step::Ping)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.open { Leave::Step(Step::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        if !cx.state.open {
            return Err(Unauthorized::NotReady(None));
        }
        parts.headers.insert("cookie", cx.state.cookies.header()?);
        if parts.method != Method::GET
            && let Some(csrf) = cx.state.cookies.get("csrf")
        {
            parts.headers.insert("x-csrf-token", csrf.header("")?);
        }
        Ok(())
    }

    fn observe(&self, cx: &mut Context<'_, State>, _: &Ticket, response: Response<'_>) -> Observed {
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        if said.user.is_some() && cx.state.cookies.take(cx.now, response) {
            cx.tell(Fact::NewTokens);
        }
        if said.error.as_deref() == Some("login") { Observed::Doubt } else { Observed::Nothing }
    }
}
