//! Direct sessions with IBKR: keys and tokens, and no person.

use std::net::IpAddr;
use std::sync::Arc;

use http::Request;
use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{Consent, OAuth1a, OAuth2, WebApi};
use sansession::sim::ibkr::oauth::OAuthServer;
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::testing::{Sample, Walk};
use sansession::{BaseUrl, Input, NeedKind, Options, Secret, Session, Timestamp};

use super::keeps_to_itself;
use crate::support::ignored::{BROKERAGE, DIRECT};

const FIRST: &str = "f1rst-bearer-8642aZbYcXdWeV0987654321";
const SECOND: &str = "s3cond-bearer-1357QpWoEiRuTy0123456789";
const LIVE: &str = "YBWbLw+9RYP2nWrPQHxHZkBb1aM=";
const SESSION: &str = "bb665d0f55b6289d70bc7380089fc96f";

fn base() -> BaseUrl {
    BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap()
}

fn key(pem: &Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}

fn good(request: &Request<Vec<u8>>) -> Vec<Sample> {
    let flags = r#"{"authenticated":true,"established":true,"competing":false,"connected":true}"#;
    let body = match request.uri().path().rsplit('/').next() {
        Some("token") => format!(r#"{{"access_token":"{FIRST}","token_type":"Bearer","expires_in":86399}}"#),
        Some("sso-sessions") => format!(r#"{{"active":true,"access_token":"{SECOND}","token_type":"Bearer"}}"#),
        Some("tickle") => format!(r#"{{"session":"{SESSION}","iserver":{{"authStatus":{flags}}}}}"#),
        Some("validate") => r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#.to_owned(),
        Some("logout") => r#"{"status":true}"#.to_owned(),
        _ => flags.to_owned(),
    };
    vec![Sample::json(200, body)]
}

fn walk(provider: Arc<WebApi>) -> Walk<Arc<WebApi>> {
    let mut options = Options::default();
    options.egress_label = Some("fibre".into());
    Walk::new(move || provider.clone())
        .options(options)
        .path("/portfolio/accounts?a=1")
        .ignoring(BROKERAGE)
        .ignoring(DIRECT)
        .ignoring(&["doubted", "opened", "keepalive"])
}

#[test]
fn of_oauth1a() {
    let keys = Keys::generate([5; 32], 2_048).unwrap();
    let upload = keys.upload();
    let mut server = OAuthServer::new([6; 32]);
    server.register("ABCDEFGHI", &upload, Timestamp::from_secs(0)).unwrap();
    let issued = server.issue("ABCDEFGHI").unwrap();
    let grant = Grant::new(issued.access_token.as_str(), issued.encrypted_secret.as_str()).unwrap();
    let params = DhParams::from_pem(&keys.dh_params).unwrap();
    let consumer = Consumer::new("ABCDEFGHI").unwrap();
    let oauth = OAuth1a::new(consumer, &grant, key(&keys.signature), &key(&keys.encryption), params).unwrap();
    let provider = Arc::new(WebApi::new(&base(), oauth).unwrap());
    let begin = |provider| {
        let token = LiveSessionToken::from_base64(LIVE, Timestamp::from_secs(1_900_000_000)).unwrap();
        Session::adopt(provider, WebApiToken::Live(token), Options::default(), [7; 32]).unwrap()
    };
    let walk = walk(provider).options(Options::default()).begin(begin);
    let line = keys.signature.expose().lines().nth(3).unwrap();
    assert!(keeps_to_itself(walk, good, &[&issued.access_token, &issued.encrypted_secret, LIVE, SESSION, line]) > 0);
}

#[test]
fn of_oauth2() {
    let keys = Keys::generate([8; 32], 3_072).unwrap();
    let client = Client::new("client-1", "main").unwrap();
    let oauth = OAuth2::new(client, key(&keys.signature), "u", IpAddr::from([192, 0, 2, 1])).unwrap();
    let line = keys.signature.expose().lines().nth(3).unwrap();
    assert!(
        keeps_to_itself(walk(Arc::new(WebApi::new(&base(), oauth).unwrap())), good, &[FIRST, SECOND, SESSION, line])
            > 0
    );
}

#[test]
fn of_a_consent() {
    let keys = Keys::generate([5; 32], 2_048).unwrap();
    let consumer = Consumer::new("ABCDEFGHI").unwrap();
    let provider = Arc::new(Consent::new(&base(), consumer, key(&keys.signature)));
    let walk = Walk::new(move || provider.clone()).answers(|kind, _| match kind {
        NeedKind::Verifier => vec![("verifier", Input::Code("veri4711fier".into()))],
        _ => vec![],
    });
    // The request token is in the URL that the account's owner visits; it is of no use without a consent.
    let granted = |request: &Request<Vec<u8>>| {
        let body = match request.uri().path().ends_with("request_token") {
            true => r#"{"oauth_token":"0123456789"}"#.to_owned(),
            false => format!(r#"{{"oauth_token":"{FIRST}","oauth_token_secret":"U0VDUkVUMTIzNDU2Nzg5MA=="}}"#),
        };
        vec![Sample::json(200, body)]
    };
    assert!(keeps_to_itself(walk, granted, &["veri4711fier", FIRST, "U0VDUkVUMTIzNDU2Nzg5MA=="]) > 0);
}
