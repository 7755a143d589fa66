//! Numbers: what it costs, and how long a takeover takes.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::counts::Counts;
use crate::processes::{cpu, cpu_of_family};
use crate::store::Store;

/// What has been used and done up to a moment, or between two.
#[derive(Clone, Copy, Default)]
pub struct Costs {
    workers: Duration,
    postgres: Duration,
    portals: Duration,
    counts: Counts,
}

impl Costs {
    /// Reads what has been used so far.
    pub fn read(workers: Duration, postgres: Option<u32>, counts: Counts) -> Self {
        let postgres = postgres.map(cpu_of_family).unwrap_or_default();
        Self { workers, postgres, portals: cpu(std::process::id()), counts }
    }

    /// Returns what was used from this moment to a later one.
    pub fn until(&self, later: &Self) -> Self {
        Self {
            workers: later.workers.saturating_sub(self.workers),
            postgres: later.postgres.saturating_sub(self.postgres),
            portals: later.portals.saturating_sub(self.portals),
            counts: later.counts.since(&self.counts),
        }
    }

    /// Prints them with what they are in a second.
    pub fn print(&self, what: &str, time: Duration) {
        let Counts { claims, writes, commits, sent, .. } = self.counts;
        let each = |number: u64| number as f64 / time.as_secs_f64();
        println!(
            "{what}: {:.1} s; {:.0} claims/s, {:.0} writes/s in {:.0} commits/s, {:.0} requests/s",
            time.as_secs_f64(),
            each(claims),
            each(writes),
            each(commits),
            each(sent)
        );
        let share = |used: Duration| used.as_secs_f64() / time.as_secs_f64() * 100.0;
        println!(
            "    processor, in % of a core: workers {:.0}, PostgreSQL {:.0}, portals and front desk {:.0}",
            share(self.workers),
            share(self.postgres),
            share(self.portals)
        );
    }

    /// Prints sums.
    pub fn print_totals(&self, store: &mut Store) -> Result<()> {
        let sql = "SELECT pg_database_size(current_database()) >> 10, pg_table_size('sessions') >> 10,
                   pg_indexes_size('sessions') >> 10, (pg_current_wal_lsn() - '0/0')::bigint >> 10,
                   (SELECT avg(octet_length(sealed))::bigint FROM sessions)";
        let row = store.client()?.query_one(sql, &[])?;
        let size = |column: usize| row.get::<_, i64>(column);
        println!(
            "database: {} KiB, of that sessions {} KiB and their indexes {} KiB; log {} KiB; a sealed snapshot {} bytes",
            size(0),
            size(1),
            size(2),
            size(3),
            size(4)
        );
        println!("counted by the workers: {}", self.counts);
        Ok(())
    }
}

/// Sums what all workers have counted.
pub fn tally(store: &mut Store) -> Result<Counts> {
    let mut sum = Counts::default();
    for row in store.client()?.query("SELECT counts FROM leases", &[])? {
        sum += serde_json::from_str(row.get(0)).unwrap_or_default();
    }
    Ok(sum)
}

/// The sessions of a worker that is lost, and when others had them.
pub struct Takeover {
    worker: String,
    fate: &'static str,
    accounts: Vec<i64>,
    fences: Vec<i64>,
    since: f64,
    /// In seconds since the loss, in order.
    times: Vec<f64>,
}

impl Takeover {
    /// Notes what a worker has; call it just before the worker is lost.
    pub fn begin(store: &mut Store, worker: &str, fate: &'static str) -> Result<Self> {
        let sql = "SELECT account, fence FROM sessions JOIN leases ON lease = id WHERE worker = $1 AND NOT over";
        let rows = store.client()?.query(sql, &[&worker])?;
        let (accounts, fences) = rows.iter().map(|row| (row.get::<_, i64>(0), row.get::<_, i64>(1))).unzip();
        let since = store.client()?.query_one("SELECT extract(epoch FROM clock_timestamp())::float8", &[])?.get(0);
        Ok(Self { worker: worker.into(), fate, accounts, fences, since, times: Vec::new() })
    }

    /// Reads when others claimed them.
    pub fn measure(&mut self, store: &mut Store) -> Result<()> {
        let sql = "SELECT extract(epoch FROM claimed_at)::float8 FROM sessions
                   JOIN unnest($1::bigint[], $2::bigint[]) AS old (account, old) USING (account) WHERE fence > old ORDER BY 1";
        let rows = store.client()?.query(sql, &[&self.accounts, &self.fences])?;
        self.times = rows.iter().map(|row| row.get::<_, f64>(0) - self.since).collect();
        Ok(())
    }

    /// Prints the times.
    pub fn print(&self) {
        let at = |part: usize| self.times.get((self.times.len().max(1) - 1) * part / 2).copied().unwrap_or_default();
        println!(
            "{} {}: {} sessions, {} taken over after {:.1} s (first), {:.1} s (median), {:.1} s (last)",
            self.worker,
            self.fate,
            self.accounts.len(),
            self.times.len(),
            at(0),
            at(1),
            at(2)
        );
    }

    /// Refuses a takeover that was too late, or that did not take all.
    pub fn judge(&self, most: Duration) -> Result<()> {
        let last = self.times.last().copied().unwrap_or_default();
        ensure!(!self.accounts.is_empty(), "{} had no session", self.worker);
        ensure!(
            self.times.len() == self.accounts.len(),
            "{} of {} were taken over",
            self.times.len(),
            self.accounts.len()
        );
        ensure!(
            last <= most.as_secs_f64(),
            "the last takeover came {last:.1} s after the loss, at most {most:?} are allowed"
        );
        Ok(())
    }
}
