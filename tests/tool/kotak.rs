//! Kotak's two APIs through the tool: second factors, hosts, refusals, and what each exits with.

use std::fs;

use http::StatusCode;
use sansession::drive::now;
use sansession::sim::Mishap;
use sansession::sim::Server;
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::{Shard, User};
use sansession::sim::kotak::{NeoSim, Outcome, TradeApiSim};
use sansession::{BaseUrl, Secret, totp};

use crate::process::{PASSWORD, Run, Tool, asked, tool};

const STALE: &str = r#"{"fault":{"code":50001,"description":"Onetimetoken is either expired or not correct","message":"Invalid OneTimeToken"}}"#;
/// The key of RFC 6238's examples.
pub const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
const VARIABLES: [&str; 8] =
    ["ACCESS_TOKEN", "CONSUMER_KEY", "CONSUMER_SECRET", "IP", "APP_ID", "UCC", "MOBILE", "TOTP_SECRET"];

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn user() -> User {
    User::new("NORM1", PASSWORD).on(Shard::Second)
}

/// The Trade API; its two hosts are two names of this machine.
fn trade() -> Server<TradeApiSim> {
    let server = Server::start(TradeApiSim::kotak(), now).unwrap();
    let hosts = [format!("{}/apim", server.url()), format!("http://localhost:{}/apim", server.port())];
    server.with(|sim| *sim = TradeApiSim::new(hosts.map(|host| url(&host))).app("key", "secret").user(user()));
    server
}

pub fn neo() -> Server<NeoSim> {
    let server = Server::start(NeoSim::new(url("http://localhost")), now).unwrap();
    let own = url(&format!("http://localhost:{}", server.port()));
    let shows = |at| totp::code(&Secret::from(TOTP_SECRET), at).unwrap().code().to_owned();
    let account = Account::new("ABC12", "+910000000000", "654321", "dashboard", own).accepts_totp(shows);
    let login = url(server.url());
    server.with(|sim| *sim = NeoSim::new(login).account(account));
    server
}

fn bare(args: &str) -> Tool {
    VARIABLES.iter().fold(tool(args), |tool, name| {
        let name = format!("SANSESSION_{name}");
        tool.without(&format!("{name}_FILE")).without(&name)
    })
}

fn at_trade(args: &str, server: &Server<TradeApiSim>) -> Tool {
    bare(args)
        .arg("--url", format!("{}/apim", server.url()))
        .env("SANSESSION_USER", "NORM1")
        .env("SANSESSION_PASSWORD", PASSWORD)
        .env("SANSESSION_CODE", user().access_code(now()))
        .env("SANSESSION_CONSUMER_KEY", "key")
        .env("SANSESSION_CONSUMER_SECRET", "secret")
}

fn at_neo(args: &str, server: &Server<NeoSim>) -> Tool {
    bare(args)
        .at(server)
        .env("SANSESSION_ACCESS_TOKEN", "dashboard")
        .env("SANSESSION_UCC", "ABC12")
        .env("SANSESSION_MOBILE", "0000000000")
        .env("SANSESSION_TOTP_SECRET", TOTP_SECRET)
        .env("SANSESSION_PIN", "654321")
}

/// The reason is told by its code and in words.
#[track_caller]
fn closes(run: Run, exit: i32, reason: &str, words: &str) -> Run {
    let run = run.exits(exit);
    run.tells(&format!("closed: {reason}"));
    let last = run.json().last().unwrap()["text"].as_str().unwrap().to_owned();
    assert!(last.contains(words), "{words:?} is not in {last:?}");
    run
}

#[test]
fn both_live_from_login_to_logout() {
    let server = trade();
    let run = at_trade("kotak-trade --json", &server).runs().exits(0);
    for part in ["needs credentials: opening", "needs access-code: opening", "active", "closed: logged-out"] {
        run.tells(part);
    }
    let hosts = server.with(|sim| sim.log().requests().iter().map(|seen| seen.host.clone()).collect::<Vec<_>>());
    let (first, second) = (format!("127.0.0.1:{}", server.port()), format!("localhost:{}", server.port()));
    assert_eq!(hosts.iter().collect::<Vec<_>>(), [&first, &first, &second, &second, &second, &second]);
    assert_eq!(server.with(|sim| sim.open_sessions()), 0);

    let server = neo();
    let run = at_neo("kotak-neo --json", &server).runs();
    let run = closes(run, 0, "logged-out", "logged out");
    for part in ["needs totp: opening", "needs pin: opening", "active", "may-live-on"] {
        run.tells(part);
    }
    assert_eq!(server.with(|sim| sim.open_sessions(now())), 1, "nothing ends the token");
}

#[test]
fn every_variable_may_be_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, value: &str| {
        let path = directory.path().join(name);
        fs::write(&path, format!("{value}\n")).unwrap();
        path
    };
    let server = trade();
    let bearer = server.with(|sim| sim.issue_bearer(now()));
    let run = bare("kotak-trade --json")
        .arg("--url", format!("{}/apim", server.url()))
        .env("SANSESSION_USER_FILE", file("user", "NORM1"))
        .env("SANSESSION_PASSWORD_FILE", file("password", PASSWORD))
        .env("SANSESSION_CODE_FILE", file("code", &user().access_code(now())))
        .env("SANSESSION_CONSUMER_KEY_FILE", file("key", "key"))
        .env("SANSESSION_ACCESS_TOKEN_FILE", file("bearer", &bearer))
        .env("SANSESSION_IP_FILE", file("ip", "192.0.2.7"))
        .env("SANSESSION_APP_ID_FILE", file("app", "tests"))
        .runs();
    closes(run, 0, "logged-out", "").tells("needs gateway-token: opening");

    let server = neo();
    let run = bare("kotak-neo --json")
        .at(&server)
        .env("SANSESSION_ACCESS_TOKEN_FILE", file("dashboard", "dashboard"))
        .env("SANSESSION_UCC_FILE", file("ucc", "ABC12"))
        .env("SANSESSION_MOBILE_FILE", file("mobile", "+910000000000"))
        .env("SANSESSION_TOTP_SECRET_FILE", file("totp", TOTP_SECRET))
        .env("SANSESSION_PIN_FILE", file("pin", "654321"))
        .env("SANSESSION_IP_FILE", file("egress", "office"))
        .runs();
    closes(run, 0, "logged-out", "");
}

#[test]
fn a_refusal_exits_3_and_is_sent_once() {
    let server = trade();
    let run = at_trade("kotak-trade --json", &server).env("SANSESSION_PASSWORD", "hunter2").runs();
    closes(run, 3, "denied.credentials", "refused the credentials");
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Refused("password"))), 1);
    let wrong = if user().access_code(now()) == "0000" { "0001" } else { "0000" };
    let run = at_trade("kotak-trade --json", &server).env("SANSESSION_CODE", wrong).runs();
    closes(run, 3, "denied.access-code", "refused the access-code");
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Refused("access-code"))), 1);
    // The third bad try locks the account, which init tells.
    let run = at_trade("kotak-trade --json", &server).env("SANSESSION_PASSWORD", "hunter2").runs();
    closes(run, 3, "denied.credentials", "refused the credentials");
    let run = at_trade("kotak-trade --json", &server).runs();
    closes(run, 3, "denied.locked", "locked");
    let server = trade();
    let run = at_trade("kotak-trade --json", &server).env("SANSESSION_CONSUMER_SECRET", "wrong").runs();
    closes(run, 3, "denied.rejected", "invalid_client");

    let server = neo();
    // A code that nobody made is good for one try.
    let run = at_neo("kotak-neo --json", &server).without("SANSESSION_TOTP_SECRET");
    let run = run.env("SANSESSION_CODE", "000000").runs();
    closes(run, 3, "denied.totp", "refused the totp");
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Refused("totp"))), 1);
    let run = at_neo("kotak-neo --json", &server).env("SANSESSION_PIN", "111111").runs();
    closes(run, 3, "denied.pin", "refused the pin");
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Refused("mpin"))), 1);
    let server = neo();
    let run = at_neo("kotak-neo --json", &server).env("SANSESSION_UCC", "NOBODY").runs();
    closes(run, 3, "denied.rejected", "Invalid UCC");
    let run = at_neo("kotak-neo --json", &server).env("SANSESSION_ACCESS_TOKEN", "another").runs();
    assert_eq!(run.code, Some(3), "{run:#?}");
}

/// Three wrong MPINs, in however many processes, and nobody gets in any more.
#[test]
fn one_mpin_leaves_in_three_starts() {
    let server = neo();
    server.with(|sim| {
        sim.disturb(1, &Mishap::Slow(std::time::Duration::ZERO));
        sim.disturb(9, &Mishap::Dropped);
    });
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    for _ in 0..3 {
        let run = at_neo("kotak-neo --json", &server).arg("--save", &file).env("SANSESSION_PIN", "111111").runs();
        let run = closes(run, 4, "retries-exhausted", "the pin got no clear reply");
        assert!(!run.err.contains("refused an earlier"), "{run:#?}");
    }
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Refused("mpin"))), 1);
    assert_eq!(server.with(|sim| sim.log().count(Outcome::Accepted("login"))), 1, "no code is spent for nothing");
}

#[test]
fn a_foreign_host_exits_5_and_sees_nothing() {
    for host in
        ["http://192.0.2.1/apim", "https://evilkotaksecurities.com/apim", "https://tradeapi.kotaksecurities.com"]
    {
        let server = trade();
        server.with(|sim| sim.set_redirect(Some(host.to_owned())));
        let run = at_trade("kotak-trade --json", &server).runs();
        let run = closes(run, 5, "protocol", host);
        assert!(!run.story().iter().any(|line| line.contains("/login/")), "{run:#?}");
        server.with(|sim| {
            assert_eq!(sim.log().leaks().count(), 0);
            assert!(sim.log().requests().iter().all(|seen| !seen.foreign));
        });

        let server = neo();
        server.with(|sim| sim.set_base_url(Some(host.to_owned())));
        let run = at_neo("kotak-neo --json", &server).runs();
        closes(run, 5, "protocol", host).tells("may-live-on");
        assert_eq!(asked(&server).len(), 2);
    }
}

#[test]
fn an_outage_exits_4() {
    for status in [StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT] {
        let server = trade();
        server.with(|sim| sim.set_outage(Some(status)));
        let run = at_trade("kotak-trade --json --patience 3", &server).runs();
        closes(run, 4, "retries-exhausted", "gave up");
    }
    let server = neo();
    server.with(|sim| sim.set_outage(Some(StatusCode::SERVICE_UNAVAILABLE)));
    let run = at_neo("kotak-neo --json --patience 3", &server).runs();
    closes(run, 4, "retries-exhausted", "gave up");
}

#[test]
fn a_saved_session_goes_on_in_another_process_without_a_login() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let server = trade();
    let run = |more: &str| at_trade(more, &server).arg("--save", &file);
    run("kotak-trade --json --for 0.2").runs().exits(0).tells("left");
    let second = run("kotak-trade --json --for 0.2").arg("--resume", &file).runs().exits(0);
    second.tells("kept-alive");
    assert!(!second.story().iter().any(|line| line.contains("login") || line.starts_with("needs")), "{second:#?}");
    let third = run("kotak-trade --json").arg("--resume", &file).runs();
    closes(third, 0, "logged-out", "");
    assert_eq!(server.with(|sim| (sim.log().count(Outcome::Accepted("login")), sim.open_sessions())), (1, 0));

    let file = directory.path().join("neo.json");
    let server = neo();
    let run = |more: &str| at_neo(more, &server).arg("--save", &file).env("SANSESSION_IP", "office");
    run("kotak-neo --json --for 0.2").runs().exits(0).tells("left");
    let second = run("kotak-neo --json --for 0.2").arg("--resume", &file).runs().exits(0);
    second.tells("kept-alive");
    assert!(!second.story().iter().any(|line| line.contains("tradeApi") || line.starts_with("needs")), "{second:#?}");
    // Its orders are taken from the address of the login only.
    let moved = run("kotak-neo --json").arg("--resume", &file).env("SANSESSION_IP", "home").runs().exits(64);
    assert!(moved.err.contains("another way out"), "{moved:#?}");
}

#[test]
fn a_stale_one_time_token_is_answered_from_the_environment() {
    let server = trade();
    server.with(|sim| {
        // The bearer, both inits and the password pass.
        sim.disturb(4, &Mishap::Slow(std::time::Duration::ZERO));
        sim.disturb(1, &Mishap::json(StatusCode::UNAUTHORIZED, STALE));
    });
    let run = at_trade("kotak-trade --json", &server).runs();
    let run = closes(run, 0, "logged-out", "");
    run.tells("needs credentials: stale");
    run.tells("needs access-code: stale");
    assert!(!run.story().contains(&"refused".to_owned()));
}

#[test]
fn tokens_of_another_program_are_looked_at_first() {
    let server = trade();
    let bearer = server.with(|sim| sim.issue_bearer(now()));
    let run = at_trade("kotak-trade --json", &server)
        .env("SANSESSION_TOKEN", "00000000000000000000000000000000")
        .env("SANSESSION_ACCESS_TOKEN", bearer)
        .runs();
    closes(run, 6, "expired", "ended at the server");
}

#[test]
fn what_is_missing_is_named_before_anything_is_sent() {
    let (server, neo) = (trade(), neo());
    for (name, tool) in [
        ("SANSESSION_USER", at_trade("kotak-trade", &server)),
        ("SANSESSION_PASSWORD", at_trade("kotak-trade", &server)),
        ("SANSESSION_CODE", at_trade("kotak-trade", &server)),
        ("SANSESSION_CONSUMER_KEY", at_trade("kotak-trade", &server)),
        ("SANSESSION_UCC", at_neo("kotak-neo", &neo)),
        ("SANSESSION_MOBILE", at_neo("kotak-neo", &neo)),
        ("SANSESSION_TOTP_SECRET", at_neo("kotak-neo", &neo)),
        ("SANSESSION_PIN", at_neo("kotak-neo", &neo)),
        ("SANSESSION_ACCESS_TOKEN", at_neo("kotak-neo", &neo)),
    ] {
        let run = tool.without(name).runs().exits(64);
        assert!(run.err.contains(name), "{name}: {run:#?}");
    }
    let run = at_trade("kotak-trade", &server).without("SANSESSION_CONSUMER_SECRET").runs().exits(64);
    assert!(run.err.contains("SANSESSION_ACCESS_TOKEN"), "{run:#?}");
    let run = at_neo("kotak-neo", &neo).env("SANSESSION_TOTP_SECRET", "0189").runs().exits(64);
    assert!(run.err.contains("SANSESSION_TOTP_SECRET"), "{run:#?}");
    assert!(asked(&server).is_empty() && asked(&neo).is_empty());
}

#[test]
fn the_help_names_every_variable() {
    let run = bare("--help").runs().exits(0);
    let text = run.lines.join("\n");
    for name in VARIABLES {
        assert!(text.contains(&format!("SANSESSION_{name} ")), "{name}");
    }
}

/// What `--serve` prints is all that another terminal needs.
#[test]
fn a_served_simulator_tells_its_users_and_codes() {
    for (provider, last) in [("kotak-trade", "second host"), ("kotak-neo", "other calls")] {
        let mut serving = bare("").arg("--serve", provider).starts();
        let address = serving.says(&["simulator at"]);
        serving.says(&[last]);
        let words: Vec<_> = serving.lines.iter().flat_map(|line| line.split([' ', ','])).collect();
        let after = |word: &str| {
            let at = words.iter().position(|found| *found == word);
            at.and_then(|at| words.get(at + 1)).copied().unwrap_or_default()
        };
        let mut run = bare(provider).arg("--url", address.rsplit(' ').next().unwrap()).arg("--patience", "20");
        for line in serving.lines.iter().filter(|line| line.starts_with("SANSESSION_")) {
            let (name, value) = line.split(' ').next().unwrap().split_once('=').unwrap();
            run = run.env(name, value);
        }
        if provider == "kotak-trade" {
            run = run.env("SANSESSION_USER", after("user")).env("SANSESSION_PASSWORD", after("password"));
            run = run.env("SANSESSION_CODE", after("today"));
        }
        run.runs().exits(0);
    }
}

/// The server compares the number as text, so every way to write it must become the one that it knows.
#[test]
fn a_number_may_be_written_as_people_do() {
    for number in ["+91 00000 00000", "910000000000", "00000-00000", "0 0000000000"] {
        let server = neo();
        at_neo("kotak-neo --json", &server).env("SANSESSION_MOBILE", number).runs().exits(0);
    }
}
