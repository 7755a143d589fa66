//! Ctrl-C and SIGTERM.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use rustix::process::Signal;
use sansession::blocking::{Handle, Stop};
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::Usage;
use crate::answers::PROMPTING;
use crate::exec::{self, Exec};

/// What was wished by signals.
#[derive(Clone, Default)]
pub struct Signals(Arc<Wishes>);

#[derive(Default)]
struct Wishes {
    last: AtomicI32,
    leave: AtomicBool,
}

impl Signals {
    /// Ends the session as its owner wants; a second signal ends the program.
    ///
    /// While a command runs, signals are the command's: the session ends after it, and a second
    /// SIGTERM kills it.
    pub fn listen(handle: &Handle, exec: Option<&Exec>, saves: bool) -> Result<Self, Usage> {
        let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
        let (wishes, handle, exec) = (Self::default(), handle.clone(), exec.cloned());
        let heard = wishes.clone();
        std::thread::spawn(move || {
            let mut before = false;
            for signal in signals.forever() {
                let again = heard.0.last.swap(signal, Ordering::SeqCst) == SIGTERM;
                if signal == SIGTERM && saves {
                    heard.0.leave.store(true, Ordering::SeqCst);
                }
                if let Some(exec) = &exec
                    && exec.runs()
                {
                    pass_on(exec, signal, again);
                    continue;
                }
                if before || PROMPTING.load(Ordering::SeqCst) {
                    // A hidden prompt leaves the terminal without its echo.
                    let _ = std::process::Command::new("stty").arg("echo").status();
                    std::process::exit(128 + signal);
                }
                before = true;
                handle.stop(if signal == SIGTERM && saves { Stop::Leave } else { Stop::Logout });
            }
        });
        Ok(wishes)
    }

    /// Tells whether there was any.
    pub fn told(&self) -> bool {
        self.0.last.load(Ordering::SeqCst) != 0
    }

    /// Tells whether the session is to be left open.
    pub fn leaves(&self) -> bool {
        self.0.leave.load(Ordering::SeqCst)
    }

    /// Gives the exit code of a program that ended by the last one; 0 without any.
    pub fn code(&self) -> u8 {
        match self.0.last.load(Ordering::SeqCst) {
            0 => 0,
            signal => u8::try_from(128 + signal).unwrap_or(u8::MAX),
        }
    }
}

fn pass_on(exec: &Exec, signal: i32, again: bool) {
    if signal == SIGTERM {
        exec.signal(if again { Signal::KILL } else { Signal::TERM });
    } else if !exec::terminal_tells() {
        exec.signal(Signal::INT);
    }
}
