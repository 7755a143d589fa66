//! The terminal, in which one group of processes at a time may read: the tool's own or the command's.
//!
//! It is lent as shells lend it. Ctrl-C and Ctrl-Z then go to the command alone, and the tool learns of them by
//! what becomes of it.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::fs::File;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use nix::sys::signal::{SIGTTOU, SigSet};
use rustix::process::{Pid, Signal, getpgrp, kill_current_process_group, kill_process_group};
use rustix::termios::{tcgetpgrp, tcsetpgrp};

static TERMINAL: OnceLock<File> = OnceLock::new();
static LOAN: Mutex<Loan> = Mutex::new(Loan { command: None, typing: false, heard: false });

struct Loan {
    /// The group of the command, once there is one.
    command: Option<Pid>,
    /// Whether somebody types an answer for the tool.
    typing: bool,
    /// Whether the command was stopped for that.
    heard: bool,
}

/// Makes ready for a command, before there is a second thread.
///
/// Who has lent the terminal is stopped by SIGTTOU when it takes it back, and where `stty tostop` is set when it
/// writes; a tool that is stopped keeps no session alive.
pub fn ready() {
    let _ = SigSet::from(SIGTTOU).thread_block();
    if let Ok(terminal) = File::open("/dev/tty") {
        let _ = TERMINAL.set(terminal);
    }
}

/// Undoes for the command, between fork and exec, what was done for the tool.
pub fn forget() {
    let _ = SigSet::from(SIGTTOU).thread_unblock();
}

/// Lends the terminal to a command that was started, if it is the tool's.
pub fn lend(command: Pid) {
    loan().command = Some(command);
    if hand(getpgrp(), command) {
        // It may have wanted to read before.
        let _ = kill_process_group(command, Signal::CONT);
    }
}

/// Takes it back from a command that has ended.
pub fn take(command: Pid) {
    loan().command = None;
    hand(command, getpgrp());
}

/// Follows a command that was stopped: by Ctrl-Z, and the shell is to hear of it, or since it was not its turn to read.
pub fn stopped(command: Pid, signal: i32) {
    let wants_it = [Signal::TTIN, Signal::TTOU].map(Signal::as_raw).contains(&signal);
    if loan().typing {
        if signal == Signal::STOP.as_raw() {
            loan().heard = true;
            let _ = kill_process_group(command, Signal::CONT);
        }
        return;
    }
    if TERMINAL.get().is_none() || !(wants_it || signal == Signal::TSTP.as_raw()) {
        return;
    }
    if !(wants_it && hand(getpgrp(), command)) {
        if !hand(command, getpgrp()) && !wants_it {
            return;
        }
        let _ = kill_current_process_group(Signal::TSTP);
        // The signal may take a moment, and where no shell controls jobs it does nothing.
        std::thread::sleep(Duration::from_millis(100));
        if !hand(getpgrp(), command) {
            return;
        }
    }
    let _ = kill_process_group(command, Signal::CONT);
}

/// Follows a shell that has the tool go on.
pub fn resumed() {
    let Loan { command: Some(command), typing: false, .. } = *loan() else { return };
    hand(getpgrp(), command);
    let _ = kill_process_group(command, Signal::CONT);
}

/// Takes the terminal for somebody who types, until the end of this value.
pub fn borrow() -> Typing {
    let lent = {
        let mut loan = loan();
        let lent = loan.command.filter(|command| hand(*command, getpgrp()));
        (loan.typing, loan.heard) = (lent.is_some(), false);
        lent
    };
    if let Some(command) = lent {
        // A program that waits for a line already would get this one. When it goes on it asks again, and only that
        // stops it for longer.
        let _ = kill_process_group(command, Signal::STOP);
        for _ in 0..50 {
            if loan().heard {
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    Typing
}

/// While somebody types.
pub struct Typing;

impl Drop for Typing {
    fn drop(&mut self) {
        if std::mem::take(&mut loan().typing) {
            resumed();
        }
    }
}

/// Hands the terminal from one group to another, unless a third one has it.
fn hand(from: Pid, to: Pid) -> bool {
    let Some(terminal) = TERMINAL.get() else { return false };
    tcgetpgrp(terminal).is_ok_and(|present| present == from) && tcsetpgrp(terminal, to).is_ok()
}

fn loan() -> MutexGuard<'static, Loan> {
    LOAN.lock().unwrap_or_else(PoisonError::into_inner)
}
