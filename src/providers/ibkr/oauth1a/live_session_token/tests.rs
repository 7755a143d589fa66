use num_bigint::BigUint;

use super::*;
use crate::providers::ibkr::oauth1a::vectors;

const NOW: Timestamp = Timestamp::from_secs(1_473_793_702);

fn bytes(base64: &serde_json::Value) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(BASE64_STANDARD.decode(base64.as_str().unwrap()).unwrap())
}

/// Everything of the worked example that the handshake needs.
fn example() -> (Consumer, AccessTokenSecret, DhParams, Exponent) {
    let vectors = vectors();
    let text = |name: &str| vectors[name].as_str().unwrap();
    let number = text("dh_private_dec").parse::<BigUint>().unwrap().to_bytes_be();
    let mut exponent = [0; 32];
    exponent[32 - number.len()..].copy_from_slice(&number);
    let secret = AccessTokenSecret::new(bytes(&vectors["access_token_secret_b64"])).unwrap();
    let params = DhParams::from_hex(text("dh_prime_hex"), text("dh_generator_hex")).unwrap();
    (Consumer::new("TESTCONS").unwrap(), secret, params, Exponent::from_be_bytes(&exponent))
}

fn accept(status: u16, body: &str) -> Result<LiveSessionToken, HandshakeError> {
    let (consumer, secret, params, exponent) = example();
    let handshake =
        Handshake { consumer: &consumer, access_token: "6f531f8fd316915af53f", secret: &secret, params: &params };
    let response = http::Response::builder().status(status).body(body).unwrap();
    handshake.accept_with(&exponent, Response::from(&response), NOW)
}

fn body(response: &str, signature: &str) -> String {
    format!(
        r#"{{"diffie_hellman_response":"{response}","live_session_token_signature":"{signature}","live_session_token_expiration":1473880102000}}"#
    )
}

#[test]
fn the_worked_example_comes_out() {
    let vectors = vectors();
    let text = |name: &str| vectors[name].as_str().unwrap();
    let (_, secret, ..) = example();
    assert_eq!(*secret.prefix(), text("prepend_hex"));
    let token = accept(200, &body(text("dh_response_hex"), text("lst_signature_hex"))).unwrap();
    assert_eq!(token.expose().expose(), text("lst_b64"));
    assert_eq!(token.expires(), Timestamp::from_secs(1_473_880_102));
}

#[test]
fn the_text_to_sign_is_that_of_the_worked_example() {
    let vectors = vectors();
    let (consumer, secret, params, exponent) = example();
    let handshake =
        Handshake { consumer: &consumer, access_token: "6f531f8fd316915af53f", secret: &secret, params: &params };
    let base = BaseUrl::parse("http://localhost:12345/tradingapi/v1").unwrap();
    let entropy = Entropy { key: &[1; 24], epoch: 1, counter: 1 };
    let unsigned = handshake.request_with(&exponent, &base, NOW, &entropy).unwrap();
    let text = core::str::from_utf8(unsigned.text()).unwrap();
    // The nonce alone differs.
    let (before, rest) = text.split_once("oauth_nonce%3D").unwrap();
    let text = format!("{before}oauth_nonce%3D36f7d85e418f8bfe8561{}", &rest[32..]);
    assert_eq!(text, vectors["requests"][2]["base_string"].as_str().unwrap());
    assert_eq!(format!("{unsigned:?}"), "Unsigned { path: \"/tradingapi/v1/oauth/live_session_token\", .. }");
}

#[test]
fn a_signature_may_lack_leading_zeros() {
    let vectors = vectors();
    let (response, signature) = (&vectors["dh_response_hex"], vectors["lst_signature_hex"].as_str().unwrap());
    for signature in [signature.to_uppercase(), format!("0{signature}"), format!("00{signature}")] {
        assert!(accept(200, &body(response.as_str().unwrap(), &signature)).is_ok(), "{signature}");
    }
    let mut wrong = vec![String::new(), "zz".into(), signature[1..].into(), format!("1{signature}")];
    wrong.push(signature.replace("543", "544"));
    wrong.push(signature.replace("3f4", "3f5"));
    for signature in wrong {
        let outcome = accept(200, &body(response.as_str().unwrap(), &signature)).unwrap_err();
        assert_eq!(outcome, HandshakeError::Signature, "{signature}");
    }
}

#[test]
fn each_wrong_response_has_its_own_error() {
    let vectors = vectors();
    let signature = vectors["lst_signature_hex"].as_str().unwrap();
    for (status, body, error) in [
        (200, body("1", signature), HandshakeError::DiffieHellman(DhError::Response)),
        (200, body("2", signature), HandshakeError::Signature),
        (200, "<html>".into(), HandshakeError::Unreadable("no JSON object")),
        (200, r#"{"error":"x"}"#.into(), HandshakeError::Unreadable("no diffie_hellman_response")),
        (
            200,
            r#"{"diffie_hellman_response":"12","live_session_token_signature":null}"#.into(),
            HandshakeError::Unreadable("no live_session_token_signature"),
        ),
        (
            401,
            r#"{"error":"id: 39687, error: invalid consumer","statusCode":401}"#.into(),
            HandshakeError::Refused(Refusal::UnknownConsumer),
        ),
    ] {
        assert_eq!(accept(status, &body).unwrap_err(), error, "{body}");
    }
}

#[test]
fn the_expiry_is_read_either_way() {
    let day = 24 * 60 * 60;
    let of = |secs: Option<u64>| expiry(secs.map(|secs| secs * 1_000), NOW).as_secs();
    let now = NOW.as_secs();
    for (stamp, expected) in [
        (Some(now + day), now + day),
        (Some(now + 301), now + 301),
        (Some(now + 300), now + 300 + day),
        (Some(now), now + day),
        (Some(now - 3_600), now - 3_600 + day),
        (Some(now - 2 * day), now + day),
        (Some(1), now + day),
        (None, now + day),
    ] {
        assert_eq!(of(stamp), expected, "{stamp:?}");
    }
}

#[test]
fn a_token_survives_being_stored() {
    let token = LiveSessionToken::from_base64("YBWbLw+9RYP2nWrPQHxHZkBb1aM=", NOW).unwrap();
    let text = serde_json::to_string(&token).unwrap();
    assert_eq!(text, r#"["YBWbLw+9RYP2nWrPQHxHZkBb1aM=",1473793702000]"#);
    let read: LiveSessionToken = serde_json::from_str(&text).unwrap();
    assert_eq!((read.expose().expose(), read.expires()), (token.expose().expose(), NOW));
    assert_eq!(format!("{token:?}"), "LiveSessionToken { expires: 1473793702000ms, .. }");
    for wrong in ["", "YBWb", "no base64", "YBWbLw+9RYP2nWrPQHxHZkBb1aMA"] {
        assert!(LiveSessionToken::from_base64(wrong, NOW).is_err(), "{wrong}");
    }
}

#[test]
fn secrets_have_a_length() {
    assert!(AccessTokenSecret::new(Zeroizing::new(Vec::new())).is_err());
    assert!(AccessTokenSecret::new(Zeroizing::new(vec![0; 1_025])).is_err());
    assert_eq!(
        format!("{:?}", AccessTokenSecret::new(Zeroizing::new(vec![1])).unwrap()),
        "AccessTokenSecret(SecretBytes(..))"
    );
}
