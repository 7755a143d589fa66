//! What both APIs have in common: a bearer of the gateway's, two factors with a token between them, and what each fault leads to.
//!
//! What differs is data: [`Factors`], and what counts as a quota, as a host and as a look.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::wire::fault::{At, Class, Fault};
use super::{sendable, server_text};
use crate::provider::{Ask, Cx, Fact, Spent, Verdict};
use crate::{Because, CloseReason, Denial, NeedKind, Rejection, Response, Secret, Timestamp};

/// The bearer of the gateway in front of the API; Neo's is the dashboard's token.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Bearer {
    /// The token, where it was fetched or given; a configured one is in no snapshot.
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<Timestamp>,
    /// Whether the API has taken it since it came.
    pub(super) worked: bool,
    /// Whether the gateway refused it for good: it is used for nothing more than to say goodbye.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub(super) refused: bool,
    /// Whether it was fetched with key and secret; somebody gave it otherwise.
    #[serde(skip_serializing_if = "core::ops::Not::not")]
    pub(super) fetched: bool,
}

impl Bearer {
    /// Takes one that was fetched, with its end where the server told one.
    pub(super) fn fetched(token: Secret, ends: Option<Timestamp>) -> Self {
        Self { token: Some(token), ends, fetched: true, ..Self::default() }
    }

    /// Takes one that a person or a store gave.
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

    /// Reports whether its own end has come.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    /// Notes that the gateway has let a request of the API through, so that the bearer is right.
    pub(super) fn works(&mut self) -> Option<Fact> {
        (!core::mem::replace(&mut self.worked, true)).then_some(Fact::Accepted(NeedKind::GatewayToken))
    }
}

/// What is known of the login under way, and of the bearer, which outlives it.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub(super) struct Login {
    #[serde(skip_serializing_if = "Bearer::is_unknown")]
    pub(super) bearer: Bearer,
    /// Whether it was repeated for a token between the factors that had grown old.
    pub(super) repeated: bool,
    /// Why answers are asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<Because>,
}

impl Login {
    pub(super) fn because(&self) -> Because {
        self.because.unwrap_or(Because::Opening)
    }

    /// Begins anew with the same bearer.
    pub(super) fn begin(&mut self, because: Because) {
        self.because = Some(because);
        self.repeated = false;
    }

    /// Keeps what outlives a login.
    pub(super) fn outlived(self) -> Self {
        Self { bearer: self.bearer, ..Self::default() }
    }
}

/// What differs between the APIs.
pub(super) struct Factors {
    /// The kinds of answer that a login spends.
    pub(super) first: NeedKind,
    pub(super) second: NeedKind,
    /// What proves that a session is dead.
    pub(super) proof: &'static str,
}

/// What a fault leads to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Another bearer is needed.
    Bearer,
    /// A quota is waited out.
    Wait,
    /// The step is repeated at the pace of failures.
    Later,
    /// Another host is named.
    Move,
    /// The session is dead.
    Dead,
    /// The first factor was refused, and another answer is asked for.
    First,
    /// The same of the second.
    Second,
    /// The token between the factors has grown old: both answers are asked for once more.
    Repeat,
    /// The account or the address is kept out.
    Locked,
    NotEntitled,
    IpNotAllowed,
    /// The login is refused, in the server's words.
    Rejected,
    /// The answer closes an opening, and is a doubt of an open session.
    Unreadable,
}

/// Says what a fault leads to; `open` reports whether there is a session, which only a proof of its death ends.
pub(super) const fn leads_to(class: &Class<'_>, at: At, open: bool, repeated: bool) -> Next {
    match (class, at) {
        (Class::BearerInvalid, _) => Next::Bearer,
        (Class::Quota, _) => Next::Wait,
        (Class::Unavailable, _) => Next::Later,
        (Class::WrongHost(_), _) => Next::Move,
        (Class::Malformed, _) => Next::Unreadable,
        (Class::SessionExpired, _) if open => Next::Dead,
        (_, _) if open => Next::Later,

        (Class::Locked, _) => Next::Locked,
        (Class::NotEntitled, _) => Next::NotEntitled,
        (Class::IpNotAllowed, _) => Next::IpNotAllowed,
        (Class::CredentialsRejected, At::FirstFactor) => Next::First,
        (Class::SecondFactorRejected, At::SecondFactor) => Next::Second,
        (Class::OneTimeTokenStale, _) if !repeated => Next::Repeat,
        (_, _) => Next::Rejected,
    }
}

/// Follows what does not depend on the API.
pub(super) fn follow<S, T: AsMut<Login>>(
    cx: &mut Cx<'_, T>,
    factors: &Factors,
    next: Next,
    fault: &Fault<'_>,
    response: Response<'_>,
) -> Verdict<S> {
    let deny = |denial| Verdict::Close(CloseReason::Denied(denial));
    match next {
        Next::Wait => Verdict::unavailable(),
        // Only 503 says that nobody has looked; behind 424, 502 and 504 somebody may have.
        Next::Later if fault.class == Class::Unavailable && response.status == StatusCode::SERVICE_UNAVAILABLE => {
            Verdict::unavailable()
        }
        Next::Later => Verdict::Retry { after: None, answer: Spent::Judged },
        Next::First => Ask::new(factors.first, Because::Refused).into(),
        Next::Second => Ask::new(factors.second, Because::Refused).into(),
        Next::Repeat => {
            let login = cx.state.as_mut();
            login.repeated = true;
            login.because = Some(Because::Stale);
            Ask::new(factors.first, Because::Stale).into()
        }
        Next::Dead => Verdict::Dead { proof: factors.proof },
        Next::Locked => deny(Denial::Locked),
        Next::NotEntitled => deny(Denial::NotEntitled),
        Next::IpNotAllowed => deny(Denial::IpNotAllowed),
        Next::Unreadable => Verdict::Unreadable("not an answer of this API"),
        Next::Bearer | Next::Move | Next::Rejected => deny(Denial::Rejected(server_text(fault))),
    }
}
