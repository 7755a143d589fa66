//! A protocol of nothing but corners: every replay rule, every kind of need, and a server whose first
//! byte picks the verdict. It stands outside the crate, as somebody's own provider does.

use std::time::Duration;

use http::Request;
use http::request::Parts;
use sansession::provider::{
    Adopts, Answers, Ask, Build, Context, Fact, Given, Identity, Judgment, Leave, Observed, Outcome, Plan, Provider,
    Replay, Rule, Unauthorized, Unbuildable, Verdict, View, When,
};
use sansession::testing::{Laws, Sample};
use sansession::{
    BaseUrl, CloseReason, NeedKind, Phase, Response, Ticket,
    machine::{Backoff, Cause, NeedReason, Rejection, ResponseSummary},
};
use serde::{Deserialize, Serialize};

pub(crate) struct Corners {
    base: BaseUrl,
    /// What a login gives.
    token: u32,
}

/// How soon what is stuck is tried again.
const LATER: Duration = Duration::from_secs(4);

/// A token that is left out of snapshots, as by a mistake in a provider.
const SLIPS: u32 = 99;

/// A token of which a lost renewal makes no sense to the provider.
pub(crate) const PUZZLES: u32 = 98;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum Go {
    Init,
    Login,
    Code,
    Open,
    Pin,
    Status,
    Tickle,
    Renew,
    Look,
    Logout,
}

#[derive(Default, Serialize, Deserialize)]
pub(crate) struct State {
    #[serde(default, skip_serializing_if = "slips")]
    token: Option<u32>,
}

fn slips(token: &Option<u32>) -> bool {
    *token == Some(SLIPS)
}

fn lost(state: &State, step: Go) -> Verdict<Go> {
    match step {
        Go::Login => Ask::new(NeedKind::Credentials, NeedReason::Lost).into(),
        Go::Code => Ask::new(NeedKind::Totp, NeedReason::Lost).into(),
        Go::Pin => Ask::new(NeedKind::Pin, NeedReason::Lost).into(),
        Go::Init => Verdict::next(Go::Init),
        Go::Renew if state.token == Some(PUZZLES) => {
            Verdict::Close(CloseReason::Protocol(Box::new(ResponseSummary::unread("renew", "it is lost"))))
        }
        step if state.token.is_some() => Verdict::next(step),
        _ => Ask::new(NeedKind::Credentials, NeedReason::Lost).into(),
    }
}

fn active(cx: &Context<'_, State>) -> Verdict<Go> {
    Plan::new()
        .keepalive(Go::Tickle, Duration::from_secs(60))
        .renew(Go::Renew, When::In(Duration::from_secs(600)))
        .expires(When::At(cx.now + Duration::from_secs(3_600)))
        .into()
}

impl Provider for Corners {
    type Step = Go;
    type State = State;
    type Live = u32;

    fn identity(&self) -> Identity<'_> {
        Identity::new("corners", &self.base)
    }

    fn rule(&self, step: Go) -> &Rule {
        const SLOW: Backoff = Backoff::new(Duration::from_secs(5), Duration::from_secs(300), 6);
        const INIT: Rule = Rule::new("init").replay(Replay::Probe);
        const LOGIN: Rule = Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).opens();
        const CODE: Rule = Rule::new("code").phase(Phase::SecondFactor).spends(&[NeedKind::Totp]).opens();
        const OPEN: Rule = Rule::new("open").replay(Replay::Probe).escalates().opens().backoff(SLOW);
        const PIN: Rule = Rule::new("pin").spends(&[NeedKind::Pin]).replay(Replay::Probe);
        const STATUS: Rule = Rule::new("status").min_interval(Duration::from_secs(5));
        const TICKLE: Rule = Rule::new("tickle");
        const RENEW: Rule = Rule::new("renew").replay(Replay::Never);
        const LOOK: Rule = Rule::new("look");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut).replay(Replay::Never);
        match step {
            Go::Init => &INIT,
            Go::Login => &LOGIN,
            Go::Code => &CODE,
            Go::Open => &OPEN,
            Go::Pin => &PIN,
            Go::Status => &STATUS,
            Go::Tickle => &TICKLE,
            Go::Renew => &RENEW,
            Go::Look => &LOOK,
            Go::Logout => &LOGOUT,
        }
    }

    fn open(&self, _: &mut Context<'_, State>, because: NeedReason) -> Verdict<Go> {
        Ask::new(NeedKind::Credentials, because).into()
    }

    fn live<'a>(&self, state: &'a State) -> Option<&'a u32> {
        state.token.as_ref()
    }

    fn answered(&self, cx: &mut Context<'_, State>, given: &Given<'_, Go>) -> Result<Verdict<Go>, Rejection> {
        match given.kind {
            NeedKind::Credentials => Ok(Verdict::next(Go::Init)),
            NeedKind::Totp => Ok(Verdict::next(Go::Code)),
            NeedKind::Pin => Ok(Verdict::Next { step: Go::Pin, after: Duration::from_secs(2) }),
            NeedKind::GatewayToken if cx.state.token.is_some() => Ok(Verdict::next(Go::Renew)),
            NeedKind::Browser => Ok(Verdict::next(Go::Look)),
            NeedKind::Takeover if cx.state.token.is_some() => Ok(Verdict::next(Go::Open)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(&self, view: &View<'_, State>, step: Go, answers: &Answers<'_>) -> Result<Build<Go>, Unbuildable> {
        if matches!(step, Go::Renew | Go::Tickle | Go::Logout) && view.state.token.is_none() {
            return Err(Unbuildable::Part("there is no token"));
        }
        let body = match step {
            Go::Login => answers.credentials()?.password(),
            Go::Code => answers.totp()?.code(),
            Go::Pin => answers.text(NeedKind::Pin)?.expose(),
            _ => "",
        };
        let mut request = Request::new(body.as_bytes().to_vec());
        *request.uri_mut() = self.base.join(&format!("/{step:?}")).map_err(|_| Unbuildable::Part("path"))?;
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Context<'_, State>, step: Go, outcome: Outcome<'_>) -> Verdict<Go> {
        let Outcome::Response(response) = outcome else { return lost(cx.state, step) };
        match (response.body.first(), step) {
            (Some(b'n'), Go::Init) => Verdict::next(Go::Login),
            (Some(b'n'), Go::Login) => {
                cx.state.token = Some(self.token);
                Ask::new(NeedKind::Totp, NeedReason::Opening).into()
            }
            (Some(b'n'), Go::Code) => Verdict::Next { step: Go::Open, after: Duration::from_secs(1) },
            (Some(b'n'), Go::Renew) => {
                cx.tell(Fact::NewTokens);
                active(cx)
            }
            (Some(b'n'), Go::Logout) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            (Some(b'n'), _) if cx.state.token.is_some() => active(cx),
            (Some(b'r'), _) => Verdict::unavailable(),
            (Some(b'j'), _) => Verdict::Retry { after: Some(Duration::from_secs(3)), answer: Judgment::Judged },
            (Some(b'd'), _) => Verdict::Dead { proof: "the server says so" },
            (Some(b'x'), Go::Login) => Ask::new(NeedKind::Credentials, NeedReason::Refused).into(),
            (Some(b'x'), Go::Code) => Ask::new(NeedKind::Totp, NeedReason::Refused).into(),
            (Some(b'x'), Go::Pin) => Ask::new(NeedKind::Pin, NeedReason::Refused).into(),
            (Some(b't'), _) => {
                Ask::new(NeedKind::Takeover, NeedReason::Rival).poll(Go::Look, Duration::from_secs(3)).into()
            }
            (Some(b'b'), _) => {
                Ask::new(NeedKind::Browser, NeedReason::Expired).poll(Go::Look, Duration::from_secs(3)).into()
            }
            (Some(b'p'), step) if !matches!(step, Go::Tickle | Go::Status) => {
                Ask::new(NeedKind::Pin, NeedReason::Opening).poll(Go::Look, Duration::from_secs(5)).into()
            }
            (Some(b'g'), _) if cx.state.token.is_some() => {
                Ask::new(NeedKind::GatewayToken, NeedReason::Expired).lasting().into()
            }
            (Some(b'o'), _) if cx.state.token.is_some() => Verdict::next(Go::Open),
            (Some(b's'), _) => {
                cx.tell(Fact::Stuck(true));
                Verdict::Next { step: if cx.state.token.is_some() { Go::Open } else { Go::Init }, after: LATER }
            }
            (Some(b'c'), _) => Verdict::Close(CloseReason::RetriesExhausted(Cause::Waiting)),
            (Some(b'w'), _) => {
                cx.tell(Fact::Penalty(Duration::from_secs(600)));
                Verdict::unavailable()
            }
            _ => Verdict::Unreadable("no corner"),
        }
    }

    fn probe(&self, state: &State) -> Option<Go> {
        state.token.map(|_| Go::Status)
    }

    fn logout(&self, state: &State) -> Leave<Go> {
        if state.token.is_some() { Leave::Step(Go::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, _: &mut Context<'_, State>, _: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        Ok(())
    }

    fn observe(&self, cx: &mut Context<'_, State>, _: &Ticket, response: Response<'_>) -> Observed {
        if response.body.first() == Some(&b'w') {
            cx.tell(Fact::Penalty(Duration::from_secs(60)));
        }
        if response.status == http::StatusCode::UNAUTHORIZED { Observed::Doubt } else { Observed::Nothing }
    }
}

impl Adopts for Corners {
    type Tokens = u32;

    fn adopt(&self, token: u32) -> Result<State, Rejection> {
        Ok(State { token: Some(token) })
    }
}

/// Returns the protocol.
pub(crate) fn corners() -> Corners {
    Corners { base: BaseUrl::parse("https://corners.example.org").unwrap(), token: 1 }
}

/// Returns the protocol with a mistake: it does not store its token.
pub(crate) fn forgetful() -> Corners {
    Corners { token: SLIPS, ..corners() }
}

/// Returns the laws for it.
pub(crate) fn laws() -> Laws<Corners> {
    Laws::new(corners)
        .server(|_, _| http::Response::new(b"n".to_vec()))
        .samples(
            ["n", "n", "r", "j", "d", "x", "t", "b", "p", "g", "o", "s", "c", "w", "?"]
                .map(|text| Sample::json(200, text)),
        )
        .sample(Sample::json(429, "r"))
        .sample(Sample::json(401, ""))
        .tokens(|| 7)
}
