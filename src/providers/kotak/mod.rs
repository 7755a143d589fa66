//! Kotak Securities: the Trade API of 2020 to 2023 and the present Neo Trade API.
//!
//! Neo's first version (2023 to 2025), with a gateway bearer that lasts an hour, is not included.
//!
//! | part | what |
//! |---|---|
//! | [`TradeApi`] | init, password, access code; two hosts; a gateway bearer that expires separately |
//! | [`Neo`] | an authenticator's code, then the MPIN; a host for each user; nothing to end at the server |
//! | [`wire`] | each operation as a request builder and a lenient response; faults by class |
//! | [`host`] | which host named by a server may get a bearer, a password or a token |

pub mod host;
mod login;
mod mobile;
pub mod neo;
mod table;
pub mod trade_api;
pub mod wire;

pub use self::neo::Neo;
pub use self::trade_api::TradeApi;

use core::time::Duration;

use self::wire::fault::{Class, Fault};
use crate::provider::{Context, Fact, Judgment, Verdict};
use crate::{Response, Timestamp, machine::ServerText};

/// How long to wait for what must not be repeated: the vendor's present SDK waits 30 s, and users report stalls.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits for the end of a quota, which the server counts per minute of its clock, and holds back all requests.
fn wait_for_the_minute<S, T>(cx: &mut Context<'_, T>) -> Verdict<S> {
    let wait = to_the_next_minute(cx.now);
    cx.tell(Fact::Penalty(wait));
    Verdict::Retry { after: Some(wait), answer: Judgment::Unjudged }
}

/// Returns the time to the next minute plus a second, since the two clocks differ.
fn to_the_next_minute(now: Timestamp) -> Duration {
    Duration::from_millis(61_000 - now.as_millis() % 60_000)
}

/// Returns the user a fault's text, or its status where a refusal has no text. Outages are told by
/// [`Event::Retrying`](crate::Event::Retrying).
fn pass_on<T>(cx: &mut Context<'_, T>, fault: &Fault<'_>, response: Response<'_>) {
    let passing = matches!(fault.class, Class::Unavailable | Class::Quota);
    let silence = || (!passing).then(|| format!("no reason given (status {})", response.status.as_u16()));
    if let Some(words) = fault.words().or_else(silence) {
        cx.tell(Fact::server_says(&words));
    }
}

fn server_text(fault: &Fault<'_>) -> Option<ServerText> {
    fault.words().map(|text| ServerText::new(&text))
}

/// Reports whether a code or a PIN has digits only, and a valid number of them.
fn is_code(code: &str, length: core::ops::RangeInclusive<usize>) -> bool {
    length.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reports whether a token can be written into a header.
fn sendable(token: &crate::Secret) -> bool {
    crate::machine::Rejection::check_token("token", token.expose()).is_ok()
}

#[cfg(test)]
mod tests;
