//! The daily end of a session.

use crate::{Timestamp, provider::Zone};

/// Returns the next daily end after this instant: 08:30 in India, half an hour before the exchanges open.
///
/// The exchange requires API sessions to end before each trading day (NSE/INVG/67858, May 2025), at no published hour. 08:30
/// leaves time for a login before the first order. Weekends and holidays are included: this crate has no calendar of
/// the exchanges, and a check costs one request.
pub(super) fn next_end(now: Timestamp) -> Timestamp {
    Zone::INDIA.next(now, 8, 30)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_ends_at_half_past_eight_in_india() {
        for (now, end) in [
            ("Mon, 05 Oct 2026 02:59:59 GMT", "Mon, 05 Oct 2026 03:00:00 GMT"),
            ("Mon, 05 Oct 2026 03:00:00 GMT", "Tue, 06 Oct 2026 03:00:00 GMT"),
            ("Mon, 05 Oct 2026 18:30:00 GMT", "Tue, 06 Oct 2026 03:00:00 GMT"),
            ("Thu, 31 Dec 2026 23:59:59 GMT", "Fri, 01 Jan 2027 03:00:00 GMT"),
            ("Thu, 01 Jan 1970 00:00:00 GMT", "Thu, 01 Jan 1970 03:00:00 GMT"),
        ] {
            let at = |text| Timestamp::from_http_date(text).unwrap();
            assert_eq!(next_end(at(now)), at(end), "{now}");
            let zoned = |at: Timestamp| {
                let at = jiff::Timestamp::from_second(i64::try_from(at.as_secs()).unwrap()).unwrap();
                at.in_tz("Asia/Kolkata").unwrap()
            };
            assert_eq!(zoned(next_end(at(now))).strftime("%H:%M:%S").to_string(), "08:30:00");
        }
        assert!(next_end(Timestamp::LATEST) > Timestamp::LATEST);
    }
}
