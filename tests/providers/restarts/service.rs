//! A service in virtual time: it is started, answers from a store, saves when it is told to, and dies as it may.

use std::time::Duration;

use http::Request;
use sansession::sim::{Fault, Simulator};
use sansession::{
    CloseReason, Failure, Input, InputHandled, Machine, Need, Options, Output, Provider, Response, Session, Snapshot,
    Source, Timestamp, WaitingOn,
    machine::{FailureKind, Rejection},
};

use crate::support::world::as_sent;
use crate::support::{START, durable};

/// What becomes of an answer of the server on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// It comes.
    Whole,
    /// The server acts, and the connection breaks.
    Cut,
    /// The server acts, and nothing comes in time.
    Silent,
    /// The server acts, and a proxy shows this page instead.
    Page(u16),
    /// The server's program fails, and says so in its own words.
    Fails,
    /// The server acts, and the process is killed before it hears of it.
    Killed,
    /// The process is killed when it has saved what is to leave, and nothing leaves.
    KilledBefore,
}

/// What the store knows.
type Answer = dyn Fn(&Need, Timestamp) -> Option<Input>;

/// A service, the server that it logs in to, and the file that it keeps.
pub struct Service<P: Provider, S> {
    make: Box<dyn Fn() -> P>,
    pub server: S,
    answer: Box<Answer>,
    pub options: Options,
    pub now: Timestamp,
    pub file: Option<Snapshot>,
    /// The requests that have reached the server.
    pub sent: Vec<String>,
    /// What was said about answers that were not taken.
    pub rejected: Vec<Rejection>,
    /// Each question, and why it was put.
    pub asked: Vec<String>,
    starts: u8,
}

impl<P: Provider + Send, S: Simulator> Service<P, S> {
    pub fn new(
        make: impl Fn() -> P + 'static,
        server: S,
        answer: impl Fn(&Need, Timestamp) -> Option<Input> + 'static,
    ) -> Self {
        Self {
            make: Box::new(make),
            server,
            answer: Box::new(answer),
            options: durable(),
            now: START,
            file: None,
            sent: Vec::new(),
            rejected: Vec::new(),
            asked: Vec::new(),
            starts: 0,
        }
    }

    /// Creates the session of the next process.
    fn begins(&mut self) -> Session<P> {
        self.starts += 1;
        let seed = [self.starts; 32];
        match &self.file {
            Some(file) if file.closed().is_none() => {
                Session::resume((self.make)(), file, self.options.clone(), None, seed, self.now).unwrap()
            }
            file => {
                let mut session = Session::new((self.make)(), self.options.clone(), seed);
                if let Some(file) = file {
                    session.remember(file).unwrap();
                }
                session
            }
        }
    }

    /// Starts the service; where the path of a request ends so, its answer goes this way. Gives why it closed, if the
    /// process came to know.
    pub fn starts(&mut self, path: &str, way: Way) -> Option<CloseReason> {
        self.starts_by(Source::Store, path, way)
    }

    pub fn starts_by(&mut self, by: Source, path: &str, way: Way) -> Option<CloseReason> {
        let mut session = self.begins();
        session.start(self.now);
        for _ in 0..1_000 {
            match session.poll(self.now) {
                Output::Save => {
                    self.file = Some(session.snapshot());
                    if way == Way::KilledBefore && self.names_in_flight() {
                        return None;
                    }
                }
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    let request = as_sent(outgoing.into_request());
                    self.sent.push(request.uri().path().to_owned());
                    let way = if request.uri().path().ends_with(path) { way } else { Way::Whole };
                    let answer = self.serves(&request, way);
                    match answer {
                        _ if way == Way::Killed => return None,
                        Ok(response) => session.handle_response(self.now, id, Response::from(&response)).map(drop),
                        Err(failure) => session.handle_failure(self.now, id, failure).map(drop),
                    }
                    .unwrap();
                }
                Output::Wait { on: WaitingOn::Need(need), .. } => self.answers(&mut session, &need, by),
                Output::Wait { until, .. } if session.phase() == sansession::Phase::Active => {
                    assert!(until > self.now);
                    session.logout(self.now);
                }
                Output::Wait { until, .. } => self.now = until,
                Output::Event(_) | Output::Cancel(_) => {}
                Output::Closed(reason) => {
                    self.file = Some(session.snapshot());
                    return Some(reason);
                }
            }
        }
        panic!("no end: {:?}", self.sent);
    }

    fn names_in_flight(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.expose_secrets().contains(r#""in_flight":"#))
    }

    fn serves(&mut self, request: &Request<Vec<u8>>, way: Way) -> Result<http::Response<Vec<u8>>, Failure> {
        let reply = self.server.handle(self.now, [192, 0, 2, 1].into(), request);
        self.now = self.now + reply.delay;
        match way {
            Way::Page(status) => {
                let page = b"<html><body>Try again later</body></html>".to_vec();
                let page = http::Response::builder().status(status).header("content-type", "text/html").body(page);
                Ok(page.unwrap())
            }
            Way::Fails => {
                let body = br#"{"status":500,"error":"Internal Server Error"}"#.to_vec();
                let failure = http::Response::builder().status(500).header("content-type", "application/json");
                Ok(failure.body(body).unwrap())
            }
            Way::Silent => Err(Failure::maybe_sent(FailureKind::Timeout)),
            Way::Whole if reply.fault != Some(Fault::Drop) => Ok(reply.response),
            _ => Err(Failure::maybe_sent(FailureKind::Interrupted)),
        }
    }

    fn answers(&mut self, session: &mut Session<P>, need: &Need, by: Source) {
        self.asked.push(format!("{} {}", need.kind.code(), need.because.code()));
        if let Some(fresh) = need.fresh_after {
            self.now = self.now.max(fresh);
        }
        let input = (self.answer)(need, self.now).unwrap_or(Input::GiveUp);
        if let InputHandled::Rejected(rejection) = session.handle_input(self.now, need.id, input, by) {
            self.rejected.push(rejection);
            assert_eq!(session.handle_input(self.now, need.id, Input::GiveUp, Source::Person), InputHandled::Used);
        }
    }

    /// Counts the requests to a path that ends so.
    pub fn count(&self, path: &str) -> usize {
        self.sent.iter().filter(|sent| sent.ends_with(path)).count()
    }

    /// The file as it stands.
    pub fn text(&self) -> &str {
        self.file.as_ref().map_or("", Snapshot::expose_secrets)
    }

    /// Nobody starts it for so long.
    pub fn rests(&mut self, time: Duration) {
        self.now = self.now + time;
    }
}
