//! A machine and a simulated server in virtual time: weeks pass in milliseconds, and all that
//! happens is written down.
//!
//! ```ignore
//! let mut world = World::new(session, portal).answering(|_| Some((credentials(), By::Store)));
//! world.runs_for(12 * HOUR);
//! world.notes("the portal is locked");
//! world.server.lock_portal(None);
//! world.runs_for(DAY);
//! world.logs_out();
//! assert_eq!(world.runs_to_end().code(), "logged-out");
//! insta::assert_snapshot!(world.transcript);
//! ```
//!
//! It does what a driver does: it sends what is to be sent, at once or, where the network is gone,
//! not at all; brings answers when they are due, cut off or not; ends requests whose time is up; puts
//! each question once. It also checks what no driver does: that a deadline is after now and the same
//! as [`Machine::deadline`], and that never two requests are under way.

use std::fmt::Write;
use std::net::IpAddr;
use std::time::Duration;

use http::header::{CONTENT_LENGTH, HOST};
use http::{HeaderValue, Method, Request};
use sansession::sim::{Fault, Reply, Simulator};
use sansession::{
    Accepted, Answered, AuthorizeError, By, CloseReason, Event, Failure, FailureKind, Input, Machine, Need, Outgoing,
    Output, Phase, RequestId, Response, SendPolicy, Snapshot, Timestamp, WaitingOn,
};

use super::START;

/// So many outputs without the end of a run are a loop.
const STEPS: usize = 1_000_000;
/// So many outputs at one instant are a hot loop.
const STEPS_AT_ONCE: usize = 1_000;

type Answers = Box<dyn FnMut(&Need) -> Option<(Input, By)>>;

pub struct World<M, S> {
    pub machine: M,
    pub server: S,
    pub now: Timestamp,
    /// Where the client's requests come from.
    pub address: IpAddr,
    /// Whether connections can be made.
    pub online: bool,
    /// How long a request takes to the server; the answer takes as long.
    pub latency: Duration,
    /// All that happened.
    pub transcript: String,
    /// How long the transcript may get before its older half is dropped.
    pub longest: usize,
    /// All that was told.
    pub told: Vec<Event>,
    /// All requests that left, such as `POST /session`.
    pub sent: Vec<String>,
    /// What was stored last, with `Options::durable`.
    pub saved: Option<Snapshot>,
    pub closed: Option<CloseReason>,
    /// Where the process dies next; it is `None` again once it has died.
    pub dies: Option<Dies>,
    /// How many answers are reported again later, in a hundred, drawn from `echo`.
    pub echoes: u64,
    echo: u64,
    /// Answers that came after they were given up, or come again.
    late: Vec<Flight>,
    answers: Answers,
    asked: Option<Need>,
    flight: Option<Flight>,
}

/// A point at which a process dies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Dies {
    /// It was to save, and has not.
    BeforeSave,
    /// It has saved, and what it saved for has not left.
    AfterSave,
    /// The request has left, and no answer is there.
    AfterSend,
}

/// A request under way and what will come of it.
struct Flight {
    id: RequestId,
    arrives: Timestamp,
    news: Result<http::Response<Vec<u8>>, Failure>,
}

impl<M: Machine, S: Simulator> World<M, S> {
    pub fn new(machine: M, server: S) -> Self {
        Self {
            machine,
            server,
            now: START,
            address: IpAddr::from([127, 0, 0, 1]),
            online: true,
            latency: Duration::ZERO,
            transcript: String::new(),
            longest: usize::MAX,
            told: Vec::new(),
            sent: Vec::new(),
            saved: None,
            closed: None,
            dies: None,
            echoes: 0,
            echo: 0,
            late: Vec::new(),
            answers: Box::new(|_| None),
            asked: None,
            flight: None,
        }
    }

    /// Sets who answers; a question that gets `None` stays open.
    pub fn answering(mut self, answers: impl FnMut(&Need) -> Option<(Input, By)> + 'static) -> Self {
        self.answers = Box::new(answers);
        self.asked = None;
        self
    }

    pub fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    /// Writes down what the test does to the world.
    pub fn notes(&mut self, words: &str) -> &mut Self {
        self.line(&format!("# {words}"));
        self
    }

    /// Lets the machine live for so long, or until it has closed.
    #[track_caller]
    pub fn runs_for(&mut self, time: Duration) -> &mut Self {
        let limit = self.now + time;
        self.run(limit, |_| false);
        if self.closed.is_none() {
            self.now = limit;
        }
        self
    }

    /// Lets the machine live until then, until something holds, or until the process [dies](Self::dies); the
    /// time is that of whatever came last.
    #[track_caller]
    pub fn runs_to(&mut self, limit: Timestamp, holds: impl Fn(&Self) -> bool) -> &mut Self {
        self.run(limit, holds);
        self
    }

    /// Lets the machine live until something holds; fails after a year without it.
    #[track_caller]
    pub fn runs_until(&mut self, holds: impl Fn(&Self) -> bool) -> &mut Self {
        self.run(self.now + Duration::from_secs(366 * 86_400), &holds);
        assert!(holds(self), "it never came\n{}", self.transcript);
        self
    }

    #[track_caller]
    pub fn runs_until_told(&mut self, code: &str) -> &mut Self {
        let before = self.told.len();
        self.runs_until(|world| world.told.iter().skip(before).any(|event| event.code() == code))
    }

    #[track_caller]
    pub fn is_active(&mut self) -> &mut Self {
        self.runs_until(|world| world.machine.phase() == Phase::Active)
    }

    /// Lets the machine live until it has closed.
    #[track_caller]
    pub fn runs_to_end(&mut self) -> CloseReason {
        self.runs_until(|world| world.closed.is_some());
        self.closed.clone().unwrap()
    }

    /// Time passes without a call: the laptop is shut. What is under way breaks.
    pub fn sleeps(&mut self, time: Duration) -> &mut Self {
        self.line("# asleep");
        if let Some(flight) = &mut self.flight {
            flight.news = Err(Failure::maybe_sent(FailureKind::Interrupted));
        }
        self.now = self.now + time;
        self
    }

    pub fn logs_out(&mut self) -> &mut Self {
        self.line("logout");
        self.machine.logout(self.now);
        self
    }

    pub fn checks(&mut self) -> &mut Self {
        self.line("check");
        self.machine.check(self.now);
        self
    }

    /// Another process takes over; what was under way is lost to it.
    pub fn resumes(&mut self, resume: impl FnOnce(&Snapshot, Timestamp) -> M) -> &mut Self {
        self.line("# another process");
        let machine = resume(&self.machine.snapshot(), self.now);
        self.replaces(machine)
    }

    /// Another process is there; what was under way is lost to it.
    pub fn replaces(&mut self, machine: M) -> &mut Self {
        self.machine = machine;
        self.flight = None;
        self.late.clear();
        self.asked = None;
        self.closed = None;
        self
    }

    /// Tells whether the answer to a request has not come yet.
    pub const fn awaits_answer(&self) -> bool {
        self.flight.is_some()
    }

    /// Makes a call of the user's own; no time passes.
    pub fn calls(&mut self, method: Method, path: &str) -> Result<http::Response<Vec<u8>>, AuthorizeError> {
        let (mut parts, ()) = Request::builder().method(method.clone()).uri(path).body(()).unwrap().into_parts();
        let ticket = match self.machine.authorize(self.now, &mut parts, b"") {
            Ok(ticket) => ticket,
            Err(error) => {
                self.line(&format!("own call {method} {path}: {error}"));
                return Err(error);
            }
        };
        let request = as_sent(Request::from_parts(parts, Vec::new()));
        let reply = self.server.handle(self.now, self.address, &request);
        if reply.fault.is_some() {
            self.line(&format!("own call {method} {path}: {:?}", reply.fault));
            self.machine.observe_failure(self.now, &ticket, Failure::maybe_sent(FailureKind::Interrupted));
            return Ok(reply.response);
        }
        self.line(&format!("own call {method} {path}: {}", describe(&reply.response)));
        self.machine.observe(self.now, &ticket, Response::from(&reply.response));
        Ok(reply.response)
    }

    #[track_caller]
    fn run(&mut self, limit: Timestamp, holds: impl Fn(&Self) -> bool) {
        self.machine.start(self.now);
        let (mut at_once, mut since) = (0, self.now);
        for _ in 0..STEPS {
            at_once = if self.now == since { at_once + 1 } else { 0 };
            since = self.now;
            assert!(at_once < STEPS_AT_ONCE, "a hot loop\n{}", self.transcript);
            if !self.step(limit, &holds) {
                return;
            }
        }
        panic!("no end\n{}", self.transcript);
    }

    /// Takes one output; gives false at the limit, after the end, and where something holds once all
    /// that is to be done and told at this instant is done and told.
    #[track_caller]
    fn step(&mut self, limit: Timestamp, holds: &impl Fn(&Self) -> bool) -> bool {
        match self.machine.poll(self.now) {
            Output::Send(outgoing) => {
                self.send(outgoing);
                return !self.dies_at(Dies::AfterSend);
            }
            Output::Save => {
                if self.dies_at(Dies::BeforeSave) {
                    return false;
                }
                self.line("  save");
                self.saved = Some(self.machine.snapshot());
                return !self.dies_at(Dies::AfterSave);
            }
            Output::Event(event) => {
                self.line(&format!("  {}", tell(&event, self.now)));
                self.told.push(event);
            }
            Output::Cancel(id) => {
                self.line("  cancel");
                self.flight.take_if(|flight| flight.id == id);
            }
            Output::Closed(reason) => {
                if self.closed.is_none() {
                    self.line(&format!("closed: {reason}"));
                }
                self.closed = Some(reason);
                return false;
            }
            Output::Wait { until, on } => {
                assert_eq!(until, self.machine.deadline(), "\n{}", self.transcript);
                assert!(until > self.now, "a deadline in the past\n{}", self.transcript);
                if holds(self) {
                    return false;
                }
                if let WaitingOn::Need(need) = on
                    && self.answers_to(need)
                {
                    return true;
                }
                let flights = self.late.iter().chain(&self.flight);
                let next = flights.map(|flight| flight.arrives).fold(until, Timestamp::min);
                if next > limit {
                    return false;
                }
                self.now = next;
                if let Some(place) = self.late.iter().position(|flight| flight.arrives <= next) {
                    let flight = self.late.remove(place);
                    assert_eq!(self.reports(&flight), Accepted::Stale, "late news changed something");
                    return true;
                }
                if let Some(flight) = self.flight.take_if(|flight| flight.arrives <= next) {
                    self.arrives(flight);
                }
            }
        }
        true
    }

    /// Puts a question that has not been put yet; tells whether something came of it.
    fn answers_to(&mut self, need: Need) -> bool {
        if self.asked.as_ref() == Some(&need) {
            return false;
        }
        self.line(&format!("needs {} because {}", need.kind.code(), need.because.code()));
        self.asked = Some(need.clone());
        let Some((input, by)) = (self.answers)(&need) else { return false };
        let answered = self.machine.handle_input(self.now, need.id, input, by);
        match answered {
            Answered::Used => self.line("answer"),
            other => self.line(&format!("answer: {other:?}")),
        }
        answered == Answered::Used
    }

    fn send(&mut self, outgoing: Outgoing) {
        assert!(self.flight.is_none(), "two at once\n{}", self.transcript);
        let (id, policy) = (outgoing.id(), outgoing.policy());
        let line = format!("{} {}", outgoing.method(), outgoing.path());
        self.line(&format!("-> {line}"));
        let (time, news) = if self.online {
            self.sent.push(line);
            let request = as_sent(outgoing.into_request());
            let reply = self.server.handle(self.now + self.latency, self.address, &request);
            let (time, news, late) = travels(reply, self.latency, policy);
            if let Some((time, news)) = late.filter(|_| self.echoes > 0) {
                self.late.push(Flight { id, arrives: self.now + time, news: Ok(news) });
            }
            (time, news)
        } else {
            (Duration::ZERO, Err(Failure::not_sent(FailureKind::Connect)))
        };
        self.flight = Some(Flight { id, arrives: self.now + time, news });
    }

    fn dies_at(&mut self, point: Dies) -> bool {
        self.dies.take_if(|dies| *dies == point).is_some()
    }

    #[track_caller]
    fn arrives(&mut self, mut flight: Flight) {
        self.reports(&flight);
        self.echo = self.echo.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        if (self.echo >> 33) % 100 < self.echoes {
            flight.arrives = self.now + Duration::from_millis((self.echo >> 33) % 90_000);
            self.late.push(flight);
        }
    }

    #[track_caller]
    fn reports(&mut self, flight: &Flight) -> Accepted {
        let accepted = match &flight.news {
            Ok(response) => {
                self.line(&format!("<- {}", describe(response)));
                self.machine.handle_response(self.now, flight.id, Response::from(response))
            }
            Err(failure) => {
                self.line(&format!("<- {} ({:?})", failure.kind.code(), failure.delivery));
                self.machine.handle_failure(self.now, flight.id, *failure)
            }
        };
        accepted.unwrap()
    }

    fn line(&mut self, line: &str) {
        if self.transcript.len() > self.longest {
            let half = self.transcript.len() / 2;
            let cut = self.transcript[half..].find('\n').map_or(half, |end| half + end + 1);
            self.transcript.drain(..cut);
        }
        let millis = self.now.as_millis().saturating_sub(START.as_millis());
        let (days, hours, minutes) = (millis / 86_400_000, millis / 3_600_000 % 24, millis / 60_000 % 60);
        let secs = (millis % 60_000) as f64 / 1000.0;
        writeln!(self.transcript, "{days:>2}d {hours:02}:{minutes:02}:{secs:06.3}  {line}").unwrap();
    }
}

pub type Arrival<T> = (Duration, T);

/// What a server said.
type Answer = http::Response<Vec<u8>>;

/// What comes of a reply, and after how long, for a client that waits no longer than its policy says;
/// and the answer that comes when the client has given it up.
pub fn travels(
    reply: Reply,
    latency: Duration,
    policy: SendPolicy,
) -> (Duration, Result<Answer, Failure>, Option<Arrival<Answer>>) {
    let body = reply.response.body().len();
    let trickle = match reply.fault {
        Some(Fault::Trickle(pace)) => pace.saturating_mul(u32::try_from(body).unwrap_or(u32::MAX)),
        _ => Duration::ZERO,
    };
    let time = reply.delay + trickle + latency * 2;
    let broken = match reply.fault {
        Some(Fault::Drop) => true,
        Some(Fault::Truncate(at)) => at < body,
        _ => false,
    };
    if reply.fault == Some(Fault::Refuse) {
        (latency, Err(Failure::not_sent(FailureKind::Connect)), None)
    } else if time > policy.timeout {
        let late = (!broken && body <= policy.max_body).then_some((time, reply.response));
        (policy.timeout, Err(Failure::maybe_sent(FailureKind::Timeout)), late)
    } else if broken {
        (time, Err(Failure::maybe_sent(FailureKind::Interrupted)), None)
    } else if body > policy.max_body {
        (time, Err(Failure::maybe_sent(FailureKind::BodyTooLarge)), None)
    } else {
        (time, Ok(reply.response), None)
    }
}

/// Adds what a transport adds.
pub fn as_sent(mut request: Request<Vec<u8>>) -> Request<Vec<u8>> {
    if let Some(host) = request.uri().authority().and_then(|host| HeaderValue::from_str(host.as_str()).ok()) {
        request.headers_mut().entry(HOST).or_insert(host);
    }
    let length = request.body().len();
    if length > 0 || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH) {
        request.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    request
}

fn describe(response: &http::Response<Vec<u8>>) -> String {
    let media = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("no type");
    let media = media.split(';').next().unwrap_or_default();
    format!("{} {media}, {} bytes", response.status().as_u16(), response.body().len())
}

fn tell(event: &Event, now: Timestamp) -> String {
    match event {
        Event::PhaseChanged { from, to } => format!("{from} -> {to}"),
        Event::Retrying { attempt, at, cause } => format!("attempt {attempt}: {cause}, next in {:?}", at.since(now)),
        Event::Suspect { cause, shape: None } => format!("suspect: {cause}"),
        Event::Suspect { shape: Some(shape), .. } => format!("suspect: {shape}"),
        Event::Expired { proof } => format!("expired: {proof}"),
        Event::ClockSkew { by_millis } => format!("clock-skew: {by_millis} ms"),
        Event::ActionRequired { url, text } => {
            let words = [text, url].map(|words| words.as_ref().map(ToString::to_string).unwrap_or_default());
            format!("action-required: {}", words.join(" ").trim())
        }
        Event::ServerSays(text) => format!("server-says: {text}"),
        Event::Penalty { lasts } => format!("penalty: {lasts:?}"),
        other => other.code().to_owned(),
    }
}
