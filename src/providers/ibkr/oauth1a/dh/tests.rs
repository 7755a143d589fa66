use num_bigint::{BigInt, BigUint};

use super::*;
use crate::providers::ibkr::oauth1a::vectors;

/// The 2048-bit prime of RFC 3526, whose generator is 2.
pub(crate) const RFC_3526: &str = "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68FFFFFFFFFFFFFFFF";

fn big(hex: &str) -> BigUint {
    BigUint::parse_bytes(hex.as_bytes(), 16).unwrap()
}

/// What Java's `BigInteger.toByteArray` gives, by another implementation.
fn java_bytes(number: &BigUint) -> Vec<u8> {
    BigInt::from(number.clone()).to_signed_bytes_be()
}

fn exponent(number: &BigUint) -> Exponent {
    let bytes = number.to_bytes_be();
    let mut padded = [0; 32];
    padded[32 - bytes.len()..].copy_from_slice(&bytes);
    Exponent::from_be_bytes(&padded)
}

fn drawn(counter: u64) -> [u8; 32] {
    *draw::bytes(&Entropy { key: &[9; 24], epoch: 1, counter }, "test", "round")
}

#[test]
fn the_worked_example_comes_out() {
    let vectors = vectors();
    let text = |name: &str| vectors[name].as_str().unwrap();
    let params = DhParams::from_hex(text("dh_prime_hex"), text("dh_generator_hex")).unwrap();
    assert_eq!(format!("{params:?}"), "DhParams { bits: 2045, .. }");
    let exponent = exponent(&text("dh_private_dec").parse().unwrap());
    let challenge = params.challenge(&exponent);
    assert_eq!(challenge, text("dh_challenge_hex"));
    let shared = params.shared(&exponent, text("dh_response_hex")).unwrap();
    assert_eq!(BigUint::from_bytes_be(shared.expose()), big(text("shared_secret_hex")));
    assert_eq!(shared.expose().len(), 256);
    assert_eq!(big(text("shared_secret_hex")).bits(), vectors["shared_secret_bits"].as_u64().unwrap());
}

/// Runs rounds against another implementation; tells how many had a zero byte in front of the secret
/// and how many challenges an odd number of digits.
fn rounds(prime: &str, generator: &str, rounds: core::ops::Range<u64>) -> [usize; 2] {
    let params = DhParams::from_hex(prime, generator).unwrap();
    let (prime, generator) = (big(prime), big(generator));
    let (mut padded, mut odd) = (0, 0);
    for round in rounds {
        let (a, response) = (BigUint::from_bytes_be(&drawn(2 * round)), drawn(2 * round + 1));
        // The other implementation needs less time for short exponents; ours always the same.
        let a = if round % 8 == 0 { a } else { a >> 192 };
        let response = BigUint::from_bytes_be(&response).pow(9) % &prime;
        let shared = params.shared(&exponent(&a), &response.to_str_radix(16)).unwrap();
        let expected = java_bytes(&response.modpow(&a, &prime));
        assert_eq!(shared.expose(), expected, "round {round}");
        padded += usize::from(expected[0] == 0);
        if round % 8 == 0 {
            let challenge = params.challenge(&exponent(&a));
            assert_eq!(challenge, generator.modpow(&a, &prime).to_str_radix(16), "round {round}");
            odd += challenge.len() % 2;
        }
    }
    [padded, odd]
}

#[test]
fn nine_thousand_rounds_agree_with_another_implementation() {
    let [padded, odd] = rounds(RFC_3526, "2", 0..9_000);
    // The padded case is an everyday one.
    assert!(padded > 4_000 && odd > 0, "{padded} {odd}");
}

#[test]
fn another_thousand_rounds_agree_with_the_prime_of_the_worked_example() {
    let vectors = vectors();
    let text = |name: &str| vectors[name].as_str().unwrap();
    let [padded, odd] = rounds(text("dh_prime_hex"), text("dh_generator_hex"), 9_000..10_000);
    assert!(padded < 200 && odd > 0, "{padded} {odd}");
}

#[test]
fn secrets_are_the_shortest_twos_complement() {
    for number in ["1", "7f", "80", "ff", "100", "7fff", "8000", "ff00", "ffff"] {
        let shared = SharedSecret::new(&integer(&hex::integer::<256>(number).unwrap()).unwrap());
        assert_eq!(shared.expose(), java_bytes(&big(number)), "{number}");
    }
    let largest = SharedSecret::new(&BoxedUint::max(2048));
    assert_eq!((largest.expose().len(), largest.expose()[0]), (257, 0));
    assert_eq!(SharedSecret::new(&BoxedUint::zero()).expose(), [0]);
}

#[test]
fn each_wrong_number_has_its_own_error() {
    let prime = big(RFC_3526);
    let hex = |number: BigUint| number.to_str_radix(16);
    let of = |prime: &str, generator: &str| DhParams::from_hex(prime, generator).map(|_| ());
    assert_eq!(of(RFC_3526, "2"), Ok(()));
    // A generator above the prime is reduced, as that of the worked example.
    assert_eq!(of(RFC_3526, &hex(&prime + 2_u8)), Ok(()));
    assert_eq!(of(&hex(&prime - 1_u8), "2"), Err(DhError::PrimeEven));
    assert_eq!(of(&hex(&prime >> 9), "2"), Err(DhError::PrimeSize));
    assert_eq!(of(&hex(&prime >> 8), "2"), Ok(()));
    assert_eq!(of(&hex((&prime << 1) + 1_u8), "2"), Err(DhError::PrimeSize));
    for none in ["", "xyz", "-5"] {
        assert_eq!(of(none, "2"), Err(DhError::PrimeSize), "{none}");
        assert_eq!(of(RFC_3526, none), Err(DhError::Generator), "{none}");
    }
    for generator in [BigUint::ZERO, 1_u8.into(), &prime - 1_u8, prime.clone(), &prime + 1_u8] {
        assert_eq!(of(RFC_3526, &hex(generator)), Err(DhError::Generator));
    }
    let params = DhParams::from_hex(RFC_3526, "2").unwrap();
    let exponent = Exponent::from_be_bytes(&drawn(0));
    let all: BigUint = (BigUint::from(1_u8) << 2_048_usize) - 1_u8;
    for response in [BigUint::ZERO, 1_u8.into(), &prime - 1_u8, prime.clone(), &prime + 2_u8, all.clone(), all * 2_u8] {
        assert_eq!(params.shared(&exponent, &hex(response)).unwrap_err(), DhError::Response);
    }
    for response in ["", "zz", "0x12", "-3"] {
        assert_eq!(params.shared(&exponent, response).unwrap_err(), DhError::Response);
    }
    assert!(params.shared(&exponent, &hex(prime - 2_u8)).is_ok());
    assert!(params.shared(&exponent, "00002").is_ok());
}

#[test]
fn files_of_openssl_are_read() {
    let der = |numbers: &[&BigUint]| {
        let mut body = Vec::new();
        for number in numbers {
            let bytes = java_bytes(number);
            body.push(2);
            match u8::try_from(bytes.len()) {
                Ok(short @ ..0x80) => body.push(short),
                _ => body.extend([0x82, (bytes.len() >> 8) as u8, bytes.len() as u8]),
            }
            body.extend(bytes);
        }
        let length = [0x82, (body.len() >> 8) as u8, body.len() as u8];
        let whole: Vec<u8> = [0x30].into_iter().chain(length).chain(body).collect();
        use base64::Engine;
        let text = base64::prelude::BASE64_STANDARD.encode(whole);
        format!("-----BEGIN DH PARAMETERS-----\n{text}\n-----END DH PARAMETERS-----\n")
    };
    let (prime, two) = (big(RFC_3526), BigUint::from(2_u8));
    let exponent = Exponent::from_be_bytes(&drawn(0));
    let expected = DhParams::from_hex(RFC_3526, "2").unwrap().challenge(&exponent);
    for text in [der(&[&prime, &two]), der(&[&prime, &two, &225_u8.into()])] {
        assert_eq!(DhParams::from_pem(&text).unwrap().challenge(&exponent), expected);
    }
    for (text, error) in [
        (String::new(), DhError::NotPem),
        ("-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----".into(), DhError::WrongKind),
        ("-----BEGIN DH PARAMETERS-----\nAQID\n-----END DH PARAMETERS-----".into(), DhError::Malformed),
        (der(&[&prime]), DhError::Malformed),
        (der(&[&two, &prime]), DhError::PrimeSize),
        (der(&[&(&prime << 64), &two]), DhError::PrimeSize),
    ] {
        assert_eq!(DhParams::from_pem(&text).unwrap_err(), error, "{text}");
    }
}

#[test]
fn exponents_are_drawn_with_256_bits() {
    let draw = |counter| Exponent::draw(&Entropy { key: &[9; 24], epoch: 1, counter }, "test").0.to_be_bytes();
    for counter in 0..100 {
        assert!(draw(counter).len() == 32 && draw(counter)[0] >= 0x80);
    }
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
}
