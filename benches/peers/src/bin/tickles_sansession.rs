//! A session of this crate on its blocking adapter: opened, and tickled so many times.
//!
//! The minutes between the tickles pass at once: the clock is read as often as a driver reads it, and what a
//! wait would take is added to it.

#![expect(clippy::disallowed_methods, reason = "a driver reads the clock")]

use std::error::Error;
use std::time::{Duration, Instant};

use sansession::drive::{Trust, blocking::Transport, seed};
use sansession::providers::ibkr::Gateway;
use sansession::{BaseUrl, Machine, Options, Output, Session, Timestamp};
use sansession_peers::Task;

fn main() -> Result<(), Box<dyn Error>> {
    let task = Task::from_arguments();
    let transport = Transport::builder().trust(Trust::danger_anything_on_loopback()).build()?;
    let base = BaseUrl::parse(&task.url)?;
    let began = Instant::now();
    for _ in 0..task.sessions {
        let mut session = Session::new(Gateway::new(&base)?, Options::default(), seed()?);
        // Shortly after a midnight, so that no other comes before the last tickle.
        let mut passed = Duration::from_secs(1_790_050_000);
        let now = |passed: Duration| Timestamp::from_millis((passed + began.elapsed()).as_millis() as u64);
        let mut tickles = 0;
        session.start(now(passed));
        while tickles < task.tickles {
            match session.poll(now(passed)) {
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    tickles += u32::from(outgoing.path().ends_with("/tickle"));
                    match transport.send(outgoing) {
                        Ok(response) => session.handle_response(now(passed), id, (&response).into())?,
                        Err(error) => return Err(error.reason.into()),
                    };
                }
                // No longer at a time than whoever wants to notice that a machine was suspended.
                Output::Wait { until, .. } => passed += until.since(now(passed)).min(Duration::from_secs(10)),
                Output::Closed(reason) => return Err(reason.to_string().into()),
                Output::Event(_) | Output::Save | Output::Cancel(_) => {}
            }
        }
    }
    Ok(())
}
