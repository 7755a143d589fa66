//! What happens: sessions are opened, kept alive, orphaned and taken over, and the portals' log judges.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use sansession::sim::Server;
use sansession::sim::cbrain::Outcome;
use sansession::{Machine, Phase, Snapshot};
use zeroize::Zeroizing;

use crate::answers;
use crate::clock::Clock;
use crate::portals::{Portals, credentials};
use crate::processes::Process;
use crate::report::{Costs, Takeover, tally};
use crate::seal::{Belongs, KeyRing};
use crate::server::PrivateServer;
use crate::settings::Settings;
use crate::store::Store;

/// The key that rows are sealed with at first, and the one after the rotation.
const KEY_IDS: [i32; 2] = [1, 2];

/// How large the story is.
pub struct Plan {
    pub sessions: i64,
    pub workers: usize,
    /// How much later a takeover may come on a machine that is busy with other things.
    pub busy: Duration,
    /// An empty database; a private server is started if there is none.
    pub database: Option<String>,
}

impl Default for Plan {
    fn default() -> Self {
        Self { sessions: 20_000, workers: 4, busy: Duration::ZERO, database: None }
    }
}

struct Stage {
    settings: Settings,
    keys: Zeroizing<String>,
    ring: KeyRing,
    store: Store,
    portals: Arc<Server<Portals>>,
    clock: Clock,
    workers: Vec<Process>,
    sessions: i64,
    busy: Duration,
    postgres: Option<u32>,
}

/// Tells the story; an error where it does not come out as it must.
pub fn tell(plan: &Plan) -> Result<()> {
    let private = if plan.database.is_none() { Some(PrivateServer::start()?) } else { None };
    let url = plan.database.clone().or_else(|| private.as_ref().map(PrivateServer::url)).context("no database")?;
    let mut stage = Stage::set(plan, &url, private.as_ref().and_then(PrivateServer::pid))?;
    let over = Arc::new(AtomicBool::new(false));
    let desk = stage.opens_desk(&over)?;

    let before = stage.costs();
    let began = Instant::now();
    stage.opens(plan.workers)?;
    let took = began.elapsed();
    // The workers tell what they have counted when they renew their leases.
    sleep(stage.settings.lease / 10 + stage.settings.poll);
    before.until(&stage.costs()).print(&format!("opening {} sessions", plan.sessions), took);

    let (before, began) = (stage.costs(), Instant::now());
    sleep(stage.settings.keepalive);
    before.until(&stage.costs()).print("keeping them alive", began.elapsed());

    stage.rotates_keys()?;
    let takeovers = stage.loses_two()?;
    sleep(stage.settings.keepalive + Duration::from_secs(5));
    stage.counts_shares()?;
    stage.ends()?;
    over.store(true, Ordering::Relaxed);
    ensure!(desk.join().is_ok(), "the front desk fell over");
    stage.judges(&takeovers)
}

impl Stage {
    fn set(plan: &Plan, url: &str, postgres: Option<u32>) -> Result<Self> {
        let clock = Clock::start();
        let portals = Arc::new(Server::start(Portals::new(plan.sessions), move || clock.now())?);
        let keys = KeyRing::draw(KEY_IDS)?;
        let (settings, ring) = (Settings::new(url, portals.url()), KeyRing::parse(&keys)?);
        let mut store = Store::new(url)?;
        store.make_tables()?;
        let (workers, sessions, busy) = (Vec::new(), plan.sessions, plan.busy);
        Ok(Self { settings, keys, ring, store, portals, clock, workers, sessions, busy, postgres })
    }

    /// Whoever has passwords answers what is asked: here a thread of a process that drives no session.
    fn opens_desk(&self, over: &Arc<AtomicBool>) -> Result<thread::JoinHandle<()>> {
        let (over, ring, mut store) =
            (Arc::clone(over), KeyRing::parse(&self.keys)?, Store::new(&self.settings.database)?);
        Ok(thread::spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let answered = answer_all(&ring, &mut store);
                if !matches!(answered, Ok(1..)) {
                    sleep(Duration::from_millis(100));
                }
            }
        }))
    }

    fn opens(&mut self, workers: usize) -> Result<()> {
        for number in 1..=workers {
            let settings = Settings { name: format!("worker {number}"), ..self.settings.clone() };
            self.workers.push(Process::start(&settings, &self.keys)?);
        }
        self.waits("the workers' leases", |stage| Ok(stage.store.census()?.0 == workers))?;
        let accounts: Vec<i64> = (1..=self.sessions).collect();
        for some in accounts.chunks(1_000) {
            let row = |account: &i64| {
                let text = self.settings.first_snapshot(*account)?;
                let belongs = Belongs::Snapshot { account: *account, fence: 1 };
                Ok((*account, self.ring.seal(KEY_IDS[0], belongs, text.expose_secrets())?))
            };
            let rows: Vec<_> = some.iter().map(row).collect::<Result<_>>()?;
            self.store.add(&rows)?;
        }
        self.waits("all sessions to be open", |stage| {
            Ok(stage.number("SELECT count(*) FROM sessions WHERE phase = 'active'")? == stage.sessions)
        })
    }

    /// All workers know both keys already. The first step tells them to seal with the new one, the second
    /// seals again what they do not write by themselves; then the old key may go.
    fn rotates_keys(&mut self) -> Result<()> {
        let [old, new] = KEY_IDS;
        self.store.client()?.execute("UPDATE sealing SET key_id = $1", &[&new])?;
        // Each worker hears of it with its next renewal.
        sleep(self.settings.lease / 10 + self.settings.poll * 2);
        let (began, mut rows) = (Instant::now(), 0);
        let left = format!("SELECT count(*) FROM sessions WHERE key_id = {old}");
        while self.number(&left)? > 0 {
            let ring = &self.ring;
            rows += self.store.reseal(new, 1_000, |row| {
                let belongs = Belongs::Snapshot { account: row.account, fence: row.sealed_at };
                ring.seal(new, belongs, &ring.open(belongs, &row.sealed)?)
            })?;
        }
        let rate = rows as f64 / began.elapsed().as_secs_f64();
        println!("rotation: {rows} rows sealed anew while their sessions were driven, {rate:.0} a second");
        Ok(())
    }

    /// Kills the first worker and stops the second for longer than its lease.
    fn loses_two(&mut self) -> Result<Vec<Takeover>> {
        let mut takeovers = Vec::new();
        for (number, signal) in [(0, Signal::KILL), (1, Signal::STOP)] {
            let worker = &self.workers[number];
            let orphans =
                Takeover::begin(&mut self.store, &worker.name, if number == 0 { "killed" } else { "stopped" })?;
            worker.signal(signal)?;
            takeovers.push(orphans);
        }
        sleep(self.settings.lease + Duration::from_secs(8));
        for takeover in &mut takeovers {
            takeover.measure(&mut self.store)?;
            takeover.print();
        }
        self.workers[1].signal(Signal::CONT)?;
        self.workers.remove(0).wait()?;
        Ok(takeovers)
    }

    fn counts_shares(&mut self) -> Result<()> {
        let sql = "SELECT worker, count(*) FROM sessions JOIN leases ON lease = id GROUP BY worker ORDER BY worker";
        for row in self.store.client()?.query(sql, &[])? {
            println!("{} drives {} sessions at the end", row.get::<_, &str>(0), row.get::<_, i64>(1));
        }
        Ok(())
    }

    fn ends(&mut self) -> Result<()> {
        self.costs().print_totals(&mut self.store)?;
        for worker in &self.workers {
            worker.signal(Signal::TERM)?;
        }
        for worker in std::mem::take(&mut self.workers) {
            let name = worker.name.clone();
            ensure!(worker.wait()?, "{name} failed");
        }
        Ok(())
    }

    fn judges(&mut self, takeovers: &[Takeover]) -> Result<()> {
        let (ended, keepalive) = (self.clock.now(), self.settings.keepalive);
        let (crimes, logins, requests, silent) = self.portals.with(|portals| {
            // Late ones are spread over ten seconds; a few more for a machine that is busy.
            let late = keepalive + Duration::from_secs(20);
            let lives = |account: &i64| portals.log().of(*account).iter().any(|e| e.fine && ended.since(e.to) < late);
            let silent = (1..=self.sessions).filter(|account| !lives(account)).count();
            (portals.log().crimes(), portals.count(Outcome::LoggedIn), portals.log().len(), silent)
        });
        let mut lost = Vec::new();
        let sql =
            "SELECT account, fence, sealed_at, key_id, nonce, sealed FROM sessions WHERE lease = 0 AND refused IS NULL";
        let rows = self.store.client()?.query(sql, &[])?;
        for row in &rows {
            let account: i64 = row.get(0);
            let sealed = crate::seal::Sealed { key_id: row.get(3), nonce: row.get(4), bytes: row.get(5) };
            let text = self.ring.open(Belongs::Snapshot { account, fence: row.get(2) }, &sealed)?;
            let snapshot = Snapshot::from_text(text.as_str());
            let session = self.settings.resume(account, &snapshot, row.get::<_, i64>(1) + 1, self.clock)?;
            if session.phase() != Phase::Active {
                lost.push(account);
            }
        }
        println!(
            "the judge: {requests} requests of {} sessions, {logins} logins, {} rows, {} lost, {silent} silent, {} driven by two at once",
            self.sessions,
            rows.len(),
            lost.len(),
            crimes.len()
        );
        ensure!(crimes.is_empty(), "driven by two at once: {:?}", &crimes[..crimes.len().min(3)]);
        ensure!(rows.len() as i64 == self.sessions && lost.is_empty() && silent == 0, "sessions were lost: {lost:?}");
        ensure!(logins as i64 == self.sessions, "{logins} logins: a takeover must need none");
        let most = self.settings.lease + self.settings.poll + self.busy;
        for takeover in takeovers {
            takeover.judge(most)?;
        }
        println!("none lost, none driven by two at once, all taken over within {most:?}");
        Ok(())
    }

    fn waits(&mut self, what: &str, mut until: impl FnMut(&mut Self) -> Result<bool>) -> Result<()> {
        let began = Instant::now();
        while !until(self)? {
            ensure!(began.elapsed() < Duration::from_secs(300), "waited in vain for {what}");
            sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    fn number(&mut self, sql: &str) -> Result<i64> {
        Ok(self.store.client()?.query_one(sql, &[])?.get(0))
    }

    fn costs(&mut self) -> Costs {
        let workers = self.workers.iter().map(Process::cpu).sum();
        Costs::read(workers, self.postgres, tally(&mut self.store).unwrap_or_default())
    }
}

fn answer_all(ring: &KeyRing, store: &mut Store) -> Result<usize> {
    let mut answers = Vec::new();
    for (account, question) in store.questions(500)? {
        let (login, password) = credentials(account);
        answers.push(answers::seal(ring, KEY_IDS[0], account, &question, &login, &password)?);
    }
    store.answer(&answers)
}
