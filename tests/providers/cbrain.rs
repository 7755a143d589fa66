//! The traps of the CBRAIN portal, one by one.

use std::sync::Arc;
use std::time::Duration;

use crate::support::*;
use sansession::providers::cbrain::CbrainLive;
use sansession::{
    BaseUrl, Event, Handled, Machine, NeedKind, Options, Phase, Response, Secret, Session, Source, UrlError,
    machine::{NeedReason, Rejection},
};

/// BrainPortal's 401 has an empty body and still a JSON type.
const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];
const HTML: &[(&str, &str)] = &[("content-type", "text/html; charset=utf-8")];

#[test]
fn a_login_asks_for_json_alone_and_brings_nothing_old() {
    let script = session().answers(credentials()).sends("POST /session");
    let request = script.request.as_ref().unwrap();
    let headers: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
    assert_eq!(headers, ["accept", "user-agent", "content-type"]);
    assert_eq!(request.headers()["accept"], "application/json");
    assert_eq!(request.body(), b"login=norm&password=correct+horse");
    assert_eq!(request.uri().query(), None);
}

#[test]
fn a_login_after_an_expiry_brings_nothing_old_either() {
    let mut options = Options::default();
    options.relogin = sansession::Relogin::AskAgain { per_day: 3 };
    let script = active_with(options)
        .sleeps()
        .sends("GET /session")
        .gets(401, "")
        .needs(NeedKind::Credentials, NeedReason::Expired)
        .answers(credentials())
        .sends("POST /session");
    assert!(!script.request.as_ref().unwrap().headers().contains_key("authorization"));
}

#[test]
fn a_login_has_time_for_the_portals_punishment() {
    // A wrong password is held back 3 s, and longer while others are.
    let mut script = session().answers(credentials());
    loop {
        if let sansession::Output::Send(outgoing) = script.machine.poll(script.now) {
            assert!(outgoing.policy().timeout >= Duration::from_secs(10));
            break;
        }
    }
}

#[test]
fn success_needs_a_json_type_and_both_fields() {
    for (headers, body) in [
        (HTML, info(TOKEN)),
        (JSON, r#"{"user_id":2}"#.into()),
        (JSON, format!(r#"{{"cbrain_api_token":"{TOKEN}"}}"#)),
        (JSON, r#"{"user_id":2,"cbrain_api_token":""}"#.into()),
        (JSON, r#"{"user_id":null,"cbrain_api_token":null}"#.into()),
        (JSON, String::new()),
        (JSON, info(TOKEN).chars().take(40).collect()),
        (&[], info(TOKEN)),
    ] {
        session()
            .answers(credentials())
            .sends("POST /session")
            .gets_as(200, headers, &body)
            .tells("may-live-on")
            .closes("protocol");
    }
}

#[test]
fn a_user_id_may_be_a_string() {
    let body = format!(r#"{{"user_id":"2","cbrain_api_token":"{TOKEN}"}}"#);
    let script = session().answers(credentials()).sends("POST /session").gets(200, &body).is(Phase::Active);
    assert_eq!(script.machine.live().unwrap().user_id, Some(2));
}

#[test]
fn a_redirected_login_is_no_login() {
    session().answers(credentials()).sends("POST /session").gets_as(302, HTML, "").closes("protocol");
}

#[test]
fn rejected_input_says_what_the_portal_says() {
    let mut script =
        session().answers(credentials()).sends("POST /session").gets(400, r#"{"status":400,"error":"Bad Request"}"#);
    script = script.closes("denied.rejected");
    assert!(script.transcript.contains("Bad Request"), "{}", script.transcript);
}

#[test]
fn a_portal_whose_database_is_down_judges_no_password() {
    for body in [
        r#"{"status":500,"error":"Internal Server Error"}"#,
        r#"{"error":"Mysql2::Error: Lost connection to MySQL server during query"}"#,
        r#"{"message":null}"#,
        "",
    ] {
        let mut script = session()
            .by(Source::Store)
            .answers(credentials())
            .sends("POST /session")
            .gets(500, body)
            .tells("may-live-on")
            .needs(NeedKind::Credentials, NeedReason::Lost);
        assert_eq!(script.need().refused, 0, "{body}");
        let told = script.transcript.clone();
        assert_eq!(told.contains("server says"), body.contains("error"), "{told}");
        assert!(!told.contains("refused"), "{told}");
        // Nobody answers any more: that is trouble too, and no denial that a saved session would keep.
        script.answers(sansession::Input::GiveUp).closes("retries-exhausted");
    }
}

#[test]
fn no_call_says_where_it_comes_from() {
    let mut script = active();
    let call = http::Request::builder()
        .uri("/groups")
        .header("X-Forwarded-For", "192.0.2.7")
        .header("X-Real-IP", "192.0.2.7")
        .header("Client-IP", "192.0.2.7")
        .header("X-Request-Id", "7")
        .body("");
    let (request, _) = script.machine.authorize_request(script.now, call.unwrap()).unwrap();
    let mut headers: Vec<_> = request.headers().keys().map(|name| name.as_str()).collect();
    headers.sort_unstable();
    assert_eq!(headers, ["accept", "authorization", "user-agent", "x-request-id"], "the rest is the caller's affair");
}

#[test]
fn a_locked_portal_keeps_the_password_in_hand_and_the_token() {
    session()
        .answers(credentials())
        .sends("POST /session")
        .gets(503, r#"{"message":"back at noon"}"#)
        .tells("server-says")
        .sleeps()
        .sends("POST /session")
        .gets(200, &info(TOKEN))
        .sleeps()
        .sends("GET /session")
        .gets(503, r#"{"message":null}"#)
        .tells("suspect")
        .is(Phase::Active)
        .sleeps()
        .sends("GET /session")
        .gets(200, &info(TOKEN))
        .tells("recovered");
}

#[test]
fn a_refusal_with_a_web_page_proves_nothing() {
    // A banned address gets 401 as text/html on every URL.
    active().sleeps().sends("GET /session").gets_as(401, HTML, "").is(Phase::Active).tells("suspect");
    active().logs_out().sends("DELETE /session").gets_as(401, HTML, "").sleeps().sends("DELETE /session");
}

#[test]
fn another_token_or_user_is_not_taken_for_ours() {
    for body in [info("ffffffffffffffffffffffffffffffff"), info(TOKEN).replace(":2,", ":3,")] {
        let script = active().sleeps().sends("GET /session").gets(200, &body).is(Phase::Active).tells("suspect");
        let CbrainLive { user_id, token, .. } = script.machine.live().unwrap();
        assert_eq!((*user_id, token.expose()), (Some(2), TOKEN));
    }
}

#[test]
fn a_session_is_adopted_after_a_look() {
    let adopt = |token: &str| Session::adopt(cbrain(), Secret::new(token), Options::default(), seed());
    let script =
        Script::new(adopt(TOKEN).unwrap()).starts().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
    assert_eq!(script.machine.live().unwrap().user_id, Some(2));
    Script::new(adopt(TOKEN).unwrap()).starts().sends("GET /session").gets(401, "").closes("expired");
    assert_eq!(adopt("").unwrap_err(), Rejection::Empty("token"));
    assert_eq!(adopt("a\nb").unwrap_err(), Rejection::Malformed("token"));
}

#[test]
fn what_a_person_must_do_is_told_and_kills_nothing() {
    let told = |status: u16, headers: &[(&str, &str)], body: &str| {
        let mut script = active();
        let call = http::Request::builder().uri("/groups").body("").unwrap();
        let (_, ticket) = script.machine.authorize_request(script.now, call).unwrap();
        let mut response = http::Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        let response = response.body(body.to_owned()).unwrap();
        assert_eq!(script.machine.observe(script.now, &ticket, Response::from(&response)), Handled::Used);
        let script = script.is(Phase::Active).waits(Duration::from_secs(12 * 3600));
        script.told.into_iter().find_map(|event| match event {
            Event::ActionRequired { url, text } => Some((url.map(|x| x.to_string()), text.map(|x| x.to_string()))),
            _ => None,
        })
    };
    assert_eq!(
        told(302, &[("location", "http://localhost:3000/users/2/change_password")], "<html>"),
        Some((Some("http://localhost:3000/users/2/change_password".into()), None))
    );
    assert_eq!(told(302, &[("location", "http://localhost:3000/groups")], "<html>"), None);
    for text in
        ["Some license agreements are not signed.", "This account must first be linked to an OpenID identity provider"]
    {
        assert_eq!(told(403, JSON, &format!(r#"{{"error":"{text}"}}"#)), Some((None, Some(text.into()))));
    }
    assert_eq!(told(400, JSON, r#"{"error":"You don't have permission"}"#), None);
    assert_eq!(told(503, JSON, r#"{"message":null}"#), None);
}

#[test]
fn sessions_may_share_one_provider() {
    let shared = Arc::new(cbrain());
    let session = Session::new(shared.clone(), Options::default(), seed());
    let mut script = Script::new(session)
        .starts()
        .answers(credentials())
        .sends("POST /session")
        .gets(200, &info(TOKEN))
        .checks()
        .sends("GET /session")
        .gets(200, &info(TOKEN))
        .is(Phase::Active);
    let call = http::Request::builder().uri("/groups").body("").unwrap();
    let (request, _) = script.machine.authorize_request(script.now, call).unwrap();
    assert_eq!(request.headers()["authorization"], format!("Bearer {TOKEN}"));
    let script = script.logs_out().sends("DELETE /session").gets(200, "").closes("logged-out");
    assert!(!script.machine.snapshot().expose_secrets().contains(TOKEN));

    let adopted = Session::adopt(shared.clone(), Secret::new(TOKEN), Options::default(), seed()).unwrap();
    let script = Script::new(adopted).starts().sends("GET /session").gets(200, &info(TOKEN)).is(Phase::Active);
    assert_eq!(script.machine.live().unwrap().token.expose(), TOKEN);
    assert!(Session::adopt(shared.clone(), Secret::new(""), Options::default(), seed()).is_err());

    let mut options = Options::default();
    options.relogin = sansession::Relogin::AskAgain { per_day: 1 };
    let script = Script::new(Session::new(shared, options, seed())).starts().answers(credentials());
    let script = script.sends("POST /session").gets(200, &info(TOKEN)).sleeps().sends("GET /session").gets(401, "");
    let script = script.needs(NeedKind::Credentials, NeedReason::Expired);
    assert!(!script.machine.snapshot().expose_secrets().contains(TOKEN));
}

#[test]
fn a_web_page_instead_of_a_judgement_says_nothing_of_the_password() {
    session()
        .answers(credentials())
        .sends("POST /session")
        .gets_as(500, HTML, "<html>We're sorry, but something went wrong")
        .needs(NeedKind::Credentials, NeedReason::Lost);
    session()
        .answers(credentials())
        .sends("POST /session")
        .gets_as(507, HTML, "")
        .needs(NeedKind::Credentials, NeedReason::Lost);
}

#[test]
fn credentials_go_in_clear_to_this_machine_only() {
    assert_eq!(BaseUrl::parse("http://portal.cbrain.mcgill.ca").unwrap_err(), UrlError::PlainHttp);
}

#[test]
fn a_wrong_password_from_a_program_is_sent_once() {
    let mut script = session().by(Source::Store).answers(credentials()).sends("POST /session").gets_as(401, JSON, "");
    let need = script.need();
    assert_eq!(need.refused, 1);
    for _ in 0..10 {
        script = script.passes(Duration::from_secs(86_400));
        let answered = script.machine.handle_input(script.now, need.id, credentials(), Source::Store);
        assert_eq!(answered, sansession::InputHandled::Rejected(Rejection::Unattended));
        assert_eq!(script.need().id, need.id);
    }
}
