//! The command of `--exec`: what it is told, how it is ended, what its end means.
#![expect(clippy::disallowed_methods, reason = "a tool sleeps; a machine does not")]

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process_group, waitid};
use sansession::drive::Handle;

use crate::cli::notify::VARIABLES;
use crate::cli::terminal;

/// A command that is not there, and one that cannot be started, as shells say it.
const NOT_FOUND: u8 = 127;
const NOT_STARTED: u8 = 126;
/// How long a command may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(10);
/// How long what a command has started may take to end after it: the last program of a pipe has something to write.
const REST: Duration = Duration::from_secs(2);
/// How often it is looked whether somebody is left.
const LOOK: Duration = Duration::from_millis(20);

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
    /// What it has started may still run, in its group.
    Ended(u8, Pid),
    /// Nothing of it runs.
    Gone(u8),
}

impl Exec {
    /// Takes a command that can be started, as far as that is to be seen before.
    pub fn new(words: &[OsString]) -> Result<Self, Failure> {
        let name = words.first().map(OsString::as_os_str).unwrap_or_default();
        find(Path::new(name))?;
        let (state, changed) = (Mutex::new(State::Planned), Condvar::new());
        Ok(Self(Arc::new(Shared { words: words.to_vec(), state, changed })))
    }

    /// Returns its name; its arguments may hold what is nobody's business.
    pub fn name(&self) -> String {
        self.0.words.first().map(|name| name.display().to_string()).unwrap_or_default()
    }

    /// Starts it, with these variables and none of the tool's own secrets; `then` follows its end.
    ///
    /// It has a process group of its own, so that what it starts is ended with it.
    pub fn start(&self, variables: Vec<(&str, OsString)>, then: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
        let mut state = self.state();
        let (name, arguments) = self.0.words.split_first().ok_or((NOT_FOUND, String::new()))?;
        let mut command = Command::new(name);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"SANSESSION_") || VARIABLES.iter().any(|own| name == *own) {
                command.env_remove(name);
            }
        }
        command.args(arguments).envs(variables).process_group(0);
        prepare(&mut command);
        let spawned = command.spawn();
        let child = match spawned {
            Ok(child) => child,
            Err(error) => {
                *state = State::Gone(NOT_STARTED);
                return Err((NOT_STARTED, format!("--exec {}: {error}", name.display())));
            }
        };
        *state = State::Running(Pid::from_child(&child));
        drop(state);
        terminal::lend(Pid::from_child(&child));
        let exec = self.clone();
        std::thread::spawn(move || {
            let group = Pid::from_child(&child);
            let code = exec.await_end(child);
            then();
            end_rest(group);
            *exec.state() = State::Gone(code);
            exec.0.changed.notify_all();
        });
        Ok(())
    }

    /// Sends a signal to it and to what it has started, as far as that runs.
    pub fn signal(&self, signal: Signal) {
        // As long as somebody is in a group, no other one has its number.
        if let State::Running(group) | State::Ended(_, group) = *self.state() {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Reports whether it runs.
    pub fn runs(&self) -> bool {
        matches!(*self.state(), State::Running(_))
    }

    /// Ends it, politely first, then not, and waits until nothing is left of it.
    pub fn end(&self) {
        for signal in [Signal::TERM, Signal::KILL] {
            if self.runs() {
                self.signal(signal);
                let runs = |state: &mut State| matches!(state, State::Running(_));
                drop(self.0.changed.wait_timeout_while(self.state(), GRACE, runs));
            }
        }
        let is_left = |state: &mut State| matches!(state, State::Running(_) | State::Ended(..));
        drop(self.0.changed.wait_timeout_while(self.state(), 2 * GRACE, is_left));
    }

    /// Returns its exit code, 128 + signal where it was killed, once it has ended.
    pub fn code(&self) -> Option<u8> {
        match *self.state() {
            State::Ended(code, _) | State::Gone(code) => Some(code),
            _ => None,
        }
    }

    /// Waits in two steps, so that no signal goes to another process that got the same number.
    fn await_end(&self, mut child: Child) -> u8 {
        let group = Pid::from_child(&child);
        let wait = |options| waitid(WaitId::Pid(group), options);
        loop {
            match wait(WaitIdOptions::EXITED | WaitIdOptions::STOPPED | WaitIdOptions::NOWAIT) {
                Ok(Some(status)) if status.stopped() => {
                    // This stop is heard once.
                    let _ = wait(WaitIdOptions::STOPPED | WaitIdOptions::NOHANG);
                    terminal::stopped(group, status.stopping_signal().unwrap_or_default());
                }
                Err(Errno::INTR) => {}
                _ => break,
            }
        }
        terminal::take(group);
        let mut state = self.state();
        let code = child.wait().map_or(NOT_STARTED, code);
        *state = State::Ended(code, group);
        drop(state);
        self.0.changed.notify_all();
        code
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends what a command has left running.
fn end_rest(group: Pid) {
    if is_gone(group, REST) {
        return;
    }
    for signal in [Signal::TERM, Signal::KILL] {
        if kill_process_group(group, signal).is_err() || is_gone(group, GRACE) {
            return;
        }
    }
}

/// Waits until a group is empty, for so long at most.
fn is_gone(group: Pid, limit: Duration) -> bool {
    let mut waited = Duration::ZERO;
    loop {
        // In a container the tool may be the process that orphans go to.
        let orphan = || waitid(WaitId::Pgid(Some(group)), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        while matches!(orphan(), Ok(Some(_))) {}
        if test_kill_process_group(group).is_err() {
            return true;
        }
        if waited >= limit {
            return false;
        }
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
}

/// Gives a command the signals as they were, and has it end where the tool is killed: nobody keeps its session alive then.
fn prepare(command: &mut Command) {
    let between = || {
        terminal::forget();
        // The thread that starts it drives the session: it is the main one, which lives as long as the tool.
        #[cfg(target_os = "linux")]
        rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
        Ok(())
    };
    // SAFETY: what runs between fork and exec is two system calls and allocates nothing.
    unsafe {
        command.pre_exec(between);
    }
}

/// What a call needs beside itself: where calls go, and with which headers.
pub struct Credentials {
    pub base: String,
    pub headers: Vec<(String, String)>,
}

impl Credentials {
    /// Takes those of the present session.
    ///
    /// # Errors
    /// Says why there is no session for calls now, or that no header serves for all of them.
    pub fn of(handle: &Handle) -> Result<Self, String> {
        let (mut parts, ()) = http::Request::get("/").body(()).map_err(|error| error.to_string())?.into_parts();
        handle.authorize(&mut parts, &[]).map_err(|error| error.to_string())?;
        let text = |value: &http::HeaderValue| value.to_str().map(str::to_owned).unwrap_or_default();
        let headers = parts.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect();
        let credentials = Self { base: parts.uri.to_string().trim_end_matches('/').to_owned(), headers };
        if credentials.authorization().is_some_and(|value| value.starts_with("OAuth ")) {
            return Err("each call is signed, so there is no token to give to a command; use --listen".into());
        }
        Ok(credentials)
    }

    fn authorization(&self) -> Option<&str> {
        self.headers.iter().find(|(name, _)| name == "authorization").map(|(_, value)| value.as_str())
    }

    /// Returns the token, where there is one.
    pub fn token(&self) -> Option<&str> {
        self.authorization()?.strip_prefix("Bearer ")
    }

    /// Returns the headers as lines.
    pub fn lines(&self) -> String {
        let lines: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        lines.join("\n")
    }

    /// Returns them as variables of a command.
    pub fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut variables = vec![("SANSESSION_BASE_URL", OsString::from(&self.base))];
        let token = self.token().map(|token| ("SANSESSION_TOKEN", token.into()));
        let authorization = self.authorization().map(|value| ("SANSESSION_AUTHORIZATION", value.into()));
        variables.extend(token.into_iter().chain(authorization));
        variables.push(("SANSESSION_HEADERS", self.lines().into()));
        variables
    }
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
