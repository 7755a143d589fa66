//! The short programs of the README, against the simulated portal.

use std::path::Path;
use std::process::{Command, Output};

use sansession::drive::now;
use sansession::sim::{CbrainSim, Server};

/// Checks that these pages show the program, counts the lines that say something, and runs it.
fn plays(name: &str, pages: &[&str], binary: &str, lines: usize, says: &str, asks: &[&str]) {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = std::fs::read_to_string(here.join(format!("src/bin/{name}.rs"))).unwrap();
    for page in pages {
        let text = std::fs::read_to_string(here.join("../..").join(page)).unwrap();
        let shown: Vec<_> = text.lines().map(|line| line.strip_prefix("//!").unwrap_or(line).trim_start()).collect();
        let program: Vec<_> = program.lines().map(str::trim_start).collect();
        assert!(shown.windows(program.len()).any(|lines| lines == program), "{page} shows another {name}");
    }
    assert!(program.lines().filter(|line| !line.trim().is_empty()).count() <= lines);

    let mut portal = CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now).unwrap();
    let run = |password| -> Output {
        Command::new(binary).env("PORTAL", server.url()).env("PASSWORD", password).output().unwrap()
    };
    let output = run("wonderland");
    let told = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told == says, "{told}");
    let mut asked: Vec<_> = server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect();
    asked[1..].sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(asked, asks);

    let output = run("wrong");
    assert!(!output.status.success());
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("Refused"), "{told}");
}

#[test]
fn the_shortest_blocking_program() {
    let asks = ["POST /session", "GET /groups", "DELETE /session"];
    plays("short_blocking", &["README.md", "src/lib.rs"], env!("CARGO_BIN_EXE_short_blocking"), 9, "200 OK\n", &asks);
}

#[test]
fn the_shortest_async_program() {
    let asks = ["POST /session", "GET /groups", "DELETE /session"];
    plays(
        "short_async",
        &["README.md", "src/lib.rs", "src/guide/asynchronous.md"],
        env!("CARGO_BIN_EXE_short_async"),
        12,
        "200 OK\n",
        &asks,
    );
}

#[test]
fn one_that_brings_its_own_client_and_spawns_for_itself() {
    let asks = ["POST /session", "GET /groups", "GET /groups", "DELETE /session"];
    plays(
        "short_reqwest",
        &["src/guide/asynchronous.md"],
        env!("CARGO_BIN_EXE_short_reqwest"),
        18,
        "200 OK 200 OK\n",
        &asks,
    );
}
