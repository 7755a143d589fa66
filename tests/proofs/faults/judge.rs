//! The judge: stands before the network and reads, after each request, what the server wrote down of it.
//!
//! It takes nothing from the client but the bytes that leave it, and knows what the network did to the answer.

use std::collections::{BTreeMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

use http::{Request, StatusCode};
use sansession::sim::{Network, Reply, Simulator};
use sansession::{NeedKind, Timestamp};

use crate::faults::year::Case;

/// What a server's own log tells of one request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Word {
    /// It judged an answer of a person, whatever it made of it.
    Judged(NeedKind),
    /// It refused a token; the number names the token.
    Dead(u64),
    /// It sent the client away until then.
    Boxed(Timestamp),
    /// It asked to leave the API of this request alone until then.
    Limited(Timestamp),
    /// It sends the client away from now on, for being too fast.
    TooFast,
    /// A session ended there without the client's doing.
    Ended,
}

/// What the answers have told a process, which it must not forget.
#[derive(Clone, Default)]
pub struct Memory {
    /// The tokens whose death was told.
    dead: Vec<u64>,
    /// The penalty boxes that were told of.
    boxes: Vec<Told>,
    /// Whether a consent to a takeover is in hand; a process without `durable` may come back to that.
    pub consent: bool,
}

/// A penalty box that an answer has told of.
#[derive(Clone)]
struct Told {
    at: Timestamp,
    ends: Timestamp,
    /// The path that it is for, where it is not for all.
    path: Option<String>,
}

impl Told {
    fn is_for(&self, request: &Request<Vec<u8>>) -> bool {
        self.path.as_deref().is_none_or(|path| path == request.uri().path())
    }
}

pub struct Judge<C: Case> {
    pub case: C,
    pub network: Network<C::Server>,
    /// Whether the present request is one of the user's own.
    pub own: bool,
    /// The laws that were broken.
    pub broken: Vec<String>,
    /// How many requests were answered by a server in trouble.
    pub troubles: u64,
    /// How many ends of sessions an answer has told.
    pub ends: u64,
    /// Whether a session ended of which no answer has told yet.
    ended: bool,
    pub requests: u64,
    /// The answers that a person gave and no server has judged yet.
    unspent: BTreeMap<&'static str, u32>,
    memory: Memory,
    /// When the present process began with what another one had stored.
    begun: Option<Timestamp>,
    /// What was known before the last answer.
    before: Memory,
    hour: VecDeque<Timestamp>,
    pub busiest: usize,
}

/// How long an answer travels at least.
pub const LATENCY: Duration = Duration::from_millis(40);

/// The widest pace that a server demands of a step.
const PACE: Duration = Duration::from_secs(60);

impl<C: Case> Judge<C> {
    pub fn new(case: C, network: Network<C::Server>) -> Self {
        Self {
            case,
            network,
            own: false,
            broken: Vec::new(),
            troubles: 0,
            ends: 0,
            ended: false,
            requests: 0,
            unspent: BTreeMap::new(),
            memory: Memory::default(),
            begun: None,
            before: Memory::default(),
            hour: VecDeque::new(),
            busiest: 0,
        }
    }

    /// A person gave an answer, which stands for all earlier ones of its kind.
    pub fn given(&mut self, kind: NeedKind) {
        self.unspent.insert(kind.code(), 1);
        self.memory.consent |= kind == NeedKind::Takeover;
    }

    /// What a process that stores itself now remembers; the last answer may not have come, or not be in its store.
    pub fn memory(&self, with_the_last_answer: bool) -> Memory {
        if with_the_last_answer { self.memory.clone() } else { self.before.clone() }
    }

    /// Another process goes on with this, from then on.
    pub fn remembers(&mut self, memory: Memory, begun: Timestamp) {
        self.begun = Some(begun);
        let mut memory = memory;
        // What is over in a minute is not stored for its own sake.
        memory.boxes.retain(|told| told.path.is_none() || told.ends.since(told.at) >= PACE);
        if memory.consent {
            self.unspent.insert(NeedKind::Takeover.code(), 1);
        }
        self.before = memory.clone();
        self.memory = memory;
    }

    /// Returns the end of all boxes that were told of.
    pub fn told_until(&self) -> Option<Timestamp> {
        self.memory.boxes.iter().map(|told| told.ends).max()
    }

    /// How often a request of the client's met what is none of its doing.
    pub const fn faults(&self) -> u64 {
        self.troubles
    }

    fn breaks(&mut self, now: Timestamp, request: &Request<Vec<u8>>, law: &str) {
        self.broken.push(format!("{law}: {} {} at {now:?}", request.method(), request.uri().path()));
    }

    fn counts(&mut self, now: Timestamp, request: &Request<Vec<u8>>) {
        self.requests += 1;
        self.hour.push_back(now);
        while self.hour.front().is_some_and(|first| now.since(*first) > Duration::from_secs(3_600)) {
            self.hour.pop_front();
        }
        self.busiest = self.busiest.max(self.hour.len());
        if self.hour.len() > C::PER_HOUR {
            self.breaks(now, request, "too many requests in an hour");
        }
    }
}

impl<C: Case> Simulator for Judge<C> {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        if !self.own {
            self.counts(now, request);
        }
        let left = if self.own { now } else { now - LATENCY };
        if self.memory.boxes.iter().any(|told| told.at <= left && now < told.ends && told.is_for(request)) {
            self.breaks(now, request, "a penalty box was not respected");
        }
        self.case.before(&mut self.network.server);
        let reply = self.network.handle(now, peer, request);
        // One of the user's own calls, too, may be the one that would have told an end.
        self.troubles += u64::from(is_trouble(&reply));
        // What is late, cut off or not the server's own may teach nothing.
        let status = reply.response.status();
        let arrives = reply.fault.is_none() && reply.delay < Duration::from_secs(9);
        let delivered = arrives && (!is_trouble(&reply) || status == StatusCode::TOO_MANY_REQUESTS);
        self.before = self.memory.clone();
        let words = self.case.words(&mut self.network.server, now, request, &reply);
        for word in words {
            match word {
                Word::Judged(kind) => match self.unspent.get_mut(kind.code()).filter(|left| **left > 0) {
                    Some(left) => {
                        *left -= 1;
                        self.memory.consent &= kind != NeedKind::Takeover;
                    }
                    None => self.breaks(now, request, "an answer was used twice, or none was given"),
                },
                Word::Dead(token) => {
                    if delivered {
                        self.ends += 1;
                    }
                    // A logout may try the last token it has: nothing else can end what stands behind it, and a
                    // refusal at the gateway's edge is no word of the session (rules of the engine: logout at any time).
                    let leaves = request.uri().path().ends_with("/logout");
                    if !self.own && !leaves && self.memory.dead.contains(&token) {
                        self.breaks(now, request, "a dead token was used again");
                    }
                    if !self.own && delivered {
                        self.memory.dead.push(token);
                    }
                }
                Word::Boxed(ends) | Word::Limited(ends) if delivered => {
                    let at = if self.own { now } else { now + LATENCY + reply.delay };
                    let path = matches!(word, Word::Limited(_)).then(|| request.uri().path().to_owned());
                    self.memory.boxes.retain(|told| now < told.ends);
                    self.memory.boxes.push(Told { at, ends, path });
                }
                Word::Boxed(_) | Word::Limited(_) => {}
                // What left in the last moment before a death was stored nowhere, and nothing waits a minute with its
                // opening because there might have been such.
                Word::TooFast if self.begun.is_some_and(|begun| now.since(begun) < PACE) => {}
                Word::TooFast => self.breaks(now, request, "the pace itself led into the penalty box"),
                Word::Ended => self.ended = true,
            }
        }
        // Some gateways tell it with a page or with a word that is no JSON.
        let tells = delivered || arrives && (status == StatusCode::UNAUTHORIZED || status.is_redirection());
        if tells && !self.own && std::mem::take(&mut self.ended) {
            self.ends += 1;
        }
        reply
    }
}

/// Reports whether a server, or somebody before it, did not answer as it should.
fn is_trouble(reply: &Reply) -> bool {
    let media = reply.response.headers().get("content-type").and_then(|media| media.to_str().ok()).unwrap_or_default();
    let json = media.contains("json");
    let body = reply.response.body();
    reply.fault.is_some()
        || reply.delay > Duration::from_secs(9)
        || reply.response.status().is_server_error()
        || reply.response.status() == StatusCode::TOO_MANY_REQUESTS
        || !body.is_empty() && (!json || serde_json::from_slice::<serde::de::IgnoredAny>(body).is_err())
}

/// Names what a header carries.
pub fn print(request: &Request<Vec<u8>>, header: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    request.headers().get(header).map(http::HeaderValue::as_bytes).hash(&mut hasher);
    hasher.finish()
}
