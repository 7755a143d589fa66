//! The line at the bottom of a terminal: where the session stands, once a second.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

mod text;

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sansession::Phase;
use sansession::drive::{Handle, now};

pub use self::text::length;
use crate::cli::out;

/// A line that is drawn again and again in its place, below all others.
#[derive(Clone, Default)]
pub struct Line(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    shown: bool,
    hidden: bool,
    known: text::Known,
    handle: Option<Handle>,
}

impl Line {
    /// Creates one where standard output is a terminal that can take a line back.
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
        self.state().known.answer = Some((how.to_owned(), now()));
    }

    /// Notes how many attempts have failed in a row.
    pub fn retries(&self, count: u32) {
        self.state().known.retries = count;
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
    // A line that is wrapped cannot be taken back.
    let width = rustix::termios::tcgetwinsize(std::io::stdout()).map_or(0, |size| usize::from(size.ws_col));
    // A terminal that does not know its width says 0.
    let width = if width == 0 { 80 } else { width };
    let text = text::fit(&state.known.parts(&status, now()), width.saturating_sub(1));
    let trouble = status.suspect || status.stuck || status.penalty.is_some_and(|end| end > now());
    let text = match trouble {
        true => painted("33", &text),
        false => painted("2", &text),
    };
    out::write(&format!("\r\x1b[K{text}"));
    state.shown = true;
}

fn erase(state: &mut State) {
    let erased = erased(state);
    if !erased.is_empty() {
        out::write(erased);
    }
}

/// Returns what takes the line back, where one is shown.
fn erased(state: &mut State) -> &'static str {
    if std::mem::take(&mut state.shown) { "\r\x1b[K" } else { "" }
}

/// Colours a text, unless somebody wants none (<https://no-color.org>).
fn painted(code: &str, text: &str) -> String {
    if std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) {
        return text.to_owned();
    }
    format!("\x1b[{code}m{text}\x1b[0m")
}
