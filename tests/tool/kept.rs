//! A session that one process keeps, and other commands of the same user call in.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use sansession::sim::Mishap;
use serde_json::Value;

use crate::home::{Home, mode_of};
use crate::process::{asked, portal, tool};

#[test]
fn calls_and_tokens_come_from_the_process_that_keeps_the_session() {
    let portal = portal();
    let home = Home::of(&portal);
    let mut run = home.tool("run portal --json").starts();
    run.is_active();
    assert_eq!(mode_of(&home.state("portal.socket")), 0o600);
    let token = home.prints("token portal");
    assert!(home.prints("token portal --header").contains(&format!("authorization: Bearer {}", token.trim())));
    let json: Value = serde_json::from_str(&home.prints("token portal --json")).unwrap();
    assert_eq!((json["token"].as_str(), json["base_url"].as_str()), (Some(token.trim()), Some(portal.url())));
    assert!(home.prints("call portal GET /session").contains(r#""user_id""#));
    let missing = home.tool("call portal GET /nowhere?secret=1 -v --include").runs().exits(1);
    assert!(missing.err.contains("GET /nowhere 404") && !missing.err.contains("secret=1"), "{missing:#?}");
    assert_eq!(missing.lines[0], "HTTP/1.1 404 Not Found");
    let posted = home.tool("call portal post /nowhere --data {} --json").runs().exits(1);
    assert_eq!(posted.json()[0]["status"], 404);
    let paths = ["POST /session", "GET /session", "GET /nowhere", "POST /nowhere"];
    assert_eq!(asked(&portal), paths, "one login, and each call once");
    // It looks by itself, so nobody else need.
    assert!(home.tool("status portal --check").runs().exits(0).lines[0].contains("in use by `run`"));
    assert_eq!(asked(&portal), paths);
    // It is not the caller's to end.
    let ends = home.tool("call portal DELETE /session").runs().exits(4);
    assert!(ends.err.contains("`sansession logout`"), "{ends:#?}");
    run.gets("INT");
    let run = run.ends().exits(0);
    run.tells("closed: logged-out");
    assert_eq!(run.json().iter().filter(|line| line["event"] == "call").count(), 3, "{run:#?}");
    assert!(!home.state("portal.socket").exists());
    assert!(!home.tool("token portal").into_command().output().unwrap().stdout.is_empty(), "it logs in itself again");
}

/// Nobody waits behind a session that is not usable, and nobody else logs in meanwhile.
#[test]
fn a_session_that_is_not_usable_lends_nothing() {
    let portal = portal();
    let home = Home::of(&portal);
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_secs(60))));
    let mut run = home.tool("run portal --json --patience 1h").starts();
    run.says(&["send", "/session"]);
    assert!(home.tool("status portal").runs().exits(6).lines[0].contains("in use by `run`"));
    for verb in ["token portal", "call portal GET /session"] {
        let refused = home.tool(verb).runs().exits(4);
        assert!(refused.err.contains("not usable") || refused.err.contains("not ready"), "{refused:#?}");
    }
    assert!(asked(&portal).len() < 2, "{:?}", asked(&portal));
}

/// A process that was killed leaves its socket.
#[test]
fn a_socket_without_a_process_is_made_anew() {
    let portal = portal();
    let home = Home::of(&portal);
    let mut killed = home.tool("run portal --json").starts();
    killed.is_active();
    drop(killed);
    assert!(home.state("portal.socket").exists());
    let token = home.prints("token portal");
    let mut run = home.tool("run portal --json").starts();
    run.says(&["kept-alive"]);
    assert_eq!(home.prints("token portal"), token);
    run.gets("TERM");
    run.ends().exits(0);
    assert_eq!(asked(&portal).iter().filter(|call| *call == "POST /session").count(), 1);
}

/// What is there and is no socket stays, and so does the session.
#[test]
fn a_file_in_the_place_of_the_socket_is_left_alone() {
    let portal = portal();
    let home = Home::of(&portal);
    home.tool("login portal").runs().exits(0);
    std::fs::write(home.state("portal.socket"), "kept").unwrap();
    let mut run = home.tool("run portal --json").starts();
    run.says(&["kept-alive"]);
    assert!(home.tool("token portal").runs().exits(4).err.contains("in use by `run`"));
    run.gets("TERM");
    let run = run.ends().exits(0);
    assert!(run.err.contains("portal.socket"), "{run:#?}");
    assert_eq!(std::fs::read_to_string(home.state("portal.socket")).unwrap(), "kept");
}

/// By the socket one is known; by the port one needs the secret for the same, and gets no token.
#[test]
fn a_port_gives_no_token() {
    let portal = portal();
    let home = Home::listening(&portal);
    let mut run = home.tool("run portal --json").starts();
    let proxy = run.listens();
    proxy.is_ready();
    assert!(proxy.asks("GET /_token", "", "").starts_with("http/1.1 404"), "it is a path of the portal's");
    let mut socket = UnixStream::connect(home.state("portal.socket")).unwrap();
    write!(socket, "GET /_session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.contains(r#""phase":"active""#), "{answer}");
    run.gets("INT");
    run.ends().exits(0);
    // Without a profile there is no such socket.
    tool("cbrain --json").at(&portal).norm().runs().exits(0);
}
