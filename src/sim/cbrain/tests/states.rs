//! The portal's and the account's states, other calls, and mishaps.

use super::*;
use crate::sim::Fault;
use http::{Method, StatusCode};

#[test]
fn maintenance_keeps_sessions_and_lets_only_live_admins_in() {
    let mut world = world();
    let (token, root) = (world.alice(), world.token_of("root", "of+all"));
    world.portal.lock_portal(Some("back at \"noon\""));
    let message = r#"{"message":"back at \"noon\""}"#.to_owned();
    for request in [
        form("POST /session", "login=alice&password=wonderland"),
        form("POST /session", "login=root&password=of+all"),
        api("GET /session", &token),
        api("DELETE /session", &token),
        api("GET /groups", &token),
    ] {
        assert_eq!(world.gets(&request), (503, message.clone()));
    }
    assert!(header(&world.send(&api("GET /session", &token)).response, "set-cookie").is_some());
    assert_eq!(world.gets(&with("GET /session", &token, "*/*")), (200, String::new()));
    assert_eq!(world.status(&api("GET /groups", &root)), 200);
    world.portal.lock_portal(None);
    assert_eq!(world.gets(&api("GET /session", &token)).1, r#"{"message":null}"#);
    world.portal.unlock_portal();
    assert_eq!(world.status(&api("GET /session", &token)), 200);
}

#[test]
fn an_account_locked_by_an_admin_loses_its_sessions() {
    let mut world = world();
    let token = world.alice();
    world.portal.account("alice").unwrap().locked = true;
    assert_eq!(world.status(&api("GET /session", &token)), 200, "a lock set in the database ends nothing");
    world.portal.lock_account("alice");
    assert_eq!(world.status(&api("GET /session", &token)), 401);
}

#[test]
fn an_admin_may_purge_sessions() {
    let mut world = world();
    let token = world.alice();
    world.after(HOUR * 2);
    let young = world.alice();
    world.portal.purge_sessions(world.now, HOUR);
    assert_eq!(world.status(&api("GET /session", &token)), 401);
    assert_eq!(world.status(&api("GET /session", &young)), 200);
}

#[test]
fn a_user_may_have_something_to_do_in_a_browser_first() {
    let mut world = world();
    let token = world.alice();
    let alice = |world: &mut World, lever: fn(&mut Account)| lever(world.portal.account("alice").unwrap());

    alice(&mut world, |account| account.license_unsigned = true);
    let unsigned = r#"{"error":"Some license agreements are not signed."}"#;
    assert_eq!(world.gets(&api("GET /groups", &token)), (403, unsigned.into()));

    alice(&mut world, |account| account.password_reset = true);
    let reset = world.send(&api("GET /groups", &token)).response;
    assert_eq!(reset.status(), 302);
    assert_eq!(header(&reset, "location"), Some("http://portal.test:3000/users/2/change_password"));
    assert!(header(&reset, "content-type").unwrap().starts_with("text/html") && header(&reset, "set-cookie").is_some());
    let followed = world.gets(&api("GET /users/2/change_password", &token));
    assert!(followed.0 == 400 && followed.1.starts_with(r#"{"error":"Action 'change_password' not available to API."#));

    alice(&mut world, |account| account.must_link_openid = true);
    let (status, body) = world.gets(&api("GET /groups", &token));
    assert!(status == 403 && body.contains("OpenID identity provider"), "{body}");

    world.alice();
    assert_eq!(world.status(&api("GET /session", &token)), 200);
    assert_eq!(world.status(&api("DELETE /session", &token)), 200);
}

#[test]
fn other_calls_fail_in_their_own_ways() {
    let mut world = world();
    let token = world.alice();
    assert_eq!(world.gets(&api("GET /groups/999", &token)), (
        404,
        r#"{"error":"The Group with id = 999 doesn't exist","id":"999","message":"The object you requested does not exist or is not accessible to you.","model":"Group","type":"object not found"}"#.into()
    ));
    assert_eq!(world.gets(&api("GET /nowhere", &token)), (404, r#"{"status":404,"error":"Not Found"}"#.into()));
    assert_eq!(world.gets(&api("PUT /session", &token)), (404, r#"{"status":404,"error":"Not Found"}"#.into()));
    assert_eq!(world.status(&api("OPTIONS /session", &token)), 404);
    assert_eq!(world.status(&api("GET /users/3", &token)), 400);
    assert_eq!(world.gets(&api("GET /users", &token)), (401, String::new()), "another role, not a dead session");
    assert_eq!(world.gets(&api("GET /groups", "dead")), (401, String::new()));
    assert_eq!(world.status(&with("GET /groups", "dead", "text/html")), 302);
    assert_eq!(world.status(&api("GET /session", &token)), 200);
}

#[test]
fn pages_of_the_session_speak_json_too() {
    let mut world = world();
    let token = world.alice();
    for path in ["/login", "/session/new"] {
        assert!(world.gets(&api(&format!("GET {path}"), &token)).1.starts_with('{'));
        assert_eq!(world.gets(&api(&format!("GET {path}"), "dead")), (401, String::new()));
    }
    assert_eq!(world.status(&api("GET /logout", &token)), 200);
    assert_eq!(world.status(&api("GET /session", &token)), 401);
}

#[test]
fn an_unchanged_answer_may_be_304() {
    let mut world = world();
    let token = world.alice();
    let first = world.send(&api("GET /session", &token)).response;
    let mut again = api("GET /session", &token);
    again.headers_mut().insert("if-none-match", first.headers()["etag"].clone());
    assert_eq!(world.gets(&again), (304, String::new()));
    let head = world.send(&api("HEAD /session", &token)).response;
    assert_eq!((head.status().as_u16(), head.body().len()), (200, 0));
}

#[test]
fn a_cookie_answers_for_a_dead_token() {
    let mut world = world();
    let cookie = world.portal.open_in_browser(START, HOME.into(), "alice").unwrap();
    let token = world.alice();
    let mut check = api("GET /session", &token);
    check.headers_mut().insert("cookie", cookie.parse().unwrap());
    assert_eq!(token_in(&world.gets(&check).1), token, "a live token wins");
    check.headers_mut().insert("authorization", "Bearer dead".parse().unwrap());
    let (status, body) = world.gets(&check);
    assert!(status == 200 && token_in(&body) != token);
    *check.method_mut() = Method::DELETE;
    assert_eq!(world.status(&check), 200);
    assert_eq!(world.portal.live_sessions(START, "alice"), 1);
}

#[test]
fn mishaps_happen_to_the_requests_they_are_meant_for() {
    let mut world = world();
    let token = world.alice();
    let logout = (Method::DELETE, "/session");
    world.portal.disturb_calls(logout.0.clone(), logout.1, 1, &Mishap::Lost);
    world.portal.disturb(1, &Mishap::MalformedJson);
    assert!(serde_json::from_str::<serde_json::Value>(&world.gets(&api("GET /session", &token)).1).is_err());
    assert_eq!(world.status(&api("GET /session", &token)), 200);
    assert_eq!(world.send(&api("DELETE /session", &token)).fault, Some(Fault::Drop));
    assert_eq!(world.status(&api("GET /session", &token)), 200, "the portal has not seen it");

    world.portal.disturb(1, &Mishap::ProxyPage(StatusCode::BAD_GATEWAY));
    let page = world.send(&api("GET /session", &token)).response;
    assert_eq!((page.status().as_u16(), header(&page, "content-type")), (502, Some("text/html")));
    world.portal.disturb(2, &Mishap::Slow(MINUTE));
    assert_eq!(world.send(&api("GET /session", &token)).delay, MINUTE);
    assert_eq!(world.send(&form("POST /session", "login=alice")).delay, MINUTE);
    world.portal.disturb(1, &Mishap::Truncated);
    assert!(matches!(world.send(&api("GET /session", &token)).fault, Some(Fault::Truncate(length)) if length > 0));
    let teapot = Response::builder().status(418).body(b"tea".to_vec()).unwrap();
    world.portal.disturb(9, &Mishap::Instead(Box::new(teapot)));
    assert_eq!(world.gets(&api("GET /session", &token)), (418, "tea".into()));
    world.portal.calm();
    world.portal.disturb(1, &Mishap::Dropped);
    assert_eq!(world.send(&api("DELETE /session", &token)).fault, Some(Fault::Drop));
    assert_eq!(world.status(&api("GET /session", &token)), 401, "the portal had acted");
}

#[test]
fn nothing_shows_secrets() {
    let mut world = world();
    let token = world.alice();
    let account = world.portal.account("alice").unwrap().clone();
    let shown = format!("{:?} {account:?} {:?}", world.portal, world.portal.log);
    assert!(!shown.contains("wonderland") && !shown.contains(&token));
}
