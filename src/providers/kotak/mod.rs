//! Kotak Securities: the Trade API of 2020 to 2023 and the present Neo Trade API.
//!
//! What was between them, Neo's first version of 2023 to 2025 with its gateway bearer of an hour, is left out.
//!
//! | part | what |
//! |---|---|
//! | [`TradeApi`] | init, password, access code; two hosts; a gateway bearer with a life of its own |
//! | [`Neo`] | an authenticator's code, then the MPIN; a host for each user; nothing to end at the server |
//! | [`wire`] | each operation as a request builder and a lenient reply; faults sorted into classes |
//! | [`host`] | which told host may get a bearer, a password or a token |

#[cfg(test)]
#[cfg(feature = "sim")]
mod harness;
pub mod host;
mod login;
mod mobile;
pub mod neo;
pub mod trade_api;
pub mod wire;

pub use self::neo::Neo;
pub use self::trade_api::TradeApi;

use core::time::Duration;

use self::wire::fault::{Class, Fault};
use crate::provider::{Cx, Fact, Spent, Verdict};
use crate::{Response, ServerText, Timestamp};

/// Waits out a quota that is counted by the minute of the server's clock, and lets nobody else send.
fn wait_for_the_minute<S, T>(cx: &mut Cx<'_, T>) -> Verdict<S> {
    let wait = to_the_next_minute(cx.now);
    cx.tell(Fact::Penalty(wait));
    Verdict::Retry { after: Some(wait), answer: Spent::Unjudged }
}

/// Gives the time to the next minute, and a second more: two clocks are never one.
fn to_the_next_minute(now: Timestamp) -> Duration {
    Duration::from_millis(61_000 - now.as_millis() % 60_000)
}

/// Tells the user a fault's words; a refusal that has none is told by its status, as an outage is by
/// [`Event::Retrying`](crate::Event::Retrying).
fn pass_on<T>(cx: &mut Cx<'_, T>, fault: &Fault<'_>, response: Response<'_>) {
    let passing = matches!(fault.class, Class::Unavailable | Class::Quota);
    let silence = || (!passing).then(|| format!("no reason given (status {})", response.status.as_u16()));
    if let Some(words) = fault.words().or_else(silence) {
        cx.tell(Fact::server_says(&words));
    }
}

fn server_text(fault: &Fault<'_>) -> Option<ServerText> {
    fault.words().map(|text| ServerText::new(&text))
}

/// Tells whether a code or a PIN has digits alone, and as many as one of them may have.
fn is_code(code: &str, length: core::ops::RangeInclusive<usize>) -> bool {
    length.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// What is said of a snapshot whose tokens somebody has edited.
const UNSENDABLE: &str = "a token cannot be carried by a header";

/// Tells whether a token can be written into a header.
fn sendable(token: &crate::Secret) -> bool {
    crate::Rejection::check_token("token", token.expose()).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_ends_with_the_minute() {
        for (now, wait) in [(0, 61_000), (59_999, 1_001), (60_000, 61_000), (90_000, 31_000)] {
            assert_eq!(to_the_next_minute(Timestamp::from_millis(now)).as_millis(), wait, "{now}");
        }
    }
}
