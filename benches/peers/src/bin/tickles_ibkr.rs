//! The `ibkr` crate: one client, tickled so many times.

use ibkr::{Client, Error, tickle};
use sansession_peers::{GATEWAY_PORT, Task};

fn main() -> Result<(), Error> {
    let task = Task::from_arguments();
    assert_eq!(task.url, format!("https://localhost:{GATEWAY_PORT}/v1/api"), "it knows no other gateway");
    for _ in 0..task.sessions {
        let client = Client::new();
        for _ in 0..task.tickles {
            client.send(tickle::Request)?;
        }
    }
    Ok(())
}
