//! The same over real HTTP, with the blocking adapter.

use std::time::Duration;

use sansession::drive::{
    Answer, Handle, Stop,
    blocking::{Driver, Transport, drive},
    now, seed,
};
use sansession::providers::ibkr::WebApi;
use sansession::sim::Server;
use sansession::sim::ibkr as sim;
use sansession::{BaseUrl, Event, Need, Options, Phase, Session, Timestamp};

use crate::ibkr_direct::{oauth1a, server};

/// Makes one call of its own and logs out.
struct Purpose(Handle, Transport, Option<u16>);

impl Driver for Purpose {
    fn answer(&mut self, _: &Need) -> Answer {
        Answer::GiveUp
    }

    fn event(&mut self, event: &Event) {
        if matches!(event, Event::PhaseChanged { to: Phase::Active, .. }) {
            let request = http::Request::get("/iserver/accounts?a=b%20c").body(Vec::new()).unwrap();
            self.2 = self.0.call(&self.1, request).ok().map(|response| response.status().as_u16());
            self.0.stop(Stop::Logout);
        }
    }
}

#[test]
fn a_life_over_http() {
    let (door, issued) = server(Timestamp::from_secs(0));
    let settings =
        sim::Settings { establish: Duration::from_millis(100), maintenance: None, ..sim::WebApiSim::settings() };
    let server = Server::start(sim::WebApiSim::oauth1a(door, settings), now).unwrap();
    let base = BaseUrl::parse(&format!("{}/v1/api", server.url())).unwrap();
    let provider = WebApi::new(&base, oauth1a(&issued)).unwrap();
    let handle = Handle::new(Session::new(provider, Options::default(), seed().unwrap())).erased();
    let transport = Transport::builder().build().unwrap();
    let mut errand = Purpose(handle.clone(), transport.clone(), None);
    let ended = drive(&handle, &transport, &mut errand).unwrap();
    assert_eq!(errand.2, Some(200));
    assert_eq!(format!("{ended:?}"), "Closed(LoggedOut { confirmed: true })");
}
