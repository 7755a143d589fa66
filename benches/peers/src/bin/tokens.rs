//! An OAuth token asked for and taken, beside tame-oauth, which does no I/O either: the request is built and
//! the answer is read, and nothing is sent.
//!
//! Both sides read the same answer. `refresh` sends a refresh token, with nothing to sign. `signed` signs an
//! assertion with one RSA key of 3072 bits, which is nearly all that it costs: what stands side by side there
//! is the `rsa` crate and ring. `openssl` makes the key.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

#[path = "../../../support/mod.rs"]
mod support;

use std::process::Command;

use http::Response;
use sansession::provider::Entropy;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth2::{self, Bearer};
use sansession::providers::kotak::wire::gateway;
use sansession::{BaseUrl, Secret, Timestamp, wire};
use support::{Row, pair};
use tame_oauth::gcp::end_user::{EndUserCredentialsInfo, EndUserCredentialsInner};
use tame_oauth::gcp::service_account::{ServiceAccountInfo, ServiceAccountProviderInner};
use tame_oauth::gcp::{TokenOrRequest, TokenProvider};

const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
const ANSWER: &str = r#"{"access_token":"0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef","scope":"default","token_type":"Bearer","expires_in":3600}"#;
const CLIENT: &str = "client@example.org";
const TOKEN: &str = "fedcba9876543210fedcba9876543210";
const SCOPES: [&str; 1] = ["sso-sessions.write"];

fn main() {
    let mut rows = vec![refresh()];
    match key() {
        Some(pem) => rows.push(signed(&pem)),
        None => eprintln!("`signed` is left out: openssl made no key"),
    }
    println!("| one token | sansession, ns | tame-oauth, ns | ratio | allocations |");
    println!("|---|---:|---:|---:|---:|");
    for Row { name, ratio, ours, floor, allocations: (own, theirs) } in rows {
        println!("| {name} | {ours:.0} | {floor:.0} | {ratio:.2} | {own} / {theirs} |");
    }
}

/// Kotak's `token` beside Google's, both with a refresh token.
fn refresh() -> Row {
    let base = BaseUrl::parse("https://gateway.example.org/apim").unwrap();
    let (key, secret, token) = (Secret::from(CLIENT), Secret::from("client secret"), Secret::from(TOKEN));
    let ours = || {
        let client = gateway::Client { base: &base, consumer_key: &key, consumer_secret: &secret };
        let request = client.token_by_refresh(&token).unwrap();
        let response = Response::new(ANSWER);
        let answer: gateway::Token<'_> = wire::json(response.body().as_bytes()).unwrap();
        (request, answer.access_token.unwrap(), answer.expires_in)
    };
    let provider = EndUserCredentialsInner::new(EndUserCredentialsInfo {
        client_id: CLIENT.into(),
        client_secret: "client secret".into(),
        refresh_token: TOKEN.into(),
        client_type: "authorized_user".into(),
    });
    pair("refresh: a form, no signature", ours, || taken(&provider))
}

/// IBKR's OAuth 2.0 beside a service account of Google's, both with an assertion.
fn signed(pem: &str) -> Row {
    let root = BaseUrl::parse("https://api.example.org").unwrap();
    let key = PrivateKey::from_pem(pem).unwrap();
    let client = oauth2::Client::new(CLIENT, "main").unwrap();
    let mut counter = 0;
    let ours = || {
        counter += 1;
        let entropy = Entropy { key: &[7; 24], epoch: 1, counter };
        let assertion = client.assertion(NOW).sign(&key, entropy).unwrap();
        let request = oauth2::token_request(&root, &assertion).unwrap();
        let response = Response::new(ANSWER);
        (request, Bearer::read((&response).into(), NOW).unwrap())
    };
    let info = ServiceAccountInfo {
        private_key: pem.to_owned(),
        client_email: CLIENT.into(),
        token_uri: "https://api.example.org/oauth2/api/v1/token".into(),
    };
    let provider = ServiceAccountProviderInner::new(info).unwrap();
    pair("signed: an assertion, RSA of 3072 bits", ours, || taken(&provider))
}

/// One token by tame-oauth, without its cache.
fn taken(provider: &impl TokenProvider) -> (http::Request<Vec<u8>>, tame_oauth::Token) {
    let Ok(TokenOrRequest::Request { request, scope_hash, .. }) = provider.get_token(&SCOPES) else {
        panic!("there is no cache to take it from")
    };
    (request, provider.parse_token_response(scope_hash, Response::new(ANSWER)).unwrap())
}

/// Creates a key for this run.
fn key() -> Option<String> {
    let arguments = ["genpkey", "-quiet", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"];
    let made = Command::new("openssl").args(arguments).output().ok()?;
    String::from_utf8(made.stdout).ok().filter(|pem| pem.contains("PRIVATE KEY"))
}
