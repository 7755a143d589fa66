//! What gateways were seen to do, beyond the documentation.

use super::*;
use crate::sim::Fault;

/// A request of any method to a path below the base or at the root, with its length.
fn request(method: Method, path: &str) -> Request<Vec<u8>> {
    let path = if path.starts_with("/v1/") || path.starts_with("//") || path.starts_with("/sso/") || path == "/" {
        path.to_owned()
    } else {
        format!("/v1/api{path}")
    };
    let uri = format!("https://localhost:5000{path}");
    Request::builder()
        .method(method)
        .uri(uri)
        .header(USER_AGENT, "test")
        .header(CONTENT_LENGTH, 0)
        .body(Vec::new())
        .unwrap()
}

#[test]
fn the_gateway_answers_some_things_by_itself() {
    let mut story = story(quiet());
    let root = story.send(&request(Method::GET, "/"));
    assert_eq!(
        (root.status, root.headers["location"].to_str().unwrap()),
        (302, "/sso/Login?forwardTo=22&RL=1&ip2loc=US")
    );
    assert_eq!(story.send(&request(Method::OPTIONS, "/tickle")).status, 204);
    for base in ["/v1/api", "/v1/portal"] {
        let got = story.send(&request(Method::POST, &format!("{base}/iserver/reauthenticate?force=true")));
        assert_eq!((got.status, got.text().as_str()), (200, r#"{"error":"not logged in"}"#));
    }
    assert_eq!(story.at(1).send(&request(Method::GET, "/sso/ping")).refusal(), Some(Refusal::NotLoggedIn));
    story.log_in();
    assert_eq!(story.send(&request(Method::GET, "/sso/ping")).status, 200);
    assert_eq!(story.send(&request(Method::GET, "/v1/portal/sso/ping")).status, 200);
    assert_eq!(story.send(&request(Method::GET, "//v1/api//tickle")).status, 200, "as pybkr writes it");
}

#[test]
fn addresses_outside_the_list_are_refused_in_two_ways() {
    for (stranger, status) in [(Stranger::Forbidden, 403), (Stranger::NotFound, 404)] {
        let mut story = story(Settings { allowed: Some(vec![]), stranger, ..quiet() });
        let got = story.status();
        assert_eq!((got.status, got.text().as_str()), (status, "Access Denied"));
    }
}

#[test]
fn a_login_may_live_without_any_brokerage_session_to_be_had() {
    let mut story = story(quiet());
    story.log_in().at(60).pull(Lever::Wedge);
    for hour in 0..3 {
        story.at(100 + hour * 3_600);
        assert_eq!(
            story.status().text(),
            r#"{"MAC":"98:F2:B3:23:BF:A0","authenticated":false,"competing":false,"connected":false}"#
        );
        assert_eq!(story.validate().status, 200);
        let got = story.init(Init::TAKE_OVER).text();
        assert!(got.contains(r#""authenticated":false"#) && !got.contains("passed"), "{got}");
        story.send(&request(Method::POST, "/iserver/reauthenticate"));
    }
    assert_eq!(story.gateway.count(|what| *what == Happening::OpenedNothing), 3);
    assert_eq!(story.gateway.count(|what| matches!(what, Happening::Opened { .. })), 1);
    story.at(20_000).log_in().at(20_010);
    assert_eq!(story.status().standing(), BrokerageState::Ready, "another login helps");
}

#[test]
fn the_reset_may_come_before_midnight() {
    let mut story = story(Settings { early: Duration::from_secs(14 * 60), maintenance: None, ..quiet() });
    story.log_in();
    // It began at noon.
    let reset = 12 * 3_600 - 14 * 60;
    assert_eq!(story.at(reset - 1).validate().status, 200);
    assert_eq!(story.at(reset).status().refusal(), Some(Refusal::NotLoggedIn));
    story.log_in().at(12 * 3_600 + 60);
    assert_eq!(story.status().status, 200, "midnight itself ends nothing then");
    story.at(reset + 86_400 + 1).status();
    assert_eq!(story.gateway.count(|what| *what == Happening::LoginEnded(End::Midnight)), 2);
}

#[test]
fn a_status_may_be_had_by_get_alone_and_a_post_may_need_an_origin() {
    let mut get_only = story(Settings { posts_status: false, ..quiet() });
    get_only.log_in();
    assert_eq!(get_only.status().status, 400);
    assert_eq!(get_only.status_by_get().status, 200);
    let mut strict = story(Settings { wants_origin: true, ..quiet() });
    strict.log_in();
    assert_eq!((strict.status().status, strict.status_by_get().status), (401, 200));
    let mut own = strict.api.status();
    own.headers_mut().insert(ORIGIN, "https://localhost:5000".parse().unwrap());
    assert_eq!(strict.send(&own).status, 200);
}

#[test]
fn a_tickle_may_be_answered_with_nothing() {
    let mut story = story(Settings { tickle: TickleBody::Empty, ..quiet() });
    let got = story.log_in().tickle();
    assert_eq!((got.status, got.body.len()), (200, 0));
    let mut story = self::story(Settings { logged_out: LoggedOut::Json, ..quiet() });
    assert_eq!(story.status().text(), r#"{"error":"not authenticated","statusCode":401}"#);
}

#[test]
fn what_clients_begin_with_is_there() {
    let mut story = story(quiet());
    story.log_in().at(5);
    let get = |story: &mut Story, path: &str| story.send(&request(Method::GET, path));
    assert_eq!(get(&mut story, "/one/user").text(), r#"{"islite":false,"ispaper":true,"username":"tester"}"#);
    assert_eq!(get(&mut story, "/hmds/history").status, 404);
    assert_eq!(get(&mut story, "/hmds/auth/init").status, 200);
    story.gateway.serve("/hmds/history", "[]");
    assert_eq!(get(&mut story, "/hmds/history?conid=1").status, 200);
    let cold = get(&mut story, "/fyi/unreadnumber");
    assert_eq!((cold.status, cold.refusal()), (423, Some(Refusal::WaitingForReply)));
    assert_eq!(get(story.at(7), "/fyi/unreadnumber").text(), r#"{"BN":0}"#);
    assert_eq!(get(&mut story, "/portfolio/subaccounts").status, 200);
    assert_eq!(get(&mut story, "/portfolio/DU0000001/positions/0").text(), "[]");
    let choose = |account: &str| {
        let mut request = request(Method::POST, "/iserver/account");
        request.headers_mut().remove(CONTENT_LENGTH);
        *request.body_mut() = format!(r#"{{"acctId":"{account}"}}"#).into_bytes();
        request
    };
    assert_eq!(story.send(&choose("DU0000001")).text(), r#"{"acctId":"DU0000001","set":true}"#);
    assert_eq!(story.send(&choose("U1")).status, 400);
    assert_eq!(get(story.at(9), "/iserver/account").status, 405);
    assert_eq!(get(&mut story, "/iserver/account/trades").refusal(), Some(Refusal::AccountsFirst));
    get(&mut story, "/iserver/accounts");
    assert_eq!(get(&mut story, "/iserver/account/pnl/partitioned").text(), r#"{"upnl":{}}"#);
}

#[test]
fn answers_may_take_their_time() {
    let mut story = story(Settings { latency: Duration::from_millis(100), ..quiet() });
    let reply = story.reply(&story.api.status());
    assert_eq!((reply.delay, reply.fault), (Duration::from_millis(100), None));
    story.pull(Lever::Mishap { next: 1, path: "", mishap: Mishap::Dropped });
    assert_eq!(story.reply(&story.api.status()).fault, Some(Fault::Drop));
}
