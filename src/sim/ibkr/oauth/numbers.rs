//! The arithmetic of the handshake.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use crypto_bigint::modular::BoxedMontyParams;
use crypto_bigint::{BoxedUint, Odd};
use hmac::{Hmac, KeyInit, Mac};
use rsa::pkcs8::der::asn1::UintRef;
use rsa::pkcs8::der::{Reader, SliceReader};
use sha1::Sha1;

/// The size of all numbers of the group in bits.
pub(super) const BITS: u32 = 2_048;

pub(super) fn sha1(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha1>::new_from_slice(key).map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec());
    mac.unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes bytes as Java's `BigInteger.toString(16)` does: without leading zeros.
pub(super) fn digits(bytes: &[u8]) -> String {
    hex(bytes).trim_start_matches('0').to_owned()
}

pub(super) fn number(digits: &str) -> Option<BoxedUint> {
    if digits.len() > 512 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    let padded = format!("{digits:0>512}");
    let pairs = padded.as_bytes().chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok());
    BoxedUint::from_be_slice(&pairs.collect::<Option<Vec<u8>>>()?, BITS).ok()
}

/// Reads prime and generator from `BEGIN DH PARAMETERS`.
pub(super) fn read_params(pem: &str) -> Option<(BoxedMontyParams, BoxedUint)> {
    let body = pem.split_once("-----BEGIN DH PARAMETERS-----")?.1.split_once("-----END")?.0;
    let body: String = body.split_whitespace().collect();
    let der = BASE64_STANDARD.decode(body).ok()?;
    let mut reader = SliceReader::new(&der).ok()?;
    let numbers = reader.sequence(|body: &mut SliceReader<'_>| {
        let numbers = (body.decode::<UintRef<'_>>()?, body.decode::<UintRef<'_>>()?);
        while !body.is_finished() {
            body.decode::<UintRef<'_>>()?;
        }
        Ok::<_, rsa::pkcs8::der::Error>(numbers)
    });
    let (prime, generator) = numbers.ok()?;
    let prime = Odd::new(BoxedUint::from_be_slice(prime.as_bytes(), BITS).ok()?).into_option()?;
    let generator = BoxedUint::from_be_slice(generator.as_bytes(), BITS).ok()?.rem_vartime(prime.as_nz_ref());
    Some((BoxedMontyParams::new_vartime(prime), generator))
}
