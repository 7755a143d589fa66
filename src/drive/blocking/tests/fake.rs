//! A machine that does what its script says.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Request;
use http::request::Parts;

use crate::{
    AuthorizeError, CloseReason, Event, Failure, Handled, Input, InputHandled, Machine, Misuse, Need, NeedId, NeedKind,
    Outgoing, Output, Phase, RequestId, Response, Snapshot, Source, Status, Ticket, Timestamp, WaitingOn,
    machine::{NeedReason, Rejection, SendPolicy, Upcoming},
};

/// A line of a script.
pub(super) enum Line {
    Send(String),
    Save,
    Tell(Event),
    /// Asks for a PIN and takes `1234`; a program's answers are refused where so said.
    Ask {
        attended: bool,
    },
    /// Asks for a redirect of the state `s-1`, and takes one with a code that is not `odd`.
    Consent,
    /// Waits for a while.
    Wait(Duration),
    /// Waits until somebody logs out.
    Stay,
}

/// What happened to a machine, in order.
pub(super) type Log = Arc<Mutex<Vec<String>>>;

pub(super) struct Fake {
    script: VecDeque<Line>,
    log: Log,
    waits_until: Option<Timestamp>,
    seq: u32,
    closed: Option<CloseReason>,
    pub(super) base: String,
}

impl Fake {
    pub(super) fn new(script: impl IntoIterator<Item = Line>) -> (Self, Log) {
        let log = Log::default();
        let script = script.into_iter().collect();
        (Self { script, log: Arc::clone(&log), waits_until: None, seq: 0, closed: None, base: String::new() }, log)
    }

    fn note(&self, text: impl Into<String>) {
        self.log.lock().unwrap().push(text.into());
    }

    fn wait(&self, until: Timestamp, on: WaitingOn) -> Output {
        Output::Wait { until, on }
    }
}

fn need(kind: NeedKind, url: Option<&str>) -> Need {
    Need {
        id: NeedId(7),
        kind,
        because: NeedReason::Opening,
        refused: 0,
        lost: 0,
        fresh_after: None,
        url: url.map(Into::into),
        prompt: None,
        message: None,
        until: None,
    }
}

/// The question of a consent whose state is `s-1`.
pub(super) fn consent() -> Need {
    need(NeedKind::Redirect, Some("https://login.example.org/authorize?client_id=app&state=s-1&scope=read"))
}

impl Machine for Fake {
    fn start(&mut self, _: Timestamp) {
        self.note("start");
    }

    fn poll(&mut self, now: Timestamp) -> Output {
        if let Some(reason) = &self.closed {
            return Output::Closed(reason.clone());
        }
        match self.script.front() {
            None => {
                self.closed = Some(CloseReason::LoggedOut { confirmed: true });
                self.poll(now)
            }
            Some(Line::Stay) => self.wait(Timestamp::NEVER, WaitingOn::Nothing),
            Some(Line::Ask { .. }) => self.wait(Timestamp::NEVER, WaitingOn::Need(need(NeedKind::Pin, None))),
            Some(Line::Consent) => self.wait(Timestamp::NEVER, WaitingOn::Need(consent())),
            Some(Line::Wait(length)) => {
                let until = *self.waits_until.get_or_insert(now + *length);
                if now < until {
                    return self.wait(until, WaitingOn::Pause);
                }
                self.waits_until = None;
                self.script.pop_front();
                self.poll(now)
            }
            Some(Line::Save) => {
                self.script.pop_front();
                Output::Save
            }
            Some(Line::Tell(_)) => match self.script.pop_front() {
                Some(Line::Tell(event)) => Output::Event(event),
                _ => unreachable!(),
            },
            Some(Line::Send(url)) => {
                let request = Request::post(url.as_str()).body(b"password=x".to_vec()).unwrap();
                self.seq += 1;
                let id = RequestId { epoch: 1, life: 1, seq: self.seq };
                let policy = SendPolicy { timeout: Duration::from_secs(20), max_body: 1_000 };
                self.script.pop_front();
                Output::Send(Outgoing { id, policy, request })
            }
        }
    }

    fn handle_response(&mut self, _: Timestamp, id: RequestId, response: Response<'_>) -> Result<Handled, Misuse> {
        self.note(format!("{id:?} got {}", response.status.as_u16()));
        if id.seq == self.seq { Ok(Handled::Used) } else { Err(Misuse::UnknownId) }
    }

    fn handle_failure(&mut self, _: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        self.note(format!("{id:?} failed {} {:?}", failure.kind.code(), failure.delivery));
        Ok(Handled::Used)
    }

    fn handle_input(&mut self, _: Timestamp, need: NeedId, input: Input, by: Source) -> InputHandled {
        self.note(format!("{input:?} by {by:?}"));
        if let (Some(Line::Consent), Input::Redirect(address)) = (self.script.front(), &input) {
            if address.expose().contains("code=odd") {
                return InputHandled::Rejected(Rejection::Malformed("redirect"));
            }
            self.note(address.expose());
            self.script.pop_front();
            return InputHandled::Used;
        }
        let Some(&Line::Ask { attended }) = self.script.front() else { return InputHandled::Stale };
        match input {
            _ if need != NeedId(7) => InputHandled::Stale,
            Input::GiveUp => {
                self.closed = Some(CloseReason::LoggedOut { confirmed: false });
                InputHandled::Used
            }
            _ if attended && by == Source::Store => InputHandled::Rejected(Rejection::Unattended),
            Input::Pin(pin) if pin.matches("1234") => {
                self.script.pop_front();
                InputHandled::Used
            }
            Input::Pin(pin) if pin.matches("early") => InputHandled::Rejected(Rejection::NotFresh),
            _ => InputHandled::Rejected(Rejection::Malformed("pin")),
        }
    }

    fn authorize(&mut self, _: Timestamp, parts: &mut Parts, _: &[u8]) -> Result<Ticket, AuthorizeError> {
        if self.base.is_empty() {
            return Err(AuthorizeError::NotReady { phase: self.phase(), tier: None, until: None });
        }
        parts.uri = format!("{}{}", self.base.trim_end_matches('/'), parts.uri).parse().unwrap();
        parts.headers.insert("authorization", "Bearer x".parse().unwrap());
        Ok(Ticket {
            epoch: 1,
            life: 1,
            generation: 1,
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            tier: None,
        })
    }

    fn observe(&mut self, _: Timestamp, ticket: &Ticket, response: Response<'_>) -> Handled {
        self.note(format!("own {} got {}", ticket.uri.path(), response.status.as_u16()));
        Handled::Used
    }

    fn observe_failure(&mut self, _: Timestamp, ticket: &Ticket, failure: Failure) -> Handled {
        self.note(format!("own {} failed {:?}", ticket.uri.path(), failure.delivery));
        Handled::Used
    }

    fn check(&mut self, _: Timestamp) {
        self.note("check");
        if matches!(self.script.front(), Some(Line::Stay)) {
            self.script.pop_front();
        }
    }

    fn logout(&mut self, _: Timestamp) {
        self.note("logout");
        self.script.clear();
    }

    fn snapshot(&self) -> Snapshot {
        Snapshot::from_text(format!("{{\"seq\":{}}}", self.seq))
    }

    fn deadline(&self) -> Timestamp {
        self.waits_until.unwrap_or(Timestamp::NEVER)
    }

    fn upcoming(&mut self, _: Timestamp) -> Option<Upcoming> {
        None
    }

    fn hold_back(&mut self, _: Timestamp, lasts: Duration) -> Duration {
        lasts
    }

    fn phase(&self) -> Phase {
        if self.closed.is_some() { Phase::Closed } else { Phase::Active }
    }

    fn status(&self) -> Status {
        Status {
            phase: self.phase(),
            since: Timestamp::from_millis(0),
            suspect: false,
            stuck: false,
            penalty: None,
            last_alive: None,
            deadline: self.deadline(),
            on: WaitingOn::Nothing,
        }
    }

    fn provider(&self) -> &'static str {
        "fake"
    }

    fn limit_group(&self) -> String {
        "fake".into()
    }
}
