//! The one loop, beside a loop that is written by hand for the same session.

use std::future::{Ready, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{Answer, SendError, Timer, asynchronous};
use sansession::{Machine, Need, Output, Timestamp, machine::SendPolicy};

use super::{Case, START, STATUS, TICKLE, json, life};

/// As long as the loop sleeps at most, and README's loop.
const NAP: Duration = Duration::from_secs(10);

/// A gateway that answers from memory, and its time.
#[derive(Clone)]
struct World {
    now: Arc<AtomicU64>,
    /// Whether a tickle was answered.
    tickled: Arc<AtomicBool>,
    tickle: Response<Vec<u8>>,
    status: Response<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let (now, tickled) = (Arc::new(START.as_millis().into()), Arc::default());
        Self { now, tickled, tickle: json(TICKLE), status: json(STATUS) }
    }

    fn now(&self) -> Timestamp {
        self.now.load(Ordering::Relaxed).into()
    }

    fn pass(&self, time: Duration) {
        self.now.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    fn send(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let tickles = request.uri().path().ends_with("tickle");
        self.tickled.store(tickles, Ordering::Relaxed);
        // Once a day, after midnight, the status is checked as well.
        if tickles { self.tickle.clone() } else { self.status.clone() }
    }
}

/// Until the minute is over, a sleep takes no time.
impl Timer for World {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        poll_fn(move |_| {
            if self.tickled.load(Ordering::Relaxed) {
                return Poll::Pending;
            }
            self.pass(time);
            Poll::Ready(())
        })
    }

    fn now(&self) -> Timestamp {
        Self::now(self)
    }
}

/// A minute of an open session: six naps, a tickle, its answer, an event.
pub fn shared_loop() -> Case {
    let world = World::new();
    let sends = world.clone();
    let client = move |request: Request<Vec<u8>>, _: SendPolicy| -> Ready<Result<_, SendError>> {
        ready(Ok(sends.send(&request)))
    };
    let nobody = |_: Need| -> Answer { panic!("the gateway is logged in") };
    let (_handle, mut driver) = asynchronous::new(life::gateway(), client, world.clone(), nobody);
    let ours = move || {
        world.tickled.store(false, Ordering::Relaxed);
        let polled = Pin::new(&mut driver).poll(&mut Context::from_waker(Waker::noop()));
        assert!(polled.is_pending() && world.tickled.load(Ordering::Relaxed), "it has not tickled");
    };

    let (mut session, world, mut until) = (life::gateway(), World::new(), START);
    let floor = move || {
        world.tickled.store(false, Ordering::Relaxed);
        loop {
            world.pass(until.since(world.now()).min(NAP));
            until = loop {
                match session.poll(world.now()) {
                    Output::Send(outgoing) => {
                        let id = outgoing.id();
                        let answer = world.send(&outgoing.into_request());
                        session.handle_response(world.now(), id, (&answer).into()).unwrap();
                    }
                    Output::Wait { until, .. } => break until,
                    other => _ = std::hint::black_box(&other),
                }
            };
            if world.tickled.load(Ordering::Relaxed) {
                return;
            }
        }
    };
    Case::new(ours, floor)
}
