//! The Client Portal Gateway: a program on the user's machine, a person's login in a browser, two tiers.
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
//! | look | `POST iserver/auth/status` | at the opening, and each minute while the inner tier is not there; each 2 s while it is being established, each 10 s after thirty of these |
//! | watch | the same | while a person logs in: each 3 s for five minutes, each 15 s later |
//! | validate | `GET sso/validate` | before anything is opened where [`Expect`] has a wish; against a doubt; to learn the user's name a minute after the opening; each five minutes while a person logs in and the flags leave open whether that has happened. At least 65 s apart: one a minute is allowed |
//! | accounts | `GET iserver/accounts` | where a kind of account is expected and the login does not tell its own |
//! | init | `POST iserver/auth/ssodh/init`, `compete:false` | where the login lives and the inner tier does not: at most each minute, slowing down to each half hour, and no faster than that after a hundred times a day; the pace starts anew when `connected` comes back |
//! | take-over | the same, `compete:true` | by [`Takeover`], or by the owner's word |
//! | tickle | `POST tickle` | a second after the opening, and each 60 s. Its flags are looked at, so a loss is known within a minute |
//! | status | `POST iserver/auth/status` | on [`Machine::check`](crate::Machine::check), after a call of the user's own that was refused, five seconds after midnight, where a tickle has no flags or is empty, which two older specifications have. By GET where a gateway refuses the POST |
//! | logout | `POST logout` | ends both tiers, and with them the person's login: only where a person logged in because this session asked, in any process that has had it, or with [`Ends::Always`](crate::machine::Ends::Always) |
//!
//! The flags decide together what follows, see [`BrokerageState`](super::BrokerageState). A session that is found
//! living is taken up as it is, and left as it is in the end.
//!
//! # Needs
//!
//! - [`NeedKind::Browser`]: nobody is logged in, because of `Opening`, of the nightly `Reset` or, with
//!   [`Options::relogin`](crate::Options::relogin), because the login `Expired`. Show a person [`Need::url`](crate::Need::url); the browser must run on the
//!   gateway's own machine. The session goes on by itself. Where the flags stay false although somebody has logged in, it
//!   finds out within five minutes, by `sso/validate`, or as soon as [`Input::Done`](crate::Input::Done) says so.
//! - [`NeedKind::Takeover`], under [`Takeover::Ask`]: another client holds the inner tier, or the server wants the compete
//!   flag although nobody is known to hold it. [`Input::TakeOver`](crate::Input::TakeOver) throws it out, once; without an answer the session
//!   goes on when the other client has left. The same word may be given at any time under
//!   [`NeedId::UNSOLICITED`](crate::NeedId::UNSOLICITED): it is kept until it is used, the login ends, or the inner tier becomes
//!   usable without it. Snapshots have it; with [`Options::durable`](crate::Options::durable) it is used once,
//!   whenever the process dies.
//!
//! # Deadlines
//!
//! - Each answer has 12 s: IBKR itself gives up after 10 and says 503.
//! - Five minutes without an answered tickle raise a doubt. The page says in one place that a session idles out after
//!   five minutes, in another after six. Other calls of the user's own never put a tickle off: nobody knows whether
//!   they count.
//! - A `tickle` or `sso/validate` of the user's own is one of the session's: it reads what that got, and keeps its own at
//!   a distance, since the limits of one a second and one a minute are those of the address. Give
//!   [`observe`](crate::Machine::observe) the body, too. A call right after the session's own is the user's risk.
//! - Midnight of the [`Region`] ends sessions, and a login lasts 24 hours at most (on a day of 25 it ends before midnight).
//!   Both are told as [`Event::Reset`](crate::Event::Reset) and are no failure: an init follows, or a need because of the
//!   reset. Logins that end within half an hour before midnight are part of it, too. Maintenance after midnight was seen to
//!   last five to ten minutes, sometimes an hour late.
//! - 429 is a penalty box for the whole address, of 15 minutes (newer texts say 10) unless a `Retry-After` names its
//!   length: neither the session nor the user's calls send anything meanwhile. The user's own 429s count too.
//!   [`Status::penalty`](crate::Status::penalty) and the refused calls tell its end.
//! - `ssoExpires` and `EXPIRES` are information only: the counter of ten minutes renews itself near zero.
//!
//! # Events
//!
//! - [`Event::SettingsLost`](crate::Event::SettingsLost): a new inner session began. Ask `/iserver/accounts` before other
//!   `/iserver` calls, which are answered with 400 otherwise, and send again what was set per session, such as suppressed
//!   questions.
//! - [`Event::Stuck`](crate::Event::Stuck): the login lives and no init opens the inner tier, for hours as was reported.
//!   Log in anew in the browser, or restart the gateway; inits go on at their pace, and
//!   [`Options::open_patience`](crate::Options::open_patience) gives such a session up.
//! - [`Event::Suspect`](crate::Event::Suspect): among others for a tickle that says `no session` or 401. Calls to
//!   `/iserver` are refused until a look, which follows at once, says otherwise.
//! - [`Event::Rival`](crate::Event::Rival): another client has the inner tier. Meanwhile calls outside of `/iserver`
//!   (`/portfolio` and the like) may be authorized, others are
//!   [`NotReady`](crate::AuthorizeError::NotReady) with the tier `brokerage`.
//!
//! # Why it closed, and what to do
//!
//! | [code](crate::CloseReason::code) | what happened | what to do |
//! |---|---|---|
//! | `logged-out` | the gateway confirmed it, nobody was logged in any more, or no login had been found yet | nothing |
//! | `logged-out.unconfirmed` | no answer for [`logout_patience`](crate::Options::logout_patience), or a penalty box that lasts longer | the inner session idles out in minutes; log out in the browser to end the login, too |
//! | `left` | the login was found living, so it is not this session's to end ([`Options::ends`](crate::Options::ends)) | nothing: the person's login lives on, and the inner session in it idles out in minutes |
//! | `expired` | the login ended in the middle of the day, by the word of two answers | start anew, or set [`Options::relogin`](crate::Options::relogin) |
//! | `rival` | another client holds the inner tier, and may not be thrown out or nobody wanted to say so | ask the owner, who may log the other client out, or allow a takeover |
//! | `denied.unanswered` | the driver gave the login in the browser up | log in at [`Need::url`](crate::Need::url) |
//! | `denied.wrong-account` | the login is not the one of [`Expect`] | log out in the browser and log in as the expected user; nothing was done with the wrong one |
//! | `denied.ip-not-allowed` | 403, or 404 of older gateways, in IBKR's words, before anything else had come | allow this address in the gateway's `conf.yaml`; those of data centres may be refused at the edge |
//! | `protocol` | what was found at the opening is not IBKR's | the shape tells what: another program on the port (AirPlay of macOS has 5000), a wrong path |
//! | `retries-exhausted` | no gateway runs there, its certificate is not the pinned one, or IBKR is down | start it, see the certificate, or try later |
//!
//! An open session is ended by none of the outages: it becomes suspect and is looked after.
//!
//! # Traps
//!
//! - HTTP 200 says nothing: a refused init is `passed:false`, or a text in `fail`, with `competing:false`, and the other
//!   client's session goes on (seen by a probe with the desktop program logged in).
//! - `established:false` with all else true: calls answer empty data instead of errors. Another init would begin it anew.
//! - 401 may be about the inner tier alone while `/portfolio` still answers; only a second answer, of `sso/validate`,
//!   proves that nobody is logged in. Public clients log in again, and send a person to the browser for nothing.
//! - `sso/validate` still answers for a while after a logout, so it proves no inner session.
//! - One tickle in fifteen was reported to fail. It is tried again after a second or two.
//! - A CIDR mask in `conf.yaml` makes a gateway answer 500 to everything (a client's issue): name single addresses there.
//! - An init each minute for hours made a gateway refuse fresh logins.
//! - A program that is started twice within a minute and has expectations asks `sso/validate` twice: resume it from its
//!   snapshot, which remembers when it was asked.
//! - The edge answers 403 without a `User-Agent` and 411 to a POST without a length; both are put on the user's calls,
//!   and so is `Accept: application/json`, which the specification has for every operation.
//! - The official specification has no body for status, tickle, reauthenticate and logout, and a server that validates
//!   by it answers 415 to a `{}`: these leave with `Content-Length: 0` and no type, as public clients send them.
//! - A call with another `Origin` than the gateway's own is refused with 401, as is one with cookies that it does
//!   not know (a client's source): send no cookies. A foreign `Origin` or `Referer` of the user's calls is dropped.
//! - In some configurations a POST without the gateway's own `Origin` gets 401, too, as from a gateway where nobody is
//!   logged in (a client's source). So an opening that gets 401 asks once more with it, looks take turns while a person
//!   logs in, and what was answered is kept to, for the user's calls, too.
//! - A redirect to `/sso/Login` means that nobody is logged in.
//! - The stream needs a word of the client's own once a minute, `tic`, which keeps the stream open and not the session;
//!   that a session is back is not always told there (a client's issues). Feed what comes to
//!   [`Session::observe_stream`](crate::Session::observe_stream).
//! - The published times of maintenance are wrong by their sign in UTC; it begins at the region's midnight.
//!
//! # Moving a session
//!
//! The gateway holds cookies and tokens, so a snapshot has no more than the stream's key, and may be resumed in another
//! process and on another machine that reaches the same gateway. The gateway itself must stay where it is: the person's
//! login is bound to it, and a changed address of it was reported to end the login.
//!
//! # States
//!
//! The phases and questions, and what leads from one to another, drawn from a walk through all states:
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

use super::inner::{Call, Judge, Live, Outer, Settings};
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

/// The Client Portal Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    api: Endpoints,
    settings: Settings,
}

impl Gateway {
    /// Takes the gateway's base URL, such as `https://localhost:5000/v1/api`, or `/v1/portal` for its older alias.
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        Ok(Self { api: Endpoints::new(base)?, settings: Settings::default() })
    }

    /// Sets the region whose midnight ends all sessions; New York otherwise.
    #[must_use]
    pub fn region(mut self, region: Region) -> Self {
        self.settings.region = region;
        self
    }

    /// Sets whether another client may be thrown out; a need asks otherwise.
    #[must_use]
    pub fn takeover(mut self, takeover: Takeover) -> Self {
        self.settings.takeover = takeover;
        self
    }

    /// Sets the account that the session must be of.
    #[must_use]
    pub fn expect(mut self, expect: Expect) -> Self {
        self.settings.expect = expect;
        self
    }

    /// Sets how often the session is kept alive, from 1.1 s, since more than one tickle a second is
    /// punished, to 4 min; every 60 s otherwise, which is IBKR's own advice.
    #[must_use]
    pub fn keepalive(mut self, every: Duration) -> Self {
        self.settings.set_tickle(every);
        self
    }
}

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

    fn open(&self, cx: &mut Context<'_, GatewayState>, because: NeedReason) -> Verdict<GatewayStep> {
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

    fn answered(
        &self,
        cx: &mut Context<'_, GatewayState>,
        given: &Given<'_, GatewayStep>,
    ) -> Result<Verdict<GatewayStep>, Rejection> {
        match given.kind {
            // A word of the person is worth asking the outer tier itself, as soon as it may be asked.
            NeedKind::Browser => {
                cx.state.done = cx.state.is_denied(cx.now);
                Ok(Verdict::next(if cx.state.done { GatewayStep::Watch } else { Call::Validate.into() }))
            }
            NeedKind::Takeover => Ok(Judge::new(self, cx).consented()),
            _ => Err(Rejection::WrongKind),
        }
    }

    fn left(&self, cx: &mut Context<'_, GatewayState>, step: GatewayStep) {
        self.note_leaving(cx, step.call());
    }

    fn request(
        &self,
        view: &View<'_, GatewayState>,
        step: GatewayStep,
        _: &Answers<'_>,
    ) -> Result<Build<GatewayStep>, Unbuildable> {
        let mut request = step.call().request(&self.api, view.state.inner.by_get);
        let method = request.method().clone();
        view.state.origin.put(&method, self.api.base(), request.headers_mut());
        Ok(request.into())
    }

    fn interpret(
        &self,
        cx: &mut Context<'_, GatewayState>,
        step: GatewayStep,
        outcome: Outcome<'_>,
    ) -> Verdict<GatewayStep> {
        match outcome {
            Outcome::Response(response) => self.judge(cx, step, response),
            Outcome::Lost => Verdict::next(Call::Look.into()),
        }
    }

    fn probe(&self, state: &GatewayState) -> Option<GatewayStep> {
        Some(if state.asked.is_some() { GatewayStep::Watch } else { state.inner.probe().into() })
    }

    fn logout(&self, state: &GatewayState) -> Leave<GatewayStep> {
        // A login that may be somebody else's is left alone.
        if state.identified { Leave::Step(Call::Logout.into()) } else { Leave::Nothing }
    }

    fn authorize(
        &self,
        cx: &mut Context<'_, GatewayState>,
        parts: &mut Parts,
        body: &[u8],
    ) -> Result<(), Unauthorized> {
        self.lets_through(cx.state, parts, body)?;
        origin::drop_foreign(self.api.base(), &mut parts.headers);
        cx.state.origin.put(&parts.method, self.api.base(), &mut parts.headers);
        Ok(())
    }

    fn observe(&self, cx: &mut Context<'_, GatewayState>, _: &Ticket, response: Response<'_>) -> Observed {
        Judge::new(self, cx).observed(response)
    }

    fn target<'a>(&'a self, _: &'a GatewayState, path: &str) -> Target<'a, GatewayStep> {
        self.goes_to(self.api.base(), path)
    }
}

impl Adopts for Gateway {
    /// Nothing: the gateway holds the tokens, and every opening looks first what is there.
    type Tokens = ();

    fn adopt(&self, (): ()) -> Result<GatewayState, Rejection> {
        Ok(GatewayState::default())
    }
}
