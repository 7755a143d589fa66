//! Secrets at rest: sealed with XChaCha20-Poly1305, bound to the row that they stand in.

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use anyhow::{Context, Result, bail};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

/// The keys that this process knows, by their numbers: one, or two while they are rotated.
pub struct KeyRing(BTreeMap<i32, XChaCha20Poly1305>);

/// A sealed text, as it stands in a row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sealed {
    /// The number of the key.
    pub key_id: i32,
    /// 24 random bytes: so many that they may be drawn without counting how many were before.
    pub nonce: Vec<u8>,
    /// The ciphertext with its tag.
    pub bytes: Vec<u8>,
}

/// What a sealed text belongs to. It is authenticated with it, so a text that is moved to another row,
/// another column or another fence is refused.
#[derive(Clone, Copy, Debug)]
pub enum Belongs {
    /// The snapshot of an account's session, as written under a fence.
    Snapshot { account: i64, fence: i64 },
    /// The answer to the question of an account's session.
    Answer { account: i64 },
}

impl KeyRing {
    /// Takes keys as `1:HEX,2:HEX`, 32 bytes each. A service gets them from its key store.
    pub fn parse(text: &str) -> Result<Self> {
        let mut keys = BTreeMap::new();
        for entry in text.split(',') {
            let (id, hex) = entry.split_once(':').context("a key is NUMBER:HEX")?;
            let key = Zeroizing::new(bytes(hex).context("a key has 64 hex digits")?);
            let cipher = XChaCha20Poly1305::new_from_slice(&key).ok().context("a key has 32 bytes")?;
            keys.insert(id.parse().context("a key's number")?, cipher);
        }
        Ok(Self(keys))
    }

    /// Draws keys of these numbers, as text for [`KeyRing::parse`].
    pub fn draw(ids: impl IntoIterator<Item = i32>) -> Result<Zeroizing<String>> {
        let mut text = Zeroizing::new(String::with_capacity(256));
        for id in ids {
            let mut key = Zeroizing::new([0_u8; 32]);
            fill(key.as_mut_slice())?;
            let hex: Zeroizing<String> = Zeroizing::new(key.iter().map(|byte| format!("{byte:02x}")).collect());
            let comma = if text.is_empty() { "" } else { "," };
            write!(text, "{comma}{id}:{}", *hex)?;
        }
        Ok(text)
    }

    /// Seals a text under one of the keys.
    pub fn seal(&self, key_id: i32, belongs: Belongs, text: &str) -> Result<Sealed> {
        let Some(cipher) = self.0.get(&key_id) else { bail!("key {key_id} is not known here") };
        let mut nonce = [0; 24];
        fill(&mut nonce)?;
        let payload = Payload { msg: text.as_bytes(), aad: &belongs.to_bytes() };
        let bytes = cipher.encrypt(&XNonce::from(nonce), payload).ok().context("the text cannot be sealed")?;
        Ok(Sealed { key_id, nonce: nonce.into(), bytes })
    }

    /// Opens a sealed text, if it is the one that belongs there.
    pub fn open(&self, belongs: Belongs, sealed: &Sealed) -> Result<Zeroizing<String>> {
        let Some(cipher) = self.0.get(&sealed.key_id) else { bail!("key {} is not known here", sealed.key_id) };
        let nonce = <[u8; 24]>::try_from(sealed.nonce.as_slice()).ok().context("the nonce has not 24 bytes")?;
        let payload = Payload { msg: &sealed.bytes, aad: &belongs.to_bytes() };
        let Ok(bytes) = cipher.decrypt(&XNonce::from(nonce), payload) else {
            bail!("the row is damaged, or was sealed for another account or fence");
        };
        String::from_utf8(bytes).map(Zeroizing::new).map_err(|error| {
            drop(Zeroizing::new(error.into_bytes()));
            anyhow::anyhow!("the sealed bytes are no text")
        })
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.0.keys()).finish()
    }
}

impl Belongs {
    fn to_bytes(self) -> Vec<u8> {
        match self {
            Self::Snapshot { account, fence } => format!("snapshot {account} {fence}").into_bytes(),
            Self::Answer { account } => format!("answer {account}").into_bytes(),
        }
    }
}

fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| anyhow::anyhow!("no randomness: {error}"))
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits = hex.as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Belongs = Belongs::Snapshot { account: 1, fence: 5 };

    #[test]
    fn what_is_sealed_for_one_row_opens_in_no_other() {
        let ring = KeyRing::parse(&KeyRing::draw([1, 2]).unwrap()).unwrap();
        let sealed = ring.seal(2, HERE, "token").unwrap();
        assert_eq!(*ring.open(HERE, &sealed).unwrap(), "token");
        let others = [
            Belongs::Snapshot { account: 2, fence: 5 },
            Belongs::Snapshot { account: 1, fence: 6 },
            Belongs::Answer { account: 1 },
        ];
        for other in others {
            let error = ring.open(other, &sealed).unwrap_err().to_string();
            assert_eq!(error, "the row is damaged, or was sealed for another account or fence");
        }
    }

    #[test]
    fn damage_and_unknown_keys_are_told() {
        let ring = KeyRing::parse(&KeyRing::draw([1]).unwrap()).unwrap();
        let sealed = ring.seal(1, HERE, "token").unwrap();
        let mut bent = sealed.clone();
        bent.bytes[0] ^= 1;
        assert!(ring.open(HERE, &bent).is_err());
        let short = Sealed { nonce: vec![0; 12], ..sealed.clone() };
        assert_eq!(ring.open(HERE, &short).unwrap_err().to_string(), "the nonce has not 24 bytes");
        let foreign = Sealed { key_id: 9, ..sealed };
        assert_eq!(ring.open(HERE, &foreign).unwrap_err().to_string(), "key 9 is not known here");
        assert!(ring.seal(9, HERE, "token").is_err());
    }

    #[test]
    fn keys_are_told_from_other_text_and_never_shown() {
        for wrong in ["", "1", "1:", "1:zz", "x:00", "1:00"] {
            assert!(KeyRing::parse(wrong).is_err(), "{wrong}");
        }
        let text = KeyRing::draw([1, 2]).unwrap();
        assert_eq!(format!("{:?}", KeyRing::parse(&text).unwrap()), "KeyRing([1, 2])");
    }
}
