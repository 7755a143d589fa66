//! Nonces, exponents and blinding drawn from the session's seed.

use core::convert::Infallible;

use rsa::rand_core::{TryCryptoRng, TryRng};
use zeroize::Zeroizing;

use crate::provider::Entropy;

/// Draws 32 bytes for one purpose of one emission.
pub(crate) fn bytes(entropy: &Entropy<'_>, account: &str, label: &str) -> Zeroizing<[u8; 32]> {
    entropy.block(&["ibkr", account, label], None)
}

/// Draws a nonce of 32 lower-case hexadecimal digits.
///
/// IBKR's documents show 128 bits in hexadecimal; other lengths are taken too.
pub(crate) fn nonce(entropy: &Entropy<'_>, account: &str) -> [u8; 32] {
    let drawn = bytes(entropy, account, "nonce");
    let mut nonce = [0; 32];
    for (pair, byte) in nonce.as_chunks_mut::<2>().0.iter_mut().zip(drawn.iter()) {
        *pair = super::hex::byte(*byte);
    }
    nonce
}

/// A stream of drawn bytes, for the blinding of RSA operations.
pub(crate) struct Stream<'a> {
    entropy: Entropy<'a>,
    account: &'a str,
    label: &'a str,
    index: u32,
    left: Zeroizing<[u8; 32]>,
    used: usize,
}

impl<'a> Stream<'a> {
    /// Creates the stream of one purpose of one emission.
    pub(crate) fn new(entropy: Entropy<'a>, account: &'a str, label: &'a str) -> Self {
        Self { entropy, account, label, index: 0, left: Zeroizing::new([0; 32]), used: 32 }
    }

    fn byte(&mut self) -> u8 {
        if self.used >= self.left.len() {
            self.left = self.entropy.block(&["ibkr", self.account, self.label], Some(self.index));
            self.index = self.index.wrapping_add(1);
            self.used = 0;
        }
        let byte = self.left.get(self.used).copied().unwrap_or_default();
        self.used += 1;
        byte
    }
}

impl TryRng for Stream<'_> {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(u32::from_le_bytes([self.byte(), self.byte(), self.byte(), self.byte()]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let (low, high) = (self.try_next_u32()?, self.try_next_u32()?);
        Ok(u64::from(high) << 32 | u64::from(low))
    }

    fn try_fill_bytes(&mut self, target: &mut [u8]) -> Result<(), Infallible> {
        target.fill_with(|| self.byte());
        Ok(())
    }
}

impl TryCryptoRng for Stream<'_> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_32_hexadecimal_digits() {
        let nonce = nonce(&Entropy { key: &[7; 24], epoch: 0, counter: 0 }, "me");
        assert!(nonce.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }
}
