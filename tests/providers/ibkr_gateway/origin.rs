//! The gateway's own `Origin`: some configurations answer 401 to a POST without it.

use super::*;
use crate::support::world::World;
use http::header::{ORIGIN, REFERER};
use http::{HeaderMap, Method, Request};
use sansession::sim::ibkr::{self, Lever, Login, Person, Settings};

const OWN: &str = "https://localhost:5000";

/// What a gateway makes of the origin of requests.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// POSTs are answered with 401 unless they have its own,
    Own,
    /// unless they have none,
    None,
    /// or whatever they have.
    Any,
}

/// A gateway whose login lives or does not.
struct Server {
    wants: Wants,
    login: bool,
    /// What was sent, with a star where it had an origin.
    sent: Vec<String>,
}

impl Server {
    fn new(wants: Wants, login: bool) -> Self {
        Self { wants, login, sent: Vec::new() }
    }

    fn answers(&mut self, request: &Request<Vec<u8>>) -> (u16, String) {
        let (method, path) = (request.method(), request.uri().path());
        let origin = origin(request.headers());
        let star = if origin.is_some() { "*" } else { "" };
        self.sent.push(format!("{method} {path}{star}"));
        let admitted = match (self.wants, origin) {
            (_, Some(origin)) if origin != OWN => false,
            (Wants::Own, None) => *method != Method::POST,
            (Wants::None, Some(_)) => false,
            _ => true,
        };
        match (admitted && self.login, path.rsplit('/').next()) {
            (false, _) => (401, String::new()),
            (true, Some("logout")) => (200, r#"{"status":true}"#.to_owned()),
            _ => flags_for(path, READY),
        }
    }

    fn takes(&mut self) -> Vec<String> {
        core::mem::take(&mut self.sent)
    }

    /// Lets a session live with it; gives whether it closed.
    fn lives(&mut self, story: &mut Story, time: Duration) -> bool {
        let start = story.now;
        loop {
            match story.machine.poll(story.now) {
                Output::Send(outgoing) => {
                    let id = outgoing.id();
                    let (status, body) = self.answers(&outgoing.into_request());
                    let content_type = if body.is_empty() { "text/plain" } else { "application/json" };
                    let response = http::Response::builder().status(status).header("content-type", content_type);
                    let response = response.body(body).unwrap();
                    story.machine.handle_response(story.now, id, Response::from(&response)).unwrap();
                }
                Output::Event(event) => story.told.push(event),
                Output::Closed(_) => return true,
                Output::Wait { until, .. } if until.since(start) <= time => story.now = until,
                _ => {
                    story.now = start + time;
                    return false;
                }
            }
        }
    }
}

fn origin(headers: &HeaderMap) -> Option<&str> {
    headers.get(ORIGIN).map(|value| value.to_str().unwrap())
}

fn starred(request: &str) -> String {
    format!("{request}*")
}

/// Makes a call of the user's own; gives what leaves.
fn own_call(story: &mut Story, method: Method, from: Option<&str>) -> Request<String> {
    let mut call = Request::builder().method(method).uri("/portfolio/accounts").body(String::new()).unwrap();
    if let Some(from) = from {
        call.headers_mut().insert(ORIGIN, from.parse().unwrap());
        call.headers_mut().insert(REFERER, format!("{from}/page").parse().unwrap());
    }
    story.machine.authorize_request(story.now, call).unwrap().0
}

#[test]
fn a_gateway_that_wants_its_own_origin_gets_it_in_all_of_a_life() {
    let (mut server, mut story) = (Server::new(Wants::Own, true), opens_with(gateway(), ends_always()));
    assert!(!server.lives(&mut story, 10 * SECOND));
    let story = story.is(Phase::Active);
    assert_eq!(server.takes(), [STATUS.to_owned(), starred(STATUS), starred(TICKLE)]);
    // It is kept alive with it, also by the process that resumes it, which has learned it.
    let snapshot = story.machine.snapshot();
    let resumed = Session::resume(gateway(), &snapshot, ends_always(), None, seed(), story.now).unwrap();
    for mut story in [story, Script::new(resumed).at(START + 10 * SECOND)] {
        assert!(!server.lives(&mut story, 10 * MINUTE));
        let mut story = story.is(Phase::Active);
        assert!(story.told.iter().all(|event| !matches!(event.code(), "suspect" | "retrying" | "unreadable")));
        assert!(!story.machine.status().suspect);
        let sent = server.takes();
        assert!(sent.len() >= 10 && sent.iter().all(|sent| sent.ends_with('*') != sent.starts_with("GET")), "{sent:?}");
        assert_eq!(origin(own_call(&mut story, Method::POST, None).headers()), Some(OWN));
        let stream = story.machine.authorize_stream(story.now).unwrap().request;
        assert_eq!(origin(stream.headers()), Some(OWN), "a stream's handshake is a GET, and has it all the same");
        story = story.logs_out();
        assert!(server.lives(&mut story, MINUTE));
        assert_eq!(server.takes(), [starred(LOGOUT)]);
    }
}

#[test]
fn a_login_in_the_browser_is_found_whatever_origin_is_wanted() {
    for wants in [Wants::Own, Wants::None, Wants::Any] {
        let (mut server, mut story) = (Server::new(wants, false), opening());
        assert!(!server.lives(&mut story, SECOND));
        // Nobody is logged in, so neither answer says which it is: one more look, and no third.
        assert_eq!(server.takes(), [STATUS.to_owned(), starred(STATUS)]);
        let mut story = story.is(Phase::LoggingIn);
        assert!(!server.lives(&mut story, MINUTE));
        let sent = server.takes();
        assert_eq!(sent.len(), 20, "as many looks as ever, in turns: {sent:?}");
        server.login = true;
        assert!(!server.lives(&mut story, 8 * SECOND));
        let mut story = story.is(Phase::Active);
        server.takes();
        assert!(!server.lives(&mut story, 10 * MINUTE));
        let story = story.is(Phase::Active);
        assert!(!story.machine.status().suspect);
        let sent = server.takes();
        let posts: Vec<bool> =
            sent.iter().filter(|sent| sent.starts_with("POST")).map(|sent| sent.ends_with('*')).collect();
        match wants {
            Wants::Own => assert!(posts.iter().all(|with| *with), "{sent:?}"),
            Wants::None => assert!(posts.iter().all(|with| !with), "{sent:?}"),
            Wants::Any => assert!(posts.windows(2).all(|pair| pair[0] == pair[1]), "{sent:?}"),
        }
    }
}

#[test]
fn an_opening_that_is_answered_asks_no_more_than_before() {
    for wants in [Wants::None, Wants::Any] {
        let (mut server, mut story) = (Server::new(wants, true), opening());
        assert!(!server.lives(&mut story, 3 * MINUTE));
        assert!(server.takes().iter().all(|sent| !sent.ends_with('*')));
        assert_eq!(origin(story.machine.authorize_stream(story.now).unwrap().request.headers()), None);
        // What a lost login answers later is known to be no question of the origin.
        server.login = false;
        assert!(server.lives(&mut story, 3 * MINUTE));
        let sent = server.takes();
        assert!(sent.iter().all(|sent| !sent.ends_with('*')), "{sent:?}");
        assert!(story.told.iter().any(|event| event.code() == "expired"));
    }
}

#[test]
fn a_gateway_that_is_set_up_anew_is_learned_anew() {
    for (before, after) in [(Wants::None, Wants::Own), (Wants::Own, Wants::None)] {
        let (mut server, mut story) = (Server::new(before, true), opening());
        assert!(!server.lives(&mut story, 3 * MINUTE));
        server.wants = after;
        server.takes();
        assert!(!server.lives(&mut story, 3 * MINUTE));
        let mut story = story.is(Phase::Active);
        let sent = server.takes();
        assert!(sent.len() < 10, "{sent:?}");
        let with = origin(own_call(&mut story, Method::POST, None).headers()).is_some();
        assert_eq!(with, after == Wants::Own);
    }
}

#[test]
fn a_foreign_origin_of_a_callers_own_does_not_leave() {
    for (wants, own) in [(Wants::Own, Some(OWN)), (Wants::None, None)] {
        let (mut server, mut story) = (Server::new(wants, true), opening());
        server.lives(&mut story, 10 * SECOND);
        for method in [Method::POST, Method::DELETE] {
            let call = own_call(&mut story, method.clone(), Some("https://example.org"));
            assert_eq!((origin(call.headers()), call.headers().get(REFERER)), (own, None));
            // Its own is right.
            let call = own_call(&mut story, method, Some(OWN));
            assert_eq!(origin(call.headers()), Some(OWN));
            assert!(call.headers().contains_key(REFERER));
        }
        // Browsers say none at a GET.
        let call = own_call(&mut story, Method::GET, Some("https://example.org"));
        assert_eq!(origin(call.headers()), None);
    }
}

#[test]
fn a_status_by_get_alone_hides_no_wish_of_the_other_posts() {
    const BY_GET: &str = "GET /v1/api/iserver/auth/status";
    let story = opening().sends(STATUS).finds_nobody().sends(STATUS).gets_as(400, TEXT, "Bad Request");
    let story = story.sends(BY_GET).gets(200, READY).is(Phase::Active).sleeps().sends(TICKLE);
    assert_eq!(origin(story.request.as_ref().unwrap().headers()), Some(OWN));
}

/// A whole life on the simulated gateway: nobody is logged in, somebody logs in, hours pass, the brokerage session ends and
/// is opened again, a stream is opened, and the owner ends it.
fn lives_on_the_simulator(settings: Settings) -> World<Session<Gateway>, ibkr::GatewaySim> {
    let server = ibkr::GatewaySim::new(Settings { login: Login::Never, maintenance: None, ..settings });
    let mut world = World::new(Session::new(gateway(), ends_always(), seed()), server);
    world.runs_for(5 * MINUTE);
    assert_eq!(world.machine.phase(), Phase::LoggingIn, "{}", world.transcript);
    world.server.pull(world.now, Lever::LogIn(Person::default()));
    world.runs_for(MINUTE);
    assert_eq!(world.machine.phase(), Phase::Active, "{}", world.transcript);
    for hour in 0..4 {
        world.runs_for(Duration::from_secs(3_600));
        for (method, path) in [(Method::GET, "/iserver/accounts"), (Method::POST, "/tickle")] {
            assert_eq!(world.calls(method, path).unwrap().status(), 200, "{path}\n{}", world.transcript);
        }
        if hour == 1 {
            world.server.pull(world.now, Lever::EndBrokerage { connected: true });
        }
    }
    let status = world.machine.status();
    assert!(status.phase == Phase::Active && !status.suspect, "{}", world.transcript);
    assert!(world.told.iter().all(|event| event.code() != "expired"), "{}", world.transcript);
    let (mut parts, ()) = world.machine.authorize_stream(world.now).unwrap().request.into_parts();
    parts.headers.insert("upgrade", "websocket".parse().unwrap());
    parts.headers.insert("connection", "Upgrade".parse().unwrap());
    world.server.open_stream(world.now, &Request::from_parts(parts, ())).unwrap();
    world.logs_out();
    assert_eq!(world.runs_to_end().code(), "logged-out", "{}", world.transcript);
    assert!(world.server.person().is_none(), "nobody is logged in any more");
    world
}

#[test]
fn a_whole_life_on_a_simulator_that_wants_its_own_origin() {
    let world = lives_on_the_simulator(Settings { wants_origin: true, ..Settings::default() });
    let statuses = world.sent.iter().filter(|sent| *sent == STATUS).count();
    assert!(statuses > 0 && !world.sent.iter().any(|sent| sent.starts_with("GET") && sent.ends_with("/status")));
}

#[test]
fn a_whole_life_on_a_simulator_that_takes_no_post_of_the_status() {
    let world = lives_on_the_simulator(Settings { posts_status: false, ..Settings::default() });
    assert!(world.sent.iter().any(|sent| sent == "GET /v1/api/iserver/auth/status"), "{}", world.transcript);
}

#[test]
fn a_whole_life_on_a_simulator_that_wants_both() {
    lives_on_the_simulator(Settings { posts_status: false, wants_origin: true, ..Settings::default() });
}
