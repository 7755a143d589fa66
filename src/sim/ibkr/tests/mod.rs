//! Stories of sessions, in virtual time.

mod field;
#[cfg(feature = "ibkr-oauth")]
mod foreign;
mod forms;
mod sessions;

use core::net::{IpAddr, Ipv4Addr};
use core::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, ORIGIN, USER_AGENT};
use http::{HeaderMap, Method, Request};
use serde_json::Value;

use super::*;
use crate::providers::ibkr::wire::{
    Endpoints, Init, Login as AccountKind, Logout, LogoutOutcome, Reauthenticated, Tickle, Validate,
};
use crate::providers::ibkr::{BrokerageState, Refusal, Region};
use crate::wire::json;
use crate::{BaseUrl, Response as Answer};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Noon in New York on 3 March 2026.
const NOON: &str = "Tue, 03 Mar 2026 17:00:00 GMT";

/// A gateway, a client's requests and a clock.
struct Story {
    gateway: GatewaySim,
    api: Endpoints,
    start: Timestamp,
    now: Timestamp,
}

/// What a request got.
struct Got {
    status: u16,
    body: Vec<u8>,
    headers: HeaderMap,
}

impl Got {
    fn standing(&self) -> BrokerageState {
        assert_eq!(self.status, 200, "{}", self.text());
        BrokerageState::of(&json(&self.body).unwrap())
    }

    fn tickled(&self) -> Tickle<'_> {
        assert_eq!(self.status, 200, "{}", self.text());
        json(&self.body).unwrap()
    }

    fn refusal(&self) -> Option<Refusal> {
        let status = self.status.try_into().unwrap();
        Refusal::of(Answer { status, headers: &self.headers, body: &self.body })
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Begins at noon in New York with nobody logged in, and nobody who comes by themselves.
fn story(settings: Settings) -> Story {
    let start = Timestamp::from_http_date(NOON).unwrap();
    let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api").unwrap()).unwrap();
    Story { gateway: GatewaySim::new(settings), api, start, now: start }
}

fn quiet() -> Settings {
    Settings { login: Login::Never, ..Settings::default() }
}

impl Story {
    /// Goes on to so many seconds after the start.
    fn at(&mut self, secs: u64) -> &mut Self {
        self.now = self.start + Duration::from_secs(secs);
        self
    }

    fn pull(&mut self, lever: Lever) -> &mut Self {
        self.gateway.pull(self.now, lever);
        self
    }

    fn log_in(&mut self) -> &mut Self {
        self.pull(Lever::LogIn(Person::default()))
    }

    fn reply(&mut self, request: &Request<Vec<u8>>) -> Reply {
        self.gateway.handle(self.now, PEER, request)
    }

    fn send(&mut self, request: &Request<Vec<u8>>) -> Got {
        let (parts, body) = self.reply(request).response.into_parts();
        Got { status: parts.status.as_u16(), body, headers: parts.headers }
    }

    fn status(&mut self) -> Got {
        self.send(&self.api.status())
    }

    fn tickle(&mut self) -> Got {
        self.send(&self.api.tickle())
    }

    fn status_by_get(&mut self) -> Got {
        self.send(&self.api.status_by_get())
    }

    fn validate(&mut self) -> Got {
        self.send(&self.api.validate())
    }

    fn logout(&mut self) -> Got {
        self.send(&self.api.logout())
    }

    fn init(&mut self, init: Init) -> Got {
        self.send(&self.api.init(init))
    }

    fn get(&mut self, path: &str) -> Got {
        let mut request = self.api.accounts();
        *request.uri_mut() = self.api.base().join(path).unwrap();
        self.send(&request)
    }

    /// Returns what happened, answers left out.
    fn happened(&self) -> Vec<Happening> {
        let all = self.gateway.log().iter().map(|logged| logged.what.clone());
        all.filter(|what| !matches!(what, Happening::Answered { .. })).collect()
    }
}
