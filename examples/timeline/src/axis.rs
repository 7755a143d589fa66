//! The time axis.

use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};

use crate::life::Span;

const SECOND: i64 = 1_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

/// The distances between ticks that a person reads at a glance; longer ones are months.
const STEPS: [i64; 29] = [
    1,
    2,
    5,
    10,
    20,
    50,
    100,
    200,
    500,
    SECOND,
    2 * SECOND,
    5 * SECOND,
    10 * SECOND,
    15 * SECOND,
    30 * SECOND,
    MINUTE,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    15 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    3 * HOUR,
    6 * HOUR,
    12 * HOUR,
    DAY,
    2 * DAY,
    7 * DAY,
];

/// A tick and what stands under it.
#[derive(Debug)]
pub struct Tick {
    pub at: i64,
    pub time: String,
    /// The day, where it begins or the axis does.
    pub day: Option<String>,
}

/// Returns at most so many ticks, at round times (UTC).
pub fn ticks(span: Span, at_most: usize) -> Vec<Tick> {
    let count = |step: i64| (span.to / step - span.from / step) as usize + 1;
    let times: Vec<i64> = match STEPS.into_iter().find(|step| count(*step) <= at_most) {
        Some(step) => {
            let first = span.from.div_euclid(step) + i64::from(span.from.rem_euclid(step) != 0);
            (first..).map(|tick| tick * step).take_while(|at| *at <= span.to).collect()
        }
        None => months(span, at_most),
    };
    let step = times.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap_or(SECOND);
    let mut before = None;
    times
        .into_iter()
        .map(|at| {
            let zoned = utc(at);
            let (date, new) = (zoned.date(), before != Some(zoned.date()));
            before = Some(date);
            let time = match step {
                DAY.. => {
                    return Tick {
                        at,
                        time: day(date),
                        day: (date.day_of_year() == 1).then(|| date.year().to_string()),
                    };
                }
                MINUTE.. => zoned.strftime("%H:%M").to_string(),
                SECOND.. => zoned.strftime("%H:%M:%S").to_string(),
                _ => zoned.strftime("%H:%M:%S%.3f").to_string(),
            };
            Tick { at, time, day: new.then(|| day(date)) }
        })
        .collect()
}

/// A point of time, to the second.
pub fn moment(at: i64) -> String {
    utc(at).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A length of time in its two largest units.
pub fn length(span: Span) -> String {
    let millis = span.to.saturating_sub(span.from);
    if millis < MINUTE {
        return format!("{} s", (millis / 100) as f64 / 10.0);
    }
    let units = [(DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s")];
    let place = units.iter().position(|(unit, _)| millis >= *unit).unwrap_or_default();
    let mut rest = millis;
    let mut words = Vec::new();
    for (unit, name) in units.iter().skip(place).take(2) {
        if rest / unit > 0 {
            words.push(format!("{} {name}", rest / unit));
        }
        rest %= unit;
    }
    words.join(" ")
}

/// The first days of months, as many months apart as it takes.
fn months(span: Span, at_most: usize) -> Vec<i64> {
    let start = utc(span.from).date().first_of_year();
    let millis = |date: Date| date.to_zoned(TimeZone::UTC).map(|zoned| zoned.timestamp().as_millisecond());
    for step in [1, 3, 6, 12, 24, 60, 120, 600, 1_200, 6_000, 12_000, 60_000] {
        let days =
            (0..).map_while(|n: i32| start.checked_add((n * step).months()).ok().and_then(|date| millis(date).ok()));
        let days = days.skip_while(|at| *at < span.from).take_while(|at| *at <= span.to);
        let days: Vec<i64> = days.take(at_most + 1).collect();
        if days.len() <= at_most {
            return days;
        }
    }
    Vec::new()
}

fn utc(at: i64) -> Zoned {
    Timestamp::from_millisecond(at).unwrap_or_default().to_zoned(TimeZone::UTC)
}

fn day(date: Date) -> String {
    date.strftime("%b %-d").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: &str, to: &str) -> Vec<String> {
        let [from, to] = [from, to].map(|text| text.parse::<Timestamp>().unwrap().as_millisecond());
        ticks(Span { from, to }, 9)
            .into_iter()
            .map(|tick| [Some(tick.time), tick.day].into_iter().flatten().collect::<Vec<_>>().join("/"))
            .collect()
    }

    #[test]
    fn ticks_stand_at_round_times() {
        assert_eq!(labels("2026-06-08T12:00:07Z", "2026-06-08T12:00:09Z").first().unwrap(), "12:00:07.000/Jun 8");
        assert_eq!(
            labels("2026-06-08T12:00:07Z", "2026-06-08T12:01:00Z"),
            ["12:00:10/Jun 8", "12:00:20", "12:00:30", "12:00:40", "12:00:50", "12:01:00"]
        );
        assert_eq!(
            labels("2026-06-08T12:00:07Z", "2026-06-09T12:00:07Z"),
            ["15:00/Jun 8", "18:00", "21:00", "00:00/Jun 9", "03:00", "06:00", "09:00", "12:00"]
        );
        assert_eq!(labels("2026-06-08T12:00:07Z", "2026-06-15T12:00:07Z").len(), 7);
        assert_eq!(labels("2026-06-08T12:00:07Z", "2027-06-08T12:00:07Z"), ["Jul 1", "Oct 1", "Jan 1/2027", "Apr 1"]);
    }

    #[test]
    fn no_span_is_too_long_or_too_short() {
        for (from, to) in [(0, 0), (0, 1), (-5, 5), (-377_705_023_201_000, 253_402_207_200_000)] {
            assert!(ticks(Span { from, to }, 9).len() <= 9, "{from} to {to}");
        }
    }

    #[test]
    fn lengths_are_short() {
        for (millis, text) in [
            (0, "0 s"),
            (8_082, "8 s"),
            (1_590, "1.5 s"),
            (60_000, "1 min"),
            (DAY + MINUTE, "1 d"),
            (25 * HOUR, "1 d 1 h"),
        ] {
            assert_eq!(length(Span { from: 0, to: millis }), text);
        }
    }
}
