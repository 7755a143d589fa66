//! How a client proves who it is, each way before a server that checks it.

use http::Method;
use sansession::providers::ibkr::keys::{PrivateKey, PublicKey};
use sansession::providers::oauth2::{ClientOf, Described, Grant, OAuth2};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::sim::oauth2::{Client, Outcome};
use sansession::{Input, Machine, NeedKind, Phase, SecretBytes, Source};
use sha2::{Digest, Sha256};

use super::{BACK, DAY, HOUR, Life, MINUTE, Shared, life, lives, open_need, provider, server, works};

/// A secret that is another text once it is form-encoded.
const SECRET: &str = "s:c%r +t";

fn machine(client: ClientOf) -> OAuth2 {
    provider(Grant::ClientCredentials, client)
}

#[test]
fn basic_is_form_encoded_or_raw_as_the_server_wants_it() {
    for (raw_server, raw_client) in [(false, false), (true, true), (false, true), (true, false)] {
        let server = server();
        server.get().settings.basic_raw = raw_server;
        let client = if raw_client { ClientOf::basic_raw("daemon", SECRET) } else { ClientOf::basic("daemon", SECRET) };
        let mut life = life(&server, machine(client));
        lives(&mut life, HOUR);
        if raw_server == raw_client {
            assert!(works(&mut life), "raw {raw_server}\n{}", life.transcript);
            assert_eq!(server.get().count(Outcome::ClientRefused), 0);
        } else {
            let code = life.closed.as_ref().map(|reason| reason.code());
            assert_eq!(code, Some("denied.rejected"), "raw {raw_server}\n{}", life.transcript);
        }
    }
}

/// A server that holds the assertions of `signer` against a key.
fn with_key(key: &PrivateKey) -> Shared {
    let (server, key) = (server(), PublicKey::from_pem(&key.public_pem().unwrap()).unwrap());
    let verifies = move |text: &[u8], signature: &[u8]| key.verifies(&Sha256::digest(text).into(), signature);
    server.get().add_client(Client::jwt("signer", verifies).redirect(BACK));
    server
}

fn key() -> PrivateKey {
    PrivateKey::from_pem(Keys::generate([5; 32], 2_048).unwrap().signature.expose()).unwrap()
}

#[test]
fn an_assertion_is_signed_anew_for_every_request() {
    let key = key();
    let server = with_key(&key);
    let mut life = life(&server, machine(ClientOf::jwt_signed("signer", Some("k-1"), key)));
    assert_eq!(lives(&mut life, DAY), 0, "{}", life.transcript);
    assert!(works(&mut life), "{}", life.transcript);
    // A server takes each once, and none was refused.
    assert!(server.get().count(Outcome::Granted) > 140);
    assert_eq!(server.get().count(Outcome::ClientRefused), 0);
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
}

#[test]
fn another_key_is_the_configurations_fault_and_is_tried_once() {
    let other = PrivateKey::from_pem(Keys::generate([6; 32], 2_048).unwrap().signature.expose()).unwrap();
    let server = with_key(&key());
    let mut life = life(&server, machine(ClientOf::jwt_signed("signer", None, other)));
    assert_eq!(life.runs_to_end().code(), "denied.rejected", "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::ClientRefused), 1);
}

/// Signs what is asked for, so long as something is.
fn signs(life: &mut Life, key: &PrivateKey) {
    while let Some(need) = open_need(&life.machine).filter(|need| need.kind == NeedKind::Signature) {
        let about = need.message.as_ref().expect("there is something to sign");
        let digest: [u8; 32] = about.as_bytes().try_into().unwrap();
        let entropy = sansession::provider::Entropy { key: &[7; 24], epoch: 1, counter: 0 };
        let signature = Input::Signature(SecretBytes::new(key.sign(&digest, entropy).unwrap()));
        let _ = life.machine.handle_input(life.now, need.id, signature, Source::Store);
        life.runs_for(MINUTE / 60);
    }
}

#[test]
fn a_key_that_is_elsewhere_is_asked_for_each_signature() {
    let key = key();
    let server = with_key(&key);
    let mut life = life(&server, machine(ClientOf::jwt("signer", Some("k-1"))));
    life.runs_for(MINUTE / 60);
    signs(&mut life, &key);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    for _ in 0..12 {
        life.runs_to(life.now + HOUR, |life| open_need(&life.machine).is_some());
        assert!(works(&mut life), "calls go on meanwhile\n{}", life.transcript);
        signs(&mut life, &key);
    }
    assert!(server.get().count(Outcome::Granted) >= 12, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::ClientRefused), 0);
}

#[test]
fn what_a_client_says_of_itself_is_registered() {
    let server = server();
    let described = Described::new("a bot").field("software_id", "bot-1").field("application_type", "native");
    let mut life = life(&server, provider(Grant::Code { redirect: BACK.into() }, ClientOf::register(described)));
    life.runs_for(MINUTE / 60);
    assert!(life.sent.iter().any(|line| line == "POST /register"), "{:?}", life.sent);
    assert_eq!(lives(&mut life, MINUTE), 1);
    assert!(works(&mut life), "{}", life.transcript);
    // One whose registration is another one than it asked for does not go on with it.
    for body in [
        r#"{"client_id":"c","token_endpoint_auth_method":"client_secret_basic","client_secret":"s"}"#,
        r#"{"client_id":"c","redirect_uris":["https://elsewhere.example.org/"]}"#,
        r#"{"client_id":"c","grant_types":["authorization_code"]}"#,
    ] {
        let server = super::server();
        let answer = http::Response::builder().status(201).header("content-type", "application/json");
        let answer = sansession::sim::Mishap::Instead(Box::new(answer.body(body.as_bytes().to_vec()).unwrap()));
        server.get().disturb_calls(Method::POST, "/register", 1, &answer);
        let code = Grant::Code { redirect: BACK.into() };
        let mut life = super::life(&server, provider(code, ClientOf::register("a bot")));
        assert_eq!(life.runs_to_end().code(), "denied.rejected", "{body}\n{}", life.transcript);
    }
}
