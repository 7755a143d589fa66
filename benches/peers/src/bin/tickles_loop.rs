//! A session of this crate by its one loop, whose client is the blocking adapter's: what a loop that is written by hand
//! for a `Machine` (`tickles_sansession`) saves beside it.

use std::error::Error;
use std::future::ready;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use http::Request;
use sansession::drive::{Trust, blocking::Transport};
use sansession::machine::SendPolicy;
use sansession_peers::{Task, passing};

fn main() -> Result<(), Box<dyn Error>> {
    let transport = Transport::builder().trust(Trust::danger_anything_on_loopback()).build()?;
    let client = move |request: Request<Vec<u8>>, policy: SendPolicy| ready(transport.send_with(request, policy));
    let task = Task::from_arguments();
    match pin!(passing::run(&task, client, passing::Never)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => Err("it waits".into()),
    }
}
