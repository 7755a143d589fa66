use std::time::Duration;

use http::{Request, StatusCode, request::Parts};
use sansession::provider::{
    Answers, Ask, Build, Context, Fact, Given, Identity, Judgment, Leave, Outcome, Plan, Provider, Rule, Unauthorized,
    Unbuildable, Verdict, View, When,
};
use sansession::{
    BaseUrl, CloseReason, NeedKind, Phase, Secret, Timestamp,
    machine::{Denial, NeedReason, Rejection},
    secret, wire,
};
use serde::{Deserialize, Serialize};

/// A bank that wants a PIN and a code in one request, and whose refresh token is another one after each use.
pub struct Bank(pub BaseUrl);

/// Its errands.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Step {
    Login,
    Look,
    Refresh,
    Logout,
}

/// What a snapshot holds.
#[derive(Default, Serialize, Deserialize)]
pub struct State {
    #[serde(default, with = "secret::exposed_option")]
    access: Option<Secret>,
    #[serde(default, with = "secret::exposed_option")]
    refresh: Option<Secret>,
    #[serde(default)]
    ends: Timestamp,
}

sansession::wire_object! {
    /// What the bank says.
    pub struct Said<'a> {
        error: wire::Text<'a> = "error",
        access: Secret = "access",
        refresh: Secret = "refresh",
        /// How long the access token lives, in seconds.
        lasts: u64 = "lasts",
        /// Who is logged in.
        user: wire::Text<'a> = "user",
        ended: bool = "ended",
    }
}

impl Provider for Bank {
    type Step = Step;
    type State = State;
    type Live = Secret;

    fn identity(&self) -> Identity<'_> {
        Identity::new("bank", &self.0).rotates()
    }

    fn rule(&self, step: Step) -> &Rule {
        // Three wrong PINs lock the account, so the answers are spent: one request, whatever becomes of it.
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Pin, NeedKind::Totp]).opens();
        const LOOK: Rule = Rule::new("look");
        // The session is saved before it leaves and when its answer has come, so no crash sends one token twice.
        const REFRESH: Rule = Rule::new("refresh").rotates();
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match step {
            Step::Login => &LOGIN,
            Step::Look => &LOOK,
            Step::Refresh => &REFRESH,
            Step::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Step> {
        ask(NeedKind::Pin, because)
    }

    fn answered(&self, _: &mut Context<'_, State>, given: &Given<'_, Step>) -> Result<Verdict<Step>, Rejection> {
        Ok(match given.kind {
            // The code comes last, since it is good for half a minute only.
            NeedKind::Pin => ask(NeedKind::Totp, NeedReason::Opening),
            _ => Verdict::next(Step::Login),
        })
    }

    fn admits(&self, state: &State) -> Result<(), &'static str> {
        // A snapshot is a text that somebody may have edited.
        let mut tokens = state.access.iter().chain(&state.refresh);
        let fits = tokens.all(|token| Rejection::check_token("token", token.expose()).is_ok());
        if fits { Ok(()) } else { Err("a token cannot be sent") }
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a Secret> {
        state.access.as_ref()
    }

    fn request(&self, view: &View<'_, State>, step: Step, answers: &Answers<'_>) -> Result<Build<Step>, Unbuildable> {
        let access = || view.state.access.as_ref().ok_or(Unbuildable::Part("access"));
        let form = match step {
            Step::Login => {
                let (pin, code) = (answers.text(NeedKind::Pin)?, answers.totp()?);
                serde_urlencoded::to_string([("pin", pin.expose()), ("code", code.code())])
                    .map_err(Unbuildable::body)?
            }
            Step::Refresh => {
                let refresh = view.state.refresh.as_ref().ok_or(Unbuildable::Part("refresh"))?;
                serde_urlencoded::to_string([("refresh", refresh.expose())]).map_err(Unbuildable::body)?
            }
            Step::Look | Step::Logout => String::new(),
        };
        let request = match step {
            Step::Login => Request::post(self.0.join("/login")?),
            Step::Refresh => Request::post(self.0.join("/token")?),
            Step::Look => Request::get(self.0.join("/me")?).header("authorization", access()?.header("Bearer ")?),
            Step::Logout => {
                Request::delete(self.0.join("/login")?).header("authorization", access()?.header("Bearer ")?)
            }
        };
        Ok(request.body(form.into_bytes())?.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Step, outcome: Outcome<'_>) -> Verdict<Step> {
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, Step::Login) => return ask(NeedKind::Pin, NeedReason::Lost),
            (Outcome::Lost, _) => {
                // The token may be used up. The access token lives on for a while.
                cx.state.refresh = None;
                return Verdict::next(Step::Look);
            }
        };
        // A page of a proxy proves nothing, so no status decides alone.
        let said = wire::json::<Said<'_>>(response.body).unwrap_or_default();
        match (step, said.error.as_deref()) {
            (Step::Login | Step::Refresh, None) if take(cx, &said) => usable(cx.state),
            (Step::Look, None) if said.user.is_some() => usable(cx.state),
            (Step::Logout, None) if said.ended == Some(true) => {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            (Step::Login, Some("wrong_pin")) => ask(NeedKind::Pin, NeedReason::Refused),
            (Step::Login, Some("wrong_code")) => {
                // The bank checks the code first, so the PIN is as good as before.
                cx.tell(Fact::Unspent(NeedKind::Pin));
                ask(NeedKind::Totp, NeedReason::Refused)
            }
            (Step::Login, Some("locked")) => Verdict::Close(CloseReason::Denied(Denial::Locked)),
            (Step::Refresh, Some("unknown_refresh")) => {
                cx.state.refresh = None;
                Verdict::next(Step::Look)
            }
            (Step::Look, Some("unknown_access")) => Verdict::Dead { proof: "the bank does not know the token" },
            (Step::Logout, Some("unknown_access")) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            (_, Some(error)) if response.status.is_client_error() => {
                cx.tell(Fact::server_says(error));
                Verdict::Unreadable("an error that is not known")
            }
            _ if response.status == StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            _ if response.status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer of the bank"),
        }
    }

    fn probe(&self, state: &State) -> Option<Step> {
        state.access.as_ref().map(|_| Step::Look)
    }

    fn logout(&self, state: &State) -> Leave<Step> {
        if state.access.is_some() { Leave::Step(Step::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Context<'_, State>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let access = cx.state.access.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("authorization", access.header("Bearer ")?);
        Ok(())
    }
}

fn ask(kind: NeedKind, because: NeedReason) -> Verdict<Step> {
    Ask::new(kind, because).then(Step::Login).into()
}

/// Takes the tokens of an answer, if it has them.
fn take(cx: &mut Context<'_, State>, said: &Said<'_>) -> bool {
    let (Some(access), Some(refresh), Some(lasts)) = (&said.access, &said.refresh, said.lasts) else { return false };
    if [access, refresh].iter().any(|token| Rejection::check_token("token", token.expose()).is_err()) {
        return false;
    }
    (cx.state.access, cx.state.refresh) = (Some(access.clone()), Some(refresh.clone()));
    cx.state.ends = cx.now + Duration::from_secs(lasts);
    cx.tell(Fact::NewTokens);
    true
}

/// Plans what is to be done until the access token ends.
fn usable(state: &State) -> Verdict<Step> {
    let renewal = When::At(state.ends - Duration::from_secs(120));
    let plan = Plan::new().keepalive(Step::Look, Duration::from_secs(300)).expires(When::At(state.ends));
    if state.refresh.is_some() { plan.renew(Step::Refresh, renewal) } else { plan }.into()
}
