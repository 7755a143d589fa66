//! Keeps a session alive until somebody ends it: Ctrl-C logs out, SIGTERM leaves the session open and
//! saves it, and the next start goes on with it.
//!
//! `cargo run -p async_tokio` runs against a simulated portal; PORTAL, LOGIN and PASSWORD name a real one.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use sansession::drive::{
    Answer, Program,
    asynchronous::{Transport, spawn},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Credentials, Event, Need, Options, Session, Snapshot};
use tempfile::NamedTempFile;
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let portal = Server::start(portal(), now)?;
    let url = env::var("PORTAL").unwrap_or_else(|_| portal.url().to_owned());
    let file = PathBuf::from(env::var_os("SESSION_FILE").unwrap_or_else(|| "session.json".into()));
    let provider = Cbrain::new(BaseUrl::parse(&url)?)?;
    let mut options = Options::default();
    options.durable = true; // a crash loses nothing
    let machine = match fs::read_to_string(&file) {
        Ok(text) => Session::resume(provider, &Snapshot::from_text(text), options, None, seed()?, now())?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Session::new(provider, options, seed()?),
        Err(error) => return Err(error.into()),
    };
    let session = spawn(machine, Transport::new()?, Bot { file: file.clone() })?;
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    println!("driving the session of {url}");
    tokio::select! {
        ended = session.ended() => println!("{ended}"),
        _ = interrupt.recv() => println!("{}", session.logout().await),
        _ = terminate.recv() => {
            replace(&file, &session.leave().await)?;
            println!("left open, saved in {}", file.display());
            return Ok(());
        }
    }
    Ok(fs::remove_file(&file)?)
}

struct Bot {
    file: PathBuf,
}

impl Program for Bot {
    async fn answer(&self, _: Need) -> Answer {
        let text = |name, otherwise: &str| env::var(name).unwrap_or_else(|_| otherwise.to_owned());
        Credentials::new(text("LOGIN", "alice"), text("PASSWORD", "wonderland")).into()
    }

    fn event(&self, event: &Event) {
        println!("{event:?}");
    }

    async fn save(&self, snapshot: Snapshot) -> io::Result<()> {
        let file = self.file.clone();
        tokio::task::spawn_blocking(move || replace(&file, &snapshot)).await?
    }
}

/// Puts a new file, of its owner alone and of a name that nobody knows before, in the place of the old one.
fn replace(file: &Path, snapshot: &Snapshot) -> io::Result<()> {
    let directory = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut new = NamedTempFile::new_in(directory)?;
    io::Write::write_all(&mut new, snapshot.expose_secrets().as_bytes())?;
    new.as_file().sync_all()?;
    new.persist(file)?;
    fs::File::open(directory)?.sync_all() // else a crash of the machine may bring the old one back
}

/// The simulated portal, with its one user.
fn portal() -> sim::CbrainSim {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    portal
}
