//! Keeps a session alive until somebody ends it: Ctrl-C logs out, SIGTERM leaves the session open and
//! saves it, and the next start goes on with it.
//!
//! `cargo run -p async_tokio` runs against a simulated portal; PORTAL, LOGIN and PASSWORD name a real one.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use async_tokio::client::Client;
use async_tokio::driver::{Driver, Program};
use async_tokio::session::now;
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Credentials, Event, Input, Need, Options, Session, Snapshot};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let portal = Server::start(portal(), now)?;
    let url = env::var("PORTAL").unwrap_or_else(|_| portal.url().to_owned());
    let file = PathBuf::from(env::var_os("SESSION_FILE").unwrap_or_else(|| "session.json".into()));
    let provider = Cbrain::new(BaseUrl::parse(&url)?)?;
    let mut options = Options::default();
    options.durable = true; // a crash loses nothing
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let session = match fs::read_to_string(&file) {
        Ok(text) => Session::resume(provider, &Snapshot::from_text(text), options, None, seed, now())?,
        Err(_) => Session::new(provider, options, seed),
    };

    let mut driver = Driver::new(session, Client::new()?);
    let mut bot = Bot { file };
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    println!("driving the session of {url}");
    loop {
        // The driver is dropped when a signal comes, wherever it is, and made anew.
        tokio::select! {
            reason = driver.run(&mut bot) => {
                println!("{}", reason?);
                return Ok(fs::remove_file(&bot.file)?);
            }
            _ = interrupt.recv() => driver.session.with(|machine, now| machine.logout(now)),
            _ = terminate.recv() => {
                driver.settle().await;
                let snapshot = driver.session.with(|machine, _| machine.snapshot());
                bot.save(&snapshot).await?;
                println!("left open, saved in {}", bot.file.display());
                return Ok(());
            }
        }
    }
}

struct Bot {
    file: PathBuf,
}

impl Program for Bot {
    fn answer(&mut self, _: &Need) -> Option<Input> {
        let text = |name, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
        Credentials::new(text("LOGIN", "alice"), text("PASSWORD", "wonderland")).ok().map(Input::Credentials)
    }

    fn event(&mut self, event: &Event) {
        println!("{event:?}");
    }

    async fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let (file, text) = (self.file.clone(), Snapshot::from_text(snapshot.expose_secrets()));
        tokio::task::spawn_blocking(move || replace(&file, &text)).await?
    }
}

/// Writes a new file that only its owner may read, and puts it in the place of the old one.
fn replace(file: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let new = file.with_extension("new");
    let _ = fs::remove_file(&new); // left by a crash
    let mut options = fs::OpenOptions::new();
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.write(true).create_new(true).open(&new)?;
    io::Write::write_all(&mut open, snapshot.expose_secrets().as_bytes())?;
    open.sync_all()?;
    fs::rename(new, file)
}

/// The simulated portal, with its one user.
fn portal() -> sim::Cbrain {
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    portal
}
