//! The command of `--exec`: what it is told, how it is ended, what its end means.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use sansession::blocking::Handle;

/// A command that is not there, and one that cannot be started, as shells say it.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;
/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);

/// Why a command does not run: an exit code, and words.
pub type Failure = (u8, String);

/// A command, in the hands of the threads that start, signal and await it.
#[derive(Clone)]
pub struct Exec(Arc<Shared>);

struct Shared {
    words: Vec<OsString>,
    state: Mutex<State>,
    changed: Condvar,
}

enum State {
    Planned,
    Running(Pid),
    Ended(u8),
}

impl Exec {
    /// Takes a command that can be started, as far as that is to be seen before.
    pub fn new(words: &[OsString]) -> Result<Self, Failure> {
        let name = words.first().map(OsString::as_os_str).unwrap_or_default();
        find(Path::new(name))?;
        let (state, changed) = (Mutex::new(State::Planned), Condvar::new());
        Ok(Self(Arc::new(Shared { words: words.to_vec(), state, changed })))
    }

    /// Gives its name; its arguments may hold what is nobody's business.
    pub fn name(&self) -> String {
        self.0.words.first().map(|name| name.display().to_string()).unwrap_or_default()
    }

    /// Starts it, with these variables and none of the tool's own secrets; `then` follows its end.
    pub fn start(&self, variables: Vec<(&str, OsString)>, then: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let mut state = self.state();
        let (name, arguments) = self.0.words.split_first().ok_or((NOT_FOUND, String::new()))?;
        let mut command = Command::new(name);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"SANSESSION_") {
                command.env_remove(name);
            }
        }
        let spawned = command.args(arguments).envs(variables).spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                *state = State::Ended(NOT_STARTED);
                return Err((NOT_STARTED, format!("--exec {}: {error}", name.display())));
            }
        };
        *state = State::Running(Pid::from_child(&child));
        drop(state);
        let exec = self.clone();
        std::thread::spawn(move || {
            exec.await_end(child);
            then();
        });
        Ok(())
    }

    /// Sends a signal, if it runs; tells whether it does.
    pub fn signal(&self, signal: Signal) -> bool {
        match *self.state() {
            State::Running(pid) => {
                let _ = kill_process(pid, signal);
                true
            }
            _ => false,
        }
    }

    /// Tells whether it runs.
    pub fn runs(&self) -> bool {
        matches!(*self.state(), State::Running(_))
    }

    /// Ends it: politely first, then not.
    pub fn end(&self) {
        for signal in [Signal::TERM, Signal::KILL] {
            if self.signal(signal) {
                let runs = |state: &mut State| matches!(state, State::Running(_));
                drop(self.0.changed.wait_timeout_while(self.state(), GRACE, runs));
            }
        }
    }

    /// Gives its exit code, 128 + signal where it was killed, once it has ended.
    pub fn code(&self) -> Option<u8> {
        match *self.state() {
            State::Ended(code) => Some(code),
            _ => None,
        }
    }

    /// Waits in two steps, so that no signal goes to another process that got the same number.
    fn await_end(&self, mut child: Child) {
        let pid = Pid::from_child(&child);
        let ended = || waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        while ended().is_err_and(|error| error == Errno::INTR) {}
        let mut state = self.state();
        *state = State::Ended(child.wait().map_or(NOT_STARTED, code));
        drop(state);
        self.0.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Tells whether Ctrl-C reaches the command without our help: the terminal tells the whole group.
pub fn terminal_tells() -> bool {
    let Ok(terminal) = std::fs::File::open("/dev/tty") else { return false };
    rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == rustix::process::getpgrp())
}

/// Gives what a command may know of the session: where its calls go, and with which headers.
///
/// # Errors
/// Says why there is no session for calls now, or that no header serves for all of them.
pub fn variables(handle: &Handle) -> Result<Vec<(&'static str, OsString)>, String> {
    let (mut parts, ()) = http::Request::get("/").body(()).map_err(|error| error.to_string())?.into_parts();
    handle.authorize(&mut parts, &[]).map_err(|error| error.to_string())?;
    let base = parts.uri.to_string();
    let mut variables = vec![("SANSESSION_BASE_URL", base.trim_end_matches('/').into())];
    let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
    if let Some(value) = parts.headers.get(http::header::AUTHORIZATION).map(text) {
        if value.starts_with("OAuth ") {
            return Err("each call is signed, so there is no token to give to a command; use --listen".into());
        }
        if let Some(token) = value.strip_prefix("Bearer ") {
            variables.push(("SANSESSION_TOKEN", token.into()));
        }
        variables.push(("SANSESSION_AUTHORIZATION", value.into()));
    }
    let lines: Vec<_> = parts.headers.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect();
    variables.push(("SANSESSION_HEADERS", lines.join("\n").into()));
    Ok(variables)
}

fn code(status: ExitStatus) -> u8 {
    let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(u8::MAX)
}

/// Looks a command up as `execvp` does.
fn find(name: &Path) -> Result<PathBuf, Failure> {
    let shown = name.display();
    let found = if name.components().count() > 1 || name.is_absolute() {
        name.exists().then(|| name.to_owned())
    } else {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let files = || std::env::split_paths(&path).map(|directory| directory.join(name)).filter(|file| file.is_file());
        files().find(|file| is_executable(file)).or_else(|| files().next())
    };
    match found {
        None => Err((NOT_FOUND, format!("--exec {shown}: there is no such command; nobody was logged in"))),
        Some(file) if is_executable(&file) => Ok(file),
        Some(file) => {
            Err((NOT_STARTED, format!("--exec {shown}: {} is not executable; nobody was logged in", file.display())))
        }
    }
}

fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
