use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::providers::ibkr::keys::tests::{ENTROPY, keys};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

fn root() -> BaseUrl {
    BaseUrl::parse("https://api.ibkr.com").unwrap()
}

/// Takes a JWT apart and checks its signature.
fn open(jwt: &str) -> [Value; 2] {
    let (text, signature) = jwt.rsplit_once('.').unwrap();
    let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).unwrap();
    assert!(keys()[0].verifies(&Sha256::digest(text).into(), &signature));
    let (header, claims) = text.split_once('.').unwrap();
    [header, claims].map(|part| serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap())
}

fn client() -> Client {
    Client::new("TESTCLIENT", "main").unwrap()
}

#[test]
fn a_token_is_asked_for_with_an_assertion() {
    let assertion = client().assertion(NOW).sign(&keys()[0], ENTROPY).unwrap();
    let request = token_request(&root(), &assertion).unwrap();
    assert_eq!(request.uri(), "https://api.ibkr.com/oauth2/api/v1/token");
    assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
    let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap();
    let names: Vec<&str> = form.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "client_assertion_type", "client_assertion", "scope"]);
    assert_eq!(form[1].1, "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    assert_eq!((&*form[0].1, &*form[3].1), ("client_credentials", "sso-sessions.write"));
    let [header, claims] = open(&form[2].1);
    assert_eq!(header, json!({"alg": "RS256", "typ": "JWT", "kid": "main"}));
    let expected =
        json!({"iss": "TESTCLIENT", "sub": "TESTCLIENT", "aud": "/token", "iat": 1_794_999_990, "exp": 1_795_000_020});
    assert_eq!(claims, expected);
}

#[test]
fn a_session_is_asked_for_with_user_and_address() {
    let bearer = Bearer::new("first", None).unwrap();
    let user = SessionUser { ip: [203, 0, 113, 7].into(), credential: "user\"1", service: None, alternative_ips: &[] };
    let claims = client().session(&user, NOW).sign(&keys()[0], ENTROPY).unwrap();
    let request = session_request(&root(), &bearer, &claims).unwrap();
    assert_eq!(request.uri(), "https://api.ibkr.com/gw/api/v1/sso-sessions");
    assert_eq!(request.headers()["content-type"], "application/jwt");
    assert_eq!(request.headers()["authorization"], "Bearer first");
    assert!(request.headers()["authorization"].is_sensitive());
    let [_, claims] = open(core::str::from_utf8(request.body()).unwrap());
    let expected = json!({"ip": "203.0.113.7", "credential": "user\"1", "iss": "TESTCLIENT", "iat": 1_795_000_000, "exp": 1_795_086_400});
    assert_eq!(claims, expected);

    let more = SessionUser { service: Some("AM"), alternative_ips: &[[203, 0, 113, 8].into()], ..user };
    let [_, claims] = open(client().session(&more, NOW).sign(&keys()[0], ENTROPY).unwrap().expose());
    assert_eq!((&claims["service"], &claims["alternativeIps"]), (&json!("AM"), &json!(["203.0.113.8"])));

    let signed = client().session(&user, NOW).sign(&keys()[0], ENTROPY).unwrap();
    let request = browser_session_request(&root(), &bearer, &signed).unwrap();
    assert_eq!(request.uri(), "https://api.ibkr.com/gw/api/v1/sso-browser-sessions");
    assert_eq!(request.headers()["authorization"], "Bearer first");
}

#[test]
fn a_signature_from_elsewhere_gives_the_same_token() {
    let unsigned = client().assertion(NOW);
    let elsewhere = unsigned.finish(&keys()[0].sign(&unsigned.digest(), ENTROPY).unwrap()).unwrap();
    assert_eq!(elsewhere.expose(), client().assertion(NOW).sign(&keys()[0], ENTROPY).unwrap().expose());
    assert_eq!(unsigned.finish(&[1; 20]).unwrap_err(), SignError::Signature);
    assert_eq!(format!("{unsigned:?} {elsewhere:?}"), "UnsignedJwt { text: Secret(..) } Jwt(Secret(..))");
}

fn answer(status: u16, body: &str) -> http::Response<&str> {
    http::Response::builder().status(status).body(body).unwrap()
}

#[test]
fn tokens_are_read() {
    let body = r#"{"access_token":"abc.def","token_type":"Bearer","scope":"sso-sessions.write","expires_in":86399}"#;
    let bearer = Bearer::read(Response::from(&answer(200, body)), NOW).unwrap();
    assert_eq!((bearer.expose(), bearer.expires()), ("abc.def", Some(NOW + Duration::from_secs(86_399))));
    let body = r#"{"active":true,"access_token":"ghi","token_type":"Bearer"}"#;
    let bearer = Bearer::read_session(Response::from(&answer(200, body)), NOW).unwrap();
    assert_eq!((bearer.expose(), bearer.expires()), ("ghi", None));
    assert_eq!(format!("{bearer:?}"), "Bearer { token: Secret(..), expires: None }");
    let stored = serde_json::to_string(&bearer).unwrap();
    assert_eq!(serde_json::from_str::<Bearer>(&stored).unwrap().expose(), "ghi");
}

#[test]
fn answers_that_are_none_are_told_apart() {
    let rejected = |text: &str| TokenError::Rejected(Some(ServerText::new(text)));
    for (status, body, error) in [
        (401, r#"{"detail":"Access token expired","status":401}"#, TokenError::Refused(Refusal::BearerExpired)),
        (401, "", TokenError::Refused(Refusal::Signature)),
        (400, r#"{"title":"Bad Request","status":400,"detail":"no such client"}"#, rejected("no such client")),
        (400, r#"{"error":"invalid_client"}"#, rejected("invalid_client")),
        (403, "<html>", TokenError::Rejected(None)),
        (500, "<html>", TokenError::Unreadable("no JSON object")),
        (200, "{}", TokenError::Unreadable("no access_token")),
        (200, r#"{"access_token":"a\nb"}"#, TokenError::Unreadable("an access_token of another alphabet")),
    ] {
        assert_eq!(Bearer::read(Response::from(&answer(status, body)), NOW).unwrap_err(), error, "{body}");
    }
    let inactive = answer(200, r#"{"active":false,"access_token":"x"}"#);
    let error = TokenError::Unreadable("a session that is not active");
    assert_eq!(Bearer::read_session(Response::from(&inactive), NOW).unwrap_err(), error);
}

#[test]
fn what_is_empty_is_refused() {
    assert_eq!(Client::new("", "k").unwrap_err(), SignError::Malformed("client id"));
    assert_eq!(Client::new("c", "").unwrap_err(), SignError::Malformed("key id"));
    assert!(Bearer::new("", None).is_err());
    assert!(keys()[0].at_least(SHORTEST_KEY).is_err());
}
