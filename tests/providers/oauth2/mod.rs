//! Sessions of an OAuth 2 server before its simulator, in virtual time: each grant, each trap, and the reports of what broke
//! in well-known clients.

mod clients;
mod codes;
mod consent;
mod golden;
mod looks;
mod renewal;
mod reports;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use crate::support::seed;
use crate::support::world::{Dies, World};
use http::{Method, Request};
use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2, Rotation, Server};
use sansession::sim::oauth2::{Browsed, Client, Outcome, Person};
use sansession::sim::{self, Mishap, Network, Reply, Simulator, Weather};
use sansession::{
    Input, Machine, Need, NeedKind, Options, Phase, Relogin, Secret, Seed, Session, Source, Timestamp, WaitingOn,
};

pub const ISSUER: &str = "https://login.example.org";
pub const BACK: &str = "http://127.0.0.1:8400/callback";
pub const MINUTE: Duration = Duration::from_secs(60);
pub const HOUR: Duration = Duration::from_secs(3_600);
pub const DAY: Duration = Duration::from_secs(86_400);

/// The server, which the person's browser reaches as well.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<sim::OAuth2Sim>>);

impl Shared {
    pub fn get(&self) -> MutexGuard<'_, sim::OAuth2Sim> {
        self.0.lock().unwrap()
    }

    /// What a person does who is asked.
    pub fn person(&self, need: &Need, now: Timestamp) -> Option<Input> {
        let url = need.url.as_deref()?;
        match need.kind {
            NeedKind::Redirect => match self.get().browse(now, url) {
                Browsed::Redirect(back) => Some(Input::Redirect(Secret::new(back))),
                Browsed::Page(_) => None,
            },
            NeedKind::Browser => {
                let code = need.prompt.as_ref()?.user_code.clone()?;
                self.get().approve_device(now, &code);
                None
            }
            _ => None,
        }
    }
}

impl Simulator for Shared {
    fn handle(&mut self, now: Timestamp, peer: std::net::IpAddr, request: &Request<Vec<u8>>) -> Reply {
        self.get().handle(now, peer, request)
    }
}

pub type Life = World<Session<OAuth2>, Shared>;

pub fn server() -> Shared {
    let mut server = sim::OAuth2Sim::new(ISSUER, 1);
    server.add_client(Client::public("app").redirect(BACK));
    server.add_client(Client::basic("daemon", "s:c%r +t"));
    Shared(Arc::new(Mutex::new(server)))
}

pub fn provider(grant: Grant, client: ClientOf) -> OAuth2 {
    OAuth2::new(Server::issuer(ISSUER).unwrap(), grant, client).scopes("read", "read write")
}

pub fn by_code() -> OAuth2 {
    provider(Grant::Code { redirect: BACK.into() }, ClientOf::public("app"))
}

pub fn options() -> Options {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 5 };
    options
}

pub fn life(server: &Shared, provider: OAuth2) -> Life {
    World::new(Session::new(provider, options(), seed()), server.clone())
}

/// Lets a life go on for so long with a person who answers at once; gives how often the person was asked.
pub fn lives(life: &mut Life, time: Duration) -> usize {
    let (end, mut asked, mut last) = (life.now + time, 0, None);
    while life.now < end && life.closed.is_none() {
        life.runs_to(end, |life| open_need(&life.machine).is_some_and(|need| Some(need.id) != last));
        match open_need(&life.machine).filter(|need| Some(need.id) != last) {
            Some(need) => {
                (asked, last) = (asked + 1, Some(need.id));
                if let Some(input) = life.server.person(&need, life.now) {
                    let _ = life.machine.handle_input(life.now, need.id, input, Source::Person);
                }
            }
            None => break,
        }
    }
    if life.closed.is_none() {
        life.now = life.now.max(end);
    }
    asked
}

pub fn open_need(session: &Session<OAuth2>) -> Option<Need> {
    match session.status().on {
        WaitingOn::Need(need) => Some(need),
        _ => None,
    }
}

fn works(life: &mut Life) -> bool {
    life.calls(Method::GET, "/api/quotes").is_ok_and(|answer| answer.status() == 200)
}

#[test]
fn a_day_of_a_code_grant_has_no_gap_and_ends_with_both_tokens_revoked() {
    let server = server();
    let mut life = life(&server, by_code());
    assert_eq!(lives(&mut life, MINUTE), 1);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    for _ in 0..24 * 12 {
        assert_eq!(lives(&mut life, 5 * MINUTE), 0, "{}", life.transcript);
        assert!(works(&mut life), "{}", life.transcript);
    }
    let refreshed = server.get().count(Outcome::Refreshed);
    assert!((145..200).contains(&refreshed), "one renewal per life of 10 minutes: {refreshed}");
    assert!(life.saved.is_some(), "a rotated token is stored without being asked to");
    life.logs_out();
    assert_eq!(life.runs_to_end().code(), "logged-out", "{}", life.transcript);
    assert_eq!(server.get().live_consents(life.now), 0);
    assert_eq!(server.get().count(Outcome::Reused), 0);
}

#[test]
fn a_machine_is_granted_its_tokens_alone() {
    let server = server();
    let mut life = life(&server, provider(Grant::ClientCredentials, ClientOf::basic("daemon", "s:c%r +t")));
    assert_eq!(lives(&mut life, DAY), 0);
    assert!(works(&mut life), "{}", life.transcript);
    assert!(server.get().count(Outcome::Granted) > 140);
}

#[test]
fn a_wrong_secret_is_the_configurations_fault() {
    let server = server();
    let mut life = life(&server, provider(Grant::ClientCredentials, ClientOf::basic("daemon", "wrong")));
    assert_eq!(life.runs_to_end().code(), "denied.rejected", "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::ClientRefused), 1);
}

#[test]
fn a_device_is_approved_while_the_session_polls() {
    let server = server();
    server.get().settings.interval = Some(5);
    let mut life = life(&server, provider(Grant::Device, ClientOf::public("app")));
    life.runs_for(MINUTE);
    assert!(server.get().count(Outcome::Pending) >= 8, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::SlowedDown), 0);
    assert!(life.told.iter().any(|event| event.code() == "action-required"));
    let need = open_need(&life.machine).unwrap();
    assert_eq!(need.kind, NeedKind::Browser);
    server.person(&need, life.now);
    life.runs_for(MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
    assert_eq!(lives(&mut life, HOUR), 0);
    assert!(works(&mut life));
}

#[test]
fn a_declined_device_denies_and_one_that_is_over_is_begun_anew_on_a_word() {
    let server = server();
    let mut life = life(&server, provider(Grant::Device, ClientOf::public("app")));
    life.runs_for(11 * MINUTE);
    let need = open_need(&life.machine).unwrap();
    assert_eq!((need.because.code(), server.get().count(Outcome::DeviceBegun)), ("stale", 1), "{}", life.transcript);
    let _ = life.machine.handle_input(life.now, need.id, Input::Done, Source::Person);
    life.runs_for(MINUTE);
    assert_eq!(server.get().count(Outcome::DeviceBegun), 2, "{}", life.transcript);
    let url = open_need(&life.machine).unwrap().url.unwrap();
    let code = url.split_once("user_code=").unwrap().1.to_owned();
    assert!(server.get().decline_device(life.now, &code));
    assert_eq!(life.runs_to_end().code(), "denied.rejected", "{}", life.transcript);
}

#[test]
fn a_given_refresh_token_opens_a_session_without_a_browser() {
    let server = server();
    let mut first = life(&server, by_code());
    lives(&mut first, MINUTE);
    let token = server.get().issued().iter().rfind(|text| text.starts_with("rt-")).unwrap().clone();
    let given = Given::refresh(Secret::new(token));
    let session = Session::adopt(provider(Grant::Given, ClientOf::public("app")), given, options(), seed()).unwrap();
    let mut life = World::new(session, server).at(first.now);
    assert_eq!(lives(&mut life, HOUR), 0);
    assert!(works(&mut life), "{}", life.transcript);
}

#[test]
fn a_person_who_says_no_is_believed() {
    let server = server();
    server.get().settings.person = Person::Declines;
    let mut life = life(&server, by_code());
    lives(&mut life, MINUTE);
    assert_eq!(life.closed.map(|reason| reason.code()), Some("denied.rejected"), "{}", life.transcript);
}

#[test]
fn another_redirect_leaves_the_question_open() {
    let server = server();
    let mut life = life(&server, by_code());
    life.runs_for(MINUTE);
    let need = open_need(&life.machine).unwrap();
    for text in [
        "http://127.0.0.1:8400/callback?code=x&state=another",
        "http://127.0.0.1:8400/callback?code=x",
        "http://127.0.0.1:8400/callback?error=access_denied&state=another",
        "http://127.0.0.1:8400/callback?code=x&code=y&state=z",
        "http://evil.example.org/callback?code=x&state=z",
        "x",
    ] {
        let answered = life.machine.handle_input(life.now, need.id, Input::Redirect(text.into()), Source::Person);
        assert!(matches!(answered, sansession::InputHandled::Rejected(_)), "{text}: {answered:?}");
    }
    assert_eq!(open_need(&life.machine).unwrap().id, need.id);
    assert_eq!(lives(&mut life, MINUTE), 1);
    assert_eq!(life.machine.phase(), Phase::Active, "{}", life.transcript);
}

#[test]
fn metadata_of_another_issuer_are_not_used() {
    for other in ["https://login.example.org/", "https://evil.example.org"] {
        let server = server();
        server.get().settings.calls_itself = Some(other.into());
        let mut life = life(&server, by_code());
        assert_eq!(life.runs_to_end().code(), "protocol", "{}", life.transcript);
        assert_eq!(life.sent.len(), 1, "no path is guessed");
    }
}

#[test]
fn a_scope_that_is_forbidden_or_missing_is_given_back() {
    for scope in ["read admin", "write"] {
        let server = server();
        server.get().settings.scope = Some(scope.into());
        let mut life = life(&server, by_code());
        lives(&mut life, MINUTE);
        assert_eq!(
            life.closed.as_ref().map(|reason| reason.code()),
            Some("denied.not-entitled"),
            "{}",
            life.transcript
        );
        assert_eq!(server.get().live_consents(life.now), 0, "they were revoked");
    }
}

#[test]
fn a_consent_that_ends_is_asked_for_before_and_calls_go_on() {
    let server = server();
    server.get().settings.absolute = Some(7 * DAY);
    let mut life = life(&server, by_code().refresh_lasts(7 * DAY));
    lives(&mut life, MINUTE);
    life.runs_to(life.now + 7 * DAY, |life| open_need(&life.machine).is_some());
    let asked = life.now.since(crate::support::START);
    assert!((6 * DAY..7 * DAY).contains(&asked), "asked after {asked:?}");
    life.runs_for(5 * HOUR);
    assert!(works(&mut life), "{}", life.transcript);
    for _ in 0..30 * 24 {
        lives(&mut life, HOUR);
        assert!(works(&mut life), "{}", life.transcript);
    }
    let consents = server
        .get()
        .log()
        .filter(|entry| entry.outcome == Outcome::Consented)
        .map(|entry| entry.at)
        .collect::<Vec<_>>();
    assert!((5..7).contains(&consents.len()), "about one a week: {consents:?}");
}

#[test]
fn a_server_that_does_not_rotate_is_learnt_or_configured() {
    for (rotation, before) in [(Rotation::Fixed, 0), (Rotation::Unknown, 3)] {
        let server = server();
        server.get().settings.rotates = false;
        let mut life = life(&server, by_code().rotation(rotation));
        lives(&mut life, MINUTE + before * 10 * MINUTE);
        server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
        assert_eq!(lives(&mut life, HOUR), 0, "{rotation:?}\n{}", life.transcript);
        assert!(works(&mut life));
    }
}

#[test]
fn a_grace_is_used_while_it_lasts() {
    let server = server();
    server.get().settings.grace = MINUTE;
    let mut life = life(&server, by_code().rotation(Rotation::Grace(MINUTE)));
    lives(&mut life, MINUTE);
    server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
    assert_eq!(lives(&mut life, HOUR), 0, "{}", life.transcript);
    assert_eq!(server.get().count(Outcome::Forgiven), 1);
    assert_eq!(server.get().count(Outcome::Reused), 0);
}

/// Months on a bad network in processes that die: a rotated token never leaves twice.
#[test]
fn no_rotated_token_leaves_twice_whatever_is_lost_and_whoever_dies() {
    for seed in 1..4 {
        let server = server();
        server.get().settings.access_life = HOUR;
        let network = Network::new(server.clone(), Weather::FOUL, seed);
        let mut options = options();
        options.relogin = Relogin::AskAgain { per_day: 100 };
        options.durable = seed % 2 == 0;
        let new = |options: &Options| Session::new(by_code(), options.clone(), Seed::new([seed as u8; 32]));
        let mut life = World::new(new(&options), network);
        let (mut last, mut asked, mut deaths) = (None, 0, 0);
        for hour in 0..120 * 24_u64 {
            if hour % 31 == seed {
                life.dies = Some([Dies::BeforeSave, Dies::AfterSave, Dies::AfterSend][(hour % 3) as usize]);
            }
            let end = life.now + HOUR;
            while life.now < end && life.closed.is_none() {
                let dying = life.dies.is_some();
                life.runs_to(end, |life| open_need(&life.machine).is_some_and(|need| Some(need.id) != last));
                if dying && life.dies.is_none() {
                    deaths += 1;
                    let session = match &life.saved {
                        Some(saved) => {
                            let seed = Seed::new([(hour % 200) as u8 + 1; 32]);
                            Session::resume(by_code(), saved, options.clone(), None, seed, life.now).unwrap()
                        }
                        None => new(&options),
                    };
                    // Each life has a file of its own epoch from its first save on.
                    life.replaces(session);
                    life.saved = Some(life.machine.snapshot());
                    last = None;
                    continue;
                }
                let Some(need) = open_need(&life.machine).filter(|need| Some(need.id) != last) else { break };
                (asked, last) = (asked + 1, Some(need.id));
                if let Some(input) = server.person(&need, life.now) {
                    let _ = life.machine.handle_input(life.now, need.id, input, Source::Person);
                }
            }
            if life.closed.is_some() {
                panic!("{:?}\n{}", life.closed, life.transcript);
            }
            life.now = life.now.max(end);
            assert_eq!(server.get().count(Outcome::Reused), 0, "seed {seed}\n{}", life.transcript);
            assert_eq!(server.get().count(Outcome::CodeReused), 0, "seed {seed}\n{}", life.transcript);
            server.get().take_log();
        }
        assert!(deaths > 20, "{deaths}");
        assert!(asked < 1 + deaths + life.server.faults() as usize, "{asked} questions");
        println!("seed {seed}: {deaths} deaths, {} faults, {asked} questions", life.server.faults());
    }
}
