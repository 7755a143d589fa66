//! The calls that a run makes, drawn at random, and the answers of a server that means no good.

use proptest::prelude::*;

use crate::{Delivery, FailureKind};

/// One call on a session, or something that happens around it.
#[derive(Clone, Debug)]
pub(super) enum Call {
    Start,
    /// Poll once.
    Poll,
    /// Poll until there is nothing to do.
    Drain,
    /// Sleep until the deadline, then drain.
    Sleep,
    /// The clock jumps forward by so many milliseconds.
    Forward(u64),
    /// The clock jumps back.
    Back(u64),
    Respond(Reply),
    Fail(FailureKind, Delivery),
    /// Report an id again that is over.
    ReportLate(usize, Reply),
    /// Report an id that was never issued.
    ReportUnknown(u32),
    Answer {
        by_store: bool,
    },
    AnswerWrongly,
    AnswerStale,
    GiveUp,
    TakeOver,
    Check,
    Logout,
    Authorize,
    AuthorizeForeign,
    Observe(usize, Reply),
    ObserveFailure(usize),
    /// Keep a snapshot for later.
    Keep,
    /// The process dies and the last stored snapshot is resumed.
    Crash(usize),
    /// One snapshot is resumed twice.
    CrashTwice(usize),
    /// Write, resume and write again.
    RoundTrip,
}

/// What a server says.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// What the honest server says.
    Honest,
    /// One of the samples, maybe under another status and with a `Retry-After`.
    Sample { which: usize, status: Option<u16>, retry_after: Option<String> },
    /// Anything.
    Junk { status: u16, content_type: &'static str, body: Vec<u8>, retry_after: Option<String> },
    /// More than anybody wants to read.
    Huge,
}

const STATUSES: &[u16] =
    &[200, 201, 204, 301, 302, 304, 400, 401, 403, 404, 409, 410, 411, 423, 429, 500, 502, 503, 504, 599];

fn retry_after() -> impl Strategy<Value = Option<String>> {
    prop_oneof![
        4 => Just(None),
        1 => (0_u64..2_000).prop_map(|secs| Some(secs.to_string())),
        1 => prop::sample::select(&["", "-1", "soon", "99999999999999999999999", "18446744073709551615",
            "Sun, 06 Nov 1994 08:49:37 GMT", "Fri, 31 Dec 9999 23:59:59 GMT"][..]).prop_map(|text| Some(text.to_owned())),
    ]
}

pub(super) fn reply() -> impl Strategy<Value = Reply> {
    let status = prop::sample::select(STATUSES);
    let content_type =
        prop::sample::select(&["application/json", "text/html", "text/plain", "", "application/jwt"][..]);
    let body = prop_oneof![
        prop::sample::select(
            &["", "{}", "null", "[]", "\"x\"", "{\"error\":\"no\"}", "<html><body>Sign in", "{\"a\":"][..]
        )
        .prop_map(|text| text.as_bytes().to_vec()),
        prop::collection::vec(any::<u8>(), 0..40),
    ];
    prop_oneof![
        6 => Just(Reply::Honest),
        4 => (any::<usize>(), prop::option::weighted(0.2, status.clone()), retry_after())
            .prop_map(|(which, status, retry_after)| Reply::Sample { which, status, retry_after }),
        3 => (status, content_type, body, retry_after()).prop_map(|(status, content_type, body, retry_after)| {
            Reply::Junk { status, content_type, body, retry_after }
        }),
        1 => Just(Reply::Huge),
    ]
}

fn jump() -> impl Strategy<Value = u64> {
    prop_oneof![1_u64..10_000, 10_000_u64..120_000, 120_000_u64..86_400_000, 86_400_000_u64..4_000_000_000,]
}

fn failure() -> impl Strategy<Value = (FailureKind, Delivery)> {
    use FailureKind::{BodyTooLarge, Connect, Interrupted, Other, Timeout, Tls};
    prop::sample::select(
        &[
            (Connect, Delivery::NotSent),
            (Tls, Delivery::NotSent),
            (Other, Delivery::NotSent),
            (Timeout, Delivery::MaybeSent),
            (Interrupted, Delivery::MaybeSent),
            (Other, Delivery::MaybeSent),
            (BodyTooLarge, Delivery::MaybeSent),
        ][..],
    )
}

pub(super) fn call() -> impl Strategy<Value = Call> {
    prop_oneof![
        1 => Just(Call::Start),
        4 => Just(Call::Poll),
        12 => Just(Call::Drain),
        10 => Just(Call::Sleep),
        3 => jump().prop_map(Call::Forward),
        3 => jump().prop_map(Call::Back),
        24 => reply().prop_map(Call::Respond),
        6 => failure().prop_map(|(kind, delivery)| Call::Fail(kind, delivery)),
        2 => (any::<usize>(), reply()).prop_map(|(which, reply)| Call::ReportLate(which, reply)),
        1 => (0_u32..5).prop_map(Call::ReportUnknown),
        16 => any::<bool>().prop_map(|by_store| Call::Answer { by_store }),
        1 => Just(Call::AnswerWrongly),
        1 => Just(Call::AnswerStale),
        1 => prop::bool::weighted(0.1).prop_map(|really| if really { Call::GiveUp } else { Call::AnswerStale }),
        1 => Just(Call::TakeOver),
        3 => Just(Call::Check),
        1 => prop::bool::weighted(0.5).prop_map(|really| if really { Call::Logout } else { Call::Check }),
        2 => Just(Call::Authorize),
        1 => Just(Call::AuthorizeForeign),
        3 => (any::<usize>(), reply()).prop_map(|(which, reply)| Call::Observe(which, reply)),
        1 => any::<usize>().prop_map(Call::ObserveFailure),
        2 => Just(Call::Keep),
        3 => any::<usize>().prop_map(Call::Crash),
        1 => any::<usize>().prop_map(Call::CrashTwice),
        2 => Just(Call::RoundTrip),
    ]
}
