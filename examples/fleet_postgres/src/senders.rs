//! The threads that send requests, and the last look at the lease.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Result;
use http::{HeaderValue, Request, Response};
use sansession::drive::blocking::Transport;
use sansession::{
    Failure, RequestId, Timestamp,
    machine::{FailureKind, SendPolicy},
};

use crate::clock::Clock;

/// A request on its way out.
pub struct Job {
    pub account: i64,
    pub fence: i64,
    pub id: RequestId,
    pub policy: SendPolicy,
    pub request: Request<Vec<u8>>,
    /// Later than this its answer could come after the lease, or after the machine has given it up.
    pub leave_before: Timestamp,
}

/// What became of a request.
pub struct News {
    pub account: i64,
    pub id: RequestId,
    pub outcome: Result<Response<Vec<u8>>, Failure>,
}

/// A pool of threads with one client.
pub struct Senders {
    jobs: Sender<Job>,
    news: Receiver<News>,
    under_way: usize,
}

impl Senders {
    /// Starts the threads; they end when this is dropped.
    pub fn start(worker: &str, threads: usize, clock: Clock) -> Result<Self> {
        let (jobs, queue) = channel::<Job>();
        let (tell, news) = channel();
        let (queue, transport) = (Arc::new(Mutex::new(queue)), Transport::new()?);
        let worker = HeaderValue::from_str(worker)?;
        for _ in 0..threads {
            let (queue, tell, transport, worker) =
                (Arc::clone(&queue), tell.clone(), transport.clone(), worker.clone());
            thread::spawn(move || {
                loop {
                    let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    let (account, id) = (job.account, job.id);
                    let outcome = send(&transport, clock, &worker, job);
                    if tell.send(News { account, id, outcome }).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { jobs, news, under_way: 0 })
    }

    /// Sends a request as soon as a thread is free.
    pub fn send(&mut self, job: Job) {
        self.under_way += usize::from(self.jobs.send(job).is_ok());
    }

    /// Returns how many requests are under way or wait for a thread.
    pub fn under_way(&self) -> usize {
        self.under_way
    }

    /// Returns what has come in, and waits for the first of it at most so long.
    pub fn news(&mut self, wait: Duration) -> Vec<News> {
        let first = match self.news.recv_timeout(wait) {
            Ok(news) => news,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Vec::new(),
        };
        let all: Vec<News> = std::iter::once(first).chain(self.news.try_iter()).collect();
        self.under_way -= all.len();
        all
    }
}

fn send(transport: &Transport, clock: Clock, worker: &HeaderValue, mut job: Job) -> Result<Response<Vec<u8>>, Failure> {
    // The servers of this example write down who speaks for whom, and judge.
    job.request.headers_mut().insert("x-worker", worker.clone());
    job.request.headers_mut().insert("x-fence", HeaderValue::from(job.fence));
    // The fleet has looked already; since then the job has waited, or the whole process has. What stops
    // between this look and the socket cannot be told: see the README.
    if clock.now() >= job.leave_before {
        return Err(Failure::not_sent(FailureKind::Other));
    }
    transport.send_with(job.request, job.policy).map_err(|error| error.failure)
}
