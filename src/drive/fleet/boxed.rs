//! A machine in a box is one, so that a fleet may hold machines of many providers.

use core::time::Duration;

use http::request::Parts;

use crate::{
    AuthorizeError, Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, Output, Phase, RequestId, Response,
    Snapshot, Source, Status, Ticket, Timestamp, machine::Upcoming,
};

impl<M: Machine + ?Sized> Machine for Box<M> {
    fn start(&mut self, now: Timestamp) {
        (**self).start(now);
    }

    fn poll(&mut self, now: Timestamp) -> Output {
        (**self).poll(now)
    }

    fn handle_response(&mut self, now: Timestamp, id: RequestId, response: Response<'_>) -> Result<Handled, Misuse> {
        (**self).handle_response(now, id, response)
    }

    fn handle_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse> {
        (**self).handle_failure(now, id, failure)
    }

    fn handle_input(&mut self, now: Timestamp, need: NeedId, input: Input, by: Source) -> InputHandled {
        (**self).handle_input(now, need, input, by)
    }

    fn authorize(&mut self, now: Timestamp, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError> {
        (**self).authorize(now, parts, body)
    }

    fn observe(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Handled {
        (**self).observe(now, ticket, response)
    }

    fn observe_failure(&mut self, now: Timestamp, ticket: &Ticket, failure: Failure) -> Handled {
        (**self).observe_failure(now, ticket, failure)
    }

    fn check(&mut self, now: Timestamp) {
        (**self).check(now);
    }

    fn logout(&mut self, now: Timestamp) {
        (**self).logout(now);
    }

    fn snapshot(&self) -> Snapshot {
        (**self).snapshot()
    }

    fn deadline(&self) -> Timestamp {
        (**self).deadline()
    }

    fn upcoming(&mut self, now: Timestamp) -> Option<Upcoming> {
        (**self).upcoming(now)
    }

    fn hold_back(&mut self, now: Timestamp, lasts: Duration) -> Duration {
        (**self).hold_back(now, lasts)
    }

    fn phase(&self) -> Phase {
        (**self).phase()
    }

    fn status(&self) -> Status {
        (**self).status()
    }

    fn provider(&self) -> &'static str {
        (**self).provider()
    }

    fn limit_group(&self) -> String {
        (**self).limit_group()
    }
}
