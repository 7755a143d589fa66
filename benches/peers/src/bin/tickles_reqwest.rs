//! A session of this crate on its client around reqwest: opened, and tickled so many times.

use std::error::Error;

use sansession::drive::{Trust, asynchronous::Reqwest};
use sansession_peers::{Task, passing};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let client = Reqwest::build(&Trust::danger_anything_on_loopback(), |builder| builder)?;
    passing::run(&Task::from_arguments(), client, passing::OnTokio).await
}
