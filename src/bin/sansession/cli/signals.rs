//! Ctrl-C, and the signals that end a program: SIGTERM, SIGHUP and SIGQUIT, which do the same.

use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::sys::signal::{SigHandler, Signal as Number, signal};
use rustix::process::Signal;
use sansession::drive::{Handle, Stop};
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGXFSZ};

use crate::cli::answers::PROMPTING;
use crate::cli::exec::Exec;
use crate::cli::{Usage, notify, terminal};

/// What was wished by signals.
#[derive(Clone, Default)]
pub struct Signals(Arc<Wishes>);

#[derive(Default)]
struct Wishes {
    last: AtomicI32,
    leave: AtomicBool,
}

/// What Ctrl-C does to a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnCtrlC {
    LogsOut,
    /// Somebody else keeps it, and this program has only used it.
    Leaves,
}

impl Signals {
    /// Ends the session as its owner wants; a second signal ends the program.
    ///
    /// While a command runs, signals are the command's: the session ends after it, and a second one that is no
    /// Ctrl-C kills it. A hangup is never the second: the system tells of one terminal more than once.
    pub fn listen(handle: &Handle, exec: Option<&Exec>, saves: bool, on_ctrl_c: OnCtrlC) -> Result<Self, Usage> {
        let mut heard = vec![SIGINT, SIGTERM, SIGCONT];
        let unless_ignored = [(Number::SIGHUP, SIGHUP), (Number::SIGQUIT, SIGQUIT), (Number::SIGXFSZ, SIGXFSZ)];
        heard.extend(unless_ignored.into_iter().filter_map(heeded));
        let mut signals = signal_hook::iterator::Signals::new(heard)?;
        let (wishes, handle, exec) = (Self::default(), handle.clone(), exec.cloned());
        let heard = wishes.clone();
        std::thread::spawn(move || {
            let (mut before, mut ended) = (false, false);
            for signal in signals.forever() {
                if signal == SIGCONT {
                    terminal::resumed();
                    continue;
                }
                // The write that was too much for `ulimit -f` fails, and that is acted on.
                if signal == SIGXFSZ {
                    continue;
                }
                let told = heard.0.last.swap(signal, Ordering::SeqCst) != 0;
                let ends = signal != SIGINT || on_ctrl_c == OnCtrlC::Leaves;
                if ends && saves {
                    heard.0.leave.store(true, Ordering::SeqCst);
                }
                let again = ends && signal != SIGHUP && std::mem::replace(&mut ended, true);
                if let Some(exec) = &exec
                    && exec.runs()
                {
                    exec.signal(match (ends, again) {
                        (false, _) => Signal::INT,
                        (true, false) => Signal::TERM,
                        (true, true) => Signal::KILL,
                    });
                    continue;
                }
                if signal == SIGHUP && told && !PROMPTING.load(Ordering::SeqCst) {
                    continue;
                }
                if before || PROMPTING.load(Ordering::SeqCst) {
                    // A hidden prompt leaves the terminal without its echo.
                    let _ = std::process::Command::new("stty").arg("echo").stderr(Stdio::null()).status();
                    if let Some(exec) = &exec {
                        exec.signal(Signal::KILL);
                    }
                    crate::cli::gone::remove();
                    std::process::exit(128 + signal);
                }
                before |= signal != SIGHUP;
                notify::stopping();
                handle.stop(if ends && saves { Stop::Leave } else { Stop::Logout });
            }
        });
        Ok(wishes)
    }

    /// Reports whether there was any.
    pub fn told(&self) -> bool {
        self.0.last.load(Ordering::SeqCst) != 0
    }

    /// Reports whether the session is to be left open.
    pub fn leaves(&self) -> bool {
        self.0.leave.load(Ordering::SeqCst)
    }

    /// Returns the exit code of a program that ended by the last one; 0 without any.
    pub fn code(&self) -> u8 {
        match self.0.last.load(Ordering::SeqCst) {
            0 => 0,
            signal => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

/// Leaves out a signal that whoever started the tool wants to do nothing, as `nohup` does.
fn heeded((number, raw): (Number, i32)) -> Option<i32> {
    // SAFETY: to ignore a signal runs no code, and where it was not ignored a handler takes it over.
    let before = unsafe { signal(number, SigHandler::SigIgn) };
    (!matches!(before, Ok(SigHandler::SigIgn))).then_some(raw)
}
