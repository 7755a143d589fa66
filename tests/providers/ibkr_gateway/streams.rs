//! The stream: its handshake, its frames, its silence.

use sansession::providers::ibkr::wire::{Frame, TIC};
use sansession::sim::Simulator;
use sansession::sim::ibkr::{self, Lever, Login, Person, Rival, Settings};
use sansession::{AuthorizeError, Handled, machine::StreamOpening};

use super::*;

fn stream(story: &mut Story) -> StreamOpening {
    story.machine.authorize_stream(story.now).unwrap()
}

fn hears(mut story: Story, frame: &str) -> Story {
    let opening = stream(&mut story);
    assert_eq!(story.machine.observe_stream(story.now, &opening.ticket, frame.as_bytes()), Handled::Used);
    story
}

#[test]
fn the_handshake_brings_the_session_of_the_tickle() {
    let mut story = active();
    let StreamOpening { request, first_frame, ticket, .. } = stream(&mut story);
    assert_eq!(request.uri(), "wss://localhost:5000/v1/api/ws");
    let cookie = &request.headers()["cookie"];
    assert_eq!(cookie, r#"api={"session":"00000000000000000000000000000001"}"#);
    assert!(cookie.is_sensitive() && request.headers().contains_key("user-agent"));
    assert_eq!(first_frame.unwrap().expose(), r#"{"session":"00000000000000000000000000000001"}"#);
    assert_eq!((ticket.method.as_str(), ticket.tier), ("GET", Some("sso")));
}

#[test]
fn there_is_no_stream_before_the_first_tickle_nor_without_a_login() {
    let not_ready = |story: &mut Story| match story.machine.authorize_stream(story.now) {
        Err(AuthorizeError::NotReady { .. }) => {}
        other => panic!("{other:?}"),
    };
    not_ready(&mut opening());
    not_ready(&mut opening().sends(STATUS).gets(200, READY).sleeps().sends(TICKLE));
    not_ready(&mut opening().sends(STATUS).finds_nobody_twice().needs_browser(NeedReason::Opening));
    not_ready(&mut active().sleeps().sends(TICKLE).gets(429, "{}"));
}

#[test]
fn a_frame_that_casts_doubt_leads_to_a_look() {
    for (frame, looks) in [
        (r#"{"topic":"sts","args":{"authenticated":false}}"#, true),
        (r#"{"topic":"sts","args":{"competing":true}}"#, true),
        (r#"{"topic":"sts","args":{"connected":false}}"#, true),
        (r#"{"topic":"sts","args":{"established":false}}"#, true),
        (r#"{"error":"not authenticated"}"#, true),
        (r#"{"topic":"sts","args":{"authenticated":true}}"#, false),
        (r#"{"topic":"system","success":"tester"}"#, false),
        (r#"{"topic":"system","hb":1702581069652}"#, false),
        (r#"{"message":"waiting for session"}"#, false),
        (r#"{"topic":"smd+265598","31":"193.18"}"#, false),
        (r#"{"error":"unknown topic"}"#, false),
        ("tic", false),
        ("", false),
    ] {
        let story = hears(active(), frame);
        match looks {
            true => drop(story.sends(STATUS).gets(200, READY).is(Phase::Active)),
            false => drop(story.waits(MINUTE)),
        }
    }
}

#[test]
fn a_session_that_is_back_is_looked_at_at_once() {
    let lost =
        || active().learns_the_name().sleeps().tickles(COMPETING).asks_politely().gets(200, REFUSED).is(Phase::Opening);
    hears(lost(), r#"{"topic":"sts","args":{"authenticated":true}}"#).sends(STATUS).gets(200, READY).is(Phase::Active);
    hears(lost(), r#"{"topic":"sts","args":{"authenticated":false}}"#).is(Phase::Opening);
}

#[test]
fn a_silent_socket_is_the_callers_to_notice() {
    active().passes(30 * SECOND).checks().sends(STATUS).gets(200, READY).is(Phase::Active);
}

#[test]
fn the_frames_of_an_earlier_login_say_nothing() {
    let mut story = active();
    let old = stream(&mut story).ticket;
    let mut options = Options::default();
    options.relogin = sansession::Relogin::AskAgain { per_day: 3 };
    let snapshot = story.machine.snapshot();
    story.machine = Session::resume(gateway(), &snapshot, options, None, seed(), story.now).unwrap();
    let frame = br#"{"topic":"sts","args":{"authenticated":false}}"#;
    assert_eq!(story.machine.observe_stream(story.now, &old, frame), Handled::Stale);
}

#[test]
fn the_simulated_gateway_takes_the_handshake() {
    let mut server = ibkr::GatewaySim::new(Settings { login: Login::Never, ..Settings::default() });
    server.pull(crate::support::START, Lever::LogIn(Person::default()));
    let mut world = crate::support::world::World::new(Session::new(gateway(), Options::default(), seed()), server);
    world.is_active().runs_for(5 * SECOND);
    let now = world.now;
    let opening = world.machine.authorize_stream(now).unwrap();
    let (mut parts, ()) = opening.request.into_parts();
    // What a WebSocket client adds.
    parts.headers.insert("upgrade", "websocket".parse().unwrap());
    parts.headers.insert("connection", "Upgrade".parse().unwrap());
    let frames = world.server.open_stream(now, &http::Request::from_parts(parts, ())).unwrap();
    assert!(Frame::read(frames[1].as_bytes()).unwrap().is_greeting());
    assert!(world.server.stream_frame(now, true, TIC)[0].contains(r#""topic":"tic""#));
    world.server.pull(now, Lever::RivalTakes(Rival::default()));
    let flags = world.server.stream_flags(now);
    world.machine.observe_stream(now, &opening.ticket, flags.as_bytes());
    world.runs_until_told("rival");
    assert_eq!(world.now, now, "the stream's word is quicker than the next tickle");
    let _ = &mut world.server as &mut dyn Simulator;
}
