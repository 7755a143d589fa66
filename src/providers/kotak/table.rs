//! What a fault leads to, in both APIs.

use super::wire::fault::{At, Class};

/// The consequence of a fault.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Get another bearer.
    Bearer,
    /// Wait for the end of a quota.
    Wait,
    /// Retry with backoff.
    Later,
    /// Move to the host that is named.
    Move,
    /// The session is dead.
    Dead,
    /// Ask for the first factor again: it was refused.
    First,
    /// Ask for the second factor again: it was refused.
    Second,
    /// Ask for both factors again: the token between them has expired.
    Repeat,
    /// Close: the account is locked.
    Locked,
    /// Close: the account may not use the API.
    NotEntitled,
    /// Close: the address is not allowed.
    IpNotAllowed,
    /// Close, with the server's text.
    Rejected,
    /// Close an opening; put an open session in doubt.
    Unreadable,
}

/// Returns the consequence of a fault; `open` reports whether there is a session, `repeated` whether both factors were
/// already asked for again.
pub(super) const fn leads_to(class: &Class<'_>, at: At, open: bool, repeated: bool) -> Next {
    match (class, at) {
        (Class::BearerInvalid, _) => Next::Bearer,
        (Class::Quota, _) => Next::Wait,
        (Class::Unavailable, _) => Next::Later,
        (Class::WrongHost(_), _) => Next::Move,
        (Class::Malformed, _) => Next::Unreadable,

        // Only a proof of its death ends an open session.
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
