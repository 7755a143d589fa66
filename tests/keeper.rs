//! A session with a thread of its own, over loopback.
#![expect(clippy::disallowed_methods, reason = "these tests are about time")]

use std::io;
use std::time::{Duration, Instant};

use http::Request;
use sansession::blocking::{Answer, Driver, Ended, Keeper, NotActive, OpenError, Transport, now, open, seed};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, CloseReason, Credentials, Denial, Ends, Need, NeedKind, Options, Session, Snapshot};

const LOGGED_OUT: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: true });

fn portal() -> Server<sim::Cbrain> {
    let mut portal = sim::Cbrain::new(1);
    portal.add_user("alice", "wonderland");
    Server::start(portal, now).unwrap()
}

fn provider(server: &Server<sim::Cbrain>) -> Cbrain {
    Cbrain::new(BaseUrl::parse(server.url()).unwrap()).unwrap()
}

fn alice(_: &Need) -> Answer {
    Answer::from(Credentials::new("alice", "wonderland"))
}

fn asked(server: &Server<sim::Cbrain>) -> Vec<String> {
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
