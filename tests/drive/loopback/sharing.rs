//! One session in several threads, in two processes' hands one after the other, and in a loop of one's own.
#![expect(clippy::disallowed_methods, reason = "a driver of one's own sleeps")]

use std::thread;

use http::{Request, StatusCode};
use sansession::drive::{
    Answer, CallError, Ended, Handle, Stop,
    blocking::{Driver, Transport, drive},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim;
use sansession::sim::cbrain::Outcome;
use sansession::{
    AuthorizeError, CloseReason, Credentials, Event, Input, Machine, Misuse, Need, Options, Phase, Session, Source,
};

use crate::loopback::life::{LOGGED_OUT, SECOND, active, life_with, options, portal, provider};

#[test]
fn a_durable_session_is_saved_before_and_after_what_must_not_be_lost() {
    let mut life = life_with(|_| {}, "correct horse", options(|options| options.durable = true));
    let heard = life.waits_for("active");
    assert_eq!(heard, ["opening", "logging-in", "need opening", "save", "save", "active"]);
    life.handle.check();
    assert_eq!(life.waits_for("kept-alive"), ["kept-alive"], "a keepalive alone saves nothing");
    life.handle.stop(Stop::Leave);
    let (ended, saved) = life.driver.take().unwrap().join().unwrap();
    assert_eq!(ended, Ended::Left);
    // What was saved last is enough to go on, although the session has lived since.
    let portal = provider(&life.portal);
    let resumed = Session::resume(portal, &saved.unwrap(), Options::default(), None, seed().unwrap(), now()).unwrap();
    let handle = Handle::new(resumed);
    handle.check();
    let ended = drive(&handle, &life.transport, &mut Last(handle.clone())).unwrap();
    assert_eq!(ended, LOGGED_OUT);
    assert_eq!(life.asked(), ["POST /session", "GET /session", "GET /session", "DELETE /session"]);
}

/// Logs out as soon as the session has proved that it lives.
struct Last(Handle<Session<Cbrain>>);

impl Driver for Last {
    fn answer(&mut self, _: &Need) -> Answer {
        panic!("nothing is to be asked")
    }

    fn event(&mut self, event: &Event) {
        if *event == Event::KeptAlive {
            self.0.stop(Stop::Logout);
        }
    }
}

/// Two threads authorize and observe calls while a third drives; what they see makes the driver look.
#[test]
fn two_threads_call_while_a_third_drives() {
    let mut life = active();
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (handle, transport) = (life.handle.clone(), life.transport.clone());
            thread::spawn(move || {
                for _ in 0..20 {
                    let (mut parts, ()) = Request::get("/groups").body(()).unwrap().into_parts();
                    let ticket = handle.authorize(&mut parts, b"").unwrap();
                    let response = transport.call(Request::from_parts(parts, Vec::new())).unwrap();
                    handle.observe(&ticket, &response);
                    assert_eq!(response.status(), StatusCode::OK);
                }
            })
        })
        .collect();
    for caller in callers {
        caller.join().unwrap();
    }
    assert_eq!(life.portal.with(|portal| portal.count(Outcome::Called)), 40);
    // Both see the end; the session is checked once and has expired.
    life.portal.with(sim::CbrainSim::expire_sessions);
    let callers: Vec<_> = (0..2)
        .map(|_| {
            let (handle, transport) = (life.handle.clone(), life.transport.clone());
            thread::spawn(move || handle.call(&transport, Request::get("/groups").body(Vec::new()).unwrap()))
        })
        .collect();
    for caller in callers {
        match caller.join().unwrap() {
            Ok(response) => assert_eq!(response.status(), StatusCode::UNAUTHORIZED),
            Err(error) => assert!(matches!(error, CallError::Authorize(AuthorizeError::NotReady { .. })), "{error}"),
        }
    }
    life.closes("expired");
    assert_eq!(life.asked().iter().filter(|call| *call == "GET /session").count(), 1);
}

#[test]
fn a_call_to_another_host_does_not_leave() {
    let (life, other) = (active(), portal());
    let call = life.calls(&format!("{}/groups", other.url()));
    assert_eq!(call.unwrap_err(), CallError::Authorize(AuthorizeError::Misuse(Misuse::ForeignHost)));
    assert!(other.log().is_empty());
    life.logs_out();
}

/// The loop of the crate's page: nothing but the contract. At most 25 lines.
#[test]
fn a_driver_of_ones_own_is_short() {
    let portal = portal();
    let mut session = Session::new(provider(&portal), Options::default(), seed().unwrap());
    let transport = Transport::new().unwrap();
    let begins = line!();
    session.start(now());
    let reason = loop {
        match session.poll(now()) {
            sansession::Output::Send(outgoing) => {
                let id = outgoing.id();
                let accepted = match transport.send(outgoing) {
                    Ok(response) => session.handle_response(now(), id, (&response).into()),
                    Err(error) => session.handle_failure(now(), id, error.failure),
                };
                accepted.unwrap();
            }
            sansession::Output::Wait { on: sansession::WaitingOn::Need(need), .. } => {
                let given = Input::Credentials(Credentials::new("norm", "correct horse").unwrap());
                let _ = session.handle_input(now(), need.id, given, Source::Person);
            }
            sansession::Output::Wait { until, .. } => thread::sleep(until.since(now()).min(SECOND)),
            sansession::Output::Event(Event::PhaseChanged { to: Phase::Active, .. }) => session.logout(now()),
            sansession::Output::Closed(reason) => break reason,
            _ => {}
        }
    };
    assert!(line!() - begins - 1 <= 25);
    assert_eq!(reason, CloseReason::LoggedOut { confirmed: true });
}
