//! Saves that fail: no session is left open that nobody could find again.

use std::time::Duration;

use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;

use crate::process::{asked, obeys_rights, portal, tool};

/// The file is what the last save that worked has made of it, and nothing is beside it.
#[track_caller]
fn is_whole_and_alone(directory: &std::path::Path) -> serde_json::Value {
    let names: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["session.json"]);
    serde_json::from_str(&std::fs::read_to_string(directory.join("session.json")).unwrap()).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn a_session_that_a_full_disk_does_not_take_is_ended() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm().starts();
    run.is_active();
    run.writes_nothing();
    run.gets("TERM");
    let run = run.ends().exits(4);
    run.tells("closed: logged-out");
    assert!(run.err.contains("--save") && run.err.contains("too large"), "{run:#?}");
    assert_eq!(asked(&portal), ["POST /session", "DELETE /session"]);
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    let saved = is_whole_and_alone(directory.path());
    assert!(saved["session"]["closed"].is_null(), "{saved}");
    // The next start looks before it believes the file.
    tool("cbrain --json").at(&portal).arg("--resume", &file).arg("--save", &file).runs().exits(6);
}

/// The token comes when nothing can be written any more.
#[cfg(target_os = "linux")]
#[test]
fn a_login_whose_token_cannot_be_saved_is_undone() {
    let portal = portal();
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_secs(2))));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm().starts();
    run.says(&[r#""event":"send""#]);
    run.writes_nothing();
    let run = run.ends().exits(4);
    run.tells("closed: logged-out");
    assert!(run.err.contains("--save") && run.err.contains("too large"), "{run:#?}");
    assert_eq!(asked(&portal), ["POST /session", "DELETE /session"]);
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    is_whole_and_alone(directory.path());
}

/// A command is not started beside a session that is about to end.
#[cfg(target_os = "linux")]
#[test]
fn no_command_runs_in_a_session_that_cannot_be_saved() {
    let portal = portal();
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_secs(2))));
    let directory = tempfile::tempdir().unwrap();
    let (file, started) = (directory.path().join("session.json"), directory.path().join("started"));
    let tool = tool("cbrain --json").at(&portal).arg("--save", &file).env("STARTED", &started).norm();
    let run = tool.exec(r#"> "$STARTED"; sleep 60"#).starts();
    while portal.with(|portal| portal.count(Outcome::LoggedIn)) == 0 {
        std::thread::yield_now();
    }
    run.writes_nothing();
    run.ends().exits(4);
    assert!(!started.exists());
    assert_eq!(asked(&portal), ["POST /session", "DELETE /session"]);
}

#[test]
fn where_nothing_can_be_written_nothing_is_sent() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let run = tool("cbrain --json").at(&portal).arg("--save", &file).norm().under("ulimit -f 0").runs().exits(64);
    assert!(run.err.contains("--save") && run.err.contains("too large"), "{run:#?}");
    assert!(portal.log().is_empty());
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

/// What a limit shows is what a file system shows that is full.
#[cfg(target_os = "linux")]
#[test]
fn a_session_is_ended_when_its_file_system_is_full() {
    struct Mounted(tempfile::TempDir);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = std::process::Command::new("umount").arg(self.0.path()).status();
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=64k", "none"]).arg(directory.path());
    if !mount.output().is_ok_and(|output| output.status.success()) {
        eprintln!("left out: nothing can be mounted here");
        return;
    }
    let directory = Mounted(directory);
    let (file, rest) = (directory.0.path().join("session.json"), directory.0.path().join("rest"));
    let fill = || std::fs::write(&rest, vec![0; 128 * 1_024]).unwrap_err().to_string();
    let portal = portal();
    let save = || tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm();
    let mut run = save().starts();
    run.is_active();
    assert!(fill().contains("No space left"));
    run.gets("TERM");
    let run = run.ends().exits(4);
    run.tells("closed: logged-out");
    assert!(run.err.contains("--save") && run.err.contains("No space left"), "{run:#?}");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    let before = asked(&portal).len();
    assert!(save().runs().exits(64).err.contains("No space left"));
    assert_eq!(asked(&portal).len(), before);
    std::fs::remove_file(rest).unwrap();
    is_whole_and_alone(directory.0.path());
}

#[test]
fn a_directory_without_write_rights_is_known_before_and_noticed_later() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let allow = |mode| std::fs::set_permissions(directory.path(), PermissionsExt::from_mode(mode)).unwrap();
    let file = directory.path().join("session.json");
    let portal = portal();
    allow(0o500);
    let save = || tool("cbrain --json --for 60").at(&portal).arg("--save", &file).norm();
    if !obeys_rights(directory.path()) {
        return;
    }
    let run = save().without_rights().runs();
    allow(0o700);
    let run = run.exits(64);
    assert!(run.err.contains("--save") && run.err.contains("Permission denied"), "{run:#?}");
    assert!(portal.log().is_empty());

    let mut run = save().without_rights().starts();
    run.is_active();
    allow(0o500);
    run.gets("TERM");
    let run = run.ends();
    allow(0o700);
    let run = run.exits(4);
    run.tells("closed: logged-out");
    assert!(run.err.contains("--save") && run.err.contains("Permission denied"), "{run:#?}");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    is_whole_and_alone(directory.path());
}
