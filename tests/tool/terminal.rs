//! The line at the bottom of a terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::process::path;

/// Runs the tool on a terminal of 60 columns and gives what it wrote there.
fn on_a_terminal(args: &str) -> String {
    let owner = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&owner).unwrap();
    unlockpt(&owner).unwrap();
    let name = ptsname(&owner, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(name.to_str().unwrap()).unwrap();
    tcsetwinsize(&terminal, Winsize { ws_row: 24, ws_col: 60, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
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
