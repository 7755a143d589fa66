//! OAuth 2 sessions that outlive their process: what is stored, and that no token leaves twice.

#![expect(clippy::disallowed_types, reason = "a free port is looked for")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;

use sansession::sim::oauth2::Outcome;
use sansession::sim::{Mishap, OAuth2Sim};
use serde_json::Value;

use super::{SECRET, app, at, bare, consents, is_clean, keeps, redeems, server, visits};
use crate::home::Home;

#[test]
fn a_saved_session_goes_on_without_a_consent() {
    let server = server();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = app("oauth2 --json --for 0", &server).arg("--save", &file).starts();
    consents(&mut run);
    run.ends().exits(0).tells("left");
    server.with(OAuth2Sim::drop_access_tokens);
    for args in ["oauth2 --json --for 0 --probe /x", "oauth2 --json --probe /x"] {
        let run = app(args, &server).arg("--resume", &file).arg("--save", &file).runs().exits(0);
        keeps(&run, &server);
    }
    assert_eq!(server.with(|sim| (sim.count(Outcome::Consented), sim.count(Outcome::Refreshed))), (1, 1));
    is_clean(&server, 0);
}

#[test]
#[cfg(all(target_os = "linux", target_env = "gnu"))]
fn a_rotated_token_is_stored_before_it_is_used_whenever_the_tool_is_killed() {
    let server = server();
    let resume = |args: &str, file: &Path| app(args, &server).arg("--resume", file).arg("--save", file);
    crate::killed::killed_at_each_step(
        |file| {
            let mut run = app("oauth2 --json --for 0", &server).arg("--save", file).starts();
            consents(&mut run);
            run.ends().exits(0);
            server.with(OAuth2Sim::drop_access_tokens);
        },
        |file| resume("oauth2 --json --for 0 --probe /x", file).into_command(),
        |file| {
            let mut run = resume("oauth2 --json --probe /x", file).starts();
            // It opens alone, or asks.
            let run = loop {
                let line = run.says(&[r#""event""#]);
                if line.contains(r#""event":"need""#) {
                    let line: Value = serde_json::from_str(&line).unwrap();
                    let (_, back) = visits(line["url"].as_str().unwrap());
                    assert_eq!(visits(&back.unwrap()).0, 200);
                    break run.ends();
                }
                if line.contains(r#""to":"logging-out""#) {
                    break run.ends();
                }
            };
            assert_eq!(run.code, Some(0), "{run:#?}");
            assert_eq!(server.with(|sim| sim.count(Outcome::Reused)), 0, "{run:#?}");
        },
    );
    assert_eq!(server.with(|sim| sim.count(Outcome::Reused)), 0);
}

#[test]
fn a_renewal_whose_answer_was_lost_is_not_sent_again() {
    let server = server();
    let mut run = app("oauth2 --json --for 60 --probe /x --listen 127.0.0.1:0", &server).starts();
    let proxy = run.listens();
    consents(&mut run);
    run.is_active();
    let works = || proxy.asks("GET /things", "", "").starts_with("http/1.1 200");
    assert!(works());
    server.with(|sim| {
        sim.drop_access_tokens();
        sim.disturb_calls(http::Method::POST, "/token", 1, &Mishap::Dropped);
    });
    // The provider's own 401 is passed on; the session renews, and the answer to that is lost.
    assert!(proxy.asks("GET /things", "", "").starts_with("http/1.1 401"));
    consents(&mut run);
    redeems(&mut run);
    assert!(works());
    run.gets("INT");
    run.ends().exits(0).tells("closed: logged-out");
    // What the lost answer brought is ended as well, though nobody has it.
    is_clean(&server, 0);
}

/// openai/codex#10332 and anthropics/claude-code#84440: processes that share a file renew with one refresh token, and the loser
/// of the race erases what the winner has stored. Of those that start together one drives the session, and the file stays good.
#[test]
fn of_processes_that_share_a_file_of_tokens_one_renews() {
    let server = server();
    // Each life is longer than a token's.
    server.with(|sim| sim.settings.access_life = std::time::Duration::from_secs(2));
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let mut run = app("oauth2 --json --for 0", &server).arg("--save", &file).starts();
    consents(&mut run);
    run.ends().exits(0);
    for _ in 0..2 {
        let start = || app("oauth2 --json --for 3", &server).arg("--resume", &file).arg("--save", &file).starts();
        let runs: Vec<_> = (0..5).map(|_| start()).collect();
        let runs: Vec<_> = runs.into_iter().map(crate::process::Running::ends).collect();
        assert!(runs.iter().all(|run| [Some(0), Some(4)].contains(&run.code)), "{runs:#?}");
        assert!(runs.iter().any(|run| run.code == Some(0)), "{runs:#?}");
        let turned_away = runs.iter().filter(|run| run.code == Some(4));
        assert!(turned_away.clone().all(|run| run.err.contains("in use by another process")), "{runs:#?}");
        assert!(turned_away.count() > 0, "{runs:#?}");
        assert_eq!(server.with(|sim| (sim.count(Outcome::Consented), sim.count(Outcome::Reused))), (1, 0), "{runs:#?}");
    }
    assert!(server.with(|sim| sim.count(Outcome::Refreshed)) >= 2);
    // The file has the tokens of whoever drove last.
    app("oauth2 --json --for 1", &server).arg("--resume", &file).arg("--save", &file).runs().exits(0);
    assert_eq!(server.with(|sim| (sim.count(Outcome::Consented), sim.count(Outcome::RefreshRefused))), (1, 0));
    is_clean(&server, 1);
}

#[test]
fn a_refresh_token_from_a_page_is_rotated_into_the_file() {
    let server = server();
    // Somebody has consented on the page, and copied the token.
    let token = {
        let mut run = app("oauth2 --json --for 0", &server);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("page.json");
        run = run.arg("--save", &file);
        let mut run = run.starts();
        consents(&mut run);
        run.ends().exits(0);
        let saved: Value = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        saved["session"]["state"]["refresh"].as_str().unwrap().to_owned()
    };
    let directory = tempfile::tempdir().unwrap();
    let (secret, file) = (directory.path().join("token"), directory.path().join("session.json"));
    fs::write(&secret, format!("{token}\n")).unwrap();
    // The same line for the first start and for all later ones.
    for _ in 0..2 {
        let run = at("oauth2 --json --for 0 --client-id app --grant given --probe /x", &server)
            .env("SANSESSION_REFRESH_TOKEN_FILE", &secret)
            .arg("--save", &file)
            .arg("--resume", &file)
            .runs()
            .exits(0);
        run.tells("left");
        keeps(&run, &server);
        server.with(OAuth2Sim::drop_access_tokens);
    }
    assert_eq!(server.with(|sim| sim.count(Outcome::Refreshed)), 2);
    is_clean(&server, 1);
}

/// A profile has every option of the provider as a key, and its secrets in files.
#[test]
fn a_profile_keeps_an_oauth2_session() {
    let server = server();
    let home = Home::new();
    home.secret("secret", SECRET);
    let at = |path: &str| format!("{}{path}", server.url());
    // Keys that go with another one are read in whatever order they come.
    home.profiles(&format!(
        "[daemon]\nauthorize-url = \"{}\"\nrevoke_url = \"{}\"\nprobe = \"/x\"\nscope = \"read\"\nclient-id = \"daemon\"\n\
         client-secret-file = \"secret\"\ngrant = \"client-credentials\"\nrotation = \"30s\"\naccess-lasts = \"1h\"\n\
         parameter = [\"prompt=consent\"]\ntoken-url = \"{}\"\nprovider = \"oauth2\"\nurl = \"{}\"\n",
        at("/authorize"),
        at("/revoke"),
        at("/token"),
        at("/api")
    ));
    home.tool("login daemon").runs().exits(0);
    let token = home.prints("token daemon");
    assert!(server.with(|sim| sim.issued().iter().any(|issued| issued == token.trim())));
    home.tool("call daemon GET /things").runs().exits(0);
    home.tool("logout daemon").runs().exits(0);
    is_clean(&server, 0);
    home.profiles("[a]\nprovider = \"oauth2\"\nrefresh-token = \"x\"");
    let run = home.tool("login a").runs().exits(64);
    assert!(run.err.contains("profiles.toml:3: ") && run.err.contains("refresh-token-file"), "{run:#?}");
    home.profiles("[a]\nprovider = \"oauth2\"\nurl = \"http://127.0.0.1:1\"\nauthorize-url = \"http://127.0.0.1:1/a\"");
    let run = home.tool("login a").runs().exits(64);
    assert!(run.err.contains("profiles.toml:1: ") && run.err.contains("--token-url"), "{run:#?}");
}

/// The endpoint for private customers: a consent once, and whoever comes later goes on without one.
#[test]
fn a_profile_keeps_a_private_customers_session() {
    let home = Home::new();
    let mut served = bare("serve ibkr-retail --port 0").starts();
    let line = served.says(&["--redirect"]);
    let url = line.split("--url ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    // A client that has registered itself is known under one address.
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let profile = |port: u16| {
        let redirect = format!("redirect = \"http://127.0.0.1:{port}/callback\"");
        home.profiles(&format!(
            "[mine]\nprovider = \"ibkr-retail\"\nurl = \"{url}\"\n{redirect}\nclient-name = \"bot\"\n"
        ));
    };
    profile(free);
    let mut run = home.tool("login mine --json").starts();
    consents(&mut run);
    run.ends().exits(0);
    assert!(!home.prints("token mine").trim().is_empty());
    profile(0);
    let run = home.tool("token mine").runs().exits(64);
    assert!(run.err.contains("another redirect URI") && run.err.contains("mine.session"), "{run:#?}");
    assert!(!run.err.contains("--resume"), "nobody has given it: {run:#?}");
    profile(free);
    home.tool("logout mine").runs().exits(0);
}
