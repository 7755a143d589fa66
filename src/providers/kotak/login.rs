//! What both APIs have in common: the gateway's bearer, and two factors with a token between them.
//!
//! The differences are data: [`Factors`], and which faults are a quota, another host or an answer to a probe.

use core::iter::once;

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::host::Told;
use super::table::Next;
use super::wire::fault::{Class, Fault};
use super::{sendable, server_text};
use crate::provider::{Ask, Context, Fact, Judgment, Verdict};
use crate::{
    BaseUrl, CloseReason, NeedKind, Response, Secret, Timestamp,
    machine::{Denial, NeedReason, Rejection, ResponseSummary},
};

/// The bearer of the gateway in front of the API; for Neo, the dashboard's token.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Bearer {
    /// The token, where it was fetched or given; a configured one is in no snapshot.
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Timestamp>,
    /// Whether the API has accepted it.
    pub(super) worked: bool,
    /// Whether the gateway refused it permanently: only a logout still uses it.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub(super) refused: bool,
    /// Whether it was fetched with key and secret; otherwise a person or a store gave it.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub(super) fetched: bool,
}

impl Bearer {
    /// Creates a fetched bearer, with its expiry where the server named one.
    pub(super) fn fetched(token: Secret, ends: Option<Timestamp>) -> Self {
        Self { token: Some(token), ends, fetched: true, ..Self::default() }
    }

    /// Creates a bearer that a person or a store gave.
    ///
    /// # Errors
    /// [`Rejection::Malformed`] where no header can carry it.
    pub(super) fn given(token: &Secret) -> Result<Self, Rejection> {
        match sendable(token) {
            true => Ok(Self { token: Some(token.clone()), ..Self::default() }),
            false => Err(Rejection::Malformed("token")),
        }
    }

    /// Reports whether there is nothing to store.
    const fn is_unknown(&self) -> bool {
        self.token.is_none() && !self.worked
    }

    /// Reports whether it has expired.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }
}

/// The state of the login, and the bearer, which outlives it.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Login {
    #[serde(skip_serializing_if = "Bearer::is_unknown")]
    pub(super) bearer: Bearer,
    /// Whether the login was repeated because the token between the factors had expired.
    pub(super) repeated: bool,
    /// Why answers are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<NeedReason>,
}

impl Login {
    pub(super) fn because(&self) -> NeedReason {
        self.because.unwrap_or(NeedReason::Opening)
    }

    /// Starts a login with the same bearer.
    pub(super) fn begin(&mut self, because: NeedReason) {
        self.because = Some(because);
        self.repeated = false;
    }

    /// Keeps what outlives a login.
    pub(super) fn outlived(self) -> Self {
        Self { bearer: self.bearer, ..Self::default() }
    }
}

/// Checks host and tokens of a snapshot.
///
/// # Errors
/// The text says what is not admitted.
pub(super) fn admit_state<'a>(
    base: &BaseUrl,
    host: Option<&Told>,
    login: &'a Login,
    tokens: impl Iterator<Item = &'a Secret>,
) -> Result<(), &'static str> {
    if !once(&login.bearer.token).flatten().chain(tokens).all(sendable) {
        return Err("a token cannot be carried by a header");
    }
    match host.map(|told| told.admitted_from(base)) {
        Some(Err(_)) => Err("the host is not one that may get tokens"),
        _ => Ok(()),
    }
}

/// Notes that the gateway let a request through, so the bearer is valid.
pub(super) fn bearer_works<T: AsMut<Login>>(cx: &mut Context<'_, T>) {
    if !core::mem::replace(&mut cx.state.as_mut().bearer.worked, true) {
        cx.tell(Fact::Accepted(NeedKind::GatewayToken));
    }
}

/// The differences between the APIs.
pub(super) struct Factors {
    /// The kinds of answer that a login spends.
    pub(super) first: NeedKind,
    pub(super) second: NeedKind,
    /// The proof that a session is dead.
    pub(super) proof: &'static str,
}

/// Returns the verdict for a consequence, where it does not depend on the API.
pub(super) fn follow<S, T: AsMut<Login>>(
    cx: &mut Context<'_, T>,
    factors: &Factors,
    next: Next,
    fault: &Fault<'_>,
    response: Response<'_>,
) -> Verdict<S> {
    let deny = |denial| Verdict::Close(CloseReason::Denied(denial));
    match next {
        Next::Wait => Verdict::unavailable(),
        // Only 503 means that the request was not processed; 424, 502 and 504 leave it open.
        Next::Later if fault.class == Class::Unavailable && response.status == StatusCode::SERVICE_UNAVAILABLE => {
            Verdict::unavailable()
        }
        Next::Later => Verdict::Retry { after: None, answer: Judgment::Judged },
        Next::First => Ask::new(factors.first, NeedReason::Refused).into(),
        Next::Second => Ask::new(factors.second, NeedReason::Refused).into(),
        Next::Repeat => {
            let login = cx.state.as_mut();
            login.repeated = true;
            login.because = Some(NeedReason::Stale);
            Ask::new(factors.first, NeedReason::Stale).into()
        }
        Next::Dead => Verdict::Dead { proof: factors.proof },
        Next::Locked => deny(Denial::Locked),
        Next::NotEntitled => deny(Denial::NotEntitled),
        Next::IpNotAllowed => deny(Denial::IpNotAllowed),
        Next::Unreadable => Verdict::Unreadable("not an answer of this API"),
        Next::Bearer | Next::Move | Next::Rejected => deny(Denial::Rejected(server_text(fault))),
    }
}

/// Closes an opening whose answer is not the API's.
pub(super) fn protocol<S>(step: &'static str, why: &str, response: Response<'_>) -> Verdict<S> {
    Verdict::Close(CloseReason::Protocol(Box::new(ResponseSummary::new(step, why, response))))
}
