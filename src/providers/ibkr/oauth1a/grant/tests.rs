use super::*;
use crate::providers::ibkr::keys::tests::{ENTROPY, keys};

const NOW: Timestamp = Timestamp::from_secs(1_473_793_701);

fn base() -> BaseUrl {
    BaseUrl::parse("http://localhost:12345/tradingapi/v1").unwrap()
}

fn answer(status: u16, body: &str) -> http::Response<&str> {
    http::Response::builder().status(status).body(body).unwrap()
}

#[test]
fn consent_leads_to_a_grant() {
    let consumer = Consumer::new("TESTCONS").unwrap();
    let [signature, _] = keys();
    let unsigned = request_token(&consumer, &base(), NOW, &ENTROPY).unwrap();
    let text = core::str::from_utf8(unsigned.text()).unwrap();
    assert!(text.starts_with("POST&http%3A%2F%2Flocalhost%3A12345%2Ftradingapi%2Fv1%2Foauth%2Frequest_token&oauth_callback%3Doob%26oauth_consumer_key%3DTESTCONS%26oauth_nonce%3D"));
    let request = unsigned.sign(signature, ENTROPY).unwrap();
    assert_eq!(request.headers()["content-length"], "0");
    assert!(request.headers()["user-agent"].to_str().unwrap().starts_with("sansession/"));

    let token =
        RequestToken::read(Response::from(&answer(200, r#"{"oauth_token":"25ebcc75204da80b73f4"}"#)), NOW).unwrap();
    assert_eq!(token.consent_url(), "https://www.interactivebrokers.com/authorize?oauth_token=25ebcc75204da80b73f4");
    assert_eq!(format!("{token:?}"), "RequestToken(Secret(..))");
    let unsigned = token.access_token(&"61c107d4cf34ac6d9f2b".into(), &consumer, &base(), NOW, &ENTROPY).unwrap();
    let text = core::str::from_utf8(unsigned.text()).unwrap();
    assert!(text.ends_with(
        "oauth_timestamp%3D1473793701%26oauth_token%3D25ebcc75204da80b73f4%26oauth_verifier%3D61c107d4cf34ac6d9f2b"
    ));
    for verifier in ["", "a b"] {
        assert!(token.access_token(&verifier.into(), &consumer, &base(), NOW, &ENTROPY).is_err());
    }

    let body = r#"{"is_paper":true,"oauth_token":"6f531f8fd316915af53f","oauth_token_secret":"AQID"}"#;
    let grant = Grant::read(Response::from(&answer(200, body)), NOW).unwrap();
    assert_eq!((grant.access_token(), grant.paper()), ("6f531f8fd316915af53f", Some(true)));
    assert_eq!(grant.ciphertext().unwrap(), [1, 2, 3]);
    assert_eq!(
        format!("{grant:?}"),
        "Grant { access_token: Secret(..), secret: Encrypted(Secret(..)), paper: Some(true) }"
    );
}

#[test]
fn a_signature_from_elsewhere_gives_the_same_request() {
    let consumer = Consumer::new("TESTCONS").unwrap();
    let [key, _] = keys();
    let unsigned = request_token(&consumer, &base(), NOW, &ENTROPY).unwrap();
    let signed = unsigned.sign(key, ENTROPY).unwrap();
    let again = request_token(&consumer, &base(), NOW, &ENTROPY).unwrap();
    let elsewhere = again.finish(&key.sign(&again.digest(), ENTROPY).unwrap()).unwrap();
    assert_eq!(elsewhere.headers(), signed.headers());
    for length in [0, 20, 255, 257, 2_048] {
        assert_eq!(again.finish(&vec![1; length]).unwrap_err(), SignError::Signature);
    }
}

#[test]
fn answers_that_are_none_are_told_apart() {
    for (status, body, error) in [
        (401, r#"{"error":"id: 39687, error: invalid consumer"}"#, GrantError::Refused(Refusal::UnknownConsumer)),
        (200, "<html>", GrantError::Unreadable("no JSON object")),
        (200, "{}", GrantError::Unreadable("no oauth_token")),
        (200, r#"{"oauth_token":"a&b"}"#, GrantError::Unreadable("an oauth_token of another alphabet")),
    ] {
        assert_eq!(RequestToken::read(Response::from(&answer(status, body)), NOW).unwrap_err(), error);
    }
    for (body, error) in [
        (r#"{"oauth_token":"ab"}"#, GrantError::Unreadable("no oauth_token_secret")),
        (r#"{"oauth_token":"ab","oauth_token_secret":"*"}"#, GrantError::Malformed("access token secret")),
        (r#"{"oauth_token":"ab","oauth_token_secret":""}"#, GrantError::Malformed("access token secret")),
        (r#"{"oauth_token":"","oauth_token_secret":"AQID"}"#, GrantError::Malformed("access token")),
    ] {
        assert_eq!(Grant::read(Response::from(&answer(200, body)), NOW).unwrap_err(), error);
    }
}

#[test]
fn a_grant_survives_being_stored() {
    let grant = Grant::new("6f531f8fd316915af53f", "AQID").unwrap();
    let text = grant.expose_secrets();
    assert_eq!(
        text.expose(),
        r#"{"format":1,"access_token":"6f531f8fd316915af53f","secret":{"encrypted":"AQID"},"paper":null}"#
    );
    let read = Grant::from_text(text.expose()).unwrap();
    assert_eq!((read.access_token(), read.ciphertext()), (grant.access_token(), grant.ciphertext()));

    let clear = AccessTokenSecret::new(Zeroizing::new(vec![4, 5, 6])).unwrap();
    let grant = Grant::decrypted("ab", &clear).unwrap();
    let read = Grant::from_text(grant.expose_secrets().expose()).unwrap();
    assert!(read.ciphertext().is_none());
    assert_eq!(read.plain_secret().unwrap().expose(), [4, 5, 6]);
    assert_eq!(read.secret(&keys()[1], ENTROPY).unwrap().expose(), [4, 5, 6]);

    for (text, error) in [
        ("", GrantError::Damaged),
        ("{}", GrantError::Damaged),
        (r#"{"format":1,"access_token":"ab"}"#, GrantError::Damaged),
        (r#"{"format":2,"other":"ab"}"#, GrantError::NewerFormat { found: 2, known: 1 }),
        (r#"{"format":1,"access_token":"a b","secret":{"plain":"AQID"}}"#, GrantError::Malformed("access token")),
    ] {
        assert_eq!(Grant::from_text(text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn a_secret_for_another_key_is_noticed_before_anything_is_sent() {
    let [signature, encryption] = keys();
    let sealed = encryption.seal(b"0123456789abcdef0123456789abcdef");
    let grant = Grant::new("ab", BASE64_STANDARD.encode(&sealed)).unwrap();
    assert_eq!(grant.secret(encryption, ENTROPY).unwrap().expose(), b"0123456789abcdef0123456789abcdef");
    assert_eq!(grant.secret(signature, ENTROPY).unwrap_err(), GrantError::Key(KeyError::DoesNotFit));
    let short = Grant::new("ab", "AQID").unwrap();
    let error = KeyError::Ciphertext { length: 3, expected: 256 };
    assert_eq!(short.secret(encryption, ENTROPY).unwrap_err(), GrantError::Key(error));
}
