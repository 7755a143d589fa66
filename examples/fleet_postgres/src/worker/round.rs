//! One round: what the fleet says is written down, and then it is done.

use std::collections::BTreeSet;

use anyhow::Result;
use sansession::drive::fleet::Turn;
use sansession::{Failure, Machine, Output, Response, Timestamp, WaitingOn, machine::FailureKind};

use super::{STALE, Worker};
use crate::seal::Belongs;
use crate::senders::{Job, News};
use crate::store::Write;

/// How many outputs are written down together at most.
const ROUND: usize = 256;

impl Worker {
    /// Does what the fleet says, as far as threads are free; tells whether they were not.
    pub(super) fn round(&mut self) -> bool {
        let (mut jobs, mut seen) = (Vec::new(), BTreeSet::new());
        let now = self.clock.now();
        let full = loop {
            if self.senders.under_way() + jobs.len() + self.held.len() >= 2 * self.settings.senders {
                break true;
            }
            if seen.len() >= ROUND {
                break false;
            }
            match self.fleet.poll(now) {
                Turn::Session(account, Output::Send(outgoing)) => jobs.extend(self.job(now, account, outgoing)),
                Turn::Session(account, Output::Save | Output::Wait { .. } | Output::Closed(_)) => {
                    // What leaves now is later than what is written.
                    self.draft(account);
                    seen.insert(account);
                }
                Turn::Session(account, _) => drop(seen.insert(account)),
                Turn::Lapsed(_) => self.counts.lapsed += 1,
                Turn::Wait { .. } => break false,
                _ => {}
            }
        };
        seen.into_iter().for_each(|account| self.rest(account));
        self.held.extend(jobs.into_iter().map(|job| (now, job)));
        if self.away.is_none() && !self.drafts.is_empty() {
            let outcome = self.write();
            self.note_database(&outcome);
        }
        self.release();
        full
    }

    fn job(&self, now: Timestamp, account: i64, outgoing: sansession::Outgoing) -> Option<Job> {
        let (fence, until) = (*self.fences.get(&account)?, self.lease?.until);
        let (id, policy) = (outgoing.id(), outgoing.policy());
        let leave_before = (until - policy.timeout).min(now + STALE);
        Some(Job { account, fence, id, policy, request: outgoing.into_request(), leave_before })
    }

    /// Notes a session as it is now.
    fn draft(&mut self, account: i64) {
        let (Some(machine), Some(fence)) = (self.fleet.machine(&account), self.fences.get(&account)) else { return };
        let status = machine.status();
        let question = match &status.on {
            WaitingOn::Need(need) => serde_json::to_string(need).ok(),
            _ => None,
        };
        let belongs = Belongs::Snapshot { account, fence: *fence };
        match self.ring.seal(self.key_id, belongs, machine.snapshot().expose_secrets()) {
            Ok(sealed) => {
                let draft =
                    Write { account, fence: *fence, sealed, phase: status.phase.code(), given_back: None, question };
                self.drafts.insert(account, draft);
            }
            // A key that is not here yet: others drive it meanwhile.
            Err(error) => {
                eprintln!("{}: account {account} cannot be written: {error:#}", self.settings.name);
                self.forget(account);
            }
        }
    }

    /// Returns a session back that has nothing to do for long, or nothing at all.
    fn rest(&mut self, account: i64) {
        let now = self.clock.now();
        let Some(machine) = self.fleet.machine(&account) else { return };
        let deadline = machine.deadline();
        let waits = !matches!(machine.status().on, WaitingOn::Response(_));
        if waits && machine.phase() != sansession::Phase::Idle && deadline.since(now) > self.settings.hold {
            let due = (!deadline.is_never()).then(|| deadline.since(now).as_millis());
            self.give_back(account, due.and_then(|due| i64::try_from(due).ok()));
        }
    }

    pub(super) fn give_back(&mut self, account: i64, due: Option<i64>) {
        self.draft(account);
        if let Some(draft) = self.drafts.get_mut(&account) {
            draft.given_back = Some(due);
        }
    }

    pub(super) fn give_back_beyond(&mut self, room: usize) {
        let fleet = &self.fleet;
        let rests = |account: &i64| {
            fleet.machine(account).is_some_and(|machine| !matches!(machine.status().on, WaitingOn::Response(_)))
        };
        let excess = self.fences.len().saturating_sub(room);
        let accounts: Vec<i64> = self.fences.keys().copied().filter(rests).take(excess).collect();
        accounts.into_iter().for_each(|account| self.give_back(account, Some(0)));
    }

    /// Writes what is to be written, in one transaction. Whose row has another fence is not ours any more.
    pub(super) fn write(&mut self) -> Result<()> {
        for (account, draft) in &mut self.drafts {
            // It went on while the database was away.
            let busy = self.fleet.machine(account).is_some_and(|m| matches!(m.status().on, WaitingOn::Response(_)));
            if busy && !self.held.iter().any(|(_, job)| job.account == *account) {
                draft.given_back = None;
            }
        }
        let written: BTreeSet<i64> = self.store.write(&self.drafts.values().collect::<Vec<_>>())?.into_iter().collect();
        self.counts.commits += 1;
        for (account, draft) in std::mem::take(&mut self.drafts) {
            self.answered.remove(&account);
            if !written.contains(&account) {
                self.counts.stale += 1;
                self.forget(account);
            } else {
                self.counts.writes += 1;
                if draft.given_back.is_some() {
                    self.forget(account);
                }
            }
        }
        Ok(())
    }

    /// Sends what waits for nothing, and takes back what has waited for too long.
    fn release(&mut self) {
        let now = self.clock.now();
        for (since, job) in std::mem::take(&mut self.held) {
            if self.fences.get(&job.account) != Some(&job.fence) {
                continue;
            }
            if !self.drafts.contains_key(&job.account) {
                self.counts.sent += 1;
                self.senders.send(job);
            } else if now.since(since) < STALE {
                self.held.push((since, job));
            } else {
                let failure = Failure::not_sent(FailureKind::Other);
                let _ = self.fleet.handle_failure(now, &job.account, job.id, failure);
            }
        }
    }

    pub(super) fn hear(&mut self, news: Vec<News>) {
        let now = self.clock.now();
        for News { account, id, outcome } in news {
            // A session that was given up meanwhile is unknown, which is no mistake.
            let _ = match outcome {
                Ok(response) => self.fleet.handle_response(now, &account, id, Response::from(&response)),
                Err(failure) => self.fleet.handle_failure(now, &account, id, failure),
            };
        }
    }
}
