//! Kotak's Trade API and Neo on their simulators, in virtual time.

mod bodies;
mod golden;
mod hosts;
mod neo;
mod rubble;
mod trade_api;

use std::time::Duration;

use crate::support::world::{Dies, World};
use crate::support::{START, durable, seed};
use http::{Method, StatusCode};
use sansession::providers::kotak::{Neo, TradeApi};
use sansession::sim::Mishap;
use sansession::sim::Simulator;
use sansession::sim::kotak::neo::Account;
use sansession::sim::kotak::trade_api::User;
use sansession::sim::kotak::{self as sim, Log};
use sansession::{
    BaseUrl, Credentials, Event, Input, InputHandled, Machine, Need, NeedKind, Options, Phase, Provider, Secret,
    Session, Snapshot, Source, Timestamp, WaitingOn,
    machine::{NeedReason, Totp},
    totp,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

const PASSWORD: &str = "correct horse";
const MPIN: &str = "654321";
const DASHBOARD: &str = "dashboard-token";
/// The key of RFC 6238's examples.
const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

const TRADE: &str = "https://tradeapi.kotaksecurities.com/apim";
const NEO: &str = "https://mis.kotaksecurities.com";
const OWN: &str = "https://e43.kotaksecurities.com";

const TRADE_CALL: &str = "/reports/1.0/orders";
const NEO_CALL: &str = "/quick/user/orders";

const PAGE: &str = "<html><body>Something went wrong</body></html>";

type Trade = World<Session<TradeApi>, sim::TradeApiSim>;
type Sessions = World<Session<Neo>, sim::NeoSim>;

fn url(text: &str) -> BaseUrl {
    BaseUrl::parse(text).unwrap()
}

fn user() -> User {
    User::new("USER1", PASSWORD)
}

/// The Trade API for somebody who has no secret of an application.
fn trade_provider() -> TradeApi {
    TradeApi::new(url(TRADE), "USER1", "key").unwrap()
}

fn renewing() -> TradeApi {
    trade_provider().consumer_secret("secret").unwrap()
}

fn trade_with(provider: TradeApi, user: User, options: Options) -> Trade {
    let server = sim::TradeApiSim::kotak().app("key", "secret").user(user);
    World::new(Session::new(provider, options, seed()), server)
}

fn trade(provider: TradeApi) -> Trade {
    trade_with(provider, user(), Options::default())
}

/// A session of the Trade API that waits for its password; its bearer came from a person.
fn trade_asks() -> Trade {
    let mut world = trade(trade_provider());
    give_bearer(&mut world);
    needs(&mut world, NeedKind::Credentials, NeedReason::Opening);
    world
}

fn give_bearer(world: &mut Trade) {
    needs(world, NeedKind::GatewayToken, NeedReason::Opening);
    let bearer = world.server.issue_bearer(world.now);
    gives(world, Input::Token(bearer.into()));
}

/// A session of the Trade API that waits for its access code.
fn trade_half() -> Trade {
    let mut world = trade_asks();
    gives(&mut world, password(PASSWORD));
    needs(&mut world, NeedKind::AccessCode, NeedReason::Opening);
    world
}

fn trade_active() -> Trade {
    let mut world = trade_half();
    let code = access_code(&world);
    gives(&mut world, code);
    world.is_active();
    world
}

/// Opens a session that renews its bearers by itself.
fn log_in(world: &mut Trade) {
    needs(world, NeedKind::Credentials, NeedReason::Opening);
    gives(world, password(PASSWORD));
    needs(world, NeedKind::AccessCode, NeedReason::Opening);
    let code = access_code(world);
    gives(world, code);
    world.is_active();
}

fn password(text: &str) -> Input {
    Input::Credentials(Credentials::new("USER1", text).unwrap())
}

fn access_code(world: &Trade) -> Input {
    Input::Code(user().access_code(world.now).into())
}

fn neo_provider() -> Neo {
    Neo::new(url(NEO), "ABC12", "0000000000").unwrap().dashboard_token(DASHBOARD).unwrap()
}

fn neo_server() -> sim::NeoSim {
    let account = Account::new("ABC12", "+910000000000", MPIN, DASHBOARD, url(OWN));
    sim::NeoSim::new(url(NEO)).account(account.accepts_totp(|at| shown(at).code().to_owned()))
}

fn neo_with(options: Options) -> Sessions {
    World::new(Session::new(neo_provider(), options, seed()), neo_server())
}

/// A session of Neo that waits for its authenticator's code.
fn neo_asks() -> Sessions {
    let mut world = neo_with(Options::default());
    needs(&mut world, NeedKind::Totp, NeedReason::Opening);
    world
}

/// A session of Neo that waits for its MPIN.
fn neo_half() -> Sessions {
    let mut world = neo_asks();
    give_code(&mut world);
    needs(&mut world, NeedKind::Pin, NeedReason::Opening);
    world
}

fn neo_active() -> Sessions {
    let mut world = neo_half();
    gives(&mut world, Input::Pin(MPIN.into()));
    world.is_active();
    world
}

/// What the authenticator shows.
fn shown(at: Timestamp) -> Totp {
    totp::code(&Secret::from(TOTP_SECRET), at).unwrap()
}

fn give_code(world: &mut Sessions) {
    let code = shown(world.now);
    gives(world, Input::Totp(code));
}

/// Lets the session live until it asks for something.
#[track_caller]
fn needs<M: Machine, S: Simulator>(world: &mut World<M, S>, kind: NeedKind, because: NeedReason) -> Need {
    world.runs_until(|world| open_need(&world.machine).is_some() || world.closed.is_some());
    let need = open_need(&world.machine).unwrap_or_else(|| panic!("no need\n{}", world.transcript));
    assert_eq!((need.kind, need.because), (kind, because), "\n{}", world.transcript);
    need
}

fn open_need(machine: &impl Machine) -> Option<Need> {
    match machine.status().on {
        WaitingOn::Need(need) => Some(need),
        _ => None,
    }
}

#[track_caller]
fn gives<M: Machine, S: Simulator>(world: &mut World<M, S>, input: Input) {
    assert_eq!(is_given(world, input, Source::Person), InputHandled::Used, "\n{}", world.transcript);
}

fn is_given<M: Machine, S: Simulator>(world: &mut World<M, S>, input: Input, by: Source) -> InputHandled {
    let need = open_need(&world.machine).unwrap_or_else(|| panic!("no need\n{}", world.transcript));
    world.machine.handle_input(world.now, need.id, input, by)
}

/// Lets the session live until only a person, or much time, changes anything, and says what came of it.
#[track_caller]
fn settles<P: Provider + Send, S: Simulator>(world: &mut World<Session<P>, S>) -> String {
    let before = world.told.len();
    world.runs_until(|world| {
        let status = world.machine.status();
        let idle = matches!(status.on, WaitingOn::Nothing | WaitingOn::Expiry | WaitingOn::Renewal);
        world.closed.is_some() || open_need(&world.machine).is_some() || idle && !status.suspect
    });
    let notable =
        ["refused", "penalty", "suspect", "recovered", "expired", "may-live-on", "ip-not-allowed", "base-url-assumed"];
    let told = world.told.iter().skip(before).map(Event::code).filter(|code| notable.contains(code));
    let mut story: Vec<String> = told.map(str::to_owned).collect();
    story.push(match (&world.closed, open_need(&world.machine)) {
        (Some(reason), _) => format!("closed {}", reason.code()),
        (None, Some(need)) => format!("needs {} ({})", need.kind.code(), need.because.code()),
        (None, None) => world.machine.phase().code().to_owned(),
    });
    story.join(", ")
}

/// Counts the requests that left to a path that ends so.
fn sent<M, S>(world: &World<M, S>, end: &str) -> usize {
    world.sent.iter().filter(|line| line.ends_with(end)).count()
}

fn was_told<M, S>(world: &World<M, S>, code: &str) -> bool {
    world.told.iter().any(|event| event.code() == code)
}

/// Makes a call of the user's own and gives its status.
#[track_caller]
fn status<M: Machine, S: Simulator>(world: &mut World<M, S>, path: &str) -> u16 {
    world.calls(Method::GET, path).unwrap().status().as_u16()
}

/// Nothing went to a host that is not the provider's.
#[track_caller]
fn kept_at_home(log: &Log) {
    assert_eq!(log.leaks().count(), 0);
    assert!(log.requests().iter().all(|seen| !seen.foreign), "{log:#?}");
}

/// What a process with the same configuration makes of a snapshot.
fn resumed<P: Provider + Send>(provider: P, snapshot: &Snapshot, now: Timestamp) -> Session<P> {
    Session::resume(provider, snapshot, Options::default(), None, [9; 32], now).unwrap()
}

/// A server's answer, given before anybody checks the request.
fn answer(status: u16, body: &str) -> Mishap {
    let media = if body.starts_with('<') { "text/html" } else { "application/json" };
    Mishap::answer(status, media, body)
}
