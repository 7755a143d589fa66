//! Whole lives that end well.

use sansession::Timestamp;
use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;
use sansession::sim::{CbrainSim, Certificate, Server, Simulator};
use std::time::Duration;

use crate::home::mode;
use crate::process::{PASSWORD, Run, asked, example, portal, started, tool};

const WHOLE_LIFE: [&str; 11] = [
    "opening",
    "logging-in",
    "needs credentials: opening",
    "-> POST /session",
    "<- 200",
    "active",
    "logging-out",
    "-> DELETE /session",
    "<- 200",
    "closed",
    "closed: logged-out",
];

#[test]
fn a_session_on_the_embedded_server_is_opened_and_ended() {
    let run = tool("cbrain --json").runs().exits(0);
    let story = run.story();
    assert_eq!(story, WHOLE_LIFE);
    assert!(run.json().iter().all(|line| line["provider"] == "cbrain"), "{run:#?}");
    let times: Vec<u64> = run.json().iter().map(|line| line["t"].as_u64().unwrap()).collect();
    assert!(times.is_sorted(), "{run:#?}");
    assert!(Timestamp::from_millis(times[0]) > Timestamp::from_secs(1_700_000_000));
}

#[test]
fn a_session_that_stays_is_kept_alive() {
    let run = tool("cbrain --json --for 2.5 --keepalive 1").runs().exits(0);
    let story = run.story();
    let kept: Vec<_> = story.iter().filter(|line| *line == "kept-alive").collect();
    assert_eq!(kept.len(), 2, "{run:#?}");
    assert_eq!(story.last().unwrap(), "closed: logged-out");
}

#[test]
fn people_read_a_timeline() {
    let run = tool("cbrain").runs().exits(0);
    assert!(run.lines.iter().all(|line| line.starts_with("cbrain ")), "{run:#?}");
    let shows = |run: &Run, words| run.lines.iter().any(|line| line.contains(words));
    assert!(shows(&run, "-> active") && !shows(&run, "POST"), "{run:#?}");
    assert!(run.err.is_empty(), "{run:#?}");
    let verbose = tool("cbrain -v").runs().exits(0);
    assert!(shows(&verbose, "POST /session 200 ") && shows(&verbose, " ms"), "{verbose:#?}");
}

#[test]
fn the_example_without_arguments_shows_every_provider() {
    let run = started(&example(), "").runs().exits(0);
    let last = run.lines.last().unwrap();
    for name in ["cbrain", "ibkr-retail", "oauth2"] {
        assert!(last.contains(name), "{run:#?}");
    }
    for provider in last.split(": ").nth(1).unwrap().split(", ") {
        let lines: Vec<_> = run.lines.iter().filter(|line| line.starts_with(&format!("{provider} "))).collect();
        // Neither Kotak nor OAuth 2 has anything to keep alive: tokens have an end, known or not.
        let kept = match provider {
            "oauth2" => "(lost)",
            "ibkr-retail" | "kotak-trade" | "kotak-neo" => "-> active",
            _ => "kept alive",
        };
        for words in ["own call", kept, "closed: logged out"] {
            assert!(lines.iter().any(|line| line.contains(words)), "{provider}: {words}: {run:#?}");
        }
    }
}

#[test]
fn a_served_simulator_says_where_it_is_and_who_may_come() {
    let mut server = tool("--serve cbrain").starts();
    let url = server.says(&["http://127.0.0.1:"]).split_whitespace().last().unwrap().to_owned();
    server.says(&["user alice", "password wonderland"]);
    let run = tool("cbrain --json").arg("--url", url).env("SANSESSION_USER", "alice");
    assert_eq!(run.env("SANSESSION_PASSWORD", "wonderland").runs().exits(0).story(), WHOLE_LIFE);
}

#[test]
fn secrets_come_from_files_too() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let (user, password) = (directory.path().join("user"), directory.path().join("password"));
    std::fs::write(&user, "norm\n").unwrap();
    std::fs::write(&password, format!("{PASSWORD}\r\n")).unwrap();
    let run = tool("cbrain --json").at(&portal);
    let run = run.env("SANSESSION_USER_FILE", &user).env("SANSESSION_PASSWORD_FILE", &password).runs();
    assert_eq!(run.exits(0).story(), WHOLE_LIFE);
}

#[test]
fn a_secrets_file_that_others_may_read_is_told_of_and_used() {
    let portal = portal();
    let directory = tempfile::tempdir().unwrap();
    let (user, password) = (directory.path().join("user"), directory.path().join("password"));
    std::fs::write(&user, "norm").unwrap();
    std::fs::write(&password, PASSWORD).unwrap();
    for (rights, told) in [(0o600, 0), (0o400, 0), (0o640, 1), (0o604, 1)] {
        mode(&password, rights);
        let run = tool("cbrain --json").at(&portal).env("SANSESSION_USER_FILE", &user);
        let run = run.env("SANSESSION_PASSWORD_FILE", &password).runs().exits(0);
        assert_eq!(run.err.matches("SANSESSION_PASSWORD_FILE: ").count(), told, "{rights:o}: {run:#?}");
        assert_eq!(run.err.matches("chmod 600").count(), told, "the user's name is no secret: {run:#?}");
    }
}

#[test]
fn a_token_that_somebody_has_needs_no_login() {
    let portal = portal();
    let login = http::Request::post(format!("{}/session", portal.url()))
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(b"login=norm&password=correct+horse".to_vec())
        .unwrap();
    let reply = portal.with(|portal| portal.handle(now(), [127, 0, 0, 1].into(), &login));
    let info: serde_json::Value = serde_json::from_slice(reply.response.body()).unwrap();
    let token = info["cbrain_api_token"].as_str().unwrap().to_owned();
    let run = tool("cbrain --json").at(&portal).env("SANSESSION_TOKEN", &token).runs().exits(0);
    assert_eq!(run.story().last().unwrap(), "left");
    // It is somebody else's to end, unless that is wanted by name.
    assert_eq!(asked(&portal), ["GET /session"]);
    let run = tool("cbrain --json --logout always").at(&portal).env("SANSESSION_TOKEN", &token).runs().exits(0);
    run.tells("closed: logged-out");
    assert_eq!(asked(&portal), ["GET /session", "GET /session", "DELETE /session"]);
    let run = tool("cbrain --json").at(&portal).env("SANSESSION_TOKEN", "0".repeat(31)).runs();
    run.exits(6).tells("closed: expired");
}

#[test]
fn a_certificate_of_ones_own_is_trusted_by_its_file() {
    let mut portal = CbrainSim::new(1);
    portal.add_user("norm", PASSWORD);
    let portal = Server::start_tls(Certificate::Plain, portal, now).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let pem = directory.path().join("portal.pem");
    std::fs::write(&pem, portal.certificate_pem().unwrap()).unwrap();
    let run = tool("cbrain --json").at(&portal).arg("--ca-file", &pem).norm().runs().exits(0);
    assert_eq!(run.story(), WHOLE_LIFE);
    let run = tool("cbrain --json --patience 1").at(&portal).norm().runs().exits(4);
    run.tells("closed: retries-exhausted");
    assert_eq!(asked(&portal).len(), 2, "nothing goes to a server that is not trusted");
}

#[test]
fn an_interrupt_logs_out() {
    for signal in ["INT", "TERM"] {
        let portal = portal();
        let mut run = tool("cbrain --json --for 60").at(&portal).norm().starts();
        run.is_active();
        run.gets(signal);
        run.ends().exits(0).tells("closed: logged-out");
        assert_eq!(asked(&portal), ["POST /session", "DELETE /session"], "{signal}");
    }
}

#[test]
fn an_interrupt_while_a_login_is_under_way_ends_what_the_login_opened() {
    let portal = portal();
    portal.with(|portal| portal.disturb(1, &Mishap::Slow(Duration::from_millis(1_500))));
    let mut run = tool("cbrain --json --for 60").at(&portal).norm().starts();
    run.says(&[r#""event":"send""#]);
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    assert_eq!(portal.with(|portal| portal.live_sessions(now(), "norm")), 0);
    assert_eq!(portal.with(|portal| portal.count(Outcome::LoggedOut)), 1);
}

#[test]
fn a_proven_expiry_is_followed_by_a_login_if_that_is_wanted() {
    let portal = portal();
    let mut run = tool("cbrain --json --for 60 --keepalive 1 --relogin").at(&portal).norm().starts();
    run.is_active();
    portal.with(CbrainSim::expire_sessions);
    run.says(&["need", "expired"]);
    run.is_active();
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    assert_eq!(asked(&portal), ["POST /session", "GET /session", "POST /session", "DELETE /session"]);
}
