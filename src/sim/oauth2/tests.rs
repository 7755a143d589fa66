//! Whole lives by hand, as a client that knows nothing of this crate would live them.

use base64::Engine;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use http::{Request, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::*;
use crate::sim::Mishap;

const ISSUER: &str = "https://login.example.org";
const BACK: &str = "http://127.0.0.1:8400/callback";
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_secs(1_000_000 + seconds)
}

fn server() -> OAuth2Sim {
    let mut server = OAuth2Sim::new(ISSUER, 1);
    server.add_client(Client::public("app").redirect(BACK));
    server.add_client(Client::basic("daemon", "s:c%r +t"));
    server
}

fn ask(server: &mut OAuth2Sim, seconds: u64, request: Request<Vec<u8>>) -> Response<Vec<u8>> {
    server.handle(at(seconds), [127, 0, 0, 1].into(), &request).response
}

fn form(path: &str, fields: &[(&str, &str)]) -> Request<Vec<u8>> {
    let body = serde_urlencoded::to_string(fields).unwrap();
    let request = Request::post(format!("{ISSUER}{path}")).header("content-type", "application/x-www-form-urlencoded");
    request.header("accept", "application/json").body(body.into_bytes()).unwrap()
}

fn post(server: &mut OAuth2Sim, seconds: u64, path: &str, fields: &[(&str, &str)]) -> (u16, Value) {
    let response = ask(server, seconds, form(path, fields));
    (response.status().as_u16(), serde_json::from_slice(response.body()).unwrap_or(Value::Null))
}

fn error(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1["error"].as_str().unwrap_or("none"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn url(more: &str) -> String {
    let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
    format!(
        "{ISSUER}/authorize?response_type=code&client_id=app&redirect_uri=http%3A%2F%2F127.0.0.1%3A8400%2Fcallback&state=s&code_challenge={challenge}&code_challenge_method=S256{more}"
    )
}

fn code(server: &mut OAuth2Sim, seconds: u64) -> String {
    let Browsed::Redirect(back) = server.browse(at(seconds), &url("&scope=read")) else { panic!("a page") };
    assert!(back.starts_with(&format!("{BACK}?code=code-")), "{back}");
    assert!(back.ends_with("&state=s&iss=https%3A%2F%2Flogin.example.org"), "{back}");
    back.split(['=', '&']).nth(1).unwrap().to_owned()
}

fn redeem(server: &mut OAuth2Sim, seconds: u64, code: &str) -> (u16, Value) {
    let fields = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", BACK)];
    post(server, seconds, "/token", &[&fields[..], &[("code_verifier", VERIFIER), ("client_id", "app")]].concat())
}

fn login(server: &mut OAuth2Sim, seconds: u64) -> (String, String) {
    let code = code(server, seconds);
    let (status, tokens) = redeem(server, seconds, &code);
    assert_eq!(status, 200, "{tokens}");
    (text(&tokens["access_token"]), text(&tokens["refresh_token"]))
}

fn refresh(server: &mut OAuth2Sim, seconds: u64, token: &str) -> (u16, Value) {
    post(server, seconds, "/token", &[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", "app")])
}

fn call(server: &mut OAuth2Sim, seconds: u64, method: &str, bearer: &str) -> Response<Vec<u8>> {
    let request = Request::builder().method(method).uri(format!("{ISSUER}/api/quotes"));
    ask(server, seconds, request.header("authorization", format!("Bearer {bearer}")).body(Vec::new()).unwrap())
}

#[test]
fn a_code_serves_once_and_its_second_use_kills_what_the_first_one_brought() {
    let mut server = server();
    let code = code(&mut server, 0);
    let (status, tokens) = redeem(&mut server, 59, &code);
    assert_eq!((status, &tokens["expires_in"], &tokens["scope"]), (200, &json!(600), &json!("read")));
    assert_eq!(call(&mut server, 60, "GET", &text(&tokens["access_token"])).status(), 200);
    assert_eq!(error(&redeem(&mut server, 60, &code)), (400, "invalid_grant"));
    assert_eq!(call(&mut server, 61, "GET", &text(&tokens["access_token"])).status(), 401);
    assert_eq!(error(&refresh(&mut server, 61, &text(&tokens["refresh_token"]))), (400, "invalid_grant"));
    assert_eq!((server.count(Outcome::Redeemed), server.count(Outcome::CodeReused)), (1, 1));
}

#[test]
fn a_code_is_bound_to_its_redirect_its_verifier_its_client_and_a_minute() {
    let mut server = server();
    server.add_client(Client::public("other").redirect(BACK));
    let good = [("redirect_uri", BACK), ("code_verifier", VERIFIER), ("client_id", "app")];
    for (index, (name, value)) in
        [("redirect_uri", "http://127.0.0.1:8401/callback"), ("code_verifier", "x"), ("client_id", "other")]
            .into_iter()
            .enumerate()
    {
        let code = code(&mut server, 0);
        let mut fields = good;
        fields[index] = (name, value);
        let fields = [&[("grant_type", "authorization_code"), ("code", code.as_str())][..], &fields].concat();
        assert_eq!(error(&post(&mut server, 1, "/token", &fields)), (400, "invalid_grant"), "{name}");
    }
    let late = code(&mut server, 0);
    assert_eq!(error(&redeem(&mut server, 60, &late)), (400, "invalid_grant"));
}

#[test]
fn the_page_redirects_nobody_whom_it_does_not_know() {
    let mut server = server();
    let challenge = "&code_challenge=x&code_challenge_method=S256";
    for unknown in [
        format!(
            "{ISSUER}/authorize?response_type=code&client_id=nobody&redirect_uri=http%3A%2F%2F127.0.0.1%2Fcallback{challenge}"
        ),
        format!(
            "{ISSUER}/authorize?response_type=code&client_id=app&redirect_uri=https%3A%2F%2Fevil.example.org{challenge}"
        ),
        format!("{ISSUER}/authorize?client_id=app&client_id=app"),
    ] {
        assert_eq!(server.browse(at(0), &unknown), Browsed::Page(400), "{unknown}");
    }
    // A loopback redirect may have any port (RFC 8252, section 7.3).
    let other = url("").replace("8400", "9000");
    assert!(
        matches!(server.browse(at(0), &other), Browsed::Redirect(back) if back.starts_with("http://127.0.0.1:9000/callback?code="))
    );
    for (change, error) in [
        (url("&scope=admin"), "invalid_scope"),
        (url("&resource=https%3A%2F%2Felsewhere.example.org"), "invalid_target"),
        (url("").replace("S256", "plain"), "invalid_request"),
        (url("").replace("type=code", "type=token"), "unsupported_response_type"),
    ] {
        let Browsed::Redirect(back) = server.browse(at(0), &change) else { panic!("{change}") };
        assert!(back.contains(&format!("?error={error}&state=s&iss=")), "{back}");
    }
    server.settings.person = Person::Declines;
    assert!(
        matches!(server.browse(at(0), &url("")), Browsed::Redirect(back) if back.contains("?error=access_denied&state=s"))
    );
    server.settings.person = Person::Hesitates;
    assert_eq!(server.browse(at(0), &url("")), Browsed::Page(200));
}

#[test]
fn a_spent_refresh_token_that_comes_again_kills_the_newest_one() {
    let mut server = server();
    let (_, first) = login(&mut server, 0);
    let (_, second) = refresh(&mut server, 500, &first);
    let (access, newest) = (text(&second["access_token"]), text(&second["refresh_token"]));
    assert_eq!(server.live_consents(at(501)), 1);
    assert_eq!(error(&refresh(&mut server, 501, &first)), (400, "invalid_grant"));
    assert_eq!(error(&refresh(&mut server, 502, &newest)), (400, "invalid_grant"));
    assert_eq!(call(&mut server, 502, "GET", &access).status(), 401);
    assert_eq!(
        (server.count(Outcome::Reused), server.count(Outcome::RefreshRefused), server.live_consents(at(502))),
        (1, 1, 0)
    );
}

#[test]
fn an_answer_that_was_lost_has_spent_its_token_unless_there_is_grace() {
    for (grace, status) in [(0, 400), (10, 200)] {
        let mut server = server();
        server.settings.grace = Duration::from_secs(grace);
        let (_, first) = login(&mut server, 0);
        server.disturb_calls(Method::POST, "/token", 1, &Mishap::Dropped);
        refresh(&mut server, 500, &first);
        assert_eq!(refresh(&mut server, 509, &first).0, status);
        assert_eq!(refresh(&mut server, 511, &first).0, 400, "grace ends");
    }
}

#[test]
fn consents_end_by_idleness_and_absolutely() {
    let mut server = server();
    (server.settings.idle, server.settings.absolute) = (Some(Duration::from_secs(300)), Some(Duration::from_secs(500)));
    server.settings.tells_refresh_life = true;
    let (_, first) = login(&mut server, 0);
    let (_, second) = refresh(&mut server, 290, &first);
    assert_eq!(second["refresh_token_expires_in"], 210, "the absolute end is not moved");
    let (_, third) = refresh(&mut server, 499, &text(&second["refresh_token"]));
    assert_eq!(error(&refresh(&mut server, 500, &text(&third["refresh_token"]))), (400, "invalid_grant"));
    let (_, idle) = login(&mut server, 1_000);
    assert_eq!(error(&refresh(&mut server, 1_300, &idle)), (400, "invalid_grant"));
}

#[test]
fn a_server_that_does_not_rotate_keeps_its_token() {
    for (unchanged, shown) in [(None, None), (Some("null"), Some(Value::Null)), (Some(r#""""#), Some(json!("")))] {
        let mut server = server();
        (server.settings.rotates, server.settings.unchanged_refresh) = (false, unchanged);
        let (_, token) = login(&mut server, 0);
        for round in 1..4 {
            let (status, answer) = refresh(&mut server, round * 500, &token);
            assert_eq!((status, answer.get("refresh_token")), (200, shown.as_ref()));
        }
    }
}

#[test]
fn clients_prove_who_they_are_in_one_way_that_is_written_rightly() {
    let mut server = server();
    server.add_client(Client::post("poster", "secret"));
    let grant = [("grant_type", "client_credentials"), ("scope", "read unknown")];
    let basic = |pair: &str| {
        let mut request = form("/token", &grant);
        let value = format!("Basic {}", BASE64_STANDARD.encode(pair));
        request.headers_mut().insert("authorization", value.parse().unwrap());
        request
    };
    for (request, status, code) in [
        (basic("daemon:s%3Ac%25r+%2Bt"), 200, "none"),
        (basic("daemon:s:c%r +t"), 400, "invalid_request"),
        (basic("daemon:wrong"), 401, "invalid_client"),
        (basic("nobody:wrong"), 401, "invalid_client"),
        (form("/token", &[&grant[..], &[("client_id", "poster"), ("client_secret", "secret")]].concat()), 200, "none"),
        (
            form("/token", &[&grant[..], &[("client_id", "daemon"), ("client_secret", "s:c%r +t")]].concat()),
            200,
            "none",
        ),
        (form("/token", &[&grant[..], &[("client_id", "daemon")]].concat()), 401, "invalid_client"),
        (form("/token", &[&grant[..], &[("client_id", "app")]].concat()), 400, "unauthorized_client"),
        (form("/token", &grant), 401, "invalid_client"),
        (form("/token", &[("grant_type", "password"), ("client_id", "app")]), 400, "unsupported_grant_type"),
        (form("/token", &[("client_id", "app")]), 400, "invalid_request"),
        (
            form("/token", &[("grant_type", "refresh_token"), ("grant_type", "x"), ("client_id", "app")]),
            400,
            "invalid_request",
        ),
    ] {
        let shown = format!("{request:?}");
        let response = ask(&mut server, 0, request);
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!((response.status().as_u16(), body["error"].as_str().unwrap_or("none")), (status, code), "{shown}");
        assert!(status != 200 || body["scope"] == "read" && body.get("refresh_token").is_none(), "{body}");
    }
    let mut json = form("/token", &[]);
    json.headers_mut().insert("content-type", "application/json".parse().unwrap());
    assert_eq!(ask(&mut server, 0, json).status(), 400);
    let mut both = basic("poster:secret");
    *both.body_mut() = b"grant_type=client_credentials&client_id=poster&client_secret=secret".to_vec();
    assert_eq!(ask(&mut server, 0, both).status(), 400, "two ways at once");
}

#[test]
fn an_assertion_is_for_this_server_and_counts_once() {
    let mut server = server();
    server.add_client(Client::jwt("signer", |text, signature| signature == &Sha256::digest(text)[..]));
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    let assertion = |audience: &str, id: &str, ends: u64| {
        let text = format!(
            "{}.{}",
            part(json!({ "alg": "RS256" })),
            part(
                json!({ "iss": "signer", "sub": "signer", "aud": audience, "jti": id, "iat": at(0).as_secs(), "exp": ends })
            )
        );
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&text)))
    };
    let good = at(60).as_secs();
    for (text, status) in [
        (assertion(ISSUER, "1", good), 200),
        (assertion(ISSUER, "1", good), 401),
        (assertion("https://login.example.org/token", "2", good), 200),
        (assertion("https://login.example.org/", "3", good), 401),
        (assertion(ISSUER, "4", at(0).as_secs()), 401),
        (assertion(ISSUER, "5", good) + "x", 401),
    ] {
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        let fields = [("grant_type", "client_credentials"), ("client_id", "signer"), ("client_assertion_type", kind)];
        let fields = [&fields[..], &[("client_assertion", text.as_str())]].concat();
        assert_eq!(post(&mut server, 0, "/token", &fields).0, status, "{text}");
    }
}

#[test]
fn device_polls_wait_slow_down_and_end() {
    let mut server = server();
    let begun = |server: &mut OAuth2Sim, seconds| {
        post(server, seconds, "/device", &[("client_id", "app"), ("scope", "read")]).1
    };
    let poll = |server: &mut OAuth2Sim, seconds, code: &Value| {
        let kind = "urn:ietf:params:oauth:grant-type:device_code";
        post(server, seconds, "/token", &[("grant_type", kind), ("device_code", &text(code)), ("client_id", "app")])
    };
    let first = begun(&mut server, 0);
    assert!(first.get("interval").is_none());
    let code = &first["device_code"];
    assert_eq!(error(&poll(&mut server, 5, code)), (400, "authorization_pending"));
    assert_eq!(error(&poll(&mut server, 9, code)), (400, "slow_down"));
    assert_eq!(error(&poll(&mut server, 18, code)), (400, "slow_down"), "5 s longer from now on");
    assert_eq!(error(&poll(&mut server, 33, code)), (400, "authorization_pending"));
    assert!(server.approve_device(at(34), &text(&first["user_code"]).to_lowercase().replace('-', " ")));
    assert_eq!(poll(&mut server, 50, code).0, 200);
    assert_eq!(error(&poll(&mut server, 70, code)), (400, "invalid_grant"), "it serves once");
    let second = begun(&mut server, 100);
    assert!(server.decline_device(at(101), &text(&second["user_code"])));
    assert_eq!(error(&poll(&mut server, 110, &second["device_code"])), (400, "access_denied"));
    let third = begun(&mut server, 200);
    assert_eq!(error(&poll(&mut server, 800, &third["device_code"])), (400, "expired_token"));
    assert!(!server.approve_device(at(800), &text(&third["user_code"])));
}

#[test]
fn revocation_ends_what_it_names_and_what_hangs_on_it() {
    for access_takes_consent in [true, false] {
        let mut server = server();
        server.settings.access_takes_consent = access_takes_consent;
        let (access, token) = login(&mut server, 0);
        let revoke = |server: &mut OAuth2Sim, token: &str| {
            ask(server, 1, form("/revoke", &[("token", token), ("client_id", "app")]))
        };
        assert_eq!(revoke(&mut server, &access).status(), 200);
        assert_eq!(call(&mut server, 1, "GET", &access).status(), 401);
        assert_eq!(refresh(&mut server, 1, &token).0, if access_takes_consent { 400 } else { 200 });
        assert_eq!(revoke(&mut server, "unknown").status(), 200, "also what it does not know");
        // A spent one takes its successors along.
        let (_, first) = login(&mut server, 2);
        let (_, next) = refresh(&mut server, 3, &first);
        assert_eq!(revoke(&mut server, &first).status(), 200);
        assert_eq!(refresh(&mut server, 4, &text(&next["refresh_token"])).0, 400);
        let (_, other) = login(&mut server, 5);
        server.add_client(Client::public("thief"));
        let stolen = ask(&mut server, 6, form("/revoke", &[("token", &other), ("client_id", "thief")]));
        assert_eq!((stolen.status().as_u16(), refresh(&mut server, 7, &other).0), (400, 200));
    }
}

#[test]
fn a_registered_client_lives_until_it_is_pruned() {
    let mut server = server();
    let register = |server: &mut OAuth2Sim, body: Value| {
        let request = Request::post(format!("{ISSUER}/register")).header("content-type", "application/json");
        let response = ask(server, 0, request.body(body.to_string().into_bytes()).unwrap());
        (response.status().as_u16(), serde_json::from_slice::<Value>(response.body()).unwrap())
    };
    let (status, public) = register(
        &mut server,
        json!({ "redirect_uris": [BACK], "token_endpoint_auth_method": "none", "grant_types": ["authorization_code", "refresh_token"] }),
    );
    assert_eq!((status, public.get("client_secret")), (201, None));
    let id = text(&public["client_id"]);
    let page = url("").replace("client_id=app", &format!("client_id={id}"));
    assert!(matches!(server.browse(at(0), &page), Browsed::Redirect(_)));
    server.prune(&id);
    assert_eq!(server.browse(at(0), &page), Browsed::Page(400));
    let gone =
        post(&mut server, 0, "/token", &[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", &id)]);
    assert_eq!(error(&gone), (401, "invalid_client"));
    assert_eq!(
        register(&mut server, json!({ "redirect_uris": [BACK] })).1["token_endpoint_auth_method"],
        "client_secret_basic"
    );
    for (body, code) in [
        (json!({}), "invalid_redirect_uri"),
        (json!({ "redirect_uris": ["http://example.org/"] }), "invalid_redirect_uri"),
        (json!({ "redirect_uris": [BACK], "token_endpoint_auth_method": "magic" }), "invalid_client_metadata"),
    ] {
        let (status, answer) = register(&mut server, body);
        assert_eq!((status, answer["error"].as_str()), (400, Some(code)));
    }
}

#[test]
fn the_resource_says_what_is_wrong_with_a_bearer() {
    let mut server = server();
    let (access, _) = login(&mut server, 0);
    let challenge = |response: &Response<Vec<u8>>| response.headers()["www-authenticate"].to_str().unwrap().to_owned();
    let none = ask(&mut server, 0, Request::get(format!("{ISSUER}/api/x")).body(Vec::new()).unwrap());
    assert_eq!(none.status(), 401);
    assert!(!challenge(&none).contains("error") && challenge(&none).contains("resource_metadata="));
    let small = call(&mut server, 0, "POST", &access);
    assert_eq!(small.status(), 403);
    assert!(challenge(&small).contains("insufficient_scope"));
    let late = call(&mut server, 600, "GET", &access);
    assert_eq!(late.status(), 401);
    assert!(challenge(&late).contains("error=\"invalid_token\""));
    server.settings.terse = true;
    assert!(!challenge(&call(&mut server, 600, "GET", &access)).contains("error"));
}

#[test]
fn quirks_are_as_they_were_seen() {
    let mut server = server();
    server.settings.errors_with_200 = true;
    assert_eq!(error(&refresh(&mut server, 0, "x")), (200, "invalid_grant"));
    server.settings.errors_with_200 = false;
    (server.settings.life, server.settings.token_type) = (Life::Text, None);
    let code = code(&mut server, 0);
    let (_, tokens) = redeem(&mut server, 0, &code);
    assert_eq!((&tokens["expires_in"], tokens.get("token_type")), (&json!("600"), None));
    server.settings.form_answers = true;
    let grant =
        [("grant_type", "refresh_token"), ("refresh_token", &text(&tokens["refresh_token"])), ("client_id", "app")];
    let answer = ask(&mut server, 1, form("/token", &grant));
    assert!(answer.body().starts_with(b"access_token=at-"), "{answer:?}");
    server.settings.wants_user_agent = true;
    let edge = ask(&mut server, 2, form("/token", &grant));
    assert_eq!((edge.status().as_u16(), edge.headers()["content-type"].to_str().unwrap()), (403, "text/html"));
}
