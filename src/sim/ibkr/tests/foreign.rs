//! Clients that others wrote live on it.

use core::time::Duration;

use super::*;
use crate::sim::foreign::replay;
use crate::sim::ibkr::oauth::Upload;
use crate::sim::ibkr::oauth::tests::with_grant;
use crate::sim::ibkr::oauth2::OAuth2Server;

const NOW: Timestamp = Timestamp::from_secs(1_795_000_000);
const SECOND: Duration = Duration::from_secs(1);
const KEYS: Upload<'_> = Upload {
    signature: include_str!("foreign/signature_public.pem"),
    encryption: include_str!("foreign/encryption_public.pem"),
    dh_params: include_str!("foreign/dhparam.pem"),
};

/// A Web API whose consumer has the keys and the access token that the recordings were made with.
fn oauth1a() -> WebApiSim {
    let secret = core::array::from_fn(|at| u8::try_from(at).unwrap());
    WebApiSim::oauth1a(with_grant("ABCDEFGHI", &KEYS, "1f2e3d4c5b6a79880102", secret), WebApiSim::settings())
}

fn oauth2() -> WebApiSim {
    let mut server = OAuth2Server::new([6; 32]);
    server.register("client-1", "main", KEYS.signature, &["tester"]).unwrap();
    server.believes_loopback = true;
    WebApiSim::oauth2(server, Settings { tickle: TickleBody::Full, ..WebApiSim::settings() })
}

fn body(answer: &http::Response<Vec<u8>>) -> Value {
    serde_json::from_slice(answer.body()).unwrap()
}

/// The gateway at which somebody logged in a little ago.
fn gateway() -> GatewaySim {
    let mut gateway = GatewaySim::new(quiet());
    gateway.pull(NOW - 60 * SECOND, Lever::LogIn(Person::default()));
    gateway
}

#[test]
fn ibind_signs_without_the_query_and_names_another_host() {
    let mut server = oauth1a();
    let answers = replay(&mut server, NOW, SECOND, include_str!("foreign/ibind-oauth1a.http"));
    assert_eq!(body(&answers[5]), serde_json::json!({ "orders": [], "snapshot": true }));
    let accepted = answers.iter().find(|answer| answer.status() == 101).unwrap();
    assert_eq!(accepted.headers()["sec-websocket-accept"], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(server.gateway.holder(), Holder::Nobody, "it logs out");
    // Another path than the signed one is refused, as ever.
    let other = include_str!("foreign/ibind-oauth1a.http").replace("/iserver/accounts ", "/iserver/account/trades ");
    let first: String = other.split_inclusive("### ").take(5).collect::<String>() + "401\n";
    let spoilt = first + other.split("### ").nth(5).unwrap().split_once('\n').unwrap().1;
    replay(&mut oauth1a(), NOW, SECOND, &spoilt);
}

#[test]
fn pybkr_doubles_a_slash_and_opens_the_history() {
    let mut server = oauth1a();
    server.gateway.serve("/hmds/history", r#"{"data":[]}"#);
    let recording = include_str!("foreign/pybkr-oauth1a.http");
    let answers = replay(&mut server, NOW, 2 * SECOND, &recording.replace("### 404", "### 200"));
    assert_eq!(body(&answers[1])["error"], "Bad Request: no bridge");
    assert_eq!(body(&answers[3])["selectedAccount"], "DU0000001");
    assert_eq!(body(answers.last().unwrap())["set"], true);
}

#[test]
fn ibauth_reads_all_fields_of_validate() {
    let mut server = oauth2();
    let answers = replay(&mut server, NOW, SECOND, include_str!("foreign/ibauth-oauth2.http"));
    let validate = body(&answers[2]);
    for (field, kind) in [
        ("IS_PENDING_APPLICANT", "bool"),
        ("HARDWARE_INFO", "text"),
        ("UNIQUE_LOGIN_ID", "text"),
        ("SF_CONFIG", "text"),
        ("CREDENTIAL_TYPE", "number"),
        ("COUNTERPARTY", "text"),
        ("TOKEN", "text"),
        ("took", "number"),
    ] {
        let value = &validate[field];
        assert!(
            value.is_boolean() && kind == "bool" || value.is_string() && kind == "text" || value.is_u64(),
            "{field}"
        );
    }
    assert_eq!(body(&answers[5])["iserver"]["authStatus"]["authenticated"], true);
}

#[test]
fn clients_of_the_gateway_live_on_it() {
    for (client, recording) in [
        ("ibind", include_str!("foreign/ibind-gateway.http")),
        ("easyib", include_str!("foreign/easyib-gateway.http")),
        ("ibeam", include_str!("foreign/ibeam-gateway.http")),
        ("ibw", include_str!("foreign/ibw-gateway.http")),
    ] {
        let mut gateway = gateway();
        replay(&mut gateway, NOW, SECOND / 8, recording);
        assert_eq!(gateway.count(|what| *what == Happening::LoginEnded(End::Logout)), 1, "{client} logs out");
        assert_eq!(gateway.count(|what| *what == Happening::Boxed), 0, "{client}");
    }
}

#[test]
fn ibeam_keeps_a_session_for_an_hour() {
    let mut gateway = gateway();
    let recording = include_str!("foreign/ibeam-gateway.http");
    let requests: Vec<_> = recording.split("### ").skip(1).collect();
    // Each minute two tickles within a second, and a validate that comes by a timer of its own.
    let round = [requests[2], requests[3], requests[4]].map(|request| format!("### {request}")).concat();
    for minute in 1..60_u32 {
        replay(&mut gateway, NOW + minute * 60 * SECOND - minute * SECOND / 100, SECOND / 10, &round);
    }
    assert_eq!((gateway.holder(), gateway.count(|what| *what == Happening::Boxed)), (Holder::Client, 0));
}

#[test]
fn a_stream_has_its_token_in_the_query() {
    let mut server = oauth2();
    let answers = replay(&mut server, NOW, SECOND, &{
        let recording = include_str!("foreign/ibauth-oauth2.http");
        recording.split_inclusive("### ").take(7).collect::<String>().trim_end_matches("### ").to_owned()
    });
    let (bearer, session) = (body(&answers[1])["access_token"].clone(), body(&answers[5])["session"].clone());
    let mut handshake = |query: &str, agent: &str| {
        let request = Request::get(format!("http://127.0.0.1:18732/v1/api/ws{query}"));
        let request = [
            ("connection", "Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
            ("sec-websocket-version", "13"),
            ("cookie", &format!("api={}", session.as_str().unwrap())),
        ]
        .into_iter()
        .fold(request, |request, (name, value)| request.header(name, value));
        let request = if agent.is_empty() { request } else { request.header(USER_AGENT, agent) };
        server.handle(NOW + 60 * SECOND, PEER, &request.body(Vec::new()).unwrap())
    };
    let query = format!("?bearer_token={}", bearer.as_str().unwrap());
    let opened = handshake(&query, "test");
    assert!(opened.response.status() == 101 && opened.stream.is_some());
    // The edge wants an agent here, which the gateway would add.
    assert_eq!(handshake(&query, "").response.status(), 403);
    for query in ["", "?bearer_token=x", "?oauth_token=x"] {
        assert_eq!(handshake(query, "test").response.status(), 401, "{query}");
    }
}
