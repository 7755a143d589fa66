//! OAuth 2 at any server: codes, verifiers, secrets of clients, device codes, tokens and keys.

use http::Request;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::oauth2::wire::Endpoint;
use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2, Server};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::testing::{Sample, Walk};
use sansession::{Input, Machine, Need, NeedKind, Options, Output, Secret, Session, Timestamp};

use super::keeps_to_itself;

const BACK: &str = "http://127.0.0.1:8400/callback";
const CODE: &str = "c0de-8642aZbYcXdWeV0987654321";
const CLIENT_SECRET: &str = "cl1ent:secret+of/2468%9753";
const ACCESS: &str = "acc3ss-1357QpWoEiRuTy0123456789";
const REFRESH: &str = "r3fresh-aLsKdJfHgZmXnCbV99887766";
const DEVICE: &str = "d3vice-MnBvCxZlKjHgFdSa11223344";
const IGNORED: &[&str] = &[
    "attempt", "url", "paces", "relogins", "doubted", "tried", "sent", "interval", "steady", "repeats", "former",
    "lost", "check_at", "renewal",
];

fn good(request: &Request<Vec<u8>>) -> Vec<Sample> {
    let body = match request.uri().path() {
        "/token" => format!(
            r#"{{"access_token":"{ACCESS}","token_type":"Bearer","expires_in":600,"refresh_token":"{REFRESH}","scope":"read"}}"#
        ),
        "/device" => format!(
            r#"{{"device_code":"{DEVICE}","user_code":"ABCD-EFGH","verification_uri":"https://login.example.org/activate"}}"#
        ),
        "/register" => format!(
            r#"{{"client_id":"client-1","client_secret":"{CLIENT_SECRET}","token_endpoint_auth_method":"client_secret_basic"}}"#
        ),
        _ => "{}".to_owned(),
    };
    vec![Sample::json(200, body)]
}

fn answers(need: &Need, _: Timestamp) -> Vec<(&'static str, Input)> {
    let answer = match need.kind {
        NeedKind::Redirect => {
            let url = need.url.as_deref().unwrap_or_default();
            let state = url.split_once("state=").and_then(|(_, rest)| rest.split('&').next()).unwrap_or_default();
            Input::Redirect(Secret::new(format!("{BACK}?code={CODE}&state={state}")))
        }
        NeedKind::Browser => Input::Done,
        NeedKind::GatewayToken => Input::Token(REFRESH.into()),
        _ => return vec![],
    };
    vec![("answer", answer)]
}

fn of(grant: Grant, client: ClientOf) -> OAuth2 {
    let at = |path: &str| Endpoint::parse(&format!("https://login.example.org/{path}")).unwrap();
    let server = Server::endpoints("https://login.example.org/token").unwrap();
    let server = server.authorization(at("authorize")).device(at("device"));
    let server = server.revocation(at("revoke")).registration(at("register"));
    OAuth2::new(server, grant, client).scopes("read", "")
}

fn walk(make: impl Fn() -> OAuth2 + 'static) -> Walk<OAuth2> {
    Walk::new(make).answers_to(answers).path("/api/quotes").ignoring(IGNORED)
}

fn code() -> Grant {
    Grant::Code { redirect: BACK.into() }
}

/// What the first question is held against, which is stored and nowhere shown.
fn first_verifier(make: impl Fn() -> OAuth2) -> String {
    let mut session = Session::new(make(), Options::default(), [7; 32]);
    let now = Timestamp::from_secs(1_790_769_600);
    session.start(now);
    while let Output::Save | Output::Event(_) = session.poll(now) {}
    let text = session.snapshot().expose_secrets().to_owned();
    text.split_once("\"verifier\":\"").unwrap().1.split('"').next().unwrap().to_owned()
}

#[test]
fn of_a_code_grant() {
    let make = || of(code(), ClientOf::basic("app", CLIENT_SECRET));
    let verifier = first_verifier(make);
    assert!(keeps_to_itself(walk(make), good, &[CODE, CLIENT_SECRET, ACCESS, REFRESH, &verifier]) > 0);
}

#[test]
fn of_a_client_that_registers_itself() {
    let make = || of(code(), ClientOf::register(sansession::providers::oauth2::Described::new("a bot").with_secret()));
    assert!(keeps_to_itself(walk(make), good, &[CODE, CLIENT_SECRET, ACCESS, REFRESH]) > 0);
}

#[test]
fn of_a_device_grant() {
    let make = || of(Grant::Device, ClientOf::post("app", CLIENT_SECRET));
    assert!(keeps_to_itself(walk(make), good, &[DEVICE, CLIENT_SECRET, ACCESS, REFRESH]) > 0);
}

#[test]
fn of_a_token_that_somebody_has() {
    let make = || of(Grant::Given, ClientOf::public("app"));
    let begin = |provider| {
        Session::adopt(provider, Given::refresh(Secret::from(REFRESH)), Options::default(), [7; 32]).unwrap()
    };
    assert!(keeps_to_itself(walk(make).begin(begin), good, &[ACCESS, REFRESH]) > 0);
}

#[test]
fn of_a_machine_with_a_key() {
    let keys = Keys::generate([8; 32], 2_048).unwrap();
    let line = keys.signature.expose().lines().nth(3).unwrap().to_owned();
    let key = std::sync::Arc::new(PrivateKey::from_pem(keys.signature.expose()).unwrap());
    let make = move || of(Grant::ClientCredentials, ClientOf::jwt_signed("app", Some("k-1"), key.clone()));
    // The key never leaves, and the token does at the logout.
    assert!(keeps_to_itself(walk(make), good, &[ACCESS, REFRESH, &line]) > 0);
}
