//! Wall time as the caller gives it, and the dates that servers write.

pub(crate) mod zone;

use core::fmt;
use core::num::NonZeroU64;
use core::ops::{Add, Sub};
use core::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// Milliseconds since the Unix epoch, always given by the caller.
///
/// It is wall time, because OAuth stamps, token expiries, `Retry-After` dates and snapshots that
/// move to another machine need it, and because monotonic clocks stop while a machine is suspended.
/// Arithmetic saturates.
///
/// ```
/// use sansession::Timestamp;
/// use std::time::Duration;
///
/// let now = Timestamp::from_millis(1_000);
/// assert_eq!((now + Duration::from_secs(1)).as_millis(), 2_000);
/// assert_eq!(now - Duration::from_secs(9), Timestamp::from_millis(0));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "u64", from = "u64")]
// One more than the milliseconds, so that an optional instant is as small as one that is there.
pub struct Timestamp(NonZeroU64);

impl Timestamp {
    /// The instant that never comes: nothing is due.
    pub const NEVER: Self = Self(NonZeroU64::MAX);

    /// The latest time that a session takes for the present, the end of the year 9999.
    pub(crate) const LATEST: Self = Self::from_millis(253_402_300_799_999);

    /// Creates a timestamp from milliseconds since the Unix epoch.
    pub const fn from_millis(millis: u64) -> Self {
        Self(NonZeroU64::MIN.saturating_add(millis))
    }

    /// Creates a timestamp from seconds since the Unix epoch.
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// Returns milliseconds since the Unix epoch.
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// Returns whole seconds since the Unix epoch.
    pub const fn as_secs(self) -> u64 {
        self.as_millis() / 1_000
    }

    /// Reports whether this is [`Timestamp::NEVER`].
    pub const fn is_never(self) -> bool {
        self.0.get() == u64::MAX
    }

    /// Returns the time from `earlier` to this instant, zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.get().saturating_sub(earlier.0.get()))
    }

    /// Reads an HTTP date in its preferred form, `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
    ///
    /// The two obsolete forms are not read: no provider sends them.
    pub fn from_http_date(text: &str) -> Option<Self> {
        let &[
            _,
            _,
            _,
            b',',
            b' ',
            d1,
            d2,
            b' ',
            m1,
            m2,
            m3,
            b' ',
            y1,
            y2,
            y3,
            y4,
            b' ',
            h1,
            h2,
            b':',
            n1,
            n2,
            b':',
            s1,
            s2,
            b' ',
            b'G',
            b'M',
            b'T',
        ] = text.as_bytes()
        else {
            return None;
        };
        let two = |a: u8, b: u8| Some(digit(a)? * 10 + digit(b)?);
        let month = match &[m1, m2, m3] {
            b"Jan" => 1,
            b"Feb" => 2,
            b"Mar" => 3,
            b"Apr" => 4,
            b"May" => 5,
            b"Jun" => 6,
            b"Jul" => 7,
            b"Aug" => 8,
            b"Sep" => 9,
            b"Oct" => 10,
            b"Nov" => 11,
            b"Dec" => 12,
            _ => return None,
        };
        let (day, year) = (two(d1, d2)?, two(y1, y2)? * 100 + two(y3, y4)?);
        let (hour, minute, second) = (two(h1, h2)?, two(n1, n2)?, two(s1, s2)?);
        let in_range = (1..=31).contains(&day) && hour < 24 && minute < 60 && second < 61 && year >= 1970;
        let secs = days_from_civil(year, month, day)? * 86_400 + hour * 3_600 + minute * 60 + second;
        in_range.then_some(Self::from_secs(secs))
    }
}

impl Default for Timestamp {
    fn default() -> Self {
        Self::from_millis(0)
    }
}

impl From<u64> for Timestamp {
    fn from(millis: u64) -> Self {
        Self::from_millis(millis)
    }
}

impl From<Timestamp> for u64 {
    fn from(at: Timestamp) -> Self {
        at.as_millis()
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() { f.write_str("never") } else { write!(f, "{}ms", self.as_millis()) }
    }
}

/// Shows an HTTP date in whole seconds, such as `Sun, 06 Nov 1994 08:49:37 GMT`, which
/// [`Timestamp::from_http_date`] reads; `never` for [`Timestamp::NEVER`].
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
        if self.is_never() {
            return f.write_str("never");
        }
        let (days, second) = (self.as_secs() / 86_400, self.as_secs() % 86_400);
        let (year, month, day) = civil_from_days(days);
        let name = |names: &[&'static str], at: u64| {
            usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
        };
        let (weekday, month) = (name(&DAYS, days % 7), name(&MONTHS, month - 1));
        let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
        write!(f, "{weekday}, {day:02} {month} {year:04} {hour:02}:{minute:02}:{second:02} GMT")
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Duration) -> Self {
        Self(self.0.saturating_add(millis(rhs)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(millis(rhs)))
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_millis(time.duration_since(UNIX_EPOCH).map_or(0, millis))
    }
}

/// A wait or a pace in whole milliseconds, of at most 49 days: a quarter of what a [`Duration`] takes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(into = "Duration", from = "Duration")]
pub(crate) struct Interval(u32);

impl Interval {
    pub(crate) const fn from_millis(millis: u32) -> Self {
        Self(millis)
    }

    pub(crate) const fn as_millis(self) -> u32 {
        self.0
    }
}

impl From<Duration> for Interval {
    fn from(duration: Duration) -> Self {
        Self(u32::try_from(millis(duration)).unwrap_or(u32::MAX))
    }
}

impl From<Interval> for Duration {
    fn from(interval: Interval) -> Self {
        Self::from_millis(interval.0.into())
    }
}

impl fmt::Debug for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration::from(*self).fmt(f)
    }
}

impl Add<Interval> for Timestamp {
    type Output = Self;

    fn add(self, rhs: Interval) -> Self {
        Self(self.0.saturating_add(rhs.0.into()))
    }
}

impl Sub<Interval> for Timestamp {
    type Output = Self;

    fn sub(self, rhs: Interval) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(rhs.0.into()))
    }
}

/// Returns a duration in whole milliseconds, saturating.
pub(crate) const fn millis(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000).saturating_add(duration.subsec_millis() as u64)
}

fn digit(byte: u8) -> Option<u64> {
    byte.is_ascii_digit().then(|| u64::from(byte - b'0'))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar, which must not lie before it.
///
/// The algorithm is Howard Hinnant's `days_from_civil`.
pub(crate) fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day.checked_sub(1)?;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

/// The date of a day that is counted from 1970-01-01: the other way round.
pub(crate) fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_dates_agree_with_jiff() {
        for secs in (0..4_000_000_000_u64).step_by(7_654_321) {
            let stamp = jiff::Timestamp::from_second(i64::try_from(secs).unwrap()).unwrap();
            let text = stamp.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            assert_eq!(Timestamp::from_http_date(&text), Some(Timestamp::from_secs(secs)), "{text}");
            assert_eq!(Timestamp::from_secs(secs).to_string(), text);
        }
        assert_eq!(Timestamp::NEVER.to_string(), "never");
        assert_eq!(Timestamp::LATEST.to_string(), "Fri, 31 Dec 9999 23:59:59 GMT");
        let _ = Timestamp::from_millis(u64::MAX - 2).to_string();
    }

    #[test]
    fn other_dates_are_refused() {
        for text in [
            "",
            "Sun, 06 Nov 1994 08:49:37",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            "Sun, 06 Nov 1969 08:49:37 GMT",
            "Sun, 06 Növ 1994 08:49:37 GM",
        ] {
            assert_eq!(Timestamp::from_http_date(text), None, "{text}");
        }
    }
}
