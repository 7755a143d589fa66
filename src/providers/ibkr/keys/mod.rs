//! RSA private keys: signing with RSA-SHA256 and decrypting, both PKCS#1 v1.5.
//!
//! # Why the `rsa` crate
//! It is pure Rust, maintained by RustCrypto. Release 0.9 has a timing leak (the Marvin attack,
//! RUSTSEC-2023-0071). Release 0.10 computes in constant time on `crypto-bigint`, and its authors consider
//! the leak fixed; the advisory may not name a patched release yet, see `deny.toml`. aws-lc-rs would
//! bring C and cmake and has no modular exponentiation for the Diffie-Hellman part, openssl a system
//! library.
//!
//! Marvin and similar attacks need a remote party that sends many altered ciphertexts and
//! measures the responses. Here one fixed ciphertext is decrypted, the access token secret of the
//! account itself: it comes from the owner's configuration or from IBKR's answer to the owner's
//! consent, nobody else chooses it, and no remote party sees the result. That is also why a
//! ciphertext that does not fit the key may be a separate error here
//! ([`KeyError::DoesNotFit`]), where a server must pretend that all went well, as `rsa`'s own
//! decryption does since 0.10 (it gives made-up bytes): the owner learns that the encryption key is
//! not the one whose public half was uploaded, before anything is sent. So the padding is taken off
//! here, of what the crate's raw operation gives.
//!
//! # Randomness
//! Neither operation needs any for its result: PKCS#1 v1.5 signatures are deterministic. Both are
//! blinded all the same, with values drawn from the caller's [`Entropy`].

mod remote;

use core::fmt;

use rsa::hazmat::rsa_decrypt_and_check;
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::der::Decode;
use rsa::pkcs8::{EncodePublicKey, LineEnding, ObjectIdentifier, PrivateKeyInfoRef};
use rsa::traits::PublicKeyParts;
use rsa::{BoxedUint, Pkcs1v15Sign, PrivateKey as RsaPrivateKey};
use sha2::Sha256;
use zeroize::Zeroizing;

pub use self::remote::{PublicKey, SignatureKey};
use super::draw::Stream;
use super::pem;
use crate::provider::Entropy;
use crate::providers::table::named;

/// The shortest modulus in bits: IBKR asks for 2048 (OAuth 1.0a), for OAuth 2.0 for more.
const SHORTEST: u32 = 2048;
/// The algorithm of an RSA key in PKCS#8 (`rsaEncryption`).
const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// An RSA private key, wiped on drop.
pub struct PrivateKey {
    key: RsaPrivateKey,
    public: PublicKey,
}

impl PrivateKey {
    /// Reads a PEM file, PKCS#1 (`BEGIN RSA PRIVATE KEY`) or PKCS#8 (`BEGIN PRIVATE KEY`).
    ///
    /// The text itself is the caller's to wipe.
    ///
    /// # Errors
    /// [`KeyError`] says what the file is instead, or what is wrong with the key.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let block = pem::first(text).ok_or(KeyError::NotPem)?;
        if block.encrypted {
            return Err(KeyError::Encrypted);
        }
        let key = match block.label {
            "RSA PRIVATE KEY" => RsaPrivateKey::from_pkcs1_der(&block.der).map_err(|_| KeyError::Malformed)?,
            "PRIVATE KEY" => {
                let info = PrivateKeyInfoRef::from_der(&block.der).map_err(|_| KeyError::Malformed)?;
                if info.algorithm.oid != RSA_ENCRYPTION {
                    return Err(KeyError::NotRsa);
                }
                RsaPrivateKey::try_from(info).map_err(|_| KeyError::Malformed)?
            }
            "ENCRYPTED PRIVATE KEY" => return Err(KeyError::Encrypted),
            "PUBLIC KEY" | "RSA PUBLIC KEY" => return Err(KeyError::Public),
            "CERTIFICATE" => return Err(KeyError::Certificate),
            "DH PARAMETERS" | "X9.42 DH PARAMETERS" => return Err(KeyError::DhParameters),
            "EC PRIVATE KEY" | "EC PARAMETERS" | "DSA PRIVATE KEY" => return Err(KeyError::NotRsa),
            "OPENSSH PRIVATE KEY" => return Err(KeyError::OpenSsh),
            _ => return Err(KeyError::Unknown),
        };
        Self::from_key(key)
    }

    pub(crate) fn from_key(key: RsaPrivateKey) -> Result<Self, KeyError> {
        Ok(Self { public: PublicKey::from_key(key.as_public_key().clone())?, key })
    }

    /// Returns the public half.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// Checks that the modulus has at least this many bits.
    ///
    /// # Errors
    /// [`KeyError::TooShort`] where it has fewer.
    pub fn at_least(&self, needed: u32) -> Result<(), KeyError> {
        self.public.at_least(needed)
    }

    /// Returns the [fingerprint](PublicKey::fingerprint) of the public half.
    pub fn fingerprint(&self) -> &str {
        self.public.fingerprint()
    }

    /// Returns the public half as PEM, the file that IBKR's self-service page wants.
    ///
    /// # Errors
    /// [`KeyError::Malformed`] where the key has no such form.
    pub fn public_pem(&self) -> Result<String, KeyError> {
        self.key.as_public_key().to_public_key_pem(LineEnding::LF).map_err(|_| KeyError::Malformed)
    }

    /// Returns the length of the modulus in bits.
    pub fn bits(&self) -> u32 {
        self.public.bits()
    }

    /// Signs a SHA-256 digest (RSASSA-PKCS1-v1_5). `entropy` is for the blinding only.
    ///
    /// # Errors
    /// [`KeyError::Failed`] where the key's parts do not belong together.
    pub fn sign(&self, digest: &[u8; 32], entropy: Entropy<'_>) -> Result<Vec<u8>, KeyError> {
        let mut blinding = Stream::new(entropy, self.fingerprint(), "blinding");
        self.key.sign_with_rng(&mut blinding, Pkcs1v15Sign::new::<Sha256>(), digest).map_err(|_| KeyError::Failed)
    }

    /// Decrypts a ciphertext (RSAES-PKCS1-v1_5). `entropy` is for the blinding only.
    ///
    /// # Errors
    /// [`KeyError::DoesNotFit`] where the ciphertext was made for another key,
    /// [`KeyError::Ciphertext`] where it has another length than the modulus.
    pub fn decrypt(&self, ciphertext: &[u8], entropy: Entropy<'_>) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let size = self.key.size();
        if ciphertext.len() != size {
            return Err(KeyError::Ciphertext { length: ciphertext.len(), expected: size });
        }
        let sealed = BoxedUint::from_be_slice(ciphertext, self.key.n_bits_precision());
        let sealed = sealed.map_err(|_| KeyError::DoesNotFit)?;
        if sealed >= *self.key.n().as_ref() {
            return Err(KeyError::DoesNotFit);
        }
        let mut blinding = Stream::new(entropy, self.fingerprint(), "blinding");
        let opened = rsa_decrypt_and_check(&self.key, Some(&mut blinding), &sealed).map_err(|_| KeyError::Failed)?;
        let opened = Zeroizing::new(opened);
        let padded = Zeroizing::new(opened.to_be_bytes().into_vec());
        unpad(&padded, size).ok_or(KeyError::DoesNotFit)
    }
}

/// Returns the message in `00 02 <at least eight bytes, none zero> 00 <message>`.
fn unpad(padded: &[u8], size: usize) -> Option<Zeroizing<Vec<u8>>> {
    // The integer's precision is a whole number of words, which may exceed the modulus.
    let (above, padded) = padded.split_at_checked(padded.len().checked_sub(size)?)?;
    let [0, 2, rest @ ..] = padded else { return None };
    let end = rest.iter().position(|byte| *byte == 0)?;
    let message = rest.get(end + 1..)?;
    (end >= 8 && !message.is_empty() && above.iter().all(|byte| *byte == 0)).then(|| Zeroizing::new(message.to_vec()))
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("fingerprint", &self.fingerprint()).finish_non_exhaustive()
    }
}

named! {
    /// Why a file is not the required key, or an operation failed.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum KeyError {
        /// The text holds no PEM block.
        NotPem => "key: not a PEM file",
        /// The key is encrypted with a passphrase: decrypt it first (`openssl pkey -in … -out …`).
        Encrypted => "key: encrypted with a passphrase; decrypt it first",
        /// The file holds the public half: the private one is needed.
        Public => "key: the file holds a public key; the private one is needed",
        /// The file holds a private key: it must stay where it is kept, only the public half is needed.
        Private => "key: the file holds a private key; only its public half is needed",
        /// The file holds a certificate.
        Certificate => "key: the file holds a certificate; a private key is needed",
        /// The file holds Diffie-Hellman parameters.
        DhParameters => "key: the file holds Diffie-Hellman parameters; a private key is needed",
        /// The key is of another kind than RSA.
        NotRsa => "key: not an RSA key",
        /// The key has the form of OpenSSH: convert it (`ssh-keygen -p -m PEM -f …`).
        OpenSsh => "key: OpenSSH's own form; convert it to PEM first",
        /// The PEM block is of a kind that is no key.
        Unknown => "key: the PEM block is no key",
        /// The key cannot be read, or its numbers do not belong together.
        Malformed => "key: cannot be read, or its numbers do not belong together",
        /// The key is too short.
        TooShort {
            /// The length of its modulus in bits.
            bits: u32,
            /// The length in bits that is needed.
            needed: u32,
        } => "key: {bits} bits are too few; {needed} are needed",
        /// The ciphertext has another length than the key's modulus.
        Ciphertext {
            /// The length in bytes that it has.
            length: usize,
            /// The length in bytes that it should have.
            expected: usize,
        } => "access token secret: {length} bytes where the encryption key makes {expected}",
        /// The ciphertext was not made for this key: its public half is not the one that was uploaded
        /// when the access token was made, or the signature key was taken for the encryption key.
        DoesNotFit => "access token secret: not made for this encryption key",
        /// The operation failed although the key could be read.
        Failed => "key: the operation failed",
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::OnceLock;

    use rsa::Pkcs1v15Encrypt;
    use rsa::pkcs1::EncodeRsaPrivateKey;
    use rsa::pkcs8::EncodePrivateKey;

    use super::*;

    pub(crate) const ENTROPY: Entropy<'static> = Entropy { key: &[3; 24], epoch: 1, counter: 1 };

    /// Creates throw-away keys once for all tests: `[signature, encryption]`.
    pub(crate) fn keys() -> &'static [PrivateKey; 2] {
        static KEYS: OnceLock<[PrivateKey; 2]> = OnceLock::new();
        KEYS.get_or_init(|| {
            ["signature", "encryption"].map(|label| {
                let key = RsaPrivateKey::new(&mut Stream::new(ENTROPY, "test", label), 2048).unwrap();
                PrivateKey::from_key(key).unwrap()
            })
        })
    }

    impl PrivateKey {
        /// Encrypts something for the key, as the portal does with an access token secret.
        pub(crate) fn seal(&self, message: &[u8]) -> Vec<u8> {
            let mut rng = Stream::new(ENTROPY, "test", "padding");
            self.key.as_public_key().encrypt(&mut rng, Pkcs1v15Encrypt, message).unwrap()
        }

        pub(crate) fn verifies(&self, digest: &[u8; 32], signature: &[u8]) -> bool {
            self.public.verifies(digest, signature)
        }
    }

    #[test]
    fn both_forms_of_pem_are_read() {
        let [key, _] = keys();
        let pkcs1 = key.key.to_pkcs1_pem(LineEnding::CRLF).unwrap();
        let pkcs8 = key.key.to_pkcs8_pem(LineEnding::LF).unwrap();
        for pem in [&pkcs1, &pkcs8] {
            let read = PrivateKey::from_pem(pem).unwrap();
            assert_eq!(read.fingerprint(), key.fingerprint());
            assert_eq!(read.sign(&[5; 32], ENTROPY), key.sign(&[5; 32], ENTROPY));
        }
        assert_eq!(format!("{key:?}"), format!("PrivateKey {{ fingerprint: {:?}, .. }}", key.fingerprint()));
    }

    #[test]
    fn each_wrong_kind_of_file_has_its_own_error() {
        let [key, _] = keys();
        let block = |label: &str| format!("-----BEGIN {label}-----\nAQID\n-----END {label}-----\n");
        // A PKCS#8 key of Ed25519, all zero.
        let other = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n-----END PRIVATE KEY-----";
        let legacy = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nAQID\n-----END RSA PRIVATE KEY-----";
        for (text, error) in [
            (String::new(), KeyError::NotPem),
            (block("ENCRYPTED PRIVATE KEY"), KeyError::Encrypted),
            (legacy.into(), KeyError::Encrypted),
            (key.public_pem().unwrap(), KeyError::Public),
            (block("CERTIFICATE"), KeyError::Certificate),
            (block("DH PARAMETERS"), KeyError::DhParameters),
            (block("EC PRIVATE KEY"), KeyError::NotRsa),
            (other.into(), KeyError::NotRsa),
            (block("OPENSSH PRIVATE KEY"), KeyError::OpenSsh),
            (block("X"), KeyError::Unknown),
            (block("RSA PRIVATE KEY"), KeyError::Malformed),
            (block("PRIVATE KEY"), KeyError::Malformed),
        ] {
            assert_eq!(PrivateKey::from_pem(&text).unwrap_err(), error, "{text}");
        }
        let short = RsaPrivateKey::new(&mut Stream::new(ENTROPY, "test", "short"), 1024).unwrap();
        assert_eq!(PrivateKey::from_key(short).unwrap_err(), KeyError::TooShort { bits: 1024, needed: 2048 });
    }

    #[test]
    fn what_was_encrypted_for_a_key_is_decrypted_by_it_alone() {
        let [signature, encryption] = keys();
        for length in [1, 32, 245] {
            let message = vec![0; length];
            let sealed = encryption.seal(&message);
            assert_eq!(*encryption.decrypt(&sealed, ENTROPY).unwrap(), message);
            assert_eq!(signature.decrypt(&sealed, ENTROPY).unwrap_err(), KeyError::DoesNotFit);
        }
        assert_eq!(encryption.decrypt(&[0xff; 256], ENTROPY).unwrap_err(), KeyError::DoesNotFit);
        let wrong = KeyError::Ciphertext { length: 255, expected: 256 };
        assert_eq!(encryption.decrypt(&[1; 255], ENTROPY).unwrap_err(), wrong);
    }

    #[test]
    fn padding_is_checked() {
        let mut padded = vec![0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0, 9];
        assert_eq!(unpad(&padded, 12).unwrap().as_slice(), [9]);
        assert!(unpad(&padded, 13).is_none());
        for (at, wrong) in [(0, 1), (1, 1), (5, 0)] {
            let right = core::mem::replace(&mut padded[at], wrong);
            assert!(unpad(&padded, 12).is_none(), "{at}");
            padded[at] = right;
        }
        assert!(unpad(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 0], 11).is_none());
        assert!(unpad(&[0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 1], 11).is_none());
    }
}
