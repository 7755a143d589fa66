//! A year: a process that keeps one session, dies and comes back; a person; a network; a server with its levers.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::rc::Rc;
use std::time::Duration;

use http::Request;
use sansession::provider::Provider;
use sansession::sim::{Network, Reply, Simulator, Weather};
use sansession::{
    CloseReason, Event, Input, InputHandled, Machine, Need, NeedKind, Options, Seed, Session, Snapshot, Source,
    Timestamp, WaitingOn,
};

use crate::faults::judge::{Judge, LATENCY, Memory, Word};
use crate::support::world::{Dies, World};

pub const SECOND: Duration = Duration::from_secs(1);
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// How long a supervisor waits before it begins again.
const PAUSE: Duration = Duration::from_secs(5 * 60);

/// A provider, its simulator, and what the facts tell of both.
pub trait Case: Sized + Send + 'static {
    type Provider: Provider + Send;
    type Server: Simulator;
    /// How long the end of a session may go unnoticed.
    const POLL: Duration;
    /// The longest step back, where [`Case::back`] does not know better.
    const BACK: Duration;
    const PER_HOUR: usize;
    /// Whether all that lives at the server is the client's own, to be ended or told of however a session closes.
    const ITS_OWN: bool = true;
    /// Whether tokens serve once, so that every session is stored around their use.
    const ROTATES: bool = false;
    /// The requests whose answers are taken late.
    const WORTH: &'static [&'static str] = &[];

    fn new(dice: &mut Dice) -> (Self, Self::Server);
    fn provider(&self) -> Self::Provider;
    /// Something happens at the server.
    fn happens(&mut self, server: &mut Self::Server, now: Timestamp, dice: &mut Dice);
    /// Time passes at the server.
    fn passes(&mut self, server: &mut Self::Server, now: Timestamp);
    /// Reports whether the server would have a session now.
    fn allows(&self, server: &Self::Server, now: Timestamp) -> bool;
    /// A request is about to leave.
    fn before(&mut self, _: &mut Self::Server) {}
    /// Returns the longest step back for what has happened since the server last took a call.
    fn back(&self) -> Duration {
        Self::BACK
    }
    /// Reports whether a question still stands at the server.
    fn stands(&self, _: &Self::Server, _: &Need) -> bool {
        true
    }
    /// Reports whether the server takes a call of this session now.
    fn serves(&mut self, server: &mut Self::Server, session: &mut Session<Self::Provider>, now: Timestamp) -> bool;
    /// Returns the sessions that live at the server.
    fn sessions(&self, server: &Self::Server, now: Timestamp) -> usize;
    /// Reads what the server wrote down of a request.
    fn words(
        &mut self,
        server: &mut Self::Server,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        reply: &Reply,
    ) -> Vec<Word>;
    /// Returns a person's answer, or does what is to be done elsewhere.
    fn answers(&mut self, server: &mut Self::Server, need: &Need, now: Timestamp, wrongly: bool) -> Option<Input>;
    /// What the user calls, and how often, if at all.
    fn user(&self) -> Option<(&'static str, Duration)>;
    /// Returns how often a question was the server's doing, or that of what is between, where that is counted.
    fn causes(&self) -> Option<u64> {
        None
    }
}

/// All chance of a year.
#[derive(Debug)]
pub struct Dice(u64);

impl Dice {
    pub fn below(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }

    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }

    pub fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + Duration::from_millis(self.below((most - least).as_millis() as u64 + 1))
    }

    pub fn one_of<T: Clone>(&mut self, list: &[T]) -> T {
        list[self.below(list.len() as u64) as usize].clone()
    }

    fn seed(&mut self) -> Seed {
        Seed::new(std::array::from_fn(|_| self.below(256) as u8))
    }
}

/// What came of a year, for the report.
#[derive(Debug, Default)]
pub struct Story {
    pub days: u32,
    pub allowed: Duration,
    pub active: Duration,
    pub requests: u64,
    pub busiest: usize,
    pub faults: u64,
    pub crashes: u64,
    pub questions: u64,
    /// How many of them were necessary, where that is counted.
    pub causes: u64,
    pub longest_way_back: Duration,
    pub closes: BTreeMap<&'static str, u64>,
}

pub struct Year<C: Case> {
    seed: u64,
    days: u32,
    test: &'static str,
    dice: Dice,
    options: Options,
    world: World<Session<C::Provider>, Judge<C>>,
    asks: Rc<Cell<bool>>,
    /// The question that the person thinks about, and until when.
    thinks: Option<(Need, Timestamp)>,
    /// The question that somebody has been elsewhere for, who does not go there again before this.
    rests: Option<(Need, Timestamp)>,
    /// Since when the server would have what is not there, and the faults until then.
    gap: Option<(Timestamp, u64)>,
    last_glance: Timestamp,
    was_served: bool,
    ends_before: u64,
    /// What a process without `durable` stores now and then.
    kept: Option<(Snapshot, Memory)>,
    /// Until when the process dies.
    dying: Option<Timestamp>,
    /// How many sessions at the server the client need not end: it told that they may live on, or it died and nothing
    /// that was stored knows them.
    excused: usize,
    /// The end of the penalty box that a supervisor has heard of.
    penalty: Timestamp,
    asked_to_leave: bool,
    story: Story,
}

impl<C: Case> Year<C> {
    pub fn new(seed: u64, days: u32, test: &'static str) -> Self {
        let mut dice = Dice(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0xfa17);
        let (case, server) = C::new(&mut dice);
        let mut options = Options::default();
        options.durable = dice.once_in(2);
        options.relogin = sansession::Relogin::AskAgain { per_day: 200 };
        options.max_refused = 2;
        options.egress_label = Some("fibre".into());
        let network = Network::new(server, dice.one_of(&[Weather::FAIR, RAIN, RAIN, Weather::FOUL]), seed);
        let session = Session::new(case.provider(), options.clone(), dice.seed());
        let asks = Rc::new(Cell::new(false));
        let called = asks.clone();
        let mut world = World::new(session, Judge::new(case, network)).answering(move |_| {
            called.set(true);
            None
        });
        world.latency = LATENCY;
        world.longest = 2_000_000;
        world.echoes = 5;
        world.worth = C::WORTH;
        world.shows_bodies = std::env::var_os("SANSESSION_FAULT_BODIES").is_some();
        let last_glance = world.now;
        Self {
            seed,
            days,
            test,
            dice,
            options,
            world,
            asks,
            thinks: None,
            rests: None,
            gap: None,
            last_glance,
            was_served: false,
            ends_before: 0,
            kept: None,
            dying: None,
            excused: 0,
            penalty: Timestamp::from_millis(0),
            asked_to_leave: false,
            story: Story::default(),
        }
    }

    pub fn passes(mut self) -> Story {
        let days = self.days;
        let start = self.world.now;
        let (mut next_event, mut next_call, mut next_death) = (start + HOUR, start, start + self.until_death());
        while self.world.now < start + DAY * days {
            let now = self.world.now;
            if now >= next_event {
                let Judge { case, network, .. } = &mut self.world.server;
                case.happens(&mut network.server, now, &mut self.dice);
                self.weather(now);
                next_event = now + self.dice.between(10 * MINUTE, 7 * HOUR);
            }
            if let Some((path, pace)) = self.world.server.case.user().filter(|_| now >= next_call) {
                self.world.server.own = true;
                let _ = self.world.calls(http::Method::GET, path);
                self.world.server.own = false;
                next_call = now + pace;
            }
            if now >= next_death {
                self.is_to_die();
                next_death = now + 2 * HOUR + self.until_death();
            }
            self.glances();
            let glance = if self.gap.is_some() { 5 * SECOND } else { self.dice.between(C::POLL / 8, C::POLL / 2) };
            let think = self.thinks.as_ref().map_or(glance, |(_, until)| until.since(now).max(SECOND));
            let point = self.world.dies;
            self.lives(glance.min(think));
            let died = |limit: &mut Timestamp| self.world.dies.is_none() || self.world.now >= *limit;
            if self.dying.take_if(died).is_some() {
                self.dies(point);
            }
        }
        self.story.days = days;
        self.story.faults = self.world.server.faults();
        self.story.requests = self.world.server.requests;
        self.story.busiest = self.world.server.busiest;
        // Each ends a question or begins one: what the server and the network have done, deaths, and new sessions. A question
        // whose reason changes while it is open counts as another one, which the fourth more is for.
        let made = self.story.crashes + self.story.closes.values().sum::<u64>() + 1;
        if let Some(most) = self.world.server.case.causes().map(|causes| causes + made) {
            self.story.causes = most;
            if self.story.questions > most + most / 4 {
                self.fails(&format!("{} questions, where {most} were necessary", self.story.questions));
            }
        }
        self.story
    }

    fn until_death(&mut self) -> Duration {
        self.dice.between(HOUR, 6 * DAY)
    }

    /// The network is cut now and then; a client may ask for a look when it is back.
    fn weather(&mut self, now: Timestamp) {
        if self.dice.once_in(10) {
            let until = now + self.dice.between(SECOND, 3 * HOUR);
            self.world.notes("the network is cut");
            self.world.server.network.cut(until);
        }
        if self.dice.once_in(10) {
            self.world.checks();
        }
        if self.dice.once_in(40) {
            self.world.notes("the owner ends it");
            self.asked_to_leave = true;
            self.world.logs_out();
        }
    }

    /// Lets the session live until something is to be checked.
    fn lives(&mut self, glance: Duration) {
        let limit = self.world.now + glance;
        let asks = self.asks.clone();
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            self.world.runs_to(limit, |_| asks.get());
        }));
        if let Err(why) = outcome {
            let why = why.downcast_ref::<String>().map_or("a panic", |text| text.lines().next().unwrap_or_default());
            self.fails(why);
        }
        let died = self.dying.is_some() && self.world.dies.is_none();
        if !self.asks.take() && !died {
            self.world.now = limit;
        }
    }

    /// The process is to die at some point, within two hours.
    fn is_to_die(&mut self) {
        let point = self.dice.one_of(&[None, Some(Dies::BeforeSave), Some(Dies::AfterSave), Some(Dies::AfterSend)]);
        self.world.notes(&format!("the process is to die: {point:?}"));
        self.world.dies = point;
        self.dying = Some(self.world.now + point.map_or(Duration::ZERO, |_| 2 * HOUR));
    }

    /// The process is dead, and another one goes on from what it had stored.
    fn dies(&mut self, point: Option<Dies>) {
        self.story.crashes += 1;
        self.dying = None;
        self.world.dies = None;
        let down = self.dice.one_of(&[SECOND, MINUTE, HOUR, 5 * HOUR]);
        let saved = point != Some(Dies::BeforeSave) && !self.world.awaits_answer();
        let stores = self.options.durable || C::ROTATES;
        let stored = if stores {
            let memory = self.world.server.memory(saved);
            self.world.saved.take().map(|snapshot| (snapshot, memory))
        } else {
            self.kept.take()
        };
        let Judge { case, network, .. } = &self.world.server;
        if !stores || stored.is_none() {
            self.excused = case.sessions(&network.server, self.world.now);
            self.was_served = false;
        }
        let mut memory = stored.as_ref().map(|(_, memory)| memory.clone()).unwrap_or_default();
        // What was stored before it left is not used again.
        memory.consent &= !self.options.durable;
        self.world.server.remembers(memory, self.world.now + down);
        self.pauses(down);
        self.world.notes("another process");
        self.begins(stored.map(|(snapshot, _)| snapshot));
        // Who wanted it ended still does, whatever was stored of that.
        if self.asked_to_leave {
            self.world.logs_out();
        }
    }

    /// Nothing runs for so long, which is nobody's fault but does not end a gap either.
    fn pauses(&mut self, time: Duration) {
        self.world.now = self.world.now + time;
        self.gap = self.gap.map(|(began, faults)| (began + time, faults));
    }

    fn begins(&mut self, stored: Option<Snapshot>) {
        let (provider, options, seed) = (self.world.server.case.provider(), self.options.clone(), self.dice.seed());
        let machine = match &stored {
            Some(snapshot) => Session::resume(provider, snapshot, options, None, seed, self.world.now).unwrap(),
            None => Session::new(provider, options, seed),
        };
        self.world.saved = stored;
        self.world.replaces(machine);
        self.thinks = None;
        self.rests = None;
        self.asks.set(false);
        self.last_glance = self.world.now;
    }

    /// Looks at both sides and lets the person do what a person does.
    fn glances(&mut self) {
        let now = self.world.now;
        {
            let Judge { case, network, .. } = &mut self.world.server;
            case.passes(&mut network.server, now);
        }
        let told = std::mem::take(&mut self.world.told);
        let closed = self.world.closed.is_some();
        for event in &told {
            match event {
                // What closes says it once of all that it knows.
                Event::MayLiveOn if closed && C::ROTATES => self.excused = usize::MAX,
                Event::MayLiveOn => self.excused = self.excused.saturating_add(1),
                Event::Penalty { lasts } => self.penalty = self.penalty.max(now + *lasts),
                _ => {}
            }
        }
        self.world.sent.clear();
        if let Some(law) = self.world.server.broken.first().cloned() {
            self.fails(&law);
        }
        if let Some(reason) = self.world.closed.clone() {
            self.closes(&reason);
            return;
        }
        self.person(now);
        if !self.options.durable && self.dice.once_in(30) {
            let memory = self.world.server.memory(!self.world.awaits_answer());
            self.kept = Some((self.world.machine.snapshot(), memory));
        }
        self.measures(now);
    }

    fn person(&mut self, now: Timestamp) {
        let need = match self.world.machine.status().on {
            WaitingOn::Need(need) => need,
            // While something is under way the question may still be there.
            WaitingOn::Response(_) if self.thinks.as_ref().is_some_and(|(_, until)| now < *until) => return,
            _ => {
                self.thinks = None;
                return;
            }
        };
        let Judge { case, network, .. } = &mut self.world.server;
        if !case.stands(&network.server, &need) {
            self.thinks = None;
            return;
        }
        if self.rests.as_ref().is_some_and(|(other, until)| is_same(other, &need) && now < *until) {
            return;
        }
        match &self.thinks {
            Some((other, until)) if is_same(other, &need) => {
                if now < *until {
                    return;
                }
            }
            _ => {
                self.story.questions += 1;
                let takes = match self.dice.below(20) {
                    0 => self.dice.between(HOUR, 9 * HOUR),
                    1 | 2 => self.dice.between(5 * MINUTE, HOUR),
                    _ => self.dice.between(2 * SECOND, 90 * SECOND),
                };
                self.thinks = Some((need, now + takes));
                return;
            }
        }
        self.thinks = None;
        let wrongly = need.refused == 0 && self.dice.once_in(15);
        let (kind, Judge { case, network, .. }) = (need.kind, &mut self.world.server);
        if let Some(input) = case.answers(&mut network.server, &need, now, wrongly) {
            let answered = self.world.machine.handle_input(now, need.id, input, Source::Person);
            self.world.notes(&format!("answer to {}: {answered:?}", kind.code()));
            if answered == InputHandled::Used {
                self.world.server.given(kind);
            }
        } else {
            self.world.notes(&format!("done for {}", kind.code()));
        }
        if kind == NeedKind::Browser || kind == NeedKind::Takeover {
            // Somebody who has been there does not come again at once.
            self.rests = Some((need, now + HOUR));
        }
    }

    fn measures(&mut self, now: Timestamp) {
        let since = std::mem::replace(&mut self.last_glance, now);
        // A death costs no more than any other trouble.
        let faults = self.world.server.faults() + self.story.crashes;
        let busy = self.thinks.as_ref().is_some_and(|(_, until)| now < *until);
        let Judge { case, network, .. } = &mut self.world.server;
        let cut = network.is_cut(now);
        let open = case.allows(&network.server, now);
        let allowed = open && !busy && !cut && !self.asked_to_leave;
        let served = open && case.serves(&mut network.server, &mut self.world.machine, now);
        // An outage says nothing of the session that it hides.
        self.was_served = if open { served } else { self.was_served };
        let left = case.sessions(&network.server, now);
        self.excused = self.excused.min(left.saturating_sub(usize::from(served)));
        let time = now.since(since);
        if served {
            self.story.active += time;
        }
        if !allowed || served {
            if served {
                self.ends_before = self.world.server.ends;
            }
            if let Some((began, _)) = self.gap.take() {
                self.story.longest_way_back = self.story.longest_way_back.max(now.since(began));
            }
            self.story.allowed += if allowed { time } else { Duration::ZERO };
            return;
        }
        self.story.allowed += time;
        let (began, before) = *self.gap.get_or_insert((since, faults));
        let steps = u32::try_from(faults - before).unwrap().saturating_add(1);
        let longest = C::POLL / 2 + (C::POLL + case.back()) * steps;
        if now.since(began) > longest {
            let law = format!("not active although the server allows it, for {:?}", now.since(began));
            self.fails(&law);
        }
    }

    fn closes(&mut self, reason: &CloseReason) {
        *self.story.closes.entry(reason.code()).or_default() += 1;
        let now = self.world.now;
        let Judge { case, network, ends, .. } = &self.world.server;
        let left = case.sessions(&network.server, now);
        let logged_out = matches!(reason, CloseReason::LoggedOut { .. } | CloseReason::Left);
        // A login that was found living is left alone, and that is told.
        let left_alone = *reason == CloseReason::Left;
        // A person's login at a gateway is nothing that an opening which fails would have to end.
        if left > self.excused && !left_alone && (logged_out || C::ITS_OWN) {
            self.fails(&format!("what lives on was not told: {reason}"));
        }
        if logged_out && !self.asked_to_leave {
            self.fails("nobody asked for a logout");
        }
        // Once an answer has told the end, what follows is an opening, which may fail.
        if !logged_out && self.was_served && *ends <= self.ends_before {
            self.fails(&format!("an open session closed: {reason}"));
        }
        self.excused = left;
        self.was_served = false;
        self.asked_to_leave = false;
        self.kept = None;
        // A new session cannot know of the box; who begins it does.
        let box_ends = self.world.server.told_until().map_or(self.penalty, |ends| self.penalty.max(ends));
        self.pauses(PAUSE.max(box_ends.since(now)));
        self.world.notes("a new session");
        self.begins(None);
    }

    fn fails(&self, law: &str) -> ! {
        let lines: Vec<&str> = self.world.transcript.lines().collect();
        let most = std::env::var("SANSESSION_FAULT_LINES").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
        let last = lines.len().saturating_sub(most);
        panic!(
            "{law}\n\n{}\nbroken: {law} ({:?})\n\
             replay: SANSESSION_FAULT_SEED={} SANSESSION_FAULT_DAYS={} cargo test --test proofs faults::{} -- --exact --include-ignored\n",
            lines[last..].join("\n"),
            self.world.now,
            self.seed,
            self.days,
            self.test,
        );
    }
}

/// Reports whether a question is the one that was put before.
fn is_same(one: &Need, other: &Need) -> bool {
    one.id == other.id && one.because == other.because
}

/// One request in a hundred meets trouble.
const RAIN: Weather =
    Weather { refused: 2, lost: 2, unanswered: 2, truncated: 2, delayed: 2, delay: Duration::from_secs(40) };

/// Prepares a call of the user's own and sends it straight to a server, which the network cannot hinder.
pub fn asks<P: Provider + Send>(
    server: &mut impl Simulator,
    session: &mut Session<P>,
    now: Timestamp,
    path: &str,
) -> Option<http::Response<Vec<u8>>> {
    let (mut parts, ()) = Request::get(path).body(()).unwrap().into_parts();
    Machine::authorize(session, now, &mut parts, b"").ok()?;
    let request = crate::support::world::as_sent(Request::from_parts(parts, Vec::new()));
    Some(server.handle(now, [127, 0, 0, 1].into(), &request).response)
}
