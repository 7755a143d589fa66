//! The Trade API: two hosts, each user belongs to one of them.
//!
//! - **Gateway**: `/token` and `/revoke` with `Basic`; bearers live 3600 s. They are looked for below the
//!   base path, below `…/oauth/1.0` and without a base path, since all three are told.
//! - **Session**: init tells the right host; login works on both; the second factor on the wrong one
//!   answers 999024. Three bad passwords or codes lock the account, and init says so from then on. An
//!   access code holds for the day in India.
//! - **Not public**, so invented here: the bodies of a wrong password and a wrong access code, the life
//!   of the one-time token (10 minutes).
//!
//! ```
//! use sansession::sim::kotak::trade_api::{Shard, TradeApiSim, User};
//!
//! let sim = TradeApiSim::kotak().app("key", "secret").user(User::new("USER1", "pw").on(Shard::Second));
//! assert!(sim.log().requests().is_empty());
//! ```

mod answers;
mod bodies;
#[cfg(test)]
mod tests;

use core::net::IpAddr;
use core::time::Duration;
use std::collections::BTreeMap;

use http::{Request, StatusCode};

use super::{Desk, Log, host, indian_day, is_host_of};
use crate::sim::mishap::disturbed;
use crate::sim::{Reply, Simulator};
use crate::{BaseUrl, Timestamp};

/// The simulated Trade API.
#[derive(Debug)]
pub struct TradeApiSim {
    shards: [BaseUrl; 2],
    apps: Vec<(String, String)>,
    users: BTreeMap<String, User>,
    /// The bearers and their ends.
    bearers: BTreeMap<String, Timestamp>,
    one_time_tokens: BTreeMap<String, OneTime>,
    sessions: BTreeMap<String, String>,
    minute: (u64, u32),
    settings: Settings,
    desk: Desk,
}

#[derive(Debug)]
struct Settings {
    bearer_life: Duration,
    one_time_life: Duration,
    quota: Option<u32>,
    envelope: Envelope,
    texts: bool,
    inside_200: bool,
    outage: Option<StatusCode>,
    redirect: Option<String>,
    right_host: Option<String>,
}

#[derive(Debug)]
struct OneTime {
    userid: String,
    made: Timestamp,
    shard: Shard,
}

/// One of the two hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shard {
    /// The first.
    First,
    /// The second.
    Second,
}

/// How successes are wrapped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Envelope {
    /// `success` around the second factor and reports, `Success` around everything else, as was seen.
    AsSeen,
    /// `Success` around everything.
    Upper,
    /// `success` around everything.
    Lower,
    /// Nothing, as the vendor's models have it.
    Flat,
}

/// A user of the Trade API.
#[derive(Clone, Debug)]
pub struct User {
    userid: String,
    password: String,
    shard: Shard,
    subscribed: bool,
    entitled: bool,
    active: bool,
    bad_tries: u8,
    codes_sent: u32,
}

impl User {
    /// Creates a user of the first host.
    pub fn new(userid: impl Into<String>, password: impl Into<String>) -> Self {
        Self {
            userid: userid.into(),
            password: password.into(),
            shard: Shard::First,
            subscribed: false,
            entitled: true,
            active: true,
            bad_tries: 0,
            codes_sent: 0,
        }
    }

    /// Assigns the user to a host.
    #[must_use]
    pub fn on(self, shard: Shard) -> Self {
        Self { shard, ..self }
    }

    /// Allows the user to log in without an access code.
    #[must_use]
    pub fn subscribed(self) -> Self {
        Self { subscribed: true, ..self }
    }

    /// Disables the API for the user: 999003.
    #[must_use]
    pub fn not_entitled(self) -> Self {
        Self { entitled: false, ..self }
    }

    /// Makes init report that the user has to do something in a browser first.
    #[must_use]
    pub fn inactive(self) -> Self {
        Self { active: false, ..self }
    }

    /// Returns the access code of the day: what the SMS would say.
    pub fn access_code(&self, now: Timestamp) -> String {
        let name = self.userid.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(u64::from(byte)));
        format!("{:04}", crate::machine::backoff::split_mix(name ^ indian_day(now)) % 10_000)
    }
}

/// How many bad tries lock an account.
const TRIES: u8 = 3;

impl TradeApiSim {
    /// Creates an API with two hosts, given as base URLs such as `http://127.0.0.1:5001/apim`.
    pub fn new(shards: [BaseUrl; 2]) -> Self {
        Self {
            shards,
            apps: Vec::new(),
            users: BTreeMap::new(),
            bearers: BTreeMap::new(),
            one_time_tokens: BTreeMap::new(),
            sessions: BTreeMap::new(),
            minute: (0, 0),
            settings: Settings {
                bearer_life: Duration::from_secs(3600),
                one_time_life: Duration::from_secs(600),
                quota: None,
                envelope: Envelope::AsSeen,
                texts: false,
                inside_200: false,
                outage: None,
                redirect: None,
                right_host: None,
            },
            desk: Desk::default(),
        }
    }

    /// Creates an API with the two production hosts, for tests without sockets.
    pub fn kotak() -> Self {
        Self::new(
            ["https://tradeapi.kotaksecurities.com/apim", "https://ctradeapi.kotaksecurities.com/apim"]
                .map(|url| BaseUrl::parse(url).unwrap_or_else(|_| unreachable!("a constant URL"))),
        )
    }

    /// Adds an application with its key and secret.
    #[must_use]
    pub fn app(mut self, consumer_key: impl Into<String>, consumer_secret: impl Into<String>) -> Self {
        self.apps.push((consumer_key.into(), consumer_secret.into()));
        self
    }

    /// Adds a user.
    #[must_use]
    pub fn user(mut self, user: User) -> Self {
        self.users.insert(user.userid.clone(), user);
        self
    }

    /// Creates a bearer, as the developer portal does.
    pub fn issue_bearer(&mut self, now: Timestamp) -> String {
        let token = self.desk.token().to_ascii_lowercase();
        self.bearers.insert(token.clone(), now + self.settings.bearer_life);
        token
    }

    /// Sets how long bearers live from now on; 3600 s otherwise.
    pub fn set_bearer_life(&mut self, life: Duration) {
        self.settings.bearer_life = life;
    }

    /// Sets how long one-time tokens live, those that were given out too.
    pub fn set_one_time_life(&mut self, life: Duration) {
        self.settings.one_time_life = life;
    }

    /// Sets how many requests are answered in a minute of the clock; without one there is no quota.
    pub fn set_quota(&mut self, per_minute: Option<u32>) {
        self.settings.quota = per_minute;
    }

    /// Sets how successes are wrapped.
    pub fn set_envelope(&mut self, envelope: Envelope) {
        self.settings.envelope = envelope;
    }

    /// Sets whether numbers (codes, ports, times) are written as texts.
    pub fn set_texts(&mut self, texts: bool) {
        self.settings.texts = texts;
    }

    /// Sets whether faults come with status 200.
    pub fn set_faults_inside_200(&mut self, inside: bool) {
        self.settings.inside_200 = inside;
    }

    /// Answers everything with a page of this status, until `None` ends the outage.
    pub fn set_outage(&mut self, status: Option<StatusCode>) {
        self.settings.outage = status;
    }

    /// Sets the host that init names to everybody, as an attacker would who wants passwords.
    pub fn set_redirect(&mut self, host: Option<String>) {
        self.settings.redirect = host;
    }

    /// Sets the host that fault 999024 names.
    pub fn set_right_host(&mut self, host: Option<String>) {
        self.settings.right_host = host;
    }

    /// Ends every session: 99999 from now on.
    pub fn expire_sessions(&mut self) {
        self.sessions.clear();
    }

    /// Ends every bearer: 900901 from now on. Sessions stay.
    pub fn expire_bearers(&mut self) {
        self.bearers.clear();
    }

    /// Ends every one-time token: 50001 from now on.
    pub fn expire_one_time_tokens(&mut self) {
        self.one_time_tokens.clear();
    }

    /// Unlocks a user, as the help desk does.
    pub fn unlock(&mut self, userid: &str) {
        if let Some(user) = self.users.get_mut(userid) {
            user.bad_tries = 0;
        }
    }

    /// Returns the user's access code of the day.
    pub fn access_code(&self, userid: &str, now: Timestamp) -> Option<String> {
        self.users.get(userid).map(|user| user.access_code(now))
    }

    /// Counts the SMS that were asked for.
    pub fn codes_sent(&self, userid: &str) -> u32 {
        self.users.get(userid).map_or(0, |user| user.codes_sent)
    }

    /// Counts the open sessions.
    pub fn open_sessions(&self) -> usize {
        self.sessions.len()
    }

    /// Returns the log of requests.
    pub const fn log(&self) -> &Log {
        &self.desk.log
    }

    /// Removes and returns the log, so that it stays short in a long run.
    pub fn take_log(&mut self) -> Vec<super::Seen> {
        self.desk.log.take()
    }

    fn base(&self, shard: Shard) -> &BaseUrl {
        let [first, second] = &self.shards;
        match shard {
            Shard::First => first,
            Shard::Second => second,
        }
    }

    fn shard(&self, host: &str) -> Option<Shard> {
        [Shard::First, Shard::Second].into_iter().find(|shard| is_host_of(self.base(*shard), host))
    }
}

disturbed!(TradeApiSim, desk.mishaps);

impl Simulator for TradeApiSim {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let shard = self.shard(&host(request));
        let mut desk = core::mem::take(&mut self.desk);
        let reply = desk.serve(now, request, shard.is_none(), |desk| self.answer(desk, now, shard, request));
        self.desk = desk;
        reply
    }
}
