//! Programs that are started again and again, with a wrong answer and a server whose word is lost.

use std::path::Path;

use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;

use crate::process::{PASSWORD, asked, portal, tool};

/// A login that may have been refused is one that was, in the next process, too.
#[test]
fn one_password_leaves_in_five_starts() {
    for resumes in [false, true] {
        let portal = portal();
        portal.with(|portal| portal.disturb(9, &Mishap::Dropped));
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("session.json");
        for start in 0..5 {
            let tool = tool("cbrain --json").at(&portal).arg("--save", &file).norm();
            let tool = if resumes { tool.arg("--resume", &file) } else { tool };
            let run = tool.env("SANSESSION_PASSWORD", "hunter2").runs().exits(4);
            run.tells("closed: retries-exhausted");
            assert!(!run.err.contains("refused an earlier"), "{start}: {run:#?}");
            assert!(run.err.contains("may have been refused") && run.err.contains("--again"), "{start}: {run:#?}");
        }
        assert_eq!(asked(&portal), ["POST /session"]);
        assert_eq!(portal.with(|portal| portal.count(Outcome::LoginRefused)), 1);
    }
}

/// Who says so by name lets a program try twice, over all its starts.
#[test]
fn as_many_passwords_leave_as_max_refused_says() {
    let portal = portal();
    portal.with(|portal| portal.disturb(9, &Mishap::Dropped));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    for _ in 0..3 {
        let tool = tool("cbrain --json --max-refused 2").at(&portal).arg("--save", &file).norm();
        tool.env("SANSESSION_PASSWORD", "hunter2").runs().exits(4);
    }
    assert_eq!(asked(&portal), ["POST /session", "POST /session"]);
}

/// `--save` alone knows of it, another login does not, and what is accepted is forgotten.
#[test]
fn the_file_of_save_is_read_also_without_resume() {
    let (portal, other) = (portal(), portal());
    for portal in [&portal, &other] {
        portal.with(|portal| {
            portal.add_user("alice", "wonderland");
        });
    }
    portal.with(|portal| portal.account("norm").unwrap().locked = true);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let run = |args: &str, file: &Path| tool(args).at(&portal).arg("--save", file).norm();
    run("cbrain --json", &file).runs().exits(3).tells("refused");
    let second = run("cbrain --json", &file).runs().exits(3);
    second.tells("closed: denied.credentials");
    assert!(second.err.contains("refused an earlier"), "{second:#?}");
    assert_eq!(asked(&portal).len(), 1);
    let copy = directory.path().join("copy.json");
    std::fs::copy(&file, &copy).unwrap();
    tool("cbrain --json").at(&other).arg("--save", &copy).norm().runs().exits(0);
    run("cbrain --json", &file)
        .env("SANSESSION_USER", "alice")
        .env("SANSESSION_PASSWORD", "wonderland")
        .runs()
        .exits(0);
    run("cbrain --json", &file).runs().exits(3);
    portal.with(|portal| portal.account("norm").unwrap().locked = false);
    run("cbrain --json --again", &file).runs().exits(0);
    run("cbrain --json", &file).env("SANSESSION_PASSWORD", PASSWORD).runs().exits(0);
}

/// A person who edits the file must not be taken for one who has never been refused.
#[test]
fn a_file_that_cannot_be_read_is_not_taken_for_a_clean_one() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let run = |args: &str| tool(args).at(&portal).arg("--save", &file).norm().runs();
    run("cbrain --json").exits(0);
    let text = std::fs::read_to_string(&file).unwrap();
    let count = asked(&portal).len();
    for edited in [&text[..text.len() / 2], &text.replace(r#""format":1"#, r#""format":9"#)] {
        std::fs::write(&file, edited).unwrap();
        let run = run("cbrain --json").exits(64);
        assert!(run.err.contains("--save") && run.err.contains("--again"), "{run:#?}");
    }
    assert_eq!(asked(&portal).len(), count);
    run("cbrain --json --again").exits(0);
}

/// The refusal comes while the login is being given up.
#[test]
fn a_refusal_under_ctrl_c_is_remembered() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    // A wrong password is held back for three seconds.
    let start = || tool("cbrain --json").at(&portal).arg("--save", &file).norm();
    let mut run = start().env("SANSESSION_PASSWORD", "hunter2").starts();
    run.says(&[r#""event":"send""#]);
    run.gets("INT");
    run.ends().tells("refused");
    start().env("SANSESSION_PASSWORD", "hunter2").runs().exits(3).tells("closed: denied.credentials");
    assert_eq!(asked(&portal).len(), 1);
}
