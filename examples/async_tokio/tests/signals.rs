//! The program as people run it: SIGTERM leaves the session open, Ctrl-C ends it.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use sansession::drive::now;
use sansession::http::Method;
use sansession::sim::{self, Server};

#[test]
fn a_session_outlives_a_sigterm_and_ends_with_ctrl_c() {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    // Whoever guesses a name beside it has put a link there.
    let target = directory.path().join("target");
    std::fs::write(&target, "kept").unwrap();
    std::os::unix::fs::symlink(&target, file.with_extension("new")).unwrap();

    let first = starts(&server, &file);
    let told = ends(first, "to: Active", "TERM");
    assert!(told.contains("left open, saved in"), "{told}");
    assert!(std::fs::read_to_string(&file).unwrap().contains("cbrain"));
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "kept");
    assert!(file.with_extension("new").is_symlink(), "it is nobody's to remove");

    // Active from its start, and silent, so there is nothing to wait for but the program itself.
    let second = starts(&server, &file);
    let told = ends(second, "driving", "INT");
    assert!(told.ends_with("logged out\n"), "{told}");
    assert!(!file.exists());
    let asked: Vec<_> = server.log().iter().map(|served| served.method.clone()).collect();
    assert_eq!(asked, [Method::POST, Method::DELETE]);
}

fn starts(server: &Server<sim::CbrainSim>, file: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_async_tokio"));
    command.env("PORTAL", server.url()).env("SESSION_FILE", file);
    command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits for a line with these words, sends the signal and gives all that was printed.
#[track_caller]
fn ends(mut program: Child, words: &str, signal: &str) -> String {
    let mut told = String::new();
    let mut lines = BufReader::new(program.stdout.take().unwrap());
    while lines.read_line(&mut told).unwrap() > 0 {
        if told.lines().last().is_some_and(|line| line.contains(words)) {
            let kill = Command::new("sh").arg("-c").arg(format!("kill -{signal} {}", program.id())).status();
            assert!(kill.unwrap().success());
        }
    }
    assert!(program.wait().unwrap().success(), "{told}");
    told
}
