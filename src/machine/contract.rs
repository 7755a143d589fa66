//! The interface of a session that drivers see.

use core::time::Duration;

use http::request::Parts;

use super::Upcoming;
use crate::{
    AuthorizeError, Failure, Handled, Input, InputHandled, Misuse, NeedId, Output, Phase, RequestId, Response,
    Snapshot, Source, Status, Ticket, Timestamp,
};

/// A login session as a driver sees it: object-safe and `Send`.
///
/// Any call is legal at any time; see the [crate's page](crate#the-contract) for the contract.
pub trait Machine: Send {
    /// Begins to open the session; does nothing on a session that was started or resumed.
    fn start(&mut self, now: Timestamp);

    /// Returns the next thing that the driver has to do.
    ///
    /// Call it until it says [`Output::Wait`] or [`Output::Closed`].
    fn poll(&mut self, now: Timestamp) -> Output;

    /// Accepts the answer to a request.
    ///
    /// # Errors
    /// [`Misuse::UnknownId`] where no request of that id was ever issued.
    fn handle_response(&mut self, now: Timestamp, id: RequestId, response: Response<'_>) -> Result<Handled, Misuse>;

    /// Reports to the session that a request got no answer.
    ///
    /// # Errors
    /// [`Misuse::UnknownId`] where no request of that id was ever issued.
    fn handle_failure(&mut self, now: Timestamp, id: RequestId, failure: Failure) -> Result<Handled, Misuse>;

    /// Accepts the answer to a [`Need`](crate::Need).
    fn handle_input(&mut self, now: Timestamp, need: NeedId, input: Input, by: Source) -> InputHandled;

    /// Prepares a call of the user's own: base URL, tokens, cookies, signature.
    ///
    /// A URI with a path only is resolved against the present base URL. Headers of an earlier
    /// session are replaced. Each retry of the call needs a new `authorize`.
    ///
    /// # Errors
    /// [`AuthorizeError::NotReady`] while there is no session, or in a penalty box;
    /// [`AuthorizeError::Misuse`] for a URL of another origin than the session's.
    fn authorize(&mut self, now: Timestamp, parts: &mut Parts, body: &[u8]) -> Result<Ticket, AuthorizeError>;

    /// Accepts what a call of the user's own got; a 401 makes the session look whether it still lives. What a call got that
    /// does what the session does by itself, such as a keepalive, is taken for the session's own: bring its whole body.
    fn observe(&mut self, now: Timestamp, ticket: &Ticket, response: Response<'_>) -> Handled;

    /// Reports to the session that a call of the user's own got no answer.
    fn observe_failure(&mut self, now: Timestamp, ticket: &Ticket, failure: Failure) -> Handled;

    /// Asks for a look whether the session still lives, soon: the network is back, a socket dropped,
    /// the laptop woke up. Many calls lead to one look, and none is made inside a penalty box.
    fn check(&mut self, now: Timestamp);

    /// Begins to end the session, or to leave it where it is not its own to end
    /// ([`Options::ends`](crate::Options::ends)); [`Output::Closed`] tells when that is done.
    fn logout(&mut self, now: Timestamp);

    /// Returns the session in its present phase, to be stored and resumed elsewhere.
    fn snapshot(&self) -> Snapshot;

    /// Returns when [`Machine::poll`] is to be called at the latest; [`Timestamp::NEVER`] if nothing is due.
    fn deadline(&self) -> Timestamp;

    /// Returns what the next [`Machine::poll`] at this time would hand out a request for; `None` where it
    /// has something else to say, or nothing.
    ///
    /// The answer may name a request that does not leave after all, but none leaves that it does not name.
    fn upcoming(&mut self, now: Timestamp) -> Option<Upcoming>;

    /// Sends nothing for so long: somebody else got a 429 from the same address. A longer penalty box
    /// stays; gives how long it lasts.
    fn hold_back(&mut self, now: Timestamp, lasts: Duration) -> Duration;

    /// Returns where the session stands.
    fn phase(&self) -> Phase;

    /// Returns what a health check wants to know.
    fn status(&self) -> Status;

    /// Returns the name of the provider, as it stands in snapshots.
    fn provider(&self) -> &'static str;

    /// Names the group of sessions that share the server's rate limits: its host and the account.
    fn limit_group(&self) -> String;
}
