//! The crate's own providers before their simulators.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use http::{Request, Response};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::kotak::TradeApi;
use sansession::sim::kotak::trade_api::User;
use sansession::sim::{self, Simulator as _};
use sansession::testing::{Laws, Simulated};
use sansession::{BaseUrl, Credentials, Input, Need, NeedKind, Timestamp};

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// These servers end a login each night.
const A_MORNING: Duration = Duration::from_secs(5 * 3_600);

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

struct Portal(sim::CbrainSim);

impl Simulated for Portal {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.0.handle(now, HERE, request).finish().response
    }

    fn answer(&mut self, _: Timestamp, _: &Need) -> Option<Input> {
        Credentials::new("norm", "correct horse").ok().map(Input::Credentials)
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.0.live_sessions(now, "norm") > 0)
    }
}

#[test]
fn cbrain_lives_before_its_simulator() {
    Laws::new(|| Cbrain::new(url("http://localhost:3000")).unwrap())
        .simulator(|| {
            let mut server = sim::CbrainSim::new(7);
            server.add_user("norm", "correct horse");
            Portal(server)
        })
        .lasts(A_MORNING)
        .path("/groups")
        .cases(32)
        .check_runs();
}

struct Trade(sim::kotak::TradeApiSim);

impl Simulated for Trade {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        self.0.handle(now, HERE, request).finish().response
    }

    fn answer(&mut self, now: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::GatewayToken => Some(Input::Token(self.0.issue_bearer(now).into())),
            NeedKind::Credentials => Credentials::new("USER1", "correct horse").ok().map(Input::Credentials),
            _ => self.0.access_code("USER1", now).map(|code| Input::Code(code.into())),
        }
    }

    fn is_open(&self, _: Timestamp) -> Option<bool> {
        Some(self.0.open_sessions() > 0)
    }
}

#[test]
fn the_trade_api_lives_before_its_simulator() {
    let provider = || TradeApi::new(url("https://tradeapi.kotaksecurities.com/apim"), "USER1", "key").unwrap();
    Laws::new(move || provider().consumer_secret("secret").unwrap())
        .simulator(|| {
            Trade(sim::kotak::TradeApiSim::kotak().app("key", "secret").user(User::new("USER1", "correct horse")))
        })
        .answers(|need, number, _| match need.kind {
            NeedKind::Credentials => {
                Credentials::new("USER1", format!("password-{number:05}")).ok().map(Input::Credentials)
            }
            NeedKind::AccessCode => Some(Input::Code(format!("{:08}", 47_000_000 + number).into())),
            _ => None,
        })
        .lasts(A_MORNING)
        .path("/reports/1.0/orders")
        .cases(32)
        .check_runs();
}
