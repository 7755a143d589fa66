//! A session and a simulator, driven against each other without a socket.

use std::net::{IpAddr, Ipv4Addr};

use crate::machine::exchange::{Failure, FailureKind};
use crate::provider::Provider;
use crate::sim::{Fault, Simulator};
use crate::{
    AuthorizeError, CloseReason, Event, Input, InputHandled, Machine, NeedKind, Options, Output, Response, Session,
    Source, Timestamp, WaitingOn, machine::NeedReason,
};

/// Any morning in India.
pub(in crate::providers::kotak) const NOW: Timestamp = Timestamp::from_secs(1_790_000_010);
const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(in crate::providers::kotak) struct Run<P: Provider, S> {
    pub(in crate::providers::kotak) session: Session<P>,
    pub(in crate::providers::kotak) sim: S,
    pub(in crate::providers::kotak) now: Timestamp,
    pub(in crate::providers::kotak) told: Vec<Event>,
    /// Every request that left, as `METHOD path`.
    pub(in crate::providers::kotak) sent: Vec<String>,
}

/// Where a session came to rest.
#[derive(Debug)]
pub(in crate::providers::kotak) enum Rest {
    Needs(NeedKind, NeedReason),
    /// Nothing is due, or nothing before an expiry or a renewal.
    Idle,
    Closed(CloseReason),
}

impl<P: Provider + Send, S: Simulator> Run<P, S> {
    pub(in crate::providers::kotak) fn new(provider: P, sim: S) -> Self {
        Self::with(Session::new(provider, Options::default(), [7; 32]), sim, NOW)
    }

    pub(in crate::providers::kotak) fn with(mut session: Session<P>, sim: S, now: Timestamp) -> Self {
        session.start(now);
        Self { session, sim, now, told: Vec::new(), sent: Vec::new() }
    }

    /// Drives the session until only a person, or much time, changes anything.
    pub(in crate::providers::kotak) fn rest(&mut self) -> Rest {
        for _ in 0..200 {
            match self.session.poll(self.now) {
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    self.sent.push(format!("{} {}", outgoing.method(), outgoing.path()));
                    let reply = self.sim.handle(self.now, PEER, &outgoing.into_request());
                    if reply.fault == Some(Fault::Drop) {
                        let failure = Failure::maybe_sent(FailureKind::Interrupted);
                        self.session.handle_failure(self.now, id, failure).unwrap();
                    } else {
                        self.session.handle_response(self.now, id, Response::from(&reply.response)).unwrap();
                    }
                }
                Output::Event(event) => self.told.push(event),
                Output::Wait { on: WaitingOn::Need(need), .. } => return Rest::Needs(need.kind, need.because),
                Output::Wait { on: WaitingOn::Nothing | WaitingOn::Expiry | WaitingOn::Renewal, .. } => {
                    return Rest::Idle;
                }
                Output::Wait { until, .. } => self.now = until,
                Output::Closed(reason) => return Rest::Closed(reason),
                other => panic!("{other:?}"),
            }
        }
        panic!("it does not come to rest: {:?}", self.sent)
    }

    #[track_caller]
    pub(in crate::providers::kotak) fn needs(&mut self, kind: NeedKind, because: NeedReason) -> &mut Self {
        match self.rest() {
            Rest::Needs(found, why) => assert_eq!((found, why), (kind, because), "{:?}", self.sent),
            other => panic!("{other:?} {:?} {:?}", self.sent, self.told),
        }
        self
    }

    #[track_caller]
    pub(in crate::providers::kotak) fn gives(&mut self, input: Input) -> &mut Self {
        self.gives_by(input, Source::Person)
    }

    #[track_caller]
    pub(in crate::providers::kotak) fn gives_by(&mut self, input: Input, by: Source) -> &mut Self {
        let Output::Wait { on: WaitingOn::Need(need), .. } = self.session.poll(self.now) else { panic!("no need") };
        assert_eq!(self.session.handle_input(self.now, need.id, input, by), InputHandled::Used);
        self
    }

    #[track_caller]
    pub(in crate::providers::kotak) fn is_active(&mut self) -> &mut Self {
        let rest = self.rest();
        assert!(matches!(rest, Rest::Idle), "{rest:?} {:?} {:?}", self.sent, self.told);
        assert_eq!(self.session.phase(), crate::Phase::Active);
        assert!(!self.session.status().suspect);
        self
    }

    #[track_caller]
    pub(in crate::providers::kotak) fn closes(&mut self, code: &str) -> CloseReason {
        match self.rest() {
            Rest::Closed(reason) => {
                assert_eq!(reason.code(), code, "{reason} {:?}", self.sent);
                reason
            }
            other => panic!("{other:?} {:?}", self.sent),
        }
    }

    /// Creates a user's own call and shows the session what it got; returns the status.
    pub(in crate::providers::kotak) fn calls(&mut self, path: &str) -> Result<http::StatusCode, AuthorizeError> {
        let request = http::Request::get(path).body(Vec::new()).unwrap();
        let (request, ticket) = self.session.authorize_request(self.now, request)?;
        let response = self.sim.handle(self.now, PEER, &request).response;
        self.session.observe(self.now, &ticket, Response::from(&response));
        Ok(response.status())
    }

    pub(in crate::providers::kotak) fn was_told(&self, code: &str) -> bool {
        self.told.iter().any(|event| event.code() == code)
    }

    /// Counts the requests that left to a path that ends so.
    pub(in crate::providers::kotak) fn sent_to(&self, end: &str) -> usize {
        self.sent.iter().filter(|sent| sent.ends_with(end)).count()
    }
}
