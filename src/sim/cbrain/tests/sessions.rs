//! Logins, sessions, and what ends them.

use super::*;

#[test]
fn a_session_from_login_to_logout() {
    let mut world = world();
    let login = world.send(&form("POST /session", "login=alice&password=wonderland")).response;
    assert_eq!(login.status(), 200);
    assert_eq!(header(&login, "content-type"), Some("application/json; charset=utf-8"));
    assert_eq!(header(&login, "set-cookie"), None);
    let body = String::from_utf8(login.into_body()).unwrap();
    let token = token_in(&body);
    assert_eq!(body, format!(r#"{{"user_id":2,"cbrain_api_token":"{token}"}}"#));
    assert!(token.len() == 32 && token.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)));

    assert_eq!(world.gets(&api("GET /session", &token)), (200, body));
    assert!(world.gets(&api("GET /groups", &token)).1.starts_with('['));
    assert_eq!(world.portal.live_sessions(world.now, "alice"), 1);

    let logout = world.send(&api("DELETE /session", &token)).response;
    assert_eq!((logout.status().as_u16(), logout.body().len()), (200, 0));
    assert_eq!(header(&logout, "content-type"), Some("application/json"));
    assert_eq!(world.gets(&api("DELETE /session", &token)), (401, String::new()));
    assert_eq!(world.gets(&api("GET /session", &token)), (401, String::new()));
    assert_eq!(world.portal.live_sessions(world.now, "alice"), 0);
    let outcomes: Vec<_> = world.portal.log().map(|entry| (entry.outcome, entry.user.as_deref())).collect();
    let alice = Some("alice");
    let lived =
        [(Outcome::LoggedIn, alice), (Outcome::Checked, alice), (Outcome::Called, alice), (Outcome::LoggedOut, alice)];
    assert_eq!(outcomes[..4], lived);
    assert_eq!(outcomes[4..], [(Outcome::TokenRefused, None); 2]);
}

#[test]
fn tokens_come_from_the_seed() {
    assert_eq!(world().alice(), world().alice());
    let mut world = world();
    assert_ne!(world.alice(), world.alice());
    assert_eq!(world.portal.live_sessions(START, "alice"), 2);
}

#[test]
fn a_login_may_be_a_form_json_multipart_or_a_query_but_not_text() {
    let multipart = "--b\r\ncontent-disposition: form-data; name=\"login\"\r\n\r\nalice\r\n--b\r\n\
                     content-disposition: form-data; name=\"password\"\r\n\r\nwonderland\r\n--b--\r\n";
    let json = r#"{"login":"alice","password":"wonderland"}"#;
    let form = "login=alice&password=wonderland";
    for (path, media, body, status) in [
        ("/session", "application/x-www-form-urlencoded", form, 200),
        ("/session", "application/json", json, 200),
        ("/session", "multipart/form-data; boundary=b", multipart, 200),
        ("/session?login=alice&password=wonderland", "text/plain", "", 200),
        ("/session", "text/plain", form, 401),
        ("/session", "application/xml", "<session><login>alice</login></session>", 401),
        ("/session", "application/x-www-form-urlencoded", "session[login]=alice&session[password]=wonderland", 401),
        ("/session", "application/json", "{\"login\":", 400),
        ("/session", "application/json", "[]", 401),
    ] {
        let request = request(&format!("POST {path}")).header("accept", "application/json");
        let request = request.header("content-type", media).body(body.into()).unwrap();
        assert_eq!(world().status(&request), status, "{media} {body}");
    }
}

#[test]
fn bad_credentials_take_three_seconds_and_tell_nothing() {
    for body in ["login=alice&password=x", "login=nobody&password=x", "password=x", "", "login=alice&password="] {
        let mut world = world();
        let reply = world.send(&form("POST /session", body));
        assert_eq!((reply.response.status().as_u16(), reply.response.body().len()), (401, 0), "{body}");
        assert_eq!(reply.delay, Duration::from_secs(3));
        assert_eq!(header(&reply.response, "content-type"), Some("application/json"));
    }
    for body in ["login=ALICE&password=wonderland", "login=alice+&password=wonderland"] {
        assert_eq!(world().status(&form("POST /session", body)), 200);
    }
}

#[test]
fn refusals_of_a_right_password_come_at_once() {
    let levers: [fn(&mut Account); 2] =
        [|account| account.locked = true, |account| account.ip_whitelist.push(CAFE.into())];
    for lever in levers {
        let mut world = world();
        lever(world.portal.account("alice").unwrap());
        let reply = world.send(&form("POST /session", "login=alice&password=wonderland"));
        assert_eq!((reply.response.status().as_u16(), reply.delay), (401, Duration::ZERO));
    }
}

#[test]
fn a_password_that_is_no_text_breaks_the_portal() {
    for (body, error) in [
        (r#"{"login":"alice"}"#, "password not set"),
        (r#"{"login":"alice","password":null}"#, "password not set"),
        (r#"{"login":"alice","password":7}"#, "no implicit conversion of Integer into String"),
    ] {
        let request = request("POST /session").header("accept", "application/json");
        let request = request.header("content-type", "application/json").body(body.into()).unwrap();
        assert_eq!(world().gets(&request), (500, format!(r#"{{"error":"{error}"}}"#)));
    }
    assert_eq!(world().status(&form("POST /session", "login=nobody")), 401);
}

#[test]
fn a_live_token_makes_a_login_answer_for_its_own_user() {
    let mut world = world();
    let token = world.alice();
    let mut login = form("POST /session", "login=root&password=wrong");
    login.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    assert_eq!(world.gets(&login), (200, format!(r#"{{"user_id":2,"cbrain_api_token":"{token}"}}"#)));
    assert_eq!((world.portal.count(Outcome::LoggedIn), world.portal.count(Outcome::LoginReused)), (1, 1));

    *login.body_mut() = b"login=root&password=of+all".to_vec();
    world.portal.expire_sessions();
    let (status, body) = world.gets(&login);
    assert!(status == 200 && body.starts_with(r#"{"user_id":3,"#), "{body}");
}

#[test]
fn without_exactly_json_nothing_works_and_a_logout_lies() {
    let mut world = world();
    let token = world.alice();
    for accept in ["*/*", "application/json, text/plain, */*", "text/html"] {
        let check = world.send(&with("GET /session", &token, accept)).response;
        assert_eq!((check.status().as_u16(), check.body().len()), (200, 0));
        assert_eq!(header(&check, "content-type"), Some("text/html"));
        let logout = world.send(&with("DELETE /session", &token, accept)).response;
        assert_eq!(logout.status(), 302);
        assert_eq!(header(&logout, "location"), Some("http://portal.test:3000/groups"));
        assert_eq!(world.status(&api("GET /session", &token)), 200, "the session lives on");

        let mut login = form("POST /session", "login=alice&password=wonderland");
        login.headers_mut().insert("accept", accept.parse().unwrap());
        let login = world.send(&login).response;
        assert_eq!(login.status(), 302);
        assert_eq!(header(&login, "location"), Some("http://portal.test:3000/session/new"));
        assert!(header(&login, "set-cookie").is_some());
        assert_eq!(world.status(&with("GET /session", "dead", accept)), 401);
        assert_eq!(world.status(&with("DELETE /session", "dead", accept)), 401);
    }
    for accept in ["image/png", "text/plain", "foo/bar", "application/vnd.api+json"] {
        assert_eq!(world.status(&with("GET /session", &token, accept)), 401);
        assert_eq!(world.status(&with("DELETE /session", &token, accept)), 401);
    }
    assert_eq!(world.portal.count(Outcome::LoggedIn), 1);
    let root = world.token_of("root", "of+all");
    let logout = world.send(&with("DELETE /session", &root, "*/*")).response;
    assert_eq!(header(&logout, "location"), Some("http://portal.test:3000/"));
}

#[test]
fn the_path_or_a_parameter_may_name_the_format() {
    let mut world = world();
    let token = world.alice();
    assert!(world.gets(&with("GET /session.json", &token, "*/*")).1.starts_with('{'));
    assert!(world.gets(&with("GET /session?format=json", &token, "image/png")).1.starts_with('{'));
    assert!(world.gets(&with("GET //session/", &token, "application/json")).1.starts_with('{'));
    assert!(world.gets(&with("GET /session_status", &token, "application/xml")).1.contains("<SessionInfo>"));
}

#[test]
fn a_token_travels_in_four_ways_and_the_header_wins() {
    let mut world = world();
    let token = world.alice();
    let bare = |line: &str| request(line).header("accept", "application/json");
    let query = bare(&format!("GET /session?cbrain_api_token={token}")).body(Vec::new()).unwrap();
    assert_eq!(world.status(&query), 200);
    let upper = bare(&format!("GET /session?cbrain_api_token={}", token.to_uppercase())).body(Vec::new()).unwrap();
    assert_eq!(world.status(&upper), 401);
    let both = |good: &str, line: String| bare(&line).header("authorization", good).body(Vec::new()).unwrap();
    assert_eq!(world.status(&both("Bearer bad", format!("GET /session?cbrain_api_token={token}"))), 401);
    assert_eq!(world.status(&both(&format!("Bearer {token}"), "GET /session?cbrain_api_token=bad".into())), 200);
    assert_eq!(world.status(&both(&format!("bearer {token}"), "GET /session".into())), 401);
    assert_eq!(world.status(&form("POST /session", &format!("_method=delete&cbrain_api_token={token}"))), 200);
    assert_eq!(world.portal.count(Outcome::LoggedOut), 1);
}

#[test]
fn a_day_without_use_ends_a_session() {
    let mut world = world();
    let token = world.alice();
    assert_eq!(world.after(HOUR * 23).status(&api("GET /session", &token)), 200);
    assert_eq!(world.after(HOUR * 23).status(&api("GET /groups", &token)), 200);
    assert_eq!(world.after(HOUR * 25).status(&api("GET /session", &token)), 401);
    assert_eq!(world.status(&api("DELETE /session", &token)), 401);
}

#[test]
fn use_is_noted_once_a_minute() {
    let mut world = world();
    let token = world.alice();
    assert_eq!(world.after(MINUTE - Duration::from_secs(1)).status(&api("GET /session", &token)), 200);
    let rest = HOUR * 24 - MINUTE + Duration::from_secs(1);
    assert_eq!(world.after(rest).status(&api("GET /session", &token)), 401, "a day after the login itself");
}

#[test]
fn only_what_ran_to_its_end_is_a_use() {
    type Call = fn(&str) -> Request<Vec<u8>>;
    let used: [(Call, bool); 8] = [
        (|token| api("GET /session", token), true),
        (|token| with("GET /session", token, "*/*"), true),
        (|token| api("GET /groups", token), true),
        (|token| api("POST /session", token), false),
        (|token| with("GET /session", token, "image/png"), false),
        (|token| with("DELETE /session", token, "*/*"), false),
        (|token| api("GET /users/3", token), false),
        (|token| api("GET /users/2/change_password", token), false),
    ];
    for (number, (call, counts)) in used.into_iter().enumerate() {
        let mut world = world();
        let token = world.alice();
        world.after(HOUR * 23).status(&call(&token));
        let alive = world.after(HOUR * 2).status(&api("GET /session", &token)) == 200;
        assert_eq!(alive, counts, "call {number}");
    }
}

#[test]
fn another_address_kills_a_token_for_good() {
    let mut world = world();
    let token = world.alice();
    world.address = CAFE;
    assert_eq!(world.status(&api("GET /session", &token)), 401);
    world.address = HOME;
    assert_eq!(world.status(&api("GET /session", &token)), 401);
    assert_eq!(world.portal.count(Outcome::AddressChanged), 1);

    let token = world.alice();
    world.portal.clients_come_from(Some(CAFE.into()));
    assert_eq!(world.status(&api("GET /session", &token)), 401);
}

#[test]
fn a_token_made_from_another_is_bound_on_its_first_use() {
    let mut world = world();
    let token = world.alice();
    let (status, body) = world.gets(&api("POST /users/new_token", &token));
    assert_eq!(status, 200);
    let further = token_in(&body);
    world.address = CAFE;
    assert_eq!(world.status(&api("GET /session", &further)), 200);
    world.address = HOME;
    assert_eq!(world.status(&api("GET /session", &further)), 401);
    let root = world.token_of("root", "of+all");
    assert!(world.gets(&api("POST /users/2/create_user_session", &root)).1.contains(r#""user_id":"2""#));
}

#[test]
fn three_parameters_too_many_ban_an_address() {
    let mut world = world();
    let token = world.alice();
    assert_eq!(world.status(&form("POST /session", "login=alice&password=wonderland&a=1&b=2&commit=x")), 200);
    let bad = form("POST /session", "login=alice&password=wonderland&a=1&b=2&c=3");
    let refused = world.send(&bad);
    assert_eq!((refused.response.status().as_u16(), refused.delay), (401, Duration::ZERO));
    assert_eq!(header(&refused.response, "content-type"), Some("text/html"));
    assert_eq!(world.status(&api("GET /session", &token)), 401);
    assert_eq!(world.status(&api("GET /groups", &token)), 401);
    assert_eq!(world.after(HOUR * 24 * 13).status(&form("POST /session", "login=alice&password=wonderland")), 401);
    assert_eq!(world.after(HOUR * 25).status(&form("POST /session", "login=alice&password=wonderland")), 200);

    world.address = [127, 0, 0, 1];
    assert_eq!(world.status(&bad), 401);
    assert_eq!(world.status(&form("POST /session", "login=alice&password=wonderland")), 200);
    assert_eq!(world.portal.count(Outcome::Banned), 1);
}

#[test]
fn headers_that_tell_another_address_end_a_session() {
    for name in ["x-forwarded-for", "x-real-ip", "client-ip"] {
        let mut world = world();
        let token = world.alice();
        let told = |address: &str| {
            let mut request = api("GET /session", &token);
            request.headers_mut().insert(name, address.parse().unwrap());
            request
        };
        // Its own address changes nothing, nor does what is no address.
        assert_eq!(world.status(&told("203.0.113.7")), 200, "{name}");
        assert_eq!(world.status(&told("unknown")), 200, "{name}");
        assert_eq!(world.status(&told("10.0.0.1, 198.51.100.9")), 401, "{name}");
        assert_eq!(world.status(&api("GET /session", &token)), 401, "{name}: for good");
    }
}
