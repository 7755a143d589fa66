//! The end of a day's session.

use crate::{Timestamp, Zone};

/// Gives the first end of a day after this instant: 08:30 in India, half an hour before the exchanges open.
///
/// The exchange has API sessions ended before each trading day (NSE/INVG/67858, May 2025), at no published hour. At this
/// one there is still time for a login before the first order. Saturdays, Sundays and holidays count as well: no calendar of
/// the exchanges is known here, and a look costs one request.
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
