//! The Client Portal Gateway: a program on the user's machine, a person's login in a browser, two tiers.

use core::time::Duration;

use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use serde::{Deserialize, Serialize};

use super::account::{Expect, is_paper};
use super::brokerage::{Brokerage, LOOK, Move};
use super::wire::{Accounts, Endpoints, Init, Logout, LogoutOutcome, Status, Tickle, Validate};
use super::{Refusal, Region, Standing, Takeover, Tier, wire};
use crate::provider::{
    Ask, Cx, Fact, Identity, Observed, Provider, Replay, Rule, Spent, Step, Unauthorized, Unbuildable, Verdict, When,
};
use crate::{
    Backoff, BaseUrl, Because, CloseReason, Denial, Event, Input, NeedKind, Phase, Rejection, Response, Secret, Ticket,
    Timestamp, UrlError,
};

/// How often the session is kept alive: IBKR's page says about once a minute, and at most every 5.
const TICKLE: Duration = Duration::from_secs(60);

/// After so long without a tickle the brokerage session may be gone: the page says 5 minutes and 6.
const IDLE: Duration = Duration::from_secs(5 * 60);

/// How often a person's login in a browser is looked for.
const BROWSER: Duration = Duration::from_secs(3);

/// How long a 429 keeps the address in the penalty box: IBKR's page says 15 minutes, newer texts 10.
pub(super) const PENALTY: Duration = Duration::from_secs(15 * 60);

/// How long an answer of `sso/validate` is believed; it may be asked once a minute.
const BELIEVED: Duration = Duration::from_secs(90);

/// The Client Portal Gateway.
#[derive(Clone, Debug)]
pub struct Gateway {
    api: Endpoints,
    login_page: std::sync::Arc<str>,
    region: Region,
    takeover: Takeover,
    expect: Expect,
    tickle: Duration,
}

impl Gateway {
    /// Takes the gateway's base URL, such as `https://localhost:5000/v1/api`, or `/v1/portal` for its older alias.
    ///
    /// # Errors
    /// [`UrlError`] where the base's path has characters that no URL may have.
    pub fn new(base: &BaseUrl) -> Result<Self, UrlError> {
        let api = Endpoints::new(base)?;
        let login_page = api.login_page().to_string().into();
        Ok(Self {
            api,
            login_page,
            region: Region::default(),
            takeover: Takeover::default(),
            expect: Expect::default(),
            tickle: TICKLE,
        })
    }

    /// Sets the region whose midnight ends all sessions; New York otherwise.
    #[must_use]
    pub fn region(self, region: Region) -> Self {
        Self { region, ..self }
    }

    /// Sets whether another client may be thrown out; a need asks otherwise.
    #[must_use]
    pub fn takeover(self, takeover: Takeover) -> Self {
        Self { takeover, ..self }
    }

    /// Sets the account that the session must be of.
    #[must_use]
    pub fn expect(self, expect: Expect) -> Self {
        Self { expect, ..self }
    }

    /// Sets how often the session is kept alive, for tests; every 60 s otherwise.
    #[must_use]
    pub fn tickle(self, every: Duration) -> Self {
        Self { tickle: every, ..self }
    }

    /// Makes sense of flags, wherever they came from.
    fn weigh(&self, cx: &mut Cx<'_, GatewayState>, status: &Status<'_>, standing: Standing) -> Verdict<GatewayStep> {
        let now = cx.now;
        let sso = cx.state.is_sso_alive(now);
        let midnight = cx.state.brokerage.note_midnight(now, self.region);
        let mut told = None;
        let next = cx.state.brokerage.weigh(now, self.takeover, status, standing, sso, &mut |event| told = Some(event));
        if midnight {
            cx.state.reset_at = Some(now);
            cx.tell(Fact::Tell(Event::Reset));
        }
        if let Some(event) = told {
            cx.tell(Fact::Tell(event));
        }
        self.follow(cx, next)
    }

    fn follow(&self, cx: &mut Cx<'_, GatewayState>, next: Move) -> Verdict<GatewayStep> {
        match next {
            Move::Use => self.admit(cx),
            Move::Look(after) => Verdict::Next { step: GatewayStep::Look, after },
            // While a person logs in, the status alone is looked at: sso/validate has its limit.
            Move::CheckSso if cx.state.browser => {
                let because = cx.state.because.unwrap_or(Because::Opening);
                self.ask_for_browser(cx, because)
            }
            Move::CheckSso => Verdict::next(GatewayStep::Validate),
            Move::Init => Verdict::next(GatewayStep::Init),
            Move::TakeOver => Verdict::next(GatewayStep::TakeOver),
            Move::Ask => Ask::new(NeedKind::Takeover, Because::Rival).poll(GatewayStep::Look, LOOK).into(),
            Move::Yield => Verdict::Close(CloseReason::Rival),
            Move::Puzzle => Verdict::Unreadable("the flags of a brokerage session are missing"),
        }
    }

    /// The brokerage session is usable: is it the expected account's?
    fn admit(&self, cx: &mut Cx<'_, GatewayState>) -> Verdict<GatewayStep> {
        let Some(live) = &cx.state.live else { return Verdict::next(GatewayStep::Validate) };
        match self.expect.admits_kind(live.paper) {
            Some(true) => {}
            Some(false) => return Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            // Some answers lack the kind of the login; the list of accounts has it.
            None => return Verdict::next(GatewayStep::Accounts),
        }
        let midnight = cx.state.brokerage.midnight;
        Verdict::Active {
            keepalive: Some((GatewayStep::Tickle, self.tickle)),
            renew: midnight.map(|midnight| (GatewayStep::Status, When::At(midnight + Duration::from_secs(5)))),
            expires: Some(When::In(IDLE)),
        }
    }

    fn validated(&self, cx: &mut Cx<'_, GatewayState>, response: Response<'_>) -> Verdict<GatewayStep> {
        let Some(validate) = crate::wire::json::<Validate<'_>>(response.body) else {
            return Verdict::Unreadable("sso/validate answers with a JSON object");
        };
        match validate.result {
            Some(true) => {}
            Some(false) => return self.sso_is_dead(cx),
            None => return Verdict::Unreadable("sso/validate answers with RESULT"),
        }
        if !self.expect.admits_user(&validate) {
            return Verdict::Close(CloseReason::Denied(Denial::WrongAccount));
        }
        let live = cx.state.live.get_or_insert_default();
        live.user_id = validate.user_id;
        live.user = validate.user_name.as_deref().map(str::to_owned);
        live.paper = is_paper(&validate).or(live.paper);
        cx.state.validated = Some(cx.now);
        cx.state.browser = false;
        cx.tell(Fact::Usable(true));
        if cx.state.brokerage.ready {
            return self.admit(cx);
        }
        Verdict::next(GatewayStep::Look)
    }

    fn counted(&self, cx: &mut Cx<'_, GatewayState>, response: Response<'_>) -> Verdict<GatewayStep> {
        let paper = crate::wire::json::<Accounts<'_>>(response.body).and_then(|accounts| accounts.is_paper);
        match (paper, &mut cx.state.live) {
            (Some(paper), Some(live)) => {
                live.paper = Some(paper);
                self.admit(cx)
            }
            (None, Some(_)) => Verdict::Close(CloseReason::Denied(Denial::WrongAccount)),
            (_, None) => Verdict::next(GatewayStep::Validate),
        }
    }

    /// Nobody is logged in at the gateway (any more).
    fn sso_is_dead(&self, cx: &mut Cx<'_, GatewayState>) -> Verdict<GatewayStep> {
        let was_alive = cx.state.live.take().is_some();
        cx.state.validated = None;
        cx.state.brokerage.ready = false;
        let midnight = cx.state.brokerage.note_midnight(cx.now, self.region);
        if midnight {
            cx.state.reset_at = Some(cx.now);
            cx.tell(Fact::Tell(Event::Reset));
        }
        if was_alive {
            cx.tell(Fact::NewTokens);
        }
        let reset = cx.state.reset_at.is_some_and(|at| cx.now.since(at) < RESET);
        if was_alive && !reset {
            return Verdict::Dead { proof: "nobody is logged in at the gateway" };
        }
        let because = if reset { Because::Reset } else { cx.state.because.unwrap_or(Because::Opening) };
        self.ask_for_browser(cx, because)
    }

    fn ask_for_browser(&self, cx: &mut Cx<'_, GatewayState>, because: Because) -> Verdict<GatewayStep> {
        cx.state.because = Some(because);
        cx.state.browser = true;
        Ask::new(NeedKind::Browser, because).url(self.login_page.clone()).poll(GatewayStep::Look, BROWSER).into()
    }

    /// Follows an error answer to a step.
    fn refused(&self, cx: &mut Cx<'_, GatewayState>, step: GatewayStep, refusal: Refusal) -> Verdict<GatewayStep> {
        use GatewayStep as S;
        match refusal {
            Refusal::PenaltyBox => {
                cx.tell(Fact::Penalty(PENALTY));
                Verdict::unavailable()
            }
            Refusal::EdgeDenied | Refusal::Forbidden => match cx.state.live {
                Some(_) => Verdict::Retry { after: None, answer: Spent::Unjudged },
                None => Verdict::Close(CloseReason::Denied(Denial::IpNotAllowed)),
            },
            refusal if refusal.doubts().is_some() => match step {
                S::Validate => self.sso_is_dead(cx),
                S::Init | S::TakeOver => Verdict::Next { step: S::Look, after: LOOK },
                // A 401 may be one of the brokerage tier alone: the outer one is asked before a person is.
                _ if cx.state.is_sso_alive(cx.now) => {
                    let next = cx.state.brokerage.open(cx.now, self.takeover);
                    self.follow(cx, next)
                }
                _ if cx.state.live.is_some() || refusal.doubts() == Some(Tier::Brokerage) => Verdict::next(S::Validate),
                _ => self.sso_is_dead(cx),
            },
            // What an init did is seen by looking; the init itself waits its turn.
            _ if matches!(step, S::Init | S::TakeOver) => Verdict::Next { step: S::Look, after: LOOK },
            refusal if refusal.is_passing() => Verdict::Retry { after: None, answer: Spent::Judged },
            Refusal::Gone | Refusal::AccountsFirst | Refusal::ErrorInside => Verdict::unavailable(),
            Refusal::NotFound => Verdict::Unreadable("there is no such operation: is the base URL right?"),
            Refusal::Foreign => Verdict::Unreadable("a web page, or a redirect that leads to no login of IBKR's"),
            _ => Verdict::Unreadable("an error that IBKR's gateway is not known to answer with"),
        }
    }

    fn tickled(&self, cx: &mut Cx<'_, GatewayState>, response: Response<'_>) -> Verdict<GatewayStep> {
        let Some(tickle) = crate::wire::json::<Tickle<'_>>(response.body) else {
            return self.not_json(cx, GatewayStep::Tickle, response);
        };
        if let Some(error) = tickle.error.as_deref().filter(|error| !error.trim().is_empty()) {
            return self.refused(cx, GatewayStep::Tickle, Refusal::inside(error));
        }
        if let (Some(session), Some(live)) = (&tickle.session, &mut cx.state.live)
            && !live.session.as_ref().is_some_and(|known| known.matches(session.expose()))
        {
            live.session = Some(session.to_secret());
        }
        match tickle.status() {
            Some(status) => self.weigh(cx, status, Standing::of(status)),
            // The block may be missing; the status has the flags then.
            None if tickle.session.is_some() => Verdict::next(GatewayStep::Status),
            None => Verdict::Unreadable("a tickle answers with session or iserver"),
        }
    }

    fn flags(&self, cx: &mut Cx<'_, GatewayState>, step: GatewayStep, response: Response<'_>) -> Verdict<GatewayStep> {
        let Some(status) = crate::wire::json::<Status<'_>>(response.body) else {
            return self.not_json(cx, step, response);
        };
        if let Some(error) = status.error.as_deref().filter(|error| !error.trim().is_empty()) {
            return self.refused(cx, step, Refusal::inside(error));
        }
        let init = matches!(step, GatewayStep::Init | GatewayStep::TakeOver);
        let standing = if init { Standing::of_init(&status) } else { Standing::of(&status) };
        self.weigh(cx, &status, standing)
    }

    fn not_json(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        step: GatewayStep,
        response: Response<'_>,
    ) -> Verdict<GatewayStep> {
        match Refusal::of(response) {
            Some(refusal) => self.refused(cx, step, refusal),
            // Empty bodies come with restarts.
            None if response.body.is_empty() && cx.state.live.is_some() => Verdict::unavailable(),
            None => Verdict::Unreadable("the gateway answers with a JSON object"),
        }
    }

    fn logged_out(&self, response: Response<'_>) -> Verdict<GatewayStep> {
        let done = || Verdict::Close(CloseReason::LoggedOut { confirmed: true });
        match Refusal::of(response) {
            Some(Refusal::LoginRedirect | Refusal::NotLoggedIn | Refusal::NoSession) => return done(),
            Some(_) => return Verdict::Retry { after: None, answer: Spent::Judged },
            None => {}
        }
        match crate::wire::json::<Logout<'_>>(response.body).and_then(|logout| logout.outcome()) {
            Some(LogoutOutcome::Ended) => done(),
            Some(LogoutOutcome::LivesOn) => Verdict::unavailable(),
            None => Verdict::Unreadable("a logout answers with status"),
        }
    }
}

/// How long after a regional midnight the end of all logins is expected: drops were seen up to an hour later.
const RESET: Duration = Duration::from_secs(2 * 3600);

/// The requests of a gateway session.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum GatewayStep {
    /// `POST iserver/auth/status` of a session that is thought to be usable.
    Status,
    /// The same while it is not.
    Look,
    /// `GET sso/validate`.
    Validate,
    /// `GET iserver/accounts`, where the kind of the account is to be known and nothing else tells it.
    Accounts,
    /// `POST iserver/auth/ssodh/init` that throws nobody out.
    Init,
    /// `POST iserver/auth/ssodh/init` that does.
    TakeOver,
    /// `POST tickle`.
    Tickle,
    /// `POST logout`.
    Logout,
}

impl Step for GatewayStep {
    fn rule(self) -> &'static Rule {
        // IBKR aborts what takes longer than 10 s.
        const BASE: Rule = Rule::new("status").timeout(Duration::from_secs(12)).backoff(Backoff::new(
            Duration::from_secs(2),
            Duration::from_secs(30),
            10,
        ));
        const STATUS: Rule = BASE;
        const LOOK_RULE: Rule = Rule { name: "look", ..BASE }.phase(Phase::Opening);
        // One a minute is allowed; a second more, since the server's minute is not ours.
        const VALIDATE: Rule = Rule { name: "validate", ..BASE }.min_interval(Duration::from_secs(61));
        const ACCOUNTS: Rule = Rule { name: "accounts", ..BASE };
        const INIT: Rule = Rule { name: "init", ..BASE }.phase(Phase::Opening).replay(Replay::Probe).opens();
        const TAKE_OVER: Rule = Rule { name: "take-over", ..INIT };
        const TICKLE_RULE: Rule = Rule { name: "tickle", ..BASE };
        const LOGOUT: Rule = Rule { name: "logout", ..BASE }.phase(Phase::LoggingOut);
        match self {
            Self::Status => &STATUS,
            Self::Look => &LOOK_RULE,
            Self::Validate => &VALIDATE,
            Self::Accounts => &ACCOUNTS,
            Self::Init => &INIT,
            Self::TakeOver => &TAKE_OVER,
            Self::Tickle => &TICKLE_RULE,
            Self::Logout => &LOGOUT,
        }
    }
}

/// What is known of a gateway session.
#[derive(Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct GatewayState {
    #[serde(skip_serializing_if = "Option::is_none")]
    live: Option<GatewayLive>,
    brokerage: Brokerage,
    /// When the outer tier was last proven to live.
    #[serde(skip_serializing_if = "Option::is_none")]
    validated: Option<Timestamp>,
    /// When the last regional midnight was noticed.
    #[serde(skip_serializing_if = "Option::is_none")]
    reset_at: Option<Timestamp>,
    /// Why the session is being opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<Because>,
    /// Whether a person is asked to log in.
    browser: bool,
}

impl GatewayState {
    fn is_sso_alive(&self, now: Timestamp) -> bool {
        self.live.is_some() && self.validated.is_some_and(|at| at <= now && now.since(at) < BELIEVED)
    }
}

/// What an open gateway session has.
#[derive(Default, Serialize, Deserialize, Debug)]
#[serde(default)]
#[non_exhaustive]
pub struct GatewayLive {
    /// The user's number.
    pub user_id: Option<u64>,
    /// The user's name.
    pub user: Option<String>,
    /// Whether the account trades with play money, where the server said so.
    pub paper: Option<bool>,
    /// The id with which the stream is opened.
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub session: Option<Secret>,
}

impl Provider for Gateway {
    type Step = GatewayStep;
    type State = GatewayState;
    type Live = GatewayLive;
    /// Nothing: the gateway holds the tokens, and every opening looks first what is there.
    type Tokens = ();

    fn identity(&self) -> Identity<'_> {
        let account = self.expect.user.as_deref();
        Identity { provider: "ibkr-gateway", server: self.api.base(), account, key: None, binds_ip: false }
    }

    fn base<'a>(&'a self, _: &'a GatewayState) -> &'a BaseUrl {
        self.api.base()
    }

    fn open(&self, cx: &mut Cx<'_, GatewayState>, because: Because) -> Verdict<GatewayStep> {
        cx.state.because = Some(because);
        cx.state.brokerage.note_midnight(cx.now, self.region);
        Verdict::next(GatewayStep::Look)
    }

    fn adopt(&self, (): ()) -> Result<GatewayState, Rejection> {
        Ok(GatewayState::default())
    }

    fn live<'a>(&self, state: &'a GatewayState) -> Option<&'a GatewayLive> {
        state.live.as_ref()
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        kind: NeedKind,
        _: &Input,
    ) -> Result<Verdict<GatewayStep>, Rejection> {
        match kind {
            // A word of the person is worth asking the outer tier itself.
            NeedKind::Browser => Ok(Verdict::next(GatewayStep::Validate)),
            NeedKind::Takeover => {
                // One consent is one takeover, however often it is given before it is used.
                cx.state.brokerage.granted = 1;
                Ok(match (cx.state.brokerage.rival, cx.state.brokerage.ready) {
                    (true, _) => Verdict::next(GatewayStep::TakeOver),
                    (false, true) => Verdict::next(GatewayStep::Status),
                    (false, false) => Verdict::next(GatewayStep::Look),
                })
            }
            _ => Err(Rejection::WrongKind),
        }
    }

    fn request(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        step: GatewayStep,
        _: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable> {
        Ok(match step {
            GatewayStep::Status | GatewayStep::Look => self.api.status(),
            GatewayStep::Validate => self.api.validate(),
            GatewayStep::Accounts => self.api.accounts(),
            GatewayStep::Init | GatewayStep::TakeOver => {
                let takes_over = step == GatewayStep::TakeOver;
                cx.state.brokerage.note_init(cx.now, takes_over, cx.entropy);
                self.api.init(if takes_over { Init::TAKE_OVER } else { Init::POLITE })
            }
            GatewayStep::Tickle => self.api.tickle(),
            GatewayStep::Logout => self.api.logout(),
        })
    }

    fn interpret(
        &self,
        cx: &mut Cx<'_, GatewayState>,
        step: GatewayStep,
        response: Response<'_>,
    ) -> Verdict<GatewayStep> {
        if step == GatewayStep::Logout {
            return self.logged_out(response);
        }
        // Bodies are read once: where the status is a success, the fields tell whether it is one.
        if !response.status.is_success() || response.is_html() {
            let refusal = Refusal::of(response).unwrap_or(Refusal::Foreign);
            return self.refused(cx, step, refusal);
        }
        match step {
            GatewayStep::Tickle => self.tickled(cx, response),
            GatewayStep::Validate => match Refusal::of(response) {
                Some(refusal) => self.refused(cx, step, refusal),
                None => self.validated(cx, response),
            },
            GatewayStep::Accounts => match Refusal::of(response) {
                Some(refusal) => self.refused(cx, step, refusal),
                None => self.counted(cx, response),
            },
            step => self.flags(cx, step, response),
        }
    }

    fn lost(&self, _: &mut Cx<'_, GatewayState>, _: GatewayStep) -> Verdict<GatewayStep> {
        Verdict::next(GatewayStep::Look)
    }

    fn probe(&self, state: &GatewayState) -> Option<GatewayStep> {
        Some(if state.brokerage.ready { GatewayStep::Status } else { GatewayStep::Look })
    }

    fn logout(&self, state: &GatewayState) -> Option<GatewayStep> {
        state.live.as_ref().map(|_| GatewayStep::Logout)
    }

    fn authorize(&self, cx: &mut Cx<'_, GatewayState>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        let tier = Tier::of_path(parts.uri.path());
        if cx.state.live.is_none() || tier == Tier::Brokerage && !cx.state.brokerage.ready {
            return Err(Unauthorized::NotReady(Some(tier.code())));
        }
        complete(parts, body);
        Ok(())
    }

    fn observe(&self, cx: &mut Cx<'_, GatewayState>, _: &Ticket, response: Response<'_>) -> Observed {
        // Bodies of successes are the user's own, and may be large.
        if response.status.is_success() {
            return Observed::Nothing;
        }
        match Refusal::of(response) {
            Some(Refusal::PenaltyBox) => {
                cx.tell(Fact::Penalty(PENALTY));
                Observed::Nothing
            }
            // As 500 it was seen as the first sign of a lost session.
            Some(Refusal::AccountsFirst) if response.status.is_server_error() => Observed::Doubt,
            Some(refusal) if refusal.doubts().is_some() => Observed::Doubt,
            _ => Observed::Nothing,
        }
    }

    fn tier(&self, path: &str) -> Option<&'static str> {
        Some(Tier::of_path(path).code())
    }
}

/// Adds what the transport in front of IBKR's servers demands of every call.
pub(super) fn complete(parts: &mut Parts, body: &[u8]) {
    let agent = const { HeaderValue::from_static(wire::USER_AGENT) };
    parts.headers.entry(USER_AGENT).or_insert(agent);
    // A POST without a length is answered with 411.
    if body.is_empty() && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        parts.headers.entry(CONTENT_LENGTH).or_insert(const { HeaderValue::from_static("0") });
    }
}
