//! The stream of a direct session: its handshake, and the secret in its URL.

use sansession::providers::ibkr::wire::USER_AGENT;
use sansession::sim::ibkr::{Lever, Rival};
use sansession::{AuthorizeError, Handled, Machine, Phase, Session, machine::StreamOpening};

use crate::ibkr_direct::*;
use crate::support::world::World;

fn open(life: &mut Life) -> StreamOpening {
    life.machine.authorize_stream(life.now).unwrap()
}

#[track_caller]
fn is_not_ready(life: &mut Life) {
    let refused = life.machine.authorize_stream(life.now);
    assert!(matches!(refused, Err(AuthorizeError::NotReady { .. })), "{refused:?}");
}

/// Checks a handshake for a token in the query, and that nothing shows it.
#[track_caller]
fn check(opening: &StreamOpening, name: &str, token: &str) {
    let uri = opening.request.uri();
    assert_eq!(uri.to_string(), format!("wss://api.ibkr.com/v1/api/ws?{name}={token}"));
    let headers = opening.request.headers();
    let cookie = headers["cookie"].to_str().unwrap();
    let id = cookie.strip_prefix("api=").unwrap();
    assert!(headers["cookie"].is_sensitive() && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{cookie}");
    assert_eq!(headers["user-agent"], USER_AGENT);
    // A signature would be for another URL, and no header may have the token twice.
    assert!(!headers.contains_key("authorization"));
    assert_eq!(opening.first_frame.as_ref().unwrap().expose(), format!(r#"{{"session":"{id}"}}"#));
    assert_eq!(opening.ticket.uri.to_string(), "wss://api.ibkr.com/v1/api/ws");
    assert_eq!((opening.ticket.method.as_str(), opening.ticket.tier), ("GET", Some("sso")));
    let shown = format!("{opening:?} {:?}", opening.ticket);
    assert!(!shown.contains(token) && !shown.contains(id) && shown.contains("/v1/api/ws"), "{shown}");
}

#[test]
fn a_stream_of_oauth_1_has_the_access_token() {
    let (server, issued) = server(START);
    let sim = sim::WebApiSim::oauth1a(server, sim::WebApiSim::settings());
    let session = Session::new(WebApi::new(&base(), oauth1a(&issued)).unwrap(), Options::default(), seed());
    let mut life = World::new(session, Ibkr { sim, ahead: 0 });
    // Not before there is a token, nor before the first tickle has brought the id.
    is_not_ready(&mut life);
    life.is_active();
    is_not_ready(&mut life);
    life.runs_for(2 * MINUTE);
    check(&open(&mut life), "oauth_token", &issued.access_token);
}

#[test]
fn a_stream_of_oauth_2_has_the_bearer() {
    let mut life = crate::ibkr_direct::oauth2::life();
    life.is_active();
    life.runs_for(2 * MINUTE);
    let call = http::Request::get("/portfolio/accounts").body(Vec::new()).unwrap();
    let (call, _) = life.machine.authorize_request(life.now, call).unwrap();
    let bearer = call.headers()["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    check(&open(&mut life), "bearer_token", bearer);
}

#[test]
fn a_token_is_encoded_in_the_query() {
    use sansession::providers::ibkr::direct::WebApiToken;
    use sansession::providers::ibkr::oauth2::Bearer;
    let token = WebApiToken::Bearer(Bearer::new("a+b/c=&d#e", None).unwrap());
    let session = Session::adopt(
        crate::ibkr_direct::oauth2::provider("tester", [127, 0, 0, 1]),
        token,
        Options::default(),
        seed(),
    );
    let ready = r#"{"authenticated":true,"established":true,"competing":false,"connected":true}"#;
    let story = crate::support::Script::new(session.unwrap()).starts().sends(STATUS).gets(200, ready);
    let (story, sent) = story.sends_next();
    assert_eq!(sent, TICKLE);
    let tickle = format!(r#"{{"session":"0a1b","iserver":{{"authStatus":{ready}}}}}"#);
    let mut story = story.gets(200, &tickle);
    let opening = story.machine.authorize_stream(story.now).unwrap();
    assert_eq!(opening.request.uri().query(), Some("bearer_token=a%2Bb%2Fc%3D%26d%23e"));
}

#[test]
fn a_frame_that_casts_doubt_leads_to_a_look() {
    let mut life = life();
    life.is_active();
    life.runs_for(2 * MINUTE);
    let ticket = open(&mut life).ticket;
    life.server.sim.gateway.pull(life.now, Lever::RivalTakes(Rival::default()));
    let frame = life.server.sim.gateway.stream_flags(life.now);
    let now = life.now;
    assert_eq!(life.machine.observe_stream(now, &ticket, frame.as_bytes()), Handled::Used);
    life.runs_until_told("rival");
    assert_eq!(life.now, now, "the stream's word is quicker than the next tickle");
}

#[test]
fn a_stream_goes_with_its_token() {
    let mut life = life();
    life.is_active();
    life.runs_for(2 * MINUTE);
    let ticket = open(&mut life).ticket;
    // The server drops the token: the next one opens no stream with the id of the session before.
    life.server.sim.end_sessions();
    let tokens = |life: &Life| life.sent.iter().filter(|sent| *sent == TOKEN).count();
    life.runs_until(|life| tokens(life) == 2 && !life.awaits_answer() && life.machine.phase() == Phase::Active);
    is_not_ready(&mut life);
    assert_eq!(life.machine.observe_stream(life.now, &ticket, b"{}"), Handled::Stale);
    life.runs_for(2 * MINUTE);
    assert_eq!(life.machine.phase(), Phase::Active);
    drop(open(&mut life));
}
