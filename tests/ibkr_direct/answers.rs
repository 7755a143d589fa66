//! What each answer of the Web API leads to, at each step of a direct session: a table to read.

use std::fmt::Write;

use sansession::providers::ibkr::direct::WebApiToken;
use sansession::providers::ibkr::oauth1a::LiveSessionToken;
use sansession::providers::ibkr::oauth2::Bearer;
use sansession::{Machine, Output, Rejection, Session, WaitingOn};

use crate::oauth2::provider;
use crate::support::Script;
use crate::*;

type Story = Script<Session<WebApi>>;
type Answer = (u16, &'static str, &'static str);

const JSON: &str = "application/json";
const VALIDATE: &str = "GET /v1/api/sso/validate";
const READY: &str = r#"{"authenticated":true,"established":true,"competing":false,"connected":true,"message":""}"#;
const TIMED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":true}"#;
const LOGGED_OUT: &str = r#"{"authenticated":false,"competing":false,"connected":false}"#;

const ANSWERS: [Answer; 22] = [
    (200, JSON, READY),
    (200, JSON, r#"{"authenticated":false,"competing":false,"connected":true}"#),
    (200, JSON, r#"{"authenticated":true,"competing":true,"connected":true}"#),
    (200, JSON, r#"{"session":"0123456789abcdef0123456789abcdef"}"#),
    (200, JSON, r#"{"error":"no session"}"#),
    (200, JSON, r#"{"RESULT":false}"#),
    (200, JSON, r#"{"status":true}"#),
    (200, JSON, ""),
    (200, "text/html", "<html>Maintenance</html>"),
    (302, "location", "/sso/Login"),
    (302, "location", "https://elsewhere.example/"),
    (400, JSON, r#"{"error":"Bad Request: no bridge"}"#),
    (401, JSON, r#"{"error":"not authenticated","statusCode":401}"#),
    (401, "text/plain", "Unauthorized"),
    (403, "text/html", "<HTML>Access Denied</HTML>"),
    (404, "text/html", "<html>"),
    (410, "text/plain", "gone"),
    (429, JSON, r#"{"error":"slow"}"#),
    (500, JSON, r#"{"error":"failed to generate sso dh token"}"#),
    (500, JSON, r#"{"error":"Please query /accounts first"}"#),
    (502, "text/html", "<html>Bad Gateway</html>"),
    (503, "text/plain", "Service Unavailable"),
];

/// A session of somebody's token, which is looked at first.
fn adopted() -> Story {
    let token = WebApiToken::Bearer(Bearer::new("second", None).unwrap());
    let api = provider("tester", [127, 0, 0, 1]);
    Script::new(Session::adopt(api, token, Options::default(), seed()).unwrap()).starts()
}

/// Nobody seems to be logged in: the outer tier is asked.
fn asks_the_outer_tier() -> Story {
    adopted().sends(STATUS).gets(200, LOGGED_OUT).sends(VALIDATE)
}

fn open() -> Story {
    let mut story = adopted().sends(STATUS).gets(200, READY).is(sansession::Phase::Active);
    story.told.clear();
    story
}

fn given(story: Story, (status, kind, body): Answer) -> Story {
    match kind {
        "location" => story.gets_as(status, &[(kind, body)], ""),
        _ => story.gets_as(status, &[("content-type", kind)], body),
    }
}

/// Says what came of an answer: what was told, and what comes next after how long.
fn consequence(mut story: Story) -> String {
    story.told.clear();
    let start = story.now;
    let mut text = String::new();
    let next = loop {
        match story.poll() {
            Output::Wait { on: WaitingOn::Need(need), .. } => {
                break format!("needs {} because {}", need.kind.code(), need.because.code());
            }
            Output::Wait { until, .. } if until.is_never() => break "nothing".to_owned(),
            Output::Wait { until, .. } => story.now = until,
            Output::Send(outgoing) => {
                let host = outgoing.path().to_owned();
                break format!("{} after {} s", host, story.now.since(start).as_secs());
            }
            Output::Closed(reason) => break format!("closed {}", reason.code()),
            _ => {}
        }
    };
    for event in story.told.iter().filter(|event| !matches!(event.code(), "retrying" | "phase")) {
        write!(text, "{} ", event.code()).unwrap();
    }
    format!("{text}-> {next}")
}

fn table(title: &str, step: impl Fn() -> Story) -> String {
    let mut table = format!("{title}\n");
    for answer in ANSWERS {
        let shown = if answer.2.is_empty() { "(empty)" } else { answer.2 };
        writeln!(table, "  {} {shown}\n    {}", answer.0, consequence(given(step(), answer))).unwrap();
    }
    table
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
    let mut calls = String::from("a call of the user's own\n");
    for answer in ANSWERS {
        let mut story = open();
        let call = http::Request::get("/iserver/accounts").body(Vec::new()).unwrap();
        let (_, ticket) = story.machine.authorize_request(story.now, call).unwrap();
        let (name, value) = if answer.1 == "location" { ("location", answer.2) } else { ("content-type", answer.1) };
        let response = http::Response::builder().status(answer.0).header(name, value).body(answer.2).unwrap();
        let _ = story.machine.observe(story.now, &ticket, (&response).into());
        writeln!(calls, "  {} {}\n    {}", answer.0, answer.2, consequence(story)).unwrap();
    }
    tables += &calls;
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
        assert!(sent.ends_with("/iserver/accounts") || sent == TICKLE, "{sent}");
        assert_eq!(story.machine.live().map(|live| live.expires), story.machine.live().map(|_| Some(ends)));
        let call = http::Request::get("/iserver/accounts").body(Vec::new()).unwrap();
        if story.machine.phase() == sansession::Phase::Active {
            let (_, ticket) = story.machine.authorize_request(story.now, call).unwrap();
            assert_eq!(ticket.tier, Some("brokerage"));
        }
    }
}
