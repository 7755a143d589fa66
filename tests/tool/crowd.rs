//! The proxy among thousands who lack its secret: whoever has it gets through within a second.
#![expect(clippy::disallowed_types, reason = "strangers hold sockets open")]

use std::io::{BufReader, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sansession::drive::{Trust, now};

use crate::flow::{asks, before, connect, says};
use crate::front::head;
use crate::https;
use crate::process::Proxy;

/// More than the proxy holds open, and than a process may by default.
const STRANGERS: usize = 2_000;
const SOON: Duration = Duration::from_secs(1);
/// Long before a silent connection is closed for being silent.
const LATE: Duration = Duration::from_secs(10);

fn hand(_: &str, reader: &mut BufReader<TcpStream>) {
    says(reader, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
}

/// Lets this process hold as many sockets as the system allows.
fn may_hold_many() {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).unwrap();
}

/// Comes without the secret: some say nothing, some stop in the head, some announce a long body, some are refused.
fn stranger(proxy: &Proxy, number: usize) -> TcpStream {
    let mut stream = connect(proxy);
    let host = &proxy.address;
    let text = match number % 4 {
        0 => String::new(),
        1 => "GET / HTTP/1.1\r\nHost: ".to_owned(),
        2 => format!("POST /raw HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000000\r\n\r\nabc"),
        _ => format!("GET /raw HTTP/1.1\r\nHost: {host}\r\nX-Sansession-Secret: wrong\r\n\r\n"),
    };
    // It may have been closed for another one already.
    let _ = stream.write_all(text.as_bytes());
    stream
}

/// Makes a call, and returns how long it took.
#[track_caller]
fn gets_through(proxy: &Proxy) -> Duration {
    let began = now();
    let answer = proxy.asks("GET /raw", "", "");
    assert!(answer.starts_with("http/1.1 200"), "{answer:?}");
    now().since(began)
}

/// A busy machine may be slow once.
#[track_caller]
fn is_soon(took: impl Iterator<Item = Duration>) {
    let took: Vec<_> = took.collect();
    assert!(took.iter().min().is_some_and(|least| *least < SOON), "{took:?}");
    assert!(took.iter().max().is_some_and(|most| *most < LATE), "{took:?}");
}

#[test]
fn those_who_say_nothing_or_too_much_block_nobody() {
    may_hold_many();
    let (front, _run, proxy) = before(hand);
    let strangers: Vec<_> = (0..STRANGERS).map(|number| stranger(&proxy, number)).collect();
    is_soon((0..5).map(|_| gets_through(&proxy)));
    // Who lacks the secret hears so before the body is there, and the connection ends.
    let mut answer = String::new();
    let _ = (&strangers[STRANGERS - 2]).read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert_eq!(front.heads().len(), 5);
}

#[test]
fn strangers_who_keep_coming_end_no_connection_of_a_client() {
    fn kept(_: &str, reader: &mut BufReader<TcpStream>) {
        says(reader, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
    may_hold_many();
    let (_front, _run, proxy) = before(kept);
    let mut client = BufReader::new(connect(&proxy));
    let mut asks_again = || {
        write!(client.get_mut(), "{}", asks(&proxy, "GET /raw/kept", "")).unwrap();
        assert!(head(&mut client).unwrap().starts_with("HTTP/1.1 200"));
    };
    let mut strangers = Vec::new();
    is_soon((0..20).map(|round| {
        asks_again();
        strangers.extend((0..STRANGERS / 20).map(|number| stranger(&proxy, round + number)));
        gets_through(&proxy)
    }));
}

/// A handshake of TLS that nobody goes on with is as silent.
#[test]
fn handshakes_that_stop_block_nobody() {
    may_hold_many();
    let state = tempfile::tempdir().unwrap();
    let (_run, proxy, told) = https::starts(state.path());
    let strangers: Vec<_> = (0..STRANGERS)
        .map(|number| {
            let mut stream = connect(&proxy);
            // A record of a handshake that is to be longer.
            let _ = stream.write_all(if number % 2 == 0 { b"" } else { b"\x16\x03\x01\x02\x00\x01" });
            stream
        })
        .collect();
    let pin = told["fingerprint"].as_str().unwrap().parse().unwrap();
    is_soon((0..3).map(|_| {
        let began = now();
        assert_eq!(https::asks(Trust::pin(pin), "localhost", &proxy).unwrap().status(), 200);
        now().since(began)
    }));
    drop(strangers);
}
