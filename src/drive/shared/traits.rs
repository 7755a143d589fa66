//! What the loop wants of the program around it.

use core::future::{Ready, ready};
use core::time::Duration;
use std::io;

use http::{Request, Response};

use super::SendError;
use super::clock::now;
use crate::{
    Credentials, Event, Input, Need, Outgoing, RequestId, Snapshot, Source, Timestamp,
    machine::{Rejection, SendPolicy},
};

/// Sends requests: the one thing that a session cannot do without.
///
/// What an implementation has to keep: no redirects, no cookies, no proxy that the program has not named, no header but
/// those that the transport demands, no URL rewritten, since signatures are made over it; the whole exchange within
/// [`SendPolicy::timeout`], a body up to [`SendPolicy::max_body`]. A connection that was never made is
/// [`Failure::not_sent`](crate::Failure::not_sent), everything else
/// [`Failure::maybe_sent`](crate::Failure::maybe_sent), a timeout included. Redirects are answers, whatever their status.
///
/// A closure is a client, and `async fn send` is a way to write one:
///
/// ```
/// use http::{Request, Response};
/// use sansession::drive::{Client, SendError};
/// use sansession::machine::SendPolicy;
///
/// struct Echo;
///
/// impl Client for Echo {
///     async fn send(&self, request: Request<Vec<u8>>, _: SendPolicy) -> Result<Response<Vec<u8>>, SendError> {
///         Ok(Response::new(request.into_body()))
///     }
/// }
/// ```
pub trait Client {
    /// Sends a request and reads the whole answer.
    ///
    /// The future may be dropped before it is done, where the answer is no longer wanted.
    fn send(
        &self,
        request: Request<Vec<u8>>,
        policy: SendPolicy,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, SendError>> + Send;
}

impl<F, R, E> Client for F
where
    F: Fn(Request<Vec<u8>>, SendPolicy) -> R,
    R: Future<Output = Result<Response<Vec<u8>>, E>> + Send,
    E: Into<SendError>,
{
    fn send(
        &self,
        request: Request<Vec<u8>>,
        policy: SendPolicy,
    ) -> impl Future<Output = Result<Response<Vec<u8>>, SendError>> + Send {
        let answer = self(request, policy);
        async move { answer.await.map_err(Into::into) }
    }
}

/// Sleeps: what a runtime has and a library has not.
///
/// Functions and closures are timers: `tokio::time::sleep`, `smol::Timer::after`, `async_std::task::sleep`.
pub trait Timer {
    /// Waits so long, by any clock; ten seconds are the most that is asked for.
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send;

    /// Returns the time. The default is that of this machine; a test gives one that a day passes on in a millisecond.
    fn now(&self) -> Timestamp {
        now()
    }
}

impl<F, R> Timer for F
where
    F: Fn(Duration) -> R,
    R: Future + Send,
{
    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        let sleep = self(time);
        async move { drop(sleep.await) }
    }
}

/// What a session wants of the program around it.
///
/// Only [`answer`](Program::answer) must be written. A closure `Fn(Need) -> Answer` is a program that has nothing else,
/// and so is one that gives a future, `|need| async move { … }`.
///
/// The futures may be dropped at every await: an answer's where its question is no longer open, a save's where the
/// driver is dropped, which then begins with the same save when it is created again.
pub trait Program {
    /// Answers a need. Meanwhile the session goes on: it looks by itself whether a login in a browser has happened, it
    /// logs out when it is told to, and this future is dropped as soon as nobody waits for it any more.
    ///
    /// The same need is asked again after [`Answer::Later`], at once after an answer that was
    /// [`rejected`](Program::rejected), and after 10 s if it is still open although it was answered.
    fn answer(&self, need: Need) -> impl Future<Output = Answer> + Send;

    /// Learns why an answer cannot be used.
    ///
    /// A person is asked again, five times in all, not counting one-time codes that came too early
    /// ([`Need::fresh_after`](crate::Need::fresh_after)). A program is not, since it would say the same:
    /// its rejected answer counts as [`Answer::GiveUp`], except for a one-time code that was too
    /// early, which is asked for when its time has come.
    fn rejected(&self, _need: &Need, _rejection: Rejection) {}

    /// Learns what happened.
    fn event(&self, _event: &Event) {}

    /// Stores a snapshot, before something is sent whose loss would do harm.
    ///
    /// # Errors
    /// Whatever keeps it from being stored; driving ends with it then. The default is an error
    /// ([`Unsupported`](io::ErrorKind::Unsupported)): this is called only for sessions with
    /// [`Options::durable`](crate::Options::durable) or of a provider that [rotates](crate::provider::Identity::rotates)
    /// tokens, and saving nothing would break what that promises. The latter are saved before anything is sent, so the
    /// error comes at once; who accepts that a login is lost with the process sets
    /// [`Options::forgetful`](crate::Options::forgetful).
    fn save(&self, _snapshot: Snapshot) -> impl Future<Output = io::Result<()>> + Send {
        ready(Err(io::Error::new(
            io::ErrorKind::Unsupported,
            "the session is to be stored and the program does not: implement `save`, or set `Options::forgetful`",
        )))
    }

    /// Learns that a request is about to leave.
    fn sending(&self, _outgoing: &Outgoing) {}

    /// Learns what came for an answer, after the session did. It may hold tokens.
    fn received(&self, _id: RequestId, _response: &Response<Vec<u8>>) {}

    /// Learns that no answer came.
    fn failed(&self, _id: RequestId, _error: &SendError) {}
}

impl<F, R> Program for F
where
    F: Fn(Need) -> R,
    R: IntoFuture<Output = Answer>,
    R::IntoFuture: Send,
{
    fn answer(&self, need: Need) -> impl Future<Output = Answer> + Send {
        self(need).into_future()
    }
}

/// What a program says to a need.
#[derive(Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The answer, and who gives it.
    Now(Input, Source),
    /// Ask again after this time, 100 ms at least; go on meanwhile.
    Later(Duration),
    /// Nobody will answer: the session closes.
    GiveUp,
}

/// What a secret store knows.
impl From<Input> for Answer {
    fn from(input: Input) -> Self {
        Self::Now(input, Source::Store)
    }
}

/// What a secret store knows.
impl From<Credentials> for Answer {
    fn from(credentials: Credentials) -> Self {
        Input::Credentials(credentials).into()
    }
}

/// What cannot even be made is not there: [`Answer::GiveUp`].
impl<T: Into<Self>> From<Result<T, Rejection>> for Answer {
    fn from(made: Result<T, Rejection>) -> Self {
        made.map_or(Self::GiveUp, Into::into)
    }
}

/// So that a closure may answer at once.
impl IntoFuture for Answer {
    type Output = Self;
    type IntoFuture = Ready<Self>;

    fn into_future(self) -> Ready<Self> {
        ready(self)
    }
}
