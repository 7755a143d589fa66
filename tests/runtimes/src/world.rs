//! A world in virtual time, with an executor written by hand: no runtime, no server, no waiting.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{Client, SendError, Timer};
use sansession::sim::{self, Simulator};
use sansession::{Timestamp, machine::SendPolicy};

pub const BEGAN: Timestamp = Timestamp::from_secs(1_800_000_000);
/// The URL that the world's portal has.
pub const PORTAL: &str = "http://127.0.0.1:3000";

/// The time, a portal that answers after a while, and the executor: [`World::run`].
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    now: Mutex<Timestamp>,
    sleepers: Mutex<Vec<(Timestamp, Waker)>>,
    portal: Mutex<sim::CbrainSim>,
    asked: Mutex<Vec<String>>,
    /// How long each way between a client and the portal takes.
    way: Duration,
}

impl World {
    pub fn new(way: Duration) -> Self {
        let mut portal = sim::CbrainSim::new(1);
        portal.add_user("alice", "wonderland");
        let (now, portal) = (Mutex::new(BEGAN), Mutex::new(portal));
        Self(Arc::new(Inner { now, sleepers: Mutex::default(), portal, asked: Mutex::default(), way }))
    }

    /// Returns what the portal was asked, in order.
    pub fn asked(&self) -> Vec<String> {
        self.0.asked.lock().unwrap().clone()
    }

    /// Runs a future to its end. Time passes when nothing else is left to do.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let woken = Arc::new(Woken(AtomicBool::new(true)));
        let waker = Waker::from(Arc::clone(&woken));
        loop {
            while woken.0.swap(false, Ordering::SeqCst) {
                if let Poll::Ready(done) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return done;
                }
            }
            self.pass();
        }
    }

    /// Goes to when the next sleeper wants to be woken.
    fn pass(&self) {
        let mut sleepers = self.0.sleepers.lock().unwrap();
        let next = sleepers.iter().map(|(end, _)| *end).min().expect("everybody waits, and for nothing");
        let mut now = self.0.now.lock().unwrap();
        *now = next.max(*now);
        sleepers.extract_if(.., |(end, _)| *end <= *now).for_each(|(_, waker)| waker.wake());
    }
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl Timer for World {
    async fn sleep(&self, time: Duration) {
        let end = self.now() + time;
        poll_fn(|cx| {
            if self.now() >= end {
                return Poll::Ready(());
            }
            self.0.sleepers.lock().unwrap().push((end, cx.waker().clone()));
            Poll::Pending
        })
        .await;
    }

    fn now(&self) -> Timestamp {
        *self.0.now.lock().unwrap()
    }
}

impl Client for World {
    async fn send(&self, request: Request<Vec<u8>>, _: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
        self.sleep(self.0.way).await;
        self.0.asked.lock().unwrap().push(format!("{} {}", request.method(), request.uri().path()));
        let reply = self.0.portal.lock().unwrap().handle(self.now(), [127, 0, 0, 1].into(), &request);
        self.sleep(self.0.way).await;
        Ok(reply.response)
    }
}
