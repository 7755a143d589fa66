//! What both APIs have in common.

#[cfg(feature = "sim")]
pub(super) mod harness;

use super::*;

#[test]
fn a_quota_ends_with_the_minute() {
    for (now, wait) in [(0, 61_000), (59_999, 1_001), (60_000, 61_000), (90_000, 31_000)] {
        assert_eq!(to_the_next_minute(Timestamp::from_millis(now)).as_millis(), wait, "{now}");
    }
}
