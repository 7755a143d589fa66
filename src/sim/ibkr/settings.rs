//! How a simulated gateway behaves all the time.

use core::net::IpAddr;
use core::time::Duration;

use super::{Flaky, Person};
use crate::providers::ibkr::Region;

/// How a simulated gateway behaves; the defaults follow the documentation, each may be changed.
///
/// Later versions add fields: write `Settings { seed, ..Settings::default() }`.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The paths under which the interface is served: `/v1/api` and its older alias `/v1/portal`.
    pub bases: Vec<String>,
    /// Whose midnight ends the sessions.
    pub region: Region,
    /// Whether somebody logs in by themselves; 20 s after it is needed.
    pub login: Login,
    /// How a call is answered while nobody is logged in: 401 with a text.
    pub logged_out: LoggedOut,
    /// Whether a tickle then answers `{"error":"no session"}` inside 200 instead; no.
    pub no_session_inside_200: bool,
    /// Whether the brokerage session is opened right after the login, as the gateway does; yes.
    pub opens_itself: bool,
    /// Whether an init without the compete flag is refused although nobody holds the session, as was reported; no.
    pub refuses_polite_init: bool,
    /// How long a brokerage session is `established:false`; 2 s.
    pub establish: Duration,
    /// Whether the flags have `established` at all; older servers do not. Yes.
    pub shows_established: bool,
    /// How long calls are answered "no bridge" after an init; not at all.
    pub bridge: Duration,
    /// What an init does to a brokerage session that is open. Nobody knows; the stricter assumption is the default.
    pub reinit: Reinit,
    /// How long a revival by `reauthenticate` takes; 5 s.
    pub reauthenticate: Duration,
    /// After what time without use the brokerage session ends. The documentation says five minutes and six; 6 min.
    pub idle: Duration,
    /// What counts as use. It is unknown whether other calls do; the stricter assumption is the default.
    pub kept_by: KeptBy,
    /// What midnight ends.
    pub midnight: Midnight,
    /// How long before midnight its end comes: some logins were seen to end up to half an hour early. Not at all.
    pub early: Duration,
    /// The outage after each midnight: at once, for 8 min.
    pub maintenance: Option<Maintenance>,
    /// Which fields a tickle has.
    pub tickle: TickleBody,
    /// Whether a logout answers as the oldest interface does, the other way round; no.
    pub legacy_logout: bool,
    /// Whether `sso/validate` has the fields that it has under OAuth 2.0 besides; no.
    pub validate_oauth2: bool,
    /// How long `sso/validate` goes on answering after a logout, as was reported; 1 min.
    pub validate_outlives_logout: Duration,
    /// How long an init is answered 410 after a logout, as was reported; not at all.
    pub gone_after_logout: Duration,
    /// How long each answer takes; no time. The real servers' keep a client that waits for each of them below ten
    /// requests a second.
    pub latency: Duration,
    /// Which rate limits open the penalty box; those of which that was reported.
    pub limits: RateLimits,
    /// How long the penalty box lasts; 15 min.
    pub penalty: Duration,
    /// Whether a request in the penalty box starts it again. Nobody knows; no.
    pub penalty_restarts: bool,
    /// The addresses that may call, as in the gateway's own `conf.yaml`; all.
    pub allowed: Option<Vec<IpAddr>>,
    /// How any other address is answered: 403.
    pub stranger: Stranger,
    /// Whether `iserver/auth/status` takes a POST, as every specification says; one gateway answered 400 and
    /// took a GET. Yes.
    pub posts_status: bool,
    /// Whether a POST needs the gateway's own `Origin`, as was reported of one; 401 without it. No.
    pub wants_origin: bool,
    /// Tickles that fail by chance; none.
    pub flaky: Option<Flaky>,
    /// What chance and session ids are drawn from.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bases: vec!["/v1/api".into(), "/v1/portal".into()],
            region: Region::default(),
            login: Login::After { delay: Duration::from_secs(20), person: Person::default() },
            logged_out: LoggedOut::Unauthorized,
            no_session_inside_200: false,
            opens_itself: true,
            refuses_polite_init: false,
            establish: Duration::from_secs(2),
            shows_established: true,
            bridge: Duration::ZERO,
            reinit: Reinit::Restarts,
            reauthenticate: Duration::from_secs(5),
            idle: Duration::from_secs(6 * 60),
            kept_by: KeptBy::TickleOnly,
            midnight: Midnight::EndsLogin,
            early: Duration::ZERO,
            maintenance: Some(Maintenance {
                after: Duration::ZERO,
                lasts: Duration::from_secs(8 * 60),
                outage: Outage::Empty503,
            }),
            tickle: TickleBody::Full,
            legacy_logout: false,
            validate_oauth2: false,
            validate_outlives_logout: Duration::from_secs(60),
            gone_after_logout: Duration::ZERO,
            latency: Duration::ZERO,
            limits: RateLimits::Reported,
            penalty: Duration::from_secs(15 * 60),
            penalty_restarts: false,
            allowed: None,
            stranger: Stranger::Forbidden,
            posts_status: true,
            wants_origin: false,
            flaky: None,
            seed: 0,
        }
    }
}

/// Whether somebody logs in by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Login {
    /// Nobody does; [`Lever::LogIn`](super::Lever::LogIn) is the only way in.
    Never,
    /// Somebody does, this long after the first request that met a gateway with nobody logged in: the
    /// time in which a person is called to the browser and has found the phone.
    After {
        /// How long it takes.
        delay: Duration,
        /// Who it is.
        person: Person,
    },
}

/// How a call is answered while nobody is logged in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LoggedOut {
    /// 302 to `/sso/Login`.
    Redirect,
    /// 401 with the text `Unauthorized`.
    Unauthorized,
    /// 401 with the text `Access Denied`.
    AccessDenied,
    /// 401 with an empty body.
    Empty,
    /// 401 with `{"error":"not authenticated","statusCode":401}`, which ibw reads.
    Json,
    /// A status answers 200 with all flags false, everything else 401 with an empty body.
    Flags,
}

/// Which rate limits open the penalty box.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RateLimits {
    /// None.
    Off,
    /// More than ten requests in a second, and `sso/validate` more than once a minute.
    ///
    /// Clients in the field break the others and live: ibeam tickles twice within a second. Its validate comes
    /// each minute by its own clock, so one that comes up to ten seconds early is let pass here.
    Reported,
    /// Each of the documentation's table, a tickle a second among them. For judging a client that is to keep them.
    Documented,
}

/// How an address that is not in the gateway's list is answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Stranger {
    /// 403 with the text `Access Denied`.
    Forbidden,
    /// 404 with the same text, as older gateways do.
    NotFound,
}

/// What an init does to a brokerage session that is open.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Reinit {
    /// Nothing.
    Harmless,
    /// It begins again: to be established, and with the accounts to be asked for.
    Restarts,
}

/// What counts as use of a brokerage session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum KeptBy {
    /// Tickles.
    TickleOnly,
    /// Tickles, and other calls that succeed under `/iserver`.
    AnyIserverCall,
}

/// What midnight ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Midnight {
    /// Everything: a person has to log in again.
    EndsLogin,
    /// The brokerage session alone: an init opens it again.
    EndsBrokerage,
    /// Nothing.
    EndsNothing,
}

/// An outage each night.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Maintenance {
    /// How long after midnight it begins.
    pub after: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// How calls are answered meanwhile.
    pub outage: Outage,
}

/// How calls are answered during an outage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outage {
    /// 503 with an empty body.
    Empty503,
    /// 500 with the text `Internal Server Error`.
    Text500,
    /// 502 with a page.
    Page502,
    /// 503 with an empty body, after the ten seconds in which IBKR aborts a request.
    Slow503,
}

/// Which fields a tickle has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TickleBody {
    /// All of them, as the gateway answers.
    Full,
    /// `session`, `hmds` and `iserver`, as under OAuth 1.0a.
    OAuth,
    /// The same with `iserver.tickle` instead of the flags, as older servers answered under OAuth.
    OldOAuth,
    /// All but `iserver`, as was reported.
    WithoutIserver,
    /// No body at all: the two older specifications document none.
    Empty,
}
