//! Lives of CBRAIN sessions on a simulated portal, in virtual time.
//!
//! What happened is in `snapshots/`, one line for each thing.

use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use crate::support::world::World;
use crate::support::{cbrain, credentials, seed};
use http::{Method, Response, StatusCode};
use sansession::providers::cbrain::Cbrain;
use sansession::sim::Mishap;
use sansession::sim::cbrain::Outcome;
use sansession::sim::{self, Reply, Simulator};
use sansession::{Input, Machine, Need, Options, Phase, Relogin, Seed, Session, Source, Timestamp};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

type Life = World<Session<Cbrain>, Portal>;

/// A portal; with a mishap, that happens to every request.
struct Portal(sim::CbrainSim, Option<Mishap>);

impl Simulator for Portal {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        if let Some(mishap) = &self.1 {
            self.0.disturb(1, mishap);
        }
        self.0.handle(now, peer, request)
    }
}

impl Deref for Portal {
    type Target = sim::CbrainSim;

    fn deref(&self) -> &sim::CbrainSim {
        &self.0
    }
}

impl DerefMut for Portal {
    fn deref_mut(&mut self) -> &mut sim::CbrainSim {
        &mut self.0
    }
}

fn portal() -> Portal {
    let mut portal = sim::CbrainSim::new(1);
    portal.add_user("norm", "correct horse");
    Portal(portal, None)
}

fn life() -> Life {
    life_with(|_| {})
}

/// A session whose password comes from a store.
fn life_with(set: impl FnOnce(&mut Options)) -> Life {
    let mut options = Options::default();
    set(&mut options);
    World::new(Session::new(cbrain(), options, seed()), portal()).answering(store)
}

fn store(_: &Need) -> Option<(Input, Source)> {
    Some((credentials(), Source::Store))
}

fn relogin(options: &mut Options) {
    options.relogin = Relogin::AskAgain { per_day: 3 };
}

fn token(world: &Life) -> String {
    world.machine.live().unwrap().token.expose().to_owned()
}

#[test]
fn a_week_with_maintenance_and_an_expiry() {
    let mut world = life_with(relogin);
    world.is_active().runs_for(DAY);
    let first = token(&world);
    world.notes("the portal is locked for thirteen hours").server.lock_portal(Some("Back at noon."));
    world.runs_for(13 * HOUR).server.unlock_portal();
    world.notes("the portal is open again").runs_until_told("recovered");
    assert_eq!(token(&world), first, "the token outlives the maintenance");
    world.calls(Method::GET, "/groups").unwrap();
    world.notes("nobody reaches the portal for two days").online = false;
    world.runs_for(2 * DAY).notes("the network is back").online = true;
    world.runs_until(|world| world.machine.phase() == Phase::Active && !world.machine.status().suspect);
    assert_ne!(token(&world), first, "the portal has forgotten the first session");
    world.runs_for(2 * DAY).logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    assert_eq!(world.server.count(Outcome::LoggedIn), 2);
    assert_eq!(world.server.live_sessions(world.now, "norm"), 0);
    // Two days without a network are two thousand attempts, much alike.
    let shown: Vec<_> = world.transcript.lines().collect();
    assert!(shown.len() < 15_000, "{}", shown.len());
    insta::assert_snapshot!(abridged(&world.transcript));
}

/// Leaves out what comes again and again: all but the first four and the last two of like lines.
fn abridged(transcript: &str) -> String {
    let like = |line: &str| {
        let words = line.get(18..).unwrap_or_default().trim();
        words.starts_with("attempt")
            || words.starts_with("server-says")
            || words.starts_with("->")
            || words.starts_with("<-")
    };
    let lines: Vec<&str> = transcript.lines().collect();
    let mut text = String::new();
    for group in lines.chunk_by(|a, b| like(a) && like(b)) {
        if group.len() <= 16 {
            text.extend(group.iter().flat_map(|line| [line, "\n"]));
        } else {
            text.extend(group[..8].iter().flat_map(|line| [line, "\n"]));
            text.push_str(&format!("     … {} lines like these\n", group.len() - 12));
            text.extend(group[group.len() - 4..].iter().flat_map(|line| [line, "\n"]));
        }
    }
    text
}

#[test]
fn a_wrong_password_takes_three_seconds_and_is_sent_once() {
    let mut world = life();
    world.server.account("norm").unwrap().set_password("another");
    world.runs_for(DAY);
    assert_eq!(world.sent, ["POST /session"]);
    assert_eq!(world.machine.phase(), Phase::LoggingIn, "a person may still come");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn another_address_ends_the_session_for_good() {
    let mut world = life_with(relogin);
    world.is_active().runs_for(HOUR);
    world.notes("another network").address = IpAddr::from([192, 0, 2, 7]);
    assert_eq!(world.calls(Method::GET, "/groups").unwrap().status(), 401);
    world.runs_until_told("expired").is_active();
    assert_eq!(world.server.count(Outcome::AddressChanged), 1);
    assert_eq!(world.calls(Method::GET, "/groups").unwrap().status(), 200);
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn a_locked_account_is_not_hammered() {
    let mut world = life_with(relogin);
    world.is_active().notes("an admin locks the account").server.lock_account("norm");
    world.runs_for(7 * DAY);
    assert_eq!(world.server.count(Outcome::LoginRefused), 1);
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn a_portal_that_expires_every_session_is_not_logged_in_to_for_ever() {
    let mut world = life_with(relogin);
    for _ in 0..4 {
        world.is_active().server.expire_sessions();
        world.checks().runs_for(MINUTE);
    }
    assert_eq!(world.closed.as_ref().unwrap().code(), "expired");
    assert_eq!(world.server.count(Outcome::LoggedIn), 4);
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn what_a_user_must_do_in_a_browser_is_told_and_harms_nothing() {
    let mut world = life();
    world.is_active();
    world.server.account("norm").unwrap().license_unsigned = true;
    assert_eq!(world.calls(Method::GET, "/groups").unwrap().status(), 403);
    world.server.account("norm").unwrap().license_unsigned = false;
    world.server.account("norm").unwrap().must_link_openid = true;
    assert_eq!(world.calls(Method::GET, "/groups").unwrap().status(), 403);
    world.server.account("norm").unwrap().must_link_openid = false;
    world.server.account("norm").unwrap().password_reset = true;
    assert_eq!(world.calls(Method::GET, "/groups").unwrap().status(), 302);
    world.runs_for(13 * HOUR).logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn a_missing_role_is_looked_into_and_found_harmless() {
    let mut world = life();
    world.is_active();
    for _ in 0..10 {
        world.calls(Method::GET, "/users").unwrap();
    }
    world.runs_for(5 * MINUTE);
    assert_eq!(world.machine.phase(), Phase::Active);
    assert_eq!(world.sent, ["POST /session", "GET /session"], "one look for ten refusals");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn a_shut_laptop_makes_one_look_when_it_wakes() {
    let mut world = life();
    world.is_active().runs_for(HOUR).sleeps(20 * HOUR).runs_for(MINUTE);
    assert_eq!(world.sent, ["POST /session", "GET /session"]);
    world.sleeps(30 * HOUR);
    assert_eq!(world.runs_to_end().code(), "expired");
    insta::assert_snapshot!(world.transcript);
}

#[test]
fn another_process_goes_on_where_one_was_killed() {
    let resume = |snapshot: &sansession::Snapshot, now| {
        let mut options = Options::default();
        options.max_refused = 2;
        Session::resume(cbrain(), snapshot, options, None, Seed::new([8; 32]), now).unwrap()
    };
    let mut world = life_with(|options| {
        options.durable = true;
        options.max_refused = 2;
    });
    // While the question is open, while the login is under way, while active, while ending.
    world = world.answering(|_| None);
    world.runs_for(MINUTE).resumes(resume);
    world = world.answering(store);
    world.server.disturb(1, &Mishap::Slow(10 * Duration::from_secs(1)));
    world.runs_until(|world| !world.sent.is_empty()).resumes(resume).is_active();
    world.runs_for(HOUR).resumes(resume).runs_for(DAY).logs_out();
    world.runs_until(|world| world.sent.last().unwrap() == "DELETE /session").resumes(resume);
    assert_eq!(world.runs_to_end().code(), "logged-out");
    insta::assert_snapshot!(world.transcript);
}

fn every_mishap() -> Vec<(&'static str, Mishap)> {
    let answer = |status: u16, media: &str, body: &str| {
        Box::new(
            Response::builder().status(status).header("content-type", media).body(body.as_bytes().to_vec()).unwrap(),
        )
    };
    let json = |body: &str| Mishap::Replaced(answer(200, "application/json", body));
    vec![
        ("lost", Mishap::Lost),
        ("dropped", Mishap::Dropped),
        ("truncated", Mishap::Truncated),
        ("malformed", Mishap::MalformedJson),
        ("slow", Mishap::Slow(MINUTE)),
        ("trickled", Mishap::Trickled(Duration::from_secs(1))),
        ("bad gateway", Mishap::ProxyPage(StatusCode::BAD_GATEWAY)),
        ("forbidden by a proxy", Mishap::ProxyPage(StatusCode::FORBIDDEN)),
        ("401 of a proxy", Mishap::ProxyPage(StatusCode::UNAUTHORIZED)),
        ("unavailable", Mishap::ProxyPage(StatusCode::SERVICE_UNAVAILABLE)),
        ("too many", Mishap::ProxyPage(StatusCode::TOO_MANY_REQUESTS)),
        ("page", Mishap::Replaced(answer(200, "text/html", "<html>Sign in</html>"))),
        ("empty", json("")),
        ("null", json("null")),
        ("list", json("[]")),
        ("empty object", json("{}")),
        ("wrong types", json(r#"{"user_id":[2],"cbrain_api_token":{}}"#)),
        ("numbers", json(r#"{"user_id":2,"cbrain_api_token":1e30}"#)),
        ("empty token", json(r#"{"user_id":2,"cbrain_api_token":""}"#)),
        ("token with a line end", json(r#"{"user_id":2,"cbrain_api_token":"a\r\nx-evil: 1"}"#)),
        ("text", Mishap::Replaced(answer(200, "text/plain", "OK"))),
        ("deep", json(&"[".repeat(100_000))),
        ("not text", Mishap::Replaced(Box::new(json_bytes(vec![0xff; 64])))),
        ("oversized", Mishap::Replaced(Box::new(json_bytes(vec![b' '; 2 << 20])))),
        ("redirect", Mishap::Replaced(answer(302, "text/html", ""))),
        ("not modified", Mishap::Replaced(answer(304, "application/json", ""))),
        ("created", Mishap::Replaced(answer(201, "application/json", "{}"))),
        ("teapot", Mishap::Replaced(answer(418, "application/json", "{}"))),
        ("internal", Mishap::Instead(answer(500, "application/json", "{}"))),
    ]
}

fn json_bytes(body: Vec<u8>) -> Response<Vec<u8>> {
    Response::builder().header("content-type", "application/json").body(body).unwrap()
}

/// What comes of each bad answer to a login: a typed end, or another try that somebody allowed.
#[test]
fn bad_answers_to_a_login() {
    let mut table = String::new();
    for (name, mishap) in every_mishap() {
        // One that got lost may be given once more.
        let mut world = life_with(|options| options.max_refused = 2);
        world.server.disturb(1, &mishap);
        world.runs_for(HOUR);
        let end = world.closed.as_ref().map_or_else(|| world.machine.phase().to_string(), ToString::to_string);
        table.push_str(&format!("{name:<24} {} {end}\n", world.sent.len()));
        assert!(world.sent.len() <= 2, "{name}\n{}", world.transcript);
        // Whatever may be open at the server is told.
        let open = world.server.live_sessions(world.now, "norm");
        let ours = usize::from(world.machine.live().is_some());
        if open > ours {
            assert!(world.told.iter().any(|event| event.code() == "may-live-on"), "{name}\n{}", world.transcript);
        }
    }
    insta::assert_snapshot!(table);
}

/// No bad answer ends an open session, how often it comes; the pace of looks is capped.
#[test]
fn bad_answers_to_a_keepalive() {
    for (name, mishap) in every_mishap() {
        let mut world = life();
        world.is_active();
        let ours = token(&world);
        world.server.1 = Some(mishap);
        world.checks().runs_for(3 * HOUR);
        assert_eq!(world.machine.phase(), Phase::Active, "{name}\n{}", world.transcript);
        assert!(world.machine.status().suspect, "{name}\n{}", world.transcript);
        assert_eq!(token(&world), ours, "{name}");
        assert!(world.sent.len() < 3 * 60 * 2 + 10, "{name}: {} requests", world.sent.len());
        assert!(world.sent.len() > 100, "{name}: {} requests", world.sent.len());
        let suspicions = world.told.iter().filter(|event| event.code() == "suspect").count();
        assert_eq!(suspicions, 1, "{name}");
        assert!(world.machine.authorize(world.now, &mut parts("/groups"), b"").is_ok() || name == "too many", "{name}");
        world.server.1 = None;
        world.runs_until(|world| !world.machine.status().suspect);
        world.logs_out();
        assert_eq!(world.runs_to_end().code(), "logged-out", "{name}");
        assert_eq!(world.server.live_sessions(world.now, "norm"), 0, "{name}");
    }
}

/// No bad answer passes for a logout: what ends unconfirmed says so, and in time.
#[test]
fn bad_answers_to_a_logout() {
    let mut table = String::new();
    for (name, mishap) in every_mishap() {
        let mut world = life();
        world.is_active().server.disturb(1, &mishap);
        world.logs_out();
        let began = world.now;
        let reason = world.runs_to_end();
        table.push_str(&format!("{name:<24} {} {}\n", world.sent.len() - 1, reason.code()));
        assert!(world.now.since(began) <= Duration::from_secs(45), "{name}\n{}", world.transcript);
        if reason.code() == "logged-out" {
            assert_eq!(world.server.live_sessions(world.now, "norm"), 0, "{name}\n{}", world.transcript);
        } else {
            assert!(world.told.iter().any(|event| event.code() == "may-live-on"), "{name}");
        }
    }
    insta::assert_snapshot!(table);
}

fn parts(path: &str) -> http::request::Parts {
    http::Request::get(path).body(()).unwrap().into_parts().0
}
