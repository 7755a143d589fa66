//! Neo: an authenticator's code, then the MPIN; a host for each user; a local logout.
//!
//! This is Kotak's present API (since 2025), as in the vendor's third SDK and its help pages.
//!
//! ```
//! use sansession::providers::kotak::Neo;
//! use sansession::{BaseUrl, Machine, Options, Session, Timestamp};
//!
//! let base = BaseUrl::parse("https://mis.kotaksecurities.com")?;
//! let neo = Neo::new(base, "ABC12", "98765 43210")?.dashboard_token("0a1b2c3d-0000-4111-8222-333344445555")?;
//! # let (seed, now) = ([7; 32], Timestamp::from_secs(1_780_000_000));
//! let mut session = Session::new(neo, Options::default(), seed);
//! session.start(now);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Steps
//!
//! | step | request | purpose |
//! |---|---|---|
//! | `login` | `POST /login/1.0/tradeApiLogin` | mobile number, client code and the authenticator's code, for a view token |
//! | `validate` | `POST /login/1.0/tradeApiValidate` | the MPIN, for the trade token and the user's own host |
//! | `probe` | `GET /login/1.0/get-client-ip` | checks whether the session lives: after a resume, and after a suspicious response |
//!
//! # Needs
//!
//! | need | why it may be asked again |
//! |---|---|
//! | [`NeedKind::GatewayToken`] (the dashboard's token), where none is configured | `Refused`, `Expired`: it was regenerated on the dashboard |
//! | [`NeedKind::Totp`] of six digits | `Refused`: wrong, or this machine's clock is off. `Stale`: 30 s passed, or the view token expired. `Lost`: the response was lost |
//! | [`NeedKind::Pin`], the MPIN of six digits | `Refused`: wrong. `Lost` as above. `Stale`: the code had to be given again; the same MPIN is valid |
//!
//! The server accepts a code once in its 30 s, so the next one is asked for with
//! [`fresh_after`](crate::Need::fresh_after). With the feature `totp` a program can compute codes itself
//! (`sansession::totp::code`).
//!
//! # Deadlines
//!
//! A code and an MPIN time out after 30 s, as in the vendor's SDK, a probe after 10 s.
//! The trade token is a JWT. Its `exp` is read without verification (the server issues it for itself)
//! and used as a hint; in the one public sample, from the previous API, it is midnight in India. After it, the
//! session is in doubt and probed with `get-client-ip`. `Wait` says `Expiry`.
//!
//! Whatever the token says, the exchange requires API sessions to end before each trading day
//! (NSE/INVG/67858, May 2025), at no published hour. The session is therefore also probed each day at 08:30 in India (03:00 UTC),
//! half an hour before the exchanges open, once and without being in doubt. `Wait` says `Renewal`. An
//! end later in the morning shows at the first refused call.
//!
//! There is no keepalive, and tokens are not renewed. The pings of the order feed keep the feed open, not the session.
//!
//! # Answers
//!
//! The code that decides; [`At`] and [`Class`] classify a fault, and
//! the second table, shared with the Trade API, gives its consequence:
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
//! | `logged-out`, after `may-live-on` | the logout was local, see below | nothing, or regenerate the dashboard's token |
//! | `logged-out.unconfirmed` | it was ended while a code or the MPIN was in flight, and its response was lost | the same |
//! | `left` | its tokens were [adopted](crate::Session::adopt), so this session does not end them ([`Options::ends`](crate::Options::ends)) | nothing: the tokens are still valid |
//! | `denied.totp`, `denied.pin` | refused, and no other one was given | check clock, authenticator and MPIN |
//! | `denied.gateway-token` | the dashboard's token is not the present one | copy it again, without `Bearer` |
//! | `denied.unanswered` | nobody gave the dashboard's token, the code or the MPIN | provide them |
//! | `denied.rejected` | "Invalid UCC" and other words of the server, or the view token expired twice. 422 ("Invalid request parameters") and 403 ("Forbidden") say nothing about code and MPIN | check client code and number. A 403 without a reason may mean that the address is not allowed |
//! | `denied.locked` | the server says so; the rule for locking is not published | unlock the account on the website first |
//! | `denied.not-entitled` (900908 and others of the gateway's) | the account is not enabled for the API | ask Kotak |
//! | `denied.ip-not-allowed` (100008, 1037) | the address is not listed, or another one than the session's | add it on the dashboard (at most two addresses, one change in 7 days), then log in again |
//! | `expired` (1003, 100022, 900901) | midnight, a new dashboard token, or another login of the account | log in again, or let [`Options::relogin`](crate::Options::relogin) ask |
//! | `protocol` | a base URL outside the provider's domain, or a response that is not Neo's | see host or shape in the reason |
//! | `retries-exhausted` | an outage, a quota for hours, or nobody gave another answer after a lost response, when the answer may have been refused | try later; a person must give an answer that may be wrong |
//!
//! # Hosts
//!
//! The second step names the host of this user's other calls. It is admitted within the provider's domain only
//! (see [`host`]); [`Machine::authorize`](crate::Machine::authorize) directs calls there and refuses others. Without
//! one, calls go to the login host, as with the vendor's SDK (3.0.9), and
//! [`Event::BaseUrlAssumed`] says so.
//!
//! # Moving a session
//!
//! To another process: yes. A session **may not move to another address** if it places orders: since April 2026 they are accepted only
//! from a listed address that opened the session, while reports work from anywhere. A
//! snapshot is therefore resumed only with the same [`Options::egress_label`](crate::Options::egress_label) label. Two refusals are about
//! this, and neither ends the session: 100008 ("unauthorized", the address is not listed) and 1037
//! ("session ip doesnt match", another address opened the session: log in again from this one).
//! [`Event::IpNotAllowed`] reports both. A family of up to ten accounts may share an
//! address.
//!
//! # Logout
//!
//! The logout is local. The API has no call for it, and the vendor's SDK only forgets the token, which **stays valid**
//! at the server until it expires, or until the dashboard's token is regenerated, which ends all sessions of the
//! account. [`Event::MayLiveOn`] says so, and the close reason is a confirmed
//! logout, since nothing else can be done.
//!
//! # Traps
//!
//! - `Authorization` is the dashboard's token without `Bearer` (vendor's SDK and help pages).
//! - Errors have six shapes, some with status 200; 429 in a body with status 200 is "Invalid UCC", not a rate
//!   limit (the vendor's own tests). A real 429 has lasted for hours (an issue of the SDK).
//! - 5203 and 11000 "No Data" are empty lists, not errors (the SDK's README).
//! - Rate limits are per second and per API (25 calls; 10 orders). A 429 holds back that API for the time in
//!   `Retry-After` or `X-RateLimit-Reset`, else for a second, longer each time, and never calls of another API
//!   ([`Event::Limited`]). A 429 to a login step or to `probe` holds back the session's own requests.
//! - The response to a user's own call never ends the session; `probe` is sent first.
//! - The field `kId` is the client's PAN, which identifies a taxpayer. It is a secret in [`wire`](super::wire) and is not stored.
//! - A refused step fails late in other clients: the vendor's earlier SDK ignores a refused first step and fails at the
//!   second (its issues). Here each step reports its own refusal.
//! - Several sessions of one account may be open at once, and orders placed from two of them, one for each listed
//!   address (the vendor's documents; a third party reports that parallel logins end each other).
//!
//! # States
//!
//! The phases and questions, and the transitions between them, generated from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod answers;
mod day;
mod judge;
mod state;
#[cfg(test)]
#[cfg(feature = "sim")]
mod tests;

use http::header::AUTHORIZATION;
use http::request::Parts;

use super::host::{self, Told};
use super::login::{Bearer, Factors, admit_state, bearer_works, follow, protocol};
use super::table::{Next, leads_to};
use super::wire::fault::{At, Class, Fault, neo as find_fault};
use super::wire::jwt;
use super::wire::neo::{App, ClientIp, Data, Granted, Reply, api, authorize, read};
use super::{is_code, mobile, pass_on, sendable, server_text};
use crate::provider::{
    Answers, Ask, Build, Context, Ended, Fact, Given, Identity, Leave, Observed, Outcome, Plan, Provider, Rule, Target,
    Unauthorized, Unbuildable, Verdict, View, When,
};
use crate::{
    BaseUrl, Event, Input, NeedKind, Response, Secret, Ticket, Timestamp,
    machine::{NeedReason, Rejection},
};

pub use self::state::{NeoLive, NeoState, NeoStep, NeoTokens};

use self::state::ViewToken;

type Cx<'a> = Context<'a, NeoState>;
type Judged = Verdict<NeoStep>;
type Built = Result<Build<NeoStep>, Unbuildable>;

/// The number of digits of an authenticator's code and of an MPIN.
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
    /// Creates a provider from the login host (`https://mis.kotaksecurities.com`), the client code and the mobile number
    /// of the account.
    ///
    /// The number may have spaces, dashes, and one of the prefixes `0`, `91`, `0091` or `+91` before its ten digits. A
    /// foreign number begins with its country code.
    ///
    /// # Errors
    /// [`Rejection`] where `ucc` or `mobile` is empty or malformed, which the server would find out only after a code is spent.
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

    /// Sets the dashboard's token (the vendor's SDK calls it consumer key). It is then neither asked for
    /// nor written into snapshots.
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

    /// Returns the next step: asks for what is missing.
    fn go_on(&self, state: &NeoState) -> Judged {
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

impl Provider for Neo {
    type Step = NeoStep;
    type State = NeoState;
    type Live = NeoLive;

    fn identity(&self) -> Identity<'_> {
        Identity::new("kotak-neo", &self.base).account(&self.ucc).binds_ip()
    }

    fn rule(&self, step: NeoStep) -> &Rule {
        step.rule()
    }

    fn open(&self, cx: &mut Cx<'_>, because: NeedReason) -> Judged {
        cx.state.login.begin(because);
        cx.state.view = None;
        self.go_on(cx.state)
    }

    fn admits(&self, state: &NeoState) -> Result<(), &'static str> {
        let view = state.view.iter().flat_map(|view| [&view.token, &view.sid]);
        let live = state.live.iter().flat_map(|live| [&live.token, &live.sid]);
        let host = state.live.as_ref().and_then(|live| live.host.as_ref());
        admit_state(&self.base, host, &state.login, view.chain(live))
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

    fn answered(&self, cx: &mut Cx<'_>, given: &Given<'_, NeoStep>) -> Result<Judged, Rejection> {
        match given.input {
            Input::Token(token) => {
                cx.state.login.bearer = Bearer::given(token)?;
                Ok(self.go_on(cx.state))
            }
            // A wrong length would waste the code's 30 s, or an attempt.
            Input::Totp(code) if !is_code(code.code(), DIGITS) => Err(Rejection::Malformed("totp")),
            Input::Totp(_) => Ok(Verdict::next(NeoStep::Login)),
            Input::Pin(pin) if !is_code(pin.expose(), DIGITS) => Err(Rejection::Malformed("pin")),
            Input::Pin(_) => Ok(Verdict::next(NeoStep::Validate)),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(&self, view: &View<'_, NeoState>, step: NeoStep, answers: &Answers<'_>) -> Built {
        let state = view.state;
        let dashboard_token = self.dashboard(state).ok_or(Unbuildable::Part("dashboard token"))?;
        let app = App { base: &self.base, dashboard_token };
        let request = match step {
            NeoStep::Login => app.login(self.mobile.expose(), &self.ucc, answers.totp()?.code()),
            NeoStep::Validate => {
                let view = state.view.as_ref().ok_or(Unbuildable::Part("view token"))?;
                app.validate(Granted { token: &view.token, sid: &view.sid }, answers.text(NeedKind::Pin)?.expose())
            }
            NeoStep::Probe => app.client_ip(state.live.as_ref().ok_or(Unbuildable::Part("session"))?.granted()),
        };
        request.map(Build::Request)
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: NeoStep, outcome: Outcome<'_>) -> Judged {
        match (outcome, step) {
            (Outcome::Response(response), step) => self.judge(cx, step, response),
            (Outcome::Lost, NeoStep::Login) => Ask::new(NeedKind::Totp, NeedReason::Lost).into(),
            (Outcome::Lost, NeoStep::Validate) => Ask::new(NeedKind::Pin, NeedReason::Lost).into(),
            (Outcome::Lost, NeoStep::Probe) => Verdict::next(step),
        }
    }

    fn probe(&self, state: &NeoState) -> Option<NeoStep> {
        (state.live.is_some() && self.dashboard(state).is_some()).then_some(NeoStep::Probe)
    }

    fn logout(&self, state: &NeoState) -> Leave<NeoStep> {
        if state.live.is_some() { Leave::Abandon } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_>, parts: &mut Parts, _: &[u8]) -> Result<(), Unauthorized> {
        let live = cx.state.live.as_ref().ok_or(Unauthorized::NotReady(None))?;
        authorize(parts, live.granted()).map_err(|_| Unauthorized::NotReady(None))?;
        // Quotes and the scrip master require this one; the vendor's collection sends it with orders too.
        if let Some(dashboard) = self.dashboard(cx.state).and_then(|token| token.header("").ok()) {
            parts.headers.insert(AUTHORIZATION, dashboard);
        }
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_>, _: &Ticket, response: Response<'_>) -> Observed {
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
        let base = state.live.as_ref().and_then(|live| live.host.as_ref()).map_or(&self.base, Told::base);
        Target { api: Some(api(path)), ..Target::new(base) }
    }
}
