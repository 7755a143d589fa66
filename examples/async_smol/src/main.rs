//! Keeps a session with a simulated portal alive twice, then logs out: `cargo run -p async_smol`.

use std::error::Error;
use std::time::Duration;

use async_smol::driver::{Driver, now};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Event, Options, Session};

fn main() -> Result<(), Box<dyn Error>> {
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now)?;
    let provider = Cbrain::new(BaseUrl::parse(server.url())?)?.keepalive(Duration::from_secs(1));
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    let (mut driver, orders) = Driver::new(Session::new(provider, Options::default(), seed));
    let mut kept = 0;
    let mut told = |event: Event| {
        println!("{event:?}");
        kept += u8::from(matches!(event, Event::KeptAlive));
        if kept == 2 {
            // Any task may give an order. Nobody takes it any more where the session has closed.
            let _ = orders.try_send(Box::new(|machine, now| machine.logout(now)));
        }
    };
    let reason = smol::block_on(driver.run(&mut told));
    println!("{reason}");
    Ok(())
}
