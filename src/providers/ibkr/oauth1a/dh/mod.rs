//! The Diffie-Hellman half of the live session token's handshake.
//!
//! The exponent is secret, so the power is taken in constant time, by `crypto-bigint`: RustCrypto's
//! big integers, without an advisory, on which `rsa` is built.
//!
//! IBKR's own worked example has a prime of 2045 bits and a generator that is larger than the prime;
//! the output of `openssl dhparam 2048` has a prime of 2048 bits and the generator 2.

use core::fmt;

use crypto_bigint::modular::{BoxedMontyForm, BoxedMontyParams};
use crypto_bigint::{BoxedUint, Odd};
use rsa::pkcs8::der::asn1::UintRef;
use rsa::pkcs8::der::{Reader, SliceReader};
use zeroize::Zeroizing;

use crate::SecretBytes;
use crate::provider::Entropy;
use crate::providers::ibkr::{draw, hex, pem};
use crate::providers::table::named;

/// The shortest prime in bits that is taken.
const SHORTEST: u32 = 2040;
/// The longest prime in bits, and the size of all numbers of the group.
const LONGEST: u32 = 2048;
/// The size of all numbers of the group in bytes.
const BYTES: usize = 256;

/// A prime and a generator, as uploaded to IBKR.
#[derive(Clone)]
pub struct DhParams {
    prime: BoxedMontyParams,
    generator: BoxedUint,
}

impl DhParams {
    /// Reads a PEM file of `openssl dhparam` (`BEGIN DH PARAMETERS`), generator included.
    ///
    /// # Errors
    /// [`DhError`] says what is wrong with the file or its numbers.
    pub fn from_pem(text: &str) -> Result<Self, DhError> {
        let block = pem::first(text).ok_or(DhError::NotPem)?;
        if block.label != "DH PARAMETERS" {
            return Err(DhError::WrongKind);
        }
        let mut reader = SliceReader::new(&block.der).map_err(|_| DhError::Malformed)?;
        let (prime, generator) = reader
            .sequence(|body: &mut SliceReader<'_>| {
                let (prime, generator) = (body.decode::<UintRef<'_>>()?, body.decode::<UintRef<'_>>()?);
                if !body.is_finished() {
                    // The length of the private value, which some versions of openssl add.
                    body.decode::<UintRef<'_>>()?;
                }
                Ok::<_, rsa::pkcs8::der::Error>((prime, generator))
            })
            .map_err(|_| DhError::Malformed)?;
        Self::from_be_bytes(prime.as_bytes(), generator.as_bytes())
    }

    /// Creates parameters from prime and generator as hexadecimal digits.
    ///
    /// # Errors
    /// [`DhError`] says which number is wrong.
    pub fn from_hex(prime: &str, generator: &str) -> Result<Self, DhError> {
        let prime = hex::integer::<BYTES>(prime).ok_or(DhError::PrimeSize)?;
        let generator = hex::integer::<BYTES>(generator).ok_or(DhError::Generator)?;
        Self::from_be_bytes(&prime, &generator)
    }

    /// Creates parameters from prime and generator as big-endian bytes.
    ///
    /// # Errors
    /// [`DhError`] says which number is wrong.
    pub fn from_be_bytes(prime: &[u8], generator: &[u8]) -> Result<Self, DhError> {
        let prime = integer(prime).ok_or(DhError::PrimeSize)?;
        Self::new(prime, &integer(generator).ok_or(DhError::Generator)?)
    }

    fn new(prime: BoxedUint, generator: &BoxedUint) -> Result<Self, DhError> {
        if prime.bit_width_vartime() < SHORTEST {
            return Err(DhError::PrimeSize);
        }
        let modulus = Odd::new(prime.clone()).into_option().ok_or(DhError::PrimeEven)?;
        let generator = generator.rem_vartime(modulus.as_nz_ref());
        if !in_group(&generator, &prime) {
            return Err(DhError::Generator);
        }
        Ok(Self { prime: BoxedMontyParams::new_vartime(modulus), generator })
    }

    /// Computes the challenge: the generator to the power of the exponent, in lower-case hexadecimal
    /// digits without padding, so that their number may be odd.
    pub fn challenge(&self, exponent: &Exponent) -> String {
        let challenge = self.power(&self.generator, exponent);
        let mut digits = String::with_capacity(2 * BYTES);
        hex::push(&mut digits, &challenge.to_be_bytes());
        let padding = digits.len() - digits.trim_start_matches('0').len();
        digits.drain(..padding);
        digits
    }

    /// Computes the shared secret from the server's response.
    ///
    /// # Errors
    /// [`DhError::Response`] where the response is not a hexadecimal number in `2..=p-2`: with 0, 1 and p-1
    /// the secret would be known.
    pub fn shared(&self, exponent: &Exponent, response: &str) -> Result<SharedSecret, DhError> {
        let response = hex::integer::<BYTES>(response).ok_or(DhError::Response)?;
        let response = integer(&response).ok_or(DhError::Response)?;
        if !in_group(&response, self.prime.modulus().as_ref()) {
            return Err(DhError::Response);
        }
        Ok(SharedSecret::new(&self.power(&response, exponent)))
    }

    fn power(&self, base: &BoxedUint, exponent: &Exponent) -> Zeroizing<BoxedUint> {
        let base = BoxedMontyForm::new(base.clone(), &self.prime);
        let power = Zeroizing::new(base.pow(&exponent.0));
        Zeroizing::new(power.retrieve())
    }
}

impl fmt::Debug for DhParams {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DhParams")
            .field("bits", &self.prime.modulus().as_ref().bit_width_vartime())
            .finish_non_exhaustive()
    }
}

/// Reports whether a number lies in `2..=prime-2`.
fn in_group(number: &BoxedUint, prime: &BoxedUint) -> bool {
    let one = BoxedUint::one_with_precision(LONGEST);
    *number > one && *number < prime.wrapping_sub(&one)
}

/// Reads big-endian bytes; `None` where the number has more than 2048 bits.
fn integer(bytes: &[u8]) -> Option<BoxedUint> {
    let bytes = bytes.iter().position(|byte| *byte != 0).and_then(|start| bytes.get(start..)).unwrap_or_default();
    BoxedUint::from_be_slice(bytes, LONGEST).ok()
}

/// The secret exponent of one handshake, wiped on drop.
pub struct Exponent(Zeroizing<BoxedUint>);

impl Exponent {
    /// Draws an exponent of 256 bits, the length that IBKR's documents ask for.
    ///
    /// The same entropy gives the same exponent, so an open handshake stores its counter only.
    pub fn draw(entropy: &Entropy<'_>, account: &str) -> Self {
        let mut drawn = draw::bytes(entropy, account, "exponent");
        // The top bit is set: the exponent is never zero and its length tells nothing.
        if let Some(top) = drawn.first_mut() {
            *top |= 0x80;
        }
        Self::from_be_bytes(&drawn)
    }

    /// Creates an exponent from big-endian bytes.
    pub fn from_be_bytes(bytes: &[u8; 32]) -> Self {
        Self(Zeroizing::new(BoxedUint::from_be_slice_truncated(bytes, 256)))
    }
}

impl fmt::Debug for Exponent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exponent(..)")
    }
}

/// The secret that both sides have computed, wiped on drop.
#[derive(Debug)]
pub struct SharedSecret(SecretBytes);

impl SharedSecret {
    fn new(number: &BoxedUint) -> Self {
        // `BigInteger.toByteArray` of Java: the shortest two's complement, so a number whose length is
        // a whole number of bytes has a zero byte in front. With a prime of 2048 bits that is the case
        // in up to half of all handshakes.
        let mut bytes = Zeroizing::new([0; BYTES + 1]);
        let digits = Zeroizing::new(number.to_be_bytes().into_vec());
        for (target, digit) in bytes.iter_mut().rev().zip(digits.iter().rev()) {
            *target = *digit;
        }
        let length = usize::try_from(number.bit_width() / 8 + 1).unwrap_or(bytes.len());
        let start = bytes.len().saturating_sub(length);
        Self(SecretBytes::new(bytes.get(start..).unwrap_or_default()))
    }

    /// Returns the bytes that key the HMAC: big-endian, shortest two's complement.
    pub fn expose(&self) -> &[u8] {
        self.0.expose()
    }
}

named! {
    /// Why Diffie-Hellman parameters or a response cannot be used.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    #[non_exhaustive]
    pub enum DhError {
        /// The text holds no PEM block.
        NotPem => "Diffie-Hellman parameters: not a PEM file",
        /// The PEM block holds something else than `DH PARAMETERS`.
        WrongKind => "Diffie-Hellman parameters: the PEM block is something else",
        /// The parameters cannot be read.
        Malformed => "Diffie-Hellman parameters: cannot be read",
        /// The prime does not have 2040 to 2048 bits, or is not a number.
        PrimeSize => "Diffie-Hellman prime: must have 2040 to 2048 bits",
        /// The prime is even.
        PrimeEven => "Diffie-Hellman prime: is even",
        /// The generator, reduced modulo the prime, is 0, 1 or -1, or is not a number.
        Generator => "Diffie-Hellman generator: must not be 0, 1 or -1 modulo the prime",
        /// The server's response is not in `2..=p-2`, or is not a number.
        Response => "Diffie-Hellman response: not in 2..=p-2",
    }
}

#[cfg(test)]
pub(crate) mod tests;
