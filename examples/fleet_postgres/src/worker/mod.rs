//! One worker: a fleet, a lease, and the database.
//!
//! ```text
//! each poll:   renew the lease ─ find leases that are over ─ claim what is due ─ take answers
//! each round:  news of requests ─▶ fleet ─▶ drafts and requests ─▶ write the drafts, one transaction
//!                                                              └─▶ then send what waited for them
//! ```

mod round;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use sansession::drive::fleet::{Fleet, FleetOptions, Place, Rate};
use sansession::providers::cbrain::Cbrain;
use sansession::{InputHandled, Session, Snapshot, Source, Timestamp};

use crate::answers;
use crate::clock::Clock;
use crate::counts::Counts;
use crate::seal::{Belongs, KeyRing};
use crate::senders::{Job, Senders};
use crate::settings::Settings;
use crate::store::{Claimed, Store, Write};

/// A row that cannot be used is checked again so much later, perhaps by a newer worker.
const SET_ASIDE: Duration = Duration::from_secs(60);

/// A request that waits so long for its snapshot to be written is taken back. It is less than the time after
/// which the machine itself would count it as sent.
const STALE: Duration = Duration::from_secs(5);

/// A worker.
pub struct Worker {
    settings: Settings,
    clock: Clock,
    ring: KeyRing,
    key_id: i32,
    store: Store,
    lease: Option<Lease>,
    fleet: Fleet<i64, Session<Cbrain>>,
    /// The sessions that are driven here, each with its fence.
    fences: BTreeMap<i64, i64>,
    /// What is to be written.
    drafts: BTreeMap<i64, Write>,
    /// What leaves once it is written.
    held: Vec<(Timestamp, Job)>,
    /// Who was given an answer that is in the table still.
    answered: BTreeSet<i64>,
    /// Rows that are of no use here, with their fences and the reasons.
    unusable: Vec<(i64, i64, String)>,
    senders: Senders,
    counts: Counts,
    away: Option<Timestamp>,
}

/// What entitles to speak for the sessions.
#[derive(Clone, Copy)]
struct Lease {
    id: i64,
    /// By this worker's own clock, from before the database was asked; so it is never later than the
    /// database's own, whatever time it is there.
    until: Timestamp,
}

impl Worker {
    /// Creates a worker that holds nothing yet.
    pub fn new(settings: Settings, ring: KeyRing) -> Result<Self> {
        let mut options = FleetOptions::default();
        // Simulated portals of this machine bear more than real ones.
        options.starts = Rate::new(20, Duration::from_millis(4));
        let clock = Clock::start();
        Ok(Self {
            store: Store::new(&settings.database)?,
            fleet: Fleet::new(options, sansession::drive::seed()?),
            senders: Senders::start(&settings.name, settings.senders, clock)?,
            settings,
            clock,
            ring,
            key_id: 0,
            lease: None,
            fences: BTreeMap::new(),
            drafts: BTreeMap::new(),
            held: Vec::new(),
            answered: BTreeSet::new(),
            unusable: Vec::new(),
            counts: Counts::default(),
            away: None,
        })
    }

    /// Works until it is told to stop; then gives everything back.
    pub fn run(mut self, stop: &AtomicBool) -> Result<()> {
        let mut tick = self.clock.now();
        while !stop.load(Ordering::Relaxed) {
            if self.clock.now() >= tick {
                let outcome = self.tick();
                self.note_database(&outcome);
                tick = self.clock.now() + self.settings.poll;
            }
            let full = self.round();
            // With all threads busy the fleet's deadline may be past; their news is what to wait for.
            let next = if full { tick } else { tick.min(self.fleet.deadline()) };
            let news = self.senders.news(next.since(self.clock.now()));
            self.hear(news);
        }
        self.leave()
    }

    /// Looks after what the database has for this worker.
    fn tick(&mut self) -> Result<()> {
        let mine = self.keep_lease()?;
        let over = self.store.find_over()?;
        if over.contains(&mine.id) {
            self.forget_all();
            return Ok(());
        }
        if self.away.is_some() {
            // A claim whose answer was lost has left rows with this lease that nobody drives.
            let known: Vec<i64> = self.fences.keys().copied().collect();
            self.counts.recovered += self.store.free_unknown(mine.id, &known)?;
        }
        while let Some((account, fence, why)) = self.unusable.last() {
            self.store.refuse(*account, *fence, why, SET_ASIDE)?;
            self.unusable.pop();
        }
        let room = self.room()?;
        self.give_back_beyond(room);
        self.store.wake_answered()?;
        while self.fences.len() < room {
            let most = self.settings.batch.min(room - self.fences.len());
            let rows = self.store.claim(mine.id, &over, most)?;
            let last = rows.len() < most;
            rows.into_iter().for_each(|row| self.take(row, mine));
            if last {
                break;
            }
        }
        self.answer(mine)
    }

    /// Renews the lease when a tenth of it is used, and takes a new one if it was lost.
    fn keep_lease(&mut self) -> Result<Lease> {
        let now = self.clock.now();
        if let Some(lease) = self.lease {
            if self.away.is_none() && lease.until.since(now) > self.settings.lease * 9 / 10 {
                return Ok(lease);
            }
            if let Some(key_id) = self.store.renew(lease.id, self.settings.lease, &self.counts.to_string())? {
                let lease = Lease { until: now + self.settings.lease, ..lease };
                self.key_id = key_id;
                for account in self.fences.keys() {
                    let _ = self.fleet.lease(account, lease.until);
                }
                return Ok(*self.lease.insert(lease));
            }
            eprintln!("{}: the lease was over; {} sessions are others' now", self.settings.name, self.fences.len());
            self.forget_all();
        }
        let (id, key_id) = self.store.take_lease(&self.settings.name, self.settings.lease)?;
        self.key_id = key_id;
        Ok(*self.lease.insert(Lease { id, until: now + self.settings.lease }))
    }

    /// Returns how many sessions this worker may have: its share, and a quarter more.
    fn room(&mut self) -> Result<usize> {
        let (workers, sessions) = self.store.census()?;
        Ok((sessions * 5).div_ceil(workers.max(1) * 4).max(1))
    }

    fn take(&mut self, row: Claimed, lease: Lease) {
        self.counts.claims += 1;
        let (account, fence) = (row.account, row.fence);
        self.forget(account);
        match self.open(&row) {
            Ok(session) => {
                let place = Place::default().group(account.to_string());
                if self.fleet.insert(account, session, place).is_ok() {
                    let _ = self.fleet.lease(&account, lease.until);
                    self.fences.insert(account, fence);
                }
            }
            Err(error) => {
                eprintln!("{}: account {account} is set aside: {error:#}", self.settings.name);
                self.counts.refused += 1;
                self.unusable.push((account, fence, format!("{error:#}")));
            }
        }
    }

    fn open(&self, row: &Claimed) -> Result<Session<Cbrain>> {
        let belongs = Belongs::Snapshot { account: row.account, fence: row.sealed_at };
        let mut text = self.ring.open(belongs, &row.sealed)?;
        let snapshot = Snapshot::from_text(std::mem::take(&mut *text));
        self.settings.resume(row.account, &snapshot, row.fence, self.clock)
    }

    /// Returns the sessions the answers that were written for them, here or anywhere.
    fn answer(&mut self, lease: Lease) -> Result<()> {
        for answer in self.store.answers(lease.id)? {
            let account = answer.account;
            if self.answered.contains(&account) || !self.fences.contains_key(&account) {
                continue;
            }
            let used = answers::read(&self.ring, &answer)
                .map(|(need, input)| self.fleet.handle_input(self.clock.now(), &account, need, input, Source::Store));
            match used {
                // It leaves the table with the next draft of the session, which comes before the login itself.
                Ok(Ok(InputHandled::Used)) => drop(self.answered.insert(account)),
                refused => {
                    if let Err(error) = refused {
                        eprintln!("{}: the answer for account {account} cannot be used: {error:#}", self.settings.name);
                    }
                    self.store.drop_answer(&answer)?;
                }
            }
        }
        Ok(())
    }

    fn forget(&mut self, account: i64) {
        let _ = self.fleet.remove(&account);
        self.fences.remove(&account);
        self.drafts.remove(&account);
        self.answered.remove(&account);
    }

    fn forget_all(&mut self) {
        let accounts: Vec<i64> = self.fences.keys().copied().collect();
        accounts.into_iter().for_each(|account| self.forget(account));
        self.unusable.clear();
        self.lease = None;
        // What was counted stands in the row of the old lease.
        self.counts = Counts::default();
    }

    fn note_database(&mut self, outcome: &Result<()>) {
        let (name, now) = (&self.settings.name, self.clock.now());
        match (outcome, self.away) {
            (Err(error), None) => {
                eprintln!("{name}: the database is away: {error:#}");
                self.away = Some(now);
            }
            (Ok(()), Some(since)) => {
                eprintln!("{name}: the database is back after {:?}", now.since(since));
                self.away = None;
            }
            (Err(_), Some(_)) | (Ok(()), None) => {}
        }
    }

    /// Waits for what is under way, writes everything down and gives it back.
    fn leave(mut self) -> Result<()> {
        let end = self.clock.now() + STALE;
        while self.senders.under_way() > 0 && self.clock.now() < end {
            let news = self.senders.news(end.since(self.clock.now()));
            self.hear(news);
        }
        let accounts: Vec<i64> = self.fences.keys().copied().collect();
        accounts.into_iter().for_each(|account| self.give_back(account, Some(0)));
        if !self.drafts.is_empty() {
            self.write()?;
        }
        match self.lease {
            Some(lease) => self.store.end_lease(lease.id, &self.counts.to_string()),
            None => Ok(()),
        }
    }
}
