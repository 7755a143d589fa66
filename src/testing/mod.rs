//! The laws that every provider must keep, as a harness: one line checks a provider written anywhere.
//!
//! ```
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::testing::{Laws, Sample};
//! use sansession::{BaseUrl, Secret};
//!
//! let provider = || Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap();
//! Laws::new(provider)
//!     .sample(Sample::json(200, r#"{"user_id": 2, "cbrain_api_token": "0123"}"#))
//!     .tokens(|| Secret::from("0123"))
//!     .cases(10)
//!     .check();
//! ```
//!
//! A run makes calls on a session in any order: it polls, sleeps, lets the clock jump both ways, answers
//! rightly and wrongly, in time and late, authorizes calls and observes their outcome, writes
//! snapshots, dies and resumes. A server that means no good answers with samples under any status, with
//! junk, with pages, with too much, with any `Retry-After`, or not at all. What it finds, it shrinks to
//! a short run and panics with that run's transcript and the law that it broke.
//!
//! With a [simulator](Laws::simulator) behind the provider it sees more: see [`Simulated`] for how to write one. Whole
//! lives are lived before it, first such in which nothing goes wrong (with restarts, with wrong answers, logged out at
//! each moment), then one for each request and each thing that can happen to it: it does not leave, it or its answer is
//! lost, the process dies, a proxy answers with a page. What breaks a law is told with that life.
//!
//! ```
//! use http::{Request, Response};
//! use sansession::providers::cbrain::Cbrain;
//! use sansession::testing::{Laws, Simulated};
//! use sansession::{BaseUrl, Credentials, Input, Need, Timestamp};
//!
//! #[derive(Default)]
//! struct Portal {
//!     token: Option<String>,
//!     issued: Vec<String>,
//! }
//!
//! impl Simulated for Portal {
//!     fn handle(&mut self, _: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
//!         let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
//!         let known = self.token.is_some() && given.and_then(|value| value.strip_prefix("Bearer ")) == self.token.as_deref();
//!         let body = String::from_utf8_lossy(request.body());
//!         let (status, said) = match request.method().as_str() {
//!             "POST" if body.contains("password=right-one") => {
//!                 let token = format!("{:032}", self.issued.len());
//!                 self.issued.push(token.clone());
//!                 self.token = Some(token);
//!                 (200, format!(r#"{{"user_id": 2, "cbrain_api_token": "{}"}}"#, self.issued[self.issued.len() - 1]))
//!             }
//!             "GET" if known => (200, format!(r#"{{"user_id": 2, "cbrain_api_token": "{}"}}"#, self.issued[self.issued.len() - 1])),
//!             "DELETE" if known => {
//!                 self.token = None;
//!                 (200, String::new())
//!             }
//!             _ => (401, String::new()),
//!         };
//!         Response::builder().status(status).header("content-type", "application/json").body(said.into_bytes()).unwrap()
//!     }
//!
//!     fn answer(&mut self, _: Timestamp, _: &Need) -> Option<Input> {
//!         Credentials::new("norm", "right-one").ok().map(Input::Credentials)
//!     }
//!
//!     fn secrets(&self) -> &[String] {
//!         &self.issued
//!     }
//!
//!     fn is_open(&self, _: Timestamp) -> Option<bool> {
//!         Some(self.token.is_some())
//!     }
//! }
//!
//! Laws::new(|| Cbrain::new(BaseUrl::parse("http://localhost:3000").unwrap()).unwrap())
//!     .simulator(Portal::default)
//!     .lasts(std::time::Duration::from_secs(24 * 60 * 60))
//!     .cases(10)
//!     .check();
//! ```
//!
//! The laws:
//!
//! 1. *No panic, no spin*: every call comes back, and a poll at one instant ends in `Wait` or `Closed`.
//! 2. *One at a time*: no request leaves before the last one was reported or given up with `Cancel`.
//! 3. *Ids*: no request id repeats, also if one snapshot is resumed twice.
//! 4. *Deadlines*: `Wait.until` is `deadline()`, is later than now, and no further away than the
//!    longest length that the provider's rules and verdicts name, after any jump of the clock.
//! 5. *No dead end*: a session that waits for ever waits for a person, for its start, or is active and not in doubt.
//! 6. *Answers*: an answer that a server may have judged never leaves again, and none is sent by a step that does not spend one.
//! 7. *No login without its answer*: a step that spends an answer is built with one of its kind.
//! 8. *Taken answers*: an answer that was taken is sent, or grows stale, or is made needless; it is not asked for again unsent.
//! 9. *Unattended answers*: once `max_refused` were refused, or may have been, none leaves before the next success:
//!    wherever it crashes, and in a new session that knows what the last one has cost. A person's answer lets a program
//!    answer the other questions.
//! 10. *Write-ahead*: with `durable`, a harmful step leaves only while the stored snapshot names it.
//! 11. *No harm twice*: with `durable`, whatever the crash point, a harmful step of unknown fate is not
//!     sent again before the server was asked or the provider said how to go on.
//! 12. *Outages close nothing*: an active session is closed by a logout, a proof of death or a verdict to close,
//!     never by failures or unreadable answers.
//! 13. *Penalties*: nothing leaves before a served `Retry-After` (or its cap: 15 minutes, twice as long each
//!     time that it is exceeded in a row, 4 hours at most) or a penalty box ends.
//! 14. *Closed is absorbing*: every later poll says the same reason, and so does a resumed snapshot.
//! 15. *Snapshots*: written, resumed and written again, a session is the same but for its epoch; with a
//!     request in flight it is what that request's unknown fate would have left. It shows the same ([`Laws::live`]), and
//!     before a simulator signs a call with the same.
//! 16. *Logout*: from every state it leads to `Closed` in bounded time, whatever the server does. Before a simulator:
//!     where nothing is open nothing is sent, and what counts as confirmed is over there.
//! 17. *Late news*: a report for an id that is over, an observation with a ticket of earlier tokens and
//!     an answer to a question that is over change nothing; an id that was never issued is misuse.
//!     Before a simulator: where calls are signed with something else than before, the earlier ones are of earlier tokens.
//! 18. *Nothing shows an answer*: not a snapshot, not the `Debug` of an output; and a header that carries one, or a
//!     token of the simulator's, is marked as sensitive.
//! 19. *Bounded pace*: however fast and whatever the server answers, an hour has no more than
//!     [`Laws::per_hour`] requests.
//! 20. *Foreign hosts*: a call to another origin is never authorized.
//! 21. *Gets in*: some run makes the session active. Where none does, the provider takes no good answer, or no sample is
//!     one, and the other laws have seen only how a session is not opened.
//!
//! Before a simulator also:
//!
//! 22. *Values for one use*: what the server has taken and takes once ([`Simulated::spent`]) is in no later request, be it in
//!     the query, in a header or in the body, whatever was lost; with `durable` also wherever the process died.
//! 23. *Pages*: a page of HTML in the server's place is no proof of life, of death or of a logout and no refusal, whatever
//!     its status.
//! 24. *The user's own calls*: while nothing goes wrong, none that the session has authorized is
//!     [refused](Simulated::refuses); some time after a mishap none is again.
//! 25. *Renewals*: while nothing goes wrong, what a verdict plans to renew is renewed.
//! 26. *A calm life*: while nothing goes wrong and each question is answered, one login lasts ([`Laws::lasts`]): with all
//!     renewals of its tokens and consents the session does not die, and each step can be built.
//! 27. *Refusals*: an answer that the server refuses is asked for again as [refused](crate::machine::NeedReason::Refused).
//! 28. *Mishaps pass*: whatever happens to one request, a session that was active is so again.

mod answers;
mod bytes;
mod calls;
mod course;
mod diff;
mod laws;
mod lives;
mod outputs;
mod served;
mod simulated;
mod storm;
mod twist;
mod walk;
mod watch;
mod wire;
mod world;

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use http::{Request, Response};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

pub use self::simulated::Simulated;
pub use self::walk::{Map, Walk};
use self::world::World;
use crate::provider::Adopts;
use crate::{Input, Need, Options, Provider, Relogin, Timestamp};

/// An answer that a server of this provider may give.
#[derive(Clone, Debug)]
pub struct Sample {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Sample {
    /// Creates a response from a status, a content type (empty for none) and a body.
    pub fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let sample = Self { status, headers: Vec::new(), body: body.into() };
        if content_type.is_empty() { sample } else { sample.header("content-type", content_type) }
    }

    /// Creates a response from a status and a JSON body.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, "application/json", body)
    }

    /// Adds a header; one that HTTP does not allow is left out when the sample is served.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Returns its status and content type.
    pub(crate) fn kind(&self) -> String {
        let types = self.headers.iter().filter(|(name, _)| name == "content-type");
        types.fold(self.status.to_string(), |kind, (_, value)| format!("{kind} {value}"))
    }
}

type Server = dyn Fn(&Request<Vec<u8>>, Timestamp) -> Response<Vec<u8>>;
/// Creates a state from existing tokens.
type Adopted<P> = dyn Fn(&P) -> Option<<P as Provider>::State>;
type Answers = dyn Fn(&Need, u32, Timestamp) -> Option<Input>;
type Show<L> = dyn Fn(&L) -> String;

/// The laws, and what is needed to check them on a provider.
pub struct Laws<P: Provider> {
    make: Box<dyn Fn() -> P>,
    adopted: Option<Box<Adopted<P>>>,
    samples: Vec<Sample>,
    server: Option<Box<Server>>,
    simulator: Option<Box<dyn Fn() -> Box<dyn Simulated>>>,
    live: Option<Box<Show<P::Live>>>,
    starts: Timestamp,
    lasts: Duration,
    answers: Option<Box<Answers>>,
    options: Options,
    path: String,
    per_hour: u32,
    cases: u32,
    calls: usize,
    seed: u64,
}

impl<P: Provider + Send> Laws<P> {
    /// Creates the laws from a function that creates the provider, called for every life of a session.
    pub fn new(make: impl Fn() -> P + 'static) -> Self {
        Self {
            make: Box::new(make),
            adopted: None,
            samples: Vec::new(),
            server: None,
            simulator: None,
            live: None,
            starts: Timestamp::from_secs(1_700_000_000),
            lasts: Duration::from_secs(8 * 24 * 60 * 60),
            answers: None,
            options: Options::default(),
            path: "/".to_owned(),
            per_hour: 1_900,
            cases: 256,
            calls: 100,
            seed: 1,
        }
    }

    /// Adds an answer of the server; without good ones no session is opened, which breaks a law.
    #[must_use]
    pub fn sample(mut self, sample: Sample) -> Self {
        self.samples.push(sample);
        self
    }

    /// Adds answers of the server.
    #[must_use]
    pub fn samples(mut self, samples: impl IntoIterator<Item = Sample>) -> Self {
        self.samples.extend(samples);
        self
    }

    /// Sets an honest server, where good answers depend on the request; the first sample otherwise.
    #[must_use]
    pub fn server(mut self, server: impl Fn(&Request<Vec<u8>>, Timestamp) -> Response<Vec<u8>> + 'static) -> Self {
        self.server = Some(Box::new(server));
        self
    }

    /// Sets a stateful server for the provider, created for every run. It answers in place of
    /// [`Laws::server`], and laws 22 to 26 are checked with it.
    #[must_use]
    pub fn simulator<S: Simulated + 'static>(mut self, simulator: impl Fn() -> S + 'static) -> Self {
        self.simulator = Some(Box::new(move || Box::new(simulator())));
        self
    }

    /// Sets when each run begins, Tue, 14 Nov 2023 22:13:20 GMT otherwise. Where a server ends all logins at an hour of its day,
    /// let runs begin after that hour, and [last](Laws::lasts) less than a day.
    #[must_use]
    pub fn starts(mut self, at: Timestamp) -> Self {
        self.starts = at;
        self
    }

    /// Sets how long one login is kept before the simulator where nothing goes wrong, 8 days otherwise: longer than
    /// the longest time after which something is renewed, and shorter than the server lets any login live.
    #[must_use]
    pub fn lasts(mut self, lasts: Duration) -> Self {
        self.lasts = lasts;
        self
    }

    /// Writes what [`Session::live`](crate::Session::live) shows, secrets included, so that a resumed session can be
    /// held against the one before; whether it shows anything is compared otherwise.
    #[must_use]
    pub fn live(mut self, show: impl Fn(&P::Live) -> String + 'static) -> Self {
        self.live = Some(Box::new(show));
        self
    }

    /// Starts some runs with existing tokens.
    #[must_use]
    pub fn tokens(mut self, tokens: impl Fn() -> P::Tokens + 'static) -> Self
    where
        P: Adopts,
    {
        self.adopted = Some(Box::new(move |provider| provider.adopt(tokens()).ok()));
        self
    }

    /// Sets the answers to needs, where the provider is strict about their form; each must be
    /// another one for another number. `None` leaves the harness to its own.
    #[must_use]
    pub fn answers(mut self, answers: impl Fn(&Need, u32, Timestamp) -> Option<Input> + 'static) -> Self {
        self.answers = Some(Box::new(answers));
        self
    }

    /// Sets the options; `durable` and `relogin` are varied all the same.
    #[must_use]
    pub fn options(mut self, options: Options) -> Self {
        self.options = options;
        self
    }

    /// Sets the path of the user's own calls.
    #[must_use]
    pub fn path(mut self, path: &str) -> Self {
        path.clone_into(&mut self.path);
        self
    }

    /// Sets how many requests an hour may have, 1900 otherwise: one in two seconds.
    #[must_use]
    pub fn per_hour(mut self, most: u32) -> Self {
        self.per_hour = most;
        self
    }

    /// Sets the number of runs, 256 otherwise.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> Self {
        self.cases = cases;
        self
    }

    /// Sets the number of calls of a run, 100 otherwise.
    #[must_use]
    pub fn calls(mut self, calls: usize) -> Self {
        self.calls = calls;
        self
    }

    /// Sets what the runs are drawn from, so that others are seen; 1 otherwise.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Checks all laws.
    ///
    /// # Panics
    /// With the shortest run found that breaks one, its transcript and the law; or if no run has got in.
    pub fn check(&self) {
        self.check_runs();
        self.check_pace();
    }

    /// Checks all laws but that of the bounded pace.
    ///
    /// # Panics
    /// As [`Laws::check`] does.
    #[expect(clippy::panic, reason = "a harness reports by panicking, as assert does")]
    pub fn check_runs(&self) {
        if let Some(broken) = self.broken() {
            panic!("{broken}");
        }
    }

    /// Checks the law of the bounded pace.
    ///
    /// # Panics
    /// As [`Laws::check`] does.
    #[expect(clippy::panic, reason = "a harness reports by panicking, as assert does")]
    pub fn check_pace(&self) {
        if let Some(broken) = storm::broken(self) {
            panic!("{broken}");
        }
    }

    /// Returns the shortest run found that breaks a law, or says that no run has got in.
    pub fn broken(&self) -> Option<String> {
        let run = (
            proptest::arbitrary::any::<(bool, bool, bool)>(),
            proptest::collection::vec(calls::call(), 1..=self.calls),
        );
        if let Some(broken) = twist::broken(self) {
            return Some(broken);
        }
        let got_in = Cell::new(false);
        let rejected = RefCell::new(None);
        let outcome = self.runner().run(&run, |((durable, relogin, adopt), calls)| {
            let mut world = self.world(durable, relogin, adopt);
            // Where there are no tokens to begin with, such a run begins with a login.
            let open = adopt && self.adopted.is_none() && self.simulator.is_some();
            let end = world.run(open, &calls);
            got_in.set(got_in.get() || world.got_in);
            if world.rejected.is_some() {
                rejected.replace(world.rejected.take());
            }
            world.verdict(end)
        });
        self.report(outcome).or_else(|| {
            let (runs, rejected) = (self.cases, rejected.take().unwrap_or_else(|| "nothing was answered".to_owned()));
            let why = || format!("none of {runs} runs made the session active; what was rejected last: {rejected}");
            (!got_in.get()).then(|| format!("a law is broken: 21. gets in: {}", why()))
        })
    }

    fn world(&self, durable: bool, relogin: bool, adopt: bool) -> World<'_, P> {
        let relogin = if relogin { Relogin::AskAgain { per_day: 3 } } else { Relogin::Never };
        World::new(self, Options { durable, relogin, ..self.options.clone() }, adopt)
    }

    fn runner(&self) -> TestRunner {
        let mut seed = [0; 32];
        for (byte, given) in seed.iter_mut().zip(self.seed.to_le_bytes()) {
            *byte = given;
        }
        let config =
            Config { cases: self.cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    fn report<V: fmt::Debug>(&self, outcome: Result<(), TestError<V>>) -> Option<String> {
        match outcome {
            Ok(()) => None,
            Err(TestError::Abort(why)) => Some(format!("the laws could not be checked: {why}")),
            Err(TestError::Fail(why, run)) => {
                Some(format!("a law is broken (seed {}): {why}\n\nthe run: {run:#?}", self.seed))
            }
        }
    }
}

impl<P: Provider> fmt::Debug for Laws<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Laws").field("cases", &self.cases).field("seed", &self.seed).finish_non_exhaustive()
    }
}
