//! A provider outside the crate: its protocol, its simulated server, a day of it and the laws.
//!
//! `cargo run --example custom_provider`

mod provider;
mod server;

use std::error::Error;
use std::future::{Future, ready};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{
    Answer, Ended, Program, SendError, Stop, Timer,
    asynchronous::{self, Handle},
};
use sansession::sim::Simulator;
use sansession::testing::Laws;
use sansession::{BaseUrl, CloseReason, Input, Need, NeedKind, Options, Session, Snapshot, Timestamp, machine::Totp};

use crate::provider::Bank;
use crate::server::{BankServer, PIN, code};

fn main() -> Result<(), Box<dyn Error>> {
    let (sent, reason) = a_day()?;
    println!("{sent} requests in a day, the end: {}", reason.code());

    // Storms, crashes, clocks that jump, answers that lie: what an engine promises, with this provider.
    let base = BaseUrl::parse("https://bank.example.org")?;
    Laws::new(move || Bank(base.clone()))
        .simulator(BankServer::default)
        .lasts(Duration::from_secs(24 * 3600))
        .path("/accounts")
        .cases(64)
        .check();
    println!("it keeps the laws");
    Ok(())
}

/// Lives through a day in a moment; gives the number of requests and the reason of the end.
fn a_day() -> Result<(usize, CloseReason), Box<dyn Error>> {
    let machine = Session::new(Bank(BaseUrl::parse("https://bank.example.org")?), Options::default(), [7; 32]);
    let day = Day::default();
    let server = day.clone();
    let client = move |request, _| ready(Ok::<_, SendError>(server.answer(&request)));
    let (session, driver) = asynchronous::new(machine, client, day.clone(), day.clone());
    *lock(&day.0.session) = Some(session.erased());
    // Nothing here waits, so the driver is done when it is first polled.
    let mut context = Context::from_waker(Waker::noop());
    match pin!(driver).poll(&mut context) {
        Poll::Ready(Ok(Ended::Closed(reason))) => Ok((*lock(&day.0.sent), reason)),
        other => Err(format!("the day has no end: {other:?}").into()),
    }
}

/// A day at the bank: the server, and a clock that whoever sleeps puts on.
#[derive(Clone, Default)]
struct Day(Arc<Shared>);

#[derive(Default)]
struct Shared {
    server: Mutex<BankServer>,
    sent: Mutex<usize>,
    slept: Mutex<Duration>,
    session: Mutex<Option<Handle>>,
    stored: Mutex<Option<Snapshot>>,
}

impl Day {
    fn answer(&self, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        *lock(&self.0.sent) += 1;
        Simulator::handle(&mut *lock(&self.0.server), self.now(), IpAddr::V4(Ipv4Addr::LOCALHOST), request).response
    }
}

/// The program: who answers, and where the session is stored.
impl Program for Day {
    fn answer(&self, need: Need) -> impl Future<Output = Answer> + Send {
        println!("{:?} asked for the {}", self.now(), need.kind.code());
        ready(match need.kind {
            NeedKind::Pin => Input::Pin(PIN.into()).into(),
            _ => Totp::new(code(self.now()), self.now()).map(Input::Totp).into(),
        })
    }

    fn save(&self, snapshot: Snapshot) -> impl Future<Output = io::Result<()>> + Send {
        // A file or a database elsewhere: it has to be there before the refresh token leaves.
        *lock(&self.0.stored) = Some(snapshot);
        ready(Ok(()))
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
