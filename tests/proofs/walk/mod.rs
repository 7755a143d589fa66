//! A walk through every state that the providers' sessions can reach: the transition tables are
//! snapshots, and the diagrams in the providers' documentation are drawn from them.
//!
//! A changed machine is a changed table. `cargo insta review`, or `INSTA_UPDATE=always`, takes a new
//! table over, and `SANSESSION_DRAW=1 cargo test --test proofs walk` draws the diagrams again.

mod cbrain;
mod direct;
mod ibkr;
mod kotak;
mod oauth2;

use std::{env, fs};

use http::Request;
use sansession::testing::{Map, Sample};

/// Names a request: `POST /session`.
fn name(request: &Request<Vec<u8>>) -> String {
    format!("{} {}", request.method(), request.uri().path())
}

/// Names a request of one of IBKR's machines, which must be one that the official specifications have.
fn specified(request: &Request<Vec<u8>>) -> String {
    crate::specification::validate(request).unwrap();
    name(request)
}

/// What stands between a client and any server may answer, whatever was asked.
fn anywhere() -> Vec<(&'static str, Sample)> {
    vec![
        ("429", Sample::json(429, r#"{"error": "slow down"}"#)),
        ("5xx", Sample::json(500, "{}")),
        ("5xx", Sample::new(502, "text/html", "<html>Bad Gateway</html>")),
        ("5xx", Sample::new(503, "", "")),
        ("a page", Sample::new(200, "text/html", "<html>Sign in to this network</html>")),
        ("{}", Sample::json(200, "{}")),
        ("a page", Sample::new(302, "text/html", "").header("location", "https://example.org/welcome")),
    ]
}

/// What every diagram says first.
const LEFT_OUT: &str = "\
An arrow has the first of the server's answers, or of what else happens, that lead along it. Not drawn is what can
happen in every state: a logout, which leads to `closed` over `logging-out`; giving up, which closes; a crash, sleep and
an outage, which send an open session through `active, suspect` and close an opening in the end.
";

/// Compares a diagram with the one in the documentation, or draws that again.
fn is_drawn_in(map: &Map, path: &str) {
    let path = format!("{}/src/providers/{path}", env!("CARGO_MANIFEST_DIR"));
    let drawn = format!("{LEFT_OUT}\n```mermaid\n{}```\n", map.mermaid());
    if env::var_os("SANSESSION_DRAW").is_some() {
        fs::write(&path, &drawn).unwrap();
    }
    let known = fs::read_to_string(&path).unwrap_or_default();
    assert!(known == drawn, "{path} is not what was walked; draw it anew with SANSESSION_DRAW=1:\n{drawn}");
}

fn leads_on(map: &Map) {
    println!("{} states, {} walked", map.states(), map.walked());
    assert_eq!(map.dead_ends(), Vec::<String>::new());
    for row in map.undecided() {
        println!("UNDECIDED {row}");
    }
}
