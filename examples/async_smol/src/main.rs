//! Keeps a session with a simulated portal alive twice, then logs out: `cargo run -p async_smol`.
//!
//! Another runtime than tokio, and a client of one's own.

mod client;

use std::error::Error;
use std::sync::atomic::{AtomicUsize, Ordering};

use sansession::drive::{Answer, Program, asynchronous, now};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Credentials, Event, Need, Options, Session};

struct Bot {
    kept: AtomicUsize,
    enough: smol::channel::Sender<()>,
}

impl Program for Bot {
    async fn answer(&self, _: Need) -> Answer {
        Credentials::new("alice", "wonderland").into() // a real program asks its secret store here
    }

    fn event(&self, event: &Event) {
        println!("{event:?}");
        if matches!(event, Event::KeptAlive) && self.kept.fetch_add(1, Ordering::Relaxed) == 1 {
            let _ = self.enough.try_send(());
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now)?;
    let provider = Cbrain::new(BaseUrl::parse(server.url())?)?.keepalive(std::time::Duration::from_secs(1));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let machine = Session::new(provider, Options::default(), seed);
    let (enough, heard) = smol::channel::bounded(1);
    let bot = Bot { kept: AtomicUsize::new(0), enough };
    let (session, driver) = asynchronous::new(machine, client::send, smol::Timer::after, bot);
    smol::block_on(async {
        smol::spawn(driver).detach();
        heard.recv().await?;
        println!("{}", session.logout().await);
        Ok(())
    })
}
