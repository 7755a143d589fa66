//! Snapshots that an earlier version wrote: every later version resumes them. The files are never
//! rewritten; `cargo test --test providers ibkr_direct -- --ignored` writes those that are missing.
//!
//! The keys are thrown away after each run, so the fingerprint of the present one is put into the text.

use http::HeaderValue;
use sansession::providers::ibkr::OAuth2;
use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::oauth1a::{AccessTokenSecret, Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::{Machine, Options, Output, Phase, Seed, Session, Snapshot};

use crate::ibkr_direct::keys::institution_keys;
use crate::ibkr_direct::*;
use crate::support::golden::{load, write_missing};

const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;

/// The token of IBKR's worked example.
const LIVE: &str = "YBWbLw+9RYP2nWrPQHxHZkBb1aM=";

/// What stands for the key's fingerprint in the files.
const KEY: &str = "00000000000000000000000000000000";

fn fingerprint(name: &str) -> String {
    let keys = if name.starts_with("ibkr-oauth2") { institution_keys() } else { client_keys() };
    key(&keys.signature).fingerprint().to_owned()
}

fn provider(name: &str) -> WebApi {
    if name.starts_with("ibkr-oauth2") {
        let client = Client::new("client-1", "main").unwrap();
        let signature = key(&institution_keys().signature);
        let oauth = OAuth2::new(client, signature, "tester", IpAddr::from([127, 0, 0, 1])).unwrap();
        return WebApi::new(&base(), oauth).unwrap();
    }
    let secret = || AccessTokenSecret::new(vec![7; 32].into()).unwrap();
    let grant = Grant::decrypted("golden-access-token", &secret()).unwrap();
    let params = DhParams::from_pem(&client_keys().dh_params).unwrap();
    let signature = key(&client_keys().signature);
    let oauth = OAuth1a::with_secret(Consumer::new(CONSUMER).unwrap(), &grant, secret(), signature, params);
    WebApi::new(&base(), oauth).unwrap()
}

fn resume(name: &str) -> Session<WebApi> {
    let snapshot = Snapshot::from_text(load(name).expose_secrets().replace(KEY, &fingerprint(name)));
    Session::resume(provider(name), &snapshot, Options::default(), None, Seed::new([9; 32]), START + HOUR).unwrap()
}

/// What a resumed session does first.
fn first(session: &mut Session<WebApi>) -> http::Request<Vec<u8>> {
    let mut now = START + HOUR;
    loop {
        match session.poll(now) {
            Output::Send(outgoing) => return outgoing.into_request(),
            Output::Wait { until, .. } => now = until,
            Output::Closed(reason) => panic!("{reason}"),
            _ => {}
        }
    }
}

#[test]
fn what_was_written_is_resumed() {
    for (name, phase, path) in [
        ("ibkr-oauth1a-active", Phase::Active, "/v1/api/tickle"),
        ("ibkr-oauth1a-opening", Phase::Opening, "/v1/api/oauth/live_session_token"),
        ("ibkr-oauth2-active", Phase::Active, "/v1/api/tickle"),
    ] {
        let mut session = resume(name);
        assert_eq!(session.phase(), phase, "{name}");
        assert_eq!(first(&mut session).uri().path(), path, "{name}");
    }
}

#[test]
fn the_tokens_are_those_that_were_written() {
    let mut session = resume("ibkr-oauth2-active");
    assert_eq!(first(&mut session).headers()["authorization"], HeaderValue::from_static("Bearer golden-bearer"));
    assert!(resume("ibkr-oauth1a-active").snapshot().expose_secrets().contains(LIVE));
}

#[test]
#[ignore = "writes the files that are missing"]
fn writes_what_is_missing() {
    let write = |name: &str, session: &Session<WebApi>| {
        write_missing(name, || session.snapshot().expose_secrets().replace(&fingerprint(name), KEY));
    };
    let active = |name: &str, token: WebApiToken| {
        let session = Session::adopt(provider(name), token, Options::default(), seed()).unwrap();
        write(
            name,
            &crate::support::Script::new(session).starts().sends(STATUS).gets(200, READY).is(Phase::Active).machine,
        );
    };
    active("ibkr-oauth1a-active", WebApiToken::Live(LiveSessionToken::from_base64(LIVE, START + DAY).unwrap()));
    active("ibkr-oauth2-active", WebApiToken::Bearer(Bearer::new("golden-bearer", None).unwrap()));
    let opening = Session::new(provider("ibkr-oauth1a"), Options::default(), seed());
    write("ibkr-oauth1a-opening", &crate::support::Script::new(opening).starts().sends(TOKEN).machine);
}
