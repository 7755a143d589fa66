//! Words on standard output and standard error, without harm to the session.
//!
//! Whoever has closed a pipe or filled a disk no longer wants to know, and whoever has stopped reading gets
//! the rest later or not at all: a session that waits for a reader is not kept alive.

use std::io::Write;
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// How long a reader is waited for who has stopped reading; once, until there is room again.
const ROOM: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Whether nobody reads there at present.
static OUT_STALLS: AtomicBool = AtomicBool::new(false);
static ERR_STALLS: AtomicBool = AtomicBool::new(false);

/// In the place of the macro of this name, which panics where standard output is closed or full.
macro_rules! println {
    () => { $crate::cli::out::all("") };
    ($($words:tt)*) => { $crate::cli::out::all(&format!($($words)*)) };
}

/// In the place of the macro of this name, as above.
macro_rules! eprintln {
    ($($words:tt)*) => { $crate::cli::out::aside(&format!($($words)*)) };
}

/// Writes a line to standard output and waits as long as that takes: where there is no session to keep.
pub fn all(line: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{line}");
}

/// Writes bytes to standard output as [`all`] does a line.
pub fn bytes(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// Writes to standard output, if somebody reads there.
pub fn write(text: &str) {
    let mut out = std::io::stdout().lock();
    if has_room(&out, &OUT_STALLS) {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}

/// Writes a line to standard error, if somebody reads there.
pub fn aside(line: &str) {
    prompt(&format!("{line}\n"));
}

/// Writes to standard error and stays in the line, if somebody reads there.
pub fn prompt(text: &str) {
    let mut out = std::io::stderr().lock();
    if has_room(&out, &ERR_STALLS) {
        let _ = out.write_all(text.as_bytes());
    }
}

/// Reports whether a line can be written at once: a pipe that has room at all has it for one.
fn has_room(out: impl AsFd, stalls: &AtomicBool) -> bool {
    let wait = if stalls.load(Ordering::Relaxed) { NOW } else { ROOM };
    // What cannot be asked is written to.
    let stalled = poll(&mut [PollFd::new(&out, PollFlags::OUT)], Some(&wait)).is_ok_and(|ready| ready == 0);
    stalls.store(stalled, Ordering::Relaxed);
    !stalled
}
