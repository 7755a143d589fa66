//! What the real portal was seen to answer where clients seldom go.

use super::*;

/// A login of any type and body.
fn login(path: &str, media: &str, body: &[u8]) -> (u16, String) {
    let request = request(&format!("POST {path}")).header("accept", "application/json").header("content-type", media);
    world().gets(&request.body(body.to_vec()).unwrap())
}

fn post(media: &str, body: &str) -> (u16, String) {
    login("/session", media, body.as_bytes())
}

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";
const UNCONVERTIBLE: &str = "no implicit conversion of";

#[test]
fn logins_are_read_as_rack_and_rails_read_them() {
    let multipart = "multipart/form-data; boundary=b";
    for (media, body, status) in [
        (FORM, "login[]=alice&password=wonderland", 200),
        (JSON, r#"{"login":["alice"],"password":"wonderland"}"#, 200),
        (FORM, "login=alice&login[a]=b&password=wonderland", 400),
        (FORM, "login=alice&password=%zz", 400),
        (multipart, "--b\r\ncontent-disposition: form-data; name=\"login\"\r\n\r\nalice\r\n", 401),
        ("application/xml", "<login>alice</login>", 500),
        ("application/xml", "<session><login>alice</login></session>", 401),
        ("text/plain", "login=alice&password=wonderland", 401),
    ] {
        assert_eq!(post(media, body).0, status, "{media} {body}");
    }
    assert_eq!(post("application/xml", "<login>alice</login>").1, r#"{"error":"password not set"}"#);
    assert_eq!(login("/session", JSON, b"{\"login\":\"alice\",\"password\":\"\xff\"}").0, 401);
    assert_eq!(
        login("/session?login=alice&password=wonderland", FORM, b"login=alice&password=x").0,
        200,
        "the query wins"
    );
    assert_eq!(login("/session?password=x", FORM, b"login=alice&password=wonderland").0, 401);
    let deep = format!("login=alice&password=wonderland&a{}=1", "[b]".repeat(200));
    assert_eq!(post(FORM, &deep), (500, r#"{"status":500,"error":"Internal Server Error"}"#.into()));
}

#[test]
fn a_password_that_is_no_text_is_named_as_ruby_does() {
    let file = "--b\r\ncontent-disposition: form-data; name=\"login\"\r\n\r\nalice\r\n--b\r\n\
                content-disposition: form-data; name=\"password\"; filename=\"x\"\r\n\r\nx\r\n--b--\r\n";
    for (media, body, kind) in [
        (JSON, r#"{"login":"alice","password":["x"]}"#, "Array"),
        (JSON, r#"{"login":"alice","password":{"a":1}}"#, "ActionController::Parameters"),
        (JSON, r#"{"login":"alice","password":1}"#, "Integer"),
        (FORM, "login=alice&password[a]=b", "ActionController::Parameters"),
        ("multipart/form-data; boundary=b", file, "ActionDispatch::Http::UploadedFile"),
    ] {
        let expected = format!(r#"{{"error":"{UNCONVERTIBLE} {kind} into String"}}"#);
        assert_eq!(post(media, body), (500, expected), "{body}");
    }
    assert_eq!(post(FORM, "login=alice&password").1, r#"{"error":"password not set"}"#);
}

#[test]
fn types_are_compared_letter_by_letter_and_named_back() {
    let mut world = world();
    let token = world.alice();
    for (accept, show, destroy, login) in
        [("APPLICATION/JSON", 401, 401, 401), ("application/*", 200, 302, 302), (",", 401, 401, 401)]
    {
        assert_eq!(world.status(&with("GET /session", &token, accept)), show, "{accept}");
        assert_eq!(world.status(&with("DELETE /session", &token, accept)), destroy, "{accept}");
        let mut request = form("POST /session", "login=alice&password=wonderland");
        request.headers_mut().insert("accept", accept.parse().unwrap());
        assert_eq!(world.status(&request), login, "{accept}");
    }
    assert_eq!(world.status(&api("GET /session", &token)), 200, "it lives on");
    for media in ["image/png", "text/plain", "foo/bar", "APPLICATION/JSON"] {
        let refused = world.send(&with("GET /session", &token, media)).response;
        assert_eq!(header(&refused, "content-type"), Some(media));
    }
}

#[test]
fn what_cannot_be_read_is_refused_before_anything_is_done() {
    let mut world = world();
    let token = world.alice();
    for (path, status) in [("?a=%zz", 400), ("?a=%ff", 400), ("?format[]=json", 401), ("?format=json", 200)] {
        assert_eq!(world.status(&api(&format!("GET /session{path}"), &token)), status, "{path}");
    }
    let odd = request("GET /session?cbrain_api_token[a]=").header("accept", "application/json");
    assert_eq!(world.status(&odd.body(Vec::new()).unwrap()), 500);
    assert_eq!(world.status(&api(&format!("GET /session?a={}", "x".repeat(12_000)), &token)), 400);
    let mut long = api("GET /session", &token);
    long.headers_mut().insert("x-a", "x".repeat(90_000).parse().unwrap());
    assert_eq!(world.status(&long), 400);
    long.headers_mut().insert("x-a", "x".repeat(70_000).parse().unwrap());
    assert_eq!(world.status(&long), 200);
    let mut odd = api("GET /session", &token);
    odd.headers_mut().insert("authorization", http::HeaderValue::from_bytes(b"Bearer \xc3\xa9").unwrap());
    assert_eq!(world.status(&odd), 400);
    assert_eq!(world.status(&api("GET /session", &token)), 200);
}

#[test]
fn methods_are_known_or_not() {
    let mut world = world();
    let token = world.alice();
    for (method, status) in
        [("FOO", 500), ("LINK", 500), ("get", 400), ("CONNECT", 404), ("OPTIONS", 404), ("PUT", 404)]
    {
        assert_eq!(world.status(&api(&format!("{method} /session"), &token)), status, "{method}");
    }
    let mut preflight = api("OPTIONS /session", "");
    preflight.headers_mut().insert("origin", "https://example.org".parse().unwrap());
    preflight.headers_mut().insert("access-control-request-method", "POST".parse().unwrap());
    assert_eq!(world.gets(&preflight), (200, String::new()));
}

#[test]
fn a_proxy_names_the_address_of_redirects() {
    let mut world = world();
    let mut location = |headers: &[(&'static str, &str)]| {
        let mut request = request("GET /groups").header("accept", "text/html").body(Vec::new()).unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        header(&world.send(&request).response, "location").unwrap().to_owned()
    };
    assert_eq!(location(&[]), "http://portal.test:3000/session/new");
    assert_eq!(location(&[("x-forwarded-proto", "https")]), "https://portal.test:3000/session/new");
    let both = [("x-forwarded-proto", "https"), ("x-forwarded-host", "a.example, portal.example")];
    assert_eq!(location(&both), "https://portal.example/session/new");
    let mut world = self::world();
    let start = request("GET /").header("accept", "text/html").body(Vec::new()).unwrap();
    assert_eq!(header(&world.send(&start).response, "location"), Some("http://portal.test:3000/login"));
}

#[test]
fn the_other_pages_of_the_api_are_there() {
    let mut world = world();
    let token = world.alice();
    for path in [
        "/userfiles",
        "/tasks",
        "/tags",
        "/data_providers",
        "/bourreaux",
        "/tools",
        "/tool_configs",
        "/session_data",
        "/stats",
        "/swagger",
    ] {
        assert_eq!(world.status(&api(&format!("GET {path}"), &token)), 200, "{path}");
    }
    assert_eq!(world.status(&api("GET /userfiles", "dead")), 401);
    for (line, status) in [
        ("GET /users/1", 400),
        ("GET /signin", 400),
        ("POST /groups", 422),
        ("POST /users", 401),
        ("DELETE /users/2", 401),
    ] {
        assert_eq!(world.status(&api(line, &token)), status, "{line}");
    }
    let (status, body) = world.gets(&with("GET /groups", &token, "application/xml"));
    assert!(status == 200 && body.contains("<name>alice</name>") && body.contains("<site-id nil=\"true\"/>"), "{body}");
    assert_eq!(world.status(&api("GET /session", &token)), 200);
}

#[test]
fn a_stopped_database_is_rails_own_500() {
    let mut world = world();
    let token = world.alice();
    world.portal.stop_database();
    let own = (500, r#"{"status":500,"error":"Internal Server Error"}"#.to_owned());
    assert_eq!(world.gets(&form("POST /session", "login=alice&password=wonderland")), own);
    for line in ["GET /session", "DELETE /session", "GET /groups"] {
        assert_eq!(world.gets(&api(line, &token)), own, "{line}");
    }
    assert!(
        world
            .gets(&with("GET /session", &token, "application/xml"))
            .1
            .contains("<status type=\"integer\">500</status>")
    );
    assert_eq!(world.portal.count(Outcome::LoginRefused), 0);
    world.portal.start_database();
    assert_eq!(world.status(&api("GET /session", &token)), 200, "nothing was lost");
    world.portal.disturb(1, &Mishap::Exception("Lost connection".into()));
    assert_eq!(world.gets(&api("GET /session", &token)), (500, r#"{"error":"Lost connection"}"#.into()));
}
