//! A session with a thread of its own, over loopback.
#![expect(clippy::disallowed_methods, reason = "these tests are about time")]

use std::io;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use http::{Request, Response};
use sansession::drive::{
    Answer, Ended, Handle, SendError, Stop,
    blocking::{Driver, Keeper, NotActive, OpenError, Transport, drive, open},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Reply, Server, Simulator};
use sansession::{
    BaseUrl, CloseReason, Credentials, Event, Need, NeedKind, Options, Outgoing, RequestId, Session, Snapshot,
    Timestamp,
    machine::{Denial, Ends},
};

const LOGGED_OUT: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: true });

fn portal() -> Server<sim::CbrainSim> {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    Server::start(portal, now).unwrap()
}

fn provider(server: &Server<sim::CbrainSim>) -> Cbrain {
    Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap()
}

fn alice(_: &Need) -> Answer {
    Answer::from(Credentials::new("alice", "wonderland"))
}

fn asked(server: &Server<sim::CbrainSim>) -> Vec<String> {
    server.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect()
}

#[test]
fn dropped_it_logs_out_since_nobody_could_find_the_session_again() {
    let server = portal();
    let session = open(provider(&server), alice).unwrap();
    let request = Request::get("/groups").body(vec![]).unwrap();
    assert_eq!(session.call(request).unwrap().status(), 200);
    drop(session);
    assert_eq!(asked(&server), ["POST /session", "GET /groups", "DELETE /session"]);
}

#[test]
fn a_program_that_panics_logs_out_too() {
    let server = portal();
    let provider = provider(&server);
    let died = std::thread::spawn(move || {
        let _session = open(provider, alice).unwrap();
        panic!("on purpose");
    });
    assert!(died.join().is_err());
    assert_eq!(asked(&server), ["POST /session", "DELETE /session"]);
}

#[test]
fn dropped_after_a_snapshot_it_is_left_open() {
    let server = portal();
    let session = open(provider(&server), alice).unwrap();
    let snapshot = session.snapshot();
    drop(session);
    assert_eq!(asked(&server), ["POST /session"]);

    let session =
        Session::resume(provider(&server), &snapshot, Options::default(), None, seed().unwrap(), now()).unwrap();
    let nobody = |_: &Need| -> Answer { panic!("no login is needed") };
    let session = Keeper::start(session, Transport::new().unwrap(), nobody).unwrap();
    session.wait_active(Duration::from_secs(5)).unwrap();
    session.logout().unwrap();
    assert_eq!(asked(&server), ["POST /session", "DELETE /session"]);
}

#[test]
fn a_token_of_somebodys_is_left_alone_also_where_the_session_is_dropped() {
    let server = portal();
    let owner = open(provider(&server), alice).unwrap();
    let token = owner.with(|session| session.live().unwrap().token.clone());
    let adopts = |ends| {
        let mut options = Options::default();
        options.ends = ends;
        let session = Session::adopt(provider(&server), token.clone(), options, seed().unwrap()).unwrap();
        let session = Keeper::start(session, Transport::new().unwrap(), alice).unwrap();
        session.wait_active(Duration::from_secs(5)).unwrap();
        session
    };
    drop(adopts(Ends::Opened));
    adopts(Ends::Opened).logout().unwrap();
    assert_eq!(asked(&server), ["POST /session", "GET /session", "GET /session"]);
    adopts(Ends::Always).logout().unwrap();
    assert_eq!(asked(&server).last().unwrap(), "DELETE /session");
    let _ = owner.leave();
}

#[test]
fn what_is_left_is_given() {
    let server = portal();
    let snapshot = open(provider(&server), alice).unwrap().leave();
    assert!(snapshot.closed().is_none());
    assert_eq!(asked(&server), ["POST /session"]);
}

#[test]
fn a_refused_password_is_told_by_open() {
    let server = portal();
    let error = open(provider(&server), |_: &Need| Credentials::new("alice", "wrong").into()).unwrap_err();
    let refused = CloseReason::Denied(Denial::Refused { kind: NeedKind::Credentials });
    assert!(matches!(&error, OpenError::Ended(Ended::Closed(reason)) if *reason == refused), "{error}");
    assert_eq!(asked(&server), ["POST /session"]);
}

#[test]
fn an_end_that_nobody_wanted_is_an_error_of_logout() {
    let server = portal();
    let session = open(provider(&server), alice).unwrap();
    drop(server);
    let began = Instant::now();
    let mut options = Options::default();
    options.logout_patience = Duration::from_secs(1);
    let ended = session.logout().unwrap_err();
    assert_eq!(ended, Ended::Closed(CloseReason::LoggedOut { confirmed: false }));
    assert!(began.elapsed() < Duration::from_secs(40));
}

#[test]
fn who_waits_is_told_that_it_is_late_or_over() {
    let server = portal();
    let session = Session::new(provider(&server), Options::default(), seed().unwrap());
    let later = |_: &Need| Answer::Later(Duration::from_secs(60));
    let session = Keeper::start(session, Transport::new().unwrap(), later).unwrap();
    let began = Instant::now();
    assert_eq!(session.wait_active(Duration::from_millis(200)), Err(NotActive::Late));
    assert!((200..400).contains(&began.elapsed().as_millis()));
    let waits = {
        let handle = (*session).clone();
        std::thread::spawn(move || handle.wait_active(Duration::from_secs(10)))
    };
    session.logout().unwrap();
    assert_eq!(waits.join().unwrap(), Err(NotActive::Ended(LOGGED_OUT)));
}

#[test]
fn a_driver_that_panics_or_cannot_save_hangs_nobody() {
    let server = portal();
    let panics = |_: &Need| -> Answer { panic!("on purpose") };
    assert!(matches!(open(provider(&server), panics), Err(OpenError::Ended(Ended::Abandoned))));

    struct Full;
    impl Driver for Full {
        fn answer(&mut self, need: &Need) -> Answer {
            alice(need)
        }
        fn save(&mut self, _: &Snapshot) -> io::Result<()> {
            Err(io::ErrorKind::StorageFull.into())
        }
    }
    let mut options = Options::default();
    options.durable = true;
    let session = Session::new(provider(&server), options, seed().unwrap());
    let session = Keeper::start(session, Transport::new().unwrap(), Full).unwrap();
    let unsaved = Ended::Unsaved(io::ErrorKind::StorageFull);
    assert_eq!(session.wait_active(Duration::from_secs(5)), Err(NotActive::Ended(unsaved.clone())));
    assert_eq!(session.logout(), Err(unsaved));
    assert!(asked(&server).is_empty());
}

/// Calls something in the callback of one name.
struct At<F>(&'static str, F);

impl<F: FnMut()> At<F> {
    fn at(&mut self, callback: &str) {
        if self.0 == callback {
            self.1();
        }
    }
}

impl<F: FnMut()> Driver for At<F> {
    fn answer(&mut self, need: &Need) -> Answer {
        self.at("answer");
        alice(need)
    }
    fn event(&mut self, event: &Event) {
        self.at(event.code());
    }
    fn save(&mut self, _: &Snapshot) -> io::Result<()> {
        self.at("save");
        Ok(())
    }
    fn sending(&mut self, _: &Outgoing) {
        self.at("sending");
    }
    fn received(&mut self, _: RequestId, _: &Response<Vec<u8>>) {
        self.at("received");
    }
    fn failed(&mut self, _: RequestId, _: &SendError) {
        self.at("failed");
    }
}

fn durable(server: &Server<sim::CbrainSim>) -> Session<Cbrain> {
    let mut options = Options::default();
    options.durable = true;
    Session::new(provider(server), options, seed().unwrap())
}

#[test]
fn a_callback_that_panics_hangs_nobody_and_another_driver_goes_on() {
    for callback in ["answer", "phase", "save", "sending", "received"] {
        let server = portal();
        let (transport, began) = (Transport::new().unwrap(), Instant::now());
        let keeper = Keeper::start(durable(&server), transport.clone(), At(callback, || panic!("on purpose"))).unwrap();
        let handle = (*keeper).clone();
        assert_eq!(handle.wait_ended(Duration::from_secs(5)), Some(Ended::Abandoned), "{callback}");
        assert_eq!(keeper.logout(), Err(Ended::Abandoned), "{callback}");
        // The order stands: it is the next driver that logs out.
        let mut driver = At("none", || ());
        assert_eq!(drive(&handle, &transport, &mut driver).unwrap(), LOGGED_OUT, "{callback}");
        // What was not sent yet is not sent any more, and what was opened is closed.
        let sent: &[&str] = if callback == "received" { &["POST /session", "DELETE /session"] } else { &[] };
        assert_eq!(asked(&server), sent, "{callback}");
        assert!(began.elapsed() < Duration::from_secs(5), "{callback}: {:?}", began.elapsed());
    }
}

#[test]
fn a_logout_from_any_callback_is_heard() {
    let (nothing, a_session): (&[&str], &[&str]) = (&[], &["POST /session", "DELETE /session"]);
    for (callback, sent) in
        [("answer", nothing), ("phase", nothing), ("save", nothing), ("sending", a_session), ("received", a_session)]
    {
        let server = portal();
        let handle = Handle::new(durable(&server));
        let stops = handle.clone();
        let mut driver = At(callback, || stops.stop(Stop::Logout));
        let ended = drive(&handle, &Transport::new().unwrap(), &mut driver).unwrap();
        assert_eq!(ended, LOGGED_OUT, "{callback}");
        assert_eq!(asked(&server), sent, "{callback}");
    }
}

#[test]
fn a_logout_while_a_login_is_in_flight_ends_the_session_that_it_opens() {
    struct Slow(sim::CbrainSim);
    impl Simulator for Slow {
        fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Reply {
            self.0.handle(now, peer, request).after(Duration::from_millis(300))
        }
    }
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("alice", "wonderland");
    let server = Server::start(Slow(portal), now).unwrap();
    let provider = Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap();
    let session = Session::new(provider, Options::default(), seed().unwrap());
    let session = Keeper::start(session, Transport::new().unwrap(), alice).unwrap();
    while server.log().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let began = Instant::now();
    session.logout().unwrap();
    assert!(began.elapsed() > Duration::from_millis(200), "{:?}", began.elapsed());
    let asked: Vec<_> = server.log().iter().map(|served| served.method.to_string()).collect();
    assert_eq!(asked, ["POST", "DELETE"]);
}
