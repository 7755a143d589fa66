//! A session that is driven in a thread of its own, and its portal.

use std::io;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use http::{Request, Response};
use sansession::drive::{
    Answer, CallError, Ended, Handle, Stop,
    blocking::{Driver, Transport, drive},
    now, seed,
};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::{self, Server};
use sansession::{BaseUrl, CloseReason, Credentials, Event, Input, Need, Options, Session, Snapshot, Source};

pub const SECOND: Duration = Duration::from_secs(1);
/// The longest that anything here may take on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);
pub const LOGGED_OUT: Ended = Ended::Closed(CloseReason::LoggedOut { confirmed: true });

/// A session that is driven in a thread of its own, and its portal.
pub struct Life {
    pub portal: Server<sim::CbrainSim>,
    pub handle: Handle<Session<Cbrain>>,
    pub transport: Transport,
    pub told: Receiver<String>,
    pub driver: Option<JoinHandle<(Ended, Option<Snapshot>)>>,
}

/// Returns the same password whenever asked, and tells the test all that it hears.
pub struct Store {
    pub password: &'static str,
    pub tell: Sender<String>,
    pub saved: Option<Snapshot>,
}

impl Driver for Store {
    fn answer(&mut self, need: &Need) -> Answer {
        let _ = self.tell.send(format!("need {}", need.because.code()));
        Answer::Now(Input::Credentials(Credentials::new("norm", self.password).unwrap()), Source::Store)
    }

    fn event(&mut self, event: &Event) {
        let _ = self.tell.send(match event {
            Event::PhaseChanged { to, .. } => to.to_string(),
            Event::ServerSays(text) => format!("says {text}"),
            other => other.code().to_owned(),
        });
    }

    fn save(&mut self, snapshot: &Snapshot) -> io::Result<()> {
        let _ = self.tell.send("save".into());
        self.saved = Some(Snapshot::from_text(snapshot.expose_secrets()));
        Ok(())
    }
}

pub fn portal() -> Server<sim::CbrainSim> {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("norm", "correct horse");
    Server::start(portal, now).unwrap()
}

pub fn provider(portal: &Server<sim::CbrainSim>) -> Cbrain {
    Cbrain::new(BaseUrl::parse(portal.url()).unwrap()).unwrap()
}

pub fn options(set: impl FnOnce(&mut Options)) -> Options {
    let mut options = Options::default();
    set(&mut options);
    options
}

/// A portal that was prepared, and a session that begins to live on it.
pub fn life_with(prepare: impl FnOnce(&mut sim::CbrainSim), password: &'static str, options: Options) -> Life {
    let portal = portal();
    portal.with(prepare);
    let session = Session::new(provider(&portal), options, seed().unwrap());
    Life::begin(portal, session, password)
}

pub fn life(prepare: impl FnOnce(&mut sim::CbrainSim)) -> Life {
    life_with(prepare, "correct horse", Options::default())
}

pub fn active() -> Life {
    let mut life = life(|_| {});
    life.waits_for("active");
    life
}

impl Life {
    pub fn begin(portal: Server<sim::CbrainSim>, session: Session<Cbrain>, password: &'static str) -> Self {
        let (handle, transport) = (Handle::new(session), Transport::new().unwrap());
        let (tell, told) = channel();
        let (driven, sends) = (handle.clone(), transport.clone());
        let driver = thread::spawn(move || {
            let mut store = Store { password, tell, saved: None };
            let ended = drive(&driven, &sends, &mut store).unwrap();
            (ended, store.saved)
        });
        Self { portal, handle, transport, told, driver: Some(driver) }
    }

    /// Waits until something is told, and gives all that was told up to it.
    #[track_caller]
    pub fn waits_for(&mut self, words: &str) -> Vec<String> {
        let mut heard = Vec::new();
        loop {
            match self.told.recv_timeout(PATIENCE) {
                Ok(line) => heard.push(line),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{words:?} is not in {heard:?}")
                }
            }
            if heard.last().is_some_and(|line| line == words) {
                return heard;
            }
        }
    }

    pub fn ends(&mut self) -> Ended {
        self.driver.take().unwrap().join().unwrap().0
    }

    #[track_caller]
    pub fn logs_out(mut self) {
        self.handle.stop(Stop::Logout);
        assert_eq!(self.ends(), LOGGED_OUT);
        assert_eq!(self.live_sessions(), 0);
    }

    #[track_caller]
    pub fn closes(&mut self, code: &str) {
        match self.ends() {
            Ended::Closed(reason) => assert_eq!(reason.code(), code),
            other => panic!("{other}"),
        }
    }

    pub fn live_sessions(&self) -> usize {
        self.portal.with(|portal| portal.live_sessions(now(), "norm"))
    }

    pub fn asked(&self) -> Vec<String> {
        self.portal.log().iter().map(|served| format!("{} {}", served.method, served.path)).collect()
    }

    pub fn calls(&self, path: &str) -> Result<Response<Vec<u8>>, CallError> {
        self.handle.call(&self.transport, Request::get(path).body(Vec::new()).unwrap())
    }

    pub fn token(&self) -> String {
        self.handle.with(|session| session.live().unwrap().token.expose().to_owned())
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // A failed test leaves no thread behind.
        self.handle.stop(Stop::Leave);
        self.transport.interrupt();
    }
}
