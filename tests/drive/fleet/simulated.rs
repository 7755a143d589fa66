//! Fleets over simulators, whatever happens in whatever order.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use proptest::prelude::*;
use sansession::drive::fleet::{Fleet, FleetOptions, Place, Rate, Turn};
use sansession::providers::ibkr::Gateway;
use sansession::sim::Mishap;
use sansession::sim::Simulator;
use sansession::sim::ibkr::{GatewaySim as Server, Lever, Logged, Outage, RateLimits, Rival, Settings};
use sansession::{BaseUrl, Failure, Options, Output, RequestId, Response, Session, Timestamp, machine::FailureKind};

use crate::fleet::story::{HOUR, MINUTE, READY, SECOND, at_once, fine, gateway, tickle};
use crate::support::START;
use crate::support::world::{World, as_sent, travels};

/// The gateway's requests may take 12 s.
const TIMEOUT: u64 = 12_000;

fn machine(key: u32) -> Session<Gateway> {
    let url = BaseUrl::parse("https://localhost:5000/v1/api").unwrap();
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&key.to_le_bytes());
    Session::new(Gateway::new(&url).unwrap(), Options::default(), seed)
}

type Plan = Vec<(u64, Lever)>;

fn server(plan: &Plan) -> Server {
    let mut server = Server::new(Settings { limits: RateLimits::Documented, ..Settings::default() });
    for (secs, lever) in plan {
        server.schedule(START + Duration::from_secs(*secs), lever.clone());
    }
    server
}

fn lever() -> impl Strategy<Value = Lever> {
    prop_oneof![
        Just(Lever::EndLogin),
        Just(Lever::EndBrokerage { connected: true }),
        Just(Lever::RivalTakes(Rival::default())),
        Just(Lever::RivalLeaves),
        Just(Lever::Penalty),
        (1..900_u64).prop_map(|secs| Lever::Outage { lasts: Duration::from_secs(secs), outage: Outage::Slow503 }),
        (1..4_usize).prop_map(|next| Lever::Mishap { next, path: "", mishap: Mishap::Dropped }),
    ]
}

type Flight = (RequestId, Timestamp, Result<http::Response<Vec<u8>>, Failure>);

/// Drives a fleet through virtual time, each session with a server of its own.
fn logs_of_a_fleet(plans: &[Plan], options: FleetOptions, time: Duration) -> Vec<Vec<Logged>> {
    let mut servers: Vec<Server> = plans.iter().map(server).collect();
    let mut fleet: Fleet<usize, Session<Gateway>> = Fleet::new(options, [1; 32]);
    for key in 0..plans.len() {
        let group = format!("group {key}");
        fleet.insert(key, machine(u32::try_from(key).unwrap()), Place::default().group(group)).unwrap();
    }
    let mut flights: BTreeMap<usize, Flight> = BTreeMap::new();
    let (mut now, end) = (START, START + time);
    loop {
        match fleet.poll(now) {
            Turn::Session(key, Output::Send(outgoing)) => {
                let (id, policy) = (outgoing.id(), outgoing.policy());
                let request = as_sent(outgoing.into_request());
                let reply = servers[key].handle(now, IpAddr::from([127, 0, 0, 1]), &request);
                let (time, news, _) = travels(reply, Duration::ZERO, policy);
                assert!(flights.insert(key, (id, now + time, news)).is_none(), "two at once");
            }
            Turn::Session(key, Output::Cancel(_)) => drop(flights.remove(&key)),
            Turn::Wait { until } => {
                assert!(until > now && until == fleet.deadline());
                let first = flights.iter().map(|(key, flight)| (flight.1, *key)).min();
                now = first.map_or(until, |(at, _)| at.min(until));
                if now > end {
                    return servers.into_iter().map(|mut server| server.take_log()).collect();
                }
                if let Some((at, key)) = first
                    && at <= now
                {
                    let (id, _, news) = flights.remove(&key).unwrap();
                    let _ = match news {
                        Ok(response) => fleet.handle_response(now, &key, id, Response::from(&response)).unwrap(),
                        Err(failure) => fleet.handle_failure(now, &key, id, failure).unwrap(),
                    };
                }
            }
            _ => {}
        }
    }
}

fn log_of_one(key: usize, plan: &Plan, time: Duration) -> Vec<Logged> {
    let mut world = World::new(machine(u32::try_from(key).unwrap()), server(plan));
    world.runs_for(time);
    world.server.take_log()
}

fn tally(log: &[Logged]) -> BTreeMap<String, usize> {
    log.iter().fold(BTreeMap::new(), |mut tally, logged| {
        *tally.entry(format!("{:?}", logged.what)).or_default() += 1;
        tally
    })
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    prop::collection::vec(prop::collection::vec((0..7_200_u64, lever()), 0..4), 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_fleet_without_paces_does_what_its_sessions_would_do_alone(plans in plans()) {
        let fleet = logs_of_a_fleet(&plans, at_once(), 2 * HOUR);
        for (key, plan) in plans.iter().enumerate() {
            prop_assert_eq!(&fleet[key], &log_of_one(key, plan, 2 * HOUR));
        }
    }

    #[test]
    fn a_fleet_with_paces_sends_the_same_requests_a_little_later(count in 1_usize..40) {
        let plans = vec![Plan::new(); count];
        let fleet = logs_of_a_fleet(&plans, FleetOptions::default(), 2 * HOUR);
        for (key, log) in fleet.iter().enumerate() {
            let alone = log_of_one(key, &Plan::new(), 2 * HOUR);
            // What leaves later may leave after another, and one at the very end may be missing.
            for (what, times) in tally(&alone) {
                let together = tally(log).get(&what).copied().unwrap_or_default();
                prop_assert!(together.abs_diff(times) <= 1, "{}: {} instead of {}", what, together, times);
            }
        }
    }

    #[test]
    fn buckets_boxes_and_leases_hold_whatever_happens(
        deeds in prop::collection::vec((0..12_u8, 0..8_u32, 0..100_000_u64), 1..120),
        rate in (1..4_u32, 1..20_u64),
    ) {
        holds(deeds, rate);
    }
}

fn holds(deeds: impl IntoIterator<Item = (u8, u32, u64)>, (at_once, every): (u32, u64)) {
    let mut world = Wild::new(Rate::new(at_once, Duration::from_secs(every)));
    for deed in deeds {
        world.does(deed);
        world.drains();
    }
    world.lives_on();
    world.judge(at_once, every * 1_000);
}

/// Session 1 is called to open when its lease is over already, and opened later beside two others.
#[test]
fn an_admission_is_not_kept_past_a_lease() {
    holds(
        [(0, 4, 0), (0, 2, 0), (0, 1, 0), (0, 3, 0), (6, 1, 0), (3, 0, 1_000), (0, 0, 0), (0, 0, 0), (3, 0, 1_001)],
        (1, 1),
    );
}

/// A fleet that anything happens to. Time that passes and the clock's time are two things.
struct Wild {
    fleet: Fleet<u32>,
    clock: u64,
    passed: u64,
    in_flight: BTreeMap<u32, RequestId>,
    /// When a request left, in the time that passed, and for whom.
    sent: Vec<(u64, u32)>,
    leases: BTreeMap<u32, u64>,
    boxed: BTreeMap<u32, u64>,
    starts: Vec<u64>,
}

/// Two groups and two lanes, not the same way.
const fn group(key: u32) -> u32 {
    key % 2
}

const fn lane(key: u32) -> u32 {
    key / 4
}

impl Wild {
    fn new(group: Rate) -> Self {
        let mut options = FleetOptions::default();
        options.group = group;
        options.starts = Rate::new(2, SECOND);
        Self {
            fleet: Fleet::new(options, [5; 32]),
            clock: START.as_millis(),
            passed: 0,
            in_flight: BTreeMap::new(),
            sent: Vec::new(),
            leases: BTreeMap::new(),
            boxed: BTreeMap::new(),
            starts: Vec::new(),
        }
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.clock)
    }

    fn passes(&mut self, millis: u64) {
        self.clock += millis;
        self.passed += millis;
    }

    fn does(&mut self, (deed, key, amount): (u8, u32, u64)) {
        let now = self.now();
        match deed {
            0 | 1 => {
                let place = Place::default().group(group(key).to_string()).lane(lane(key).to_string());
                let _ = self.fleet.insert(key, gateway(key), place);
            }
            2 => {
                if self.fleet.remove(&key).is_ok() {
                    self.leases.remove(&key);
                }
                self.in_flight.remove(&key);
            }
            3 | 4 => self.passes(amount),
            5 => self.clock -= amount,
            6 => {
                if self.fleet.lease(&key, now + Duration::from_millis(amount)).is_ok() {
                    self.leases.insert(key, self.passed + amount);
                }
            }
            7 => drop(self.fleet.check(now, &key)),
            8 if amount < 10_000 => drop(self.fleet.logout(now, &key)),
            9 => self.answers(key, if amount < 10_000 { 429 } else { 200 }),
            10 => {
                if let Some(id) = self.in_flight.remove(&key) {
                    let failure = Failure::maybe_sent(FailureKind::Timeout);
                    self.fleet.handle_failure(now, &key, id, failure).unwrap();
                }
            }
            _ => (0..8).for_each(|key| self.answers(key, 200)),
        }
    }

    fn answers(&mut self, key: u32, status: u16) {
        let Some(id) = self.in_flight.remove(&key) else { return };
        let body = if status == 200 { tickle(READY).replace("}}}", "}},") + &READY[1..] } else { String::new() };
        let response =
            http::Response::builder().status(status).header("content-type", "application/json").body(body).unwrap();
        self.fleet.handle_response(self.now(), &key, id, Response::from(&response)).unwrap();
        if status == 429 {
            self.boxed.insert(lane(key), self.passed + 60_000);
        }
    }

    fn drains(&mut self) -> Timestamp {
        for _ in 0..10_000 {
            match self.fleet.poll(self.now()) {
                Turn::Session(key, Output::Send(outgoing)) => {
                    assert!(self.passed + TIMEOUT < *self.leases.get(&key).unwrap_or(&u64::MAX), "past its lease");
                    assert!(self.passed >= *self.boxed.get(&lane(key)).unwrap_or(&0), "into a box");
                    self.sent.push((self.passed, key));
                    self.in_flight.insert(key, outgoing.id());
                }
                Turn::Session(
                    _,
                    Output::Event(sansession::Event::PhaseChanged {
                        from: sansession::Phase::Idle,
                        to: sansession::Phase::Opening,
                    }),
                ) => self.starts.push(self.passed),
                Turn::Session(key, Output::Cancel(_)) => drop(self.in_flight.remove(&key)),
                Turn::Session(key, Output::Closed(_)) => {
                    drop(self.fleet.remove(&key));
                    self.leases.remove(&key);
                }
                Turn::Wait { until } => {
                    assert!(until > self.now() && until == self.fleet.deadline());
                    return until;
                }
                _ => {}
            }
        }
        panic!("a hot loop");
    }

    /// With all leases renewed and the boxes over, everybody goes on.
    fn lives_on(&mut self) {
        let keys: Vec<u32> = self.fleet.keys().copied().collect();
        for key in &keys {
            self.leases.remove(key);
            self.fleet.lease(key, Timestamp::NEVER).unwrap();
        }
        let from = self.passed;
        while self.passed < from + 60 * 60_000 {
            let until = self.drains();
            let wait = until.as_millis().saturating_sub(self.clock).min(1_000);
            self.passes(wait.max(1));
            (0..8).for_each(|key| self.answers(key, 200));
        }
        let left: Vec<u32> = self.fleet.keys().copied().collect();
        for key in left {
            assert!(self.sent.iter().any(|sent| sent.1 == key && sent.0 > from), "{key} starves");
        }
    }

    fn judge(&self, at_once: u32, every: u64) {
        for wanted in 0..2 {
            let sent: Vec<u64> = self.sent.iter().filter(|sent| group(sent.1) == wanted).map(|sent| sent.0).collect();
            keeps(&sent, at_once, every);
        }
        keeps(&self.starts, 2, 1_000);
    }
}

/// In any stretch there are at most so many at once and one more for each such time in it.
fn keeps(times: &[u64], at_once: u32, every: u64) {
    for (first, from) in times.iter().enumerate() {
        for (last, to) in times.iter().enumerate().skip(first) {
            let most = u64::from(at_once) + (to - from) / every;
            assert!((last - first + 1) as u64 <= most, "too many from {from} to {to}");
        }
    }
}

#[test]
fn a_rate_that_is_broken_is_seen() {
    keeps(&[0, 0, 1_000], 2, 1_000);
    assert!(std::panic::catch_unwind(|| keeps(&[0, 0, 999], 2, 1_000)).is_err());
    let _ = (fine(0, "tickle"), MINUTE);
}
