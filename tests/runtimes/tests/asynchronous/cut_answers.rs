//! Answers that are cut off: neither of the ready-made clients takes one for a whole one.

use http::Request;
use sansession::drive::{
    Client, Trust,
    asynchronous::{Reqwest, Transport},
};
use sansession::machine::SendPolicy;
use tokio::runtime::Runtime;

#[path = "../../../support/cut.rs"]
mod cut;
use cut::{Outcome, Server, every_answer_at_every_byte, every_byte_of_tls};

fn on<C: Client>(runtime: &Runtime, client: C) -> impl Fn(Request<Vec<u8>>, SendPolicy) -> Outcome {
    move |request, policy| runtime.block_on(client.send(request, policy)).map_err(|error| error.failure)
}

fn of_every_kind(runtime: &Runtime, server: &Server, trust: &Trust) {
    every_answer_at_every_byte(server, || on(runtime, Transport::builder().trust(trust.clone()).build().unwrap()));
    every_answer_at_every_byte(server, || on(runtime, Reqwest::build(trust, |builder| builder).unwrap()));
}

/// Of one thread: with more, once in some thousand times a request that hyper is given while its new connection ends in
/// another thread is forgotten by both, and fails by its timeout only.
fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

#[test]
fn a_plain_answer_that_is_cut_is_none() {
    of_every_kind(&runtime(), &Server::plain(), &Trust::mozilla());
}

#[test]
fn an_answer_over_tls_that_is_cut_is_none() {
    let (runtime, (server, pem)) = (runtime(), Server::tls());
    let trust = Trust::pin_pem(pem.as_bytes()).unwrap();
    of_every_kind(&runtime, &server, &trust);
    every_byte_of_tls(&server, || on(&runtime, Transport::builder().trust(trust.clone()).build().unwrap()));
    every_byte_of_tls(&server, || on(&runtime, Reqwest::build(&trust, |builder| builder).unwrap()));
}
