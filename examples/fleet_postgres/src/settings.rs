//! What a worker is told at its start.

use std::time::Duration;

use anyhow::Result;
use sansession::providers::cbrain::Cbrain;
use sansession::{BaseUrl, Options, Relogin, Session, Snapshot};
use serde::{Deserialize, Serialize};

use crate::clock::Clock;

/// The environment variable that holds the keys; an argument would show in `ps`.
pub const KEYS: &str = "FLEET_KEYS";

/// How a worker works; the same for all workers but for the name.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct Settings {
    /// The worker's name.
    pub name: String,
    /// The database's URL.
    pub database: String,
    /// Where the portals are.
    pub portals: String,
    /// How long a lease lasts: longer than any request may take (a login has 15 s) and one renewal.
    pub lease: Duration,
    /// How often the database is checked for leases that are over, sessions that are due and answers.
    pub poll: Duration,
    /// How many sessions are claimed at once.
    pub batch: usize,
    /// How many requests may be under way.
    pub senders: usize,
    /// A session that has nothing to do for so long is given back, and costs no memory meanwhile.
    pub hold: Duration,
    /// How often a session is kept alive.
    pub keepalive: Duration,
}

impl Settings {
    /// Returns the settings of a story that is over in minutes: servers want to hear of sessions twice a minute.
    pub fn new(database: &str, portals: &str) -> Self {
        Self {
            name: String::from("worker"),
            database: database.into(),
            portals: portals.into(),
            lease: Duration::from_secs(20),
            poll: Duration::from_secs(1),
            batch: 500,
            senders: 16,
            hold: Duration::from_secs(60),
            keepalive: Duration::from_secs(20),
        }
    }

    /// Creates the provider of an account's session; a service looks the account up here.
    pub fn provider(&self, account: i64) -> Result<Cbrain> {
        let base = BaseUrl::parse(&format!("{}/a{account}", self.portals))?;
        Ok(Cbrain::new(base)?.keepalive(self.keepalive))
    }

    /// Returns the options of all sessions. Every machine here goes out by one address, so by one label.
    pub fn options() -> Options {
        let mut options = Options::default();
        options.durable = true;
        options.egress_label = Some("here".into());
        options.relogin = Relogin::AskAgain { per_day: 4 };
        options
    }

    /// Creates the first snapshot of a session.
    pub fn first_snapshot(&self, account: i64) -> Result<Snapshot> {
        use sansession::Machine;
        Ok(Session::new(self.provider(account)?, Self::options(), sansession::drive::seed()?).snapshot())
    }

    /// Resumes a session from its snapshot; the fence of the claim is its epoch.
    pub fn resume(&self, account: i64, snapshot: &Snapshot, fence: i64, clock: Clock) -> Result<Session<Cbrain>> {
        let (provider, seed) = (self.provider(account)?, sansession::drive::seed()?);
        Ok(Session::resume(provider, snapshot, Self::options(), Some(fence.try_into()?), seed, clock.now())?)
    }
}
