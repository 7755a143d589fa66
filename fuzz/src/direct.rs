//! Direct sessions with IBKR's Web API, whose providers have keys: they are made once.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{Request, Response};
use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::keys::PrivateKey;
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::providers::ibkr::{Consent, OAuth1a, OAuth2, WebApi};
use sansession::sim::ibkr::oauth::{Issued, OAuthServer, Upload};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::testing::{Laws, Sample};
use sansession::{Input, NeedKind, Options, Secret, Timestamp};

use super::providers::url;

const CONSUMER: &str = "ABCDEFGHI";

fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

fn key(pem: &Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}

pub fn oauth1a() -> Arc<WebApi> {
    static API: OnceLock<Arc<WebApi>> = OnceLock::new();
    let make = || {
        let (_, issued) = server();
        let grant = Grant::new(issued.access_token, issued.encrypted_secret).unwrap();
        let params = DhParams::from_pem(&keys().dh_params).unwrap();
        let consumer = Consumer::new(CONSUMER).unwrap();
        let oauth = OAuth1a::new(consumer, &grant, key(&keys().signature), &key(&keys().encryption), params);
        Arc::new(WebApi::new(&url("https://api.ibkr.com/v1/api"), oauth.unwrap()).unwrap())
    };
    API.get_or_init(make).clone()
}

pub fn oauth2() -> Arc<WebApi> {
    static API: OnceLock<Arc<WebApi>> = OnceLock::new();
    let make = || {
        // OAuth 2.0 wants longer ones.
        let keys = Keys::generate([5; 32], 3_072).unwrap();
        let client = Client::new("client-1", "main").unwrap();
        let oauth = OAuth2::new(client, key(&keys.signature), "u", IpAddr::from([192, 0, 2, 1])).unwrap();
        Arc::new(WebApi::new(&url("https://api.ibkr.com/v1/api"), oauth).unwrap())
    };
    API.get_or_init(make).clone()
}

pub fn consent() -> Arc<Consent> {
    let consumer = Consumer::new(CONSUMER).unwrap();
    Arc::new(Consent::new(&url("https://api.ibkr.com/v1/api"), consumer, key(&keys().signature)))
}

/// The same server at every request, but that it has seen no nonce.
fn server() -> (OAuthServer, Issued) {
    let upload = Upload {
        signature: &keys().signature_public,
        encryption: &keys().encryption_public,
        dh_params: &keys().dh_params,
    };
    let mut server = OAuthServer::new([6; 32]);
    server.register(CONSUMER, &upload, Timestamp::from_secs(0)).unwrap();
    let issued = server.issue(CONSUMER).unwrap();
    (server, issued)
}

fn json(body: &str) -> Response<Vec<u8>> {
    Response::builder().header("content-type", "application/json").body(body.into()).unwrap()
}

const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;

fn brokerage(request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    json(match request.uri().path().rsplit('/').next() {
        Some("tickle") => {
            r#"{"session":"bb665d0f","iserver":{"authStatus":{"authenticated":true,"established":true,"competing":false,"connected":true}}}"#
        }
        Some("validate") => r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#,
        Some("logout") => r#"{"status":true}"#,
        _ => READY,
    })
}

fn samples() -> [Sample; 12] {
    let problem = r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#;
    [
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":false}"#),
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"error":"no session"}"#),
        Sample::json(200, r#"{"diffie_hellman_response":"77","live_session_token_signature":"0"}"#),
        Sample::json(401, r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#),
        Sample::json(401, r#"{"error":"not authenticated","statusCode":401}"#),
        Sample::new(401, "application/problem+json", problem),
        Sample::new(410, "text/plain", "gone"),
        Sample::json(429, r#"{"error":"slow"}"#),
        Sample::new(403, "text/html", "<html>Access Denied</html>"),
        Sample::json(400, r#"{"title":"Bad Request","detail":"ip refused"}"#),
    ]
}

pub fn laws_of_oauth1a() -> Laws<Arc<WebApi>> {
    Laws::new(oauth1a)
        .server(|request, now| server().0.handle(now, request).unwrap_or_else(|| brokerage(request)))
        .samples(samples())
        .tokens(|| {
            let ends = Timestamp::from_secs(1_900_000_000);
            WebApiToken::Live(LiveSessionToken::from_base64("AAECAwQFBgcICQoLDA0ODxAREhM=", ends).unwrap())
        })
        .path("/portfolio/accounts?a=1")
}

pub fn laws_of_oauth2() -> Laws<Arc<WebApi>> {
    let mut options = Options::default();
    options.egress = Some("fibre".into());
    Laws::new(oauth2)
        .server(|request, _| match request.uri().path() {
            "/oauth2/api/v1/token" => json(r#"{"access_token":"first","token_type":"Bearer","expires_in":86399}"#),
            "/gw/api/v1/sso-sessions" => json(r#"{"active":true,"access_token":"second","token_type":"Bearer"}"#),
            _ => brokerage(request),
        })
        .samples(samples())
        .options(options)
        .tokens(|| WebApiToken::Bearer(Bearer::new("second", None).unwrap()))
        .path("/portfolio/accounts")
}

pub fn laws_of_consent() -> Laws<Arc<Consent>> {
    Laws::new(consent)
        .server(|request, _| {
            json(match request.uri().path().ends_with("request_token") {
                true => r#"{"oauth_token":"0123456789"}"#,
                false => r#"{"is_paper":true,"oauth_token":"9876543210","oauth_token_secret":"QUJDREVGRw=="}"#,
            })
        })
        .samples(samples())
        .answers(|need, number, _| {
            (need.kind == NeedKind::Verifier).then(|| Input::Code(format!("verifier{number}").into()))
        })
        .tokens(|| Grant::new("9876543210", "QUJDREVGRw==").unwrap())
        .path("/portfolio/accounts")
}
