//! Whole handshakes against a straightforward server in other hands: `num-bigint` for the numbers,
//! RSA verification for the signature.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use http::Request;
use num_bigint::{BigInt, BigUint};
use rsa::pkcs8::DecodePublicKey;
use rsa::{Pkcs1v15Sign, PublicKey as RsaPublicKey};
use sha1::Sha1;
use sha2::{Digest, Sha256};

use super::dh::tests::RFC_3526;
use super::*;
use crate::provider::Entropy;
use crate::providers::ibkr::draw;
use crate::providers::ibkr::keys::tests::keys;
use crate::{BaseUrl, Response, Timestamp};

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);

#[test]
fn the_rsa_signatures_of_the_worked_example_verify() {
    let vectors = vectors();
    let key = RsaPublicKey::from_public_key_pem(vectors["signing_public_key_pem"].as_str().unwrap()).unwrap();
    let mut count = 0;
    for request in vectors["requests"].as_array().unwrap().iter().filter(|request| request["alg"] == "RSA-SHA256") {
        let digest = Sha256::digest(request["base_string"].as_str().unwrap());
        let signature = BASE64_STANDARD.decode(request["signature_b64"].as_str().unwrap()).unwrap();
        key.verify(Pkcs1v15Sign::new::<Sha256>(), &digest, &signature).unwrap();
        count += 1;
    }
    assert_eq!(count, 3);
}

#[test]
fn the_worked_examples_token_was_encrypted_for_its_key() {
    let vectors = vectors();
    let grant = Grant::new("6f531f8fd316915af53f", vectors["access_token_secret_encrypted_b64"].as_str().unwrap());
    assert_eq!(grant.unwrap().ciphertext().unwrap().len(), 256);
}

fn sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = Hmac::<Sha1>::new_from_slice(key).unwrap();
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

fn fields(request: &Request<Vec<u8>>) -> Vec<(String, String)> {
    let header = request.headers()["authorization"].to_str().unwrap();
    let fields = header.strip_prefix("OAuth ").unwrap().split(", ").map(|field| {
        let (name, value) = field.split_once('=').unwrap();
        let value = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
        (name.to_owned(), value.replace("%2B", "+").replace("%2F", "/").replace("%3D", "="))
    });
    fields.collect()
}

#[test]
fn two_hundred_handshakes_agree_with_another_implementation() {
    let [signature_key, encryption_key] = keys();
    let (prime, two) = (BigUint::parse_bytes(RFC_3526.as_bytes(), 16).unwrap(), BigUint::from(2_u8));
    let params = DhParams::from_hex(RFC_3526, "2").unwrap();
    let consumer = Consumer::new("ABCDEFGHI").unwrap();
    let base = BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap();
    let (mut padded, mut short) = (0, 0);
    for round in 0..200 {
        let plain = draw::bytes(&Entropy { key: &[1; 24], epoch: 0, counter: round }, "server", "secret");
        let grant = Grant::new("6f531f8fd316915af53f", BASE64_STANDARD.encode(encryption_key.seal(&*plain))).unwrap();
        let entropy = Entropy { key: &[2; 24], epoch: 1, counter: round };
        let secret = grant.secret(encryption_key, entropy).unwrap();
        let handshake =
            Handshake { consumer: &consumer, access_token: grant.access_token(), secret: &secret, params: &params };
        let request = handshake.request(&base, NOW, &entropy).unwrap().sign(signature_key, entropy).unwrap();

        // The server: the signature over the text, joined by hand.
        let mut fields = fields(&request);
        let of = |name: &str| fields.iter().find(|field| field.0 == name).unwrap().1.clone();
        let challenge = BigUint::parse_bytes(of("diffie_hellman_challenge").as_bytes(), 16).unwrap();
        let signature = BASE64_STANDARD.decode(of("oauth_signature")).unwrap();
        fields.retain(|(name, _)| name != "realm" && name != "oauth_signature");
        fields.sort();
        let joined = fields.iter().map(|(name, value)| format!("{name}%3D{value}")).collect::<Vec<_>>().join("%26");
        let digits = plain.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let text = format!("{digits}POST&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Foauth%2Flive_session_token&{joined}");
        assert!(signature_key.verifies(&Sha256::digest(text).into(), &signature), "round {round}");

        // Its half, and the token.
        let entropy_of_server = Entropy { key: &[3; 24], epoch: 1, counter: round };
        let b = BigUint::from_bytes_be(&*draw::bytes(&entropy_of_server, "server", "exponent"));
        let shared = BigInt::from(challenge.modpow(&b, &prime)).to_signed_bytes_be();
        let token = sha1(&shared, &*plain);
        let proof = BigUint::from_bytes_be(&sha1(&token, b"ABCDEFGHI")).to_str_radix(16);
        padded += usize::from(shared[0] == 0);
        short += usize::from(proof.len() < 40);
        let body = format!(
            r#"{{"diffie_hellman_response":"{}","live_session_token_signature":"{proof}","live_session_token_expiration":{}}}"#,
            two.modpow(&b, &prime).to_str_radix(16),
            NOW.as_millis()
        );
        let response = http::Response::new(body);
        let made = handshake.accept(Response::from(&response), NOW, &entropy).unwrap();
        assert_eq!(made.expose().expose(), BASE64_STANDARD.encode(token), "round {round}");
    }
    assert!(padded > 50 && short > 0, "{padded} {short}");
}
