//! How many requests of each API are answered in a second.

use std::collections::BTreeMap;

use http::HeaderName;
use serde_json::json;

use crate::Timestamp;
use crate::sim::kotak::{Answer, Outcome};
use crate::sim::web;

/// What a limited API may be asked in a second (told by the vendor in July 2026).
const OF_EACH: u32 = 25;

/// What all that is done with orders may be asked together.
const OF_ORDERS: u32 = 10;

/// Which limits count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum RateLimits {
    /// None, but for those of [`NeoSim::set_limited`](super::NeoSim::set_limited).
    Off,
    /// 25 requests of an account to one API in a second of the clock, 10 to all of its orders.
    Documented,
}

/// How a limited API tells when it answers again; which of the headers come is not documented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum LimitTold {
    /// `Retry-After` in whole seconds, and `X-RateLimit-Reset` in seconds from now.
    RetryAfter,
    /// `X-RateLimit-Reset` alone, in seconds from now.
    ResetIn,
    /// `X-RateLimit-Reset` alone, in seconds since 1970.
    ResetAt,
    /// Nothing.
    Nothing,
}

/// The counts of the present second, and the APIs that are limited for longer.
#[derive(Debug)]
pub(super) struct Limits {
    pub(super) limits: RateLimits,
    pub(super) told: LimitTold,
    second: u64,
    counts: BTreeMap<(String, String), u32>,
    closed: BTreeMap<String, Timestamp>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            limits: RateLimits::Documented,
            told: LimitTold::RetryAfter,
            second: 0,
            counts: BTreeMap::new(),
            closed: BTreeMap::new(),
        }
    }
}

/// Names the API of a path. Whatever is done with orders is one; a quote's symbols are part of its path.
pub(super) fn api(path: &str) -> &str {
    let placed = path.find("/quick/order/").filter(|_| !path.contains("/quick/order/history"));
    let read = path.find("/script-details/1.0/quotes/").map(|at| at + "/script-details/1.0/quotes".len());
    match (placed, read) {
        (Some(at), _) => path.get(at..at + "/quick/order".len()).unwrap_or(path),
        (None, Some(end)) => path.get(..end).unwrap_or(path),
        (None, None) => path,
    }
}

impl Limits {
    /// Counts a request; returns the refusal of one that is too many.
    pub(super) fn admit(&mut self, now: Timestamp, who: &str, path: &str) -> Option<Answer> {
        let api = api(path);
        let most = if api == "/quick/order" { OF_ORDERS } else { OF_EACH };
        if let Some(until) = self.closed_until(now, path) {
            return Some(self.refusal(now, most, until));
        }
        let second = now.as_secs();
        if self.second != second {
            self.second = second;
            self.counts.clear();
        }
        let count = self.counts.entry((who.to_owned(), api.to_owned())).or_default();
        *count += 1;
        let over = self.limits == RateLimits::Documented && *count > most;
        over.then(|| self.refusal(now, most, Timestamp::from_secs(second + 1)))
    }

    pub(super) fn close(&mut self, path: &str, until: Timestamp) {
        self.closed.insert(api(path).to_owned(), until);
    }

    pub(super) fn closed_until(&self, now: Timestamp, path: &str) -> Option<Timestamp> {
        self.closed.get(api(path)).copied().filter(|until| now < *until)
    }

    fn refusal(&self, now: Timestamp, most: u32, until: Timestamp) -> Answer {
        let body = json!({ "code": 429, "error": "Rate limit exceeded", "message": "too many request received" });
        let mut answer = Answer::json(429, &body, Outcome::Refused("limit"));
        let left = until.since(now).as_millis().div_ceil(1_000);
        let end = until.as_millis().div_ceil(1_000);
        let reset = match self.told {
            LimitTold::RetryAfter | LimitTold::ResetIn => left.to_string(),
            LimitTold::ResetAt => end.to_string(),
            LimitTold::Nothing => return answer,
        };
        let mut tells = |name, value: &str| web::set(&mut answer.response, HeaderName::from_static(name), value);
        tells("x-ratelimit-limit", &most.to_string());
        tells("x-ratelimit-remaining", "0");
        tells("x-ratelimit-reset", &reset);
        if self.told == LimitTold::RetryAfter {
            tells("retry-after", &left.to_string());
        }
        answer
    }
}
