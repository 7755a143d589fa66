//! Randomness drawn from the session's seed.

use core::fmt;

/// Randomness for one emission: the key is the session's, the counter never repeats within it.
#[derive(Clone, Copy)]
pub struct Entropy<'a> {
    /// 24 bytes of the caller's seed.
    pub key: &'a [u8; 24],
    /// The session's fence, so that a seed given twice by mistake still differs between lives.
    pub epoch: u64,
    /// Counts the emissions of this life.
    pub counter: u64,
}

impl fmt::Debug for Entropy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entropy").field("counter", &self.counter).finish_non_exhaustive()
    }
}

#[cfg(feature = "entropy")]
impl Entropy<'_> {
    /// Draws 32 bytes for one purpose, such as a nonce (feature `entropy`).
    ///
    /// HMAC-SHA256 is keyed with the seed and takes the labels, the fence and the counter, each with its length, so no two
    /// emissions share a value. Let the provider's name and the account be labels, too: then two accounts that run on one
    /// seed by mistake do not share one either. The same labels give the same bytes during one emission.
    ///
    /// ```
    /// use sansession::provider::Entropy;
    ///
    /// let entropy = Entropy { key: &[7; 24], epoch: 1, counter: 5 };
    /// let nonce = entropy.bytes(&["example", "ann", "nonce"]);
    /// assert_ne!(nonce, entropy.bytes(&["example", "ann", "device"]));
    /// assert_ne!(nonce, Entropy { counter: 6, ..entropy }.bytes(&["example", "ann", "nonce"]));
    /// ```
    pub fn bytes(&self, labels: &[&str]) -> [u8; 32] {
        *self.block(labels, None)
    }

    /// Draws a text for one purpose, such as the `state` of an OAuth request: 43 characters of the URL-safe alphabet of
    /// Base64, made as [`Entropy::bytes`] makes bytes (feature `entropy`).
    pub fn text(&self, labels: &[&str]) -> crate::Secret {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        crate::Secret::new(URL_SAFE_NO_PAD.encode(self.block(labels, None).as_slice()))
    }

    /// Draws one block of a stream, or the only one.
    pub(crate) fn block(&self, labels: &[&str], index: Option<u32>) -> zeroize::Zeroizing<[u8; 32]> {
        use hmac::{Hmac, KeyInit, Mac};
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(self.key) else {
            // HMAC takes keys of every length.
            return zeroize::Zeroizing::new([0; 32]);
        };
        for label in labels {
            mac.update(&u16::try_from(label.len()).unwrap_or(u16::MAX).to_be_bytes());
            mac.update(label.as_bytes());
        }
        mac.update([self.epoch.to_be_bytes(), self.counter.to_be_bytes()].as_flattened());
        if let Some(index) = index {
            mac.update(&index.to_be_bytes());
        }
        zeroize::Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

#[cfg(all(test, feature = "entropy"))]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_source_changes_what_is_drawn() {
        let key = [7; 24];
        let of = |key, epoch, counter| Entropy { key, epoch, counter };
        let other = [8; 24];
        let drawn = [
            of(&key, 1, 1).bytes(&["me", "nonce"]),
            of(&other, 1, 1).bytes(&["me", "nonce"]),
            of(&key, 2, 1).bytes(&["me", "nonce"]),
            of(&key, 1, 2).bytes(&["me", "nonce"]),
            of(&key, 1, 1).bytes(&["you", "nonce"]),
            of(&key, 1, 1).bytes(&["men", "once"]),
            of(&key, 1, 1).bytes(&["menonce"]),
            of(&key, 1, 1).bytes(&["me", "exponent"]),
            *of(&key, 1, 1).block(&["me", "nonce"], Some(0)),
            *of(&key, 1, 1).block(&["me", "nonce"], Some(1)),
        ];
        for (at, one) in drawn.iter().enumerate() {
            assert!(drawn.iter().skip(at + 1).all(|two| one != two), "{at}");
        }
        assert_eq!(of(&key, 1, 1).bytes(&["me", "nonce"]), drawn[0]);
    }

    #[test]
    fn a_text_can_stand_in_a_url() {
        let text = Entropy { key: &[7; 24], epoch: 0, counter: 0 }.text(&["state"]);
        assert_eq!(text.expose().len(), 43);
        assert!(text.expose().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
    }
}
