//! What a worker counts.

use std::fmt;
use std::ops::AddAssign;

use serde::{Deserialize, Serialize};

/// What a worker has done; it stands in the row of its lease.
#[derive(Clone, Copy, Default, Serialize, Deserialize, Debug)]
pub struct Counts {
    /// Sessions claimed.
    pub claims: u64,
    /// Rows written.
    pub writes: u64,
    /// Transactions that wrote them.
    pub commits: u64,
    /// Requests handed to the network.
    pub sent: u64,
    /// Requests that were due and did not leave, for the lease would have been over.
    pub lapsed: u64,
    /// Rows that were not written, since the session was another worker's by then.
    pub stale: u64,
    /// Rows that were set aside.
    pub refused: u64,
    /// Rows that a lost answer of the database had left undriven.
    pub recovered: u64,
}

impl Counts {
    /// Returns what was counted after an earlier moment.
    #[must_use]
    pub const fn since(self, earlier: &Self) -> Self {
        Self {
            claims: self.claims.saturating_sub(earlier.claims),
            writes: self.writes.saturating_sub(earlier.writes),
            commits: self.commits.saturating_sub(earlier.commits),
            sent: self.sent.saturating_sub(earlier.sent),
            lapsed: self.lapsed.saturating_sub(earlier.lapsed),
            stale: self.stale.saturating_sub(earlier.stale),
            refused: self.refused.saturating_sub(earlier.refused),
            recovered: self.recovered.saturating_sub(earlier.recovered),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, more: Self) {
        self.claims += more.claims;
        self.writes += more.writes;
        self.commits += more.commits;
        self.sent += more.sent;
        self.lapsed += more.lapsed;
        self.stale += more.stale;
        self.refused += more.refused;
        self.recovered += more.recovered;
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).unwrap_or_default())
    }
}
