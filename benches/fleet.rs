//! What a fleet costs beside its sessions: time per due session, bytes per session, and the start.
//!
//! Each session is an active one of an IBKR gateway of its own, resumed from a snapshot, so that it has its
//! own limit group, and each is due once a minute, at a time of its own. The fleet is driven through virtual
//! time: what is measured is the whole way of a due session, from `poll` over its request, the answer and
//! its event back to its wait, without a network.
//!
//! `cargo bench --bench fleet` does all sizes, each in a process of its own, so that memory is its own;
//! `cargo bench --bench fleet -- 10000` does one.

#![expect(clippy::disallowed_methods, reason = "a bench reads the clock")]

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sansession::drive::fleet::{Fleet, FleetOptions, Place, Turn};
use sansession::providers::ibkr::Gateway;
use sansession::{BaseUrl, Machine, Options, Output, Response, Session, Snapshot, Timestamp};

const START: Timestamp = Timestamp::from_secs(1_790_000_000);
const MINUTE: u64 = 60_000;
const SIZES: [u32; 4] = [1_000, 10_000, 100_000, 1_000_000];
const TICKLE: &str = r#"{"session":"bb665d0f55b6289d70bc7380089fc96f","ssoExpires":460311,"collission":false,"userId":123456789,"hmds":{"error":"no bridge"},"iserver":{"authStatus":{"authenticated":true,"competing":false,"connected":true,"message":"","MAC":"98:F2:B3:23:BF:A0","serverInfo":{"serverName":"JifN19053","serverVersion":"Build 10.25.0p, Dec 5, 2023 5:48:12 PM"}}}}"#;
const STATUS: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
const VALIDATE: &str = r#"{"USER_ID":123456789,"USER_NAME":"user1234","RESULT":true,"EXPIRES":415890,"LOGIN_TYPE":2}"#;

type Gateways = Fleet<u32, Box<dyn Machine>>;

fn main() {
    let size = std::env::args().skip(1).find_map(|argument| argument.parse::<u32>().ok());
    if let Some(size) = size {
        println!("{}", measure(size));
        return;
    }
    println!(
        "{:>9} {:>14} {:>12} {:>14} {:>16} {:>16}",
        "sessions", "due, ns each", "idle, ns", "bytes each", "of them fleet's", "start, s"
    );
    let this = std::env::current_exe().unwrap();
    for size in SIZES {
        let output = Command::new(&this).arg(size.to_string()).output().unwrap();
        print!("{}", String::from_utf8(output.stdout).unwrap());
    }
}

fn measure(size: u32) -> String {
    let texts = snapshots();
    // The same sessions in a bare vector, so that the fleet's own share is known.
    let before = resident();
    let bare: Vec<Box<dyn Machine>> = (0..size).map(|key| session(&texts, key)).collect();
    let alone = resident().saturating_sub(before);
    drop(black_box(bare));

    // What was freed is used again: the fleet's bytes are counted in a fresh process by the caller's size,
    // and the bare ones' pages are what it grows from.
    let began = Instant::now();
    let mut fleet: Gateways = Fleet::new(FleetOptions::default(), [7; 32]);
    for key in 0..size {
        fleet.insert(key, session(&texts, key), Place::default()).unwrap();
    }
    rests(&mut fleet, START);
    let start = began.elapsed().as_secs_f64();
    let whole = resident().saturating_sub(before);

    // The first minutes bring the lines of the heap and the tree into their usual order.
    let tickle = http::Response::builder().header("content-type", "application/json").body(TICKLE).unwrap();
    let mut now = drive(&mut fleet, START, u64::from(size), &tickle).0;
    let cycles = u64::from(size).max(200_000);
    let began = Instant::now();
    let (end, done) = drive(&mut fleet, now, cycles, &tickle);
    let due = began.elapsed().as_secs_f64() / done as f64 * 1e9;
    now = end;
    rests(&mut fleet, now);
    let polls = 1_000_000;
    let began = Instant::now();
    for _ in 0..polls {
        let _ = black_box(fleet.poll(black_box(now)));
    }
    let idle = began.elapsed().as_secs_f64() / f64::from(polls) * 1e9;
    format!(
        "{size:>9} {due:>14.0} {idle:>12.1} {:>14} {:>16} {start:>16.2}",
        whole / u64::from(size),
        whole.saturating_sub(alone) / u64::from(size)
    )
}

/// Polls to the first wait, when nothing is due.
fn rests(fleet: &mut Gateways, now: Timestamp) -> Timestamp {
    loop {
        if let Turn::Wait { until } = fleet.poll(now) {
            return until;
        }
    }
}

/// Answers so many requests, through virtual time.
fn drive(fleet: &mut Gateways, from: Timestamp, cycles: u64, tickle: &http::Response<&str>) -> (Timestamp, u64) {
    let (mut now, mut done) = (from, 0);
    let response = Response::from(tickle);
    loop {
        match fleet.poll(now) {
            Turn::Session(key, Output::Send(outgoing)) => {
                let id = outgoing.id();
                black_box(outgoing.into_request());
                fleet.handle_response(now, &key, id, response).unwrap();
                done += 1;
            }
            Turn::Wait { .. } if done >= cycles => return (now, done),
            Turn::Wait { until } => now = until,
            _ => {}
        }
    }
}

fn session(texts: &[Snapshot], key: u32) -> Box<dyn Machine> {
    let url = BaseUrl::parse(&format!("https://gateway-{key}.example.org/v1/api")).unwrap();
    let provider = Arc::new(Gateway::new(&url).unwrap());
    let text = texts[key as usize % texts.len()].expose_secrets();
    let text = text.replace("gateway-0.", &format!("gateway-{key}."));
    let mut seed = [7; 32];
    seed[..4].copy_from_slice(&key.to_le_bytes());
    let snapshot = Snapshot::from_text(&text);
    Box::new(Session::resume(provider, &snapshot, Options::default(), None, seed, START).unwrap())
}

/// Snapshots of sessions that opened at different times of the last minute.
fn snapshots() -> Vec<Snapshot> {
    (0..997)
        .map(|part| {
            let opened = START - Duration::from_millis(MINUTE * part / 997);
            let url = BaseUrl::parse("https://gateway-0.example.org/v1/api").unwrap();
            let mut session = Session::new(Gateway::new(&url).unwrap(), Options::default(), [7; 32]);
            session.start(opened);
            loop {
                match session.poll(opened) {
                    Output::Send(outgoing) => {
                        let body = if outgoing.path().ends_with("validate") { VALIDATE } else { STATUS };
                        let response =
                            http::Response::builder().header("content-type", "application/json").body(body).unwrap();
                        session.handle_response(opened, outgoing.id(), Response::from(&response)).unwrap();
                    }
                    Output::Wait { .. } => return session.snapshot(),
                    _ => {}
                }
            }
        })
        .collect()
}

/// Returns the resident memory of this process in bytes; nothing where the system does not tell.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or_default() * 1024
}
