//! A session driven by a script: what is sent is answered with the next part of an input.

use std::time::Duration;

use http::header::{CONTENT_TYPE, HeaderValue};
use sansession::{
    CloseReason, Failure, Input, InputHandled, Machine, NeedId, NeedKind, Outgoing, Output, Response, Source, Ticket,
    Timestamp, WaitingOn, machine::FailureKind,
};

use super::{message, providers};

/// The end of the year 9999. A session takes no later time for the present, so nothing that is due then is waited for.
const LATEST: Timestamp = Timestamp::from_secs(253_402_300_799);

/// How many outputs one instant may have.
const OUTPUTS: usize = 300;

/// The longest that a logout waits at a time: its own patience is shorter, and a request's time, too.
const PATIENCE: Duration = Duration::from_secs(120);

pub struct Driver {
    pub machine: Box<dyn Machine>,
    pub now: Timestamp,
    pub sent: Option<Outgoing>,
    ticket: Option<Ticket>,
}

/// Where a session came to rest.
pub enum Rest {
    Waits(Timestamp, WaitingOn),
    Closed(CloseReason),
}

impl Driver {
    pub fn new(machine: Box<dyn Machine>, now: Timestamp) -> Self {
        Self { machine, now, sent: None, ticket: None }
    }

    /// Polls until there is nothing to do, and checks what is told about that.
    pub fn drain(&mut self) -> Rest {
        for _ in 0..OUTPUTS {
            let output = self.machine.poll(self.now);
            drop(format!("{output:?}"));
            match output {
                Output::Send(outgoing) => {
                    assert!(self.sent.is_none(), "two requests at once");
                    self.sent = Some(outgoing);
                }
                Output::Cancel(id) => self.sent = self.sent.take().filter(|sent| sent.id() != id),
                Output::Wait { until, on } => {
                    assert_eq!(until, self.machine.deadline(), "{on:?}");
                    assert!(until > self.now, "{on:?} until {until:?}, which is past");
                    let status = self.machine.status();
                    assert_eq!((status.deadline, &status.on), (until, &on));
                    return Rest::Waits(until, on);
                }
                Output::Closed(reason) => {
                    let _ = (reason.to_string(), reason.advice(self.now));
                    return Rest::Closed(reason);
                }
                Output::Event(event) => drop(event.code()),
                Output::Save => {}
            }
        }
        panic!("{OUTPUTS} outputs at one instant and no end")
    }

    /// Follows a script to its end, or until the session has closed or only a person could go on.
    ///
    /// A request takes the next part, as does each part that is no answer; needs are answered and
    /// pauses slept through without one.
    pub fn run(&mut self, script: &[&[u8]]) {
        let mut script = script.iter().peekable();
        let mut alone = 0;
        while let (Rest::Waits(until, on), Some(part)) = (self.drain(), script.peek()) {
            alone += 1;
            if let Some(outgoing) = self.sent.take() {
                self.report(&outgoing, part);
            } else if !self.acts(part) {
                if alone > 10 || !self.goes_on(until, on) {
                    return;
                }
                continue;
            }
            script.next();
            alone = 0;
        }
    }

    /// Does what a part says that is no answer.
    fn acts(&mut self, part: &[u8]) -> bool {
        match part.first() {
            Some(b'C') => self.machine.check(self.now),
            Some(b'L') => self.machine.logout(self.now),
            Some(b'O') => self.observe(part),
            Some(b'S') => {
                if let Rest::Waits(until, _) = self.drain()
                    && until <= LATEST
                {
                    self.now = until;
                }
            }
            Some(b'X') => {
                let _ = self.machine.handle_input(self.now, NeedId::UNSOLICITED, Input::TakeOver, Source::Person);
            }
            _ => return false,
        }
        true
    }

    /// Answers what is asked, or sleeps.
    pub fn goes_on(&mut self, until: Timestamp, on: WaitingOn) -> bool {
        match on {
            WaitingOn::Need(need) => {
                let fresh = need.fresh_after.unwrap_or(self.now).max(self.now);
                // A code that is fresh only after hours would be one of a clock that was set.
                if fresh.since(self.now).as_secs() < 600 {
                    self.now = fresh;
                }
                let input = providers::answer(&need, self.now);
                if let InputHandled::Rejected(_) = self.machine.handle_input(self.now, need.id, input, Source::Person) {
                    let _ = self.machine.handle_input(self.now, need.id, Input::GiveUp, Source::Person);
                }
                // A browser's login is waited for.
                if need.kind == NeedKind::Browser && until <= LATEST {
                    self.now = until;
                }
            }
            _ if until > LATEST => return false,
            _ => self.now = until,
        }
        true
    }

    /// Reports an answer: `200 j` and headers, or `!` for a failure.
    fn report(&mut self, outgoing: &Outgoing, part: &[u8]) {
        let (first, ..) = message(part);
        let outcome = match first {
            [b'!', b'n', ..] => {
                self.machine.handle_failure(self.now, outgoing.id(), Failure::not_sent(FailureKind::Connect))
            }
            [b'!', ..] => {
                self.machine.handle_failure(self.now, outgoing.id(), Failure::maybe_sent(FailureKind::Timeout))
            }
            _ => self.machine.handle_response(self.now, outgoing.id(), Response::from(&response(part))),
        };
        assert!(outcome.is_ok(), "the awaited answer is misuse");
    }

    /// Makes a call of the user's own and shows what it got; an older ticket is used where there is none.
    fn observe(&mut self, part: &[u8]) {
        let (mut parts, ()) = http::Request::get("/portfolio/accounts?page=1&x=%20y").body(()).unwrap().into_parts();
        if let Ok(ticket) = self.machine.authorize(self.now, &mut parts, b"") {
            assert!(parts.uri.host().is_some(), "a call without a host");
            self.ticket = Some(ticket);
        }
        if let Some(ticket) = &self.ticket {
            self.machine.observe(self.now, ticket, Response::from(&response(part)));
        }
    }

    /// Logs out while nothing can be reached: whatever the state, the session closes soon.
    pub fn end(mut self) {
        self.machine.logout(self.now);
        for _ in 0..100 {
            match self.drain() {
                Rest::Closed(reason) => {
                    let Rest::Closed(again) = self.drain() else { panic!("closed no longer") };
                    assert_eq!(reason, again, "closed is absorbing");
                    return;
                }
                Rest::Waits(until, _) => match self.sent.take() {
                    Some(outgoing) => {
                        let failure = Failure::maybe_sent(FailureKind::Timeout);
                        let _ = self.machine.handle_failure(self.now, outgoing.id(), failure);
                    }
                    None => {
                        assert!(until.since(self.now) < PATIENCE, "a logout waits until {until:?}");
                        self.now = until;
                    }
                },
            }
        }
        panic!("a logout of a hundred turns and no end");
    }
}

/// Creates the response that a part stands for: `200 j`, headers, an empty line, a body.
fn response(part: &[u8]) -> http::Response<Vec<u8>> {
    let (first, headers, body) = message(part);
    let mut words = first.split(|byte| *byte == b' ');
    if matches!(first.first(), Some(b'O')) {
        words.next();
    }
    let status = words.next().and_then(|word| http::StatusCode::from_bytes(word).ok()).unwrap_or_default();
    let mut response = http::Response::new(body.to_vec());
    *response.status_mut() = status;
    match words.next() {
        Some(b"j") => {
            response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json;charset=utf-8"));
        }
        Some(b"h") => drop(response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html"))),
        Some(b"t") => drop(response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"))),
        _ => {}
    }
    for (name, value) in headers {
        response.headers_mut().append(name, value);
    }
    response
}
