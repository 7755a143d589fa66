//! What cannot be right is refused before anything leaves, each with its own error.

use sansession::providers::ibkr::direct::OAuth2Error;
use sansession::providers::ibkr::keys::{KeyError, PrivateKey};
use sansession::providers::ibkr::oauth1a::{Consumer, DhError, DhParams, Grant, GrantError, SignError};
use sansession::providers::ibkr::oauth2::Client;
use sansession::providers::ibkr::{OAuth1a, OAuth2};

use crate::ibkr_direct::keys::institution_keys;
use crate::ibkr_direct::*;

#[test]
fn keys_that_are_mixed_up_are_found_out() {
    let keys = client_keys();
    let (_, issued) = server(START);
    let grant = Grant::new(issued.access_token.as_str(), issued.encrypted_secret.as_str()).unwrap();
    let made = |encryption: &sansession::Secret| {
        let params = DhParams::from_pem(&keys.dh_params).unwrap();
        let consumer = Consumer::new(CONSUMER).unwrap();
        OAuth1a::new(consumer, &grant, key(&keys.encryption), &key(encryption), params).map(drop).unwrap_err()
    };
    assert_eq!(made(&keys.signature), GrantError::Key(KeyError::DoesNotFit));
    let longer = GrantError::Key(KeyError::Ciphertext { length: 256, expected: 384 });
    assert_eq!(made(&institution_keys().signature), longer);
}

#[test]
fn numbers_that_are_no_group_are_found_out() {
    let prime = "f".repeat(512);
    let even = format!("{}e", "f".repeat(511));
    for (prime, generator, error) in [
        (even.as_str(), "2", DhError::PrimeEven),
        (&prime[..500], "2", DhError::PrimeSize),
        ("xyz", "2", DhError::PrimeSize),
        (&prime, "1", DhError::Generator),
        (&prime, &even, DhError::Generator),
    ] {
        assert_eq!(DhParams::from_hex(prime, generator).map(drop).unwrap_err(), error, "{generator}");
    }
    assert_eq!(DhParams::from_pem(client_keys().signature.expose()).map(drop).unwrap_err(), DhError::WrongKind);
    assert_eq!(PrivateKey::from_pem(&client_keys().dh_params).unwrap_err(), KeyError::DhParameters);
    assert_eq!(PrivateKey::from_pem(&client_keys().signature_public).unwrap_err(), KeyError::Public);
}

#[test]
fn names_that_cannot_be_are_found_out() {
    assert_eq!(Consumer::new("").unwrap_err(), SignError::Malformed("consumer key"));
    assert_eq!(Consumer::new("A B").unwrap_err(), SignError::Malformed("consumer key"));
    assert_eq!(Grant::new("", "QUJD").unwrap_err(), GrantError::Malformed("access token"));
    assert_eq!(Grant::new("abc", "%").unwrap_err(), GrantError::Malformed("access token secret"));
    let client = Client::new("client", "main").unwrap();
    let ip = IpAddr::from([192, 0, 2, 1]);
    let short = OAuth2::new(client.clone(), key(&client_keys().signature), "u", ip).map(drop).unwrap_err();
    assert_eq!(short, OAuth2Error::Key(KeyError::TooShort { bits: 2_048, needed: 3_072 }));
    let nobody = OAuth2::new(client, key(&institution_keys().signature), "", ip).map(drop).unwrap_err();
    assert_eq!(nobody, OAuth2Error::User);
}
