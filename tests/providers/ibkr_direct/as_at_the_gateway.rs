//! What holds at the gateway holds direct: the brokerage session is the same, and so is what follows from its answers.

use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::oauth1a::LiveSessionToken;
use sansession::providers::ibkr::oauth2::Bearer;
use sansession::providers::ibkr::{Region, Takeover};
use sansession::{Event, Phase, Session};

use crate::ibkr_direct::oauth2::provider;
use crate::ibkr_direct::*;
use crate::support::Script;

type Story = Script<Session<WebApi>>;

const VALIDATE: &str = "GET /v1/api/sso/validate";
const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
const TIMED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":true}"#;
const VALID: &str = r#"{"USER_ID":1,"USER_NAME":"tester","RESULT":true}"#;
const NO_SESSION: &str = r#"{"error":"no session"}"#;
const NO_BRIDGE: &str = r#"{"error":"Bad Request: no bridge","statusCode":400}"#;
const PAGE: &[(&str, &str)] = &[("content-type", "text/html")];

fn adopted(api: WebApi, token: WebApiToken) -> Story {
    Script::new(Session::adopt(api, token, Options::default(), seed()).unwrap()).starts().sends(STATUS)
}

/// A session of somebody's OAuth 1.0a token, which is checked first.
fn first() -> Story {
    first_with(|api| api)
}

fn first_with(configure: impl FnOnce(WebApi) -> WebApi) -> Story {
    let (_, issued) = server(START);
    let token = LiveSessionToken::from_base64("YBWbLw+9RYP2nWrPQHxHZkBb1aM=", START + DAY).unwrap();
    adopted(configure(WebApi::new(&base(), oauth1a(&issued)).unwrap()), WebApiToken::Live(token))
}

/// The same with OAuth 2.0.
fn second_with(configure: impl FnOnce(WebApi) -> WebApi) -> Story {
    let api = configure(provider("tester", [127, 0, 0, 1]));
    adopted(api, WebApiToken::Bearer(Bearer::new("second", None).unwrap()))
}

fn tickle() -> String {
    format!(r#"{{"session":"0123456789abcdef0123456789abcdef","userId":123456789,"iserver":{{"authStatus":{READY}}}}}"#)
}

fn told(story: &Story, code: &str) -> usize {
    story.told.iter().filter(|event| event.code() == code).count()
}

#[test]
fn the_stream_can_be_opened_a_second_after_the_opening() {
    let mut story =
        first().gets(200, READY).is(Phase::Active).waits(Duration::from_millis(1_100)).sleeps().sends(TICKLE);
    story = story.gets(200, &tickle()).waits(MINUTE);
    let now = story.now;
    assert!(story.machine.authorize_stream(now).is_ok());
    assert_eq!(story.machine.live().unwrap().user_id, Some(123_456_789));
    // A server whose tickles have no id is not asked for it again and again, nor instead of the next token.
    let mut story = first().gets(200, READY).is(Phase::Active);
    let mut tickles = 0;
    loop {
        let (next, sent) = story.sleeps().sends_next();
        if sent == TOKEN {
            break;
        }
        tickles += usize::from(sent == TICKLE);
        story = next.gets(200, &format!(r#"{{"iserver":{{"authStatus":{READY}}}}}"#));
    }
    assert!((21 * 60..=24 * 60).contains(&tickles), "{tickles}");
}

#[test]
fn the_session_is_looked_at_after_midnight() {
    let midnight = Region::default().next_midnight(START);
    let mut story = first().gets(200, READY).is(Phase::Active);
    while story.now < midnight {
        let (next, sent) = story.sleeps().sends_next();
        let tickle = tickle();
        story = next.gets(200, if sent == TICKLE { &tickle } else { READY });
    }
    // It came with the last tickle, or comes with the look.
    let looked = story.now.since(midnight);
    story = story.sleeps();
    assert!(looked <= Duration::from_secs(5) && told(&story, "reset") == 1, "{looked:?}");
}

#[test]
fn a_missing_session_is_no_reason_for_an_init_before_the_login_is_looked_at() {
    let story = second_with(|api| api).gets(200, NO_SESSION).sends(VALIDATE).gets(200, VALID).sends(STATUS);
    story.gets(200, TIMED_OUT).sends(INIT);
    let story = second_with(|api| api).gets(400, NO_BRIDGE).sends(VALIDATE).gets(200, VALID).sends(STATUS);
    // Its word is good for a while.
    story.gets(400, NO_BRIDGE).sends(INIT);
    // With OAuth 1.0a the answer itself is the proof.
    first().gets(200, NO_SESSION).sends(INIT);
}

#[test]
fn nobody_is_thrown_out_for_an_account_that_nobody_has_asked_for() {
    let paper = |kind: u8| format!(r#"{{"USER_NAME":"tester","RESULT":true,"LOGIN_TYPE":{kind}}}"#);
    let story =
        || second_with(|api| api.expect_paper(true).takeover(Takeover::ALWAYS)).gets(200, TIMED_OUT).sends(VALIDATE);
    story().gets(200, &paper(1)).closes("denied.wrong-account");
    story().gets(200, &paper(2)).sends(STATUS).gets(200, TIMED_OUT).sends(INIT);
    // Where it does not tell, the accounts do, once there are any.
    story().gets(200, VALID).sends(STATUS).gets(200, READY).sends("GET /v1/api/iserver/accounts");
}

#[test]
fn inits_that_open_nothing_are_told_however_the_server_says_it() {
    let mut story = first().gets(400, NO_BRIDGE).sends(INIT).gets(200, TIMED_OUT);
    story = story.sleeps().sends(STATUS).gets(400, NO_BRIDGE);
    story = story.sends_next().0;
    assert_eq!(told(&story, "stuck"), 1);
    // An open session is in doubt from the first of these answers on.
    let mut story = first().gets(200, READY).sleeps().sends(TICKLE).gets(200, &tickle()).is(Phase::Active);
    story = story.sleeps().sends(TICKLE).gets(200, &tickle().replace("true,\"established\"", "false,\"established\""));
    story = story.sends(INIT).gets(400, NO_BRIDGE).sleeps();
    assert!(story.told.iter().any(|event| matches!(event, Event::Suspect { .. })), "{:?}", story.told);
}

#[test]
fn an_address_that_was_let_in_is_refused_by_accident() {
    const DENIED: &str = "<HTML>Access Denied</HTML>";
    first().gets_as(403, PAGE, DENIED).closes("denied.ip-not-allowed");
    let story = first().gets(200, TIMED_OUT).sends(INIT).gets_as(403, PAGE, DENIED);
    // What the init did is seen by looking, and the next one waits its turn.
    let mut story = story.waits(Duration::from_secs(10)).sleeps().sends(STATUS).gets_as(403, PAGE, DENIED);
    story = story.sleeps().sends(STATUS).gets(200, READY).is(Phase::Active);
    assert_eq!(told(&story, "suspect"), 0);
}

#[test]
fn an_empty_answer_comes_with_a_restart() {
    first().gets(200, "").closes("protocol");
    let story =
        first().gets(200, TIMED_OUT).sends(INIT).gets(200, "").waits(Duration::from_secs(10)).sleeps().sends(STATUS);
    story.gets(200, "").sleeps().sends(STATUS).gets(200, READY).is(Phase::Active);
}

#[test]
fn the_pace_of_tickles_has_bounds() {
    for (every, expected) in [(Duration::ZERO, Duration::from_millis(1_100)), (DAY, 4 * MINUTE)] {
        let story = first_with(|api| api.keepalive(every)).gets(200, READY).sleeps().sends(TICKLE);
        let story = story.gets(200, &tickle()).is(Phase::Active);
        let (start, story) = (story.now, story.sleeps().sends(TICKLE));
        assert_eq!(story.now.since(start), expected);
    }
}
