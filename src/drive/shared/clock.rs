//! The time of this machine.

use std::time::SystemTime;

use super::Timer;
use crate::Timestamp;

/// Returns the wall time of this machine.
///
/// It follows corrections, a time server's or a person's, and goes on while this machine is suspended,
/// which monotonic clocks do not (Linux and macOS stop theirs). It may jump either way; sessions bear that.
#[expect(clippy::disallowed_methods, reason = "this is the one place where time enters")]
pub fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// A timer, as far as it tells the time.
pub(crate) trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

impl<T: Timer + Send + Sync> Clock for T {
    fn now(&self) -> Timestamp {
        Timer::now(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wall_clock_is_past_2025() {
        assert!(now() > Timestamp::from_secs(1_735_689_600));
    }
}
