//! The line at the bottom of a terminal, and what a person types there.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::Server;
use sansession::sim::kotak::NeoSim;
use sansession::{Secret, machine::Totp, totp};

use crate::kotak::{TOTP_SECRET, neo};
use crate::process::{asked, path};

/// Returns a terminal of 60 columns: the side of the person, and that of the program.
pub fn terminal() -> (OwnedFd, File) {
    terminal_of(60)
}

fn terminal_of(columns: u16) -> (OwnedFd, File) {
    let owner = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&owner).unwrap();
    unlockpt(&owner).unwrap();
    let name = ptsname(&owner, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (owner, terminal)
}

/// Runs the tool on a terminal of so many columns and gives what it wrote there.
fn on_a_terminal(args: &str, columns: u16, more: &[(&str, &str)]) -> String {
    let (owner, terminal) = terminal_of(columns);
    let side = || Stdio::from(terminal.try_clone().unwrap());
    let mut command = Command::new(path());
    command.args(args.split_whitespace()).env_remove("NO_COLOR").env("TERM", "xterm").envs(more.iter().copied());
    command.stdin(side()).stdout(side()).stderr(side());
    let mut child = command.spawn().unwrap();
    drop((command, terminal));
    let mut written = Vec::new();
    // The terminal of a program that has ended gives an error instead of an end.
    let _ = File::from(owner).read_to_end(&mut written);
    assert!(child.wait().unwrap().success());
    String::from_utf8(written).unwrap()
}

/// What stays on the screen: each line as it was left.
fn screen(written: &str) -> Vec<String> {
    let lines = written.split("\r\n").map(|line| line.rsplit("\r\x1b[K").next().unwrap().to_owned());
    lines.filter(|line| !line.is_empty()).collect()
}

#[test]
fn a_terminal_shows_where_the_session_stands_and_is_left_clean() {
    for (columns, shown) in [
        (40, &["[active for", "…", "Ctrl-C logs out]"][..]),
        (80, &["[active for", "keepalive in", "Ctrl-C logs out]"]),
        (200, &["[active for", "keepalive in", "last answer 200", "Ctrl-C logs out]"]),
    ] {
        let written = on_a_terminal("cbrain --for 1.2 --keepalive 1", columns, &[]);
        let drawn: Vec<_> =
            written.split("\x1b[2m").skip(1).map(|line| line.split("\x1b[0m").next().unwrap()).collect();
        assert!(drawn.iter().any(|line| shown.iter().all(|words| line.contains(words))), "{columns}: {drawn:#?}");
        assert!(!written.contains("[closed"), "nobody waits for anything any more: {written:?}");
        for line in drawn {
            assert!(line.chars().count() < usize::from(columns) && !line.contains('\n'), "{line:?}");
        }
        let screen = screen(&written);
        assert!(screen.iter().all(|line| line.starts_with("cbrain ")), "{screen:#?}");
        assert!(screen.last().unwrap().contains("closed: logged out"), "{screen:#?}");
    }
}

#[test]
fn who_wants_no_colour_gets_none() {
    let written = on_a_terminal("cbrain --for 1.2", 80, &[("NO_COLOR", "1")]);
    assert!(written.contains("\r\x1b[K[active for") && !written.contains("\x1b[2m"), "{written:?}");
    assert!(written.split('\x1b').skip(1).all(|after| after.starts_with("[K")), "{written:?}");
}

#[test]
fn json_and_a_command_have_the_terminal_for_themselves() {
    for args in ["cbrain --json --for 1.2", "cbrain --exec sleep 1.2"] {
        let written = on_a_terminal(args, 60, &[]);
        assert!(!written.contains('\x1b'), "{args}: {written:?}");
    }
}

/// Somebody who logs in at a terminal.
pub struct Person {
    tool: Child,
    terminal: File,
    pub seen: String,
    /// So much of it was checked.
    read: usize,
}

impl Person {
    fn at(server: &Server<NeoSim>) -> Self {
        Self::runs(&["kotak-neo", "--json", "--url", server.url()], |command| {
            for (name, value) in [("ACCESS_TOKEN", "dashboard"), ("UCC", "ABC12"), ("MOBILE", "0000000000")] {
                command.env(format!("SANSESSION_{name}"), value);
            }
            for name in ["TOTP_SECRET", "CODE", "PIN", "TOKEN", "IP"] {
                command.env_remove(format!("SANSESSION_{name}"));
            }
        })
    }

    /// Runs the tool with these arguments, in an environment that is made ready first.
    pub fn runs(args: &[&str], prepare: impl FnOnce(&mut Command)) -> Self {
        let (owner, terminal) = terminal();
        let side = || Stdio::from(terminal.try_clone().unwrap());
        // Passwords are read from the controlling terminal, which only the first program of a session has.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(path()).args(args);
        prepare(&mut command);
        let tool = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
        Self { tool, terminal: owner.into(), seen: String::new(), read: 0 }
    }

    /// Waits for these words, and gives what stood before them since the last ones.
    #[track_caller]
    pub fn reads(&mut self, words: &str) -> String {
        loop {
            if let Some(at) = self.seen[self.read..].find(words) {
                let before = self.seen[self.read..self.read + at].to_owned();
                self.read += at + words.len();
                return before;
            }
            let mut some = [0; 1024];
            let length = self.terminal.read(&mut some).unwrap_or_else(|error| panic!("{error}: {}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&some[..length]));
        }
    }

    pub fn types(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Reads all that comes until the end, and gives the exit code.
    pub fn leaves(&mut self) -> Option<i32> {
        let mut rest = Vec::new();
        let _ = self.terminal.read_to_end(&mut rest);
        self.seen.push_str(&String::from_utf8_lossy(&rest));
        self.tool.wait().unwrap().code()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.tool.kill();
        let _ = self.tool.wait();
    }
}

/// Waits for a code that is shown for so long still: one that changes while it is typed would be another story.
fn shown_for(time: Duration) -> Totp {
    loop {
        let code = totp::code(&Secret::from(TOTP_SECRET), now()).unwrap();
        if code.ends().since(now()) > time {
            return code;
        }
        std::thread::park_timeout(Duration::from_millis(50));
    }
}

/// What cannot be a code or an MPIN is asked for again, and nothing is sent for it.
#[test]
fn a_person_who_mistypes_is_asked_again() {
    let server = neo();
    let mut person = Person::at(&server);
    person.reads("authenticator's code");
    person.types("1234567\n");
    person.reads("authenticator's code");
    person.types(&format!("{}\n", shown_for(Duration::from_secs(2)).code()));
    for pin in ["65432\n", "654321\n"] {
        person.reads("PIN: ");
        person.types(pin);
    }
    assert_eq!(person.leaves(), Some(0), "{}", person.seen);
    let seen = &person.seen;
    assert_eq!(seen.matches("has a wrong length").count(), 2, "{seen}");
    assert_eq!(asked(&server), ["POST /login/1.0/tradeApiLogin", "POST /login/1.0/tradeApiValidate"], "{seen}");
}

/// A code whose fate nobody knows may be used up: the next one is asked for, and the same one again costs no try.
#[test]
fn a_person_is_told_in_how_many_seconds_the_next_code_comes() {
    let server = neo();
    server.with(|server| server.disturb(1, &Mishap::Dropped));
    let mut person = Person::at(&server);
    let first = person.reads("authenticator's code (six digits): ");
    assert!(!first.contains("next one"), "{first}");
    let code = shown_for(Duration::from_secs(12));
    person.types(&format!("{}\n", code.code()));
    let wanted = |person: &mut Person| {
        let seconds: u64 = person.reads(" s").rsplit(' ').next().unwrap().parse().unwrap();
        let left = code.ends().since(now()).as_secs();
        assert!((left..=left + 3).contains(&seconds), "{seconds} s are told, {left} s are left: {}", person.seen);
    };
    for _ in 0..3 {
        person.reads("authenticator's code (six digits; the next one comes in");
        wanted(&mut person);
        person.reads("): ");
        person.types(&format!("{}\n", code.code()));
        person.reads("totp: the last code may have been used up; the next one comes in");
        wanted(&mut person);
    }
    person.reads("): ");
    // Ctrl-C: the prompt reads it, or the tool gets the signal just before that.
    person.types("\x03");
    let code = person.leaves();
    assert!([Some(4), Some(128 + 2)].contains(&code), "{code:?}: {}", person.seen);
    assert_eq!(asked(&server), ["POST /login/1.0/tradeApiLogin"], "{}", person.seen);
}
