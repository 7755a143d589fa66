//! A server that sends a byte at a time, over a real socket; its second is shortened.

#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "a server of one's own, which is slow")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::{Duration, Instant};

use sansession::drive::blocking::Transport;
use sansession::providers::cbrain::Cbrain;
use sansession::providers::ibkr::Gateway;
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::{
    Input, Machine, Options, Output, Provider, Session, Source, WaitingOn,
    machine::{Delivery, FailureKind, SendPolicy},
};

use crate::abuse::direct;
use crate::abuse::world::{START, answer, url};

/// What a request may take, in place of the ten seconds of the providers' rules.
const TIMEOUT: Duration = Duration::from_millis(400);

/// One byte in each such time, for ever.
const PACE: Duration = Duration::from_millis(20);

/// Serves some connections so, and gives the port.
fn trickles(head: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4 << 10]);
                let bytes = head.bytes().chain(std::iter::repeat(b' '));
                for byte in bytes.take(1_000) {
                    if stream.write_all(&[byte]).is_err() {
                        return;
                    }
                    std::thread::sleep(PACE);
                }
            });
        }
    });
    port
}

fn gives_up<P: Provider + Send>(name: &str, provider: P) {
    let mut session = Session::new(provider, Options::default(), [7; 32]);
    session.start(START);
    let outgoing = loop {
        match session.poll(START) {
            Output::Send(outgoing) => break outgoing,
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                let _ = session.handle_input(START, need.id, answer(need.kind, START), Source::Person);
            }
            Output::Event(_) => {}
            other => panic!("{name}: {other:?}"),
        }
    };
    let (id, policy) = (outgoing.id(), outgoing.policy());
    assert!(policy.timeout <= Duration::from_secs(30), "{name}");
    let began = Instant::now();
    let transport = Transport::new().unwrap();
    let policy = SendPolicy { timeout: TIMEOUT, ..policy };
    let failure = transport.send_with(outgoing.into_request(), policy).unwrap_err().failure;
    assert!(began.elapsed() < 10 * TIMEOUT, "{name}: {:?}", began.elapsed());
    assert_eq!((failure.kind, failure.delivery), (FailureKind::Timeout, Delivery::MaybeSent), "{name}");
    session.handle_failure(START, id, failure).unwrap();
    // It comes back later, or asks; it does not hang.
    let until = loop {
        match session.poll(START) {
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                let _ = session.handle_input(START, need.id, Input::GiveUp, Source::Person);
            }
            Output::Wait { until, .. } => break until,
            Output::Closed(_) => return,
            Output::Event(_) => {}
            other => panic!("{name}: {other:?}"),
        }
    };
    assert!(until.since(START) < Duration::from_secs(120), "{name}: {until:?}");
}

#[test]
fn a_byte_a_second_ends_with_the_time_of_the_request() {
    for head in ["HTTP/1.1 200 OK\r\nx: ", "HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{"] {
        let port = trickles(head);
        let base = |path: &str| url(&format!("http://127.0.0.1:{port}{path}"));
        gives_up("cbrain", Cbrain::new(base("")).unwrap());
        gives_up("ibkr-gateway", Gateway::new(&base("/v1/api")).unwrap());
        gives_up("ibkr-oauth1a", direct::oauth1a_at(&base("/v1/api")));
        gives_up("ibkr-oauth2", direct::oauth2_at(&base("/v1/api")));
        gives_up(
            "kotak-trade",
            TradeApi::new(base("/apim"), "USER1", "key").unwrap().consumer_secret("secret").unwrap(),
        );
        gives_up("kotak-neo", Neo::new(base(""), "ABC12", "0000000000").unwrap().dashboard_token("token").unwrap());
    }
}
