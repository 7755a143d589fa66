//! The laws, set up for a provider.

use core::cell::{Cell, RefCell};
use core::fmt;
use core::time::Duration;

use http::{Request, Response};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};

use super::world::World;
use super::{Sample, Simulated, calls, pace, twist};
use crate::provider::Adopts;
use crate::{Input, Need, Options, Provider, Relogin, Timestamp};

type Server = dyn Fn(&Request<Vec<u8>>, Timestamp) -> Response<Vec<u8>>;
/// Creates a state from existing tokens.
type Adopted<P> = dyn Fn(&P) -> Option<<P as Provider>::State>;
type Answers = dyn Fn(&Need, u32, Timestamp) -> Option<Input>;
type Show<L> = dyn Fn(&L) -> String;

/// The laws, and what is needed to check them on a provider.
pub struct Laws<P: Provider> {
    pub(super) make: Box<dyn Fn() -> P>,
    pub(super) adopted: Option<Box<Adopted<P>>>,
    pub(super) samples: Vec<Sample>,
    pub(super) server: Option<Box<Server>>,
    pub(super) simulator: Option<Box<dyn Fn() -> Box<dyn Simulated>>>,
    pub(super) live: Option<Box<Show<P::Live>>>,
    pub(super) starts: Timestamp,
    pub(super) lasts: Duration,
    pub(super) answers: Option<Box<Answers>>,
    pub(super) options: Options,
    pub(super) path: String,
    pub(super) per_hour: u32,
    pub(super) cases: u32,
    pub(super) calls: usize,
    pub(super) seed: u64,
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
        if let Some(broken) = pace::broken(self) {
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

    pub(super) fn world(&self, durable: bool, relogin: bool, adopt: bool) -> World<'_, P> {
        let relogin = if relogin { Relogin::AskAgain { per_day: 3 } } else { Relogin::Never };
        World::new(self, Options { durable, relogin, ..self.options.clone() }, adopt)
    }

    pub(super) fn runner(&self) -> TestRunner {
        let mut seed = [0; 32];
        for (byte, given) in seed.iter_mut().zip(self.seed.to_le_bytes()) {
            *byte = given;
        }
        let config =
            Config { cases: self.cases, failure_persistence: None, max_shrink_iters: 20_000, ..Config::default() };
        TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    pub(super) fn report<V: fmt::Debug>(&self, outcome: Result<(), TestError<V>>) -> Option<String> {
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
