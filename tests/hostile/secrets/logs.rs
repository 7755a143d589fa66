//! What the adapter and its HTTP client write into a log, at its most talkative.

#![expect(clippy::disallowed_methods, reason = "it waits for a thread that drives over loopback")]

use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use http::Request;
use log::{LevelFilter, Log, Metadata, Record};
use sansession::drive::{
    Answer, Handle, Stop,
    blocking::{Transport, drive},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, Credentials, Input, Need, Options, Phase, Session, Source};

/// Keeps all that is logged.
struct Kept(Mutex<String>);

static KEPT: Kept = Kept(Mutex::new(String::new()));

impl Log for Kept {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {} {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap().push_str(&line);
    }

    fn flush(&self) {}
}

#[test]
fn a_whole_life_leaves_no_secret_in_the_log() {
    log::set_logger(&KEPT).unwrap();
    log::set_max_level(LevelFilter::Trace);
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("norm", "c0rrect-horse");
    let portal = Server::start(portal, now).unwrap();
    let provider = Cbrain::new(BaseUrl::parse(portal.url()).unwrap()).unwrap();
    let handle = Handle::new(Session::new(provider, Options::default(), seed().unwrap()));
    let transport = Transport::new().unwrap();
    let (driven, sends) = (handle.clone(), transport.clone());
    let driver = thread::spawn(move || {
        let answer = |_: &Need| {
            let given = Credentials::new("norm", "c0rrect-horse").unwrap();
            Answer::Now(Input::Credentials(given), Source::Store)
        };
        let _ended = drive(&driven, &sends, &mut { answer }).unwrap();
    });
    let began = Instant::now();
    while handle.phase() != Phase::Active {
        assert!(began.elapsed() < Duration::from_secs(30));
        thread::sleep(Duration::from_millis(5));
    }
    let token = handle.with(|session| session.live().unwrap().token.expose().to_owned());
    let call = Request::get("/groups").body(Vec::new()).unwrap();
    handle.call(&transport, call).unwrap();
    handle.stop(Stop::Logout);
    driver.join().unwrap();

    let log = KEPT.0.lock().unwrap();
    assert!(log.contains("/groups"), "the client logs nothing:\n{log}");
    for secret in ["c0rrect-horse", &token] {
        assert!(!log.contains(secret), "{secret} is logged:\n{log}");
    }
}
