//! The Client Portal Gateway: a program on the user's machine, with a login in a browser and two tiers.
//!
//! ```
//! use sansession::providers::ibkr::{Expect, Gateway, Region, Takeover};
//! use sansession::{BaseUrl, Machine, Options, Session, Timestamp};
//!
//! let gateway = Gateway::new(&BaseUrl::parse("https://localhost:5000/v1/api")?)?
//!     .region(Region::Zug)
//!     .takeover(Takeover::ALWAYS)
//!     .expect(Expect { user: None, paper: Some(true) });
//! # let (seed, now) = ([7; 32], Timestamp::from_secs(1_780_000_000));
//! let mut session = Session::new(gateway, Options::default(), seed);
//! session.start(now);
//! # Ok::<(), sansession::UrlError>(())
//! ```
//!
//! # Steps
//!
//! | step | request | when |
//! |---|---|---|
//! | look | `POST iserver/auth/status` | at the opening, and each minute while there is no brokerage session; every 2 s while it is being established, every 10 s after thirty checks |
//! | watch | the same | while a person logs in: every 3 s for five minutes, every 15 s later |
//! | validate | `GET sso/validate` | before anything is opened if [`Expect`] is set; when the login is in doubt; a minute after the opening, for the user's name; every five minutes while a person logs in and the flags leave it open. At least 65 s apart, since one a minute is allowed |
//! | accounts | `GET iserver/accounts` | where a kind of account is expected and the login does not name its own |
//! | init | `POST iserver/auth/ssodh/init`, `compete:false` | where the login lives and there is no brokerage session: at most once a minute, slowing down to once in 30 minutes, and at that pace after a hundred inits in a day; the pace is reset when `connected` returns |
//! | take-over | the same, `compete:true` | as [`Takeover`] allows, or with the owner's consent |
//! | tickle | `POST tickle` | a second after the opening, and every 60 s. Its flags are checked, so a lost session is found within a minute |
//! | status | `POST iserver/auth/status` | on [`Machine::check`](crate::Machine::check), after a refused user's own call, five seconds after midnight, and where a tickle has no flags or is empty, as in two older specifications. By GET where a gateway refuses the POST |
//! | logout | `POST logout` | ends both tiers, and so the person's login: only if a person logged in because this session asked, in any process, or with [`Ends::Always`](crate::machine::Ends::Always) |
//!
//! All flags together decide the next step, see [`BrokerageState`](super::BrokerageState). A live session that is found is used
//! as it is, and left open at the end.
//!
//! # Needs
//!
//! - [`NeedKind::Browser`]: nobody is logged in, because of `Opening`, of the nightly `Reset` or, with
//!   [`Options::relogin`](crate::Options::relogin), because the login `Expired`. Show a person [`Need::url`](crate::Need::url); the browser must run on the
//!   gateway's machine. The session continues automatically after the login. If the flags stay false, it
//!   finds out within five minutes by `sso/validate`, or as soon as [`Input::Done`](crate::Input::Done) is given.
//! - [`NeedKind::Takeover`], under [`Takeover::Ask`]: another client holds the brokerage session, or the server requires the compete
//!   flag although no other client is known. [`Input::TakeOver`](crate::Input::TakeOver) throws that client out, once; without an
//!   answer the session continues when the other client has left. The same input may be given at any time with
//!   [`NeedId::UNSOLICITED`](crate::NeedId::UNSOLICITED): it is stored until it is used, the login ends, or the brokerage session becomes
//!   usable without it. Snapshots include it; with [`Options::durable`](crate::Options::durable) it is used once,
//!   whenever the process dies.
//!
//! # Deadlines
//!
//! - Requests time out after 12 s: IBKR itself aborts after 10 s with 503.
//! - Five minutes without an answered tickle put the session in doubt. IBKR's page says in one place that a session expires after
//!   five idle minutes, in another after six. The user's other calls never delay a tickle, since it is not known whether
//!   they count.
//! - A user's own `tickle` or `sso/validate` counts as the session's: its response is used, and the session's own one
//!   waits, since the limits of one a second and one a minute are per address. Pass the body to
//!   [`observe`](crate::Machine::observe), too. A call right after the session's own is at the user's risk.
//! - Midnight of the [`Region`] ends sessions, and a login lasts 24 hours at most (on a day of 25 it ends before midnight).
//!   Both are reported as [`Event::Reset`](crate::Event::Reset) and are not failures: an init follows, or a need because of the
//!   reset. A login that ends within half an hour before midnight counts as reset, too. Maintenance after midnight has been seen to
//!   last five to ten minutes, sometimes an hour late.
//! - 429 is a penalty box for the whole address, of 15 minutes (newer texts say 10) unless a `Retry-After` names its
//!   length: neither the session nor the user sends anything meanwhile. A 429 to the user's own calls counts, too.
//!   [`Status::penalty`](crate::Status::penalty) and the refused calls name its end.
//! - `ssoExpires` and `EXPIRES` are information only: the counter of ten minutes renews itself near zero.
//!
//! # Events
//!
//! - [`Event::SettingsLost`](crate::Event::SettingsLost): a new brokerage session began. Call `/iserver/accounts` before other
//!   `/iserver` calls, which otherwise get 400, and repeat per-session settings, such as suppressed
//!   questions.
//! - [`Event::Stuck`](crate::Event::Stuck): the login lives and no init opens the brokerage session, for hours in some reports.
//!   Log in again in the browser, or restart the gateway; inits continue at their pace, and
//!   [`Options::open_patience`](crate::Options::open_patience) limits how long.
//! - [`Event::Suspect`](crate::Event::Suspect): for example after a tickle that says `no session` or 401. Calls to
//!   `/iserver` are refused until a check, which follows at once, succeeds.
//! - [`Event::Rival`](crate::Event::Rival): another client holds the brokerage session. Meanwhile calls outside of `/iserver`
//!   (such as `/portfolio`) may be authorized; others are
//!   [`NotReady`](crate::AuthorizeError::NotReady) with the tier `brokerage`.
//!
//! # Answers
//!
//! The flags of a status, a tickle and an init decide by [`BrokerageState`](super::BrokerageState). An error decides by this
//! function, with [`Refusal`](super::Refusal) and [`Call`]:
//!
//! ```ignore
#![doc = include_str!("../inner/table.rs")]
//! ```
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the gateway confirmed it, nobody was logged in any more, or no login had been found | nothing |
//! | `logged-out.unconfirmed` | no response for [`logout_patience`](crate::Options::logout_patience), or a longer penalty box | the brokerage session expires in minutes; log out in the browser to end the login, too |
//! | `left` | the login was there before, so this session does not end it ([`Options::ends`](crate::Options::ends)) | nothing: the person's login lives on, and the brokerage session expires in minutes |
//! | `expired` | the login ended during the day, confirmed by two responses | start again, or set [`Options::relogin`](crate::Options::relogin) |
//! | `rival` | another client holds the brokerage session, and a takeover is not allowed or was declined | ask the owner, who may log the other client out, or allow a takeover |
//! | `denied.unanswered` | the driver gave up on the login in the browser | log in at [`Need::url`](crate::Need::url) |
//! | `denied.wrong-account` | the login is not the expected one ([`Expect`]) | log out in the browser and log in as the expected user; nothing was done with the wrong login |
//! | `denied.ip-not-allowed` | 403 (404 from older gateways) with IBKR's text, before any other response | allow this address in the gateway's `conf.yaml`; addresses of data centres may be refused at the edge |
//! | `protocol` | the server at the opening is not IBKR's | inspect the shape: another program on the port (AirPlay of macOS uses 5000), a wrong path |
//! | `retries-exhausted` | no gateway runs there, its certificate is not the pinned one, or IBKR is down | start it, check the certificate, or try later |
//!
//! An outage never ends an open session: the session becomes suspect and keeps retrying.
//!
//! # Traps
//!
//! - HTTP 200 proves nothing: a refused init is `passed:false`, or a text in `fail`, with `competing:false`, and the other
//!   client's session goes on (seen by a probe with the desktop program logged in).
//! - `established:false` with all other flags true: calls return empty data instead of errors. Another init would restart it.
//! - 401 may concern the brokerage session alone while `/portfolio` still works; only a second response, from `sso/validate`,
//!   proves that nobody is logged in. Other clients send a person to the browser needlessly.
//! - `sso/validate` still succeeds for a while after a logout, so it does not prove a brokerage session.
//! - One tickle in fifteen is reported to fail. It is retried after a second or two.
//! - A CIDR mask in `conf.yaml` makes a gateway answer 500 to everything (a client's issue): list single addresses there.
//! - An init each minute for hours made a gateway refuse new logins.
//! - A program that starts twice within a minute and sets [`Expect`] calls `sso/validate` twice: resume it from its
//!   snapshot, which stores the time of the last call.
//! - The edge answers 403 without a `User-Agent` and 411 to a POST without a length; both are set on the user's calls,
//!   as is `Accept: application/json`, which the specification has for every operation.
//! - In the official specification status, tickle, reauthenticate and logout have no body, and a validating server
//!   answers 415 to a `{}`: they are sent with `Content-Length: 0` and no type, as by other clients.
//! - A call with another `Origin` than the gateway's own is refused with 401, as is one with unknown
//!   cookies (a client's source): send no cookies. A foreign `Origin` or `Referer` is removed from the user's calls.
//! - In some configurations a POST without the gateway's own `Origin` gets 401, too, as from a gateway where nobody is
//!   logged in (a client's source). An opening that gets 401 therefore retries once with it, checks alternate while a person
//!   logs in, and the form that is accepted is used from then on, for the user's calls, too.
//! - A redirect to `/sso/Login` means that nobody is logged in.
//! - The stream needs a `tic` from the client once a minute, which keeps the stream open, not the session;
//!   the stream does not always report that a session is back (a client's issues). Pass its frames to
//!   [`Session::observe_stream`](crate::Session::observe_stream).
//! - The published times of maintenance have the wrong sign in UTC; it begins at the region's midnight.
//!
//! # Moving a session
//!
//! The gateway holds cookies and tokens, so a snapshot contains only the stream's key and may be resumed in another
//! process and on another machine that reaches the same gateway. The gateway itself must not move: the person's
//! login is bound to it, and a change of its address is reported to end the login.
//!
//! # States
//!
//! The phases and questions, and the transitions between them, generated from a walk through all states:
//!
#![doc = include_str!("states.md")]

mod judge;
mod origin;
mod state;
mod step;
mod stream;

use core::time::Duration;

use http::request::Parts;

pub use state::GatewayState;
pub use step::GatewayStep;

use super::inner::{Call, Judge, Live, Outer, Settings, setters};
use super::wire::Endpoints;
use super::{Expect, Region, Takeover};
#[cfg(doc)]
use crate::CloseReason;
use crate::provider::{
    Adopts, Answers, Build, Context, Ended, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target,
    Unauthorized, Unbuildable, Verdict, View,
};
use crate::{
    BaseUrl, NeedKind, Response, Ticket, UrlError,
    machine::{NeedReason, Rejection},
};

type Cx<'a> = Context<'a, GatewayState>;
type Judged = Verdict<GatewayStep>;
type Built = Result<Build<GatewayStep>, Unbuildable>;

/// The Client Portal Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    api: Endpoints,
    settings: Settings,
}

impl Gateway {
    /// Creates a provider from the gateway's base URL, such as `https://localhost:5000/v1/api`, or `/v1/portal` for its older alias.
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        Ok(Self { api: Endpoints::new(base)?, settings: Settings::default() })
    }

    /// Sets the expected account.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.settings.expect = expect;
        self
    }
}

setters!(Gateway);

impl Provider for Gateway {
    type Step = GatewayStep;
    type State = GatewayState;
    type Live = Live;

    fn identity(&self) -> Identity<'_> {
        let account = self.settings.expect.user.as_deref();
        Identity { account, ..Identity::new("ibkr-gateway", self.api.base()) }
    }

    fn rule(&self, step: GatewayStep) -> &Rule {
        step.rule()
    }

    fn open(&self, cx: &mut Cx<'_>, because: NeedReason) -> Judged {
        cx.state.because = Some(because);
        cx.state.origin.begin();
        cx.state.inner.brokerage.note_midnight(cx.now, self.settings.region);
        Verdict::next(Call::Look.into())
    }

    fn live<'a>(&self, state: &'a GatewayState) -> Option<&'a Live> {
        state.inner.live.as_ref()
    }

    fn forget(&self, state: &mut GatewayState, ended: Ended) {
        match ended {
            Ended::Expired => {
                state.end_login();
                state.asked = None;
                state.done = false;
            }
            Ended::Closed => *state = GatewayState::default(),
        }
    }

    fn answered(&self, cx: &mut Cx<'_>, given: &Given<'_, GatewayStep>) -> Result<Judged, Rejection> {
        match given.kind {
            // The person says that the login is done, so the outer tier is checked as soon as the rate limit allows.
            NeedKind::Browser => {
                cx.state.done = cx.state.is_denied(cx.now);
                Ok(Verdict::next(if cx.state.done { GatewayStep::PollLogin } else { Call::Validate.into() }))
            }
            NeedKind::Takeover => Ok(Judge::new(self, cx).consented()),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn left(&self, cx: &mut Cx<'_>, step: GatewayStep) {
        self.note_leaving(cx, step.call());
    }

    fn request(&self, view: &View<'_, GatewayState>, step: GatewayStep, _: &Answers<'_>) -> Built {
        let mut request = step.call().request(&self.api, view.state.inner.by_get);
        let method = request.method().clone();
        view.state.origin.put(&method, self.api.base(), request.headers_mut());
        Ok(request.into())
    }

    fn interpret(&self, cx: &mut Cx<'_>, step: GatewayStep, outcome: Outcome<'_>) -> Judged {
        match outcome {
            Outcome::Response(response) => self.judge(cx, step, response),
            Outcome::Lost => Verdict::next(Call::Look.into()),
        }
    }

    fn probe(&self, state: &GatewayState) -> Option<GatewayStep> {
        Some(if state.asked.is_some() { GatewayStep::PollLogin } else { state.inner.probe().into() })
    }

    fn logout(&self, state: &GatewayState) -> Leave<GatewayStep> {
        // The login may belong to somebody else.
        if state.identified { Leave::Step(Call::Logout.into()) } else { Leave::Nothing }
    }

    fn authorize(&self, cx: &mut Cx<'_>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        self.lets_through(cx.state, parts, body)?;
        origin::drop_foreign(self.api.base(), &mut parts.headers);
        cx.state.origin.put(&parts.method, self.api.base(), &mut parts.headers);
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_>, _: &Ticket, response: Response<'_>) -> Observed {
        Judge::new(self, cx).observed(response)
    }

    fn target<'a>(&'a self, _: &'a GatewayState, path: &str) -> Target<'a, GatewayStep> {
        self.goes_to(self.api.base(), path)
    }
}

impl Adopts for Gateway {
    /// Nothing: the gateway holds the tokens, and every opening checks first for a login.
    type Tokens = ();

    fn adopt(&self, (): ()) -> Result<GatewayState, Rejection> {
        Ok(GatewayState::default())
    }
}
