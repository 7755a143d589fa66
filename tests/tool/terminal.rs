//! The line at the bottom of a terminal, and what a person types there.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use sansession::blocking::now;
use sansession::{Secret, totp};

use crate::kotak::{TOTP_SECRET, neo};
use crate::process::{asked, path};

/// Gives a terminal of 60 columns: the side of the person, and that of the program.
pub fn terminal() -> (OwnedFd, File) {
    let owner = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&owner).unwrap();
    unlockpt(&owner).unwrap();
    let name = ptsname(&owner, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    (owner, terminal)
}

/// Runs the tool on a terminal and gives what it wrote there.
fn on_a_terminal(args: &str) -> String {
    let (owner, terminal) = terminal();
    let side = || Stdio::from(terminal.try_clone().unwrap());
    let mut command = Command::new(path());
    command.args(args.split_whitespace()).env("TERM", "xterm").stdin(side()).stdout(side()).stderr(side());
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
    let written = on_a_terminal("cbrain --for 2.5 --keepalive 1");
    for words in ["active for", "keepalive in", "last answer 200"] {
        assert!(written.contains(words), "{words}: {written:?}");
    }
    assert!(!written.contains("[closed"), "nobody waits for anything any more: {written:?}");
    let drawn = written.split("\x1b[2m").skip(1).map(|line| line.split("\x1b[0m").next().unwrap());
    for line in drawn {
        assert!(line.chars().count() < 60 && !line.contains('\n'), "{line:?}");
    }
    let screen = screen(&written);
    assert!(screen.iter().all(|line| line.starts_with("cbrain ")), "{screen:#?}");
    assert!(screen.last().unwrap().contains("closed: logged out"), "{screen:#?}");
}

#[test]
fn json_and_a_command_have_the_terminal_for_themselves() {
    for args in ["cbrain --json --for 1.2", "cbrain --exec sleep 1.2"] {
        let written = on_a_terminal(args);
        assert!(!written.contains('\x1b'), "{args}: {written:?}");
    }
}

/// What cannot be a code or an MPIN is asked for again, and nothing is sent for it.
#[test]
fn a_person_who_mistypes_is_asked_again() {
    let server = neo();
    let (owner, terminal) = terminal();
    let side = || Stdio::from(terminal.try_clone().unwrap());
    // Passwords are read from the controlling terminal, which only the first program of a session has.
    let mut command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(path()).args(["kotak-neo", "--json", "--url", server.url()]);
    for (name, value) in [("ACCESS_TOKEN", "dashboard"), ("UCC", "ABC12"), ("MOBILE", "0000000000")] {
        command.env(format!("SANSESSION_{name}"), value);
    }
    for name in ["TOTP_SECRET", "CODE", "PIN", "TOKEN", "IP"] {
        command.env_remove(format!("SANSESSION_{name}"));
    }
    let mut child = command.stdin(side()).stdout(side()).stderr(side()).spawn().unwrap();
    drop((command, terminal));
    let mut person = File::from(owner);
    // A code that changes while it is typed would be another story.
    let shown = || loop {
        let code = totp::code(&Secret::from(TOTP_SECRET), now()).unwrap();
        if code.ends().since(now()) > Duration::from_secs(2) {
            return code.code().to_owned();
        }
        std::thread::yield_now();
    };
    let types = [
        ("authenticator's code", Some("1234567")),
        ("authenticator's code", None),
        ("PIN: ", Some("65432")),
        ("PIN: ", Some("654321")),
    ];
    let mut seen = String::new();
    for (prompt, what) in types {
        let from = seen.len();
        while !seen[from..].contains(prompt) {
            let mut some = [0; 1024];
            let length = person.read(&mut some).unwrap_or_else(|error| panic!("{error}: {seen}"));
            seen.push_str(&String::from_utf8_lossy(&some[..length]));
        }
        person.write_all(format!("{}\n", what.map_or_else(shown, str::to_owned)).as_bytes()).unwrap();
    }
    let mut rest = Vec::new();
    let _ = person.read_to_end(&mut rest);
    seen.push_str(&String::from_utf8_lossy(&rest));
    assert!(child.wait().unwrap().success(), "{seen}");
    assert_eq!(seen.matches("has a wrong length").count(), 2, "{seen}");
    assert_eq!(asked(&server), ["POST /login/1.0/tradeApiLogin", "POST /login/1.0/tradeApiValidate"], "{seen}");
}
