//! Passwords that are wrong, missing or empty.

use sansession::sim::Mishap;

use crate::process::{asked, portal, tool};

#[test]
fn a_wrong_password_is_sent_once() {
    let portal = portal();
    let run = tool("cbrain --json").at(&portal).env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD", "hunter2");
    let run = run.runs().exits(3);
    run.tells("<- 401");
    run.tells("refused");
    run.tells("closed: denied.credentials");
    assert!(run.err.contains("--again"), "{run:#?}");
    // No count of refusals locks an account there; an administrator and the list of addresses do.
    assert!(run.err.contains("locked account") && run.err.contains("in a browser"), "{run:#?}");
    assert!(!run.err.contains("about three"), "{run:#?}");
    assert_eq!(asked(&portal), ["POST /session"]);
}

/// A locked account is refused as a wrong password is, without its wait of 3 s.
#[test]
fn a_saved_denial_keeps_the_next_run_from_asking_again() {
    let portal = portal();
    portal.with(|portal| portal.account("norm").unwrap().locked = true);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let run = |more: &str| tool(more).at(&portal).arg("--save", &file).arg("--resume", &file).norm().runs();
    let first = run("cbrain --json").exits(3);
    assert!(first.err.contains("is not there yet"), "{first:#?}");
    assert_eq!(asked(&portal).len(), 1);
    for _ in 0..2 {
        let next = run("cbrain --json").exits(3);
        assert_eq!(next.story(), ["closed: denied.credentials"]);
        assert!(next.err.contains("--again"), "{next:#?}");
        assert_eq!(asked(&portal).len(), 1);
    }
    run("cbrain --json --again").exits(3);
    assert_eq!(asked(&portal).len(), 2, "once more, not twice");
    portal.with(|portal| portal.account("norm").unwrap().locked = false);
    run("cbrain --json").exits(3);
    assert_eq!(asked(&portal).len(), 2);
    run("cbrain --json --again").exits(0).tells("closed: logged-out");
    run("cbrain --json").exits(0).tells("closed: logged-out");
}

#[test]
fn a_portal_in_trouble_denies_nobody() {
    let portal = portal();
    let down = r#"{"status":500,"error":"Internal Server Error"}"#;
    let down = http::Response::builder().status(500).header("content-type", "application/json").body(down.into());
    let down = Mishap::Instead(Box::new(down.unwrap()));
    portal.with(|portal| portal.disturb(100, &down));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let run = |more: &str| tool(more).at(&portal).arg("--save", &file).norm().runs();
    let first = run("cbrain --json --patience 5").exits(4);
    first.tells("closed: retries-exhausted");
    assert!(!first.story().iter().any(|line| line == "refused" || line.contains("denied")), "{first:#?}");
}

/// The refusal is in the file before anybody hears of it.
#[test]
fn a_denial_is_saved_although_the_process_is_killed() {
    let portal = portal();
    portal.with(|portal| portal.account("norm").unwrap().locked = true);
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = tool("cbrain --json").at(&portal).arg("--save", &file).norm().starts();
    run.says(&[r#""event":"refused""#]);
    run.gets("KILL");
    let run = tool("cbrain --json").at(&portal).arg("--resume", &file).norm().runs().exits(3);
    run.tells("closed: denied.credentials");
    assert_eq!(asked(&portal).len(), 1);
}

#[test]
fn without_a_terminal_the_missing_variable_is_named() {
    let portal = portal();
    for (tool, name) in [
        (tool("cbrain"), "SANSESSION_USER is not set"),
        (tool("cbrain").env("SANSESSION_USER", "norm"), "SANSESSION_PASSWORD is not set"),
        (tool("cbrain").norm().env("SANSESSION_PASSWORD", ""), "SANSESSION_PASSWORD is empty"),
        (tool("cbrain").norm().env("SANSESSION_USER", ""), "SANSESSION_USER is empty"),
        (tool("cbrain").env("SANSESSION_TOKEN", ""), "SANSESSION_TOKEN"),
        (tool("cbrain").env("SANSESSION_TOKEN", "two words\u{7}"), "SANSESSION_TOKEN"),
        (tool("cbrain").norm().env("SANSESSION_PASSWORD_FILE", "/dev/null"), "SANSESSION_PASSWORD_FILE are both set"),
        (tool("cbrain").env("SANSESSION_USER_FILE", "/no/such"), "SANSESSION_USER_FILE: /no/such"),
        (
            tool("cbrain").env("SANSESSION_USER", "norm").env("SANSESSION_PASSWORD_FILE", "/dev/null"),
            "SANSESSION_PASSWORD is empty",
        ),
    ] {
        let run = tool.at(&portal).runs().exits(64);
        assert!(run.err.contains(name), "{name}: {run:#?}");
        assert!(run.lines.is_empty(), "{run:#?}");
    }
    assert!(portal.log().is_empty());
}
