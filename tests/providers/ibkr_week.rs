//! Weeks at a simulated gateway, in virtual time: rivals, midnights, maintenance, failing tickles, a laptop that sleeps.
//!
//! Judged by the simulator's own log, and by a look at both sides each few seconds.

use std::time::Duration;

use crate::support::seed;
use crate::support::world::World;
use sansession::providers::ibkr::{Gateway, OrElse, Region, Takeover};
use sansession::sim;
use sansession::sim::Mishap;
use sansession::sim::ibkr::{
    Call, End, Flaky, Happening, Holder, Lever, Login, Midnight, Opener, Person, RateLimits, RefusedInit, Rival,
    Settings,
};
use sansession::{BaseUrl, Event, Input, Machine, NeedKind, Options, Phase, Session, Source, Timestamp};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

const WAIT: Takeover = Takeover::Never { then: OrElse::Wait };

/// How often both sides are checked.
const GLANCE: Duration = Duration::from_secs(10);

/// The longest way back once the server allows it: one status poll and one back-off step.
const BACK: Duration = Duration::from_secs(60 + 30 * 60);

/// The maintenance of each night, from midnight on.
const MAINTENANCE: Duration = Duration::from_secs(8 * 60);

type Life = World<Session<Gateway>, sim::ibkr::GatewaySim>;

struct Week {
    world: Life,
    start: Timestamp,
    region: Region,
    /// Since when the server allows what the session does not have yet.
    allowed: Option<Timestamp>,
    /// The longest ways back so far, where a rival had it and where not.
    back: [Duration; 2],
    had_rival: bool,
    /// How often the laptop slept.
    naps: usize,
}

fn settings(region: Region) -> Settings {
    Settings {
        region,
        flaky: Some(Flaky { percent: 7, mishap: Mishap::answer(503, "", "") }),
        login: Login::After { delay: 40 * SECOND, person: Person::default() },
        limits: RateLimits::Documented,
        ..Settings::default()
    }
}

fn gateway(region: Region, takeover: Takeover) -> Gateway {
    let base = BaseUrl::parse("https://localhost:5000/v1/api").unwrap();
    Gateway::new(&base).unwrap().region(region).takeover(takeover)
}

impl Week {
    /// Begins at noon (UTC) of a day.
    fn new(date: &str, settings: Settings, takeover: Takeover, options: Options) -> Self {
        let start = Timestamp::from_http_date(&format!("{date} 12:00:07 GMT")).unwrap();
        let region = settings.region;
        let session = Session::new(gateway(region, takeover), options, seed());
        let mut world = World::new(session, sim::ibkr::GatewaySim::new(settings)).at(start);
        world.latency = Duration::from_millis(40);
        Self { world, start, region, allowed: None, back: [Duration::ZERO; 2], had_rival: false, naps: 0 }
    }

    fn at(&self, day: u32, hour: u32) -> Timestamp {
        self.start + DAY * day + HOUR * hour
    }

    /// A rival comes and leaves.
    fn visits(&mut self, day: u32, hour: u32, stays: Duration, rival: Rival) {
        let at = self.at(day, hour) + 17 * SECOND;
        self.world.server.schedule(at, Lever::RivalTakes(rival));
        self.world.server.schedule(at + stays, Lever::RivalLeaves);
    }

    #[track_caller]
    fn runs_to(&mut self, until: Timestamp) {
        while self.world.now < until {
            self.world.runs_for(GLANCE.min(until.since(self.world.now)));
            self.glances();
        }
    }

    #[track_caller]
    fn sleeps(&mut self, time: Duration) {
        self.world.sleeps(time);
        self.naps += 1;
        // The way back begins when the laptop wakes.
        self.allowed = None;
    }

    #[track_caller]
    fn glances(&mut self) {
        let world = &mut self.world;
        assert!(world.closed.is_none(), "{:?}\n{}", world.closed, tail(&world.transcript));
        world.server.advance(world.now);
        let holder = world.server.holder();
        let (now, usable) = (world.now, world.machine.phase() == Phase::Active && holder == Holder::Client);
        let midnight = self.region.last_midnight(now);
        let outage = now.since(midnight) < MAINTENANCE;
        self.had_rival |= holder == Holder::Rival;
        if usable {
            if let Some(since) = self.allowed.take() {
                let worst = &mut self.back[usize::from(self.had_rival)];
                *worst = (*worst).max(now.since(since));
            }
            self.had_rival = false;
        } else if outage || holder == Holder::Rival || world.server.person().is_none() {
            self.allowed = None;
        } else {
            let since = *self.allowed.get_or_insert(now);
            assert!(now.since(since) <= BACK, "not back after {:?}\n{}", now.since(since), tail(&world.transcript));
        }
    }

    fn count(&self, wanted: impl Fn(&Happening) -> bool) -> usize {
        self.world.server.count(wanted)
    }

    fn times(&self, wanted: impl Fn(&Happening) -> bool) -> Vec<Timestamp> {
        self.world.server.log().iter().filter(|logged| wanted(&logged.what)).map(|logged| logged.at).collect()
    }

    fn told(&self, code: &str) -> usize {
        self.world.told.iter().filter(|event| event.code() == code).count()
    }

    fn asked_for(&self, kind: NeedKind) -> usize {
        self.world.transcript.matches(&format!("needs {} because", kind.code())).count()
    }

    /// What holds of every week.
    #[track_caller]
    fn was_well_behaved(&self) {
        // The limits are the simulator's: had they been passed, it would have boxed the client.
        assert_eq!(self.count(|what| matches!(what, Happening::Boxed | Happening::Answered { status: 429, .. })), 0);
        // The server needs a person once at first, and once for each login that has ended.
        let ended = self.count(|what| matches!(what, Happening::LoginEnded(_)));
        assert_eq!(self.asked_for(NeedKind::Browser), 1 + ended, "{}", tail(&self.world.transcript));
        // A session that is kept alive idles out only while the laptop sleeps.
        let idle = self.count(|what| matches!(what, Happening::BrokerageEnded(End::Idle)));
        assert!(idle <= self.naps, "idled out {idle} times");
        // No init hits a session that is there.
        assert_eq!(self.count(|what| matches!(what, Happening::BrokerageEnded(End::Init))), 0);
        let inits = self.times(|what| matches!(what, Happening::Answered { call: Call::Init, .. }));
        for day in 0..8 {
            let today = inits.iter().filter(|at| at.since(self.start).as_secs() / 86_400 == day).count();
            assert!(today <= 100, "{today} inits on day {day}");
        }
        assert_eq!(self.told("expired"), 0);
    }
}

fn tail(transcript: &str) -> &str {
    let lines: Vec<_> = transcript.match_indices('\n').map(|(at, _)| at).collect();
    lines.len().checked_sub(80).and_then(|line| transcript.get(lines[line]..)).unwrap_or(transcript)
}

/// The week of the story, with everything in it.
#[track_caller]
fn lives(days: u32, date: &str, region: Region, trouble: Mishap) -> Week {
    let settings = Settings { flaky: Some(Flaky { percent: 7, mishap: trouble }), ..settings(region) };
    let mut week = Week::new(date, settings, WAIT, Options::default());
    for (day, hour, stays, shows, refusal) in [
        (0, 3, 20 * MINUTE, true, RefusedInit::Passed),
        (1, 2, 3 * HOUR, false, RefusedInit::Passed),
        (2, 7, 2 * MINUTE, false, RefusedInit::Fail),
        // Over all the regions' midnights.
        (4, 2, 18 * HOUR, false, RefusedInit::Fail),
        (6, 1, 30 * SECOND, true, RefusedInit::Fail),
    ] {
        week.visits(day, hour, stays, Rival { shows, refusal, returns: None });
    }
    // Eight hours of sleep at noon and over the midnight of each region.
    for (day, hour) in [(1, 9), (2, 0), (3, 8), (5, 0), (5, 13)] {
        if day < days {
            week.runs_to(week.at(day, hour));
            week.sleeps(8 * HOUR);
        }
    }
    week.runs_to(week.at(days, 0));
    week.was_well_behaved();
    // Nobody was thrown out, and the settings are told to be lost for each session that began.
    assert_eq!(week.count(|what| matches!(what, Happening::TookOver)), 0);
    let opened = week.count(|what| matches!(what, Happening::Opened { .. }));
    let lost = week.told("settings-lost");
    assert!(lost <= opened && lost >= days as usize, "{lost} of {opened}");
    // Where no rival had it, a person's login, a wake-up or an end of the maintenance is seen soon.
    assert!(week.back[0] <= 90 * SECOND, "{:?}", week.back);
    assert_eq!(week.world.machine.phase(), Phase::Active);
    week.world.logs_out();
    assert_eq!(week.world.runs_to_end().code(), "logged-out");
    week
}

#[test]
fn an_ordinary_week_in_every_region() {
    for region in Region::ALL {
        let week = lives(7, "Mon, 08 Jun 2026", region, Mishap::answer(503, "", ""));
        // Each night is told, however the laptop slept.
        assert_eq!(week.told("reset"), 7, "{region}");
    }
}

#[test]
fn the_weeks_in_which_clocks_change() {
    for (date, region) in [
        ("Thu, 05 Mar 2026", Region::NewYork),
        ("Thu, 29 Oct 2026", Region::NewYork),
        ("Thu, 26 Mar 2026", Region::Zug),
        ("Thu, 22 Oct 2026", Region::Zug),
        ("Thu, 26 Mar 2026", Region::HongKong),
    ] {
        let week = lives(7, date, region, Mishap::answer(503, "", ""));
        // On a day of 25 hours the login wears out before midnight.
        let worn = week.count(|what| matches!(what, Happening::LoginEnded(End::Maximum)));
        assert_eq!(worn, usize::from(date.contains("Oct")), "{region}");
        // One that wears out while the laptop sleeps is found together with midnight.
        assert!((7..=7 + worn).contains(&week.told("reset")), "{region}");
        // A midnight is checked when it comes, not an hour off.
        for midnight in week.times(|what| matches!(what, Happening::Midnight)) {
            let looked = week.world.server.log().iter().find(|logged| {
                logged.at >= midnight
                    && matches!(logged.what, Happening::Answered { call: Call::Status | Call::Tickle, .. })
            });
            let after = looked.map(|looked| looked.at.since(midnight));
            assert!(after.is_some_and(|after| after <= 8 * SECOND || after >= HOUR), "{midnight:?}: {after:?}");
        }
    }
}

#[test]
fn however_the_tickles_fail() {
    for trouble in [
        Mishap::Lost,
        Mishap::Dropped,
        Mishap::Truncated,
        Mishap::MalformedJson,
        Mishap::Slow(15 * SECOND),
        Mishap::answer(500, "text/plain", "Internal Server Error"),
        Mishap::answer(502, "text/html", "<html>Bad Gateway</html>"),
        Mishap::answer(200, "text/html", "<html>Access Denied</html>"),
        Mishap::answer(200, "", ""),
        Mishap::answer(200, "application/json", r#"{"error":"failed to process request"}"#),
        // One that lies: the login lives.
        Mishap::answer(401, "text/plain", "Unauthorized"),
        Mishap::answer(200, "application/json", r#"{"error":"no session"}"#),
    ] {
        lives(2, "Mon, 08 Jun 2026", Region::Zug, trouble);
    }
}

#[test]
fn a_week_whose_nights_end_the_inner_tier_alone() {
    let settings = Settings { midnight: Midnight::EndsBrokerage, ..settings(Region::NewYork) };
    let mut week = Week::new("Mon, 08 Jun 2026", settings, WAIT, Options::default());
    week.runs_to(week.at(6, 20));
    week.was_well_behaved();
    // A login lasts a day at most, whatever the night did: that is no failure either.
    let ended = week.count(|what| matches!(what, Happening::LoginEnded(End::Maximum)));
    assert_eq!((ended, week.told("reset")), (6, 7 + 6));
    assert!(week.back[0] <= 2 * MINUTE, "{:?}", week.back);
    assert_eq!(week.count(|what| matches!(what, Happening::TookOver)), 0);
}

#[test]
fn who_always_takes_over_keeps_the_budget_and_the_peace() {
    let mut week = Week::new("Mon, 08 Jun 2026", settings(Region::Zug), Takeover::ALWAYS, Options::default());
    // A phone that comes back a minute after it was thrown out, all day long.
    let phone = Rival { shows: false, refusal: RefusedInit::Passed, returns: Some(MINUTE) };
    week.world.server.schedule(week.at(0, 2), Lever::RivalTakes(phone));
    week.world.runs_for(3 * DAY);
    let taken = week.times(|what| matches!(what, Happening::TookOver));
    let thrown_out = week.times(|what| matches!(what, Happening::RivalTook));
    assert!((20..=40).contains(&taken.len()), "{}", taken.len());
    for at in &taken {
        let before = thrown_out.iter().rev().find(|out| *out <= at).unwrap();
        // Or it was taken at an opening, right after a person's login.
        let login = week.times(|what| matches!(what, Happening::LoggedIn { .. }));
        let fresh = login.iter().any(|login| login <= at && at.since(*login) < 2 * MINUTE);
        assert!(fresh || at.since(*before) >= 15 * MINUTE, "{:?} after it was thrown out", at.since(*before));
    }
    for midnight in week.times(|what| matches!(what, Happening::Midnight)) {
        let tonight = taken.iter().filter(|at| **at >= midnight && at.since(midnight) < DAY).count();
        assert!(tonight <= 10, "{tonight} takeovers in a day");
    }
    assert_eq!(week.count(|what| matches!(what, Happening::Boxed)), 0);
}

#[test]
fn an_owner_who_is_asked_decides_each_time() {
    let mut week = Week::new("Mon, 08 Jun 2026", settings(Region::HongKong), Takeover::Ask, Options::default());
    for day in 0..7 {
        week.visits(day, 8, 5 * HOUR, Rival { shows: day % 2 == 0, ..Rival::default() });
    }
    let mut asked = 0;
    // The owner says yes on every other day.
    week.world = week.world.answering(move |need| {
        if need.kind != NeedKind::Takeover {
            return None;
        }
        asked += 1;
        (asked % 2 == 0).then_some((Input::TakeOver, Source::Person))
    });
    week.runs_to(week.at(7, 0));
    week.was_well_behaved();
    assert_eq!((week.asked_for(NeedKind::Takeover), week.count(|what| *what == Happening::TookOver)), (7, 3));
    assert!(week.count(|what| matches!(what, Happening::Opened { by: Opener::Init, compete: true })) == 3);
}

#[test]
fn nobody_comes_for_two_days() {
    let settings = Settings { login: Login::Never, ..settings(Region::NewYork) };
    let mut week = Week::new("Mon, 08 Jun 2026", settings, WAIT, Options::default());
    week.world.runs_for(2 * DAY);
    week.world.server.pull(week.world.now, Lever::LogIn(Person::default()));
    let login = week.world.now;
    week.world.is_active();
    assert!(week.world.now.since(login) <= 30 * SECOND);
    assert_eq!(week.asked_for(NeedKind::Browser), 1);
    assert_eq!(
        week.count(|what| matches!(what, Happening::Boxed | Happening::Answered { call: Call::Validate, .. })),
        0
    );
    let phases = week.world.told.iter().filter(|event| matches!(event, Event::PhaseChanged { .. })).count();
    assert!(phases <= 6, "{phases}");
}

#[test]
fn a_refused_init_slows_the_next_ones_down_whatever_it_says_of_the_connection() {
    let mut week = Week::new("Mon, 08 Jun 2026", settings(Region::NewYork), WAIT, Options::default());
    week.world.is_active();
    let rival = Rival { shows: false, refusal: RefusedInit::Passed, returns: None };
    week.world.server.pull(week.world.now, Lever::RivalTakes(rival));
    week.world.server.pull(week.world.now, Lever::EndBrokerage { connected: false });
    week.world.runs_for(6 * HOUR);
    let inits = week.count(|what| matches!(what, Happening::Answered { call: Call::Init, .. }));
    assert!((12..=30).contains(&inits), "{inits} inits in six hours");
}

#[test]
fn a_person_is_waited_for_at_the_pace_of_failures_while_the_server_is_down() {
    let settings = Settings { login: Login::Never, ..settings(Region::NewYork) };
    let mut week = Week::new("Mon, 08 Jun 2026", settings, WAIT, Options::default());
    week.world.runs_for(MINUTE);
    assert_eq!(week.asked_for(NeedKind::Browser), 1);
    let lasts = 3 * HOUR;
    week.world.server.pull(week.world.now, Lever::Outage { lasts, outage: sim::ibkr::Outage::Page502 });
    let before = week.world.sent.len();
    week.world.runs_for(lasts);
    let sent = week.world.sent.len() - before;
    // The longest step back is half a minute, and half of it is fixed.
    assert!((3 * 120..=3 * 240).contains(&sent), "{sent} looks in three hours");
}

#[test]
fn a_process_that_is_killed_again_and_again_loses_nothing() {
    let mut week = Week::new("Mon, 08 Jun 2026", settings(Region::Zug), WAIT, Options::default());
    for hour in 0..40 {
        week.runs_to(week.at(0, hour) + 7 * MINUTE);
        week.world.resumes(|snapshot, now| {
            let gateway = gateway(Region::Zug, WAIT);
            Session::resume(gateway, snapshot, Options::default(), None, seed(), now).unwrap()
        });
        week.world.checks();
    }
    week.runs_to(week.at(2, 0));
    let ended = week.count(|what| matches!(what, Happening::LoginEnded(_)));
    assert!(week.asked_for(NeedKind::Browser) <= 2 + ended);
    assert_eq!(week.count(|what| matches!(what, Happening::Boxed)), 0);
    assert!(week.back[0] <= 90 * SECOND, "{:?}", week.back);
}

#[test]
fn a_program_that_tickles_and_validates_by_itself_is_not_boxed_for_it() {
    // The paces of the documentation leave it one tickle a second and one validation a minute, for all of an address.
    for (tickles, validates) in [(7 * SECOND, 70 * SECOND), (60 * SECOND, 65 * SECOND), (SECOND * 3 / 2, 62 * SECOND)] {
        let mut week = Week::new("Mon, 08 Jun 2026", settings(Region::NewYork), WAIT, Options::default());
        week.world.is_active();
        // The session has had its own validation of the first minute, and its last tickle is some seconds old.
        week.world.runs_for(3 * MINUTE + 20 * SECOND);
        let (mut tickled, mut validated) = (week.world.now, week.world.now);
        for hour in 0..10 {
            let end = week.world.now + HOUR;
            if hour % 3 == 1 {
                week.world.server.pull(week.world.now, Lever::EndBrokerage { connected: hour % 2 == 0 });
            }
            while week.world.now < end {
                let next = (tickled + tickles).min(validated + validates);
                week.world.runs_for(next.since(week.world.now));
                if tickled + tickles <= next {
                    tickled = next;
                    let _ = week.world.calls(http::Method::POST, "/tickle");
                }
                if validated + validates <= next {
                    validated = next;
                    let _ = week.world.calls(http::Method::GET, "/sso/validate");
                }
            }
        }
        let boxed = week.count(|what| matches!(what, Happening::Boxed));
        assert_eq!(boxed, 0, "{tickles:?} {validates:?}\n{}", tail(&week.world.transcript));
        assert_eq!(week.world.machine.phase(), Phase::Active);
        assert!(!week.world.machine.status().suspect);
    }
}
