//! The tables, and every statement that is made of them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use postgres::{Client, Config, NoTls, Row};

use crate::seal::Sealed;

/// No statement takes longer: a worker that waits for its database renews no lease.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the database; a broken one is created again with the next call.
pub struct Store {
    config: Config,
    client: Option<Client>,
}

/// A session's row, just claimed.
#[derive(Debug)]
pub struct Claimed {
    pub account: i64,
    /// The fence of this claim.
    pub fence: i64,
    /// The fence under which the snapshot was sealed.
    pub sealed_at: i64,
    pub sealed: Sealed,
}

/// A session's row, to be written.
#[derive(Debug)]
pub struct Write {
    pub account: i64,
    pub fence: i64,
    pub sealed: Sealed,
    pub phase: &'static str,
    /// When somebody is to claim it, in milliseconds from now or not at all, if it is given back.
    pub given_back: Option<Option<i64>>,
    /// The question that the session asks, as JSON.
    pub question: Option<String>,
}

/// An answer to a session's question.
#[derive(Debug)]
pub struct Answer {
    pub account: i64,
    pub question: String,
    pub sealed: Sealed,
}

impl Store {
    /// Takes the database's URL; connects with the first call.
    pub fn new(url: &str) -> Result<Self> {
        let mut config: Config = url.parse().context("DATABASE_URL")?;
        config.connect_timeout(PATIENCE).tcp_user_timeout(PATIENCE).keepalives_idle(PATIENCE);
        // A commit is written to disk before it is told: it is what a request waits for.
        config.options(&format!("-c statement_timeout={} -c synchronous_commit=on", PATIENCE.as_millis()));
        Ok(Self { config, client: None })
    }

    /// Creates the tables, in a database that has none of them.
    pub fn make_tables(&mut self) -> Result<()> {
        Ok(self.client()?.batch_execute(include_str!("schema.sql"))?)
    }

    /// Returns the connection, for a statement that is not here.
    pub fn client(&mut self) -> Result<&mut Client> {
        let client = match self.client.take() {
            Some(client) if !client.is_closed() => client,
            _ => self.config.connect(NoTls).context("the database is not there")?,
        };
        Ok(self.client.insert(client))
    }

    /// Adds sessions that nobody drives yet.
    pub fn add(&mut self, rows: &[(i64, Sealed)]) -> Result<()> {
        let (accounts, sealed): (Vec<i64>, Vec<&Sealed>) =
            rows.iter().map(|(account, sealed)| (*account, sealed)).unzip();
        let (keys, nonces, bytes) = columns(&sealed);
        self.client()?.execute(
            "INSERT INTO sessions (account, key_id, nonce, sealed, sealed_at, phase)
             SELECT account, key_id, nonce, sealed, 1, 'idle'
             FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bytea[]) AS new (account, key_id, nonce, sealed)",
            &[&accounts, &keys, &nonces, &bytes],
        )?;
        Ok(())
    }

    /// Takes a new lease; gives its number and the key to seal with.
    pub fn take_lease(&mut self, worker: &str, lasts: Duration) -> Result<(i64, i32)> {
        let sql = "INSERT INTO leases (worker, until) VALUES ($1, now() + $2 * interval '1 ms')
                   RETURNING id, (SELECT key_id FROM sealing)";
        let row = self.client()?.query_one(sql, &[&worker, &millis(lasts)])?;
        Ok((row.get(0), row.get(1)))
    }

    /// Renews a lease, with one row for all its sessions; gives the key to seal with, `None` once somebody has said that it is over.
    pub fn renew(&mut self, lease: i64, lasts: Duration, counts: &str) -> Result<Option<i32>> {
        let sql = "UPDATE leases SET until = now() + $2 * interval '1 ms', counts = $3
                   WHERE id = $1 AND NOT over RETURNING (SELECT key_id FROM sealing)";
        let row = self.client()?.query_opt(sql, &[&lease, &millis(lasts), &counts])?;
        Ok(row.map(|row| row.get(0)))
    }

    /// Returns which leases are over, and gives all that are, nobody's among them.
    pub fn find_over(&mut self) -> Result<Vec<i64>> {
        let client = self.client()?;
        // One that is being renewed just now is locked and passed over.
        client.execute(
            "UPDATE leases SET over = true WHERE id IN
             (SELECT id FROM leases WHERE until < now() AND NOT over FOR UPDATE SKIP LOCKED)",
            &[],
        )?;
        Ok(client.query("SELECT id FROM leases WHERE over", &[])?.iter().map(|row| row.get(0)).collect())
    }

    /// Returns how many workers there are, and how many sessions.
    pub fn census(&mut self) -> Result<(usize, usize)> {
        let sql = "SELECT (SELECT count(*) FROM leases WHERE NOT over), (SELECT count(*) FROM sessions)";
        let row = self.client()?.query_one(sql, &[])?;
        Ok((usize::try_from(row.get::<_, i64>(0))?, usize::try_from(row.get::<_, i64>(1))?))
    }

    /// Claims sessions that are due and whose lease is over, the longest due first.
    pub fn claim(&mut self, lease: i64, over: &[i64], most: usize) -> Result<Vec<Claimed>> {
        let rows = self.client()?.query(
            "WITH due AS (
                 SELECT account FROM sessions WHERE lease = ANY($2) AND due_at <= now()
                 ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
             UPDATE sessions SET lease = $1, fence = fence + 1, claimed_at = clock_timestamp(), refused = NULL
             FROM due WHERE sessions.account = due.account
             RETURNING sessions.account, fence, sealed_at, key_id, nonce, sealed",
            &[&lease, &over, &i64::try_from(most)?],
        )?;
        let claimed = |row: &Row| Claimed {
            account: row.get(0),
            fence: row.get(1),
            sealed_at: row.get(2),
            sealed: Sealed { key_id: row.get(3), nonce: row.get(4), bytes: row.get(5) },
        };
        Ok(rows.iter().map(claimed).collect())
    }

    /// Sets a row aside that cannot be used here, as it is, and says why; it is due again later.
    pub fn refuse(&mut self, account: i64, fence: i64, why: &str, again: Duration) -> Result<()> {
        self.client()?.execute(
            "UPDATE sessions SET lease = 0, refused = $3, due_at = now() + $4 * interval '1 ms'
             WHERE account = $1 AND fence = $2",
            &[&account, &fence, &why, &millis(again)],
        )?;
        Ok(())
    }

    /// Writes sessions down, all or none; gives those whose fence is still the newest. Of the others no row
    /// is changed: somebody else has them.
    pub fn write(&mut self, writes: &[&Write]) -> Result<Vec<i64>> {
        let (keys, nonces, bytes) = columns(&writes.iter().map(|write| &write.sealed).collect::<Vec<_>>());
        let accounts: Vec<i64> = writes.iter().map(|write| write.account).collect();
        let fences: Vec<i64> = writes.iter().map(|write| write.fence).collect();
        let phases: Vec<&str> = writes.iter().map(|write| write.phase).collect();
        let back: Vec<bool> = writes.iter().map(|write| write.given_back.is_some()).collect();
        let dues: Vec<Option<i64>> = writes.iter().map(|write| write.given_back.flatten()).collect();
        let questions: Vec<Option<&str>> = writes.iter().map(|write| write.question.as_deref()).collect();
        let mut work = self.client()?.transaction()?;
        let written: Vec<i64> = work
            .query(
                "UPDATE sessions SET key_id = new.key_id, nonce = new.nonce, sealed = new.sealed, phase = new.phase,
                 sealed_at = new.fence, lease = CASE WHEN back THEN 0 ELSE lease END,
                 due_at = CASE WHEN back THEN coalesce(now() + due * interval '1 ms', 'infinity') ELSE due_at END
             FROM unnest($1::bigint[], $2::bigint[], $3::integer[], $4::bytea[], $5::bytea[], $6::text[],
                 $7::boolean[], $8::bigint[]) AS new (account, fence, key_id, nonce, sealed, phase, back, due)
             WHERE sessions.account = new.account AND sessions.fence = new.fence RETURNING sessions.account",
                &[&accounts, &fences, &keys, &nonces, &bytes, &phases, &back, &dues],
            )?
            .iter()
            .map(|row| row.get(0))
            .collect();
        // An answer that a server may judge must not be given again, so it goes before the request that spends it.
        work.execute(
            "DELETE FROM needs USING unnest($1::bigint[], $2::text[]) AS new (account, question)
             WHERE needs.account = new.account AND new.question IS NULL AND needs.account = ANY($3)",
            &[&accounts, &questions, &written],
        )?;
        if questions.iter().any(Option::is_some) {
            work.execute(
                "INSERT INTO needs (account, question)
                 SELECT account, question FROM unnest($1::bigint[], $2::bigint[], $3::text[]) AS new (account, fence, question)
                 JOIN sessions USING (account, fence) WHERE question IS NOT NULL
                 ON CONFLICT (account) DO UPDATE SET question = excluded.question, asked_at = now(), answer = NULL
                 WHERE needs.question <> excluded.question",
                &[&accounts, &fences, &questions],
            )?;
        }
        work.commit()?;
        Ok(written)
    }

    /// Returns questions that nobody has answered yet.
    pub fn questions(&mut self, most: i64) -> Result<Vec<(i64, String)>> {
        let sql = "SELECT account, question FROM needs WHERE answer IS NULL ORDER BY asked_at LIMIT $1";
        Ok(self.client()?.query(sql, &[&most])?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Writes answers down, on whichever machine they came in; gives how many questions were still open.
    pub fn answer(&mut self, answers: &[Answer]) -> Result<usize> {
        let mut work = self.client()?.transaction()?;
        let sql = work.prepare(
            "UPDATE needs SET answer = $3, nonce = $4, key_id = $5
             WHERE account = $1 AND question = $2 AND answer IS NULL",
        )?;
        let mut open = 0;
        for Answer { account, question, sealed } in answers {
            open += work.execute(&sql, &[account, question, &sealed.bytes, &sealed.nonce, &sealed.key_id])?;
        }
        work.commit()?;
        Ok(usize::try_from(open)?)
    }

    /// Makes the free sessions due whose question has been answered.
    pub fn wake_answered(&mut self) -> Result<u64> {
        let sql = "UPDATE sessions SET due_at = now() WHERE account IN
                   (SELECT account FROM sessions JOIN needs USING (account)
                    WHERE answer IS NOT NULL AND lease = 0 AND due_at = 'infinity' FOR UPDATE OF sessions SKIP LOCKED)";
        Ok(self.client()?.execute(sql, &[])?)
    }

    /// Returns the answers for the sessions of a lease. They leave the table with the first draft of their session.
    pub fn answers(&mut self, lease: i64) -> Result<Vec<Answer>> {
        let sql = "SELECT account, question, needs.key_id, needs.nonce, answer FROM needs JOIN sessions USING (account)
                   WHERE lease = $1 AND answer IS NOT NULL";
        let answer = |row: &Row| Answer {
            account: row.get(0),
            question: row.get(1),
            sealed: Sealed { key_id: row.get(2), nonce: row.get(3), bytes: row.get(4) },
        };
        Ok(self.client()?.query(sql, &[&lease])?.iter().map(answer).collect())
    }

    /// Drops an answer that is of no use; the question is open again.
    pub fn drop_answer(&mut self, answer: &Answer) -> Result<()> {
        let sql = "UPDATE needs SET answer = NULL WHERE account = $1 AND question = $2";
        self.client()?.execute(sql, &[&answer.account, &answer.question])?;
        Ok(())
    }

    /// Frees the rows of a lease that its worker does not know; gives how many there were.
    pub fn free_unknown(&mut self, lease: i64, known: &[i64]) -> Result<u64> {
        let sql = "UPDATE sessions SET lease = 0 WHERE lease = $1 AND NOT account = ANY($2)";
        Ok(self.client()?.execute(sql, &[&lease, &known])?)
    }

    /// Seals rows again that are sealed with another key than the given one, driven or not; gives how many were
    /// found. Those that somebody writes just now are passed over.
    pub fn reseal(&mut self, key_id: i32, most: i64, seal: impl Fn(&Claimed) -> Result<Sealed>) -> Result<usize> {
        let mut work = self.client()?.transaction()?;
        let rows = work.query(
            "SELECT account, fence, sealed_at, key_id, nonce, sealed FROM sessions
             WHERE key_id <> $1 AND refused IS NULL LIMIT $2 FOR UPDATE SKIP LOCKED",
            &[&key_id, &most],
        )?;
        let mut fresh: Vec<(i64, Sealed)> = Vec::new();
        for row in &rows {
            let sealed = Sealed { key_id: row.get(3), nonce: row.get(4), bytes: row.get(5) };
            fresh.push((
                row.get(0),
                seal(&Claimed { account: row.get(0), fence: row.get(1), sealed_at: row.get(2), sealed })?,
            ));
        }
        let (accounts, sealed): (Vec<i64>, Vec<&Sealed>) =
            fresh.iter().map(|(account, sealed)| (*account, sealed)).unzip();
        let (keys, nonces, bytes) = columns(&sealed);
        let changed = work.execute(
            "UPDATE sessions SET key_id = new.key_id, nonce = new.nonce, sealed = new.sealed
             FROM unnest($1::bigint[], $2::integer[], $3::bytea[], $4::bytea[]) AS new (account, key_id, nonce, sealed)
             WHERE sessions.account = new.account",
            &[&accounts, &keys, &nonces, &bytes],
        )?;
        if changed != rows.len() as u64 {
            bail!("{changed} rows were sealed anew of {}", rows.len());
        }
        work.commit()?;
        Ok(rows.len())
    }

    /// Declares that a lease is over before its time, for a worker that leaves in good order.
    pub fn end_lease(&mut self, lease: i64, counts: &str) -> Result<()> {
        self.client()?.execute("UPDATE leases SET over = true, counts = $2 WHERE id = $1", &[&lease, &counts])?;
        Ok(())
    }

    /// Waits until the database answers, at most so long.
    pub fn wait(&mut self, most: Duration) -> Result<()> {
        let began = Instant::now();
        while let Err(error) = self.client().and_then(|client| Ok(client.simple_query("SELECT 1")?)) {
            if began.elapsed() > most {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

fn columns<'a>(sealed: &[&'a Sealed]) -> (Vec<i32>, Vec<&'a [u8]>, Vec<&'a [u8]>) {
    let keys = sealed.iter().map(|sealed| sealed.key_id).collect();
    let nonces = sealed.iter().map(|sealed| sealed.nonce.as_slice()).collect();
    (keys, nonces, sealed.iter().map(|sealed| sealed.bytes.as_slice()).collect())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
