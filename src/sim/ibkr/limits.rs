//! The rate limits and the penalty box.

use core::time::Duration;
use std::collections::VecDeque;

use super::RateLimits;
use crate::Timestamp;

/// Those of which it was reported that their breach opens the box; a minute by another clock may be a little short.
const REPORTED: [(&str, usize, u64); 2] = [("/", 10, 1), ("/sso/validate", 1, 50)];

/// So many requests to a path (below the base) in so many seconds, as the documentation's table says.
const LIMITS: [(&str, usize, u64); 15] = [
    ("/", 10, 1),
    ("/tickle", 1, 1),
    ("/sso/validate", 1, 60),
    ("/fyi/", 1, 1),
    ("/iserver/account/orders", 1, 5),
    ("/iserver/account/trades", 1, 5),
    ("/iserver/account/pnl/partitioned", 1, 5),
    ("/portfolio/accounts", 1, 5),
    ("/portfolio/subaccounts", 1, 5),
    ("/iserver/marketdata/snapshot", 10, 1),
    ("/iserver/scanner/params", 1, 15 * 60),
    ("/iserver/scanner/run", 1, 1),
    ("/pa/performance", 1, 15 * 60),
    ("/pa/summary", 1, 15 * 60),
    ("/pa/transactions", 1, 15 * 60),
];

/// Counts the requests of one address.
#[derive(Debug, Default)]
pub(super) struct Limits {
    counts: [VecDeque<Timestamp>; LIMITS.len()],
    boxed_until: Option<Timestamp>,
}

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Admission {
    Admitted,
    /// Refused; this very request opened the box.
    Boxes,
    /// Refused, inside the box.
    Boxed,
}

impl Limits {
    /// Counts a request to a path below the base.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        path: &str,
        limits: RateLimits,
        penalty: Duration,
        restarts: bool,
    ) -> Admission {
        let limits: &[(&str, usize, u64)] = match limits {
            RateLimits::Off => &[],
            RateLimits::Reported => &REPORTED,
            RateLimits::Documented => &LIMITS,
        };
        if self.boxed_until.is_some_and(|until| now < until) {
            if restarts {
                self.boxed_until = Some(now + penalty);
            }
            return Admission::Boxed;
        }
        let mut exceeded = false;
        for ((prefix, most, secs), times) in limits.iter().zip(&mut self.counts) {
            if !path.starts_with(prefix) {
                continue;
            }
            let window = Duration::from_secs(*secs);
            while times.front().is_some_and(|first| *first + window <= now) {
                times.pop_front();
            }
            exceeded |= times.len() >= *most;
            times.push_back(now);
        }
        if exceeded {
            self.put_into_box(now + penalty);
            return Admission::Boxes;
        }
        Admission::Admitted
    }

    /// Opens the penalty box.
    pub(super) fn put_into_box(&mut self, until: Timestamp) {
        *self = Self { boxed_until: Some(until), ..Self::default() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOX: Duration = Duration::from_secs(900);

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    #[test]
    fn a_tickle_each_second_is_admitted_and_a_faster_one_is_boxed() {
        let mut limits = Limits::default();
        for secs in 0..100 {
            assert_eq!(
                limits.admit(at(secs * 1_000), "/tickle", RateLimits::Documented, BOX, false),
                Admission::Admitted
            );
        }
        assert_eq!(limits.admit(at(99_999), "/tickle", RateLimits::Documented, BOX, false), Admission::Boxes);
        assert_eq!(
            limits.admit(at(99_999 + 899_999), "/iserver/accounts", RateLimits::Documented, BOX, false),
            Admission::Boxed
        );
        assert_eq!(
            limits.admit(at(99_999 + 900_000), "/tickle", RateLimits::Documented, BOX, false),
            Admission::Admitted
        );
    }

    #[test]
    fn ten_requests_a_second_are_admitted() {
        let mut limits = Limits::default();
        for millis in (0..5_000).step_by(100) {
            assert_eq!(
                limits.admit(at(millis), "/iserver/secdef/search", RateLimits::Documented, BOX, false),
                Admission::Admitted
            );
        }
        assert_eq!(
            limits.admit(at(4_901), "/iserver/secdef/search", RateLimits::Documented, BOX, false),
            Admission::Boxes
        );
    }

    #[test]
    fn only_what_was_reported_opens_the_box_by_default() {
        let mut limits = Limits::default();
        let mut admit = |millis, path| limits.admit(at(millis), path, RateLimits::Reported, BOX, false);
        // ibeam: two tickles within a second; it validates each minute by a timer of its own.
        for minute in 0..100 {
            assert_eq!(admit(minute * 60_000, "/tickle"), Admission::Admitted);
            assert_eq!(admit(minute * 60_000 + 200 - minute, "/tickle"), Admission::Admitted);
            assert_eq!(admit(minute * 60_000 + 300 - minute, "/sso/validate"), Admission::Admitted);
        }
        assert_eq!(admit(100 * 60_000 - 20_000, "/sso/validate"), Admission::Boxes);
        let mut limits = Limits::default();
        for _ in 0..100 {
            assert_eq!(limits.admit(at(0), "/", RateLimits::Off, BOX, false), Admission::Admitted);
        }
    }

    #[test]
    fn a_box_that_restarts_is_left_by_silence_alone() {
        let mut limits = Limits::default();
        limits.put_into_box(at(0) + BOX);
        assert_eq!(limits.admit(at(899_000), "/tickle", RateLimits::Documented, BOX, true), Admission::Boxed);
        assert_eq!(limits.admit(at(1_000_000), "/tickle", RateLimits::Documented, BOX, true), Admission::Boxed);
        assert_eq!(limits.admit(at(1_900_000), "/tickle", RateLimits::Documented, BOX, true), Admission::Admitted);
    }
}
