//! Neo: an authenticator's code, then the MPIN; a host for each user; nothing to end at the server.
//!
//! This is Kotak's present API (2025 on), as the vendor's third SDK and its help pages have it.
//!
//! # Steps
//!
//! | step | request | what it is for |
//! |---|---|---|
//! | `login` | `POST /login/1.0/tradeApiLogin` | mobile number, client code and the authenticator's code, for a view token |
//! | `validate` | `POST /login/1.0/tradeApiValidate` | the MPIN, for the trade token and the user's own host |
//! | `probe` | `GET /login/1.0/get-client-ip` | whether the session lives: after a resume, and after a suspicious answer |
//!
//! # Needs
//!
//! | need | why it may come again |
//! |---|---|
//! | [`NeedKind::GatewayToken`] (the dashboard's token), where none is configured | `Refused`, `Expired`: it was made anew on the dashboard |
//! | [`NeedKind::Totp`] of six digits | `Refused`: wrong, or this machine's clock drifts. `Stale`: 30 s passed, or the view token grew old. `Lost`: nobody knows whether it was judged |
//! | [`NeedKind::Pin`], the MPIN of six digits | `Refused`: wrong. `Lost` as above. `Stale`: the code had to be given again, and the same MPIN is right |
//!
//! The server takes a code once in its 30 s, so the next one is asked for with
//! [`fresh_after`](crate::Need::fresh_after). With the feature `totp` a program makes them itself
//! (`sansession::totp::code`).
//!
//! # Deadlines
//!
//! An answer to a code or an MPIN has 30 s, as in the vendor's SDK, a probe 10 s.
//! The trade token is a JWT, and its `exp` is read without verification (it is the server's own, for the
//! server) and taken as a hint; in the one public sample, of the API before this one, it is midnight in India. When it has passed, the
//! session is in doubt and looked at: `get-client-ip` tells its end. `Wait` says `Expiry`.
//!
//! Whatever the token names, an end is certain: the exchange has API sessions ended before each trading day
//! (NSE/INVG/67858, May 2025), at no published hour. So the session is also looked at each day at 08:30 in India (03:00 UTC),
//! half an hour before the exchanges open, once and without a doubt: a session that lives goes on. `Wait` says `Renewal`. An
//! end that comes later in the morning is found out by the first refused call.
//!
//! There is no keepalive, and no tokens are renewed. The order feed has pings of its own, which keep the feed open and not
//! the session.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out`, after `may-live-on` | the logout was local, see below | nothing, or make the dashboard's token anew |
//! | `logged-out.unconfirmed` | it was ended while a code or the MPIN was under way, and no answer told what became of it | the same |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so they are not this session's to end ([`Options::ends`](crate::Options::ends)) | nothing: they are as good as before |
//! | `denied.totp`, `denied.pin` | refused, and no other one came | look at clock, authenticator and MPIN |
//! | `denied.gateway-token` | the dashboard's token is not the present one | copy it again, without `Bearer` |
//! | `denied.unanswered` | nobody gave the dashboard's token, the code or the MPIN | give them |
//! | `denied.rejected` | "Invalid UCC" and other words of the server, or the view token was stale twice. 422 ("Invalid request parameters") and 403 ("Forbidden") judge no code and no MPIN | are client code and number the right ones? A 403 without more may be an address that is not let in |
//! | `denied.locked` | the server says so; no rule of locking is published | unlock it on the website first |
//! | `denied.not-entitled` (900908 and others of the gateway's) | the account is not enabled for the API | ask Kotak |
//! | `denied.ip-not-allowed` (100008, 1037) | the address is not listed, or another one than the session's | list it on the dashboard: two at most, one change in 7 days, and a new login after it |
//! | `expired` (1003, 100022, 900901) | midnight, a new token of the dashboard, or another login of the account | log in again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `protocol` | a base URL outside the provider's domain, or an answer that is none of Neo's | the reason names host or shape |
//! | `retries-exhausted` | an outage, a quota for hours, or nobody gave the next answer after one whose fate is unknown: it may have been refused | later; an answer that may be wrong is given again by a person |
//!
//! # Hosts
//!
//! The second step tells where this user's other calls go. It is admitted within the provider's domain only
//! (see [`host`]); [`Machine::authorize`](crate::Machine::authorize) moves calls there and refuses others. Where it
//! tells none, calls go to the login host, as with the vendor's SDK (3.0.9), and
//! [`Event::BaseUrlAssumed`](crate::Event::BaseUrlAssumed) says so.
//!
//! # Moving a session
//!
//! To another process: yes. A session **may not move to another address** if it places orders: since April 2026 they are taken only
//! from a listed address that the session was made from, while reports go on working from anywhere. So a
//! snapshot is resumed only under the same [`Options::egress`](crate::Options::egress) label. Two refusals are about
//! that, and neither means that the session is over: 100008 ("unauthorized", the address is not listed) and 1037
//! ("session ip doesnt match", the session was made from another address: log in anew from this one).
//! [`Event::IpNotAllowed`](crate::Event::IpNotAllowed) tells both. A family of up to ten accounts may share an
//! address.
//!
//! # Logout
//!
//! It is local. The vendor has no call for it, and its own SDK only forgets the token, which **stays valid**
//! at the server until its end, or until the dashboard's token is made anew, which ends every session of the
//! account at once. [`Event::MayLiveOn`](crate::Event::MayLiveOn) says so, and the reason is a confirmed
//! logout: nothing else can be done.
//!
//! # Traps
//!
//! - `Authorization` is the dashboard's token as it is, without `Bearer` (vendor's SDK and help pages).
//! - Errors have six shapes, some with status 200; 429 in a body with status 200 is "Invalid UCC" and no rate
//!   limit (the vendor's own tests). A true 429 has lasted for hours (an issue of the SDK).
//! - 5203 and 11000 "No Data" are empty lists and no errors (the SDK's README).
//! - Limits are counted by the second, for each API by itself (25 calls; 10 orders). A 429 holds back that API for what
//!   `Retry-After` or `X-RateLimit-Reset` says, else for a second and longer each time, and never a call of another one
//!   ([`Event::Limited`](crate::Event::Limited)); one to a login step or to `probe` holds back the session's own requests.
//! - An answer to a call of the user's own never ends the session; `probe` is asked first.
//! - The field `kId` of the answers is the client's PAN, which identifies a taxpayer. It is a secret in [`wire`](super::wire) and not kept.
//! - A wrong step fails late in other clients: the vendor's earlier SDK hides a refused first step and trips over the
//!   second (its issues). Here each step has its own refusal.
//! - Several sessions of one account may be open at once, and orders placed from two of them, one for each listed
//!   address (the vendor's documents; a third party saw parallel logins end each other).
//!
//! # States
//!
//! The phases and questions, and what leads from one to another, drawn from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod day;
mod judge;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;

use core::time::Duration;

use http::header::AUTHORIZATION;
use http::request::Parts;
use serde::{Deserialize, Serialize};

use super::host::{self, Told};
use super::login::{Bearer, Login};
use super::wire::fault::{At, Class, neo as find_fault};
use super::wire::jwt;
use super::wire::neo::{App, Granted, authorize};
use super::{UNSENDABLE, is_code, mobile, pass_on, sendable};
use crate::provider::{
    Adopts, Answers, Ask, Build, Cx, Ended, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{BaseUrl, Because, Input, NeedKind, Phase, Rejection, Response, Secret, Ticket, Timestamp};

/// The digits of an authenticator's code and of an MPIN.
const DIGITS: core::ops::RangeInclusive<usize> = 6..=6;

/// The Neo provider, for one account.
#[derive(Clone, Debug)]
pub struct Neo {
    base: BaseUrl,
    ucc: String,
    mobile: Secret,
    dashboard_token: Option<Secret>,
}

impl Neo {
    /// Takes the login host (`https://mis.kotaksecurities.com`), the client code and the mobile number
    /// of the account.
    ///
    /// The number may be written as people do: ten digits, with `0`, `91`, `0091` or `+91` before them, spaces and
    /// dashes between them. Another country's begins with its code.
    ///
    /// # Errors
    /// [`Rejection`] where `ucc` or `mobile` is empty or cannot be one, before a code is spent to find out.
    pub fn new(base: BaseUrl, ucc: impl Into<String>, mobile: impl Into<Secret>) -> Result<Self, Rejection> {
        let ucc = ucc.into();
        if ucc.is_empty() {
            return Err(Rejection::Empty("ucc"));
        }
        if !ucc.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Rejection::Malformed("ucc"));
        }
        Ok(Self { base, ucc, mobile: mobile::normal(&mobile.into())?, dashboard_token: None })
    }

    /// Gives the dashboard's token (the vendor's SDK calls it consumer key). It is then not asked for,
    /// and not written into snapshots.
    ///
    /// # Errors
    /// [`Rejection`] where `dashboard token` is empty or cannot be carried by a header.
    pub fn dashboard_token(self, token: impl Into<Secret>) -> Result<Self, Rejection> {
        let token = token.into();
        Rejection::check_token("dashboard token", token.expose())?;
        Ok(Self { dashboard_token: Some(token), ..self })
    }

    fn dashboard<'a>(&'a self, state: &'a NeoState) -> Option<&'a Secret> {
        state.login.bearer.token.as_ref().or(self.dashboard_token.as_ref())
    }

    /// Goes on with whatever is missing.
    fn go_on(&self, state: &NeoState) -> Verdict<NeoStep> {
        if self.dashboard(state).is_none() {
            return Ask::new(NeedKind::GatewayToken, state.login.because()).into();
        }
        match (&state.live, &state.view) {
            (Some(_), _) => Verdict::next(NeoStep::Probe),
            (None, Some(_)) => Ask::new(NeedKind::Pin, state.login.because()).into(),
            (None, None) => Ask::new(NeedKind::Totp, state.login.because()).into(),
        }
    }
}

/// The requests of a Neo session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum NeoStep {
    /// `POST /login/1.0/tradeApiLogin`: the authenticator's code.
    Login,
    /// `POST /login/1.0/tradeApiValidate`: the MPIN.
    Validate,
    /// `GET /login/1.0/get-client-ip`: whether the session lives.
    Probe,
}

impl NeoStep {
    const fn rule(self) -> &'static Rule {
        // As long as the vendor's SDK waits: what cannot be repeated is not given up early.
        const PATIENCE: Duration = Duration::from_secs(30);
        // Both factors are codes, and a session that asks for one stands there.
        const LOGIN: Rule =
            Rule::new("login").phase(Phase::SecondFactor).spends(&[NeedKind::Totp]).timeout(PATIENCE).own_limit();
        const VALIDATE: Rule = Rule::new("validate")
            .phase(Phase::SecondFactor)
            .spends(&[NeedKind::Pin])
            .opens()
            .timeout(PATIENCE)
            .own_limit();
        const PROBE: Rule = Rule::new("probe").own_limit();
        match self {
            Self::Login => &LOGIN,
            Self::Validate => &VALIDATE,
            Self::Probe => &PROBE,
        }
    }
}

/// What is known of a Neo session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct NeoState {
    /// Its bearer is the dashboard's token, where somebody was asked for it.
    login: Login,
    #[serde(skip_serializing_if = "Option::is_none")]
    view: Option<ViewToken>,
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<NeoLive>,
    /// The end of the day in which the session was last seen alive.
    #[serde(skip_serializing_if = "Option::is_none")]
    day_ends: Option<Timestamp>,
}

impl AsMut<Login> for NeoState {
    fn as_mut(&mut self) -> &mut Login {
        &mut self.login
    }
}

/// What the first step gave.
#[derive(Clone, Serialize, Deserialize, Debug)]
struct ViewToken {
    #[serde(with = "crate::secret::exposed")]
    token: Secret,
    #[serde(with = "crate::secret::exposed")]
    sid: Secret,
}

/// What an open Neo session has.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct NeoLive {
    /// The trade token, for the header `Auth`.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
    /// The session's id, for the header `Sid`.
    #[serde(with = "crate::secret::exposed")]
    pub sid: Secret,
    /// The host of this user's other calls; `None` where it is the login's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Told>,
    /// The end that the token names, as a hint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// The data centre, such as `E43`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_center: Option<String>,
}

impl NeoLive {
    fn granted(&self) -> Granted<'_> {
        Granted { token: &self.token, sid: &self.sid }
    }
}

/// The tokens of a session that another program has opened.
#[derive(Debug)]
pub struct NeoTokens {
    /// The trade token.
    pub token: Secret,
    /// The session's id.
    pub sid: Secret,
    /// The host of this user's other calls.
    pub base: BaseUrl,
}

impl Provider for Neo {
    type Step = NeoStep;
    type State = NeoState;
    type Live = NeoLive;

    fn identity(&self) -> Identity<'_> {
        Identity { provider: "kotak-neo", server: &self.base, account: Some(&self.ucc), key: None, binds_ip: true }
    }

    fn rule(&self, step: NeoStep) -> &Rule {
        step.rule()
    }

    fn open(&self, cx: &mut Cx<'_, NeoState>, because: Because) -> Verdict<NeoStep> {
        cx.state.login.begin(because);
        cx.state.view = None;
        self.go_on(cx.state)
    }

    fn admits(&self, state: &NeoState) -> Result<(), &'static str> {
        let view = state.view.iter().flat_map(|view| [&view.token, &view.sid]);
        let live = state.live.iter().flat_map(|live| [&live.token, &live.sid]);
        if !view.chain(live).chain(&state.login.bearer.token).all(sendable) {
            return Err(UNSENDABLE);
        }
        match state.live.as_ref().and_then(|live| live.host.as_ref()) {
            Some(told) => told.admitted_from(&self.base).map_err(|_| "the host is not one that may get tokens"),
            None => Ok(()),
        }
    }

    fn live<'a>(&self, state: &'a NeoState) -> Option<&'a NeoLive> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut NeoState, ended: Ended) {
        let old = core::mem::take(state);
        // The dashboard's token outlives a login.
        if ended == Ended::Expired {
            state.login = old.login.outlived();
        }
    }

    fn answered(&self, cx: &mut Cx<'_, NeoState>, given: &Given<'_, NeoStep>) -> Result<Verdict<NeoStep>, Rejection> {
        match (given.kind, given.input) {
            (NeedKind::GatewayToken, Input::Token(token)) => {
                cx.state.login.bearer = Bearer::given(token)?;
                Ok(self.go_on(cx.state))
            }
            // One of another length would only spend its step, or a try.
            (NeedKind::Totp, Input::Totp(code)) if !is_code(code.code(), DIGITS) => Err(Rejection::Malformed("totp")),
            (NeedKind::Totp, Input::Totp(_)) => Ok(Verdict::next(NeoStep::Login)),
            (NeedKind::Pin, Input::Pin(pin)) if !is_code(pin.expose(), DIGITS) => Err(Rejection::Malformed("pin")),
            (NeedKind::Pin, Input::Pin(_)) => Ok(Verdict::next(NeoStep::Validate)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(
        &self,
        view: &View<'_, NeoState>,
        step: NeoStep,
        answers: &Answers<'_>,
    ) -> Result<Build<NeoStep>, Unbuildable> {
        let state = view.state;
        let dashboard_token = self.dashboard(state).ok_or(Unbuildable::Part("there is no token of the dashboard"))?;
        let app = App { base: &self.base, dashboard_token };
        let request = match step {
            NeoStep::Login => app.login(self.mobile.expose(), &self.ucc, answers.totp()?.code()),
            NeoStep::Validate => {
                let view = state.view.as_ref().ok_or(Unbuildable::Part("there is no view token"))?;
                app.validate(Granted { token: &view.token, sid: &view.sid }, answers.text(NeedKind::Pin)?.expose())
            }
            NeoStep::Probe => {
                app.client_ip(state.live.as_ref().ok_or(Unbuildable::Part("there is no session"))?.granted())
            }
        };
        request.map(Build::Request)
    }

    fn interpret(&self, cx: &mut Cx<'_, NeoState>, step: NeoStep, outcome: Outcome<'_>) -> Verdict<NeoStep> {
        match (outcome, step) {
            (Outcome::Response(response), step) => self.judge(cx, step, response),
            (Outcome::Lost, NeoStep::Login) => Ask::new(NeedKind::Totp, Because::Lost).into(),
            (Outcome::Lost, NeoStep::Validate) => Ask::new(NeedKind::Pin, Because::Lost).into(),
            (Outcome::Lost, NeoStep::Probe) => Verdict::next(step),
        }
    }

    fn probe(&self, state: &NeoState) -> Option<NeoStep> {
        (state.live.is_some() && self.dashboard(state).is_some()).then_some(NeoStep::Probe)
    }

    fn logout(&self, state: &NeoState) -> Leave<NeoStep> {
        if state.live.is_some() { Leave::Abandon } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_, NeoState>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let live = cx.state.live.as_ref().ok_or(Unauthorized::NotReady(None))?;
        authorize(parts, live.granted()).map_err(|_| Unauthorized::NotReady(None))?;
        // Quotes and the scrip master are let in by this one; the vendor's collection sends it with orders too.
        if let Some(dashboard) = self.dashboard(cx.state).and_then(|token| token.header("").ok()) {
            parts.headers.insert(AUTHORIZATION, dashboard);
        }
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_, NeoState>, _: &Ticket, response: Response<'_>) -> Observed {
        let Some(fault) = find_fault(At::Session, response) else { return Observed::Nothing };
        match fault.class {
            Class::SessionExpired | Class::BearerInvalid => return Observed::Doubt,
            Class::Quota => return Observed::Limited,
            Class::IpNotAllowed => judge::tell_address(cx, &fault),
            Class::WrongHost(_) => pass_on(cx, &fault, response),
            Class::Rejected | Class::Malformed if matches!(response.status.as_u16(), 401 | 403) => {
                return Observed::Doubt;
            }
            _ => {}
        }
        Observed::Nothing
    }

    fn target<'a>(&'a self, state: &'a NeoState, path: &str) -> Target<'a, NeoStep> {
        // The vendor's paths (SDK 3.0.1); orders are one API with one limit, whatever is done with them.
        const APIS: [(&str, &str); 11] = [
            ("/quick/order/history", "order history"),
            ("/quick/order/", "orders"),
            ("/quick/user/orders", "order book"),
            ("/quick/user/trades", "trades"),
            ("/quick/user/positions", "positions"),
            ("/portfolio/v2/positions", "positions"),
            ("/portfolio/", "holdings"),
            ("/quick/user/check-margin", "margin"),
            ("/quick/user/limits", "limits"),
            ("/quotes/", "quotes"),
            ("/masterscrip/", "scrip master"),
        ];
        let named = APIS.iter().find(|(part, _)| path.contains(part)).map(|(_, api)| *api);
        let base = state.live.as_ref().and_then(|live| live.host.as_ref()).map_or(&self.base, Told::base);
        Target { api: Some(named.unwrap_or("other calls")), ..Target::new(base) }
    }
}

impl Adopts for Neo {
    type Tokens = NeoTokens;

    fn adopt(&self, tokens: NeoTokens) -> Result<NeoState, Rejection> {
        for (name, token) in [("token", &tokens.token), ("sid", &tokens.sid)] {
            Rejection::check_token(name, token.expose())?;
        }
        let host = host::admit(&self.base, &tokens.base.to_string(), None).map_err(|_| Rejection::Malformed("base"))?;
        let expires = jwt::ends(tokens.token.expose());
        let live = NeoLive { token: tokens.token, sid: tokens.sid, host, expires, data_center: None };
        Ok(NeoState { live: Some(live), ..NeoState::default() })
    }
}
