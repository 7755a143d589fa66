//! Tools that are killed at each step of each save: the file is the old one or the new one, never half of one.
//!
//! The steps are system calls, at which the tool is stopped as a debugger stops it.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::ffi::c_long;
use std::fs::read_to_string;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::libc;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use sansession::drive::now;

use crate::process::{asked, portal, tool};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Step {
    /// There is an empty file beside.
    Create,
    Write,
    Sync,
    Rename,
    SyncDirectory,
}

const SAVE: [Step; 5] = [Step::Create, Step::Write, Step::Sync, Step::Rename, Step::SyncDirectory];

/// A run that is watched, and killed after so many steps if it takes them.
struct Watched {
    /// The steps that it took.
    steps: Vec<Step>,
    /// What the file was before the last save began, if it was there.
    before: Option<String>,
    /// What the last save was to make of it.
    after: Option<String>,
    killed: bool,
}

/// Starts a tool and follows it; `None` where nobody may follow.
fn watch(mut command: Command, directory: &Path, most: usize) -> Option<Watched> {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // SAFETY: one system call, which allocates nothing.
    unsafe {
        command.pre_exec(|| Ok(ptrace::traceme()?));
    }
    let Ok(child) = command.spawn() else {
        eprintln!("left out: no process may follow another one here");
        return None;
    };
    let pid = Pid::from_raw(child.id().try_into().unwrap());
    let mut watched = Watched { steps: Vec::new(), before: None, after: None, killed: false };
    let file = directory.join("session.json");
    let name = |fd: u64| std::fs::read_link(format!("/proc/{pid}/fd/{fd}")).unwrap_or_default();
    let is_new = |fd: u64| name(fd).to_string_lossy().ends_with(".new");
    let wait = || waitpid(pid, Some(WaitPidFlag::__WALL)).unwrap();
    assert_eq!(wait(), WaitStatus::Stopped(pid, Signal::SIGTRAP));
    ptrace::setoptions(pid, Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_EXITKILL).unwrap();
    let (mut signal, mut call) = (None, (0, 0));
    loop {
        ptrace::syscall(pid, signal.take()).unwrap();
        let step = match wait() {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => return Some(watched),
            WaitStatus::Stopped(_, other) => {
                signal = Some(other);
                continue;
            }
            WaitStatus::PtraceSyscall(_) => step(pid, &mut call),
            _ => continue,
        };
        let Some((number, argument, result)) = step.filter(|(_, _, result)| *result >= 0) else { continue };
        let step = match number {
            libc::SYS_openat if is_new(result.unsigned_abs()) => Step::Create,
            libc::SYS_write if is_new(argument) => Step::Write,
            libc::SYS_fsync if is_new(argument) => Step::Sync,
            libc::SYS_fsync if name(argument) == directory => Step::SyncDirectory,
            #[cfg(target_arch = "x86_64")]
            libc::SYS_rename => Step::Rename,
            libc::SYS_renameat | libc::SYS_renameat2 => Step::Rename,
            _ => continue,
        };
        match step {
            Step::Create => watched.before = read_to_string(&file).ok(),
            Step::Sync => watched.after = Some(read_to_string(name(argument)).unwrap()),
            _ => {}
        }
        watched.steps.push(step);
        if watched.steps.len() == most {
            watched.killed = true;
            kill(pid, Signal::SIGKILL).unwrap();
            while !matches!(wait(), WaitStatus::Signaled(..)) {}
            return Some(watched);
        }
    }
}

/// Returns number, first argument and result of a call that has ended, and keeps those of one that begins.
fn step(pid: Pid, call: &mut (c_long, u64)) -> Option<(c_long, u64, i64)> {
    let info = ptrace::syscall_info(pid).unwrap();
    match info.op {
        libc::PTRACE_SYSCALL_INFO_ENTRY => {
            // SAFETY: the kernel has filled in what it says.
            let entry = unsafe { info.u.entry };
            *call = (entry.nr.try_into().unwrap(), entry.args[0]);
            None
        }
        // SAFETY: as above.
        libc::PTRACE_SYSCALL_INFO_EXIT => Some((call.0, call.1, unsafe { info.u.exit }.sval)),
        _ => None,
    }
}

/// Kills a run after each of its steps, in a directory of its own; `prepare` gives what is there before, `goes_on` checks
/// what comes after.
pub fn killed_at_each_step(prepare: impl Fn(&Path), start: impl Fn(&Path) -> Command, goes_on: impl Fn(&Path)) {
    for most in 1.. {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path().canonicalize().unwrap();
        let file = directory.join("session.json");
        prepare(&file);
        let Some(watched) = watch(start(&file), &directory, most) else { return };
        let last = *watched.steps.last().unwrap();
        // The first one only shows that it can be done.
        let saves = watched.steps.strip_prefix(&[Step::Create]).unwrap();
        for (step, expected) in saves.iter().zip(SAVE.iter().cycle()) {
            assert_eq!(step, expected, "{:?}", watched.steps);
        }
        if !watched.killed {
            assert!(saves.len() >= SAVE.len() && last == Step::SyncDirectory, "{:?}", watched.steps);
            return;
        }
        let text = read_to_string(&file).ok();
        let expected = match last {
            Step::Rename | Step::SyncDirectory => &watched.after,
            _ => &watched.before,
        };
        assert_eq!(&text, expected, "after {:?}", watched.steps);
        goes_on(&file);
        let names: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, ["session.json"], "after {:?}", watched.steps);
    }
}

#[test]
fn an_open_session_outlives_a_kill_at_any_step() {
    let portal = portal();
    killed_at_each_step(
        |file| drop(tool("cbrain --for 0").at(&portal).arg("--save", file).norm().runs().exits(0)),
        |file| {
            let run = tool("cbrain --for 1.5 --keepalive 1").at(&portal).arg("--resume", file).arg("--save", file);
            run.into_command()
        },
        |file| {
            let before = asked(&portal).len();
            tool("cbrain --json").at(&portal).arg("--resume", file).arg("--save", file).runs().exits(0);
            assert!(!asked(&portal)[before..].contains(&"POST /session".to_owned()));
            assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
        },
    );
}

#[test]
fn a_first_login_that_is_killed_at_any_step_leaves_nothing_that_is_in_the_way() {
    let portal = portal();
    killed_at_each_step(
        |_| {},
        |file| tool("cbrain --for 0").at(&portal).arg("--save", file).norm().into_command(),
        |file| {
            // Who cannot know whether a password was refused says that it may be given once more.
            let run = tool("cbrain --json --again").at(&portal).arg("--resume", file).arg("--save", file).norm();
            run.runs().exits(0).tells("closed: logged-out");
        },
    );
}
