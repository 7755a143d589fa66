//! Hours of the day in a time zone, without a time-zone database.

use crate::Timestamp;
use crate::time::{civil_from_days, days_from_civil};

const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

/// A time zone: its offset from UTC, and the rule of its daylight saving time, if it has one.
///
/// For servers that end all sessions at an hour of their own day. The rules are those in force since 2007 (United States)
/// and 1996 (Europe); a zone of other rules needs a time-zone database, which this crate does not bring.
///
/// ```
/// use sansession::{Timestamp, provider::Zone};
///
/// let now = Timestamp::from_http_date("Sat, 24 Oct 2026 12:00:00 GMT").unwrap();
/// let six = Timestamp::from_http_date("Sun, 25 Oct 2026 05:00:00 GMT").unwrap();
/// assert_eq!(Zone::CENTRAL_EUROPE.next(now, 6, 0), six);
///
/// // Chicago is six hours behind UTC and has the daylight saving time of the United States.
/// let chicago = Zone::east(-6 * 60).with_us_summer();
/// assert_eq!(chicago.next(now, 6, 0), Timestamp::from_http_date("Sun, 25 Oct 2026 11:00:00 GMT").unwrap());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Zone {
    minutes: i16,
    summer: Option<Summer>,
}

/// When clocks are an hour ahead.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Summer {
    UnitedStates,
    Europe,
}

impl Zone {
    /// Coordinated Universal Time.
    pub const UTC: Self = Self::east(0);
    /// New York: UTC-5, in summer UTC-4.
    pub const NEW_YORK: Self = Self::east(-5 * 60).with_us_summer();
    /// London: UTC, in summer UTC+1.
    pub const LONDON: Self = Self::UTC.with_european_summer();
    /// From Madrid to Warsaw: UTC+1, in summer UTC+2.
    pub const CENTRAL_EUROPE: Self = Self::east(60).with_european_summer();
    /// India: UTC+5:30.
    pub const INDIA: Self = Self::east(5 * 60 + 30);
    /// Hong Kong: UTC+8.
    pub const HONG_KONG: Self = Self::east(8 * 60);

    /// Creates a zone that is so many minutes ahead of UTC, behind it where the number is negative.
    pub const fn east(minutes: i16) -> Self {
        Self { minutes, summer: None }
    }

    /// Adds the daylight saving time of the United States and Canada.
    #[must_use]
    pub const fn with_us_summer(self) -> Self {
        Self { summer: Some(Summer::UnitedStates), ..self }
    }

    /// Adds the summer time of Europe.
    #[must_use]
    pub const fn with_european_summer(self) -> Self {
        Self { summer: Some(Summer::Europe), ..self }
    }

    /// Returns the first instant after `now` at which clocks in the zone show this hour (0 to 23) and minute.
    ///
    /// A time that a change of the clocks leaves out is taken for the one an hour later, and of two the first counts.
    pub fn next(self, now: Timestamp, hour: u8, minute: u8) -> Timestamp {
        let today = self.day(now);
        let instants = (today.saturating_sub(1)..today.saturating_add(3)).map(|day| self.at(day, hour, minute));
        instants.into_iter().find(|at| *at > now).unwrap_or(Timestamp::NEVER)
    }

    /// Returns the last instant, not after `now`, at which clocks in the zone showed this hour and minute.
    pub fn last(self, now: Timestamp, hour: u8, minute: u8) -> Timestamp {
        let today = self.day(now);
        let instants = (today.saturating_sub(2)..today.saturating_add(2)).rev().map(|day| self.at(day, hour, minute));
        instants.into_iter().find(|at| *at <= now).unwrap_or_default()
    }

    /// Returns the local day, counted from 1970-01-01.
    fn day(self, now: Timestamp) -> u64 {
        let utc = now.as_secs();
        utc.saturating_add_signed(self.offset(utc)) / DAY
    }

    fn at(self, day: u64, hour: u8, minute: u8) -> Timestamp {
        let local = day.saturating_mul(DAY).saturating_add(u64::from(hour) * HOUR + u64::from(minute) * 60);
        let to_utc = |offset: i64| local.saturating_add_signed(-offset);
        let (standard, summer) = (to_utc(self.standard()), to_utc(self.standard() + HOUR.cast_signed()));
        let is_summer = self.offset(summer) != self.standard();
        Timestamp::from_secs(if is_summer { summer } else { standard })
    }

    const fn standard(self) -> i64 {
        self.minutes as i64 * 60
    }

    /// Returns local time less UTC in seconds, at an instant in seconds since the epoch.
    fn offset(self, utc: u64) -> i64 {
        let (year, ..) = civil_from_days(utc / DAY);
        let (start, end) = match self.summer {
            None => return self.standard(),
            // From 2:00 standard time on the second Sunday of March to 2:00 summer time on the first of November.
            Some(Summer::UnitedStates) => (
                (sunday_from(year, 3, 8) * DAY + 2 * HOUR).saturating_add_signed(-self.standard()),
                (sunday_from(year, 11, 1) * DAY + HOUR).saturating_add_signed(-self.standard()),
            ),
            // At 1:00 UTC on the last Sundays of March and October, which both have 31 days.
            Some(Summer::Europe) => (sunday_from(year, 3, 25) * DAY + HOUR, sunday_from(year, 10, 25) * DAY + HOUR),
        };
        self.standard() + if (start..end).contains(&utc) { HOUR.cast_signed() } else { 0 }
    }
}

/// Returns the first Sunday on or after a date, in days since the epoch.
fn sunday_from(year: u64, month: u64, day: u64) -> u64 {
    let date = days_from_civil(year, month, day).unwrap_or(0);
    // 1970-01-01 was a Thursday, so day 3 is a Sunday.
    date + (10 - date % 7) % 7
}

#[cfg(test)]
mod tests {
    use super::*;

    const ZONES: [(Zone, &str); 7] = [
        (Zone::UTC, "UTC"),
        (Zone::NEW_YORK, "America/New_York"),
        (Zone::LONDON, "Europe/London"),
        (Zone::CENTRAL_EUROPE, "Europe/Zurich"),
        (Zone::INDIA, "Asia/Kolkata"),
        (Zone::HONG_KONG, "Asia/Hong_Kong"),
        (Zone::east(-8 * 60).with_us_summer(), "America/Los_Angeles"),
    ];

    fn days(from: (u64, u64, u64), to: (u64, u64, u64)) -> core::ops::Range<u64> {
        days_from_civil(from.0, from.1, from.2).unwrap()..days_from_civil(to.0, to.1, to.2).unwrap()
    }

    #[test]
    fn hours_agree_with_jiff_from_2007_to_2070() {
        for (zone, name) in ZONES {
            let known = jiff::tz::TimeZone::get(name).unwrap();
            let range = days((2007, 1, 1), (2071, 1, 1));
            // A step of 5 h and 1 s comes by every hour of every day of the week in the end.
            for secs in (range.start * DAY..range.end * DAY).step_by(5 * 3_600 + 1) {
                let local = jiff::Timestamp::from_second(secs.cast_signed()).unwrap().to_zoned(known.clone());
                let hour = u8::try_from(secs / 7 % 24).unwrap();
                // Of a time that comes twice the first counts, and one that is left out comes an hour later, as jiff has it.
                let on = |days: i64| {
                    let date = local.date().saturating_add(jiff::Span::new().days(days));
                    let at = date.at(hour.cast_signed(), 30, 0, 0).to_zoned(known.clone()).unwrap();
                    at.timestamp().as_second()
                };
                let instants = [on(-1), on(0), on(1)];
                let last = instants.into_iter().rfind(|at| *at <= secs.cast_signed()).unwrap();
                let next = instants.into_iter().find(|at| *at > secs.cast_signed()).unwrap();
                let now = Timestamp::from_secs(secs);
                assert_eq!(zone.last(now, hour, 30).as_secs().cast_signed(), last, "{name} {local} {hour}");
                assert_eq!(zone.next(now, hour, 30).as_secs().cast_signed(), next, "{name} {local} {hour}");
            }
        }
    }

    #[test]
    fn offsets_around_a_change_agree_with_jiff() {
        for (zone, name) in ZONES {
            let known = jiff::tz::TimeZone::get(name).unwrap();
            for from in [(2026, 3, 7), (2026, 3, 28), (2026, 10, 24), (2026, 10, 31)] {
                let start = days_from_civil(from.0, from.1, from.2).unwrap() * DAY;
                for secs in (start..start + 3 * DAY).step_by(60) {
                    let offset = known.to_offset(jiff::Timestamp::from_second(secs.cast_signed()).unwrap());
                    assert_eq!(zone.offset(secs), i64::from(offset.seconds()), "{name} {secs}");
                }
            }
        }
    }

    #[test]
    fn an_hour_that_has_come_is_the_last_one_and_not_the_next() {
        for (zone, name) in ZONES {
            let six = zone.next(Timestamp::from_secs(1_800_000_000), 6, 0);
            assert_eq!(zone.last(six, 6, 0), six, "{name}");
            assert!(zone.next(six, 6, 0) > six, "{name}");
            assert_eq!(zone.next(Timestamp::from_millis(six.as_millis() - 1), 6, 0), six, "{name}");
        }
    }

    #[test]
    fn the_ends_of_time_do_no_harm() {
        for (zone, name) in ZONES {
            for millis in [0, 1, u64::MAX - 1, u64::MAX] {
                let now = Timestamp::from_millis(millis);
                assert!(zone.next(now, 23, 59) >= now && zone.last(now, 23, 59) <= now, "{name} {now:?}");
            }
        }
    }
}
