//! The time and the randomness of this machine.

use std::io;
use std::time::SystemTime;

use zeroize::Zeroizing;

use crate::{Seed, Timestamp};

/// Gives the wall time of this machine.
///
/// It follows corrections, a time server's or a person's, and goes on while this machine is suspended,
/// which monotonic clocks do not (Linux and macOS stop theirs). It may jump either way; sessions bear that.
#[expect(clippy::disallowed_methods, reason = "this is the one place where time enters")]
pub fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

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
    fn the_wall_clock_is_past_2025() {
        assert!(now() > Timestamp::from_secs(1_735_689_600));
    }

    #[test]
    fn seeds_differ() {
        assert_ne!(*seed().unwrap().0, *seed().unwrap().0);
    }
}
