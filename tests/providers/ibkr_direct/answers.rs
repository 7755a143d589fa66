//! What each answer of the Web API leads to, at each step of a direct session: a table to read.

use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::oauth1a::LiveSessionToken;
use sansession::providers::ibkr::oauth2::Bearer;
use sansession::{
    Machine, Session,
    machine::{Ends, Rejection},
};

use crate::ibkr_direct::oauth2::provider;
use crate::ibkr_direct::*;
use crate::support::Script;
use crate::support::answers::{answers_to_calls, table};

type Story = Script<Session<WebApi>>;

const VALIDATE: &str = "GET /v1/api/sso/validate";
const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
const TIMED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":true}"#;
const LOGGED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":false}"#;

/// A session of somebody's token, which is checked first.
fn adopted() -> Story {
    let token = WebApiToken::Bearer(Bearer::new("second", None).unwrap());
    let api = provider("tester", [127, 0, 0, 1]);
    let mut options = Options::default();
    options.ends = Ends::Always;
    Script::new(Session::adopt(api, token, options, seed()).unwrap()).starts()
}

/// Nobody seems to be logged in: the outer tier is asked.
fn asks_the_outer_tier() -> Story {
    adopted().sends(STATUS).gets(200, LOGGED_OUT).sends(VALIDATE)
}

fn open() -> Story {
    let story = adopted().sends(STATUS).gets(200, READY).is(sansession::Phase::Active);
    let tickled = format!(r#"{{"session":"0123456789abcdef0123456789abcdef","iserver":{{"authStatus":{READY}}}}}"#);
    let mut story = story.sleeps().sends(TICKLE).gets(200, &tickled).waits(MINUTE);
    story.told.clear();
    story
}

#[test]
fn what_each_answer_leads_to() {
    let mut tables = table("the first look at a token", || adopted().sends(STATUS));
    tables += &table("a validation", asks_the_outer_tier);
    tables += &table("an init", || adopted().sends(STATUS).gets(200, TIMED_OUT).sends(INIT));
    tables += &table("a tickle of an open session", || {
        let (story, sent) = open().sends_next();
        assert_eq!(sent, TICKLE);
        story
    });
    tables += &table("a check of an open session", || open().passes(MINUTE / 2).checks().sends(STATUS));
    let call = || http::Request::get("/iserver/accounts").body(Vec::new()).unwrap();
    tables += &answers_to_calls(open, call);
    tables += &table("a logout", || open().logs_out().sends(LOGOUT));
    insta::assert_snapshot!(tables);
}

#[test]
fn a_token_is_adopted_by_its_own_kind_of_session() {
    let ends = START + DAY;
    let live = || WebApiToken::Live(LiveSessionToken::from_base64("YBWbLw+9RYP2nWrPQHxHZkBb1aM=", ends).unwrap());
    let bearer = || WebApiToken::Bearer(Bearer::new("second", Some(ends)).unwrap());
    let (_, issued) = server(START);
    let first = || WebApi::new(&base(), oauth1a(&issued)).unwrap();
    let second = || provider("tester", [127, 0, 0, 1]);
    let adopt = |api, token| Session::adopt(api, token, Options::default(), seed());
    assert_eq!(adopt(first(), bearer()).unwrap_err(), Rejection::WrongKind);
    assert_eq!(adopt(second(), live()).unwrap_err(), Rejection::WrongKind);
    for session in [adopt(first().expect_paper(true), live()), adopt(second().expect_paper(false), bearer())] {
        let session = session.unwrap();
        let story = Script::new(session).starts();
        let (mut story, sent) = story.sends(STATUS).gets(200, READY).sends_next();
        // With OAuth 2.0 the kind of the account is asked for first, with 1.0a there is nobody to ask before the accounts.
        assert!(sent.ends_with("/iserver/accounts") || sent == VALIDATE, "{sent}");
        assert_eq!(story.machine.live().map(|live| live.expires), story.machine.live().map(|_| Some(ends)));
        let call = http::Request::get("/iserver/accounts").body(Vec::new()).unwrap();
        if story.machine.phase() == sansession::Phase::Active {
            let (_, ticket) = story.machine.authorize_request(story.now, call).unwrap();
            assert_eq!(ticket.tier, Some("brokerage"));
        }
    }
}

#[test]
fn a_server_that_refuses_the_post_of_the_status_is_asked_by_get() {
    const BY_GET: &str = "GET /v1/api/iserver/auth/status";
    const TEXT: &[(&str, &str)] = &[("content-type", "text/plain")];
    for (status, body) in [(400, "Bad Request"), (405, ""), (415, "")] {
        let story = adopted().sends(STATUS).gets_as(status, TEXT, body).sends(BY_GET).gets(200, READY);
        let story = story.sleeps().sends(TICKLE).gets(200, "");
        let story = story.sends(BY_GET).gets(200, READY);
        // The next look goes there at once, in the next process, too.
        let story = story.is(sansession::Phase::Active).passes(MINUTE / 2);
        let now = story.now;
        let api = provider("tester", [127, 0, 0, 1]);
        let snapshot = story.machine.snapshot();
        let resumed = Session::resume(api, &snapshot, Options::default(), None, seed(), now).unwrap();
        story.checks().sends(BY_GET).gets(200, READY).is(sansession::Phase::Active);
        Script::new(resumed).at(now).checks().sends(BY_GET);
        // Where neither is taken, the two are named.
        let story = adopted().sends(STATUS).gets_as(status, TEXT, body).sends(BY_GET).gets_as(status, TEXT, body);
        let sansession::Output::Closed(reason) = story.closes("protocol").poll() else { panic!() };
        assert!(reason.to_string().contains("neither by POST nor by GET"), "{reason}");
    }
}
