//! Lines and words that nobody reads: the session matters more.
#![expect(clippy::disallowed_methods, reason = "these tests are about processes and time")]

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::pipe::{PipeFlags, pipe_with};
use sansession::drive::now;

use crate::process::{Mute, Tool, asked, path, portal, runs, tool};

const LIFE: [&str; 2] = ["POST /session", "DELETE /session"];

/// A disk without room.
fn full() -> Stdio {
    OpenOptions::new().write(true).open("/dev/full").unwrap().into()
}

/// A pipe whose reader has gone.
fn broken() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// A pipe that is full, and whose reader does not read.
fn stalled() -> (std::os::fd::OwnedFd, Stdio) {
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC).unwrap();
    fcntl_setfl(&writer, OFlags::NONBLOCK).unwrap();
    let mut writer = File::from(writer);
    while writer.write(&[b'x'; 4_096]).is_ok() {}
    fcntl_setfl(&writer, OFlags::empty()).unwrap();
    (reader, writer.into())
}

fn unheard(tool: impl Fn() -> Tool, check: impl Fn(&mut Mute)) {
    for (out, err) in [(full(), full()), (broken(), broken()), (broken(), full()), (full(), broken())] {
        check(&mut tool().speaks_to(out, err));
    }
}

#[test]
fn a_session_lives_and_ends_unheard() {
    for (args, script) in [("cbrain --for 0.2", None), ("cbrain --json --for 0.2", None), ("cbrain", Some("sleep 0.2"))]
    {
        let portal = portal();
        let run = || match script {
            None => tool(args).at(&portal).norm(),
            Some(script) => tool(args).at(&portal).norm().exec(script),
        };
        unheard(run, |run| run.exits(0));
        assert_eq!(asked(&portal), LIFE.repeat(4), "{args}");
    }
}

#[test]
fn other_ends_have_their_codes_unheard() {
    let portal = portal();
    unheard(|| tool("--help"), |run| run.exits(0));
    unheard(|| tool("cbrain --fro 3"), |run| run.exits(64));
    unheard(|| tool("cbrain").at(&portal), |run| run.exits(64));
    let wrong = || tool("cbrain").at(&portal).env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", "hunter2");
    unheard(wrong, |run| run.exits(3));
    unheard(
        || tool("--serve cbrain"),
        |run| {
            std::thread::sleep(Duration::from_millis(200));
            run.gets("KILL");
        },
    );
}

/// Nobody could find such a session again.
#[test]
fn a_session_that_cannot_be_saved_is_ended_unheard() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let tool = tool("cbrain --json --for 60 --keepalive 1").at(&portal).arg("--save", &file).norm();
    let mut run = tool.speaks_to(broken(), broken());
    while !asked(&portal).iter().any(|call| call == "GET /session") {
        std::thread::sleep(Duration::from_millis(10));
    }
    drop(directory);
    run.gets("TERM");
    run.exits(4);
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
}

#[test]
fn a_reader_who_has_stopped_reading_stops_no_session() {
    for args in ["cbrain --json --for 3.5 --keepalive 1", "cbrain --for 3.5 --keepalive 1"] {
        let portal = portal();
        let ((_out, out), (_err, err)) = (stalled(), stalled());
        let began = Instant::now();
        tool(args).at(&portal).norm().speaks_to(out, err).exits(0);
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        let asked = asked(&portal);
        assert!(asked.iter().filter(|call| *call == "GET /session").count() >= 1, "{asked:?}");
        assert_eq!(asked.last().unwrap(), "DELETE /session");
    }
}

#[test]
fn help_is_read_as_far_as_somebody_wants() {
    let script = format!("{} --help | head -n 1", path().display());
    let read = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(read.stderr.is_empty() && read.stdout.starts_with(b"Opens"), "{read:?}");
}

/// The command is told by a file, since nobody hears the tool.
#[test]
fn a_command_is_not_left_running_unheard() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("id");
    let script = r#"echo $$ > "$FILE.new"; mv "$FILE.new" "$FILE"; sleep 300"#;
    let mut run = tool("cbrain --keepalive 1").at(&portal).norm().env("FILE", &file).exec(script);
    run = run.env("RUST_BACKTRACE", "0");
    let mut run = run.speaks_to(broken(), broken());
    while !file.exists() {
        std::thread::sleep(Duration::from_millis(10));
    }
    let id = std::fs::read_to_string(&file).unwrap();
    assert!(runs(&id));
    portal.with(sansession::sim::CbrainSim::expire_sessions);
    run.exits(6);
    assert!(!runs(&id));
}
