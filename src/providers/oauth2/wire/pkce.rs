//! Proof that whoever redeems a code is whoever asked for it (RFC 7636).

use core::fmt;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::Secret;

/// A verifier, which the code's request shows, and its challenge, which the authorization URL shows before.
#[derive(Clone)]
pub struct Pkce {
    verifier: Secret,
}

impl Pkce {
    /// Creates a verifier of 43 characters from 32 random bytes. Take fresh ones for every attempt.
    pub fn new(random: &[u8; 32]) -> Self {
        Self { verifier: Secret::new(BASE64_URL_SAFE_NO_PAD.encode(random)) }
    }

    /// Takes a verifier that was made before; `None` where it is none: 43 to 128 of `A-Z a-z 0-9 - . _ ~`.
    pub fn from_verifier(verifier: Secret) -> Option<Self> {
        let text = verifier.expose();
        let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte));
        (fits && (43..=128).contains(&text.len())).then_some(Self { verifier })
    }

    /// Returns what the code's request shows.
    pub fn verifier(&self) -> &Secret {
        &self.verifier
    }

    /// Returns the challenge of the method `S256`: base64url without padding of the verifier's SHA-256.
    pub fn challenge(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(self.verifier.expose().as_bytes()))
    }
}

impl fmt::Debug for Pkce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pkce(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_the_specification() {
        // RFC 7636, appendix B.
        let bytes = BASE64_URL_SAFE_NO_PAD.decode("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk").unwrap();
        let pkce = Pkce::new(&bytes.try_into().unwrap());
        assert_eq!(pkce.verifier().expose(), "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(pkce.challenge(), "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
        assert_eq!(format!("{pkce:?}"), "Pkce(..)");
    }

    #[test]
    fn a_verifier_has_its_alphabet_and_its_length() {
        let taken = |text: &str| Pkce::from_verifier(text.into()).is_some();
        assert!(taken(&"a".repeat(43)) && taken(&"-._~".repeat(32)));
        for bad in ["a".repeat(42), "a".repeat(129), "a ".repeat(30), "é".repeat(30), String::new()] {
            assert!(!taken(&bad), "{bad}");
        }
    }
}
