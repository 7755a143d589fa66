//! The randomness of this machine.

use std::io;

use zeroize::Zeroizing;

use crate::Seed;

/// Draws the seed of a new or resumed session from the system's randomness.
///
/// # Errors
/// The system has none to give: an old kernel, a sandbox without the call. A session must not be
/// opened with guessable bytes instead, since OAuth keys are derived from them.
pub fn seed() -> io::Result<Seed> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice()).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(Seed::new(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_differ() {
        assert_ne!(*seed().unwrap().0, *seed().unwrap().0);
    }
}
