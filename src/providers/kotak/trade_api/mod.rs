//! The Trade API: init, password, access code, and a gateway bearer that expires separately.
//!
//! This is the API of 2020 to 2023, on a WSO2 gateway. Its users have been moved to [`neo`](super::neo) since.
//!
//! ```
//! use sansession::providers::kotak::TradeApi;
//! use sansession::{BaseUrl, Machine, Options, Session, Timestamp};
//!
//! let base = BaseUrl::parse("https://tradeapi.kotaksecurities.com/apim")?;
//! let api = TradeApi::new(base, "USER1", "consumer-key")?.consumer_secret("consumer-secret")?;
//! # let (seed, now) = ([7; 32], Timestamp::from_secs(1_780_000_000));
//! let mut session = Session::new(api, Options::default(), seed);
//! session.start(now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Steps
//!
//! ```text
//! token ──▶ init ──▶ login ──▶ access-code ──▶ active ──▶ logout
//!   ▲        │ ▲                 or without-code  │ ▲
//!   │        └─┘ the user's host, once            └─┘ token, probe: a bearer lives 60 minutes
//!   └── only with key and secret; otherwise a bearer is asked for
//! ```
//!
//! | step | request | purpose |
//! |---|---|---|
//! | `token` | `POST /token` | the gateway's bearer, with [`TradeApi::consumer_secret`] |
//! | `init` | `GET /session/1.0/session/init` | returns the user's host, and whether the account is locked or may not log in |
//! | `login` | `POST …/login/userid` | the password, for a one-time token |
//! | `request-code` | `GET …/2FA/accesscode` | requests a new code, with [`TradeApi::requests_code`] |
//! | `access-code` | `POST …/2FA/accesscode` | the code, for the session token |
//! | `without-code` | `POST …/2FA/oneTimeToken` | no code, with [`TradeApi::without_code`] |
//! | `probe` | `GET /reports/1.0/orders` | checks whether the session lives: there is no dedicated call |
//! | `logout` | `DELETE …/session/logout` | ends the session at the server |
//!
//! # Needs
//!
//! | need | why it may be asked again |
//! |---|---|
//! | [`NeedKind::GatewayToken`], where no secret is given | `Refused`: expired, for another host, or of an application without this API. `Expired`: its 60 minutes are over |
//! | [`NeedKind::Credentials`], the login being the user id | `Refused`: wrong. `Stale`: the one-time token expired, or the host was switched late; the same password is valid. `Lost`: the response was lost |
//! | [`NeedKind::AccessCode`], four digits by SMS and e-mail, valid all day | `Refused`: wrong. `Stale` and `Lost` as above |
//!
//! A refused password or code is never retried automatically: the account locks after three. After an expired
//! one-time token both answers are asked for once more, and a store may give both, since neither was refused.
//!
//! # Deadlines
//!
//! Requests time out after 10 s, those with an answer after 30 s. The bearer expires after 3600 s unless its application is configured
//! otherwise; the session lasts all day. They are independent: the bearer is renewed a minute before its expiry with key and
//! secret, or asked for, and the session token stays. A fetched bearer that is refused before it has worked puts the session in
//! [doubt](crate::Event::Suspect), and another one is fetched, at most once a minute in the end. Users of other clients
//! describe a missing renewal as "logged out after 60 minutes".
//! The lifetime of the session is not published, so none is assumed; there is no keepalive. `Wait` says `Renewal`
//! (of the bearer) or `Nothing`. A quota is counted per minute, so the next request waits for the next minute.
//!
//! # Answers
//!
//! The code that decides; [`At`] and [`Class`] classify a fault, and
//! the second table, shared with Neo, gives its consequence:
//!
//! ```ignore
#![doc = include_str!("answers.rs")]
//! ```
//!
//! ```ignore
#![doc = include_str!("../table.rs")]
//! ```
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the server confirmed it, or the session had ended before it | nothing |
//! | `logged-out.unconfirmed` | no response for [`logout_patience`](crate::Options::logout_patience), or the bearer had expired and there is no secret to fetch another one | nothing: the session ends with the day |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so this session does not end them ([`Options::ends`](crate::Options::ends)) | nothing: the tokens are still valid |
//! | `denied.credentials`, `denied.access-code` | refused, and no other one was given | check the password or the SMS; do not try a third time |
//! | `denied.unanswered` | nobody gave the bearer, the password or the code | provide them; a bearer comes from the developer portal |
//! | `denied.locked` (70009) | three failed attempts, maybe by another program | unlock the account on the website first |
//! | `denied.gateway-token` (900901) | the bearer never worked | check the host (production, sandbox), the application's subscription to the session API, and the base URL of `/token` ([`TradeApi::gateway`]) |
//! | `denied.not-entitled` (999003) | the account is not enabled for the API | ask Kotak |
//! | `denied.rejected` | key and secret are wrong (`invalid_client`), the user is not active, or the one-time token expired twice; see the text | follow the text; the website, for a user who is not active |
//! | `expired` (99999) | logged in elsewhere, or the day is over | log in again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `protocol` | a foreign host was named, or a response was not the API's | see host or shape in the reason |
//! | `retries-exhausted` | an outage, or nobody gave another answer after a lost response, when the answer may have been refused | try later; a person must give an answer that may be wrong |
//!
//! # Moving a session
//!
//! To another process and another address: **yes**. The server does not check the header `ip` (users send
//! `127.0.0.1`, `1.1.1.1` or nothing, and the vendor's own page says that any value works).
//!
//! # Hosts
//!
//! Each of the two production hosts has its own users. Init names the right one in `redirect.host`, a later call in
//! fault 999024. The session follows once per login, within the provider's domain only (see
//! [`host`](super::host)), and before a password leaves. A snapshot contains the host, and a resume checks it again.
//!
//! # Traps
//!
//! - Parameters are headers. The user id is one on init and logout, and a body field elsewhere (the
//!   generated code of the vendor's first SDK).
//! - Success is `{"Success": …}`, `{"success": …}` or flat, by endpoint and year; faults come with status 200,
//!   too. Only a token proves success (bodies in issues of both SDKs).
//! - `redirect.port` says 443 beside a full URL, and the documents call it `keySize` by mistake; it is ignored
//!   where the host is a URL.
//! - `loginTime` is a number in the model and a text in the sample. It is read leniently.
//! - The vendor's SDK tries three hosts in turn with the same bearer, and fails at a 200 without a token. Its
//!   users see 900901 for five different causes: host, subscription, sandbox, portal, an expired bearer (its issues).
//! - An application has a quota per minute; some users hit it (900807) with their first calls (the SDK's issues).
//! - Streams need another token, from another host (the SDK's source).
//! - 424 at the second factor is an expired one-time token (a third party's client; no body of it is public).
//!   The body of a refused password or code is not public either, so any refusal of those steps counts as one.
//!
//! # States
//!
//! The phases and questions, and the transitions between them, generated from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod answers;
mod config;
mod judge;
mod state;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;

use http::header::{ACCEPT, AUTHORIZATION};
use http::request::Parts;

use super::host::Told;
use super::login::{Bearer, Factors, admit_state, bearer_works, follow, protocol};
use super::table::{Next, leads_to};
use super::wire::fault::{At, Class, Fault, trade_api as find_fault};
use super::wire::gateway::{Client, Token};
use super::wire::trade_api::{App, Init, Login, Logout, SecondFactor};
use super::wire::{envelope, header};
use super::{is_code, pass_on, sendable, wait_for_the_minute};
use crate::provider::{
    Answers, Ask, Build, Context, Ended, Fact, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    BaseUrl, CloseReason, Input, NeedKind, Response, Ticket,
    machine::{NeedReason, Rejection},
};

pub use self::config::TradeApi;
pub use self::state::{TradeLive, TradeState, TradeStep, TradeTokens};

type Cx<'a> = Context<'a, TradeState>;
type Judged = Verdict<TradeStep>;
type Built = Result<Build<TradeStep>, Unbuildable>;

/// The number of digits of an access code: four in all public samples; no rule is published.
const DIGITS: core::ops::RangeInclusive<usize> = 4..=8;

impl TradeApi {
    /// Fetches a bearer, or asks for one.
    fn want_bearer(&self, because: NeedReason) -> Judged {
        match self.consumer_secret {
            Some(_) => Verdict::next(TradeStep::Token),
            None => Ask::new(NeedKind::GatewayToken, because).into(),
        }
    }

    /// Continues after a bearer was missing.
    fn go_on(&self, state: &TradeState) -> Judged {
        if state.live.is_some() && state.leaving {
            return Verdict::next(TradeStep::Logout);
        }
        if state.live.is_some() {
            // A bearer does not prove that the session lives.
            return Verdict::next(TradeStep::Probe);
        }
        match state.one_time_token {
            Some(_) => self.second_factor(state),
            None => Verdict::next(TradeStep::Init),
        }
    }

    /// Continues after the password.
    fn second_factor(&self, state: &TradeState) -> Judged {
        if self.without_code {
            Verdict::next(TradeStep::WithoutCode)
        } else if self.requests_code && !state.code_requested {
            Verdict::next(TradeStep::RequestCode)
        } else {
            Ask::new(NeedKind::AccessCode, state.login.because()).into()
        }
    }

    fn host<'a>(&'a self, state: &'a TradeState) -> &'a BaseUrl {
        state.host.as_ref().map_or(&self.base, Told::base)
    }
}

impl Provider for TradeApi {
    type Step = TradeStep;
    type State = TradeState;
    type Live = TradeLive;

    fn identity(&self) -> Identity<'_> {
        Identity::new("kotak-trade", &self.base).account(&self.userid).key(&self.key_print)
    }

    fn rule(&self, step: TradeStep) -> &Rule {
        step.rule()
    }

    fn open(&self, cx: &mut Cx<'_>, because: NeedReason) -> Judged {
        let state = &mut *cx.state;
        state.login.begin(because);
        state.switched = false;
        state.code_requested = false;
        state.leaving = false;
        state.one_time_token = None;
        let bearer = &state.login.bearer;
        match bearer.token {
            Some(_) if !bearer.is_over(cx.now) && !bearer.refused => Verdict::next(TradeStep::Init),
            _ => self.want_bearer(because),
        }
    }

    fn admits(&self, state: &TradeState) -> Result<(), &'static str> {
        let session = state.live.iter().map(|live| &live.session_token);
        admit_state(&self.base, state.host.as_ref(), &state.login, state.one_time_token.iter().chain(session))
    }

    fn live<'a>(&self, state: &'a TradeState) -> Option<&'a TradeLive> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut TradeState, ended: Ended) {
        let old = core::mem::take(state);
        // The bearer and the host outlive a login.
        if ended == Ended::Expired {
            *state = TradeState { login: old.login.outlived(), host: old.host, ..TradeState::default() };
        }
    }

    fn answered(&self, cx: &mut Cx<'_>, given: &Given<'_, TradeStep>) -> Result<Judged, Rejection> {
        match given.input {
            Input::Token(token) => {
                take_bearer(cx, Bearer::given(token)?);
                Ok(self.go_on(cx.state))
            }
            // A password for another account would count against ours.
            Input::Credentials(given) if given.login() != self.userid => Err(Rejection::Malformed("login")),
            Input::Credentials(_) => Ok(Verdict::next(TradeStep::Login)),
            // A malformed code would waste an attempt.
            Input::Code(code) if !is_code(code.expose(), DIGITS) => Err(Rejection::Malformed("code")),
            Input::Code(_) => Ok(Verdict::next(TradeStep::AccessCode)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(&self, view: &View<'_, TradeState>, step: TradeStep, answers: &Answers<'_>) -> Built {
        let (state, part) = (view.state, Unbuildable::Part);
        let app = || {
            let bearer = state.login.bearer.token.as_ref().ok_or(part("bearer"))?;
            let (base, consumer_key) = (self.host(state), &self.consumer_key);
            Ok::<_, Unbuildable>(App { base, bearer, consumer_key, ip: &self.ip, app_id: &self.app_id })
        };
        let one_time = || state.one_time_token.as_ref().ok_or(part("one-time token"));
        let session = || state.live.as_ref().map(|live| &live.session_token).ok_or(part("session token"));
        let request = match step {
            TradeStep::Token => {
                let consumer_secret = self.consumer_secret.as_ref().ok_or(part("consumer secret"))?;
                let base = self.gateway.as_ref().unwrap_or(&self.base);
                Client { base, consumer_key: &self.consumer_key, consumer_secret }.token()
            }
            TradeStep::Init => app()?.init(&self.userid),
            TradeStep::Login => app()?.login(&self.userid, answers.credentials()?.password()),
            TradeStep::RequestCode => app()?.request_access_code(&self.userid, one_time()?),
            TradeStep::AccessCode => {
                app()?.access_code(&self.userid, one_time()?, answers.text(NeedKind::AccessCode)?.expose())
            }
            TradeStep::WithoutCode => app()?.without_code(&self.userid, one_time()?),
            TradeStep::Probe => app()?.orders(session()?),
            TradeStep::Logout => app()?.logout(&self.userid, session()?),
        };
        request.map(Build::Request)
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: TradeStep, outcome: Outcome<'_>) -> Judged {
        match (outcome, step) {
            (Outcome::Response(response), step) => self.judge(cx, step, response),
            (Outcome::Lost, TradeStep::Login) => Ask::new(NeedKind::Credentials, NeedReason::Lost).into(),
            (Outcome::Lost, TradeStep::AccessCode) => Ask::new(NeedKind::AccessCode, NeedReason::Lost).into(),
            (Outcome::Lost, TradeStep::RequestCode) => {
                cx.state.code_requested = true;
                Ask::new(NeedKind::AccessCode, cx.state.login.because()).into()
            }
            (Outcome::Lost, step) => Verdict::next(step),
        }
    }

    fn probe(&self, state: &TradeState) -> Option<TradeStep> {
        // A probe with a refused bearer would say nothing about the session.
        state.live.as_ref().filter(|_| !state.login.bearer.refused).map(|_| TradeStep::Probe)
    }

    fn logout(&self, state: &TradeState) -> Leave<TradeStep> {
        if state.live.is_some() { Leave::Step(TradeStep::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let (Some(live), Some(bearer)) = (&cx.state.live, &cx.state.login.bearer.token) else {
            return Err(Unauthorized::NotReady(None));
        };
        let (bearer, key) = (bearer.header("Bearer ")?, self.consumer_key.header("")?);
        parts.headers.insert(header::SESSION_TOKEN, live.session_token.header("")?);
        parts.headers.insert(AUTHORIZATION, bearer);
        parts.headers.insert(header::CONSUMER_KEY, key);
        parts.headers.entry(ACCEPT).or_insert(http::HeaderValue::from_static("application/json"));
        Ok(())
    }

    fn target<'a>(&'a self, state: &'a TradeState, _: &str) -> Target<'a, TradeStep> {
        Target::new(self.host(state))
    }

    fn observe(&self, cx: &mut Cx<'_>, _: &Ticket, response: Response<'_>) -> Observed {
        match find_fault(At::Session, response).map(|fault| fault.class) {
            Some(Class::SessionExpired | Class::BearerInvalid | Class::WrongHost(_)) => Observed::Doubt,
            Some(Class::Quota) => {
                cx.tell(Fact::Penalty(super::to_the_next_minute(cx.now)));
                Observed::Nothing
            }
            // In the reports' documents 403 means "invalid session".
            Some(Class::Rejected | Class::Malformed) if matches!(response.status.as_u16(), 401 | 403) => {
                Observed::Doubt
            }
            _ => Observed::Nothing,
        }
    }
}

/// Stores a new bearer; responses to calls with the old one no longer count.
fn take_bearer(cx: &mut Cx<'_>, bearer: Bearer) {
    cx.state.login.bearer = bearer;
    cx.tell(Fact::NewTokens);
}
