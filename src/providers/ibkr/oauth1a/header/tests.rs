use http::Request;

use super::*;
use crate::providers::ibkr::oauth1a::vectors;

const ENTROPY: Entropy<'static> = Entropy { key: &[1; 24], epoch: 1, counter: 1 };
const NOW: Timestamp = Timestamp::from_millis(1_473_795_686_999);

fn token() -> LiveSessionToken {
    LiveSessionToken::from_base64("YBWbLw+9RYP2nWrPQHxHZkBb1aM=", Timestamp::NEVER).unwrap()
}

fn sign(request: Request<&str>, entropy: &Entropy<'_>) -> (String, Parts) {
    let consumer = Consumer::new("TESTCONS").unwrap();
    let signer = Signer { consumer: &consumer, access_token: "6f531f8fd316915af53f", token: &token() };
    let (mut parts, body) = request.into_parts();
    signer.sign(&mut parts, body.as_bytes(), NOW, entropy).unwrap();
    let value = &parts.headers[AUTHORIZATION];
    assert!(value.is_sensitive());
    (value.to_str().unwrap().to_owned(), parts)
}

fn field<'a>(header: &'a str, name: &str) -> &'a str {
    let (_, rest) = header.split_once(&format!(" {name}=\"")).unwrap();
    rest.split_once('"').unwrap().0
}

#[test]
fn the_signatures_of_the_worked_example_come_out() {
    for request in vectors()["requests"].as_array().unwrap().iter().filter(|request| request["alg"] == "HMAC-SHA256") {
        let text = |name: &str| request[name].as_str().unwrap();
        let token = LiveSessionToken::from_base64(text("lst_b64"), Timestamp::NEVER).unwrap();
        assert_eq!(BASE64_STANDARD.encode(token.mac(text("base_string").as_bytes())), text("signature_b64"));
    }
}

#[test]
fn a_header_has_realm_and_sorted_parameters() {
    let request = Request::get("http://localhost:12345/tradingapi/v1/marketdata/snapshot?conid=8314").body("").unwrap();
    let (header, parts) = sign(request, &ENTROPY);
    let nonce = field(&header, "oauth_nonce");
    let oauth = [
        ("oauth_consumer_key", "TESTCONS"),
        ("oauth_nonce", nonce),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_timestamp", "1473795686"),
        ("oauth_token", "6f531f8fd316915af53f"),
    ];
    let text = base_string::base_string("", &parts.method, &parts.uri, &oauth, None).unwrap();
    let mut signature = Vec::new();
    push_encoded(&mut signature, BASE64_STANDARD.encode(token().mac(&text)).as_bytes());
    let signature = String::from_utf8(signature).unwrap();
    assert!(signature.ends_with("%3D"));
    assert_eq!(
        header,
        format!(
            "OAuth realm=\"test_realm\", oauth_consumer_key=\"TESTCONS\", oauth_nonce=\"{nonce}\", oauth_signature=\"{signature}\", oauth_signature_method=\"HMAC-SHA256\", oauth_timestamp=\"1473795686\", oauth_token=\"6f531f8fd316915af53f\""
        )
    );
}

#[test]
fn each_emission_has_its_own_nonce_and_replaces_the_earlier_header() {
    let request = || Request::get("https://h/p").header(AUTHORIZATION, "Bearer old").body("").unwrap();
    let (first, parts) = sign(request(), &ENTROPY);
    assert_eq!(parts.headers.get_all(AUTHORIZATION).iter().count(), 1);
    let (second, _) = sign(request(), &Entropy { counter: 2, ..ENTROPY });
    assert_ne!(field(&first, "oauth_nonce"), field(&second, "oauth_nonce"));
    assert_ne!(field(&first, "oauth_signature"), field(&second, "oauth_signature"));
    assert_eq!(sign(request(), &ENTROPY).0, first);
}

#[test]
fn forms_are_signed_and_other_bodies_are_not() {
    let signature = |media: &str, body: &'static str| {
        let request = Request::post("https://h/p").header(CONTENT_TYPE, media).body(body).unwrap();
        field(&sign(request, &ENTROPY).0, "oauth_signature").to_owned()
    };
    let none = signature("application/json", "");
    assert_eq!(signature("application/json", "{\"a\":1}"), none);
    assert_eq!(signature("application/x-www-form-urlencoded", ""), none);
    assert_ne!(signature("application/x-www-form-urlencoded; charset=UTF-8", "a=1"), none);
    assert_ne!(signature("Application/X-WWW-Form-Urlencoded", "a=1"), none);
}

#[test]
fn what_cannot_be_signed_is_refused() {
    for (key, realm) in [("", "r"), ("a b", "r"), ("a\"", "r"), ("k", ""), ("k", "a\r\nb"), ("é", "r")] {
        assert!(Consumer::with_realm(key, realm).is_err(), "{key} {realm}");
    }
    assert_eq!(Consumer::new("ABCDEFGHI").unwrap().realm(), "limited_poa");
    let consumer = Consumer::new("TESTCONS").unwrap();
    for (access_token, uri, error) in [
        ("a,b", "https://h/p", SignError::Malformed("access token")),
        ("ab", "/p", SignError::Uri("the URI is not absolute")),
        ("ab", "https://me@h/p", SignError::Uri("the URI has a user name")),
    ] {
        let (mut parts, ()) = Request::get(uri).body(()).unwrap().into_parts();
        let signer = Signer { consumer: &consumer, access_token, token: &token() };
        assert_eq!(signer.sign(&mut parts, b"", NOW, &ENTROPY), Err(error));
        assert!(parts.headers.is_empty());
    }
}

#[test]
fn times_are_whole_seconds() {
    for (millis, text) in [(0, "0"), (999, "0"), (1_473_795_686_999, "1473795686"), (u64::MAX, "18446744073709551")] {
        assert_eq!(Stamp::new(Timestamp::from_millis(millis), &ENTROPY, "a").seconds(), text);
    }
}
