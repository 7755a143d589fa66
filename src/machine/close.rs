//! Why a session ended and what its owner should do about it.

use core::fmt;
use core::time::Duration;

use serde::{Deserialize, Serialize};

use crate::machine::event::{Cause, ServerText};
use crate::machine::shape::ResponseSummary;
use crate::{NeedKind, Timestamp};

/// Why a session ended; each has a stable [`CloseReason::code`] and an [`CloseReason::advice`].
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum CloseReason {
    /// The session was ended by its owner. Where it is not `confirmed`, it may live on at the server
    /// until it idles out there: end it in the provider's own page if that matters.
    LoggedOut {
        /// Whether the server confirmed it, or had nothing to end. Where its protocol knows no logout,
        /// the tokens stay valid there: [`Event::MayLiveOn`](crate::Event::MayLiveOn) tells.
        ///
        /// Where the answer to a login was lost and no session was usable since, that login may have opened one, and the
        /// logout is not confirmed. Once another login has succeeded, this speaks of its session; the event, told when
        /// the answer was lost, speaks of the other one.
        confirmed: bool,
    },
    /// A logout was wished and the login is not this session's to end: it was found living when the session was opened,
    /// or its tokens were [adopted](crate::Session::adopt). Nothing was sent; it lives on at the server, and the
    /// [snapshot](crate::Machine::snapshot) is that of an open session. [`Options::ends`](crate::Options::ends) says what
    /// a logout ends.
    Left,
    /// The server does not let this account in, or the account is not the expected one. Do not try
    /// again before the reason is mended: accounts lock.
    Denied(Denial),
    /// The session ended at the server and [`Options::relogin`](crate::Options::relogin) allows no
    /// further login. Open a new one when that suits.
    Expired,
    /// Another client holds the session and may not be thrown out. Ask its owner.
    Rival,
    /// The opening gave up after many attempts, or [`Options::patience`](crate::Options::patience) ran out. Try again
    /// later; with [`Cause::Stuck`] log in again first, or restart the program that holds the login. With
    /// [`Cause::MaybeRefused`] look first whether the answer is right: log in by hand, then give it as a person.
    RetriesExhausted(Cause),
    /// [`Options::open_patience`](crate::Options::open_patience) ran out for a session that was open and may live on.
    /// Its [snapshot](crate::Machine::snapshot) is that of an open session: [resume](crate::Session::resume) it, and it
    /// looks first whether it lives. With [`Cause::Stuck`] log in again first, or restart the program that holds the
    /// login.
    GivenUp(Cause),
    /// The opening met an answer that is not the provider's. Look at the shape: a wrong URL, a proxy,
    /// a login page of the network, or a new version of the server.
    Protocol(Box<ResponseSummary>),
}

/// What a logout ends at the server.
///
/// Who opened the login decides: this session, in any process that has had it, or somebody else. A login that is found
/// living when the session is opened was somebody else's, such as a person's in the browser of IBKR's gateway, and so
/// were tokens that are [adopted](crate::Session::adopt). One that somebody makes because the session
/// [asked](crate::Need) for it is this session's. The snapshot remembers.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
#[non_exhaustive]
pub enum Ends {
    /// What this session opened. A login that it found is left as it is: [`CloseReason::Left`].
    #[default]
    Opened,
    /// Every login, whoever opened it.
    Always,
    /// None.
    Never,
}

/// Why an account is not let in.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Denial {
    /// The answer to a need of this kind was refused, and no right one followed.
    Refused {
        /// What was refused.
        kind: NeedKind,
    },
    /// Nobody answered a need of this kind.
    Unanswered {
        /// What was asked for.
        kind: NeedKind,
    },
    /// The server does not take this request whatever the answer; its text, where it gave one.
    Rejected(Option<ServerText>),
    /// The account is locked: its owner has to unlock it at the provider.
    Locked,
    /// The login is of another account than the expected one, or live instead of paper.
    WrongAccount,
    /// The account is not enabled for this interface: its owner has to ask the provider.
    NotEntitled,
    /// The address that this machine shows to the server is not allowed.
    IpNotAllowed,
    /// The server does not know the key that the account is called with. One that was registered
    /// lately works after the provider's next reset; else it is mistyped.
    KeyNotLive {
        /// The next reset.
        not_before: Timestamp,
    },
    /// The access token was created again at the provider, which ended this one: configure the new one.
    TokenRegenerated,
    /// The server refuses what the key has signed: it is not the key that was registered.
    SignatureRefused,
    /// This machine's clock is wrong, so everything that it signs is refused: set it.
    ClockWrong {
        /// The server's time less ours, in milliseconds.
        by_millis: i64,
    },
    /// The server could not prove that it knows the account's secret: the parameters or the secret
    /// are not those that were registered, or somebody sits in between. Nothing was signed for it.
    ServerUnproven,
}

impl Denial {
    /// Returns a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Refused { kind } => match kind {
                NeedKind::Credentials => "denied.credentials",
                NeedKind::AccessCode => "denied.access-code",
                NeedKind::Totp => "denied.totp",
                NeedKind::Pin => "denied.pin",
                NeedKind::GatewayToken => "denied.gateway-token",
                NeedKind::Browser
                | NeedKind::Takeover
                | NeedKind::Verifier
                | NeedKind::Redirect
                | NeedKind::Custom(_)
                | NeedKind::Signature
                | NeedKind::Decryption => "denied.refused",
            },
            Self::Unanswered { .. } => "denied.unanswered",
            Self::Rejected(_) => "denied.rejected",
            Self::Locked => "denied.locked",
            Self::WrongAccount => "denied.wrong-account",
            Self::NotEntitled => "denied.not-entitled",
            Self::IpNotAllowed => "denied.ip-not-allowed",
            Self::KeyNotLive { .. } => "denied.key-not-live",
            Self::TokenRegenerated => "denied.token-regenerated",
            Self::SignatureRefused => "denied.signature-refused",
            Self::ClockWrong { .. } => "denied.clock-wrong",
            Self::ServerUnproven => "denied.server-unproven",
        }
    }
}

/// What the owner of an ended session should do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Advice {
    /// Nothing is wrong: log in again whenever wanted.
    Nothing,
    /// Log in again, not before this time.
    LogInAgain {
        /// The earliest time.
        not_before: Timestamp,
    },
    /// The session may live: resume its snapshot, not before this time. Without one, log in again.
    Resume {
        /// The earliest time.
        not_before: Timestamp,
    },
    /// Mend something first: the same login will fail again and may lock the account.
    FixFirst,
    /// Ask the account's owner: somebody else is using it.
    AskTheOwner,
    /// Look at the answer's shape: the server is not what the program takes it for.
    Inspect,
}

/// How long to wait before the next try, where the last one ended in trouble.
const LATER: Duration = Duration::from_secs(60);

/// In words, without the time: to be read after the reason.
impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing to do",
            Self::LogInAgain { .. } => "log in again",
            Self::Resume { .. } => "it may live: resume its snapshot",
            Self::FixFirst => "fix this before the next login, which would fail as well and may lock the account",
            Self::AskTheOwner => "ask the account's owner, who is using it elsewhere",
            Self::Inspect => "check the URL, proxies and the network's own login page",
        })
    }
}

impl CloseReason {
    /// Returns a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::LoggedOut { confirmed: true } => "logged-out",
            Self::LoggedOut { confirmed: false } => "logged-out.unconfirmed",
            Self::Left => "left",
            Self::Denied(denial) => denial.code(),
            Self::Expired => "expired",
            Self::Rival => "rival",
            Self::RetriesExhausted(_) | Self::GivenUp(_) => "retries-exhausted",
            Self::Protocol(_) => "protocol",
        }
    }

    /// Returns what to do next, given the time at which the session closed.
    pub fn advice(&self, closed_at: Timestamp) -> Advice {
        match self {
            Self::LoggedOut { .. } | Self::Left => Advice::Nothing,
            Self::Denied(Denial::KeyNotLive { not_before }) => Advice::LogInAgain { not_before: *not_before },
            Self::Denied(_) => Advice::FixFirst,
            Self::Expired => Advice::LogInAgain { not_before: closed_at },
            Self::Rival => Advice::AskTheOwner,
            Self::RetriesExhausted(Cause::MaybeRefused { .. }) => Advice::FixFirst,
            Self::RetriesExhausted(_) => Advice::LogInAgain { not_before: closed_at + LATER },
            Self::GivenUp(_) => Advice::Resume { not_before: closed_at + LATER },
            Self::Protocol(_) => Advice::Inspect,
        }
    }
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoggedOut { confirmed: true } => f.write_str("logged out"),
            Self::LoggedOut { confirmed: false } => {
                f.write_str("logged out here; the server did not confirm it, so the session may live on there")
            }
            Self::Left => f.write_str("left open at the server"),
            Self::Denied(Denial::Refused { kind }) => write!(f, "the server refused the {}", kind.code()),
            Self::Denied(Denial::Unanswered { kind }) => write!(f, "nobody gave the {}", kind.code()),
            Self::Denied(Denial::Rejected(Some(text))) => write!(f, "the server does not take the request: {text}"),
            Self::Denied(Denial::Rejected(None)) => f.write_str("the server does not take the request"),
            Self::Denied(Denial::Locked) => f.write_str("the account is locked"),
            Self::Denied(Denial::WrongAccount) => f.write_str("the login is of another account than the expected one"),
            Self::Denied(Denial::NotEntitled) => f.write_str("the account is not enabled for this interface"),
            Self::Denied(Denial::IpNotAllowed) => f.write_str("the server does not allow this machine's address"),
            Self::Denied(Denial::KeyNotLive { .. }) => {
                f.write_str("the server does not know the key; a new one works after the provider's next reset")
            }
            Self::Denied(Denial::TokenRegenerated) => {
                f.write_str("the access token was made anew at the provider, which ended this one")
            }
            Self::Denied(Denial::SignatureRefused) => {
                f.write_str("the server refuses the signature: the key is not the registered one")
            }
            Self::Denied(Denial::ClockWrong { by_millis }) => {
                write!(f, "this machine's clock is wrong by {} s", by_millis / 1_000)
            }
            Self::Denied(Denial::ServerUnproven) => {
                f.write_str("the server could not prove that it knows the account's secret")
            }
            Self::Expired => f.write_str("the session ended at the server"),
            Self::Rival => f.write_str("another client holds the session"),
            Self::RetriesExhausted(cause @ Cause::MaybeRefused { .. }) => write!(f, "gave up: {cause}"),
            Self::RetriesExhausted(cause) => write!(f, "gave up after many attempts: {cause}"),
            Self::GivenUp(cause) => write!(f, "gave up on a session that was open and may live on: {cause}"),
            Self::Protocol(shape) => write!(f, "not the provider's answer: {shape}"),
        }
    }
}
