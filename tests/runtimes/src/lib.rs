//! What the tests of the asynchronous handle share: a portal, a session with it and a program that counts.

pub mod world;

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use sansession::drive::{Answer, Ended, Program, now};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Reply, Server, Simulator};
use sansession::{
    BaseUrl, CloseReason, Credentials, Event, Input, Need, Options, Session, Snapshot, Source, Timestamp,
};

pub const LOGGED_OUT: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: true });
pub const LIFE: [&str; 4] = ["POST /session", "GET /session", "GET /session", "DELETE /session"];

/// A portal with one user, and how long it takes to answer.
pub struct Portal {
    pub portal: sim::CbrainSim,
    pub delay: Duration,
}

impl Simulator for Portal {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        self.portal.handle(now, peer, request).after(self.delay)
    }
}

pub fn portal() -> Server<Portal> {
    slow_portal(Duration::ZERO)
}

pub fn slow_portal(delay: Duration) -> Server<Portal> {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    Server::start(Portal { portal, delay }, now).unwrap()
}

/// A session with a keepalive each second.
pub fn session(url: &str, durable: bool) -> Session<Cbrain> {
    let provider = Cbrain::new(BaseUrl::parse(url).unwrap()).unwrap().keepalive(Duration::from_secs(1));
    let mut options = Options::default();
    options.durable = durable;
    Session::new(provider, options, [7; 32])
}

pub fn alice(_: Need) -> Answer {
    Answer::from(Credentials::new("alice", "wonderland"))
}

pub fn by_a_person(_: Need) -> Answer {
    Answer::Now(Input::Credentials(Credentials::new("alice", "wonderland").unwrap()), Source::Person)
}

pub fn asked<S: Simulator + 'static>(server: &Server<S>) -> Vec<String> {
    server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect()
}

/// Counts what it is told and asked; every other save takes a while.
#[derive(Default)]
pub struct Counts {
    pub asked: AtomicUsize,
    pub kept: AtomicUsize,
    pub saves: AtomicUsize,
    pub saved: AtomicUsize,
    pub told: Mutex<Vec<&'static str>>,
}

#[derive(Clone, Default)]
pub struct Bot(pub Arc<Counts>);

impl Program for Bot {
    async fn answer(&self, need: Need) -> Answer {
        self.0.asked.fetch_add(1, Ordering::SeqCst);
        tokio::task::yield_now().await;
        alice(need)
    }

    fn event(&self, event: &Event) {
        self.0.told.lock().unwrap().push(event.code());
        self.0.kept.fetch_add(usize::from(matches!(event, Event::KeptAlive)), Ordering::SeqCst);
    }

    async fn save(&self, _: Snapshot) -> io::Result<()> {
        if self.0.saves.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            tokio::task::yield_now().await;
        }
        self.0.saved.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }
}
