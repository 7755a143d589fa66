//! A bot whose own calls go through the `Handle` while a keepalive thread drives the session.
//!
//! `cargo run --example threads` runs it against a simulated portal.

use std::error::Error;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use sansession::blocking::{Answer, CallError, Driver, Handle, Stop, Transport, drive, now, seed};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, By, Credentials, Event, Input, Need, Options, Phase, Session};

#[expect(clippy::disallowed_methods, reason = "a bot has pauses of its own")]
fn main() -> Result<(), Box<dyn Error>> {
    // The server: leave these three lines out where there is a real one.
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(portal, now)?;

    let provider = Cbrain::new(BaseUrl::parse(server.url())?)?.keepalive(Duration::from_secs(1));
    let handle = Handle::new(Session::new(provider, Options::default(), seed()?));
    let transport = Transport::new()?;
    let (ready, usable) = channel();
    let keepalive = {
        let (handle, transport) = (handle.clone(), transport.clone());
        thread::spawn(move || drive(&handle, &transport, &mut Keeper { ready }))
    };

    // An error: the session has closed before it was usable, and the driver knows why.
    if usable.recv().is_ok() {
        let bots = ["a", "b", "c"].map(|name| {
            let (handle, transport) = (handle.clone(), transport.clone());
            thread::spawn(move || -> Result<(), CallError> {
                for _ in 0..4 {
                    // The session puts base URL and token on the call, and sees what it got.
                    let request = http::Request::get("/groups").body(Vec::new()).unwrap_or_default();
                    println!("bot {name}: {}", handle.call(&transport, request)?.status());
                    thread::sleep(Duration::from_millis(400));
                }
                Ok(())
            })
        });
        for bot in bots {
            bot.join().map_err(|_| "a bot panicked")??;
        }
        handle.stop(Stop::Logout);
    }
    println!("{:?}", keepalive.join().map_err(|_| "the driver panicked")??);
    Ok(())
}

/// Answers and listens in the keepalive thread.
struct Keeper {
    ready: Sender<()>,
}

impl Driver for Keeper {
    fn answer(&mut self, _: &Need) -> Answer {
        // A real program asks its secret store here.
        Credentials::new("alice", "wonderland")
            .map_or(Answer::GiveUp, |given| Answer::Now(Input::Credentials(given), By::Store))
    }

    fn event(&mut self, event: &Event) {
        println!("session: {}", event.code());
        if matches!(event, Event::PhaseChanged { to: Phase::Active, .. }) {
            // Nobody listens any more after the first time.
            let _ = self.ready.send(());
        }
    }
}
