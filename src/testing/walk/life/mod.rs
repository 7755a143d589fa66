//! One session at rest, and what can happen to it.

mod seen;

use core::time::Duration;
use std::rc::Rc;

use super::Walk;
use super::turn::Turn;
use crate::testing::Sample;
use crate::testing::world::build;
use crate::{
    AuthorizeError, CloseReason, Failure, Input, InputHandled, Machine, Need, NeedId, Output, Provider, RequestId,
    Response, Session, Source, Timestamp, WaitingOn, machine::FailureKind,
};

/// Any noon in winter.
const START: Timestamp = Timestamp::from_secs(1_790_769_600);

/// What each move takes.
const MOMENT: Duration = Duration::from_millis(50);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The instants that a provider names, as [`Session::named`] gives them.
const NAMED: [&str; 3] = ["asleep until its renewal", "asleep until its end", "asleep until its keepalive"];

/// So many outputs at one instant are a loop.
const SPIN: usize = 1_000;

/// So many turns of an outage let every opening give up.
const OUTAGE: usize = 24;

/// A request on its way, and what the server may answer to it.
#[derive(Clone)]
struct Flying {
    id: RequestId,
    request: Rc<http::Request<Vec<u8>>>,
    replies: Rc<[(&'static str, Sample)]>,
}

/// A session at rest.
pub(super) struct Life<'a, P: Provider> {
    walk: &'a Walk<P>,
    session: Session<P>,
    now: Timestamp,
    flying: Option<Flying>,
    on: Option<WaitingOn>,
    closed: Option<CloseReason>,
    told: Vec<&'static str>,
    /// When somebody last wanted to know whether the session lives.
    looked: Option<Timestamp>,
}

impl<'a, P: Provider + Send> Life<'a, P>
where
    P::State: Clone,
{
    pub(super) fn new(walk: &'a Walk<P>) -> Self {
        let session = (walk.begin)((walk.make)());
        let mut life =
            Self { walk, session, now: START, flying: None, on: None, closed: None, told: Vec::new(), looked: None };
        life.rest();
        life
    }

    /// Returns a copy for another branch.
    pub(super) fn branch(&self) -> Self {
        Self {
            walk: self.walk,
            session: self.session.copy_with((self.walk.make)()),
            now: self.now,
            flying: self.flying.clone(),
            on: self.on.clone(),
            closed: self.closed.clone(),
            told: Vec::new(),
            looked: self.looked,
        }
    }

    /// Returns the possible events.
    pub(super) fn steps(&mut self, outage: bool) -> Vec<Turn> {
        if let Some(flying) = &mut self.flying {
            flying.replies = (self.walk.replies)(&flying.request).into();
        }
        let mut steps = Vec::new();
        if self.closed.is_some() {
            return vec![Turn::Crash];
        }
        match (&self.flying, &self.on) {
            (Some(flying), _) => {
                steps.extend((0..flying.replies.len()).map(Turn::Reply));
                steps.extend([Turn::Lost, Turn::Unsent]);
            }
            (None, Some(WaitingOn::Start)) => steps.push(Turn::Start),
            (None, Some(WaitingOn::Need(need))) => {
                let answers = (self.walk.answers)(need, self.now).len();
                steps.extend((0..answers).flat_map(|which| [Turn::Answer(which), Turn::Stored(which)]));
                steps.push(Turn::GiveUp);
            }
            _ => {}
        }
        if self.flying.is_none() && !self.session.deadline().is_never() {
            steps.push(Turn::Time);
            let deadline = self.session.deadline();
            let named = self.session.named().into_iter().enumerate();
            let later = named.filter(|(_, (_, at))| *at > deadline && !at.is_never());
            steps.extend(later.map(|(which, _)| Turn::Named(which)));
        }
        if outage {
            steps.push(Turn::Outage);
        }
        steps.extend([Turn::Day, Turn::Check, Turn::OwnCall, Turn::TakeOver, Turn::Crash, Turn::Logout]);
        steps
    }

    /// Applies an event, and returns its name and what tells it from others of the same.
    pub(super) fn take(&mut self, turn: Turn) -> (String, Option<String>) {
        self.told.clear();
        self.now = self.now + MOMENT;
        let how = self.how(turn);
        let label = self.happens(turn);
        self.rest();
        (label, how)
    }

    fn how(&self, turn: Turn) -> Option<String> {
        match turn {
            Turn::Reply(which) => self.flying.as_ref()?.replies.get(which).map(|(_, sample)| sample.kind()),
            Turn::Answer(_) => Some("of a person".to_owned()),
            Turn::Stored(_) => Some("of a store".to_owned()),
            _ => None,
        }
    }

    fn happens(&mut self, turn: Turn) -> String {
        match turn {
            Turn::Start => {
                self.session.start(self.now);
                "start".to_owned()
            }
            Turn::Reply(which) => self.reply(which),
            Turn::Lost => self.fail(Failure::maybe_sent(FailureKind::Timeout), "no answer"),
            Turn::Unsent => self.fail(Failure::not_sent(FailureKind::Connect), "no connection"),
            Turn::Answer(which) => self.answer(which, Source::Person),
            Turn::Stored(which) => self.answer(which, Source::Store),
            Turn::GiveUp => {
                let need = self.need().map_or(NeedId::UNSOLICITED, |need| need.id);
                let _ = self.session.handle_input(self.now, need, Input::GiveUp, Source::Person);
                "give up".to_owned()
            }
            Turn::Time => {
                self.now = self.session.deadline().max(self.now);
                "time".to_owned()
            }
            Turn::Named(which) => {
                let (kind, at) = self.session.named().get(which).copied().unwrap_or((0, self.now));
                self.now = self.now.max(at);
                NAMED.get(kind).copied().unwrap_or_default().to_owned()
            }
            Turn::Day => {
                self.now = self.now + DAY;
                "a day asleep".to_owned()
            }
            Turn::Check => {
                self.looked = Some(self.now);
                self.session.check(self.now);
                "check".to_owned()
            }
            Turn::Logout => {
                self.session.logout(self.now);
                "logout".to_owned()
            }
            Turn::Crash => self.crash(),
            Turn::OwnCall => self.own_call(),
            Turn::TakeOver => {
                let answered =
                    self.session.handle_input(self.now, NeedId::UNSOLICITED, Input::TakeOver, Source::Person);
                let taken = if answered == InputHandled::Used { "" } else { " (rejected)" };
                format!("takeover granted{taken}")
            }
            Turn::Outage => self.outage(),
        }
    }

    fn reply(&mut self, which: usize) -> String {
        let Some(flying) = self.flying.take() else { return String::new() };
        let Some((label, sample)) = flying.replies.get(which) else { return String::new() };
        let response = build(sample.clone());
        let _ = self.session.handle_response(self.now, flying.id, Response::from(&response));
        (*label).to_owned()
    }

    fn fail(&mut self, failure: Failure, label: &str) -> String {
        if let Some(flying) = self.flying.take() {
            let _ = self.session.handle_failure(self.now, flying.id, failure);
        }
        label.to_owned()
    }

    fn answer(&mut self, which: usize, by: Source) -> String {
        let Some(need) = self.need().cloned() else { return String::new() };
        let answer = (self.walk.answers)(&need, self.now).into_iter().nth(which);
        let Some((label, input)) = answer else { return String::new() };
        let answered = self.session.handle_input(self.now, need.id, input, by);
        match answered {
            InputHandled::Used => label.to_owned(),
            InputHandled::Stale => format!("{label} (stale)"),
            InputHandled::Rejected(rejection) => format!("{label} ({})", rejection.code()),
        }
    }

    #[expect(clippy::panic, reason = "a harness reports by panicking, as assert does")]
    fn crash(&mut self) -> String {
        let snapshot = self.session.snapshot();
        let provider = (self.walk.make)();
        // One seed for all lives: the same moves lead to the same state.
        let resumed = Session::resume(provider, &snapshot, self.walk.options.clone(), None, [7; 32], self.now);
        match resumed {
            Ok(session) => {
                self.session = session;
                self.looked = None;
            }
            Err(error) => panic!("a session does not resume: {error}\n{}", snapshot.expose_secrets()),
        }
        self.flying = None;
        "crash".to_owned()
    }

    fn own_call(&mut self) -> String {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = self.walk.path.parse().unwrap_or_default();
        match self.session.authorize(self.now, &mut parts, b"") {
            Ok(ticket) => {
                self.show(&format_args!("{parts:?} {ticket:?}"));
                self.looked = Some(self.now);
                let mut response = http::Response::new(Vec::new());
                *response.status_mut() = http::StatusCode::UNAUTHORIZED;
                self.session.observe(self.now, &ticket, Response::from(&response));
                "own call 401".to_owned()
            }
            Err(AuthorizeError::NotReady { .. }) => "own call not ready".to_owned(),
            Err(other) => format!("own call: {other}"),
        }
    }

    fn outage(&mut self) -> String {
        for _ in 0..OUTAGE {
            if self.flying.is_some() {
                self.fail(Failure::not_sent(FailureKind::Connect), "");
            } else if self.session.deadline().is_never() {
                break;
            } else {
                self.now = self.session.deadline();
            }
            self.rest();
        }
        if self.flying.is_some() {
            self.fail(Failure::not_sent(FailureKind::Connect), "");
        }
        "an outage".to_owned()
    }

    /// Polls until there is nothing to do.
    #[expect(clippy::panic, reason = "a harness reports by panicking, as assert does")]
    fn rest(&mut self) {
        for _ in 0..SPIN {
            let output = self.session.poll(self.now);
            self.show(&output);
            match output {
                Output::Send(outgoing) => {
                    let (id, request) = (outgoing.id(), Rc::new(outgoing.into_request()));
                    self.flying = Some(Flying { id, request, replies: Rc::new([]) });
                }
                Output::Save => {}
                Output::Wait { on, .. } => {
                    self.on = Some(on);
                    return;
                }
                Output::Event(event) => self.hear(&event),
                Output::Cancel(id) => {
                    self.flying.take_if(|flying| flying.id == id);
                }
                Output::Closed(reason) => {
                    self.flying = None;
                    self.on = None;
                    self.closed = Some(reason);
                    return;
                }
            }
        }
        panic!("no rest in {}", self.session.snapshot().expose_secrets());
    }

    fn need(&self) -> Option<&Need> {
        match &self.on {
            Some(WaitingOn::Need(need)) => Some(need),
            _ => None,
        }
    }
}
