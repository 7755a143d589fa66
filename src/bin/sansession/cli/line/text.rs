//! What the line says, in as many columns as there are.

use std::time::Duration;

use sansession::{Status, Timestamp, WaitingOn};

/// What stands between the parts of the line.
const BETWEEN: &str = " | ";
/// What stands for those that were left out.
const LEFT_OUT: &str = "…";

/// What is known beside the session's own status.
#[derive(Default)]
pub struct Known {
    /// How the last request ended, and when.
    pub answer: Option<(String, Timestamp)>,
    /// How many attempts have failed in a row.
    pub retries: u32,
    /// What is waited for, and since when.
    pub waiting: Option<(String, Timestamp)>,
}

impl Known {
    /// Returns the parts of the line, the most important ones at both ends.
    pub fn parts(&mut self, status: &Status, now: Timestamp) -> Vec<String> {
        let mut first = format!("{} for {}", status.phase, length(now.since(status.since)));
        if status.suspect {
            first.push_str(", in doubt");
        }
        if status.stuck {
            first.push_str(", stuck");
        }
        if let Some(end) = status.penalty.filter(|end| *end > now) {
            first.push_str(&format!(", penalty box until {end}"));
        }
        let mut parts = vec![first, self.wait(status, now)];
        if let Some((how, when)) = &self.answer {
            parts.push(format!("last answer {how}, {} ago", length(now.since(*when))));
        }
        match self.retries {
            0 => {}
            1 => parts.push("1 retry".into()),
            many => parts.push(format!("{many} retries")),
        }
        parts.push("Ctrl-C logs out".into());
        parts
    }

    /// Says what is waited for, and how long that takes or has taken.
    fn wait(&mut self, status: &Status, now: Timestamp) -> String {
        let code = match &status.on {
            WaitingOn::Need(need) => need.kind.code().to_owned(),
            WaitingOn::Response(_) => "an answer".into(),
            other => other.code().to_owned(),
        };
        let since = match &self.waiting {
            Some((known, since)) if *known == code => *since,
            _ => self.waiting.insert((code.clone(), now)).1,
        };
        let so_far = length(now.since(since));
        // The second that has begun counts, or a deadline would be at 0 s for a whole one.
        let left = length(status.deadline.since(now) + Duration::from_millis(999));
        match (&status.on, status.deadline) {
            (WaitingOn::Response(_), _) | (_, Timestamp::NEVER) => format!("waits for {code}, {so_far} so far"),
            (WaitingOn::Need(_), _) => format!("needs {code}, {so_far} so far, looks again in {left}"),
            _ => format!("{code} in {left}"),
        }
    }
}

/// Writes parts into one line of so many columns at most: what is in the middle goes first.
///
/// All that is written is of one column each.
pub fn fit(parts: &[String], columns: usize) -> String {
    let whole = |parts: &[&str]| format!("[{}]", parts.join(BETWEEN));
    let fits = |line: &String| line.chars().count() <= columns;
    let all: Vec<_> = parts.iter().map(String::as_str).collect();
    let mut line = whole(&all);
    let Some((last, before)) = all.split_last() else { return String::new() };
    for kept in (1..before.len()).rev() {
        if fits(&line) {
            break;
        }
        let mut some: Vec<_> = before.iter().take(kept).copied().collect();
        some.extend([LEFT_OUT, *last]);
        line = whole(&some);
    }
    if fits(&line) {
        return line;
    }
    // Not even both ends fit.
    let line = whole(&all.iter().copied().take(1).chain([*last]).collect::<Vec<_>>());
    let length = line.chars().count();
    let kept = columns.saturating_sub(1);
    let (head, tail) = (kept.div_ceil(2), kept / 2);
    let end = line.chars().skip(length - tail);
    line.chars().take(head).chain(LEFT_OUT.chars().take(columns.min(1))).chain(end).collect()
}

/// Says a time as people do, in its two largest units.
pub fn length(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) => format!("{minutes} min {seconds} s"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sansession::providers::cbrain::Cbrain;
    use sansession::{BaseUrl, Machine, Options, Phase, Seed, Session};

    const NOW: Timestamp = Timestamp::from_secs(1_000_000);

    /// The status of a session that has not begun.
    fn idle() -> Status {
        let portal = Cbrain::new(BaseUrl::parse("http://localhost").unwrap()).unwrap();
        let mut status = Session::new(portal, Options::default(), Seed::new([0; 32])).status();
        status.since = NOW;
        status
    }

    fn parts() -> Vec<String> {
        let mut status = idle();
        (status.phase, status.suspect, status.on) = (Phase::Active, true, WaitingOn::Keepalive);
        (status.since, status.deadline) = (Timestamp::from_secs(1_000_000 - 182), Timestamp::from_secs(1_000_043));
        let answer = Some(("200".to_owned(), Timestamp::from_secs(1_000_000 - 4)));
        Known { answer, retries: 3, waiting: None }.parts(&status, NOW)
    }

    #[test]
    fn a_line_is_shortened_from_the_middle() {
        for (columns, line) in [
            (
                200,
                "[active for 3 min 2 s, in doubt | keepalive in 43 s | last answer 200, 4 s ago | 3 retries | Ctrl-C logs out]",
            ),
            (
                109,
                "[active for 3 min 2 s, in doubt | keepalive in 43 s | last answer 200, 4 s ago | 3 retries | Ctrl-C logs out]",
            ),
            (
                108,
                "[active for 3 min 2 s, in doubt | keepalive in 43 s | last answer 200, 4 s ago | … | Ctrl-C logs out]",
            ),
            (80, "[active for 3 min 2 s, in doubt | keepalive in 43 s | … | Ctrl-C logs out]"),
            (60, "[active for 3 min 2 s, in doubt | … | Ctrl-C logs out]"),
            (40, "[active for 3 min 2 … | Ctrl-C logs out]"),
            (3, "[…]"),
            (1, "…"),
            (0, ""),
        ] {
            assert_eq!(fit(&parts(), columns), line, "{columns}");
        }
        for columns in 0..200 {
            assert!(fit(&parts(), columns).chars().count() <= columns, "{columns}");
        }
    }

    #[test]
    fn what_is_waited_for_is_told_with_its_time() {
        let mut known = Known::default();
        let mut status = idle();
        assert_eq!(known.wait(&status, NOW), "waits for start, 0 s so far");
        assert_eq!(known.wait(&status, Timestamp::from_secs(1_000_065)), "waits for start, 1 min 5 s so far");
        status.on = WaitingOn::Retry;
        status.deadline = Timestamp::from_secs(1_000_100);
        assert_eq!(known.wait(&status, Timestamp::from_secs(1_000_070)), "retry in 30 s");
    }
}
