//! The gateway of IBKR: a person in a browser, a rival, a certificate of its own making.

use std::time::Duration;

use sansession::drive::{Pin, now};
use sansession::providers::ibkr::Region;
use sansession::sim::ibkr::{GatewaySim, Happening, Lever, Login, Person, RateLimits, Rival, Settings};
use sansession::sim::{Certificate, Server};

use crate::process::{Tool, asked, tool};

const STATUS: &str = "-> POST /v1/api/iserver/auth/status";
const INIT: &str = "-> POST /v1/api/iserver/auth/ssodh/init";
const TICKLE: &str = "-> POST /v1/api/tickle";
const LOGOUT: &str = "-> POST /v1/api/logout";

/// A gateway at which the person is logged in already, and nothing is opened by itself.
fn gateway(settings: Settings) -> Server<GatewaySim> {
    let mut gateway = GatewaySim::new(Settings {
        login: Login::Never,
        maintenance: None,
        limits: RateLimits::Documented,
        ..settings
    });
    gateway.pull(now(), Lever::LogIn(Person::default()));
    Server::start_tls(Certificate::NoNames, gateway, now).unwrap()
}

fn closed() -> Settings {
    Settings { opens_itself: false, establish: Duration::from_millis(500), ..Settings::default() }
}

fn pin(server: &Server<GatewaySim>) -> String {
    Pin::of(server.certificate_der().unwrap()).to_string()
}

fn run(args: &str, server: &Server<GatewaySim>) -> Tool {
    tool(args).arg("--pin", pin(server)).arg("--url", format!("{}/v1/api", server.url()))
}

/// Reports whether these lines are there, in this order, whatever lies between them.
#[track_caller]
fn is_told_in_order(story: &[String], lines: &[&str]) {
    let mut rest = story.iter();
    for line in lines {
        assert!(rest.any(|told| told == line), "{line:?} is not in its place in {story:#?}");
    }
}

#[test]
fn the_embedded_life_shows_browser_established_tickles_and_logout() {
    let run = tool("ibkr-gateway --json --for 3 --keepalive 1.1").runs().exits(0);
    let story = run.story();
    is_told_in_order(
        &story,
        &["opening", STATUS, "<- 401", "needs browser: opening", STATUS, "<- 200", "settings-lost", "active"],
    );
    is_told_in_order(
        &story,
        &["active", TICKLE, "<- 200", "kept-alive", TICKLE, LOGOUT, "<- 200", "closed: logged-out"],
    );
    let need = run.json().into_iter().find(|line| line["event"] == "need").unwrap();
    let url = need["url"].as_str().unwrap();
    assert!(url.starts_with("https://127.0.0.1:") && url.contains("/sso/Login"), "{url}");
    assert!(story.iter().all(|line| !line.contains("validate")), "{story:#?}");
}

#[test]
fn a_login_that_was_found_living_is_left_alone_unless_it_is_to_be_ended() {
    let server = gateway(Settings::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let there = || server.with(|gateway| gateway.person().is_some());
    for args in ["ibkr-gateway --json", "ibkr-gateway --json --logout never"] {
        let left = run(args, &server).arg("--save", &file).exec("true").runs().exits(0);
        assert!(left.err.contains(r#""event":"left""#), "{left:#?}");
        assert!(there() && asked(&server).iter().all(|call| !call.ends_with("logout")), "{args}");
    }
    let resumed = run("ibkr-gateway --json", &server).arg("--resume", &file).runs().exits(0);
    assert_eq!(resumed.story().last().unwrap(), "left");
    run("ibkr-gateway --json --logout always", &server).runs().exits(0).tells("closed: logged-out");
    assert!(!there());
}

#[test]
fn an_init_is_followed_by_being_established() {
    let server = gateway(closed());
    let run = run("ibkr-gateway --json --for 2 --logout always", &server).runs().exits(0);
    let story = run.story();
    is_told_in_order(
        &story,
        &[STATUS, INIT, "<- 200", STATUS, "active", TICKLE, "kept-alive", LOGOUT, "closed: logged-out"],
    );
    assert!(server.with(|gateway| gateway.person().is_none()));
}

#[test]
fn a_rival_is_never_thrown_out_unless_that_is_wanted() {
    let server = gateway(closed());
    server.with(|gateway| gateway.pull(now(), Lever::RivalTakes(Rival::default())));
    for args in ["ibkr-gateway --json", "ibkr-gateway --json --compete never"] {
        let run = run(args, &server).runs().exits(7);
        is_told_in_order(&run.story(), &[STATUS, INIT, "<- 200", "rival", "closed: rival"]);
    }
    assert_eq!(server.with(|gateway| gateway.count(|what| *what == Happening::TookOver)), 0);
    run("ibkr-gateway --json --compete always", &server).runs().exits(0).tells("active");
    assert_eq!(server.with(|gateway| gateway.count(|what| *what == Happening::TookOver)), 1);
}

#[test]
fn who_waits_for_a_rival_waits_no_longer_than_the_patience() {
    let server = gateway(closed());
    server.with(|gateway| gateway.pull(now(), Lever::RivalTakes(Rival::default())));
    let run = run("ibkr-gateway --json --compete wait --patience 2", &server).runs().exits(4);
    run.tells("rival");
    run.tells("closed: retries-exhausted");
    assert!(asked(&server).iter().all(|call| !call.ends_with("logout")));
}

#[test]
fn a_wrong_pin_shows_the_fingerprint_that_was_seen() {
    let server = gateway(Settings::default());
    let url = format!("{}/v1/api", server.url());
    let run = tool("ibkr-gateway --json --patience 1").arg("--url", url).arg("--pin", "00".repeat(32)).runs().exits(4);
    let failure = run.json().into_iter().find(|line| line["event"] == "failure").unwrap();
    assert!(failure["text"].as_str().unwrap().contains(&pin(&server)), "{run:#?}");
    assert_eq!((failure["kind"].as_str(), failure["delivery"].as_str()), (Some("tls"), Some("NotSent")));
    assert!(server.log().is_empty());
}

#[test]
fn the_certificate_may_come_as_a_file() {
    let server = gateway(Settings::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("gateway.pem");
    std::fs::write(&file, server.certificate_pem().unwrap()).unwrap();
    let url = format!("{}/v1/api", server.url());
    tool("ibkr-gateway --json").arg("--url", url).arg("--ca-file", &file).runs().exits(0).tells("active");
}

#[test]
fn every_region_is_known_and_no_other() {
    for region in Region::ALL {
        let server = gateway(Settings::default());
        run("ibkr-gateway --json", &server).arg("--region", region.code()).runs().exits(0);
    }
    let run = tool("ibkr-gateway --region london").runs().exits(64);
    assert!(run.err.contains("london") && run.err.contains("hong-kong"), "{run:#?}");
}

#[test]
fn the_older_alias_is_served_too() {
    let server = gateway(Settings::default());
    let url = format!("{}/v1/portal", server.url());
    let run = tool("ibkr-gateway --json").arg("--pin", pin(&server)).arg("--url", url).runs().exits(0);
    run.tells("-> POST /v1/portal/iserver/auth/status");
}

/// Another account than the expected one gets no call of anybody, and its login stays what it is.
#[test]
fn another_account_than_the_expected_one_is_not_used() {
    let person = |user: &str, paper| Person { user: user.into(), paper };
    let server = gateway(closed());
    server.with(|gateway| gateway.pull(now(), Lever::LogIn(person("norm", true))));
    for expect in ["--expect live", "--expect-user morn", "--expect live --expect-user norm"] {
        let run = run(&format!("ibkr-gateway --json {expect} --exec true"), &server).runs().exits(3);
        assert!(run.err.contains("denied.wrong-account"), "{run:#?}");
        assert!(run.err.contains("--expect") && run.err.contains("nothing was done with it"), "{run:#?}");
        assert!(!run.err.contains(r#""event":"started""#), "{run:#?}");
    }
    assert!(asked(&server).iter().all(|call| !call.ends_with("/init") && !call.ends_with("/logout")));
    assert!(server.with(|gateway| gateway.person().is_some()));
    server.with(|gateway| gateway.pull(now(), Lever::LogIn(person("norm", true))));
    run("ibkr-gateway --json --expect paper --expect-user NORM", &server).runs().exits(0).tells("active");
}

/// A file that was saved without an expectation, or with another one.
#[test]
fn a_saved_session_of_another_account_is_not_used_either() {
    let server = gateway(closed());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let saves = run("ibkr-gateway --json --expect paper --for 1", &server).arg("--save", &file).runs().exits(0);
    saves.tells("left");
    let file = |args: &str| run(args, &server).arg("--resume", &file);
    let other = file("ibkr-gateway --json --expect live").runs().exits(3);
    other.tells("closed: denied.wrong-account");
    let named = file("ibkr-gateway --json --expect-user morn").runs().exits(64);
    assert!(named.err.contains("another account"), "{named:#?}");
}

#[test]
fn a_direct_session_has_expectations_too() {
    tool("ibkr-oauth1a --json --expect paper").runs().exits(0).tells("active");
    let run = tool("ibkr-oauth2 --json --expect live").runs().exits(3);
    run.tells("closed: denied.wrong-account");
    assert!(run.err.contains("--expect") && run.err.contains("keys"), "{run:#?}");
}

#[test]
fn a_saved_session_is_taken_up_without_a_browser() {
    let server = gateway(Settings::default());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("session.json");
    let first = run("ibkr-gateway --json --for 0.5", &server).arg("--save", &file).runs().exits(0);
    first.tells("left");
    let next = run("ibkr-gateway --json", &server).arg("--resume", &file).runs().exits(0);
    assert!(next.story().iter().all(|line| !line.starts_with("needs")), "{next:#?}");
    next.tells("left");
}

/// Two runs within a minute, with nothing remembered between them, stay within the rate limits.
#[test]
fn a_program_that_is_started_again_and_again_is_not_punished() {
    let server = gateway(Settings::default());
    for _ in 0..3 {
        run("ibkr-gateway --json --for 1.3", &server).runs().exits(0).tells("kept-alive");
        server.with(|gateway| gateway.pull(now(), Lever::LogIn(Person::default())));
    }
    assert_eq!(server.with(|gateway| gateway.count(|what| *what == Happening::Boxed)), 0);
}
