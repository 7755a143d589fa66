//! The Trade API: init, password, access code, and a gateway bearer with a life of its own.
//!
//! This is the API of 2020 to 2023, on a WSO2 gateway. Its users were moved to [`neo`](super::neo) since.
//!
//! # Steps
//!
//! ```text
//! token ──▶ init ──▶ login ──▶ access-code ──▶ active ──▶ logout
//!   ▲        │ ▲                 or without-code  │ ▲
//!   │        └─┘ the user's host, once            └─┘ token, probe: a bearer lives 60 minutes
//!   └── only with key and secret; a bearer is asked for otherwise
//! ```
//!
//! | step | request | what it is for |
//! |---|---|---|
//! | `token` | `POST /token` | the gateway's bearer, with [`TradeApi::consumer_secret`] |
//! | `init` | `GET /session/1.0/session/init` | the user's host; whether the account is locked or may not log in |
//! | `login` | `POST …/login/userid` | the password, for a one-time token |
//! | `request-code` | `GET …/2FA/accesscode` | has a new code sent, with [`TradeApi::requests_code`] |
//! | `access-code` | `POST …/2FA/accesscode` | the code, for the session token |
//! | `without-code` | `POST …/2FA/oneTimeToken` | no code, with [`TradeApi::without_code`] |
//! | `probe` | `GET /reports/1.0/orders` | whether the session lives: no call says only that |
//! | `logout` | `DELETE …/session/logout` | ends the session at the server |
//!
//! # Needs
//!
//! | need | why it may come again |
//! |---|---|
//! | [`NeedKind::GatewayToken`], where no secret is given | `Refused`: expired, of the other host, or of an application without this API. `Expired`: its 60 minutes are over |
//! | [`NeedKind::Credentials`], the login being the user id | `Refused`: wrong. `Stale`: the one-time token grew old, or the host was switched late; the same password is right. `Lost`: nobody knows whether it was judged |
//! | [`NeedKind::AccessCode`], four digits by SMS and e-mail that hold all day | `Refused`: wrong. `Stale` and `Lost` as above |
//!
//! A refused password or code is never tried again by itself: the account locks after three. After a stale
//! one-time token both answers are asked for once more, and a store may give both, since neither was refused.
//!
//! # Deadlines
//!
//! Each answer has 10 s. The bearer ends after 3600 s unless its application says otherwise, the session lasts all day. These are
//! two lives: a dead bearer is renewed a minute before its end with key and secret, or asked for, and the
//! session token stays. One that was fetched and is refused before it has worked puts the session in
//! [doubt](crate::Event::Suspect): another one is fetched, each minute at last. This is the "logged out after 60 minutes" that users of other clients complain of.
//! No life of the session is published, so none is assumed; there is no keepalive. `Wait` says `Renewal`
//! (of the bearer) or `Nothing`. A quota is counted by the minute, so the next request leaves in the next one.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the server confirmed it, or the session had ended before it | nothing |
//! | `logged-out.unconfirmed` | no answer for [`logout_patience`](crate::Options::logout_patience), or the bearer was dead by then and there is no secret to fetch another one with | nothing: it ends with the day |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so they are not this session's to end ([`Options::ends`](crate::Options::ends)) | nothing: they are as good as before |
//! | `denied.credentials`, `denied.access-code` | refused, and no other one came | look at the password or the SMS; not a third time |
//! | `denied.unanswered` | nobody gave the bearer, the password or the code | give them; a bearer comes from the developer portal |
//! | `denied.locked` (70009) | three bad tries, maybe by another program | unlock it on the website first |
//! | `denied.gateway-token` (900901) | the bearer never worked | is the host the right one (production, sandbox)? Is the application subscribed to the session API? Is `/token` elsewhere ([`TradeApi::gateway`])? |
//! | `denied.not-entitled` (999003) | the account is not enabled for the API | ask Kotak |
//! | `denied.rejected` | key and secret are wrong (`invalid_client`), the user is not active, or the one-time token was stale twice; the text says | as the text says; the website, for a user who is not active |
//! | `expired` (99999) | logged in elsewhere, or the day is over | log in again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `protocol` | a foreign host was named, or an answer was none of the API's | the reason names host or shape |
//! | `retries-exhausted` | an outage, or nobody gave the next answer after one whose fate is unknown: it may have been refused | later; an answer that may be wrong is given again by a person |
//!
//! # Moving a session
//!
//! To another process and another address: **yes**. The header `ip` is not compared with anything (users put
//! `127.0.0.1`, `1.1.1.1` and nothing into it, and the vendor's own page says that any will do).
//!
//! # Hosts
//!
//! Two production hosts have users of their own. Init tells the right one in `redirect.host`, a late call in
//! fault 999024. The session follows once in a login, within the provider's domain only (see
//! [`host`](super::host)), and before a password leaves; the host is part of a snapshot and checked again at a
//! resume.
//!
//! # Traps
//!
//! - Parameters are headers, on init and logout even the user id, which is a field of a body elsewhere (the
//!   generated code of the vendor's first SDK).
//! - Success is `{"Success": …}`, `{"success": …}` or flat, by endpoint and year; faults come with status 200
//!   too. Only a token proves a success (bodies in issues of both SDKs).
//! - `redirect.port` says 443 beside a full URL, and the documents call it `keySize` (a slip); it is ignored
//!   where the host is a URL.
//! - `loginTime` is a number in the model and a text in the sample. A login does not fail on it.
//! - The vendor's SDK tries three hosts in turn with the same bearer, and trips over a 200 without a token. Its
//!   users see 900901 for any of five causes: host, subscription, sandbox, portal, an expired bearer (its issues).
//! - An application has a quota by the minute; some met it (900807) with their first calls (its issues).
//! - Streams have a token of their own, from another host; the session's is of no use there (the SDK's source).
//! - 424 at the second factor is a stale one-time token (a third party's client; no body of it is public).
//!   No body of a refused password or code is public either: any refusal there counts as one.
//!
//! # States
//!
//! The phases and questions, and what leads from one to another, drawn from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod judge;
mod state;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;

use http::header::{ACCEPT, AUTHORIZATION};
use http::request::Parts;

use super::host::Told;
use super::login::Bearer;
use super::wire::fault::{At, Class, trade_api as find_fault};
use super::wire::gateway::Client;
use super::wire::header;
use super::wire::trade_api::App;
use super::{UNSENDABLE, is_code, sendable};
use crate::provider::{
    Adopts, Answers, Ask, Build, Cx, Ended, Fact, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{BaseUrl, Because, Input, NeedKind, Rejection, Response, Secret, Ticket};

pub use self::state::{TradeLive, TradeState, TradeStep, TradeTokens};

/// The digits of an access code: four in every one that was shown, while no rule is published.
const DIGITS: core::ops::RangeInclusive<usize> = 4..=8;

/// The Trade API provider, for one user of one application.
#[derive(Clone, Debug)]
pub struct TradeApi {
    base: BaseUrl,
    userid: String,
    consumer_key: Secret,
    key_print: String,
    consumer_secret: Option<Secret>,
    gateway: Option<BaseUrl>,
    ip: String,
    app_id: String,
    factor: Factor,
    requests_code: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Factor {
    AccessCode,
    None,
}

impl TradeApi {
    /// Takes a host with its base path, such as `https://tradeapi.kotaksecurities.com/apim`, the user's
    /// id (init needs it before anybody is asked for a password) and the application's key.
    ///
    /// # Errors
    /// [`Rejection`] where `userid` or `consumer key` is empty or cannot be carried by a header.
    pub fn new(base: BaseUrl, userid: impl Into<String>, consumer_key: impl Into<Secret>) -> Result<Self, Rejection> {
        let (userid, consumer_key) = (userid.into(), consumer_key.into());
        Rejection::check_token("userid", &userid)?;
        Rejection::check_token("consumer key", consumer_key.expose())?;
        Ok(Self {
            base,
            userid,
            key_print: fingerprint(consumer_key.expose()),
            consumer_key,
            consumer_secret: None,
            gateway: None,
            ip: "127.0.0.1".to_owned(),
            app_id: "sansession".to_owned(),
            factor: Factor::AccessCode,
            requests_code: false,
        })
    }

    /// Gives the application's secret, so that bearers are fetched and renewed without asking anybody.
    ///
    /// # Errors
    /// [`Rejection`] where `consumer secret` is empty, or has spaces or other characters than printable ASCII.
    pub fn consumer_secret(self, secret: impl Into<Secret>) -> Result<Self, Rejection> {
        let secret = secret.into();
        Rejection::check_token("consumer secret", secret.expose())?;
        Ok(Self { consumer_secret: Some(secret), ..self })
    }

    /// Sets what `/token` is below of; the API's base URL otherwise. See [`gateway`](super::wire::gateway).
    #[must_use]
    pub fn gateway(self, base: BaseUrl) -> Self {
        Self { gateway: Some(base), ..self }
    }

    /// Sets the header `ip`; `127.0.0.1` otherwise, since the server does not look at it.
    ///
    /// # Errors
    /// [`Rejection`] where `ip` is empty or cannot be carried by a header.
    pub fn ip(self, ip: impl Into<String>) -> Result<Self, Rejection> {
        let ip = ip.into();
        Rejection::check_words("ip", &ip)?;
        Ok(Self { ip, ..self })
    }

    /// Sets the header `appId`; `sansession` otherwise, since the server does not look at it.
    ///
    /// # Errors
    /// [`Rejection`] where `app id` is empty or cannot be carried by a header.
    pub fn app_id(self, app_id: impl Into<String>) -> Result<Self, Rejection> {
        let app_id = app_id.into();
        Rejection::check_words("app id", &app_id)?;
        Ok(Self { app_id, ..self })
    }

    /// Opens sessions without an access code, for clients that are subscribed to that; where the server
    /// refuses it, the code is asked for after all.
    #[must_use]
    pub fn without_code(self) -> Self {
        Self { factor: Factor::None, ..self }
    }

    /// Asks the server to send a new access code before a person is asked for it. One code holds all
    /// day, so this is for accounts that get none by themselves.
    #[must_use]
    pub fn requests_code(self) -> Self {
        Self { requests_code: true, ..self }
    }

    /// Gets a bearer, or asks for one.
    fn want_bearer(&self, because: Because) -> Verdict<TradeStep> {
        match self.consumer_secret {
            Some(_) => Verdict::next(TradeStep::Token),
            None => Ask::new(NeedKind::GatewayToken, because).into(),
        }
    }

    /// Goes on where a bearer was missing.
    fn go_on(&self, state: &TradeState) -> Verdict<TradeStep> {
        if state.live.is_some() && state.leaving {
            return Verdict::next(TradeStep::Logout);
        }
        if state.live.is_some() {
            // A bearer proves nothing of the session.
            return Verdict::next(TradeStep::Probe);
        }
        match state.one_time_token {
            Some(_) => self.second_factor(state),
            None => Verdict::next(TradeStep::Init),
        }
    }

    /// Goes on after the password.
    fn second_factor(&self, state: &TradeState) -> Verdict<TradeStep> {
        match self.factor {
            Factor::None => Verdict::next(TradeStep::WithoutCode),
            Factor::AccessCode if self.requests_code && !state.code_requested => Verdict::next(TradeStep::RequestCode),
            Factor::AccessCode => Ask::new(NeedKind::AccessCode, state.login.because()).into(),
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
        Identity {
            provider: "kotak-trade",
            server: &self.base,
            account: Some(&self.userid),
            key: Some(&self.key_print),
            binds_ip: false,
        }
    }

    fn rule(&self, step: TradeStep) -> &Rule {
        step.rule()
    }

    fn open(&self, cx: &mut Cx<'_, TradeState>, because: Because) -> Verdict<TradeStep> {
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
        let session = state.live.as_ref().map(|live| &live.session_token);
        if ![state.login.bearer.token.as_ref(), state.one_time_token.as_ref(), session]
            .into_iter()
            .flatten()
            .all(sendable)
        {
            return Err(UNSENDABLE);
        }
        match &state.host {
            Some(told) => told.admitted_from(&self.base).map_err(|_| "the host is not one that may get tokens"),
            None => Ok(()),
        }
    }

    fn live<'a>(&self, state: &'a TradeState) -> Option<&'a TradeLive> {
        state.live.as_ref()
    }

    fn forget(&self, state: &mut TradeState, ended: Ended) {
        let old = core::mem::take(state);
        if ended == Ended::Closed {
            return;
        }
        // The bearer and the host outlive a login.
        *state = TradeState { login: old.login.outlived(), host: old.host, ..TradeState::default() };
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, TradeState>,
        given: &Given<'_, TradeStep>,
    ) -> Result<Verdict<TradeStep>, Rejection> {
        match (given.kind, given.input) {
            (NeedKind::GatewayToken, Input::Token(token)) => {
                take_bearer(cx, Bearer::given(token)?);
                Ok(self.go_on(cx.state))
            }
            // A password for another account would count against ours.
            (NeedKind::Credentials, Input::Credentials(given)) if given.login() != self.userid => {
                Err(Rejection::Malformed("login"))
            }
            (NeedKind::Credentials, Input::Credentials(_)) => Ok(Verdict::next(TradeStep::Login)),
            // One with a letter in it would only cost a try.
            (NeedKind::AccessCode, Input::Code(code)) if !is_code(code.expose(), DIGITS) => {
                Err(Rejection::Malformed("code"))
            }
            (NeedKind::AccessCode, Input::Code(_)) => Ok(Verdict::next(TradeStep::AccessCode)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(
        &self,
        view: &View<'_, TradeState>,
        step: TradeStep,
        answers: &Answers<'_>,
    ) -> Result<Build<TradeStep>, Unbuildable> {
        let state = view.state;
        if step == TradeStep::Token {
            let consumer_secret =
                self.consumer_secret.as_ref().ok_or(Unbuildable::Part("there is no consumer secret"))?;
            let base = self.gateway.as_ref().unwrap_or(&self.base);
            return Client { base, consumer_key: self.consumer_key.expose(), consumer_secret }
                .token()
                .map(Build::Request);
        }
        let app = App {
            base: self.host(state),
            bearer: state.login.bearer.token.as_ref().ok_or(Unbuildable::Part("there is no bearer"))?,
            consumer_key: self.consumer_key.expose(),
            ip: &self.ip,
            app_id: &self.app_id,
        };
        let one_time = || state.one_time_token.as_ref().ok_or(Unbuildable::Part("there is no one-time token"));
        let session =
            || state.live.as_ref().map(|live| &live.session_token).ok_or(Unbuildable::Part("there is no session"));
        let request = match step {
            TradeStep::Token => return Err(Unbuildable::Part("there is no consumer secret")),
            TradeStep::Init => app.init(&self.userid),
            TradeStep::Login => app.login(&self.userid, answers.credentials()?.password()),
            TradeStep::RequestCode => app.request_access_code(&self.userid, one_time()?),
            TradeStep::AccessCode => {
                app.access_code(&self.userid, one_time()?, answers.text(NeedKind::AccessCode)?.expose())
            }
            TradeStep::WithoutCode => app.without_code(&self.userid, one_time()?),
            TradeStep::Probe => app.orders(session()?),
            TradeStep::Logout => app.logout(&self.userid, session()?),
        };
        request.map(Build::Request)
    }

    fn interpret(&self, cx: &mut Cx<'_, TradeState>, step: TradeStep, outcome: Outcome<'_>) -> Verdict<TradeStep> {
        match (outcome, step) {
            (Outcome::Response(response), step) => self.judge(cx, step, response),
            (Outcome::Lost, TradeStep::Login) => Ask::new(NeedKind::Credentials, Because::Lost).into(),
            (Outcome::Lost, TradeStep::AccessCode) => Ask::new(NeedKind::AccessCode, Because::Lost).into(),
            (Outcome::Lost, TradeStep::RequestCode) => {
                cx.state.code_requested = true;
                Ask::new(NeedKind::AccessCode, cx.state.login.because()).into()
            }
            (Outcome::Lost, step) => Verdict::next(step),
        }
    }

    fn probe(&self, state: &TradeState) -> Option<TradeStep> {
        // A look with a bearer that is known to be dead would tell nothing of the session.
        state.live.as_ref().filter(|_| !state.login.bearer.refused).map(|_| TradeStep::Probe)
    }

    fn logout(&self, state: &TradeState) -> Leave<TradeStep> {
        if state.live.is_some() { Leave::Step(TradeStep::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_, TradeState>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
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

    fn observe(&self, cx: &mut Cx<'_, TradeState>, _: &Ticket, response: Response<'_>) -> Observed {
        match find_fault(At::Session, response).map(|fault| fault.class) {
            Some(Class::SessionExpired | Class::BearerInvalid | Class::WrongHost(_)) => Observed::Doubt,
            Some(Class::Quota) => {
                cx.tell(Fact::Penalty(super::to_the_next_minute(cx.now)));
                Observed::Nothing
            }
            // The reports' documents give "invalid session" as the meaning of 403.
            Some(Class::Rejected | Class::Malformed) if matches!(response.status.as_u16(), 401 | 403) => {
                Observed::Doubt
            }
            _ => Observed::Nothing,
        }
    }
}

impl Adopts for TradeApi {
    type Tokens = TradeTokens;

    fn adopt(&self, tokens: TradeTokens) -> Result<TradeState, Rejection> {
        for (name, token) in [("bearer", &tokens.bearer), ("session token", &tokens.session_token)] {
            Rejection::check_token(name, token.expose())?;
        }
        let mut state = TradeState::default();
        state.login.bearer.token = Some(tokens.bearer);
        state.live = Some(TradeLive { session_token: tokens.session_token, client_code: None });
        Ok(state)
    }
}

/// Takes a new bearer; calls that were authorized with the old one say nothing any more.
fn take_bearer(cx: &mut Cx<'_, TradeState>, bearer: Bearer) {
    cx.state.login.bearer = bearer;
    cx.tell(Fact::NewTokens);
}

/// Tells keys apart in snapshots without holding them (64-bit FNV-1a; the key itself is random).
fn fingerprint(key: &str) -> String {
    let hash = key
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    format!("{hash:016x}")
}
