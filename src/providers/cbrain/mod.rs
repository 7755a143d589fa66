//! CBRAIN (BrainPortal): login, keepalive and logout of `/session`.
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | `login` | `POST /session` | where there is no token; never beside one |
//! | `check` | `GET /session` | every 12 hours; before an [adopted](crate::Session::adopt) token is used, after a resume, and against a doubt |
//! | `logout` | `DELETE /session` | ends this session and no other one of the user |
//!
//! # Needs
//!
//! | need | why it comes (again) |
//! |---|---|
//! | [`NeedKind::Credentials`], not where a token is adopted that lives | `Opening`. `Refused`: wrong, or one of the reasons under `denied.credentials`. `Lost`: no answer came, or one of a portal in trouble (500, 502), so there may be a session that nobody knows of; it idles out in a day. `Expired`, with [`Options::relogin`](crate::Options::relogin) |
//!
//! # Deadlines
//!
//! The portal ends a session after 24 hours without use, so `check` leaves every 12 hours by default. There is
//! no absolute end. A login has 15 s, since the portal holds a refused one back, a check and a logout 10 s.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the logout was confirmed, or the session had ended before it | nothing |
//! | `logged-out.unconfirmed` | the portal was locked or out of reach for [`logout_patience`](crate::Options::logout_patience) | nothing: it ends there 24 hours after its last use. Its token is in the snapshot still, for whoever wants to end it sooner |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so they are not this session's to end ([`Options::ends`](crate::Options::ends)) | nothing: they are as good as before |
//! | `denied.credentials` | 401 to a login, and no other answer came | check login and password, then log in in a browser, where the portal says more: a locked account, an address outside the account's list and an account that logs in by OpenID only get the same 401 |
//! | `denied.unanswered` | nobody gave login and password | give them |
//! | `denied.rejected` | 400 to a login: the portal could not read it | read its text; the same login gets the same answer |
//! | `expired` | 401 to a check: 24 hours without use, ended elsewhere, another address, purged or locked by an admin | log in again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `retries-exhausted` | the portal was locked, in trouble or out of reach while the session was being opened, or the answer to a login was lost, so that the password may have been refused, and no person gave it again | try again later; the password as a person, once |
//! | `protocol` | a login or a first look got something else than the portal's answer | look at the shape: a wrong URL, a redirect, a page of a proxy, or a banned address (401 as HTML) |
//!
//! # Moving a session
//!
//! To another process: yes. To another address: **no**. A token is bound to the client's IP address; one that the
//! portal's account page gave out, to that of its first use. Its first use from another one ends it for good, for
//! the first address too, and the portal does not say why. So a snapshot is resumed only under the same
//! [`Options::egress`](crate::Options::egress) label.
//!
//! <div class="warning">
//!
//! **The headers `X-Forwarded-For`, `X-Real-IP` and `Client-IP` end a session.** The portal believes them: it sees
//! another address than at the login and deactivates the token for good. Put none of them on a call, and let no
//! proxy on the way add one that changes. [`Machine::authorize`](crate::Machine::authorize) takes them off a call,
//! and so does the tool's proxy (`--listen`), which gets them from whatever stands before it.
//!
//! </div>
//!
//! # Traps
//!
//! Facts are from BrainPortal's code and from exchanges with the unmodified portal, version 7.0.0.
//! Where its API description says otherwise, the server is right.
//!
//! - **The `Accept` header decides everything**, see [`wire::JSON`]: with the wrong one a login is a
//!   redirect, a check is 200 with nothing in it, and a logout is a redirect that ends nothing. Hence 200
//!   counts only with a JSON type and both fields, and 3xx is never a logout. The portal's own tests run
//!   without its forgery protection and cannot see this; a client generated from its API description sends no
//!   `Accept` with the logout, and its logouts end nothing.
//! - **A login with an old token is none**: it answers for that token's user, whatever the credentials.
//! - **Three parameters that the login does not know ban the address** for two weeks, on every URL (since
//!   December 2025). None but the two is ever sent.
//! - **Only what ran to its end counts as use**, noted once a minute: GET counts; POST with a live token
//!   does not, nor do 302, 400, 401 and 503. A keepalive is therefore GET.
//! - **A 401 has an empty body** and a JSON type. As HTML it comes from a ban of the client's address and
//!   says nothing of the session.
//! - **A 401 to a call of the user's own is no proof**: a missing role and an `Accept` that the portal
//!   does not know get one as well. It is looked into with `check`.
//! - **302 to `change_password` and two kinds of 403** mean that the session lives and a person must act in
//!   a browser first: [`Event::ActionRequired`]. `/session` itself works meanwhile, logout included.
//! - **503 is maintenance.** It comes before anything is looked at and without `Retry-After`, to a logout
//!   too; sessions outlive it. The answer to a need stays in hand, the token is kept, the step is tried again.
//! - **A wrong password is held back for 3 s**, longer where several wait. No count of refusals locks the account, but
//!   a refused login is not repeated by itself all the same. A 401 that comes at once is another: the password was
//!   right, and an administrator has locked the account, or the address is outside the account's list.
//! - **A 500 is the portal's trouble**, as JSON too: with its database stopped Rails answers the login with
//!   `{"status":500,"error":"Internal Server Error"}`. It judges no password. The one login that made a 500 by itself
//!   has no password, and [`Credentials`](crate::Credentials) refuses that before anything is sent.
//! - **A cookie beside the token** answers for its own session once the token is dead, with another token.
//!   None is sent, and an answer with another token or user than ours is not taken.
//! - **`user_id` may be a string**, where an administrator made the session.
//! - **A changed password leaves tokens alive.** Log out to end them.
//!
//! # States
//!
//! The phases and questions, and what leads from one to another, drawn from a walk through all states:
//!
#![doc = include_str!("states.md")]

pub mod wire;

use core::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, LOCATION, USER_AGENT};
use http::request::Parts;
use serde::{Deserialize, Serialize};

use self::wire::{Endpoints, Refusal, SessionInfo};
use crate::provider::{
    Adopts, Answers, Ask, Build, Cx, Fact, Given, Identity, Leave, Observed, Outcome, Plan, Provider, Rule, Spent,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    BaseUrl, Because, CloseReason, Denial, Event, NeedKind, Phase, Rejection, Response, Secret, ServerText, Ticket,
    UrlError,
};

/// How often the session is looked at: twice in the 24 hours after which the portal forgets it.
const KEEPALIVE: Duration = Duration::from_secs(12 * 60 * 60);

/// The portal holds a refused login back for 3 s, longer when several wait.
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);

/// The CBRAIN provider.
#[derive(Clone, Debug)]
pub struct Cbrain {
    base: BaseUrl,
    endpoints: Endpoints,
    keepalive: Duration,
}

impl Cbrain {
    /// Takes the portal's base URL, such as `https://portal.cbrain.mcgill.ca`.
    ///
    /// # Errors
    /// [`UrlError`] where base and path make no URL.
    pub fn new(base: BaseUrl) -> Result<Self, UrlError> {
        let endpoints = Endpoints::new(&base)?;
        Ok(Self { base, endpoints, keepalive: KEEPALIVE })
    }

    /// Sets how often the session is looked at, for tests and short lives: a second at least; 12 hours otherwise.
    #[must_use]
    pub fn keepalive(self, every: Duration) -> Self {
        Self { keepalive: every, ..self }
    }

    fn active(&self) -> Verdict<CbrainStep> {
        Plan::new().keepalive(CbrainStep::Check, self.keepalive).into()
    }

    fn logged_in(&self, cx: &mut Cx<'_, CbrainState>, response: Response<'_>) -> Verdict<CbrainStep> {
        let Some((user_id, token)) = session_info(response) else {
            return Verdict::Unreadable("a login answers with JSON, user_id and cbrain_api_token");
        };
        if Rejection::check_token("token", token.expose()).is_err() {
            return Verdict::Unreadable("the token has characters that no header can carry");
        }
        cx.state.live = Some(CbrainLive { user_id: Some(user_id), token });
        cx.tell(Fact::NewTokens);
        self.active()
    }

    fn checked(&self, cx: &mut Cx<'_, CbrainState>, response: Response<'_>) -> Verdict<CbrainStep> {
        let (Some((user_id, token)), Some(live)) = (session_info(response), cx.state.live.as_mut()) else {
            return Verdict::Unreadable("a check answers with JSON, user_id and cbrain_api_token");
        };
        // A cookie of somebody's browser session can answer for an unknown token.
        if !live.token.matches(token.expose()) {
            return Verdict::Unreadable("the portal answered with another token than ours");
        }
        if live.user_id.is_some_and(|ours| ours != user_id) {
            return Verdict::Unreadable("the portal answered for another user than ours");
        }
        live.user_id = Some(user_id);
        self.active()
    }
}

/// The requests of a CBRAIN session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum CbrainStep {
    /// `POST /session`.
    Login,
    /// `GET /session`: keepalive and probe.
    Check,
    /// `DELETE /session`.
    Logout,
}

impl CbrainStep {
    const fn rule(self) -> &'static Rule {
        const LOGIN: Rule =
            Rule::new("login").phase(Phase::LoggingIn).spends(&[NeedKind::Credentials]).opens().timeout(LOGIN_TIMEOUT);
        const CHECK: Rule = Rule::new("check");
        const LOGOUT: Rule = Rule::new("logout").phase(Phase::LoggingOut);
        match self {
            Self::Login => &LOGIN,
            Self::Check => &CHECK,
            Self::Logout => &LOGOUT,
        }
    }
}

/// What is known of a CBRAIN session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
pub struct CbrainState {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    live: Option<CbrainLive>,
}

/// What an open CBRAIN session has.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[non_exhaustive]
pub struct CbrainLive {
    /// The user's number; unknown until an adopted token has been checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u64>,
    /// The token, for `Authorization: Bearer`.
    #[serde(with = "crate::secret::exposed")]
    pub token: Secret,
}

impl Provider for Cbrain {
    type Step = CbrainStep;
    type State = CbrainState;
    type Live = CbrainLive;

    fn identity(&self) -> Identity<'_> {
        Identity { provider: "cbrain", server: &self.base, account: None, key: None, binds_ip: true }
    }

    fn rule(&self, step: CbrainStep) -> &Rule {
        step.rule()
    }

    fn open(&self, _: &mut Cx<'_, CbrainState>, because: Because) -> Verdict<CbrainStep> {
        Ask::new(NeedKind::Credentials, because).into()
    }

    fn admits(&self, state: &CbrainState) -> Result<(), &'static str> {
        let token = state.live.as_ref().map_or(Ok(()), |live| Rejection::check_token("token", live.token.expose()));
        token.map_err(|_| "the token cannot be carried by a header")
    }

    fn live<'a>(&self, state: &'a CbrainState) -> Option<&'a CbrainLive> {
        state.live.as_ref()
    }

    fn answered(
        &self,
        _: &mut Cx<'_, CbrainState>,
        given: &Given<'_, CbrainStep>,
    ) -> Result<Verdict<CbrainStep>, Rejection> {
        match given.kind {
            NeedKind::Credentials => Ok(Verdict::next(CbrainStep::Login)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(
        &self,
        view: &View<'_, CbrainState>,
        step: CbrainStep,
        answers: &Answers<'_>,
    ) -> Result<Build<CbrainStep>, Unbuildable> {
        let token = || view.state.live.as_ref().map(|live| &live.token).ok_or(Unbuildable::Part("there is no token"));
        let request = match step {
            CbrainStep::Login => {
                let given = answers.credentials()?;
                self.endpoints.login(given.login(), given.password())
            }
            CbrainStep::Check => self.endpoints.check(token()?),
            CbrainStep::Logout => self.endpoints.logout(token()?),
        };
        request.map(Build::Request).ok_or(Unbuildable::Part("the token has characters that no header can carry"))
    }

    fn interpret(&self, cx: &mut Cx<'_, CbrainState>, step: CbrainStep, outcome: Outcome<'_>) -> Verdict<CbrainStep> {
        use CbrainStep::{Check, Login, Logout};
        let response = match (outcome, step) {
            (Outcome::Response(response), _) => response,
            (Outcome::Lost, Login) => return Ask::new(NeedKind::Credentials, Because::Lost).into(),
            (Outcome::Lost, step) => return Verdict::next(step),
        };
        match (response.status, step) {
            (StatusCode::OK, Login) => self.logged_in(cx, response),
            (StatusCode::OK, Check) => self.checked(cx, response),
            // The body of a logout is empty; its type is still JSON. A page of a proxy ends nothing. A
            // second logout gets 401: the first one arrived, or the session had ended before.
            (StatusCode::OK | StatusCode::UNAUTHORIZED, Logout) if response.is_json() => {
                Verdict::Close(CloseReason::LoggedOut { confirmed: true })
            }
            // Wrong password, unknown login, locked account, an address outside the user's list: the
            // portal does not say which.
            (StatusCode::UNAUTHORIZED, Login) if response.is_json() => {
                Ask::new(NeedKind::Credentials, Because::Refused).into()
            }
            // A banned address gets 401 too, but as HTML: that says nothing of the session.
            (StatusCode::UNAUTHORIZED, Check) if response.is_json() => Verdict::Dead { proof: "check answered 401" },
            (StatusCode::SERVICE_UNAVAILABLE, _) => {
                // The portal is locked for maintenance: it says so before it looks at anything.
                if let Some(text) = refusal(response).message {
                    cx.tell(Fact::server_says(&text));
                }
                Verdict::unavailable()
            }
            (StatusCode::TOO_MANY_REQUESTS, _) => Verdict::unavailable(),
            (StatusCode::BAD_REQUEST, Login) if response.is_json() => {
                // Rails could not read the login at all, and will not the next time.
                let text = refusal(response).error.map(|text| ServerText::new(&text));
                Verdict::Close(CloseReason::Denied(Denial::Rejected(text)))
            }
            // A proxy may speak, or the portal's own failure, whose database is down: it may have acted on the
            // request, and says nothing of the password.
            (status, _) if status.is_server_error() => {
                if let Some(text) = refusal(response).error {
                    cx.tell(Fact::server_says(&text));
                }
                // Rails' own word is a failure for certain; behind a proxy's page the password may have been refused.
                let failed = status == StatusCode::INTERNAL_SERVER_ERROR && response.is_json();
                Verdict::Retry { after: None, answer: if failed { Spent::Failed } else { Spent::Judged } }
            }
            (status, _) if status.is_redirection() => {
                Verdict::Unreadable("a redirect: a proxy, or the call was taken for one of a browser")
            }
            _ => Verdict::Unreadable("not an answer of /session"),
        }
    }

    fn probe(&self, state: &CbrainState) -> Option<CbrainStep> {
        state.live.as_ref().map(|_| CbrainStep::Check)
    }

    fn logout(&self, state: &CbrainState) -> Leave<CbrainStep> {
        if state.live.is_some() { Leave::Step(CbrainStep::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_, CbrainState>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let live = cx.state.live.as_ref().ok_or(Unauthorized::NotReady(None))?;
        let bearer = wire::bearer(&live.token).ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert(AUTHORIZATION, bearer);
        // A cookie beside the token could answer for another session once the token is dead.
        parts.headers.remove(COOKIE);
        // The portal takes the client's address from these, and another one ends the session for good.
        for name in wire::ADDRESS {
            parts.headers.remove(name);
        }
        // With `*/*` in the list the portal answers as to a browser. Other types are the caller's choice.
        if parts.headers.get(ACCEPT).is_none_or(|accept| accept.to_str().is_ok_and(|list| list.contains("*/*"))) {
            parts.headers.insert(ACCEPT, wire::JSON);
        }
        parts.headers.entry(USER_AGENT).or_insert(wire::AGENT);
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_, CbrainState>, _: &Ticket, response: Response<'_>) -> Observed {
        match response.status {
            StatusCode::UNAUTHORIZED => return Observed::Doubt,
            StatusCode::FOUND => {
                if let Some(url) = response.header(LOCATION).filter(|url| url.contains("change_password")) {
                    let url = Some(ServerText::new(url));
                    cx.tell(Fact::Tell(Event::ActionRequired { url, text: None }));
                }
            }
            StatusCode::FORBIDDEN => {
                // Unsigned licences, or an account that must be linked to an OpenID identity first.
                if let Some(text) = refusal(response).error {
                    let text = Some(ServerText::new(&text));
                    cx.tell(Fact::Tell(Event::ActionRequired { url: None, text }));
                }
            }
            _ => {}
        }
        Observed::Nothing
    }
}

impl Adopts for Cbrain {
    /// The API token of somebody's account page, or of another program on this machine.
    type Tokens = Secret;

    fn adopt(&self, token: Secret) -> Result<CbrainState, Rejection> {
        Rejection::check_token("token", token.expose())?;
        Ok(CbrainState { live: Some(CbrainLive { user_id: None, token }) })
    }
}

fn session_info(response: Response<'_>) -> Option<(u64, Secret)> {
    if !response.is_json() {
        return None;
    }
    let info: SessionInfo<'_> = crate::wire::json(response.body)?;
    let token = info.token.filter(|token| !token.is_empty())?;
    Some((info.user_id?, Secret::new(token)))
}

fn refusal(response: Response<'_>) -> Refusal<'_> {
    if response.is_json() { crate::wire::json(response.body).unwrap_or_default() } else { Refusal::default() }
}
