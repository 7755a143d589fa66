//! Direct sessions with IBKR's Web API on the simulator, which verifies each signature, in virtual time.

mod answers;
mod as_at_the_gateway;
mod bad_input;
mod consent;
mod golden;
mod hosts;
mod keys;
mod life;
mod loopback;
mod oauth2;
mod refusals;
mod remote;
mod renewal;
mod specification;
mod streams;

use std::net::IpAddr;
use std::time::Duration;

use sansession::providers::ibkr::oauth1a::{Consumer, DhParams, Grant};
use sansession::providers::ibkr::{OAuth1a, WebApi};
use sansession::sim::ibkr::oauth::{Issued, OAuthServer};
use sansession::sim::ibkr::{self as sim, Call, Door, Happening};
use sansession::sim::{Reply, Simulator};
use sansession::{BaseUrl, Options, Session, Timestamp};

use crate::ibkr_direct::keys::{client_keys, key};
use crate::support::world::World;
use crate::support::{START, seed};

pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

pub const TOKEN: &str = "POST /v1/api/oauth/live_session_token";
pub const STATUS: &str = "POST /v1/api/iserver/auth/status";
pub const INIT: &str = "POST /v1/api/iserver/auth/ssodh/init";
pub const TICKLE: &str = "POST /v1/api/tickle";
pub const LOGOUT: &str = "POST /v1/api/logout";

pub const CONSUMER: &str = "ABCDEFGHI";

/// IBKR, with a clock that may differ from the client's.
pub struct Ibkr {
    pub sim: sim::WebApiSim,
    /// The server's time less the client's, in seconds.
    pub ahead: i64,
}

impl Simulator for Ibkr {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        let off = Duration::from_secs(self.ahead.unsigned_abs());
        let now = if self.ahead < 0 { now - off } else { now + off };
        self.sim.handle(now, peer, request)
    }
}

impl Ibkr {
    pub fn oauth(&mut self) -> &mut OAuthServer {
        match &mut self.sim.door {
            Door::V1a(server) => server,
            Door::V2(_) => panic!("another door"),
        }
    }

    pub fn statuses(&self, call: Call) -> Vec<u16> {
        let log = self.sim.gateway.log().iter();
        log.filter_map(|logged| match logged.what {
            Happening::Answered { call: answered, status } if answered == call => Some(status),
            _ => None,
        })
        .collect()
    }
}

pub fn base() -> BaseUrl {
    BaseUrl::parse("https://api.ibkr.com/v1/api").unwrap()
}

/// A server that knows the consumer from that time on, and an access token of it.
pub fn server(live_from: Timestamp) -> (OAuthServer, Issued) {
    let keys = client_keys();
    let mut server = OAuthServer::new([6; 32]);
    let upload = keys.upload();
    server.register(CONSUMER, &upload, live_from).unwrap();
    let issued = server.issue(CONSUMER).unwrap();
    (server, issued)
}

pub fn oauth1a(issued: &Issued) -> OAuth1a {
    let keys = client_keys();
    let grant = Grant::new(issued.access_token.as_str(), issued.encrypted_secret.as_str()).unwrap();
    let params = DhParams::from_pem(&keys.dh_params).unwrap();
    let consumer = Consumer::new(CONSUMER).unwrap();
    OAuth1a::new(consumer, &grant, key(&keys.signature), &key(&keys.encryption), params).unwrap()
}

pub type Life = World<Session<WebApi>, Ibkr>;

/// A session that is about to begin.
pub fn life() -> Life {
    life_with(START, Options::default(), |api| api)
}

pub fn life_with(live_from: Timestamp, options: Options, configure: impl FnOnce(WebApi) -> WebApi) -> Life {
    let (server, issued) = server(live_from);
    let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    let provider = configure(WebApi::new(&base(), oauth1a(&issued)).unwrap());
    World::new(Session::new(provider, options, seed()), Ibkr { sim, ahead: 0 })
}
