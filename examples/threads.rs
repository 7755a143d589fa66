//! A bot whose calls come from several threads, while a thread of its own keeps the session alive.
//!
//! `cargo run --example threads` runs it against a simulated portal.

use std::error::Error;
use std::thread;
use std::time::Duration;

use sansession::drive::{
    Answer, CallError,
    blocking::{Keeper, Transport},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Credentials, Need, Options, Session, http::Request};

#[expect(clippy::disallowed_methods, reason = "a bot has pauses of its own")]
fn main() -> Result<(), Box<dyn Error>> {
    // The server: leave these three lines out where there is a real one.
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now)?;

    let provider = Cbrain::new(BaseUrl::parse(server.url())?)?.keepalive(Duration::from_secs(1));
    let transport = Transport::new()?;
    // A real program asks its secret store here.
    let answers = |_: &Need| Answer::from(Credentials::new("alice", "wonderland"));
    let session = Keeper::start(Session::new(provider, Options::default(), seed()?), transport.clone(), answers)?;
    session.wait_active(Duration::from_secs(60))?;
    let mut events = session.events();
    let bots = ["a", "b", "c"].map(|name| {
        // A clone of the handle, and of the transport, which has the connections.
        let (session, transport) = ((*session).clone(), transport.clone());
        thread::spawn(move || -> Result<(), CallError> {
            for _ in 0..4 {
                // The session puts base URL and token on the call, and sees what it got.
                let request = Request::get("/groups").body(Vec::new()).unwrap_or_default();
                println!("bot {name}: {}", session.call(&transport, request)?.status());
                thread::sleep(Duration::from_millis(400));
            }
            Ok(())
        })
    });
    for bot in bots {
        bot.join().map_err(|_| "a bot panicked")??;
    }
    while let Some(event) = events.try_next() {
        println!("session: {}", event.code());
    }
    session.logout()?;
    println!("logged out");
    Ok(())
}
