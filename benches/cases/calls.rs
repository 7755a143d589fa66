//! The user's own calls, made ready to leave.

use std::sync::Arc;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::header::{ACCEPT, AUTHORIZATION, HeaderName, USER_AGENT};
use http::{HeaderValue, Request, Uri};
use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::keys::PublicKey;
use sansession::providers::ibkr::oauth1a::{AccessTokenSecret, Consumer, DhParams, Grant, LiveSessionToken};
use sansession::providers::ibkr::{OAuth1a, WebApi, wire};
use sansession::providers::kotak::TradeApi;
use sansession::providers::kotak::trade_api::TradeTokens;
use sansession::{BaseUrl, Machine, Options, Session, Timestamp};
use sha2::Sha256;

use super::{Case, START, STATUS, TOKEN, json, life, run};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const AGENT: HeaderValue = HeaderValue::from_static(wire::USER_AGENT);

fn call(path: &'static str) -> Request<[u8; 0]> {
    Request::get(path).body([]).unwrap()
}

fn secret(text: &str) -> HeaderValue {
    let mut value = HeaderValue::from_str(text).unwrap();
    value.set_sensitive(true);
    value
}

/// With a bearer token, as CBRAIN has it.
pub fn bearer() -> Case {
    let mut session = Session::new(life::cbrain_provider(), Options::default(), [7; 32]);
    session.start(START);
    run(&mut session, START, |_| json(&life::info()));
    let ours = move || session.authorize_request(START, call("/groups")).unwrap();
    let floor = || {
        let mut request = call("/groups");
        let uri: Uri = format!("https://portal.example.org{}", request.uri().path()).parse().unwrap();
        *request.uri_mut() = uri;
        request.headers_mut().insert(AUTHORIZATION, secret(&format!("Bearer {TOKEN}")));
        request.headers_mut().insert(ACCEPT, JSON);
        request.headers_mut().insert(USER_AGENT, AGENT);
        request
    };
    Case::new(ours, floor)
}

/// With nothing but what the gateway demands.
pub fn gateway() -> Case {
    let mut session = life::gateway();
    let ours = move || session.authorize_request(START, call("/portfolio/accounts")).unwrap();
    let floor = || {
        let mut request = call("/portfolio/accounts");
        let uri: Uri = format!("https://localhost:5000/v1/api{}", request.uri().path()).parse().unwrap();
        *request.uri_mut() = uri;
        request.headers_mut().insert(USER_AGENT, AGENT);
        request.headers_mut().insert(ACCEPT, JSON);
        request
    };
    Case::new(ours, floor)
}

/// With a bearer and a session token, as Kotak's Trade API has it.
pub fn two_tokens() -> Case {
    let base = BaseUrl::parse("https://sbx.kotaksecurities.com/apim").unwrap();
    let provider = TradeApi::new(base, "AB1234", "consumer-key").unwrap();
    let tokens = TradeTokens { bearer: TOKEN.into(), session_token: TOKEN.into() };
    let mut session = Session::adopt(provider, tokens, Options::default(), [7; 32]).unwrap();
    session.start(START);
    run(&mut session, START, |_| json(r#"{"success":[]}"#));
    assert!(session.live().is_some(), "the session is not open");
    let ours = move || session.authorize_request(START, call("/orders/1.0/orders")).unwrap();
    let floor = || {
        let mut request = call("/orders/1.0/orders");
        let uri: Uri = format!("https://sbx.kotaksecurities.com/apim{}", request.uri().path()).parse().unwrap();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(AUTHORIZATION, secret(&format!("Bearer {TOKEN}")));
        headers.insert(HeaderName::from_static("consumerkey"), secret("consumer-key"));
        headers.insert(HeaderName::from_static("sessiontoken"), secret(TOKEN));
        headers.insert(ACCEPT, JSON);
        request
    };
    Case::new(ours, floor)
}

/// IBKR's published example of OAuth 1.0a, the keys of which are public.
fn oauth1a() -> (Session<Arc<WebApi>>, String, Vec<u8>) {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/vectors/ibkr-oauth1a.json")).unwrap();
    let text = |name: &str| vectors[name].as_str().unwrap().to_owned();
    let bytes = |name: &str| BASE64_STANDARD.decode(text(name)).unwrap();
    let secret = AccessTokenSecret::new(bytes("access_token_secret_b64").into()).unwrap();
    let grant = Grant::decrypted(text("access_token"), &secret).unwrap();
    let params = DhParams::from_hex(&text("dh_prime_hex"), &text("dh_generator_hex")).unwrap();
    let key = PublicKey::from_pem(&text("signing_public_key_pem")).unwrap();
    let oauth = OAuth1a::remote(Consumer::new("TESTCONS").unwrap(), &grant, key, params).unwrap();
    let provider = WebApi::new(&BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap(), oauth).unwrap();
    let token = LiveSessionToken::from_base64(&text("lst_b64"), Timestamp::from_secs(1_790_080_000)).unwrap();
    let mut session =
        Session::adopt(Arc::new(provider), WebApiToken::Live(token), Options::default(), [7; 32]).unwrap();
    session.start(START);
    run(&mut session, START, |_| json(STATUS));
    (session, text("access_token"), bytes("lst_b64"))
}

/// With a signature of OAuth 1.0a, HMAC-SHA256 over method, URL and parameters.
pub fn hmac() -> Case {
    let (mut session, access_token, key) = oauth1a();
    let ours = move || session.authorize_request(START, call("/portfolio/accounts?page=0")).unwrap();
    let mut counter = 0_u64;
    let floor = move || {
        counter += 1;
        let mut request = call("/portfolio/accounts?page=0");
        let uri: Uri = format!("https://api.ibkr.com/v1/api{}", request.uri()).parse().unwrap();
        let (nonce, seconds) = (format!("{counter:032x}"), START.as_secs());
        let parameters = format!(
            "oauth_consumer_key%3DTESTCONS%26oauth_nonce%3D{nonce}%26oauth_signature_method%3DHMAC-SHA256%26oauth_timestamp%3D{seconds}%26oauth_token%3D{access_token}%26page%3D0"
        );
        let mut text = String::with_capacity(512);
        text.push_str(request.method().as_str());
        text.push_str("&https%3A%2F%2F");
        text.push_str(uri.host().unwrap());
        for part in uri.path().split('/').skip(1) {
            text.push_str("%2F");
            text.push_str(part);
        }
        text.push('&');
        text.push_str(&parameters);
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(text.as_bytes());
        let signature = BASE64_STANDARD.encode(mac.finalize().into_bytes());
        let mut escaped = String::with_capacity(64);
        for byte in signature.chars() {
            match byte {
                '+' => escaped.push_str("%2B"),
                '/' => escaped.push_str("%2F"),
                '=' => escaped.push_str("%3D"),
                plain => escaped.push(plain),
            }
        }
        let header = format!(
            "OAuth realm=\"test_realm\", oauth_consumer_key=\"TESTCONS\", oauth_nonce=\"{nonce}\", oauth_signature=\"{escaped}\", oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"{seconds}\", oauth_token=\"{access_token}\""
        );
        *request.uri_mut() = uri;
        request.headers_mut().insert(AUTHORIZATION, secret(&header));
        request.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        request.headers_mut().insert(USER_AGENT, AGENT);
        request.headers_mut().insert(ACCEPT, JSON);
        request
    };
    Case::new(ours, floor)
}
