//! Answers that are cut off: none of them is taken for a whole one.

use http::{Request, Response};
use sansession::drive::{SendError, Trust, blocking::Transport};
use sansession::machine::SendPolicy;

use crate::cut::{Outcome, Server, every_answer_at_every_byte, every_byte_of_tls};

fn over(trust: &Trust) -> impl Fn(Request<Vec<u8>>, SendPolicy) -> Outcome + use<> {
    let transport = Transport::builder().trust(trust.clone()).build().unwrap();
    let outcome = |sent: Result<Response<Vec<u8>>, SendError>| sent.map_err(|error| error.failure);
    move |request, policy| outcome(transport.send_with(request, policy))
}

#[test]
fn a_plain_answer_that_is_cut_is_none() {
    every_answer_at_every_byte(&Server::plain(), || over(&Trust::mozilla()));
}

#[test]
fn an_answer_over_tls_that_is_cut_is_none() {
    let (server, pem) = Server::tls();
    let pin = Trust::pin_pem(pem.as_bytes()).unwrap();
    every_answer_at_every_byte(&server, || over(&pin));
    every_byte_of_tls(&server, || over(&pin));
}

/// Pinned certificates are checked in a connection of the adapter's own, roots in one of ureq's.
#[test]
fn an_answer_over_the_tls_of_ureq_that_is_cut_is_none() {
    let (server, pem) = Server::tls();
    let roots = Trust::roots_pem(pem.as_bytes()).unwrap();
    every_answer_at_every_byte(&server, || over(&roots));
    every_byte_of_tls(&server, || over(&roots));
}
