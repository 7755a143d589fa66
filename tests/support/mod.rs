//! A machine and its world as a script: each line says what the machine does or what happens to it.
#![allow(dead_code, reason = "each test file uses its own part")]
#![expect(clippy::wrong_self_convention, reason = "a script reads as a sentence: `is`, `is_answered`")]

pub mod answers;
#[cfg(feature = "sim")]
pub mod world;

use std::fmt::Write;
use std::time::Duration;

use sansession::BaseUrl;
use sansession::providers::cbrain::Cbrain;
use sansession::{
    Accepted, Answered, Because, By, Credentials, Event, Failure, FailureKind, Input, Machine, Need, NeedKind, Options,
    Outgoing, Output, Phase, RequestId, Response, Seed, Session, Timestamp, WaitingOn,
};

pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Any morning.
pub const START: Timestamp = Timestamp::from_secs(1_790_000_000);

pub fn cbrain() -> Cbrain {
    Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap()
}

pub fn seed() -> Seed {
    Seed::new([7; 32])
}

pub fn session() -> Script<Session<Cbrain>> {
    session_with(Options::default())
}

pub fn session_with(options: Options) -> Script<Session<Cbrain>> {
    Script::new(Session::new(cbrain(), options, seed())).starts()
}

/// A CBRAIN session that has just logged in.
pub fn active() -> Script<Session<Cbrain>> {
    active_with(Options::default())
}

pub fn active_with(options: Options) -> Script<Session<Cbrain>> {
    session_with(options)
        .needs(NeedKind::Credentials, Because::Opening)
        .answers(credentials())
        .sends("POST /session")
        .gets(200, &info(TOKEN))
        .is(Phase::Active)
}

pub fn credentials() -> Input {
    Input::Credentials(Credentials::new("norm", "correct horse").unwrap())
}

pub fn info(token: &str) -> String {
    format!(r#"{{"user_id":2,"cbrain_api_token":"{token}"}}"#)
}

pub struct Script<M> {
    pub machine: M,
    pub now: Timestamp,
    /// All that was told since it was last looked at.
    pub told: Vec<Event>,
    /// All that happened, for snapshots.
    pub transcript: String,
    in_flight: Option<RequestId>,
    /// The last request that left.
    pub request: Option<http::Request<Vec<u8>>>,
    pub by: By,
    pub saves: usize,
    pub auto_save: bool,
}

impl<M: Machine> Script<M> {
    pub fn new(machine: M) -> Self {
        Self {
            machine,
            now: START,
            told: Vec::new(),
            transcript: String::new(),
            in_flight: None,
            request: None,
            by: By::Person,
            saves: 0,
            auto_save: false,
        }
    }

    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    pub fn starts(mut self) -> Self {
        self.machine.start(self.now);
        self.note("start");
        self
    }

    /// Takes outputs until there is one that is no event.
    pub fn poll(&mut self) -> Output {
        loop {
            match self.machine.poll(self.now) {
                Output::Event(event) => {
                    let line = match &event {
                        Event::PhaseChanged { from, to } => format!("  phase {from} -> {to}"),
                        Event::Retrying { attempt, cause, at } => {
                            format!("  retrying {attempt} in {:?}: {cause}", at.since(self.now))
                        }
                        Event::Suspect { cause, shape } => {
                            format!("  suspect: {cause}{}", shape.as_ref().map(|s| format!(" {s}")).unwrap_or_default())
                        }
                        Event::ServerSays(text) => format!("  server says: {text}"),
                        other => format!("  {}", other.code()),
                    };
                    self.note(&line);
                    self.told.push(event);
                }
                Output::Save if self.auto_save => {
                    self.saves += 1;
                    self.note("  save");
                }
                output => return output,
            }
        }
    }

    fn note(&mut self, line: &str) {
        let secs = self.now.since(START).as_secs_f64();
        writeln!(self.transcript, "{secs:>9.1} {line}").unwrap();
    }

    /// The machine sends a request now.
    #[track_caller]
    pub fn sends(mut self, expected: &str) -> Self {
        match self.poll() {
            Output::Send(outgoing) => {
                let sent = format!("{} {}", outgoing.method(), outgoing.path());
                assert_eq!(sent, expected, "\n{}", self.transcript);
                self.sent(outgoing, &sent);
            }
            other => panic!("expected {expected}, got {other:?}\n{}", self.transcript),
        }
        self
    }

    /// The machine sends its next request, whenever that is; gives which.
    #[track_caller]
    pub fn sends_next(mut self) -> (Self, String) {
        loop {
            match self.poll() {
                Output::Send(outgoing) => {
                    let sent = format!("{} {}", outgoing.method(), outgoing.path());
                    self.sent(outgoing, &sent);
                    return (self, sent);
                }
                Output::Wait { until, .. } if !until.is_never() => self.now = until,
                other => panic!("expected a request, got {other:?}\n{}", self.transcript),
            }
        }
    }

    fn sent(&mut self, outgoing: Outgoing, sent: &str) {
        self.note(&format!("-> {sent}"));
        self.in_flight = Some(outgoing.id());
        self.request = Some(outgoing.into_request());
    }

    /// The server answers with JSON.
    #[track_caller]
    pub fn gets(self, status: u16, body: &str) -> Self {
        self.gets_as(status, &[("content-type", "application/json; charset=utf-8")], body)
    }

    #[track_caller]
    pub fn gets_as(mut self, status: u16, headers: &[(&str, &str)], body: &str) -> Self {
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(body.to_owned()).unwrap();
        self.note(&format!("<- {status} ({} bytes)", body.len()));
        let id = self.in_flight.take().expect("nothing is in flight");
        assert_eq!(self.machine.handle_response(self.now, id, Response::from(&response)), Ok(Accepted::Used));
        self
    }

    /// No answer comes.
    #[track_caller]
    pub fn fails(mut self, failure: Failure) -> Self {
        self.note(&format!("<- {failure:?}"));
        let id = self.in_flight.take().expect("nothing is in flight");
        assert_eq!(self.machine.handle_failure(self.now, id, failure), Ok(Accepted::Used));
        self
    }

    pub fn times_out(self) -> Self {
        self.fails(Failure::maybe_sent(FailureKind::Timeout))
    }

    pub fn is_refused_connection(self) -> Self {
        self.fails(Failure::not_sent(FailureKind::Connect))
    }

    /// The driver forgets the request.
    pub fn forgets(mut self) -> Self {
        self.in_flight = None;
        self
    }

    #[track_caller]
    pub fn need(&mut self) -> Need {
        match self.poll() {
            Output::Wait { on: WaitingOn::Need(need), .. } => need,
            other => panic!("expected a need, got {other:?}\n{}", self.transcript),
        }
    }

    /// The machine waits for an answer.
    #[track_caller]
    pub fn needs(mut self, kind: NeedKind, because: Because) -> Self {
        let need = self.need();
        assert_eq!((need.kind, need.because), (kind, because), "\n{}", self.transcript);
        self.note(&format!("needs {} because {}", kind.code(), because.code()));
        self
    }

    #[track_caller]
    pub fn answers(self, input: Input) -> Self {
        self.is_answered(input, Answered::Used)
    }

    #[track_caller]
    pub fn is_answered(mut self, input: Input, answered: Answered) -> Self {
        let need = self.need();
        let got = self.machine.handle_input(self.now, need.id, input, self.by);
        assert_eq!(got, answered, "\n{}", self.transcript);
        self.note(&format!("answer: {got:?}"));
        self
    }

    pub fn by(mut self, by: By) -> Self {
        self.by = by;
        self
    }

    /// The machine waits for so long.
    #[track_caller]
    pub fn waits(mut self, expected: Duration) -> Self {
        match self.poll() {
            Output::Wait { until, .. } => assert_eq!(until.since(self.now), expected, "\n{}", self.transcript),
            other => panic!("expected to wait {expected:?}, got {other:?}\n{}", self.transcript),
        }
        self
    }

    /// Time passes without a call.
    pub fn passes(mut self, time: Duration) -> Self {
        self.now = self.now + time;
        self
    }

    /// Time passes up to the next deadline.
    #[track_caller]
    pub fn sleeps(mut self) -> Self {
        match self.poll() {
            Output::Wait { until, .. } => {
                assert!(!until.is_never(), "sleeps for ever\n{}", self.transcript);
                assert_eq!(until, self.machine.deadline());
                assert!(until > self.now, "a wait in the past\n{}", self.transcript);
                self.now = until;
            }
            other => panic!("expected to wait, got {other:?}\n{}", self.transcript),
        }
        self
    }

    #[track_caller]
    pub fn is(mut self, phase: Phase) -> Self {
        // What is to be told is told first.
        if let Output::Send(outgoing) = self.poll() {
            panic!("an unexpected {outgoing:?}\n{}", self.transcript);
        }
        assert_eq!(self.machine.phase(), phase, "\n{}", self.transcript);
        self
    }

    /// An event of this code has been told since the last question.
    #[track_caller]
    pub fn tells(mut self, code: &str) -> Self {
        if !self.told.iter().any(|event| event.code() == code) {
            let output = self.poll();
            assert!(!matches!(output, Output::Send(_)), "an unexpected {output:?}");
        }
        assert!(self.told.iter().any(|event| event.code() == code), "{code} was not told\n{}", self.transcript);
        self.told.clear();
        self
    }

    #[track_caller]
    pub fn tells_nothing_of(self, code: &str) -> Self {
        assert!(!self.told.iter().any(|event| event.code() == code), "{code} was told\n{}", self.transcript);
        self
    }

    #[track_caller]
    pub fn saves(mut self) -> Self {
        match self.poll() {
            Output::Save => self.note("  save"),
            other => panic!("expected to save, got {other:?}\n{}", self.transcript),
        }
        self
    }

    #[track_caller]
    pub fn cancels(mut self) -> Self {
        match self.poll() {
            Output::Cancel(_) => self.note("  cancel"),
            other => panic!("expected a cancel, got {other:?}\n{}", self.transcript),
        }
        self
    }

    pub fn logs_out(mut self) -> Self {
        self.note("logout");
        self.machine.logout(self.now);
        self
    }

    pub fn checks(mut self) -> Self {
        self.note("check");
        self.machine.check(self.now);
        self
    }

    #[track_caller]
    pub fn closes(mut self, code: &str) -> Self {
        loop {
            match self.poll() {
                Output::Closed(reason) => {
                    assert_eq!(reason.code(), code, "\n{}", self.transcript);
                    self.note(&format!("closed: {reason}"));
                    return self;
                }
                Output::Cancel(_) => self.note("  cancel"),
                Output::Save => self.note("  save"),
                other => panic!("expected {code}, got {other:?}\n{}", self.transcript),
            }
        }
    }
}
