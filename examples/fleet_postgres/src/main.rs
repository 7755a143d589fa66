//! The story of 20,000 sessions on four workers, one of which is killed and one stopped; or one worker.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use fleet_postgres::seal::KeyRing;
use fleet_postgres::settings::{KEYS, Settings};
use fleet_postgres::story::{Plan, tell};
use fleet_postgres::worker::Worker;
use lexopt::prelude::*;
use rustix::process::{Signal, set_parent_process_death_signal};
use zeroize::Zeroizing;

const HELP: &str = "\
fleet_postgres [--sessions N] [--workers N] [--busy SECONDS]

Tells the story of N sessions (20000) on N workers (4), with the database of DATABASE_URL, which must be empty,
or with a private PostgreSQL server. On a machine that is busy with other things a takeover may come later, by
so many seconds (0).";

fn main() -> Result<()> {
    let mut plan = Plan::default();
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("worker") => return work(&arguments.value()?.string()?),
            Long("sessions") => plan.sessions = arguments.value()?.parse()?,
            Long("busy") => plan.busy = std::time::Duration::from_secs(arguments.value()?.parse()?),
            Long("workers") => plan.workers = arguments.value()?.parse()?,
            Long("help") => {
                println!("{HELP}");
                return Ok(());
            }
            other => return Err(other.unexpected().into()),
        }
    }
    if plan.sessions < 1 || plan.workers < 3 {
        bail!("there must be sessions, and three workers: one is killed, one is stopped");
    }
    plan.database = std::env::var("DATABASE_URL").ok();
    tell(&plan)
}

fn work(settings: &str) -> Result<()> {
    // Whoever started this worker has gone; in a service its supervisor would end it.
    set_parent_process_death_signal(Some(Signal::TERM))?;
    let stop = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, Arc::clone(&stop))?;
    let settings: Settings = serde_json::from_str(settings)?;
    let keys = Zeroizing::new(std::env::var(KEYS).context(KEYS)?);
    Worker::new(settings, KeyRing::parse(&keys)?)?.run(&stop)
}
