//! A session's minutes, which pass at once where nothing is under way.

#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::error::Error;
use std::future::{Future, poll_fn, ready};
use std::marker::PhantomData;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use http::Response;
use sansession::drive::{
    Answer, Client, Ended, Program, SendError, Stop, Timer,
    asynchronous::{self, Handle},
    seed,
};
use sansession::providers::ibkr::Gateway;
use sansession::{BaseUrl, Need, Options, Outgoing, RequestId, Session, Timestamp};

use crate::Task;

/// Shortly after a midnight, so that no other comes before the last tickle.
pub const BEGAN: Duration = Duration::from_secs(1_790_050_000);

/// The program of one session that is to send so many tickles, and its timer.
///
/// The clock is read as often as a driver reads it. What a wait would take is added to it.
#[derive(Clone)]
struct Passing<S> {
    began: Instant,
    state: Arc<State>,
    sleeps: PhantomData<S>,
}

/// What has happened so far.
pub struct State {
    passed: AtomicU64,
    under_way: AtomicBool,
    left: AtomicU32,
    session: OnceLock<Handle>,
}

impl State {
    fn pass(&self, time: Duration) {
        self.passed.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }
}

/// How a session sleeps whose minutes pass at once.
pub trait Sleeps: Clone + Send + Sync + 'static {
    /// Lets so much time pass.
    fn sleep(state: &State, time: Duration) -> impl Future<Output = ()> + Send;
}

/// Nothing is ever under way while somebody sleeps, since the client blocks.
#[derive(Clone)]
pub struct Never;

impl Sleeps for Never {
    fn sleep(state: &State, time: Duration) -> impl Future<Output = ()> + Send {
        state.pass(time);
        ready(())
    }
}

/// As a program on tokio does while a request is under way, and not at all otherwise.
#[derive(Clone)]
pub struct OnTokio;

impl Sleeps for OnTokio {
    async fn sleep(state: &State, time: Duration) {
        let mut sleep = pin!(tokio::time::sleep(time));
        poll_fn(|cx| {
            if state.under_way.load(Ordering::Relaxed) {
                return sleep.as_mut().poll(cx);
            }
            state.pass(time);
            Poll::Ready(())
        })
        .await;
    }
}

impl<S: Sleeps> Timer for Passing<S> {
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        S::sleep(&self.state, time)
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.state.passed.load(Ordering::Relaxed) + self.began.elapsed().as_millis() as u64)
    }
}

impl<S: Sleeps> Program for Passing<S> {
    async fn answer(&self, need: Need) -> Answer {
        panic!("the gateway is logged in, and yet there is {need:?}")
    }

    fn sending(&self, outgoing: &Outgoing) {
        self.state.under_way.store(true, Ordering::Relaxed);
        if outgoing.path().ends_with("/tickle")
            && self.state.left.fetch_sub(1, Ordering::Relaxed) == 1
            && let Some(session) = self.state.session.get()
        {
            session.stop(Stop::Leave);
        }
    }

    fn received(&self, _: RequestId, response: &Response<Vec<u8>>) {
        assert!(response.status().is_success(), "{}", response.status());
        self.state.under_way.store(false, Ordering::Relaxed);
    }

    fn failed(&self, _: RequestId, error: &SendError) {
        panic!("{error}")
    }
}

/// Opens the sessions of a task, one after the other, and has each send its tickles.
///
/// # Errors
/// No URL, no randomness, and a session that has ended.
pub async fn run<S: Sleeps>(
    task: &Task,
    client: impl Client + Clone + Send + Sync + 'static,
    _: S,
) -> Result<(), Box<dyn Error>> {
    let base = BaseUrl::parse(&task.url)?;
    for _ in 0..task.sessions {
        let state = Arc::new(State {
            passed: AtomicU64::new(BEGAN.as_millis() as u64),
            under_way: AtomicBool::new(false),
            left: AtomicU32::new(task.tickles),
            session: OnceLock::new(),
        });
        let passing = Passing { began: Instant::now(), state: Arc::clone(&state), sleeps: PhantomData::<S> };
        let session = Session::new(Gateway::new(&base)?, Options::default(), seed()?);
        let (session, driver) = asynchronous::new(session, client.clone(), passing.clone(), passing);
        state.session.get_or_init(|| session.erased());
        match driver.await? {
            Ended::Left => {}
            ended => return Err(ended.into()),
        }
    }
    Ok(())
}
