//! A session of this crate on its client for tokio, which stands on hyper: opened, and tickled so many times.

use std::error::Error;

use sansession::drive::{Trust, asynchronous::Transport};
use sansession_peers::{Task, passing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Transport::builder().trust(Trust::danger_anything_on_loopback()).build()?;
    passing::run(&Task::from_arguments(), client, passing::OnTokio).await
}
