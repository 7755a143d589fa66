//! A private server, portals, and a worker in a thread.

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use fleet_postgres::answers;
use fleet_postgres::clock::Clock;
use fleet_postgres::portals::{Log, Portals, credentials};
use fleet_postgres::seal::{Belongs, KeyRing, Sealed};
use fleet_postgres::server::PrivateServer;
use fleet_postgres::settings::Settings;
use fleet_postgres::store::{Claimed, Store, Write};
use fleet_postgres::worker::Worker;
use sansession::sim::Server;

pub struct Stage {
    pub server: PrivateServer,
    pub portals: Server<Portals>,
    pub store: Store,
    pub settings: Settings,
    pub keys: String,
    pub ring: KeyRing,
}

pub struct Working {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    /// Sessions that nobody drives yet, on portals that all answer.
    pub fn with(sessions: i64) -> Self {
        let server = PrivateServer::start().unwrap();
        let clock = Clock::start();
        let portals = Server::start(Portals::new(sessions), move || clock.now()).unwrap();
        let keys = KeyRing::draw([1, 2]).unwrap().to_string();
        let ring = KeyRing::parse(&keys).unwrap();
        let mut settings = Settings::new(&server.url(), portals.url());
        settings.poll = Duration::from_millis(100);
        settings.keepalive = Duration::from_secs(2);
        let mut store = Store::new(&server.url()).unwrap();
        store.make_tables().unwrap();
        let rows: Vec<_> = (1..=sessions)
            .map(|account| {
                let text = settings.first_snapshot(account).unwrap();
                (account, ring.seal(1, Belongs::Snapshot { account, fence: 1 }, text.expose_secrets()).unwrap())
            })
            .collect();
        store.add(&rows).unwrap();
        Self { server, portals, store, settings, keys, ring }
    }

    pub fn works(&self, name: &str) -> Working {
        let settings = Settings { name: name.into(), ..self.settings.clone() };
        let worker = Worker::new(settings, KeyRing::parse(&self.keys).unwrap()).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        Working { stop, thread: std::thread::spawn(move || worker.run(&told)) }
    }

    /// Answers whatever is asked, once.
    pub fn answers(&mut self) {
        let seal = |(account, question): (i64, String)| {
            let (login, password) = credentials(account);
            answers::seal(&self.ring, 1, account, &question, &login, &password).unwrap()
        };
        let answers: Vec<_> = self.store.questions(500).unwrap().into_iter().map(seal).collect();
        self.store.answer(&answers).unwrap();
    }

    pub fn number(&mut self, sql: &str) -> i64 {
        self.store.client().unwrap().query_one(sql, &[]).unwrap().get(0)
    }

    pub fn text(&mut self, sql: &str) -> Option<String> {
        self.store.client().unwrap().query_one(sql, &[]).unwrap().get(0)
    }

    pub fn runs(&mut self, sql: &str) {
        self.store.client().unwrap().batch_execute(sql).unwrap();
    }

    /// Answers questions until so many sessions are open.
    pub fn opens(&mut self, sessions: i64) {
        self.until("sessions to open", |stage| {
            stage.answers();
            stage.number("SELECT count(*) FROM sessions WHERE phase = 'active'") == sessions
        });
    }

    pub fn until(&mut self, what: &str, mut reached: impl FnMut(&mut Self) -> bool) {
        let began = Instant::now();
        while !reached(self) {
            assert!(began.elapsed() < Duration::from_secs(60), "waited in vain for {what}");
            sleep(Duration::from_millis(50));
        }
    }

    /// Waits until an account has been kept alive so many times more.
    pub fn is_kept_alive(&mut self, account: i64, times: usize) {
        self.are_kept_alive(account..=account, times);
    }

    /// Waits until each of these accounts has been kept alive so many times more.
    pub fn are_kept_alive(&mut self, accounts: RangeInclusive<i64>, times: usize) {
        let fine = |stage: &Self| -> Vec<usize> {
            let count = |log: &Log, account| log.of(account).iter().filter(|exchange| exchange.fine).count();
            stage.portals.with(|portals| accounts.clone().map(|account| count(portals.log(), account)).collect())
        };
        let before = fine(self);
        self.until("keepalives", |stage| before.iter().zip(fine(stage)).all(|(before, now)| now >= before + times));
    }

    /// Lets the database return.
    pub fn returns(&mut self) {
        self.server.go_on().unwrap();
        self.store.wait(Duration::from_secs(10)).unwrap();
    }

    /// Puts a text into a row, sealed as a worker would.
    pub fn puts(&mut self, account: i64, text: &str) {
        let sealed = self.ring.seal(1, Belongs::Snapshot { account, fence: 1 }, text).unwrap();
        self.put(account, &sealed);
    }

    fn put(&mut self, account: i64, sealed: &Sealed) {
        let sql = "UPDATE sessions SET sealed = $2, nonce = $3 WHERE account = $1";
        self.store.client().unwrap().execute(sql, &[&account, &sealed.bytes, &sealed.nonce]).unwrap();
    }

    /// Claims everything that is free, as a worker does.
    pub fn claims(&mut self, lease: i64) -> Vec<Claimed> {
        let over = self.store.find_over().unwrap();
        self.store.claim(lease, &over, 100).unwrap()
    }

    /// Creates what a worker would write for a row that it has claimed.
    pub fn draft(&self, row: &Claimed) -> Write {
        let belongs = Belongs::Snapshot { account: row.account, fence: row.fence };
        let sealed = self.ring.seal(1, belongs, "{}").unwrap();
        Write { account: row.account, fence: row.fence, sealed, phase: "active", given_back: None, question: None }
    }
}

impl Working {
    pub fn stops(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap().unwrap();
    }
}
