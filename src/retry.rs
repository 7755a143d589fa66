//! How long to wait after a failure, as a pure function of seed and counters.

use core::time::Duration;

/// The pace of attempts: doubling from `first` up to `cap`, half of it spread at random.
///
/// The spread ("equal jitter") keeps many sessions that failed together from coming back together,
/// and the fixed half keeps any one of them from coming back at once.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Backoff {
    /// The wait after the first failure, before the spread.
    pub first: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// How often a step is tried while a session is being opened; an open session never gives up by count.
    pub attempts: u16,
}

impl Backoff {
    /// Makes a pace.
    pub const fn new(first: Duration, cap: Duration, attempts: u16) -> Self {
        Self { first, cap, attempts }
    }

    /// Gives the wait after the `attempt`th failure in a row, counted from 1.
    ///
    /// It lies between half of the doubled and capped wait and the whole of it.
    pub fn delay(&self, seed: u64, attempt: u16) -> Duration {
        let doublings = u32::from(attempt.saturating_sub(1)).min(20);
        let whole = self.first.saturating_mul(1 << doublings).min(self.cap);
        let half = crate::time::millis(whole) / 2;
        Duration::from_millis(half + spread(seed ^ u64::from(attempt), half + 1))
    }
}

/// Gives a number below `below`, which is not zero, from a seed.
pub(crate) const fn spread(seed: u64, below: u64) -> u64 {
    let product = split_mix(seed) as u128 * below as u128;
    (product >> 64) as u64
}

/// One step of SplitMix64 (Steele, Lea, Flood 2014): spreads a counter over 64 bits.
pub(crate) const fn split_mix(seed: u64) -> u64 {
    let z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_keep_half() {
        let pace = Backoff::new(Duration::from_secs(1), Duration::from_secs(30), 10);
        for seed in 0..200 {
            for (attempt, whole) in [(1, 1_000), (2, 2_000), (5, 16_000), (6, 30_000), (u16::MAX, 30_000)] {
                let wait = pace.delay(seed, attempt).as_millis();
                assert!((whole / 2..=whole).contains(&wait), "{attempt}: {wait}");
            }
        }
    }

    #[test]
    fn the_spread_reaches_both_ends() {
        let drawn: Vec<u64> = (0..10_000).map(|seed| spread(seed, 10)).collect();
        for number in 0..10 {
            let times = drawn.iter().filter(|&&x| x == number).count();
            assert!((800..1200).contains(&times), "{number}: {times}");
        }
    }
}
