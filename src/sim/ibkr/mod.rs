//! A simulated Client Portal Gateway of Interactive Brokers, with the servers behind it.
//!
//! [`GatewaySim`] is the life of a session as a pure state machine: the login in a browser, the brokerage
//! session with its idle timeout, another client that wants it, midnight, maintenance, rate limits and
//! the penalty box. Everything that a test wants to happen is a [`Lever`]; everything that did happen
//! is in the [log](GatewaySim::log), with its time, for judging a client by.
//!
//! Where no public source tells what the real servers do, the stricter assumption holds and a
//! [setting](Settings) says so. Rate limits are kept over any stretch of time, not by the calendar second, and
//! count all clients as one address, since IBKR sees only the gateway's. Which of them open the penalty box is
//! a [setting](RateLimits), too.
//!
//! Clients that others wrote live on it unmodified: ibind, easyib, ibeam and pybkr were tried. Of the calls that
//! have nothing to do with sessions only those are there that such clients begin with; [`GatewaySim::serve`]
//! adds others.
//!
//! ```
//! use sansession::{BaseUrl, Timestamp};
//! use sansession::providers::ibkr::wire::{Endpoints, Init};
//! use sansession::sim::Simulator;
//! use sansession::sim::ibkr::{Call, GatewaySim, Happening, Lever, Login, Person, Rival, Settings};
//! use std::net::{IpAddr, Ipv4Addr};
//!
//! let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
//! let at = |secs: u64| Timestamp::from_secs(1_780_000_000 + secs);
//! let mut gateway = GatewaySim::new(Settings { login: Login::Never, ..Settings::default() });
//!
//! // A person logs in in the browser; two seconds later the brokerage session is established.
//! gateway.pull(at(0), Lever::LogIn(Person::default()));
//! // After a minute the phone takes it.
//! gateway.schedule(at(60), Lever::RivalTakes(Rival::default()));
//!
//! // Your bot's requests go in as they are, without a network.
//! let api = Endpoints::new(&BaseUrl::parse("https://localhost:5000/v1/api")?)?;
//! let reply = gateway.handle(at(90), peer, &api.tickle());
//! assert!(String::from_utf8_lossy(reply.response.body()).contains(r#""authenticated":false"#));
//!
//! // Without the compete flag an init is refused, inside HTTP 200.
//! let reply = gateway.handle(at(91), peer, &api.init(Init::POLITE));
//! assert_eq!(reply.response.status(), 200);
//! assert!(String::from_utf8_lossy(reply.response.body()).contains(r#""passed":false"#));
//!
//! // Did the bot throw anybody out? Was it ever too fast?
//! assert_eq!(gateway.count(|what| *what == Happening::TookOver), 0);
//! assert_eq!(gateway.count(|what| matches!(what, Happening::Answered { status: 429, .. })), 0);
//! assert_eq!(gateway.count(|what| matches!(what, Happening::Answered { call: Call::Init, .. })), 1);
//! # Ok::<(), sansession::UrlError>(())
//! ```

mod bodies;
mod calls;
mod journal;
mod lever;
mod limits;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth2;
#[cfg(feature = "ibkr-oauth")]
pub mod oauth_keys;
#[cfg(feature = "ibkr-oauth")]
mod oauth_text;
mod others;
mod session;
mod settings;
mod stream;
#[cfg(test)]
mod tests;
#[cfg(feature = "ibkr-oauth")]
mod web_api;

use core::net::IpAddr;
use std::collections::BTreeMap;

use http::Request;

pub use journal::{Call, End, Happening, Logged, Opener};
pub use lever::{Flaky, Lever, Person, RefusedInit, Rival};
#[cfg(feature = "ibkr-oauth")]
pub use web_api::{Door, WebApiSim};

pub use settings::{
    KeptBy, LoggedOut, Login, Maintenance, Midnight, Outage, RateLimits, Reinit, Settings, Stranger, TickleBody,
};

use self::limits::Limits;
use self::session::{Brokerage, Sso};
use super::mishap::Mishaps;
use super::{Mishap, Reply, Simulator, Stream};
use crate::Timestamp;

/// A simulated gateway; see the [module](self) for how to use it.
#[derive(Debug)]
pub struct GatewaySim {
    settings: Settings,
    now: Option<Timestamp>,
    sso: Option<Sso>,
    /// The login that the client ended, which `sso/validate` still knows for a while.
    logged_out: Option<(Timestamp, Sso)>,
    brokerage: Brokerage,
    /// Whether the status still shows why the last init was refused.
    fail: bool,
    /// Whether no brokerage session can be had with this login.
    wedged: bool,
    /// Whether the server of historical data was opened with this login.
    hmds: bool,
    /// Whether notifications were asked for with this login.
    fyi: bool,
    rival: Option<Rival>,
    login_at: Option<(Timestamp, Person)>,
    reauthenticates_at: Option<Timestamp>,
    outage: Option<(Timestamp, Outage)>,
    plan: Vec<(Timestamp, Lever)>,
    mishaps: Mishaps,
    limits: Limits,
    random: u64,
    served: BTreeMap<String, String>,
    log: Vec<Logged>,
}

/// Who holds the brokerage session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Holder {
    /// Nobody.
    Nobody,
    /// The client of this gateway.
    Client,
    /// Another client.
    Rival,
}

impl GatewaySim {
    /// Creates a gateway that was just started, where nobody is logged in.
    pub fn new(settings: Settings) -> Self {
        Self {
            random: settings.seed,
            settings,
            now: None,
            sso: None,
            logged_out: None,
            brokerage: Brokerage::Closed { connected: false },
            fail: false,
            wedged: false,
            hmds: false,
            fyi: false,
            rival: None,
            login_at: None,
            reauthenticates_at: None,
            outage: None,
            plan: Vec::new(),
            mishaps: Mishaps::default(),
            limits: Limits::default(),
            served: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Pulls a lever now.
    pub fn pull(&mut self, now: Timestamp, lever: Lever) {
        self.advance(now);
        self.apply(self.now.unwrap_or(now), lever);
    }

    /// Pulls a lever at a later time; levers apply in the order of their times, then of these calls.
    pub fn schedule(&mut self, at: Timestamp, lever: Lever) {
        let place = self.plan.partition_point(|(other, _)| *other <= at);
        self.plan.insert(place, (at, lever));
    }

    /// Serves a fixed JSON body under a path below the base, such as `/portfolio/DU0000001/summary`.
    ///
    /// The tier that the path belongs to must be open, as for every other call; while the brokerage
    /// session is being established, a path under `/iserver` answers `{}`.
    pub fn serve(&mut self, path: impl Into<String>, body: impl Into<String>) {
        self.served.insert(path.into(), body.into());
    }

    /// Changes how the gateway behaves from now on.
    pub const fn settings(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Returns the log.
    pub fn log(&self) -> &[Logged] {
        &self.log
    }

    /// Removes and returns the log, so that it stays short in a long run.
    pub fn take_log(&mut self) -> Vec<Logged> {
        core::mem::take(&mut self.log)
    }

    /// Counts what happened.
    pub fn count(&self, wanted: impl Fn(&Happening) -> bool) -> usize {
        self.log.iter().filter(|logged| wanted(&logged.what)).count()
    }

    /// Returns the person who is logged in, as of the last time that was seen.
    pub fn person(&self) -> Option<&Person> {
        self.sso.as_ref().map(|sso| &sso.person)
    }

    /// Returns who holds the brokerage session, as of the last request.
    pub const fn holder(&self) -> Holder {
        match (&self.brokerage, &self.rival) {
            (Brokerage::Open { .. }, _) => Holder::Client,
            (Brokerage::Closed { .. }, Some(_)) => Holder::Rival,
            (Brokerage::Closed { .. }, None) => Holder::Nobody,
        }
    }

    /// Returns how many questions are suppressed in the present brokerage session; a new one has none.
    pub const fn suppressed(&self) -> usize {
        match &self.brokerage {
            Brokerage::Open { suppressed, .. } => *suppressed,
            Brokerage::Closed { .. } => 0,
        }
    }

    fn note(&mut self, at: Timestamp, what: Happening) {
        self.log.push(Logged { at, what });
    }

    /// Removes and returns the mishap of a request, and logs it.
    fn mishap(&mut self, now: Timestamp, call: Call, request: &Request<Vec<u8>>) -> Option<Mishap> {
        let planned = self.mishaps.next(request);
        let flaky = self.settings.flaky.clone().filter(|_| planned.is_none() && call == Call::Tickle);
        let chance = flaky.and_then(|flaky| (self.draw() % 100 < u64::from(flaky.percent)).then_some(flaky.mishap));
        let mishap = planned.or(chance);
        if let Some(mishap) = &mishap {
            self.note(now, Happening::Troubled(mishap.code()));
        }
        mishap
    }

    /// Answers a call, unless its mishap does.
    fn meet(
        &mut self,
        now: Timestamp,
        call: Call,
        mishap: Option<Mishap>,
        serve: impl FnOnce(&mut Self) -> Reply,
    ) -> Reply {
        let unseen = matches!(mishap, Some(Mishap::Lost));
        let reply = Mishap::meet(mishap, || serve(self));
        if !unseen {
            self.note(now, Happening::Answered { call, status: reply.response.status().as_u16() });
        }
        let late = reply.delay + self.delay(now, &reply.response) + self.settings.latency;
        reply.after(late)
    }
}

impl Simulator for GatewaySim {
    fn stream(&mut self, now: Timestamp, stream: &mut Stream, text: Option<&str>) -> Option<Vec<String>> {
        self.go_on(now, stream, text)
    }

    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        self.advance(now);
        let now = self.now.unwrap_or(now);
        let call = self.call_of(request.uri().path());
        let mishap = self.mishap(now, call, request);
        self.meet(now, call, mishap, |gateway| match call {
            Call::Stream => gateway.handshake(now, peer, request),
            _ => Reply::new(gateway.respond(now, peer, call, request)),
        })
    }
}
