use std::time::Duration;

use http::{HeaderValue, Request, StatusCode, request::Parts};
use sansession::provider::{
    Adopts, Answers, Ask, Build, Cx, Fact, Identity, Leave, Observed, Outcome, Provider, Replay, Rule, Spent,
    Unauthorized, Unbuildable, Verdict, View,
};
use sansession::{BaseUrl, Because, CloseReason, NeedKind, Phase, Rejection, Response, Secret, Ticket, secret, wire};
use serde::{Deserialize, Serialize};

/// A door that opens for a PIN and shuts itself after five minutes without a knock.
pub struct Door(pub BaseUrl);

/// Its requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum DoorStep {
    Open,
    Knock,
    Shut,
}

/// What a snapshot holds.
#[derive(Default, Serialize, Deserialize)]
pub struct DoorState {
    #[serde(default, with = "secret::exposed_option")]
    token: Option<Secret>,
}

impl Provider for Door {
    type Step = DoorStep;
    type State = DoorState;
    type Live = Secret;

    fn identity(&self) -> Identity<'_> {
        Identity { provider: "door", server: &self.0, account: None, key: None, binds_ip: false }
    }

    fn rule(&self, step: DoorStep) -> &Rule {
        // Three wrong PINs lock the door, so `spends`: one PIN, one request, whatever happens to it.
        const OPEN: Rule = Rule::new("open").phase(Phase::LoggingIn).spends(&[NeedKind::Pin]).opens();
        const KNOCK: Rule = Rule::new("knock");
        const SHUT: Rule = Rule::new("shut").phase(Phase::LoggingOut).replay(Replay::Safe);
        match step {
            DoorStep::Open => &OPEN,
            DoorStep::Knock => &KNOCK,
            DoorStep::Shut => &SHUT,
        }
    }

    fn open(&self, _: &mut Cx<'_, DoorState>, because: Because) -> Verdict<DoorStep> {
        Ask::new(NeedKind::Pin, because).then(DoorStep::Open).into()
    }

    fn admits(&self, state: &DoorState) -> Result<(), &'static str> {
        // A snapshot is a text that somebody may have edited.
        let token = state.token.as_ref().map_or(Ok(()), |token| Rejection::check_token("token", token.expose()));
        token.map_err(|_| "the token cannot be carried by a header")
    }

    fn live<'a>(&self, state: &'a DoorState) -> Option<&'a Secret> {
        state.token.as_ref()
    }

    fn request(
        &self,
        view: &View<'_, DoorState>,
        step: DoorStep,
        answers: &Answers<'_>,
    ) -> Result<Build<DoorStep>, Unbuildable> {
        let uri = self.0.join("/door").map_err(|_| Unbuildable::Part("url"))?;
        let token = || view.state.token.as_ref().ok_or(Unbuildable::Part("there is no token"));
        let (method, secret) = match step {
            DoorStep::Open => ("POST", answers.text(NeedKind::Pin)?),
            DoorStep::Knock => ("GET", token()?),
            DoorStep::Shut => ("DELETE", token()?),
        };
        let authorization = header(secret).ok_or(Unbuildable::Part("authorization"))?;
        let request = Request::builder().method(method).uri(uri).header("authorization", authorization);
        request.body(Vec::new()).map(Build::Request).map_err(|_| Unbuildable::Part("request"))
    }

    fn interpret(&self, cx: &mut Cx<'_, DoorState>, step: DoorStep, outcome: Outcome<'_>) -> Verdict<DoorStep> {
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, step @ DoorStep::Open) => return Ask::new(NeedKind::Pin, Because::Lost).then(step).into(),
            (Outcome::Lost, step) => return Verdict::next(step),
        };
        // A proxy's page proves nothing, so the status alone decides nothing.
        let answer = wire::json::<Answer<'_>>(response.body).unwrap_or_default();
        match (step, response.status, answer.door.as_deref(), answer.token) {
            (DoorStep::Open, StatusCode::OK, Some("open"), Some(token))
                if Rejection::check_token("token", &token).is_ok() =>
            {
                cx.state.token = Some(Secret::new(token));
                cx.tell(Fact::NewTokens);
                active()
            }
            (DoorStep::Open, StatusCode::FORBIDDEN, Some("shut"), _) => {
                Ask::new(NeedKind::Pin, Because::Refused).then(step).into()
            }
            (DoorStep::Knock, StatusCode::OK, Some("open"), _) => active(),
            (DoorStep::Knock, StatusCode::FORBIDDEN, Some("shut"), _) => Verdict::Dead { proof: "the door is shut" },
            (DoorStep::Shut, _, Some("shut"), _) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            (_, StatusCode::SERVICE_UNAVAILABLE, ..) => Verdict::unavailable(),
            (_, status, ..) if status.is_server_error() => Verdict::Retry { after: None, answer: Spent::Judged },
            _ => Verdict::Unreadable("not an answer of the door"),
        }
    }

    fn probe(&self, state: &DoorState) -> Option<DoorStep> {
        state.token.as_ref().map(|_| DoorStep::Knock)
    }

    fn logout(&self, state: &DoorState) -> Leave<DoorStep> {
        if state.token.is_some() { Leave::Step(DoorStep::Shut) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_, DoorState>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let token = cx.state.token.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert("authorization", header(token).ok_or(Unauthorized::Unsignable("authorization"))?);
        Ok(())
    }

    fn observe(&self, _: &mut Cx<'_, DoorState>, _: &Ticket, response: Response<'_>) -> Observed {
        if response.status == StatusCode::FORBIDDEN { Observed::Doubt } else { Observed::Nothing }
    }
}

impl Adopts for Door {
    type Tokens = Secret;

    fn adopt(&self, token: Secret) -> Result<DoorState, Rejection> {
        Rejection::check_token("token", token.expose())?;
        Ok(DoorState { token: Some(token) })
    }
}

/// Makes a header that no log shows.
fn header(secret: &Secret) -> Option<HeaderValue> {
    let mut value: HeaderValue = secret.expose().parse().ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn active() -> Verdict<DoorStep> {
    let keepalive = Some((DoorStep::Knock, Duration::from_secs(120)));
    Verdict::Active { keepalive, renew: None, expires: None }
}

sansession::wire_object! {
    /// What the door says.
    pub struct Answer<'a> {
        /// `open` or `shut`.
        door: wire::Text<'a> = "door",
        /// What opens it again.
        token: wire::Text<'a> = "token",
    }
}
