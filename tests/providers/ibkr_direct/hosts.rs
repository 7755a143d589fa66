//! IBKR's hosts: one that is done with, one that does not take this address, one that does not answer.

use http::header::HOST;
use sansession::sim::Fault;
use sansession::{Event, Machine, Phase, ResumeError, Seed, Session, Snapshot};

use crate::ibkr_direct::*;
use crate::support::world::World;

const PLAIN: &str = "api.ibkr.com";
const NOT_AUTHORIZED: &str = "IP not authorized, use api.ibkr.com instead";

/// What a host does instead of serving.
#[derive(Clone, Copy)]
enum Instead {
    Answers(u16, &'static str, &'static str),
    NoConnection,
    /// The server acts, and its answer gets lost.
    Silence,
}

const GONE: Instead = Instead::Answers(410, "text/plain", "gone");
const REFUSES: Instead = Instead::Answers(403, "text/plain", NOT_AUTHORIZED);

/// IBKR with hosts that differ.
struct Hosts {
    sim: sim::WebApiSim,
    instead: Vec<(String, Instead)>,
    /// The host of each request, the user's own included.
    asked: Vec<String>,
}

impl Hosts {
    fn set(&mut self, host: &str, instead: Instead) {
        self.serves(host);
        self.instead.push((host.to_owned(), instead));
    }

    fn serves(&mut self, host: &str) {
        self.instead.retain(|(other, _)| other != host);
    }

    fn set_numbered(&mut self, instead: Instead) {
        for number in 1..=8 {
            self.set(&numbered(number), instead);
        }
    }

    fn count(&self, host: &str) -> usize {
        self.asked.iter().filter(|asked| *asked == host).count()
    }
}

impl Simulator for Hosts {
    fn handle(&mut self, now: Timestamp, peer: IpAddr, request: &http::Request<Vec<u8>>) -> Reply {
        let host = request.headers()[HOST].to_str().unwrap().to_owned();
        self.asked.push(host.clone());
        match self.instead.iter().find(|(other, _)| *other == host).map(|(_, instead)| *instead) {
            Some(Instead::Answers(status, content_type, body)) => {
                let response = http::Response::builder().status(status).header("content-type", content_type);
                Reply::new(response.body(body.into()).unwrap())
            }
            Some(Instead::NoConnection) => Reply::new(http::Response::default()).with(Fault::Refuse),
            Some(Instead::Silence) => self.sim.handle(now, peer, request).with(Fault::Drop),
            None => self.sim.handle(now, peer, request),
        }
    }
}

type Story = World<Session<WebApi>, Hosts>;

fn numbered(number: u8) -> String {
    format!("{number}.{PLAIN}")
}

fn provider(host: &str, issued: &Issued) -> WebApi {
    let base = BaseUrl::parse(&format!("https://{host}/v1/api")).unwrap();
    WebApi::new(&base, oauth1a(issued)).unwrap()
}

/// A session that is about to begin at this host.
fn at(host: &str) -> Story {
    let (server, issued) = server(START);
    let mut sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    sim.gateway.settings().maintenance = None;
    let session = Session::new(provider(host, &issued), Options::default(), seed());
    World::new(session, Hosts { sim, instead: Vec::new(), asked: Vec::new() })
}

/// Returns the host of the user's own calls.
fn host(story: &mut Story) -> String {
    let call = http::Request::get("/portfolio/accounts").body(Vec::new()).unwrap();
    let (call, _) = story.machine.authorize_request(story.now, call).unwrap();
    call.uri().host().unwrap().to_owned()
}

fn tokens(story: &Story) -> usize {
    story.sent.iter().filter(|sent| *sent == TOKEN).count()
}

#[track_caller]
fn is_well(story: &Story) {
    let status = story.machine.status();
    assert_eq!((status.phase, status.suspect), (Phase::Active, false), "{}", story.transcript);
}

#[test]
fn a_numbered_host_that_refuses_is_left_for_the_next_one() {
    for instead in [
        REFUSES,
        Instead::Answers(401, "application/json", r#"{"error":"IP not authorized, use api.ibkr.com instead"}"#),
        Instead::Answers(400, "text/plain", NOT_AUTHORIZED),
        Instead::Answers(200, "application/json", r#"{"error":"IP not authorized, use api.ibkr.com instead"}"#),
        Instead::Answers(401, "text/plain", "Unauthorized"),
        Instead::Answers(401, "application/json", r#"{"error":"id: 39687, error: invalid consumer"}"#),
        Instead::Answers(403, "text/html", "<HTML>Access Denied</HTML>"),
        Instead::Answers(404, "text/html", "<html>Not Found</html>"),
        Instead::Answers(200, "text/html", "<html>Welcome</html>"),
    ] {
        // Before the session is open,
        let mut story = at(PLAIN);
        story.server.set(PLAIN, GONE);
        story.server.set(&numbered(1), instead);
        story.is_active();
        assert!(story.now.since(START) < MINUTE, "{}", story.transcript);
        assert_eq!((host(&mut story), story.server.count(&numbered(1))), (numbered(2), 1));
        // and while it is.
        let mut story = at(PLAIN);
        story.is_active();
        story.server.set(PLAIN, GONE);
        story.server.set(&numbered(1), instead);
        story.runs_for(10 * MINUTE);
        is_well(&story);
        assert_eq!((host(&mut story), story.server.count(&numbered(1))), (numbered(2), 1));
        // The token was good all the time.
        assert_eq!(tokens(&story), 1, "{}", story.transcript);
    }
}

#[test]
fn the_plain_host_is_the_one_that_judges() {
    for (status, body, code) in [
        (403, NOT_AUTHORIZED, "denied.ip-not-allowed"),
        (401, NOT_AUTHORIZED, "denied.ip-not-allowed"),
        (401, "Unauthorized", "denied.signature-refused"),
    ] {
        for first in [PLAIN, "3.api.ibkr.com"] {
            let mut story = at(first);
            story.server.set(first, GONE);
            story.server.set_numbered(REFUSES);
            story.server.set(PLAIN, Instead::Answers(status, "text/plain", body));
            assert_eq!(story.runs_to_end().code(), code, "{}", story.transcript);
        }
    }
}

/// Nothing is judged where no plain host says anything, and nobody is asked too often.
#[test]
fn hosts_that_are_gone_or_refuse_end_an_opening_after_one_round() {
    for instead in [GONE, REFUSES, Instead::Answers(401, "text/plain", "Unauthorized")] {
        let mut story = at(PLAIN);
        story.server.set(PLAIN, GONE);
        story.server.set_numbered(instead);
        assert_eq!(story.runs_to_end().code(), "retries-exhausted", "{}", story.transcript);
        assert!((1..=8).all(|number| story.server.count(&numbered(number)) == 1));
        assert_eq!(
            story.server.asked[..9],
            [&[PLAIN.to_owned()], &(1..=8).map(numbered).collect::<Vec<_>>()[..]].concat()
        );
        assert_eq!(story.server.count(PLAIN), 9);
    }
}

#[test]
fn twelve_hours_of_hosts_that_refuse_are_bounded_and_end_with_the_configured_one() {
    for instead in [GONE, REFUSES, Instead::Answers(401, "text/plain", "Unauthorized"), Instead::NoConnection] {
        let mut story = at(PLAIN);
        story.is_active();
        story.server.set(PLAIN, GONE);
        story.server.set_numbered(instead);
        let before = (story.server.asked.len(), tokens(&story));
        story.runs_for(12 * HOUR);
        assert_eq!(story.closed, None);
        assert!(story.machine.status().suspect);
        let most = (1..=8).map(|number| story.server.count(&numbered(number))).max().unwrap();
        let (all, plain) = (story.server.asked.len() - before.0, story.server.count(PLAIN));
        println!(
            "{all} requests, {plain} to the plain host, {most} to a numbered one, {} tokens",
            tokens(&story) - before.1
        );
        assert!(all < 1_000 && plain <= 750 && most <= 7 * 3, "{all}, {plain}, {most}");
        story.server.serves(PLAIN);
        story.runs_for(5 * MINUTE + MINUTE / 2);
        is_well(&story);
        assert_eq!(host(&mut story), PLAIN);
    }
}

#[test]
fn a_numbered_host_that_comes_back_is_found_while_the_configured_one_is_gone() {
    let mut story = at(PLAIN);
    story.is_active();
    story.server.set(PLAIN, GONE);
    story.server.set_numbered(REFUSES);
    story.runs_for(3 * HOUR);
    story.server.serves(&numbered(5));
    story.runs_for(4 * HOUR);
    is_well(&story);
    assert_eq!(host(&mut story), numbered(5));
}

#[test]
fn a_numbered_host_that_is_configured_falls_back_to_the_plain_one() {
    let silent = [Instead::NoConnection, Instead::Silence];
    let words = [REFUSES, GONE, Instead::Answers(401, "text/plain", "Unauthorized")];
    for instead in words.into_iter().chain(silent) {
        let mut story = at("8.api.ibkr.com");
        story.server.set("8.api.ibkr.com", instead);
        story.is_active();
        assert!(story.now.since(START) < MINUTE, "{}", story.transcript);
        assert_eq!(host(&mut story), PLAIN);
        let mut story = at("8.api.ibkr.com");
        story.is_active();
        assert_eq!(host(&mut story), "8.api.ibkr.com");
        story.server.set("8.api.ibkr.com", instead);
        story.runs_for(5 * MINUTE);
        is_well(&story);
        assert_eq!(host(&mut story), PLAIN);
    }
}

#[test]
fn a_moved_host_in_a_snapshot_may_not_take_the_new_address() {
    let mut story = at(PLAIN);
    story.server.set(PLAIN, GONE);
    story.is_active();
    assert_eq!(host(&mut story), numbered(1));
    let (_, issued) = server(START);
    let resume = |snapshot: &Snapshot, now| {
        Session::resume(provider(PLAIN, &issued), snapshot, Options::default(), None, Seed::new([9; 32]), now)
    };
    // It goes on where it was,
    story.resumes(|snapshot, now| resume(snapshot, now).unwrap());
    story.runs_for(2 * MINUTE);
    is_well(&story);
    assert_eq!(host(&mut story), numbered(1));
    // or, with an address that is not taken there, at a host that takes it.
    story.server.serves(PLAIN);
    story.server.set_numbered(REFUSES);
    story.resumes(|snapshot, now| resume(snapshot, now).unwrap());
    story.runs_for(2 * MINUTE);
    is_well(&story);
    assert_eq!((host(&mut story).as_str(), tokens(&story)), (PLAIN, 2));
    // The last host that there is, and one that there is not.
    let text = story.machine.snapshot();
    let with = |host: &str| Snapshot::from_text(text.expose_secrets().replace("\"host\":0", host));
    assert!(resume(&with("\"host\":8"), story.now).is_ok());
    let refused = resume(&with("\"host\":9"), story.now).unwrap_err();
    assert!(matches!(refused, ResumeError::NotAdmitted(_)), "{refused:?}");
}

#[test]
fn a_numbered_host_that_no_longer_answers_is_left() {
    for instead in [Instead::NoConnection, Instead::Silence] {
        let mut story = at(PLAIN);
        story.server.set(PLAIN, GONE);
        story.is_active();
        story.server.set(&numbered(1), instead);
        story.runs_for(3 * MINUTE);
        is_well(&story);
        assert_eq!(host(&mut story), numbered(2));
        // Each of them in turn, and the configured one after the last.
        story.server.serves(PLAIN);
        story.server.set_numbered(instead);
        story.runs_for(15 * MINUTE);
        is_well(&story);
        assert_eq!(host(&mut story), PLAIN);
    }
}

/// The token dies at a host that has served: the next token comes from there, and a refusal of that one judges nothing.
#[test]
fn a_token_that_dies_at_a_numbered_host_is_followed_by_another() {
    let mut story = at(PLAIN);
    story.server.set(PLAIN, GONE);
    story.is_active();
    story.server.sim.end_sessions();
    story.runs_for(3 * MINUTE);
    is_well(&story);
    assert_eq!(host(&mut story), numbered(1));
    // All others refuse, and the tokens are dead: the round after the first asks for new ones.
    let mut story = at(PLAIN);
    story.is_active();
    story.server.set(PLAIN, GONE);
    story.server.sim.end_sessions();
    story.runs_for(5 * MINUTE);
    is_well(&story);
    assert_eq!((host(&mut story), tokens(&story)), (numbered(1), 2), "{}", story.transcript);
}

#[test]
fn a_refused_host_is_told_as_a_doubt_that_passes() {
    let mut story = at(PLAIN);
    story.is_active();
    story.server.set(PLAIN, GONE);
    story.server.set(&numbered(1), REFUSES);
    story.told.clear();
    story.runs_until_told("recovered");
    let codes: Vec<_> = story.told.iter().map(Event::code).collect();
    assert_eq!(codes[..3], ["suspect", "recovered", "kept-alive"], "{}", story.transcript);
}

#[test]
fn the_users_own_call_that_is_refused_by_a_numbered_host_leads_to_a_look() {
    let mut story = at(PLAIN);
    story.server.set(PLAIN, GONE);
    story.is_active();
    story.runs_for(MINUTE / 2);
    story.server.set(&numbered(1), REFUSES);
    assert_eq!(story.calls(http::Method::GET, "/portfolio/accounts").unwrap().status(), 403);
    story.runs_for(MINUTE / 6);
    is_well(&story);
    assert_eq!(host(&mut story), numbered(2));
}

#[test]
fn a_logout_goes_where_it_is_taken() {
    for instead in [GONE, REFUSES, Instead::Answers(401, "text/plain", "Unauthorized")] {
        let mut story = at(PLAIN);
        story.server.set(PLAIN, GONE);
        story.is_active();
        story.server.set(&numbered(1), instead);
        story.logs_out();
        assert_eq!(story.runs_to_end().code(), "logged-out", "{}", story.transcript);
        assert!(story.server.sim.gateway.count(|what| matches!(what, Happening::LoginEnded(_))) == 1);
    }
}
