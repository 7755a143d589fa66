//! What each error leads to.
//!
//! The flags of a response without an error are judged by [`BrokerageState`](crate::providers::ibkr::BrokerageState) and
//! [`Brokerage::weigh`](crate::providers::ibkr::brokerage::Brokerage::weigh).

use super::Call;
use crate::providers::ibkr::{Refusal, Tier};

/// The consequence of an error.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Wait for the end of the penalty box.
    Wait,
    /// Move to another host; where there is none, repeat the call.
    Move,
    /// Repeat the call: it was not processed.
    Again,
    /// Repeat the call, although the server may have processed it.
    Later,
    /// Close: this address is not allowed.
    Deny,
    /// Nobody is logged in: `sso/validate` decides.
    NoLogin,
    /// Put this tier in doubt, and check what is left.
    Doubt(Tier),
    /// Check later what a failed init did; the next init keeps its pace.
    LookLater,
    /// Continue without this response where possible; otherwise as for a request for a token.
    GoWithout,
    /// Close an opening; put an open session in doubt.
    Unreadable(&'static str),
}

/// Returns the consequence of an error to a call, or to a request for a token where there is no call; `met` reports
/// whether the server has proven to be IBKR's.
pub(super) const fn leads_to(refusal: Refusal, call: Option<Call>, met: bool) -> Next {
    use Refusal as R;
    match (refusal, call) {
        (R::PenaltyBox, _) => Next::Wait,
        (R::Gone, _) => Next::Move,
        // Later, a refusal of an address that was accepted before is an accident.
        (R::EdgeDenied | R::Forbidden | R::IpNotAuthorized, _) if !met => Next::Deny,

        // A tier is missing.
        (
            R::LoginRedirect
            | R::NotLoggedIn
            | R::Unauthorized
            | R::BearerExpired
            | R::NoSession
            | R::NotAuthenticated
            | R::NoBridge
            | R::InitFirst
            | R::AccountsFirst,
            Some(Call::Validate),
        ) => Next::NoLogin,
        (R::LoginRedirect | R::NotLoggedIn | R::Unauthorized | R::BearerExpired | R::NoSession, Some(_)) => {
            Next::Doubt(Tier::Sso)
        }

        // Any other error to an init.
        (_, Some(Call::Init | Call::TakeOver)) => Next::LookLater,
        (R::NotAuthenticated | R::NoBridge | R::InitFirst | R::AccountsFirst, Some(_)) => Next::Doubt(Tier::Brokerage),

        (R::EdgeDenied | R::Forbidden | R::IpNotAuthorized, _) => Next::Again,
        (R::Aborted | R::Unavailable | R::Failed | R::WaitingForReply | R::DhTokenFailed, _) => Next::Later,

        // Not known from IBKR.
        (_, Some(Call::Validate)) => Next::GoWithout,
        (R::ErrorInside, _) => Next::Again,
        (_, _) => Next::Unreadable(unknown(refusal)),
    }
}

/// Returns why a response is unreadable.
const fn unknown(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => "there is no such operation: is the base URL right?",
        Refusal::Foreign => "a web page, or a redirect that leads to no login of IBKR's",
        _ => "an error that IBKR is not known to answer with",
    }
}
