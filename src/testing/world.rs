//! What is around a session in a run: the clock, the wire, the disk, the people; and what is known of all that.

use core::time::Duration;
use std::collections::BTreeSet;

use proptest::test_runner::TestCaseError;

use super::calls::{Call, Reply};
use super::known::{Counted, Flying, Given, Known, Named, Stored};
use super::recorder::{Log, Watched};
use super::{Laws, Sample, Simulated};
use crate::{Machine, Need, Options, Phase, Provider, RequestId, Seed, Session, Snapshot, Source, Ticket, Timestamp};

/// A broken law: its name and what happened.
pub(super) struct Broken(pub(super) String);

pub(super) type Lawful<T = ()> = Result<T, Broken>;

/// Breaks a law.
macro_rules! broken {
    ($law:literal, $($what:tt)*) => { return Err(Broken(format!("{}: {}", $law, format!($($what)*)))) };
}
pub(super) use broken;

pub(super) struct World<'a, P: Provider> {
    pub(super) laws: &'a Laws<P>,
    /// The server's side, where it is simulated.
    pub(super) simulator: Option<Box<dyn Simulated>>,
    /// A process has gone on with an older text than the last one, which the laws of values for one use do not bear.
    pub(super) rolled_back: bool,
    /// Keepalives, renewals and the end of the tokens.
    pub(super) named: Vec<Named<P::Step>>,
    /// What the last request got and what the provider made of it.
    pub(super) last: Option<String>,
    /// The same, where it was not accepted.
    pub(super) rejected: Option<String>,
    /// The step that could not be built, and for want of what.
    pub(super) unbuildable: Option<(P::Step, &'static str)>,
    /// How often the session was found dead.
    pub(super) deaths: u32,
    pub(super) options: Options,
    pub(super) log: Log<P::Step>,
    pub(super) session: Session<Watched<P>>,
    /// What the caller's clock shows.
    pub(super) now: Timestamp,
    /// What the session must take for the present.
    pub(super) clock: Timestamp,
    pub(super) lives: u64,
    pub(super) given: u32,
    pub(super) ids: BTreeSet<RequestId>,
    pub(super) over: Vec<RequestId>,
    pub(super) flying: Option<Flying<P::Step>>,
    pub(super) need: Option<Need>,
    pub(super) answers: Vec<Given>,
    pub(super) tickets: Vec<(Ticket, u64)>,
    /// Counts tokens and lives.
    pub(super) generation: u64,
    pub(super) not_before: Timestamp,
    /// How often in a row a wait was capped at least, and when the last of them ends.
    pub(super) capped: (u8, Timestamp),
    /// The longest length that was named.
    pub(super) longest: Duration,
    /// The latest instant that was named.
    pub(super) instant: Timestamp,
    /// Harmful steps of unknown fate.
    pub(super) unknown: Vec<P::Step>,
    /// Unattended answers since the last success that were refused or may have been.
    pub(super) unattended: Counted,
    pub(super) known: Known,
    /// The session was active at some time.
    pub(super) got_in: bool,
    pub(super) disk: Option<Stored>,
    pub(super) kept: Vec<Stored>,
    /// A step that rotates was answered, which is to be stored.
    pub(super) rotated: bool,
    /// How many requests earlier lives had sent.
    pub(super) begun: u64,
    /// The last output was `Save`.
    pub(super) saved: bool,
    pub(super) sent: u64,
    /// The step that was built last, and the secrets of the answers that it was given.
    pub(super) built: Option<(P::Step, Vec<String>)>,
    pub(super) transcript: Vec<String>,
}

impl<'a, P: Provider + Send> World<'a, P> {
    pub(super) fn new(laws: &'a Laws<P>, options: Options, adopt: bool) -> Self {
        let log = Log::new();
        let provider = Watched { inner: (laws.make)(), log: log.clone() };
        let seed = seed(laws.seed, 0);
        let adopted = laws.adopted.as_ref().filter(|_| adopt);
        let session = match adopted.and_then(|adopted| adopted(&provider.inner)) {
            Some(state) => Session::of_state(provider, state, options.clone().into(), &seed),
            None => Session::new(provider, options.clone(), seed),
        };
        Self {
            laws,
            simulator: laws.simulator.as_ref().map(|make| make()),
            rolled_back: false,
            named: Vec::new(),
            last: None,
            rejected: None,
            unbuildable: None,
            deaths: 0,
            longest: options.logout_patience.max(Duration::from_secs(60)),
            options,
            log,
            session,
            now: laws.starts,
            clock: Timestamp::from_millis(0),
            lives: 0,
            given: 0,
            ids: BTreeSet::new(),
            over: Vec::new(),
            flying: None,
            need: None,
            answers: Vec::new(),
            tickets: Vec::new(),
            generation: 0,
            not_before: Timestamp::from_millis(0),
            capped: Default::default(),
            instant: Timestamp::from_millis(0),
            unknown: Vec::new(),
            unattended: Counted::default(),
            known: Known::default(),
            got_in: false,
            disk: None,
            kept: Vec::new(),
            rotated: false,
            begun: 0,
            saved: false,
            sent: 0,
            built: None,
            transcript: Vec::new(),
        }
    }

    /// Runs all calls, on an open session if `open`, then ends the session.
    pub(super) fn run(&mut self, open: bool, calls: &[Call]) -> Lawful {
        self.start();
        if open {
            self.opens()?;
        }
        self.drain()?;
        for call in calls {
            self.transcript.push(format!("-- {call:?}"));
            self.make(call)?;
        }
        self.end()
    }

    /// Opens the session before an honest server, if that can be done.
    pub(super) fn opens(&mut self) -> Lawful {
        for _ in 0..40 {
            let Some(until) = self.drain()? else { break };
            if self.flying.is_some() {
                self.respond(&Reply::Honest)?;
                continue;
            }
            if self.session.phase() == Phase::Active {
                break;
            }
            if let Some(need) = &self.need {
                // An authenticator shows a code that can be used only then.
                self.now = self.now.max(need.fresh_after.unwrap_or(self.now));
                self.give(Source::Person)?;
                // What a person does in a browser is found by a look.
                if self.need.is_none() || self.drain()?.is_none_or(|sooner| sooner < until) || self.flying.is_some() {
                    continue;
                }
            }
            if until.is_never() {
                break;
            }
            self.now = until;
        }
        Ok(())
    }

    /// Turns the end of a run into what the runner wants, with the transcript.
    pub(super) fn verdict(&self, end: Lawful) -> Result<(), TestCaseError> {
        end.map_err(|Broken(what)| TestCaseError::fail(format!("{what}\n\n{}", self.transcript.join("\n"))))
    }

    /// Moves the model's clock as the session must move its own, and gives the caller's time.
    pub(super) fn tick(&mut self) -> Timestamp {
        if self.now < self.clock {
            let by = self.clock.since(self.now);
            if by <= Duration::from_secs(5) {
                return self.now;
            }
            self.not_before = self.not_before - by;
            self.capped.1 = self.capped.1 - by;
        }
        self.clock = self.now;
        self.now
    }

    pub(super) fn say(&mut self, what: String) {
        self.transcript.push(what);
    }

    pub(super) fn start(&mut self) {
        let now = self.tick();
        self.session.start(now);
    }

    /// Resumes a session from a stored text.
    pub(super) fn life(&mut self, text: &str, log: &Log<P::Step>) -> Lawful<Session<Watched<P>>> {
        self.lives += 1;
        self.begun = self.sent;
        let provider = Watched { inner: (self.laws.make)(), log: log.clone() };
        let (options, seed) = (self.options.clone(), seed(self.laws.seed, self.lives));
        match Session::resume(provider, &Snapshot::from_text(text), options, None, seed, self.now) {
            Ok(session) => Ok(session),
            Err(error) => broken!("15. snapshots", "its own snapshot is refused: {error}"),
        }
    }

    pub(super) fn store(&self) -> Stored {
        Stored {
            text: self.session.snapshot().expose_secrets().to_owned(),
            clock: self.clock,
            known: self.known.clone(),
        }
    }

    /// Returns the response of a reply.
    pub(super) fn response(&self, reply: &Reply, request: Option<&http::Request<Vec<u8>>>) -> http::Response<Vec<u8>> {
        let empty = || Sample::new(200, "", "");
        let sample = match reply {
            Reply::Honest => match (&self.laws.server, request) {
                (Some(server), Some(request)) => return server(request, self.now),
                _ => self.laws.samples.first().cloned().unwrap_or_else(empty),
            },
            Reply::Sample { which, status, retry_after } => {
                let samples = &self.laws.samples;
                let sample = samples.get(which % samples.len().max(1)).cloned().unwrap_or_else(empty);
                with_retry_after(Sample { status: status.unwrap_or(sample.status), ..sample }, retry_after.as_deref())
            }
            Reply::Junk { status, content_type, body, retry_after } => {
                with_retry_after(Sample::new(*status, content_type, body.clone()), retry_after.as_deref())
            }
            Reply::Page(status) => Sample::new(*status, "text/html", PAGE),
            Reply::Huge => Sample::json(200, vec![b' '; self.options.max_body.saturating_add(1).min(4 << 20)]),
        };
        build(sample)
    }
}

/// What a proxy, a gateway or a network with a login of its own says in the server's place.
const PAGE: &str = "<html><head><title>Sign in</title></head><body>Sign in to this network to go on.</body></html>";

fn with_retry_after(sample: Sample, retry_after: Option<&str>) -> Sample {
    match retry_after {
        Some(text) => sample.header("retry-after", text),
        None => sample,
    }
}

pub(super) fn build(sample: Sample) -> http::Response<Vec<u8>> {
    let mut response = http::Response::new(sample.body);
    *response.status_mut() = http::StatusCode::from_u16(sample.status).unwrap_or_default();
    for (name, value) in &sample.headers {
        if let (Ok(name), Ok(value)) = (name.parse::<http::HeaderName>(), value.parse::<http::HeaderValue>()) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

/// Returns another seed for every life.
pub(super) fn seed(run: u64, life: u64) -> Seed {
    let mut bytes = [0_u8; 32];
    for (chunk, salt) in bytes.chunks_exact_mut(8).zip(1_u64..) {
        let mixed =
            crate::machine::backoff::split_mix(crate::machine::backoff::split_mix(run ^ salt << 32).wrapping_add(life));
        for (byte, given) in chunk.iter_mut().zip(mixed.to_le_bytes()) {
            *byte = given;
        }
    }
    Seed::new(bytes)
}
