//! A terminal that is lent to a command.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use sansession::drive::now;
use sansession::sim::CbrainSim;

use crate::process::{PASSWORD, asked, path, portal};
use crate::terminal::terminal;

/// A shell that runs a script in the foreground of a terminal, and whoever sits before it.
struct Sitting {
    shell: Child,
    owner: File,
    written: String,
}

impl Sitting {
    /// `$TOOL` in the script is the tool.
    fn new(script: &str, url: &str) -> Self {
        let (owner, terminal) = terminal();
        let side = || Stdio::from(terminal.try_clone().unwrap());
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("TOOL", path()).env("URL", url).env("TERM", "dumb");
        command.env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", PASSWORD);
        command.stdin(side()).stdout(side()).stderr(side());
        // SAFETY: two system calls between fork and exec, which make the terminal that of the shell.
        unsafe {
            command.pre_exec(|| {
                rustix::process::setsid()?;
                Ok(rustix::process::ioctl_tiocsctty(std::io::stdin())?)
            });
        }
        Self { shell: command.spawn().unwrap(), owner: owner.into(), written: String::new() }
    }

    #[track_caller]
    fn shows(&mut self, words: &str) {
        while !self.written.contains(words) {
            let mut piece = [0; 1_024];
            let read = self.owner.read(&mut piece).unwrap_or(0);
            assert!(read > 0, "{words:?} is not in {:?}", self.written);
            self.written.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
    }

    fn types(&mut self, keys: &str) {
        self.owner.write_all(keys.as_bytes()).unwrap();
    }
}

impl Drop for Sitting {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

const LIFE: [&str; 2] = ["POST /session", "DELETE /session"];

#[test]
fn a_command_reads_from_the_terminal_and_whoever_comes_after_it_does() {
    let portal = portal();
    let script = r#""$TOOL" cbrain --url "$URL" --exec sh -c 'echo asks; read -r x; echo "read $x"; exit 3'
        echo "code $?"; read -r x; echo "after $x""#;
    let mut sitting = Sitting::new(script, portal.url());
    sitting.shows("asks");
    sitting.types("one\n");
    sitting.shows("read one");
    sitting.shows("code 3");
    sitting.types("two\n");
    sitting.shows("after two");
    assert_eq!(asked(&portal), LIFE);
}

#[test]
fn ctrl_c_goes_to_the_command_and_the_logout_follows() {
    let portal = portal();
    let script = r#"trap : INT; "$TOOL" cbrain --url "$URL" --exec sh -c 'trap "exit 42" INT; echo ready
        while :; do sleep 0.05; done'; echo "code $?""#;
    let mut sitting = Sitting::new(script, portal.url());
    sitting.shows("ready");
    sitting.types("\x03");
    sitting.shows("code 42");
    assert_eq!(asked(&portal), LIFE);
}

/// A shell with job control stops and resumes both.
#[test]
fn ctrl_z_stops_the_command_and_fg_has_it_go_on() {
    let portal = portal();
    let script = r#"set -m; "$TOOL" cbrain --url "$URL" --exec sh -c 'echo ready; read -r x; echo "read $x"; exit 5'
        echo "stopped"; fg >/dev/null; echo "code $?""#;
    let mut sitting = Sitting::new(script, portal.url());
    sitting.shows("ready");
    sitting.types("\x1a");
    sitting.shows("stopped");
    sitting.types("one\n");
    sitting.shows("read one");
    sitting.shows("code 5");
    assert_eq!(asked(&portal), LIFE);
}

/// Nobody could have it go on.
#[test]
fn ctrl_z_stops_nothing_where_no_shell_controls_jobs() {
    let portal = portal();
    let script = r#""$TOOL" cbrain --url "$URL" --exec sh -c 'echo ready; read -r x; echo "read $x"'; echo "code $?""#;
    let mut sitting = Sitting::new(script, portal.url());
    sitting.shows("ready");
    sitting.types("\x1a");
    sitting.types("one\n");
    sitting.shows("read one");
    sitting.shows("code 0");
}

/// The command waits for a line itself when the password is asked for.
#[test]
fn a_password_that_is_typed_while_a_command_runs_is_the_tools() {
    let portal = portal();
    let script = r#"unset SANSESSION_PASSWORD; "$TOOL" cbrain --url "$URL" --keepalive 1 --relogin --exec sh -c '
        echo ready; read -r x; echo "read $x"'; echo "code $?""#;
    let mut sitting = Sitting::new(script, portal.url());
    sitting.shows("password: ");
    sitting.types(&format!("{PASSWORD}\n"));
    sitting.shows("ready");
    sitting.written.clear();
    portal.with(CbrainSim::expire_sessions);
    sitting.shows("password: ");
    sitting.types(&format!("{PASSWORD}\n"));
    sitting.shows("logging-in -> active");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 1);
    sitting.types("one\n");
    sitting.shows("read one");
    sitting.shows("code 0");
}
