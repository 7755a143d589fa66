//! Direct sessions with IBKR's Web API, whose handshake needs a server that computes.

use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use http::{Request, Response};
use sansession::provider::Entropy;
use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::keys::{PrivateKey, PublicKey};
use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::oauth2::{Bearer, Client};
use sansession::providers::ibkr::{Consent, OAuth1a, OAuth2, WebApi};
use sansession::sim::ibkr::oauth::{Issued, OAuthServer};
use sansession::sim::ibkr::oauth_keys::Keys;
use sansession::testing::{Laws, Sample};
use sansession::{BaseUrl, Input, Need, NeedKind, Options, SecretBytes, Timestamp};

use super::ibkr::READY;
use super::{json, url};

const CONSUMER: &str = "ABCDEFGHI";

pub fn keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 2_048).unwrap())
}

/// OAuth 2.0 wants longer ones.
pub fn long_keys() -> &'static Keys {
    static KEYS: OnceLock<Keys> = OnceLock::new();
    KEYS.get_or_init(|| Keys::generate([5; 32], 3_072).unwrap())
}

pub fn key(pem: &sansession::Secret) -> PrivateKey {
    PrivateKey::from_pem(pem.expose()).unwrap()
}

/// The same server at every request, but that it has seen no nonce: runs begin at one time and from one seed.
fn server() -> (OAuthServer, Issued) {
    let upload = keys().upload();
    let mut server = OAuthServer::new([6; 32]);
    server.register(CONSUMER, &upload, Timestamp::from_secs(0)).unwrap();
    let issued = server.issue(CONSUMER).unwrap();
    (server, issued)
}

fn base() -> BaseUrl {
    url("https://api.ibkr.com/v1/api")
}

fn brokerage(request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
    json(match request.uri().path().rsplit('/').next() {
        Some("tickle") => {
            format!(r#"{{"session":"bb665d0f55b6289d70bc7380089fc96f","iserver":{{"authStatus":{READY}}}}}"#)
        }
        Some("validate") => r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#.to_owned(),
        Some("logout") => r#"{"status":true}"#.to_owned(),
        _ => READY.to_owned(),
    })
}

fn samples() -> [Sample; 14] {
    let problem = r#"{"type":"/simple","title":"Unauthorized","status":401,"detail":"Access token expired"}"#;
    [
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":false}"#),
        Sample::json(200, r#"{"authenticated":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"authenticated":true,"established":false,"competing":false,"connected":true}"#),
        Sample::json(200, r#"{"passed":false,"authenticated":false,"connected":true,"competing":false}"#),
        Sample::json(200, r#"{"error":"no session"}"#),
        Sample::json(200, r#"{"diffie_hellman_response":"77","live_session_token_signature":"0"}"#),
        Sample::json(401, r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#),
        Sample::json(401, r#"{"error":"id: 0, error: signature refused","statusCode":401}"#),
        Sample::json(401, r#"{"error":"not authenticated","statusCode":401}"#),
        Sample::new(401, "application/problem+json", problem),
        Sample::new(410, "text/plain", "gone"),
        Sample::json(429, r#"{"error":"slow"}"#),
        Sample::new(403, "text/html", "<html>Access Denied</html>"),
        Sample::json(400, r#"{"title":"Bad Request","detail":"ip refused"}"#),
    ]
}

fn grant() -> Grant {
    let (_, issued) = server();
    Grant::new(issued.access_token, issued.encrypted_secret).unwrap()
}

pub fn oauth1a_provider() -> Arc<WebApi> {
    let params = DhParams::from_pem(&keys().dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    let oauth = OAuth1a::new(consumer, &grant(), key(&keys().signature), &key(&keys().encryption), params).unwrap();
    Arc::new(WebApi::new(&base(), oauth).unwrap())
}

pub fn oauth1a() -> Laws<Arc<WebApi>> {
    let provider = oauth1a_provider();
    Laws::new(move || provider.clone())
        .server(|request, now| server().0.handle(now, request).unwrap_or_else(|| brokerage(request)))
        .samples(samples())
        .tokens(|| {
            let ends = Timestamp::from_secs(1_900_000_000);
            WebApiToken::Live(LiveSessionToken::from_base64("YBWbLw+9RYP2nWrPQHxHZkBb1aM=", ends).unwrap())
        })
        .path("/portfolio/accounts?a=1")
}

pub fn oauth2_provider() -> Arc<WebApi> {
    let client = Client::new("client-1", "main").unwrap();
    let oauth = OAuth2::new(client, key(&long_keys().signature), "u", IpAddr::from([192, 0, 2, 1])).unwrap();
    Arc::new(WebApi::new(&base(), oauth).unwrap())
}

pub fn oauth2() -> Laws<Arc<WebApi>> {
    let provider = oauth2_provider();
    let mut options = Options::default();
    options.egress_label = Some("fibre".into());
    Laws::new(move || provider.clone())
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

pub fn consent_provider() -> Arc<Consent> {
    let consumer = Consumer::new(CONSUMER).unwrap();
    Arc::new(Consent::new(&base(), consumer, key(&keys().signature)))
}

pub fn consent() -> Laws<Arc<Consent>> {
    let provider = consent_provider();
    Laws::new(move || provider.clone())
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

/// The one with keys in a vault.
pub fn remote_provider() -> Arc<WebApi> {
    let params = DhParams::from_pem(&keys().dh_params).unwrap();
    let public = PublicKey::from_pem(&keys().signature_public).unwrap();
    let oauth = OAuth1a::remote(Consumer::new(CONSUMER).unwrap(), &grant(), public, params).unwrap();
    Arc::new(WebApi::new(&base(), oauth).unwrap())
}

/// The vault.
pub struct Vault {
    signature: PrivateKey,
    encryption: PrivateKey,
}

impl Vault {
    pub fn new() -> Self {
        Self { signature: key(&keys().signature), encryption: key(&keys().encryption) }
    }

    /// Returns what answers a need, where it is one for a vault.
    pub fn answer(&self, need: &Need) -> Option<Input> {
        let entropy = Entropy { key: &[1; 24], epoch: 1, counter: 1 };
        let message = need.message.as_ref()?.as_bytes();
        Some(match need.kind {
            NeedKind::Signature => {
                Input::Signature(SecretBytes::new(self.signature.sign(message.try_into().unwrap(), entropy).unwrap()))
            }
            _ => Input::Decrypted(SecretBytes::new(self.encryption.decrypt(message, entropy).unwrap().to_vec())),
        })
    }
}

pub fn remote() -> Laws<Arc<WebApi>> {
    let provider = remote_provider();
    let vault = Vault::new();
    Laws::new(move || provider.clone())
        .server(|request, now| server().0.handle(now, request).unwrap_or_else(|| brokerage(request)))
        .samples(samples())
        .answers(move |need, _, _| vault.answer(need))
        .path("/portfolio/accounts?a=1")
}
