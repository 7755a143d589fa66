//! What a simulated client brings: keys and parameters that are made at the start and thrown away.

use core::convert::Infallible;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rsa::PrivateKey as RsaPrivateKey;
use rsa::pkcs8::{EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use super::oauth::Upload;
use crate::Secret;

/// Throw-away keys of one client, as PEM texts. Never use them for a real account.
#[derive(Debug)]
#[non_exhaustive]
pub struct Keys {
    /// The private key that signs.
    pub signature: Secret,
    /// Its public half.
    pub signature_public: String,
    /// The private key that access token secrets are encrypted for.
    pub encryption: Secret,
    /// Its public half.
    pub encryption_public: String,
    /// The 2048-bit prime of RFC 3526 and the generator 2.
    pub dh_params: String,
}

impl Keys {
    /// Returns what a consumer uploads of them, for [`OAuthServer::register`](super::oauth::OAuthServer::register).
    pub fn upload(&self) -> Upload<'_> {
        Upload { signature: &self.signature_public, encryption: &self.encryption_public, dh_params: &self.dh_params }
    }

    /// Creates keys of so many bits from 32 random bytes; it takes about a second without optimization.
    ///
    /// Returns `None` where no key of that length can be made.
    pub fn generate(seed: [u8; 32], bits: usize) -> Option<Self> {
        let mut random = Random::new(seed);
        let mut pair = || {
            let key = RsaPrivateKey::new(&mut random, bits).ok()?;
            let private = Secret::new(key.to_pkcs8_pem(LineEnding::LF).ok()?.as_str());
            Some((private, key.as_public_key().to_public_key_pem(LineEnding::LF).ok()?))
        };
        let ((signature, signature_public), (encryption, encryption_public)) = (pair()?, pair()?);
        let dh_params = dh_params();
        Some(Self { signature, signature_public, encryption, encryption_public, dh_params })
    }
}

/// The prime of RFC 3526, group 14, without its 64 leading and 64 trailing one bits.
const PRIME: &str = "C90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7EDEE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3BE39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA051015728E5A8AACAA68";

fn dh_params() -> String {
    // SEQUENCE (264 bytes) { INTEGER (257 bytes) prime, INTEGER 2 }
    let mut der = vec![0x30, 0x82, 0x01, 0x08, 0x02, 0x82, 0x01, 0x01, 0x00];
    der.extend([0xff; 8]);
    der.extend(
        PRIME.as_bytes().chunks(2).filter_map(|pair| u8::from_str_radix(core::str::from_utf8(pair).ok()?, 16).ok()),
    );
    der.extend([0xff; 8]);
    der.extend([0x02, 0x01, 0x02]);
    format!("-----BEGIN DH PARAMETERS-----\n{}\n-----END DH PARAMETERS-----\n", BASE64_STANDARD.encode(der))
}

/// The simulated servers' randomness: SHA-256 over a seed and a counter.
#[derive(Clone)]
pub(super) struct Random {
    seed: [u8; 32],
    counter: u64,
}

impl Random {
    pub(super) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub(super) fn block(&mut self) -> [u8; 32] {
        self.counter += 1;
        Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize().into()
    }

    /// Draws a token of hexadecimal digits, at most 64.
    pub(super) fn token(&mut self, digits: usize) -> String {
        let mut token: String = self.block().iter().map(|byte| format!("{byte:02x}")).collect();
        token.truncate(digits);
        token
    }
}

impl core::fmt::Debug for Random {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.debug_struct("Random").field("counter", &self.counter).finish_non_exhaustive()
    }
}

impl TryRng for Random {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        for chunk in target.chunks_mut(32) {
            for (byte, drawn) in chunk.iter_mut().zip(self.block()) {
                *byte = drawn;
            }
        }
        Ok(())
    }
}

impl TryCryptoRng for Random {}
