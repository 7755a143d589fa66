//! The inner tier, the same behind a gateway and direct: one judge of all responses, and its state.
//!
//! ```text
//!             ┌─ flags ──▶ BrokerageState ──▶ Brokerage::weigh ──▶ Move ─┐
//!  answer ──▶ │                                                    ├──▶ Verdict
//!             └─ error ──▶ Refusal ───▶ table::leads_to ───▶ Next ─┘
//! ```
//!
//! The two kinds of session differ in how they log in and how they authorize calls: [`Outer`].

mod call;
mod judge;
mod refused;
mod table;

use core::time::Duration;

use http::header::{ACCEPT, CONTENT_LENGTH, USER_AGENT};
use http::request::Parts;
use http::{HeaderValue, Method};
use serde::{Deserialize, Serialize};

pub use self::call::Call;
pub(super) use self::call::{BASE, TICKLE_BOUNDS, VALIDATE_INTERVAL};
pub(super) use self::judge::Judge;
use super::account::Expect;
use super::brokerage::Brokerage;
use super::method::ByGet;
use super::{Refusal, Region, Takeover, Tier, wire};
use crate::provider::{Context, Fact, Target, Unauthorized, Verdict};
use crate::{BaseUrl, Event, Response, Secret, Timestamp};

/// The interval of the keepalive: IBKR recommends about a minute, and at most 5.
const TICKLE: Duration = Duration::from_secs(60);

/// How long a response of `sso/validate` outweighs doubts about the inner tier; one call a minute is allowed.
const BELIEVED: Duration = Duration::from_secs(90);

/// How long it outweighs doubts about the outer tier itself.
const BELIEVED_AGAINST: Duration = Duration::from_secs(20);

/// The settings of both kinds of session.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub(super) region: Region,
    pub(super) takeover: Takeover,
    pub(super) expect: Expect,
    tickle: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { region: Region::default(), takeover: Takeover::default(), expect: Expect::default(), tickle: TICKLE }
    }
}

impl Settings {
    pub(super) fn set_tickle(&mut self, every: Duration) {
        self.tickle = every.clamp(TICKLE_BOUNDS.0, TICKLE_BOUNDS.1);
    }
}

/// Declares the setters that both providers have.
macro_rules! setters {
    ($provider:ty) => {
        impl $provider {
            /// Sets the region whose midnight ends brokerage sessions and activates new keys; New York by default.
            #[must_use]
            pub fn region(mut self, region: Region) -> Self {
                self.settings.region = region;
                self
            }

            /// Sets whether another client may be thrown out; by default a need asks.
            #[must_use]
            pub fn takeover(mut self, takeover: Takeover) -> Self {
                self.settings.takeover = takeover;
                self
            }

            /// Sets the interval of the keepalive, from 1.1 s, since more than one tickle a second is
            /// penalised, to 4 min; 60 s by default, as IBKR recommends.
            #[must_use]
            pub fn keepalive(mut self, every: Duration) -> Self {
                self.settings.set_tickle(every);
                self
            }
        }
    };
}

pub(super) use setters;

/// The state of both kinds of session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Inner {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<Live>,
    pub(super) brokerage: Brokerage,
    /// When `sso/validate` last said that the login lives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) validated: Option<Timestamp>,
    /// When this login was first usable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) admitted: Option<Timestamp>,
    /// Whether a response has proven that the server is IBKR's.
    pub(super) met: bool,
    /// Whether the status is requested by GET, where POST was refused.
    #[serde(skip_serializing_if = "ByGet::is_unknown")]
    pub(super) by_get: ByGet,
}

impl Inner {
    /// Returns the call that checks the brokerage session.
    pub(super) const fn probe(&self) -> Call {
        if self.brokerage.ready { Call::Status } else { Call::Look }
    }

    /// Reports whether `sso/validate` said lately enough that the login lives, against a doubt of this tier.
    pub(super) fn is_sso_alive(&self, now: Timestamp, doubted: Tier) -> bool {
        let within = if doubted == Tier::Sso { BELIEVED_AGAINST } else { BELIEVED };
        self.live.is_some() && is_recent(self.validated, now, within)
    }

    /// Returns whether it is a paper account, where that is known.
    pub(super) fn paper(&self) -> Option<bool> {
        self.live.as_ref().and_then(|live| live.paper)
    }
}

pub(super) fn is_recent(at: Option<Timestamp>, now: Timestamp, within: Duration) -> bool {
    at.is_some_and(|at| at <= now && now.since(at) < within)
}

/// The data of an open session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
#[non_exhaustive]
pub struct Live {
    /// The user's number. The first tickle of a gateway has it, and `sso/validate`.
    pub user_id: Option<u64>,
    /// The user's name, not with OAuth 1.0a. With a gateway it is requested a minute after the opening, to stay within the
    /// rate limit.
    pub user: Option<Box<str>>,
    /// Whether it is a paper account, where that is known.
    pub paper: Option<bool>,
    /// The id that opens the stream, known after the first tickle.
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub session: Option<Secret>,
    /// When the present token of a direct session expires; it is renewed one to three hours before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// The outer tier of a session: login, its end, and the authorization of calls.
pub(super) trait Outer: Sized {
    /// The requests of the session.
    type Step: Copy + PartialEq + From<Call>;
    /// The state of the session.
    type State: AsRef<Inner> + AsMut<Inner>;

    /// Returns what was configured.
    fn settings(&self) -> &Settings;

    /// Reports whether any response to an authorized call proves that the outer tier lives.
    fn is_proven_by_calls(&self) -> bool;

    /// Reports whether the user's own calls may be made with the login.
    fn may_use(&self, state: &Self::State) -> bool;

    /// Notes flags, which include a login if `login` is set; returns what has to be checked before
    /// anything is opened with it.
    fn flagged(&self, cx: &mut Context<'_, Self::State>, login: bool) -> Option<Verdict<Self::Step>>;

    /// Notes that `sso/validate` proves the login; `admitted` reports whether it is the expected one, where that is
    /// known, and `first` whether it is another one than before.
    fn validated(&self, cx: &mut Context<'_, Self::State>, admitted: Option<bool>, first: bool);

    /// Notes that a tickle belongs to another login than before, maybe another user's.
    fn relogged(&self, cx: &mut Context<'_, Self::State>) {
        let _ = cx;
    }

    /// Continues without a response of `sso/validate`, where none is needed.
    fn unvalidated(&self, cx: &mut Context<'_, Self::State>) -> Option<Verdict<Self::Step>>;

    /// Checks whether the outer tier lives.
    fn find_out(&self, cx: &mut Context<'_, Self::State>) -> Verdict<Self::Step>;

    /// Continues after a response that says that nobody is logged in.
    fn no_login(&self, cx: &mut Context<'_, Self::State>) -> Verdict<Self::Step>;

    /// Continues after a response that casts doubt on a tier, where the inner tier does not decide.
    fn doubted(&self, cx: &mut Context<'_, Self::State>, refusal: Refusal, tier: Tier) -> Option<Verdict<Self::Step>>;

    /// Moves to another host, where the session has several.
    fn moves(&self, cx: &mut Context<'_, Self::State>, step: Self::Step) -> Option<Verdict<Self::Step>>;

    /// Notes that the session is usable; returns what the outer tier has to do next, and when it ends, as far as
    /// known.
    fn admitted(&self, cx: &mut Context<'_, Self::State>) -> (Option<(Self::Step, Timestamp)>, Option<Timestamp>);

    /// Returns the step before a takeover that the owner has consented to.
    fn consented(&self, state: &Self::State) -> Option<Self::Step>;

    /// Reports whether a refused call of the user's own says something about the session, beside what it says about a tier.
    fn minds(&self, state: &Self::State, refusal: Refusal) -> bool;

    /// Reports whether the refusal of a logout means that the session is over, and whether that is certain.
    fn is_over(&self, cx: &Context<'_, Self::State>, response: Response<'_>, refusal: Refusal) -> Option<bool>;

    /// Notes a midnight that has passed in the region.
    fn passed_midnight(&self, cx: &mut Context<'_, Self::State>) {
        cx.tell(Fact::Tell(Event::Reset));
    }

    /// Notes the regional midnight; its event comes before any consequence.
    fn note_midnight(&self, cx: &mut Context<'_, Self::State>) {
        if cx.state.as_mut().brokerage.note_midnight(cx.now, self.settings().region) {
            self.passed_midnight(cx);
        }
    }

    /// Notes that a call is about to leave.
    fn note_leaving(&self, cx: &mut Context<'_, Self::State>, call: Call) {
        self.note_midnight(cx);
        if call.is_init() {
            cx.state.as_mut().brokerage.note_init(cx.now, call == Call::TakeOver, cx.entropy);
        }
    }

    /// Returns the target of a user's own call below this base, and which of the session's calls it repeats.
    fn goes_to<'a>(&self, base: &'a BaseUrl, path: &str) -> Target<'a, Self::Step> {
        // `sso/validate` is served only where calls alone prove nothing.
        let repeats = Call::of_path(path).filter(|call| *call == Call::Tickle || !self.is_proven_by_calls());
        Target { tier: Some(Tier::of_path(path).code()), repeats: repeats.map(Into::into), ..Target::new(base) }
    }

    /// Completes a user's own call, if its tier is usable.
    ///
    /// # Errors
    /// [`Unauthorized::NotReady`] where it is not.
    fn lets_through(&self, state: &Self::State, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        let tier = Tier::of_path(parts.uri.path());
        if !self.may_use(state) || tier == Tier::Brokerage && !state.as_ref().brokerage.ready {
            return Err(Unauthorized::NotReady(Some(tier.code())));
        }
        complete(parts, body);
        Ok(())
    }
}

/// Adds the headers that IBKR's servers require.
fn complete(parts: &mut Parts, body: &[u8]) {
    let agent = const { HeaderValue::from_static(wire::USER_AGENT) };
    parts.headers.entry(USER_AGENT).or_insert(agent);
    parts.headers.entry(ACCEPT).or_insert(wire::JSON);
    // A POST without a length is answered with 411.
    if body.is_empty() && matches!(parts.method, Method::POST | Method::PUT | Method::PATCH) {
        parts.headers.entry(CONTENT_LENGTH).or_insert(const { HeaderValue::from_static("0") });
    }
}
