//! The examples as people run them: each plays its story to the end against a simulator of its own.
//!
//! `cargo test` builds them. Whoever runs this file alone builds them first: `cargo build --examples`.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[test]
fn bots_call_while_a_thread_keeps_the_session_alive() {
    let told = run("threads");
    for bot in ["a", "b", "c"] {
        assert_eq!(count(&told, &format!("bot {bot}: 200 OK")), 4, "{told}");
    }
    // The bots take 1.6 s at least, and a keepalive is due every second.
    assert!(told.contains("session: kept-alive"), "{told}");
    assert!(told.ends_with("\nlogged out\n"), "{told}");
}

#[test]
fn a_session_moves_and_is_refused_on_another_network() {
    let told = run("move_session");
    let lines: Vec<&str> = told.lines().collect();
    assert_eq!(
        lines,
        [
            "here: Left",
            "on another network: the session's tokens are bound to another way out of the network",
            "there: a call gets 200 OK",
            "there: Closed(LoggedOut { confirmed: true })",
            "logins: 1",
        ]
    );
}

#[test]
fn a_provider_outside_the_crate_keeps_the_laws() {
    let told = run("custom_provider");
    // A login with two answers, a look each five minutes, a new access token before each 30 are over, and a logout.
    assert_eq!(count(&told, " asked for the "), 2, "{told}");
    assert!(told.contains("\n340 requests in a day, the end: logged-out\n"), "{told}");
    assert!(told.ends_with("it keeps the laws\n"), "{told}");
}

/// Runs an example to its end, and gives what it printed.
#[track_caller]
fn run(name: &str) -> String {
    let output = Command::new(path(name)).stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{name}: {}\n{out}\n{err}", output.status);
    out.into_owned()
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

fn path(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let profile = test.parent().and_then(Path::parent).unwrap();
    let path = profile.join("examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    assert!(path.exists(), "{} is not there: `cargo build --examples` makes it", path.display());
    path
}
