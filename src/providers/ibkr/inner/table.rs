//! What each error answer leads to, on one page.
//!
//! The flags of an answer that is no error lead on by [`BrokerageState`](crate::providers::ibkr::BrokerageState) and
//! [`Brokerage::weigh`](crate::providers::ibkr::brokerage::Brokerage::weigh).

use super::Call;
use crate::providers::ibkr::{Refusal, Tier};

/// What follows from an error answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Next {
    /// Nothing is sent before the penalty box ends.
    Wait,
    /// Another host may serve; where there is none, the call is repeated.
    Move,
    /// The call is repeated: nobody has looked at it.
    Again,
    /// The call is repeated, although the server may have acted on it.
    Later,
    /// The opening is denied: this address is not let in.
    Deny,
    /// Nobody is logged in, by the word of the answer that decides it.
    NoLogin,
    /// This tier is in doubt: it is found out what is left.
    Doubt(Tier),
    /// The init did not help: a look in a minute shows what it did, and the next init keeps its pace.
    LookLater,
    /// The session goes on without this answer where it can; else it follows as to a step that is no call.
    GoWithout,
    /// The answer closes an opening, and is a doubt of an open session.
    Unreadable(&'static str),
}

/// Says what an error answer to a call leads to, or to a step that asks for a token where it is no call; `met` reports
/// whether the server has shown that it is IBKR's.
pub(super) const fn leads_to(refusal: Refusal, call: Option<Call>, met: bool) -> Next {
    use Refusal as R;
    match (refusal, call) {
        (R::PenaltyBox, _) => Next::Wait,
        (R::Gone, _) => Next::Move,
        // An address that was let in a moment ago is refused by accident.
        (R::EdgeDenied | R::Forbidden | R::IpNotAuthorized, _) if !met => Next::Deny,

        // Of a tier that is not there.
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

        // Whatever else an init is answered.
        (_, Some(Call::Init | Call::TakeOver)) => Next::LookLater,
        (R::NotAuthenticated | R::NoBridge | R::InitFirst | R::AccountsFirst, Some(_)) => Next::Doubt(Tier::Brokerage),

        (R::EdgeDenied | R::Forbidden | R::IpNotAuthorized, _) => Next::Again,
        (R::Aborted | R::Unavailable | R::Failed | R::WaitingForReply | R::DhTokenFailed, _) => Next::Later,

        // What IBKR is not known to answer.
        (_, Some(Call::Validate)) => Next::GoWithout,
        (R::ErrorInside, _) => Next::Again,
        (_, _) => Next::Unreadable(unknown(refusal)),
    }
}

/// Says why an answer cannot be made sense of.
const fn unknown(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::NotFound => "there is no such operation: is the base URL right?",
        Refusal::Foreign => "a web page, or a redirect that leads to no login of IBKR's",
        _ => "an error that IBKR is not known to answer with",
    }
}
