//! A provider outside the crate: its protocol, its simulated server, a day of it and the laws.
//!
//! `cargo run --example custom_provider`

mod provider;
mod server;

use std::error::Error;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sansession::sim::Simulator;
use sansession::testing::{Laws, Sample};
use sansession::{
    Answered, BaseUrl, By, CloseReason, Event, Input, Machine, Options, Output, Session, Timestamp, WaitingOn,
};

use crate::provider::Door;
use crate::server::DoorServer;

fn main() -> Result<(), Box<dyn Error>> {
    let (sent, reason) = a_day()?;
    println!("{sent} requests in a day, the end: {}", reason.code());

    // Storms, crashes, clocks that jump, answers that lie: what an engine promises, with this provider.
    let base = BaseUrl::parse("https://door.example.org")?;
    Laws::new(move || Door(base.clone()))
        .sample(Sample::json(200, r#"{"door":"open","token":"t-1"}"#))
        .sample(Sample::json(200, r#"{"door":"shut"}"#))
        .sample(Sample::json(403, r#"{"door":"shut"}"#))
        .tokens(|| "t-1".into())
        .check();
    println!("it keeps the laws");
    Ok(())
}

/// Lives through a day in a moment; gives the number of requests and the reason of the end.
fn a_day() -> Result<(usize, CloseReason), Box<dyn Error>> {
    let mut session = Session::new(Door(BaseUrl::parse("https://door.example.org")?), Options::default(), [7; 32]);
    let (mut server, mut now, mut sent) = (DoorServer::default(), Timestamp::from_secs(1_800_000_000), 0);
    let evening = now + Duration::from_secs(24 * 3600);
    session.start(now);
    loop {
        match session.poll(now) {
            Output::Send(outgoing) => {
                let id = outgoing.id();
                let reply = server.handle(now, IpAddr::V4(Ipv4Addr::LOCALHOST), &outgoing.into_request());
                session.handle_response(now, id, (&reply.response).into())?;
                sent += 1;
            }
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                if session.handle_input(now, need.id, Input::Pin("4711".into()), By::Store) != Answered::Used {
                    return Err("the PIN was refused".into());
                }
            }
            Output::Wait { .. } if now >= evening => session.logout(now),
            Output::Wait { until, .. } => now = until.min(evening),
            Output::Event(Event::KeptAlive) | Output::Save | Output::Cancel(_) => {}
            Output::Event(event) => println!("{now:?} {}", event.code()),
            Output::Closed(reason) => return Ok((sent, reason)),
        }
    }
}
