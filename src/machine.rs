//! The face of a session that drivers see.

use core::fmt;
use core::time::Duration;

use http::request::Parts;
use serde::{Deserialize, Serialize};

use crate::close::{CloseReason, Ends};
use crate::event::Event;
use crate::{Answered, By, Failure, Input, Need, NeedId, Outgoing, RequestId, Response, Snapshot, Timestamp};

/// A login session as a driver sees it: object-safe and `Send`.
///
/// Any call is legal at any time; see the [crate's page](crate#the-contract) for the contract.
pub trait Machine: Send {
    /// Begins to open the session; does nothing on a session that was started or resumed.
    fn start(&mut self, now: Timestamp);

    /// Gives the next thing that the driver has to do.
    ///
    /// Call it until it says [`Output::Wait`] or [`Output::Closed`].
    fn poll(&mut self, now: Timestamp) -> Output;

    /// Takes the answer to a request.
    ///
    /// # Errors
    /// [`Misuse::UnknownId`] where no request of that id was ever issued.
    fn handle_response(&mut self, now: Timestamp, id: RequestId, response: Response<'_>) -> Result<Accepted, Misuse>;

    /// Takes the news that a request got no answer.
    ///
    /// # Errors
    /// [`Misuse::UnknownId`] where no request of that id was ever issued.
    fn handle_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Accepted, Misuse>;

    /// Takes the answer to a [`Need`].
    fn handle_input(&mut self, now: Timestamp, need: NeedId, input: Input, by: By) -> Answered;

    /// Makes a call of the user's own ready to leave: base URL, tokens, cookies, signature.
    ///
    /// A URI with a path only is resolved against the present base URL. Headers of an earlier
    /// session are replaced. Each retry of the call needs a new `authorize`.
    ///
    /// # Errors
    /// [`AuthorizeError::NotReady`] while there is no session, or in a penalty box;
    /// [`AuthorizeError::Misuse`] for a URL of another origin than the session's.
    fn authorize(&mut self, now: Timestamp, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError>;

    /// Takes what a call of the user's own got; a 401 makes the session look whether it still lives. What a call got that
    /// does what the session does by itself, such as a keepalive, is taken for the session's own: bring its whole body.
    fn observe(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Accepted;

    /// Takes the news that a call of the user's own got no answer.
    fn observe_failure(&mut self, now: Timestamp, ticket: &Ticket, failure: Failure) -> Accepted;

    /// Asks for a look whether the session still lives, soon: the network is back, a socket dropped,
    /// the laptop woke up. Many calls lead to one look, and none is made inside a penalty box.
    fn check(&mut self, now: Timestamp);

    /// Begins to end the session, or to leave it where it is not its own to end
    /// ([`Options::ends`](crate::Options::ends)); [`Output::Closed`] tells when that is done.
    fn logout(&mut self, now: Timestamp);

    /// Gives the session in its present phase, to be stored and resumed elsewhere.
    fn snapshot(&self) -> Snapshot;

    /// Tells when [`Machine::poll`] is to be called at the latest; [`Timestamp::NEVER`] if nothing is due.
    fn deadline(&self) -> Timestamp;

    /// Tells what the next [`Machine::poll`] at this time would hand out a request for; `None` where it
    /// has something else to say, or nothing.
    ///
    /// The answer may name a request that does not leave after all, but none leaves that it does not name.
    fn upcoming(&mut self, now: Timestamp) -> Option<Upcoming>;

    /// Sends nothing for so long: somebody else got a 429 from the same address. A longer penalty box
    /// stays; gives how long it lasts.
    fn hold_back(&mut self, now: Timestamp, lasts: Duration) -> Duration;

    /// Tells where the session stands.
    fn phase(&self) -> Phase;

    /// Gives what a health check wants to know.
    fn status(&self) -> Status;

    /// Returns the name of the provider, as it stands in snapshots.
    fn provider(&self) -> &'static str;

    /// Names the group of sessions that share the server's rate limits: its host and the account.
    fn limit_group(&self) -> String;
}

/// A request that leaves with the next [`Machine::poll`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Upcoming {
    /// The longest that its answer may take: [`SendPolicy::timeout`](crate::SendPolicy::timeout), or more.
    pub timeout: Duration,
    /// What it is for.
    pub errand: Errand,
}

/// What a request is for: what of it may wait, when many sessions want to send.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Errand {
    /// To open the session, or to look whether it can be opened.
    Open,
    /// To renew its tokens, or to look whether it lives at an instant at which many end.
    Renew,
    /// To keep it alive, or to look whether it lives.
    Keep,
    /// To end it.
    Leave,
}

/// What a driver has to do next.
#[derive(Debug)]
#[must_use = "an output that is not acted on stalls the session"]
#[expect(clippy::large_enum_variant, reason = "a request leaves by value; boxing it would cost an allocation a cycle")]
pub enum Output {
    /// Send this request and report its id once.
    Send(Outgoing),
    /// Store [`Machine::snapshot`] before the next `poll`; with [`Options::durable`](crate::Options::durable), and around steps
    /// that [rotate](crate::provider::Rule::rotates) a token.
    Save,
    /// Nothing to do until then, or until something happens.
    Wait {
        /// When to call `poll` again at the latest; [`Timestamp::NEVER`] if only an input or a response helps.
        until: Timestamp,
        /// What the session waits for.
        on: WaitingOn,
    },
    /// Something happened that somebody may want to know.
    Event(Event),
    /// Advice: the answer to this request is no longer wanted.
    Cancel(RequestId),
    /// The session has ended; every further `poll` says so again.
    Closed(CloseReason),
}

/// What a session waits for.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WaitingOn {
    /// [`Machine::start`] has not been called.
    Start,
    /// The answer to this request.
    Response(RequestId),
    /// A person or a secret store: answer with [`Machine::handle_input`].
    Need(Need),
    /// The next keepalive is not due yet.
    Keepalive,
    /// The renewal of the tokens is not due yet, or the look at an instant at which sessions of that provider end.
    Renewal,
    /// The tokens' known end; there is nothing to keep alive.
    Expiry,
    /// The next step of the protocol has its time.
    Pause,
    /// The next attempt after a failure.
    Retry,
    /// The end of a penalty box or of a `Retry-After`, see [`Event::Penalty`](crate::Event::Penalty).
    Hold,
    /// Nothing: the provider names no end and wants no keepalive.
    Nothing,
}

impl WaitingOn {
    /// Gives a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Response(_) => "response",
            Self::Need(_) => "need",
            Self::Keepalive => "keepalive",
            Self::Renewal => "renewal",
            Self::Expiry => "expiry",
            Self::Pause => "pause",
            Self::Retry => "retry",
            Self::Hold => "hold",
            Self::Nothing => "nothing",
        }
    }
}

/// Where a session stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Phase {
    /// Not started.
    Idle,
    /// Looking what is there, or setting up what comes before or after a login.
    Opening,
    /// The first factor: credentials or a browser.
    LoggingIn,
    /// The second factor: a code or a PIN.
    SecondFactor,
    /// Usable; also while it is suspect.
    Active,
    /// Ending.
    LoggingOut,
    /// Ended.
    Closed,
}

impl Phase {
    /// Gives a stable name for logs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Opening => "opening",
            Self::LoggingIn => "logging-in",
            Self::SecondFactor => "second-factor",
            Self::Active => "active",
            Self::LoggingOut => "logging-out",
            Self::Closed => "closed",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// What a health check wants to know of a session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Status {
    /// Where the session stands.
    pub phase: Phase,
    /// Since when.
    pub since: Timestamp,
    /// Whether the session was usable and its life is in doubt now.
    pub suspect: bool,
    /// Whether the login lives and no usable session comes of it, see [`Event::Stuck`].
    pub stuck: bool,
    /// The end of the penalty box that the session is in: until then neither the session nor calls of the user's own
    /// send anything, however healthy it is otherwise.
    pub penalty: Option<Timestamp>,
    /// The last time the server proved that the session lives.
    pub last_alive: Option<Timestamp>,
    /// When something is due next.
    pub deadline: Timestamp,
    /// What it waits for.
    pub on: WaitingOn,
}

/// Whether news arrived in time; late news is normal and not an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Accepted {
    /// It was used.
    Used,
    /// It was about something that is over.
    Stale,
}

/// A mistake in the calling program, never one of the server or the network.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Misuse {
    /// No request of that id was ever issued by this session.
    UnknownId,
    /// The call goes to another origin than the session's: its tokens must not go there.
    ForeignHost,
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::UnknownId => "no request of that id was ever issued by this session",
            Self::ForeignHost => "the call goes to another origin than the session's",
        })
    }
}

impl std::error::Error for Misuse {}

/// Why a call of the user's own cannot leave now.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum AuthorizeError {
    /// There is no session for that call now.
    NotReady {
        /// Where the session stands.
        phase: Phase,
        /// The part of the provider that is not usable, where it has several.
        tier: Option<&'static str>,
        /// When it may be ready, where that is known: the end of a penalty box, which the text names, too.
        until: Option<Timestamp>,
    },
    /// The calling program's mistake.
    Misuse(Misuse),
    /// The call has a part that cannot be signed or resolved; the text names it.
    Unsignable(&'static str),
}

impl fmt::Display for AuthorizeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReady { until: Some(until), .. } => {
                write!(f, "the session is not ready: penalty box until {until} (too many requests)")
            }
            Self::NotReady { phase, tier: None, .. } => write!(f, "the session is not ready: {phase}"),
            Self::NotReady { phase, tier: Some(tier), .. } => write!(f, "the {tier} session is not ready: {phase}"),
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Unsignable(part) => write!(f, "the call cannot be authorized: {part}"),
        }
    }
}

impl std::error::Error for AuthorizeError {}

impl From<Misuse> for AuthorizeError {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

/// What a call of the user's own was authorized with; give it back with what the call got.
#[derive(Clone)]
pub struct Ticket {
    pub(crate) epoch: u64,
    pub(crate) life: u32,
    pub(crate) generation: u32,
    /// The method of the call.
    pub method: http::Method,
    /// The URI of the call.
    pub uri: http::Uri,
    /// The part of the provider that the call is for, where it has several.
    pub tier: Option<&'static str>,
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket")
            .field("method", &self.method)
            .field("path", &self.uri.path())
            .field("tier", &self.tier)
            .finish_non_exhaustive()
    }
}

/// How a session behaves where its owner has a say.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Options {
    /// What follows a proven expiry. Default: [`Relogin::Never`], since a login may throw somebody out.
    pub relogin: Relogin,
    /// How long trouble may last before an opening is given up. Default: none; an opening gives up by
    /// the number of its attempts. A step that the protocol has planned, and not a failure, is still made where it is due
    /// within a quarter of that time after it: IBKR's inits come no faster than once a minute.
    pub patience: Option<Duration>,
    /// How long trouble may last before a session that has been open is given up, be it that nothing answers or that
    /// the login lives and no usable session comes of it. Default: none, since an outage ends no session. The
    /// [snapshot](Machine::snapshot) of one that was given up stays that of an open session:
    /// [`CloseReason::GivenUp`](crate::CloseReason::GivenUp).
    pub open_patience: Option<Duration>,
    /// How many unattended answers ([`By::Store`]) of one login may be refused before a person has to give the next
    /// one. Default: 1, since accounts lock after about three at some providers (Kotak; not CBRAIN).
    ///
    /// One that got no clear reply (a timeout, a cut connection, an unreadable page) may have been refused and counts as
    /// well. The count is in every snapshot: [`Session::resume`](crate::Session::resume) goes on with it, and
    /// [`Session::remember`](crate::Session::remember) takes it over from a session that has closed, so it holds over
    /// all processes of a program that stores its snapshots. An answer that the server accepts sets back what counts against
    /// its kind. Nothing is kept of the answers themselves, so a changed password is not taken for a new chance: somebody
    /// gives it once as [`By::Person`].
    pub max_refused: u8,
    /// Whether [`Output::Save`] comes before every request whose replay would do harm, after what it brought, and when
    /// the session opens, is usable again, expires or is refused.
    pub durable: bool,
    /// Whether the program stores nothing at all, not even the tokens that a server takes only once
    /// ([`Rule::rotates`](crate::provider::Rule::rotates)); off. With it there is no [`Output::Save`] for them, and a login is lost
    /// with the process.
    pub forgetful: bool,
    /// What a logout ends at the server. Default: [`Ends::Opened`], since ending a login that was found living costs a
    /// person another one.
    pub ends: Ends,
    /// How long a logout is tried. Default: 30 s, since a program that ends has no longer.
    pub logout_patience: Duration,
    /// The name of the way out of this network, for providers that bind tokens to an IP address.
    pub egress: Option<Box<str>>,
    /// The largest answer in bytes that is read. Default: 1 MiB; the largest one known has 3 KiB.
    pub max_body: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            relogin: Relogin::Never,
            patience: None,
            open_patience: None,
            max_refused: 1,
            durable: false,
            forgetful: false,
            ends: Ends::Opened,
            logout_patience: Duration::from_secs(30),
            egress: None,
            max_body: 1 << 20,
        }
    }
}

/// What follows a proven expiry.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Relogin {
    /// The session closes.
    Never,
    /// The session asks for a new login, at most so often in any 24 hours; then it closes.
    AskAgain {
        /// How often in 24 hours.
        per_day: u8,
    },
}

/// 32 bytes of randomness from the caller, the only ones that ever enter a session.
///
/// Take them from the system (`getrandom`; with the feature `ureq`, `blocking::seed()`). They are
/// never stored in a snapshot: a resume takes fresh ones.
pub struct Seed(pub(crate) zeroize::Zeroizing<[u8; 32]>);

impl Seed {
    /// Takes 32 random bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(zeroize::Zeroizing::new(bytes))
    }
}

impl From<[u8; 32]> for Seed {
    fn from(bytes: [u8; 32]) -> Self {
        Self::new(bytes)
    }
}

impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(..)")
    }
}
