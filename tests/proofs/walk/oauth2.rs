//! OAuth 2 at any server, each grant.

use std::borrow::Cow;

use http::Request;
use sansession::providers::oauth2::{ClientOf, Grant, OAuth2, Server};
use sansession::testing::{Map, Sample, Walk};
use sansession::{Input, Need, NeedKind, Options, Relogin, Secret, SecretBytes, Timestamp};

use super::{anywhere, is_drawn_in, leads_on, name};

const ISSUER: &str = "https://login.example.org";
const BACK: &str = "http://127.0.0.1:8400/callback";

/// What makes no other state of a session: what its next consent is held against, how often and when something was, and what
/// is kept for the logout alone.
const IGNORED: &[&str] = &[
    "attempt", "url", "paces", "relogins", "doubted", "tried", "sent", "interval", "places", "steady", "repeats",
    "former", "lost", "check_at", "renewal",
];

fn error(status: u16, code: &str) -> Sample {
    Sample::json(status, format!(r#"{{"error":"{code}"}}"#))
}

fn tokens(more: &str) -> Sample {
    Sample::json(200, format!(r#"{{"access_token":"at-1","token_type":"Bearer"{more}}}"#))
}

/// What the server answers to a request.
fn replies(request: &Request<Vec<u8>>) -> Vec<(&'static str, Sample)> {
    let form = String::from_utf8_lossy(request.body());
    let grant = form.split('&').find_map(|pair| pair.strip_prefix("grant_type=")).map(Cow::from);
    let good = match &*name(request) {
        "GET /.well-known/oauth-authorization-server" | "GET /.well-known/openid-configuration" => metadata(),
        "POST /register" => vec![
            ("a client", Sample::json(201, r#"{"client_id":"client-1"}"#)),
            (
                "another redirect",
                Sample::json(201, r#"{"client_id":"client-1","redirect_uris":["https://x.example"]}"#),
            ),
            ("refused", error(400, "invalid_client_metadata")),
        ],
        "POST /device" => vec![
            (
                "a code",
                Sample::json(
                    200,
                    r#"{"device_code":"d-1","user_code":"ABCD-EFGH","verification_uri":"https://login.example.org/activate","expires_in":600}"#,
                ),
            ),
            ("unknown client", error(401, "invalid_client")),
        ],
        "POST /revoke" => vec![
            ("done", Sample::json(200, "{}")),
            ("cannot revoke it", error(400, "unsupported_token_type")),
            ("refused", error(400, "invalid_request")),
        ],
        "GET /api/me" => vec![
            ("fine", Sample::json(200, r#"{"ok":true}"#)),
            ("token refused", Sample::json(401, "{}").header("www-authenticate", r#"Bearer error="invalid_token""#)),
        ],
        _ => token(grant.as_deref().unwrap_or_default()),
    };
    good.into_iter().chain(anywhere()).collect()
}

fn metadata() -> Vec<(&'static str, Sample)> {
    let named = |issuer: &str, scheme: &str| {
        let at = |field: &str, path: &str| format!(r#""{field}":"{scheme}://login.example.org/{path}""#);
        let fields = [
            at("authorization_endpoint", "authorize"),
            at("token_endpoint", "token"),
            at("device_authorization_endpoint", "device"),
            at("revocation_endpoint", "revoke"),
            at("registration_endpoint", "register"),
        ];
        Sample::json(200, format!(r#"{{"issuer":"{issuer}",{}}}"#, fields.join(",")))
    };
    vec![
        ("metadata", named(ISSUER, "https")),
        ("of another issuer", named("https://evil.example.org", "https")),
        ("no https", named(ISSUER, "http")),
        ("404", Sample::new(404, "text/html", "<html>Not Found</html>")),
    ]
}

fn token(grant: &str) -> Vec<(&'static str, Sample)> {
    let device = grant.contains("device_code");
    let mut replies = match grant {
        "client_credentials" => vec![("a token", tokens(r#","expires_in":600"#))],
        _ => vec![
            ("tokens", tokens(r#","expires_in":600,"refresh_token":"rt-1""#)),
            ("no refresh token", tokens(r#","expires_in":600"#)),
        ],
    };
    replies.push(("another scope", tokens(r#","expires_in":600,"scope":"admin""#)));
    let codes: &[(&str, &str)] = if device {
        &[
            ("pending", "authorization_pending"),
            ("slow down", "slow_down"),
            ("declined", "access_denied"),
            ("code over", "expired_token"),
        ]
    } else {
        &[("invalid grant", "invalid_grant"), ("invalid request", "invalid_request")]
    };
    replies.extend(codes.iter().map(|(label, code)| (*label, error(400, code))));
    replies.push(("unknown client", error(401, "invalid_client")));
    replies.push(("later", error(400, "temporarily_unavailable")));
    replies
}

/// What a person does, or a browser brings back.
fn answers(need: &Need, _: Timestamp) -> Vec<(&'static str, Input)> {
    let redirect = |rest: &str| {
        let url = need.url.as_deref().unwrap_or_default();
        let state = url.split_once("state=").and_then(|(_, rest)| rest.split('&').next()).unwrap_or_default();
        Input::Redirect(Secret::new(format!("{BACK}?{rest}&state={state}")))
    };
    match need.kind {
        NeedKind::Redirect => vec![
            ("consent", redirect("code=c-1")),
            ("no", redirect("error=access_denied")),
            ("later", redirect("error=temporarily_unavailable")),
            ("another redirect", Input::Redirect(Secret::from("http://127.0.0.1:8400/callback?code=c-1&state=x"))),
        ],
        NeedKind::Browser => vec![("done", Input::Done)],
        NeedKind::GatewayToken => vec![("a refresh token", Input::Token("rt-0".into()))],
        NeedKind::Signature => vec![("a signature", Input::Signature(SecretBytes::new(vec![7; 256])))],
        _ => vec![],
    }
}

fn walks(make: impl Fn() -> OAuth2 + 'static) -> Map {
    let mut options = Options::default();
    options.relogin = Relogin::AskAgain { per_day: 1 };
    let map = Walk::new(make)
        .options(options)
        .answers_to(answers)
        .replies(replies)
        .path("/api/quotes")
        .ignoring(IGNORED)
        .run();
    leads_on(&map);
    map
}

fn of(grant: Grant, client: ClientOf) -> OAuth2 {
    OAuth2::new(Server::issuer(ISSUER).unwrap(), grant, client).scopes("read", "read write")
}

fn code() -> Grant {
    Grant::Code { redirect: BACK.into() }
}

#[test]
fn every_state_of_a_code_grant_leads_on() {
    let map = walks(|| of(code(), ClientOf::public("app")));
    insta::assert_snapshot!("oauth2-code", map.table());
    is_drawn_in(&map, "oauth2/code.md");
}

#[test]
fn every_state_of_a_device_grant_leads_on() {
    let map = walks(|| of(Grant::Device, ClientOf::public("app")));
    insta::assert_snapshot!("oauth2-device", map.table());
    is_drawn_in(&map, "oauth2/device.md");
}

#[test]
fn every_state_of_a_machine_leads_on() {
    let map = walks(|| of(Grant::ClientCredentials, ClientOf::basic("daemon", "secret")));
    insta::assert_snapshot!("oauth2-client-credentials", map.table());
    is_drawn_in(&map, "oauth2/client_credentials.md");
}

#[test]
fn every_state_of_a_given_token_leads_on() {
    let map = walks(|| of(Grant::Given, ClientOf::public("app")).probe("/api/me").unwrap());
    insta::assert_snapshot!("oauth2-given", map.table());
    is_drawn_in(&map, "oauth2/given.md");
}

#[test]
fn every_state_of_a_client_that_registers_itself_leads_on() {
    let map = walks(|| of(code(), ClientOf::register("a bot")));
    insta::assert_snapshot!("oauth2-registered", map.table());
}
