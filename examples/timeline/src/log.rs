//! Reads a log of the tool's `--json`.

use std::fmt;
use std::io::{BufRead, ErrorKind};

use serde_json::Value;

/// One line of a log.
#[derive(Debug)]
pub struct Line {
    /// Milliseconds since the Unix epoch.
    pub at: i64,
    /// What happened.
    pub event: String,
    fields: Value,
}

impl Line {
    /// Reads one line; an error says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fields: Value = serde_json::from_str(text).map_err(|error| format!("not JSON ({error})"))?;
        let at = fields.get("t").and_then(Value::as_i64).ok_or("no line of the log: it has no time \"t\"")?;
        jiff::Timestamp::from_millisecond(at).map_err(|_| format!("the time {at} is past the year 9999"))?;
        let event = fields.get("event").and_then(Value::as_str).ok_or("no line of the log: it has no \"event\"")?;
        Ok(Self { at, event: event.to_owned(), fields })
    }

    /// A field's text, or nothing.
    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    pub fn number(&self, name: &str) -> Option<i64> {
        self.fields.get(name).and_then(Value::as_i64)
    }
}

/// A log as it was found.
#[derive(Debug)]
pub struct Log {
    /// The lines, in the order of the log.
    pub lines: Vec<Line>,
    /// The number of a last line that is cut off: whoever wrote it was killed, or writes still.
    pub cut: Option<usize>,
}

/// Why a log cannot be drawn.
#[derive(Debug)]
pub enum Unreadable {
    Io(std::io::Error),
    /// There is not one line.
    Empty,
    /// This line, counted from 1, is not of such a log.
    Line(usize, String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => error.fmt(f),
            Self::Empty => f.write_str("the log is empty: there is nothing to draw"),
            Self::Line(number, wrong) => write!(f, "line {number}: {wrong}"),
        }
    }
}

impl std::error::Error for Unreadable {}

/// Reads a log. Empty lines are passed over; only the last line may be cut off, for want of a line end.
pub fn read(mut from: impl BufRead) -> Result<Log, Unreadable> {
    let mut log = Log { lines: Vec::new(), cut: None };
    let mut text = Vec::new();
    for number in 1.. {
        text.clear();
        match from.read_until(b'\n', &mut text) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(Unreadable::Io(error)),
        }
        let line = String::from_utf8_lossy(&text);
        if line.trim().is_empty() {
            continue;
        }
        match Line::parse(line.trim()) {
            Ok(line) => log.lines.push(line),
            Err(_) if !line.ends_with('\n') && !log.lines.is_empty() => log.cut = Some(number),
            Err(wrong) => return Err(Unreadable::Line(number, wrong)),
        }
    }
    if log.lines.is_empty() { Err(Unreadable::Empty) } else { Ok(log) }
}
