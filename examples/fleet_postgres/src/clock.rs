//! A worker's own clock: wall time at its start, and what has passed since.

use rustix::time::{ClockId, clock_gettime};
use sansession::Timestamp;

/// A clock that nobody can set, and that goes on while the machine is suspended.
///
/// A lease is only as good as the clock that it is held by. Wall time may be set back, and Linux's
/// monotonic clock (Rust's `Instant`) stands still in suspend: a worker that trusted either could speak
/// for a session that has been another's for an hour.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: u64,
    boot: u64,
}

impl Clock {
    /// Reads the wall time, this once.
    pub fn start() -> Self {
        Self { wall: sansession::drive::now().as_millis(), boot: boot() }
    }

    /// Returns the time.
    pub fn now(self) -> Timestamp {
        Timestamp::from_millis(self.wall + (boot() - self.boot))
    }
}

/// Returns the milliseconds since the machine was booted, the same for all processes on it.
pub fn boot() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    time.tv_sec.unsigned_abs() * 1_000 + time.tv_nsec.unsigned_abs() / 1_000_000
}
