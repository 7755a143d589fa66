//! External keys: in a vault or an HSM, which signs but does not export them.

use core::fmt;

use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs8::{DecodePublicKey, EncodePublicKey, SubjectPublicKeyInfoRef, der::Decode};
use rsa::traits::PublicKeyParts;
use rsa::{Pkcs1v15Sign, PublicKey as RsaPublicKey};
use sha2::{Digest, Sha256};

use super::{KeyError, PrivateKey, RSA_ENCRYPTION, SHORTEST, pem};
use crate::providers::ibkr::hex;

/// The public half of an RSA key that is kept elsewhere.
///
/// With it a session asks for each signature with a [`Need`](crate::Need) of the kind
/// [`Signature`](crate::NeedKind::Signature) and checks the answer before anything leaves.
pub struct PublicKey {
    key: RsaPublicKey,
    fingerprint: Box<str>,
}

impl PublicKey {
    /// Reads a PEM file, PKCS#1 (`BEGIN RSA PUBLIC KEY`) or X.509 (`BEGIN PUBLIC KEY`): what vaults
    /// and HSMs export, and what was uploaded to IBKR.
    ///
    /// # Errors
    /// [`KeyError`] says what the file is instead, or what is wrong with the key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::first(text).ok_or(KeyError::NotPem)?;
        let key = match block.label {
            "RSA PUBLIC KEY" => RsaPublicKey::from_pkcs1_der(&block.der).map_err(|_| KeyError::Malformed)?,
            "PUBLIC KEY" => {
                let info = SubjectPublicKeyInfoRef::from_der(&block.der).map_err(|_| KeyError::Malformed)?;
                if info.algorithm.oid != RSA_ENCRYPTION {
                    return Err(KeyError::NotRsa);
                }
                RsaPublicKey::from_public_key_der(&block.der).map_err(|_| KeyError::Malformed)?
            }
            label if label.ends_with("PRIVATE KEY") => return Err(KeyError::Private),
            "CERTIFICATE" => return Err(KeyError::Certificate),
            "DH PARAMETERS" | "X9.42 DH PARAMETERS" => return Err(KeyError::DhParameters),
            _ => return Err(KeyError::Unknown),
        };
        Self::from_key(key)
    }

    /// Creates a key that is long enough.
    pub(super) fn from_key(key: RsaPublicKey) -> Result<Self, KeyError> {
        let der = key.to_public_key_der().map_err(|_| KeyError::Malformed)?;
        let mut fingerprint = String::with_capacity(32);
        hex::push(&mut fingerprint, Sha256::digest(der.as_bytes()).get(..16).unwrap_or_default());
        let key = Self { fingerprint: fingerprint.into(), key };
        key.at_least(SHORTEST)?;
        Ok(key)
    }

    /// Returns the length of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.key.n().bit_width()
    }

    /// Checks that the modulus has at least this many bits.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] where it has fewer.
    pub fn at_least(&self, needed: u32) -> Result<(), KeyError> {
        let bits = self.bits();
        if bits < needed { Err(KeyError::TooShort { bits, needed }) } else { Ok(()) }
    }

    /// Returns 32 hexadecimal digits that identify the key: the start of the SHA-256 of the public half
    /// (`openssl pkey -pubout -outform DER | sha256sum`).
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Reports whether a signature (RSASSA-PKCS1-v1_5) of a SHA-256 digest is this key's.
    pub fn verifies(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        self.key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublicKey").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The key that signs, or whose signatures are asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignatureKey {
    /// The key is in this process and signs inside the session.
    Local(Box<PrivateKey>),
    /// The key is kept elsewhere: the session asks for each signature.
    Remote(Box<PublicKey>),
}

impl SignatureKey {
    /// Returns the public half.
    pub const fn public(&self) -> &PublicKey {
        match self {
            Self::Local(key) => key.public(),
            Self::Remote(key) => key,
        }
    }

    /// Returns the [fingerprint](PublicKey::fingerprint) of the key.
    pub fn fingerprint(&self) -> &str {
        self.public().fingerprint()
    }

    /// Checks that the modulus has at least this many bits.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] where it has fewer.
    pub fn at_least(&self, needed: u32) -> Result<(), KeyError> {
        self.public().at_least(needed)
    }

    /// Reports whether each signature has to be asked for.
    pub const fn is_remote(&self) -> bool {
        matches!(self, Self::Remote(_))
    }

    /// Reports whether a signature from elsewhere is this key's.
    pub(crate) fn admits(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
        self.is_remote() && self.public().verifies(digest, signature)
    }
}

impl From<PrivateKey> for SignatureKey {
    fn from(key: PrivateKey) -> Self {
        Self::Local(Box::new(key))
    }
}

impl From<PublicKey> for SignatureKey {
    fn from(key: PublicKey) -> Self {
        Self::Remote(Box::new(key))
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{ENTROPY, keys};
    use super::*;

    #[test]
    fn the_public_half_knows_its_signatures() {
        let [key, other] = keys();
        let public = PublicKey::from_pem(&key.public_pem().unwrap()).unwrap();
        assert_eq!(public.fingerprint(), key.fingerprint());
        let signature = key.sign(&[5; 32], ENTROPY).unwrap();
        assert!(public.verifies(&[5; 32], &signature));
        assert!(!public.verifies(&[6; 32], &signature));
        assert!(!public.verifies(&[5; 32], &other.sign(&[5; 32], ENTROPY).unwrap()));
        assert!(!public.verifies(&[5; 32], &[]));
    }

    #[test]
    fn each_wrong_kind_of_file_has_its_own_error() {
        let block = |label: &str| format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n");
        for (text, error) in [
            ("nothing".to_owned(), KeyError::NotPem),
            (block("PRIVATE KEY"), KeyError::Private),
            (block("RSA PRIVATE KEY"), KeyError::Private),
            (block("CERTIFICATE"), KeyError::Certificate),
            (block("DH PARAMETERS"), KeyError::DhParameters),
            (block("X"), KeyError::Unknown),
            (block("PUBLIC KEY"), KeyError::Malformed),
            (block("RSA PUBLIC KEY"), KeyError::Malformed),
        ] {
            assert_eq!(PublicKey::from_pem(&text).unwrap_err(), error, "{text}");
        }
    }
}
