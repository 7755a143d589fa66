//! CBRAIN (BrainPortal): login, keepalive and logout of `/session`.
//!
//! ```
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::{BaseUrl, Machine, Options, Session, Timestamp};
//!
//! let portal = Cbrain::new(BaseUrl::parse("https://portal.cbrain.mcgill.ca")?)?;
//! # let (seed, now) = ([7; 32], Timestamp::from_secs(1_780_000_000));
//! let mut session = Session::new(portal, Options::default(), seed);
//! session.start(now);
//! # Ok::<(), sansession::UrlError>(())
//! ```
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | `login` | `POST /session` | where there is no token; never together with one |
//! | `check` | `GET /session` | every 12 hours; before an [adopted](crate::Session::adopt) token is used; after a resume; when the session is in doubt |
//! | `logout` | `DELETE /session` | ends this session and no other session of the user |
//!
//! # Needs
//!
//! | need | reasons |
//! |---|---|
//! | [`NeedKind::Credentials`], unless a live token is adopted | `Opening`. `Refused`: wrong, or one of the causes under `denied.credentials`. `Lost`: no answer came, or the portal failed (500, 502), so an unknown session may exist; it expires after a day without use. `Expired`, with [`Options::relogin`](crate::Options::relogin) |
//!
//! # Deadlines
//!
//! The portal ends a session after 24 hours without use, so `check` leaves every 12 hours by default. There is
//! no absolute expiry. A login times out after 15 s, since the portal delays the answer to a refused one; a check and a
//! logout after 10 s.
//!
//! # Answers
//!
//! This is the code that decides, by status, JSON media type and step:
//!
//! ```ignore
#![doc = include_str!("answers.rs")]
//! ```
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the logout was confirmed, or the session had ended before it | nothing |
//! | `logged-out.unconfirmed` | the portal was locked or unreachable for [`logout_patience`](crate::Options::logout_patience) | nothing: the session expires 24 hours after its last use. Its token is still in the snapshot if you want to end it sooner |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so this session does not end them ([`Options::ends`](crate::Options::ends)) | nothing: the tokens are still valid |
//! | `denied.credentials` | 401 to a login, and no other answer was given | check login and password, then log in with a browser, where the portal says more: a locked account, an address outside the account's list and an account that uses OpenID only all get the same 401 |
//! | `denied.unanswered` | nobody gave login and password | provide them |
//! | `denied.rejected` | 400 to a login: the portal could not parse it | read its text; the same login fails again |
//! | `expired` | 401 to a check: 24 hours without use, ended elsewhere, another address, removed or locked by an administrator | log in again, or set [`Options::relogin`](crate::Options::relogin) |
//! | `retries-exhausted` | the portal was locked, failing or unreachable during the opening, or the answer to a login was lost, so that the password may have been refused, and no person gave it again | try again later; give the password once, as a person |
//! | `protocol` | the answer to a login or a first check was not the portal's | inspect the shape: a wrong URL, a redirect, a proxy's page, or a banned address (401 as HTML) |
//!
//! # Moving a session
//!
//! To another process: yes. To another address: **no**. A token is bound to the IP address of the client; one that was
//! copied from the portal's account page is bound to the address of its first use. The first request from another address
//! ends it permanently, for the first address too, and the portal does not say why. A snapshot is therefore resumed only
//! with the same [`Options::egress_label`](crate::Options::egress_label) label.
//!
//! <div class="warning">
//!
//! **The headers `X-Forwarded-For`, `X-Real-IP` and `Client-IP` end a session.** The portal trusts them: it sees
//! another address than at the login and deactivates the token permanently. Do not set them, and do not let a
//! proxy add one that changes. [`Machine::authorize`](crate::Machine::authorize) removes them from a call, and so does the
//! command's proxy (`--listen`).
//!
//! </div>
//!
//! # Traps
//!
//! Sources: BrainPortal's code, and exchanges with the unmodified portal, version 7.0.0. Where they contradict its API
//! description, the server is right.
//!
//! - **The `Accept` header decides everything**, see [`wire::JSON`]: with the wrong one a login is a
//!   redirect, a check is 200 with an empty body, and a logout is a redirect that ends nothing. 200
//!   therefore counts only with a JSON type and both fields, and 3xx is never a logout. The portal's own tests run
//!   without its forgery protection and miss this; a client generated from its API description sends no
//!   `Accept` with the logout, and its logouts end nothing.
//! - **A login with an old token logs nobody in**: it answers for that token's user, whatever the credentials.
//! - **Three parameters that the login does not know ban the address** for two weeks, on every URL (since
//!   December 2025). Only login and password are ever sent.
//! - **Only a completed action counts as use**, recorded once a minute: GET counts; POST with a live token
//!   does not, nor do 302, 400, 401 and 503. The keepalive is therefore a GET.
//! - **A 401 has an empty body** and a JSON type. A 401 as HTML means that the client's address is banned and
//!   says nothing about the session.
//! - **A 401 to a user's own call is no proof of expiry**: a missing role and an unsupported `Accept` get 401 too. The
//!   session then sends a `check`.
//! - **302 to `change_password` and two kinds of 403** mean that the session lives and a person must do something
//!   in a browser first: [`Event::ActionRequired`]. `/session` itself keeps working, logout included.
//! - **503 is maintenance.** The portal answers it before it processes the request, without `Retry-After`, to a logout
//!   too; sessions survive it. The answer to a need and the token are kept, and the step is retried.
//! - **A refused password is delayed by 3 s**, longer where several wait. No number of refusals locks the account, but
//!   a refused login is never retried automatically. An immediate 401 means something else: the password was
//!   right, and an administrator locked the account, or the address is outside the account's list.
//! - **A 500 is a failure of the portal**, as JSON too: with its database stopped, Rails answers the login with
//!   `{"status":500,"error":"Internal Server Error"}`. It says nothing about the password. The one login that causes a 500
//!   by itself has no password, and [`Credentials`](crate::Credentials) rejects that before anything is sent.
//! - **A cookie beside the token** answers for its own session once the token is dead, with another token.
//!   No cookie is sent, and an answer with another token or user is not accepted.
//! - **`user_id` may be a string**, where an administrator created the session.
//! - **A changed password leaves tokens valid.** Log out to end them.
//!
//! # States
//!
//! The phases and questions, and the transitions between them, generated from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod answers;
mod state;
pub mod wire;

use core::time::Duration;

use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, COOKIE, LOCATION, USER_AGENT};
use http::request::Parts;

pub use self::state::{CbrainLive, CbrainState, CbrainStep};
use self::wire::{Endpoints, Refusal, SessionInfo};
use crate::provider::AGENT;
use crate::provider::{
    Adopts, Answers, Ask, Build, Context, Fact, Identity, Judgment, Leave, Observed, Outcome, Plan, Provider, Rule,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    BaseUrl, CloseReason, Event, NeedKind, Response, Secret, Ticket, UrlError,
    machine::{Denial, NeedReason, Rejection, ServerText},
};

type Cx<'a> = Context<'a, CbrainState>;
type Judged = Verdict<CbrainStep>;
type Built = Result<Build<CbrainStep>, Unbuildable>;

/// The interval of the keepalive: half the 24 hours after which the portal ends an unused session.
const KEEPALIVE: Duration = Duration::from_secs(12 * 60 * 60);

/// A token in a snapshot or an answer that was tampered with.
const UNSENDABLE: &str = "the token has characters that no header can carry";

/// The CBRAIN provider.
#[derive(Clone, Debug)]
pub struct Cbrain {
    base: BaseUrl,
    endpoints: Endpoints,
    keepalive: Duration,
}

impl Cbrain {
    /// Creates a provider for the portal at a base URL, such as `https://portal.cbrain.mcgill.ca`.
    ///
    /// # Errors
    /// [`UrlError`] where base and path do not form a URL.
    pub fn new(base: BaseUrl) -> Result<Self, UrlError> {
        let endpoints = Endpoints::new(&base)?;
        Ok(Self { base, endpoints, keepalive: KEEPALIVE })
    }

    /// Sets the interval of the keepalive: at least a second; 12 hours by default.
    #[must_use]
    pub fn keepalive(self, every: Duration) -> Self {
        Self { keepalive: every, ..self }
    }

    fn active(&self) -> Judged {
        Plan::new().keepalive(CbrainStep::Check, self.keepalive).into()
    }

    fn logged_in(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Judged {
        let Some((user_id, token)) = session_info(response) else {
            return Verdict::Unreadable("a login answers with JSON, user_id and cbrain_api_token");
        };
        if Rejection::check_token("token", token.expose()).is_err() {
            return Verdict::Unreadable(UNSENDABLE);
        }
        cx.state.live = Some(CbrainLive { user_id: Some(user_id), token });
        cx.tell(Fact::NewTokens);
        self.active()
    }

    fn checked(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Judged {
        let (Some((user_id, token)), Some(live)) = (session_info(response), cx.state.live.as_mut()) else {
            return Verdict::Unreadable("a check answers with JSON, user_id and cbrain_api_token");
        };
        // The cookie of a browser session can answer for an unknown token.
        if !live.token.matches(token.expose()) {
            return Verdict::Unreadable("the portal answered with a different token");
        }
        if live.user_id.is_some_and(|ours| ours != user_id) {
            return Verdict::Unreadable("the portal answered for a different user");
        }
        live.user_id = Some(user_id);
        self.active()
    }
}

impl Provider for Cbrain {
    type Step = CbrainStep;
    type State = CbrainState;
    type Live = CbrainLive;

    fn identity(&self) -> Identity<'_> {
        Identity::new("cbrain", &self.base).binds_ip()
    }

    fn rule(&self, step: CbrainStep) -> &Rule {
        step.rule()
    }

    fn open(&self, _: &mut Cx<'_>, because: NeedReason) -> Judged {
        Ask::new(NeedKind::Credentials, because).then(CbrainStep::Login).into()
    }

    fn admits(&self, state: &CbrainState) -> Result<(), &'static str> {
        let token = state.live.as_ref().map_or(Ok(()), |live| Rejection::check_token("token", live.token.expose()));
        token.map_err(|_| UNSENDABLE)
    }

    fn live<'a>(&self, state: &'a CbrainState) -> Option<&'a CbrainLive> {
        state.live.as_ref()
    }

    fn request(&self, view: &View<'_, CbrainState>, step: CbrainStep, answers: &Answers<'_>) -> Built {
        let token = || view.state.live.as_ref().map(|live| &live.token).ok_or(Unbuildable::Part("token"));
        let request = match step {
            CbrainStep::Login => {
                let given = answers.credentials()?;
                self.endpoints.login(given.login(), given.password())
            }
            CbrainStep::Check => self.endpoints.check(token()?),
            CbrainStep::Logout => self.endpoints.logout(token()?),
        };
        request.map(Build::Request)
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: CbrainStep, outcome: Outcome<'_>) -> Judged {
        match (outcome, step) {
            (Outcome::Response(response), _) => self.judge(cx, step, response),
            (Outcome::Lost, CbrainStep::Login) => Ask::new(NeedKind::Credentials, NeedReason::Lost).then(step).into(),
            (Outcome::Lost, _) => Verdict::next(step),
        }
    }

    fn probe(&self, state: &CbrainState) -> Option<CbrainStep> {
        state.live.as_ref().map(|_| CbrainStep::Check)
    }

    fn logout(&self, state: &CbrainState) -> Leave<CbrainStep> {
        if state.live.is_some() { Leave::Step(CbrainStep::Logout) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let live = cx.state.live.as_ref().ok_or(Unauthorized::NotReady(None))?;
        parts.headers.insert(AUTHORIZATION, live.token.header("Bearer ")?);
        // A cookie beside the token could answer for another session once the token is dead.
        parts.headers.remove(COOKIE);
        // The portal reads the client's address from these, and another address ends the session permanently.
        for name in wire::ADDRESS {
            parts.headers.remove(name);
        }
        // With `*/*` in the list the portal answers as it does to a browser. Other types are the caller's choice.
        if parts.headers.get(ACCEPT).is_none_or(|accept| accept.to_str().is_ok_and(|list| list.contains("*/*"))) {
            parts.headers.insert(ACCEPT, wire::JSON);
        }
        parts.headers.entry(USER_AGENT).or_insert(AGENT);
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_>, _: &Ticket, response: Response<'_>) -> Observed {
        let required = match response.status {
            StatusCode::UNAUTHORIZED => return Observed::Doubt,
            StatusCode::FOUND => {
                let url = response.header(LOCATION).filter(|url| url.contains("change_password"));
                url.map(|url| (Some(ServerText::new(url)), None))
            }
            // Unsigned licences, or an account that must be linked to an OpenID identity first.
            StatusCode::FORBIDDEN => refusal(response).error.map(|text| (None, Some(ServerText::new(&text)))),
            _ => None,
        };
        if let Some((url, text)) = required {
            cx.tell(Fact::Tell(Event::ActionRequired { url, text }));
        }
        Observed::Nothing
    }
}

impl Adopts for Cbrain {
    /// An API token: from the portal's account page, or from another program on this machine.
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

/// Returns why the portal refuses a request; tells the user where it is the portal's failure.
fn explain(cx: &mut Cx<'_>, response: Response<'_>) -> Option<ServerText> {
    let text = match response.status {
        status if status.is_success() => None,
        StatusCode::SERVICE_UNAVAILABLE => refusal(response).message,
        _ => refusal(response).error,
    };
    let text = ServerText::new(&text?);
    if response.status.is_server_error() {
        cx.tell(Fact::Tell(Event::ServerSays(text.clone())));
    }
    Some(text)
}
