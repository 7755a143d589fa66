//! A fleet and its world as a script.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use sansession::drive::fleet::{Fleet, FleetOptions, Place, Rate, Turn};
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::{
    BaseUrl, Credentials, Input, Machine, Options, Output, RequestId, Response, Session, Source, Timestamp, WaitingOn,
    machine::Ends,
};

use crate::support::START;

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);

pub const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
/// The brokerage session has idled out, the login lives.
pub const TIMED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":true,"message":"","fail":""}"#;

pub fn tickle(flags: &str) -> String {
    format!(
        r#"{{"session":"00000000000000000000000000000001","ssoExpires":460311,"userId":1,"iserver":{{"authStatus":{flags}}}}}"#
    )
}

/// The session of a gateway of its own.
pub fn gateway(key: u32) -> Box<dyn Machine> {
    let url = BaseUrl::parse(&format!("https://gateway-{key}.example.org/v1/api")).unwrap();
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&key.to_le_bytes());
    let mut options = Options::default();
    // What these tests log out was found living.
    options.ends = Ends::Always;
    Box::new(Session::new(Gateway::new(&url).unwrap(), options, seed))
}

pub fn cbrain(key: u32) -> Box<dyn Machine> {
    let url = BaseUrl::parse(&format!("https://portal-{key}.example.org")).unwrap();
    Box::new(Session::new(Cbrain::new(url).unwrap(), Options::default(), [7; 32]))
}

/// No pace and no spread: what is due leaves.
pub fn at_once() -> FleetOptions {
    let mut options = FleetOptions::default();
    options.group = Rate::UNLIMITED;
    options.starts = Rate::UNLIMITED;
    options.lane_starts = Rate::UNLIMITED;
    options.spread = Duration::ZERO;
    options
}

pub struct Story {
    pub fleet: Fleet<u32>,
    pub now: Timestamp,
    /// What was told but sent requests and waits, with its time after the start.
    pub told: Vec<(Duration, String)>,
    /// What left, with its time after the start.
    pub sent: Vec<(Duration, u32, String)>,
    pub in_flight: BTreeMap<u32, RequestId>,
}

impl Story {
    pub fn new(options: FleetOptions) -> Self {
        Self {
            fleet: Fleet::new(options, [3; 32]),
            now: START,
            told: Vec::new(),
            sent: Vec::new(),
            in_flight: BTreeMap::new(),
        }
    }

    pub fn inserts(mut self, keys: impl IntoIterator<Item = u32>, place: Place) -> Self {
        for key in keys {
            self.fleet.insert(key, gateway(key), place.clone()).unwrap();
        }
        self
    }

    /// Takes all outputs of this instant; gives when the next comes.
    #[track_caller]
    pub fn drains(&mut self) -> Timestamp {
        let since = Duration::from_millis(self.now.as_millis().saturating_sub(START.as_millis()));
        for _ in 0..100_000 {
            match self.fleet.poll(self.now) {
                Turn::Session(key, Output::Send(outgoing)) => {
                    self.in_flight.insert(key, outgoing.id());
                    let path = outgoing.path().rsplit('/').next().unwrap().to_owned();
                    self.sent.push((since, key, path));
                }
                Turn::Session(key, Output::Wait { on: WaitingOn::Need(need), .. }) => {
                    self.told.push((since, format!("{key} needs {}", need.kind.code())));
                    if need.kind == sansession::NeedKind::Credentials {
                        let input = Input::Credentials(Credentials::new("norm", "correct horse").unwrap());
                        let _ = self.fleet.handle_input(self.now, &key, need.id, input, Source::Person).unwrap();
                    }
                }
                Turn::Session(key, Output::Event(sansession::Event::PhaseChanged { from, to })) => {
                    self.told.push((since, format!("{key} {from} -> {to}")));
                }
                Turn::Session(key, Output::Event(event)) => self.told.push((since, format!("{key} {}", event.code()))),
                Turn::Session(key, Output::Closed(reason)) => {
                    self.told.push((since, format!("{key} closed {}", reason.code())));
                }
                Turn::Session(key, Output::Cancel(_)) => {
                    self.in_flight.remove(&key);
                }
                Turn::Session(_, Output::Save | Output::Wait { .. }) => {}
                Turn::Boxed { lane, until } => {
                    self.told.push((since, format!("{lane} boxed for {:?}", until.since(self.now))));
                }
                Turn::Dropped(key) => self.told.push((since, format!("{key} dropped"))),
                Turn::Lapsed(key) => self.told.push((since, format!("{key} lapsed"))),
                Turn::Wait { until } => {
                    assert!(until > self.now, "a wait in the past");
                    assert_eq!(until, self.fleet.deadline());
                    return until;
                }
            }
        }
        panic!("a hot loop");
    }

    /// Answers all that is under way.
    pub fn gets(&mut self, answer: impl Fn(u32, &str) -> (u16, String)) -> &mut Self {
        for (key, id) in std::mem::take(&mut self.in_flight) {
            let path = self.sent.iter().rev().find(|sent| sent.1 == key).unwrap().2.clone();
            let (status, body) = answer(key, &path);
            let response =
                http::Response::builder().status(status).header("content-type", "application/json").body(body).unwrap();
            self.fleet.handle_response(self.now, &key, id, Response::from(&response)).unwrap();
        }
        self
    }

    /// Lives for so long with a server that answers at once.
    #[track_caller]
    pub fn lives(&mut self, time: Duration, answer: impl Fn(u32, &str) -> (u16, String)) -> &mut Self {
        let end = self.now + time;
        loop {
            let until = self.drains();
            if !self.in_flight.is_empty() {
                self.gets(&answer);
                continue;
            }
            if until > end {
                self.now = end;
                self.drains();
                return self;
            }
            self.now = until;
        }
    }

    #[track_caller]
    pub fn tells(&mut self, what: &str) -> &mut Self {
        assert!(self.told.iter().any(|(_, told)| told == what), "{what} was not told\n{}", self.transcript());
        self
    }

    #[track_caller]
    pub fn tells_nothing_of(&mut self, what: &str) -> &mut Self {
        assert!(!self.told.iter().any(|(_, told)| told.contains(what)), "{what} was told\n{}", self.transcript());
        self
    }

    /// When openings began.
    pub fn starts(&self) -> Vec<Duration> {
        self.told.iter().filter(|(_, told)| told.ends_with(" idle -> opening")).map(|(at, _)| *at).collect()
    }

    pub fn forgets(&mut self) -> &mut Self {
        self.told.clear();
        self.sent.clear();
        self
    }

    pub fn transcript(&self) -> String {
        let mut text = String::new();
        for (at, key, path) in &self.sent {
            writeln!(text, "{at:?} {key} -> {path}").unwrap();
        }
        for (at, told) in &self.told {
            writeln!(text, "{at:?} {told}").unwrap();
        }
        text
    }
}

/// A server whose sessions live.
pub fn fine(_: u32, path: &str) -> (u16, String) {
    match path {
        "tickle" => (200, tickle(READY)),
        "validate" => (200, r#"{"USER_ID":1,"USER_NAME":"u","RESULT":true,"EXPIRES":415890}"#.to_owned()),
        "logout" => (200, r#"{"status":true}"#.to_owned()),
        "session" => (200, r#"{"user_id":2,"cbrain_api_token":"0123456789abcdef0123456789abcdef"}"#.to_owned()),
        _ => (200, READY.to_owned()),
    }
}
