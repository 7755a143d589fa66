//! The line at the bottom of a terminal: where the session stands, once a second.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansession::drive::{Handle, now};
use sansession::{Phase, Status, Timestamp, WaitingOn};

use crate::cli::out;

/// A line that is drawn again and again in its place, below all others.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shown: bool,
    hidden: bool,
    answer: Option<(String, Timestamp)>,
    retries: u32,
    handle: Option<Handle>,
}

impl Line {
    /// Makes one where standard output is a terminal that can take a line back.
    pub fn new() -> Option<Self> {
        let able = std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        (able && std::io::stdout().is_terminal()).then(Self::default)
    }

    /// Draws it from now on, until the program ends.
    pub fn show(&self, handle: &Handle) {
        self.state().handle = Some(handle.clone());
        let line = self.clone();
        std::thread::spawn(move || {
            loop {
                draw(&mut line.state());
                std::thread::sleep(Duration::from_secs(1));
            }
        });
    }

    /// Writes a line above it.
    pub fn above(&self, line: &str) {
        let mut state = self.state();
        out::write(&format!("{}{line}\n", erased(&mut state)));
        draw(&mut state);
    }

    /// Leaves the terminal to a prompt, or takes it back.
    pub fn hide(&self, hidden: bool) {
        let mut state = self.state();
        erase(&mut state);
        state.hidden = hidden;
    }

    /// Notes how the last request ended.
    pub fn answered(&self, how: &str) {
        self.state().answer = Some((how.to_owned(), now()));
    }

    /// Notes how many attempts have failed in a row.
    pub fn retries(&self, count: u32) {
        self.state().retries = count;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn draw(state: &mut State) {
    let Some(status) = state.handle.as_ref().map(Handle::status) else { return };
    if state.hidden || matches!(status.phase, Phase::Idle | Phase::Closed) {
        // What stands there is no longer so.
        return erase(state);
    }
    let text = text(&status, state, now());
    // A line that is wrapped cannot be taken back.
    let width = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know its width says 0.
    let width = if width == 0 { 80 } else { width };
    let text: String = text.chars().take(width.saturating_sub(1)).collect();
    out::write(&format!("\r\x1b[K\x1b[2m{text}\x1b[0m"));
    state.shown = true;
}

fn erase(state: &mut State) {
    let erased = erased(state);
    if !erased.is_empty() {
        out::write(erased);
    }
}

/// Gives what takes the line back, where one is shown.
fn erased(state: &mut State) -> &'static str {
    if std::mem::take(&mut state.shown) { "\r\x1b[K" } else { "" }
}

fn text(status: &Status, state: &State, now: Timestamp) -> String {
    let mut text = format!("[{} for {}", status.phase, length(now.since(status.since)));
    if status.suspect {
        text.push_str(", in doubt");
    }
    if status.stuck {
        text.push_str(", stuck");
    }
    if let Some(end) = status.penalty.filter(|end| *end > now) {
        text.push_str(&format!(", penalty box until {end}"));
    }
    let on = match &status.on {
        // Without a deadline nobody looks whether it has answered itself.
        WaitingOn::Need(need) if status.deadline == Timestamp::NEVER => need.kind.code().to_owned(),
        WaitingOn::Need(need) => format!("needs {}, looks again", need.kind.code()),
        other => other.code().to_owned(),
    };
    // The second that has begun counts, or a deadline would be at 0 s for a whole one.
    let round_up = Duration::from_millis(999);
    match status.deadline {
        _ if matches!(status.on, WaitingOn::Response(_)) => text.push_str(" | waits for an answer"),
        Timestamp::NEVER => text.push_str(&format!(" | waits for {on}")),
        then => text.push_str(&format!(" | {on} in {}", length(then.since(now) + round_up))),
    }
    if let Some((how, when)) = &state.answer {
        text.push_str(&format!(" | last answer {how}, {} ago", length(now.since(*when))));
    }
    match state.retries {
        0 => {}
        1 => text.push_str(" | 1 retry"),
        many => text.push_str(&format!(" | {many} retries")),
    }
    text.push_str(" | Ctrl-C logs out]");
    text
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
