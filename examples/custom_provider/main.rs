//! A provider outside the crate: its protocol, its simulated server, a day of it and the laws.
//!
//! `cargo run --example custom_provider`

mod provider;
mod server;

use std::error::Error;
use std::future::{Future, ready};
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use sansession::asynchronous::{self, Answer, Ended, Handle, SendError, Stop, Timer};
use sansession::sim::Simulator;
use sansession::testing::{Laws, Sample};
use sansession::{BaseUrl, CloseReason, Input, Need, Options, Session, Timestamp};

use crate::provider::Door;
use crate::server::DoorServer;

fn main() -> Result<(), Box<dyn Error>> {
    let (sent, reason) = a_day()?;
    println!("{sent} requests in a day, the end: {}", reason.code());

    // Storms, crashes, clocks that jump, answers that lie: what an engine promises, with this provider.
    let base = BaseUrl::parse("https://door.example.org")?;
    Laws::new(move || Door(base.clone()))
        .sample(Sample::json(200, r#"{"door":"open","token":"t-1"}"#))
        .sample(Sample::json(200, r#"{"door":"shut"}"#))
        .sample(Sample::json(403, r#"{"door":"shut"}"#))
        .tokens(|| "t-1".into())
        .check();
    println!("it keeps the laws");
    Ok(())
}

/// Lives through a day in a moment; gives the number of requests and the reason of the end.
fn a_day() -> Result<(usize, CloseReason), Box<dyn Error>> {
    let machine = Session::new(Door(BaseUrl::parse("https://door.example.org")?), Options::default(), [7; 32]);
    let day = Day::default();
    let (server, program) = (day.clone(), day.clone());
    let client = move |request, _| ready(Ok::<_, SendError>(server.answer(&request)));
    let (session, driver) = asynchronous::new(machine, client, day.clone(), move |need| program.pin(&need));
    *lock(&day.0.session) = Some(session.erased());
    // Nothing here waits, so the driver is done when it is first polled.
    let mut context = Context::from_waker(Waker::noop());
    match pin!(driver).poll(&mut context) {
        Poll::Ready(Ok(Ended::Closed(reason))) => Ok((*lock(&day.0.sent), reason)),
        other => Err(format!("the day has no end: {other:?}").into()),
    }
}

/// A day at the door: the server, and a clock that whoever sleeps puts on.
#[derive(Clone, Default)]
struct Day(Arc<Shared>);

#[derive(Default)]
struct Shared {
    server: Mutex<DoorServer>,
    sent: Mutex<usize>,
    slept: Mutex<Duration>,
    session: Mutex<Option<Handle>>,
}

impl Day {
    fn answer(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        *lock(&self.0.sent) += 1;
        lock(&self.0.server).handle(self.now(), IpAddr::V4(Ipv4Addr::LOCALHOST), request).response
    }

    fn pin(&self, need: &Need) -> Answer {
        println!("{:?} asked for the {}", self.now(), need.kind.code());
        Input::Pin("4711".into()).into()
    }
}

impl Timer for Day {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        *lock(&self.0.slept) += time;
        if *lock(&self.0.slept) >= Duration::from_secs(24 * 3600)
            && let Some(session) = lock(&self.0.session).take()
        {
            session.stop(Stop::Logout);
        }
        ready(())
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000) + *lock(&self.0.slept)
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}
