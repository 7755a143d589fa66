//! Providers as a stranger writes them from the guide: each is one file of at most 250 lines, beside a server of its own, and
//! keeps the laws.

mod consent;
mod cookies;
mod device;
mod pin_code;

use std::fs;
use std::path::Path;
use std::time::Duration;

use sansession::providers::oauth2::wire::{Client, Endpoint};
use sansession::testing::Laws;
use sansession::{BaseUrl, Timestamp, provider::Zone};

#[test]
fn a_pin_and_a_code_in_one_request_keep_the_laws() {
    let make = || pin_code::Broker {
        base: BaseUrl::parse("https://broker.example.org").unwrap(),
        client: "C1".into(),
        key: "key-1".into(),
    };
    let six = Zone::INDIA.next(Timestamp::from_secs(1_790_000_000), 6, 0);
    Laws::new(make)
        .simulator(pin_code::Server::default)
        .starts(six)
        .lasts(Duration::from_secs(22 * 3600))
        .path("/orders")
        .cases(16)
        .check();
}

#[test]
fn a_device_challenge_that_wants_the_password_twice_keeps_the_laws() {
    let base = BaseUrl::parse("https://broker.example.org").unwrap();
    Laws::new(move || device::Broker(base.clone()))
        .simulator(device::Server::default)
        .path("/positions")
        .cases(16)
        .check();
}

#[test]
fn cookies_with_a_csrf_token_keep_the_laws() {
    let base = BaseUrl::parse("https://site.example.org").unwrap();
    Laws::new(move || cookies::Site(base.clone()))
        .simulator(cookies::Server::default)
        .lasts(Duration::from_secs(26 * 3600))
        .path("/notes")
        .cases(16)
        .check();
}

#[test]
fn oauth_with_a_weekly_consent_keeps_the_laws() {
    let at = |path: &str| Endpoint::parse(&format!("https://app.example.org{path}")).unwrap();
    let make = move || consent::App {
        api: BaseUrl::parse("https://app.example.org").unwrap(),
        authorize: at("/authorize"),
        token: at("/token"),
        revoke: at("/revoke"),
        client: Client::public("client-1").unwrap(),
        redirect_uri: "http://localhost/back".into(),
    };
    Laws::new(make)
        .simulator(consent::Server::default)
        .lasts(Duration::from_secs(9 * 24 * 3600))
        .path("/orders")
        .cases(16)
        .check();
}

#[test]
fn none_is_longer_than_250_lines() {
    for name in ["consent", "cookies", "device", "pin_code"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/proofs/foreign/{name}/mod.rs"));
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= 250, "{}: {lines} lines", path.display());
    }
}
