//! Where each error code and each answer that is none leads, as one table.

use http::{Method, Response};
use sansession::providers::oauth2::{ClientOf, Grant, OAuth2};
use sansession::sim::Mishap;
use sansession::sim::oauth2::{Life as ExpiresIn, Outcome};
use sansession::{Machine, Phase};

use super::{BACK, DAY, HOUR, Life, MINUTE, Shared, by_code, life, lives, open_need, provider, server, works};

/// Where in a life an answer comes.
#[derive(Clone, Copy, PartialEq, Debug)]
enum At {
    Discovery,
    Registration,
    Code,
    Refresh,
    ClientCredentials,
    DeviceBegin,
    DevicePoll,
    Revoke,
}

impl At {
    fn path(self) -> (Method, &'static str) {
        match self {
            Self::Discovery => (Method::GET, "/.well-known/oauth-authorization-server"),
            Self::Registration => (Method::POST, "/register"),
            Self::DeviceBegin => (Method::POST, "/device"),
            Self::Revoke => (Method::POST, "/revoke"),
            Self::Code | Self::Refresh | Self::ClientCredentials | Self::DevicePoll => (Method::POST, "/token"),
        }
    }

    fn provider(self) -> OAuth2 {
        match self {
            Self::ClientCredentials => provider(Grant::ClientCredentials, ClientOf::basic("daemon", "s:c%r +t")),
            Self::DeviceBegin | Self::DevicePoll => provider(Grant::Device, ClientOf::public("app")),
            Self::Registration => provider(Grant::Code { redirect: BACK.into() }, ClientOf::register("a bot")),
            Self::Discovery | Self::Code | Self::Refresh | Self::Revoke => by_code(),
        }
    }
}

fn instead(status: u16, media: &str, body: &str) -> Mishap {
    let response = Response::builder().status(status).header("content-type", media);
    Mishap::Instead(Box::new(response.body(body.as_bytes().to_vec()).unwrap()))
}

/// Lets one answer come at one place, and an hour pass with a person who consents; tells in a word what became of it.
fn leads(at: At, mishap: &Mishap) -> (String, Shared, Life) {
    let server = server();
    // So long as a wait for 429 takes.
    server.get().settings.code_life = 10 * MINUTE;
    let (method, path) = at.path();
    let mut life = life(&server, at.provider());
    if matches!(at, At::Refresh | At::Revoke) {
        lives(&mut life, MINUTE);
    }
    if at == At::DevicePoll {
        life.runs_for(MINUTE / 60);
    }
    server.get().disturb_calls(method, path, 1, mishap);
    if at == At::Revoke {
        life.logs_out();
    }
    let asked = lives(&mut life, HOUR);
    let word = match life.closed.as_ref().map(|reason| reason.code()) {
        Some(code) => code.to_owned(),
        None if life.machine.phase() != Phase::Active => {
            let need = open_need(&life.machine).expect("somebody is asked");
            format!("asks again: {}", need.because.code())
        }
        None if !works(&mut life) => "does not work".to_owned(),
        None => match (at, asked) {
            (At::Refresh | At::ClientCredentials, 0) | (At::Code | At::Discovery | At::Registration, 1) => "goes on",
            (At::DeviceBegin | At::DevicePoll, 1) => "goes on",
            _ => "consents anew",
        }
        .to_owned(),
    };
    (word, server, life)
}

#[test]
fn each_error_code_leads_where_its_row_says() {
    use At::*;
    let rows: &[(At, &str, &str)] = &[
        (Refresh, "invalid_grant", "consents anew"),
        (Refresh, "invalid_client", "denied.rejected"),
        (Refresh, "unauthorized_client", "denied.rejected"),
        (Refresh, "invalid_request", "denied.rejected"),
        (Refresh, "unsupported_grant_type", "denied.rejected"),
        (Refresh, "invalid_scope", "denied.rejected"),
        (Refresh, "invalid_target", "denied.rejected"),
        (Refresh, "temporarily_unavailable", "goes on"),
        (Refresh, "server_error", "goes on"),
        (Code, "invalid_grant", "consents anew"),
        (Code, "invalid_client", "denied.rejected"),
        (Code, "unauthorized_client", "denied.rejected"),
        (Code, "invalid_request", "denied.rejected"),
        (Code, "invalid_target", "denied.rejected"),
        (Code, "temporarily_unavailable", "goes on"),
        (Code, "server_error", "goes on"),
        (Code, "unsupported_grant_type", "denied.rejected"),
        (Code, "invalid_scope", "denied.rejected"),
        (ClientCredentials, "invalid_client", "denied.rejected"),
        (ClientCredentials, "invalid_request", "denied.rejected"),
        (ClientCredentials, "unsupported_grant_type", "denied.rejected"),
        (ClientCredentials, "invalid_target", "denied.rejected"),
        (ClientCredentials, "server_error", "goes on"),
        (ClientCredentials, "unauthorized_client", "denied.rejected"),
        (ClientCredentials, "invalid_scope", "denied.rejected"),
        (ClientCredentials, "invalid_grant", "denied.rejected"),
        (ClientCredentials, "temporarily_unavailable", "goes on"),
        (DeviceBegin, "invalid_client", "denied.rejected"),
        (DeviceBegin, "unauthorized_client", "denied.rejected"),
        (DeviceBegin, "invalid_scope", "denied.rejected"),
        (DeviceBegin, "invalid_request", "denied.rejected"),
        (DeviceBegin, "invalid_target", "denied.rejected"),
        (DeviceBegin, "temporarily_unavailable", "goes on"),
        (DeviceBegin, "server_error", "goes on"),
        (DevicePoll, "invalid_client", "denied.rejected"),
        (DevicePoll, "temporarily_unavailable", "goes on"),
        (DevicePoll, "authorization_pending", "goes on"),
        (DevicePoll, "slow_down", "goes on"),
        (DevicePoll, "access_denied", "denied.rejected"),
        (DevicePoll, "expired_token", "asks again: stale"),
        (DevicePoll, "invalid_grant", "asks again: stale"),
        (DevicePoll, "of_its_own", "asks again: stale"),
        (DevicePoll, "server_error", "goes on"),
        (Revoke, "unsupported_token_type", "logged-out.unconfirmed"),
        (Revoke, "invalid_client", "logged-out.unconfirmed"),
        (Revoke, "invalid_request", "logged-out.unconfirmed"),
        (Revoke, "unauthorized_client", "logged-out.unconfirmed"),
        (Revoke, "temporarily_unavailable", "logged-out"),
        (Revoke, "server_error", "logged-out"),
        (Registration, "invalid_redirect_uri", "denied.rejected"),
        (Registration, "invalid_client_metadata", "denied.rejected"),
        (Registration, "invalid_software_statement", "denied.rejected"),
        (Registration, "unapproved_software_statement", "denied.rejected"),
        (Registration, "temporarily_unavailable", "goes on"),
        (Registration, "server_error", "goes on"),
    ];
    for (at, code, expected) in rows {
        // The code counts, and not the status: servers answer errors with 200 and 401 too.
        for status in [400, 401, 200] {
            let body = format!(r#"{{"error":"{code}","error_description":"in words"}}"#);
            let (found, server, life) = leads(*at, &instead(status, "application/json", &body));
            assert_eq!(found, *expected, "{at:?} {code} with {status}\n{}", life.transcript);
            assert_eq!(server.get().count(Outcome::Reused), 0);
        }
    }
}

/// A finer code is told, since the remedy differs.
#[test]
fn what_a_server_says_of_a_dead_consent_is_told() {
    for body in [
        r#"{"error":"invalid_grant","error_subtype":"rapt_required"}"#,
        r#"{"error":"invalid_grant","suberror":"rapt_required","error_description":"AADSTS700082: expired"}"#,
        r#"{"error":"invalid_grant","error_description":"rapt_required"}"#,
    ] {
        let (found, _, life) = leads(At::Refresh, &instead(400, "application/json", body));
        assert_eq!(found, "consents anew");
        assert!(life.transcript.contains("server-says: rapt_required"), "{}", life.transcript);
    }
}

/// What is no answer proves nothing: an opening tries again or says that this is no OAuth, and an open session goes on.
#[test]
fn each_malformed_answer_leads_to_a_typed_outcome() {
    use At::*;
    let bodies: &[(u16, &str, &str)] = &[
        (200, "application/json", ""),
        (200, "application/json", "{}"),
        (200, "application/json", "[]"),
        (200, "application/json", "null"),
        (200, "application/json", "\"text\""),
        (200, "application/json", r#"{"access_token":5,"client_id":[],"device_code":{},"issuer":7}"#),
        (200, "application/json", r#"{"access_token":"","client_id":"","device_code":"","issuer":""}"#),
        (200, "application/json", r#"{"access_token":"a"#),
        (200, "text/html", "<html>Sign in to this network</html>"),
        (200, "application/x-www-form-urlencoded", "a=b&c"),
        (200, "application/json", "\u{feff}{\"error\":null}"),
        (200, "application/octet-stream", "\u{0}\u{1}\u{2}"),
        (302, "text/html", ""),
        (500, "text/plain", "oops"),
    ];
    for at in [Discovery, Registration, Code, Refresh, ClientCredentials, DeviceBegin, DevicePoll, Revoke] {
        for (status, media, body) in bodies {
            let (found, server, life) = leads(at, &instead(*status, media, body));
            // A redirect is answered by whoever has not checked the request.
            let expected = match at {
                Code | Refresh if *status != 302 => "consents anew",
                Revoke => "logged-out",
                _ => "goes on",
            };
            assert_eq!(found, expected, "{at:?} {status} {body:?}\n{}", life.transcript);
            assert_eq!(server.get().count(Outcome::Reused), 0);
            assert_eq!(server.get().count(Outcome::CodeReused), 0);
        }
    }
}

#[test]
fn lives_of_any_kind_never_make_a_session_call_with_a_dead_token() {
    for (life_is, refreshes) in [
        (ExpiresIn::Number, true),
        (ExpiresIn::Text, true),
        (ExpiresIn::Is("599.7"), true),
        (ExpiresIn::Is("\" 600 \""), true),
        // It is learnt when a call is refused.
        (ExpiresIn::Missing, false),
        (ExpiresIn::Is("0"), false),
        (ExpiresIn::Is("-3600"), false),
        (ExpiresIn::Is("\"soon\""), false),
        (ExpiresIn::Is("[600]"), false),
        (ExpiresIn::Is("null"), false),
        (ExpiresIn::Is("true"), false),
        (ExpiresIn::Is("\"\""), false),
        (ExpiresIn::Is("-0.5"), false),
        (ExpiresIn::Is("0.4"), false),
        (ExpiresIn::Is("1e30"), false),
        (ExpiresIn::Is("99999999999999999999"), false),
    ] {
        let server = server();
        server.get().settings.life = life_is.clone();
        let mut life = life(&server, by_code());
        let mut refused = 0;
        for _ in 0..60 {
            lives(&mut life, MINUTE);
            if !works(&mut life) {
                refused += 1;
                lives(&mut life, MINUTE / 6);
                assert!(works(&mut life), "{life_is:?}: one refusal is enough\n{}", life.transcript);
            }
        }
        assert_eq!(refused == 0, refreshes, "{life_is:?}: {refused}\n{}", life.transcript);
        assert!(refused < 8, "{life_is:?}: {refused}");
        let renewals = server.get().count(Outcome::Refreshed);
        assert!((5..12).contains(&renewals), "{life_is:?}: {renewals} renewals in an hour\n{}", life.transcript);
        assert_eq!(server.get().count(Outcome::Redeemed), 1);
    }
}

#[test]
fn an_endpoint_without_https_and_a_document_of_another_issuer_are_not_used() {
    for (from, to) in [
        ("\"token_endpoint\":\"https://", "\"token_endpoint\":\"http://"),
        ("\"authorization_endpoint\":\"https://", "\"authorization_endpoint\":\"http://"),
        ("\"revocation_endpoint\":\"https://login", "\"revocation_endpoint\":\"ftp://login"),
        ("\"issuer\":\"https://login", "\"issuer\":\"https://evil"),
        ("\"issuer\":\"https://login.example.org\"", "\"issuer\":\"https://login.example.org/\""),
        ("\"token_endpoint\":", "\"token_endpoint_\":"),
    ] {
        let server = server();
        let request = http::Request::get("https://login.example.org/.well-known/oauth-authorization-server");
        let request = request.header("user-agent", "test").body(Vec::new()).unwrap();
        let document = sansession::sim::Simulator::handle(
            &mut *server.get(),
            crate::support::START,
            [127, 0, 0, 1].into(),
            &request,
        );
        let document = String::from_utf8(document.response.into_body()).unwrap();
        let changed = document.replace(from, to);
        assert_ne!(changed, document, "{from}");
        let mishap = instead(200, "application/json", &changed);
        server.get().disturb_calls(Method::GET, "/.well-known/oauth-authorization-server", 1, &mishap);
        let mut life = life(&server, by_code());
        assert_eq!(life.runs_to_end().code(), "protocol", "{to}\n{}", life.transcript);
        assert_eq!(life.sent.len(), 1, "nothing goes there, and no path is guessed: {:?}", life.sent);
    }
    for (url, error) in [
        ("http://login.example.org/token", sansession::UrlError::PlainHttp),
        ("https://login.example.org/token#x", sansession::UrlError::QueryOrFragment),
    ] {
        assert_eq!(sansession::providers::oauth2::Server::endpoints(url).unwrap_err(), error);
    }
}

/// A slow server is not hurried: two days of pending polls keep their pace.
#[test]
fn a_person_who_never_comes_costs_no_more_than_the_codes_life() {
    let server = server();
    let mut life = life(&server, provider(Grant::Device, ClientOf::public("app")));
    life.runs_for(2 * DAY);
    assert_eq!(server.get().count(Outcome::SlowedDown), 0);
    assert_eq!(server.get().count(Outcome::DeviceBegun), 1);
    let polls = life.sent.iter().filter(|line| *line == "POST /token").count();
    assert!(polls <= 121, "{polls}");
    assert_eq!(open_need(&life.machine).unwrap().because.code(), "stale");
}

/// Who says when to come again is left alone until then, and a wait that is believed costs no consent.
#[test]
fn a_server_that_names_a_wait_is_left_alone_until_then() {
    for (status, body) in [(429, "{}"), (503, ""), (400, r#"{"error":"temporarily_unavailable"}"#)] {
        let server = server();
        server.get().settings.access_life = HOUR;
        let mut life = life(&server, by_code());
        lives(&mut life, MINUTE);
        let busy = Response::builder().status(status).header("content-type", "application/json");
        let busy = busy.header("retry-after", "120").body(body.as_bytes().to_vec()).unwrap();
        server.get().disturb_calls(Method::POST, "/token", 1, &Mishap::Instead(Box::new(busy)));
        life.runs_to(life.now + HOUR, |life| life.sent.iter().filter(|line| *line == "POST /token").count() == 2);
        let asked = life.now;
        life.runs_to(life.now + HOUR, |life| life.sent.iter().filter(|line| *line == "POST /token").count() == 3);
        assert!((120..180).contains(&life.now.since(asked).as_secs()), "{status}\n{}", life.transcript);
        assert_eq!(lives(&mut life, HOUR), 0);
        assert!(works(&mut life), "{status}\n{}", life.transcript);
    }
}

/// What the resource says of a token, and what a session does then: one renewal, a word, or nothing.
#[test]
fn each_refusal_of_the_resource_leads_where_its_row_says() {
    let bearer = |rest: &str| format!("Bearer{rest}");
    for (status, challenge, renews) in [
        (401, Some(bearer(r#" error="invalid_token""#)), true),
        (401, Some(bearer(r#" realm="x", error="invalid_token", error_description="expired""#)), true),
        // No token was seen, or the server is terse.
        (401, Some(bearer("")), true),
        (401, None, true),
        (403, Some(bearer(r#" error="insufficient_scope", scope="admin""#)), false),
        (403, None, false),
        (400, Some(bearer(r#" error="invalid_request""#)), false),
        (500, None, false),
    ] {
        let server = server();
        server.get().settings.access_life = DAY;
        let mut life = life(&server, by_code());
        lives(&mut life, MINUTE);
        let mut refusal = Response::builder().status(status).header("content-type", "application/json");
        if let Some(challenge) = &challenge {
            refusal = refusal.header("www-authenticate", challenge);
        }
        let refusal = Mishap::Instead(Box::new(refusal.body(b"{}".to_vec()).unwrap()));
        server.get().disturb_calls(Method::GET, "/api/quotes", 1, &refusal);
        let _ = life.calls(Method::GET, "/api/quotes");
        assert_eq!(lives(&mut life, HOUR), 0, "{status} {challenge:?}\n{}", life.transcript);
        let says = status == 403 && challenge.is_some();
        assert_eq!(life.transcript.contains("insufficient_scope admin"), says, "{}", life.transcript);
        assert_eq!(server.get().count(Outcome::Refreshed), usize::from(renews), "{status} {challenge:?}");
        assert!(works(&mut life), "{}", life.transcript);
    }
}

/// A code of its own for a dead consent, where the server has one and it is configured.
#[test]
fn a_word_for_a_dead_consent_is_the_servers_and_for_renewals_alone() {
    for (word, code) in [("unsupported_token_type", "consents anew"), ("another_word", "denied.rejected")] {
        let server = server();
        server.get().settings.dead = (400, "unsupported_token_type");
        let mut life = life(&server, by_code().dead_word(word));
        lives(&mut life, MINUTE);
        server.get().revoke_consents();
        let asked = lives(&mut life, HOUR);
        let found = life.closed.as_ref().map_or("consents anew", |reason| reason.code());
        assert_eq!((found, asked), (code, usize::from(life.closed.is_none())), "{word}\n{}", life.transcript);
    }
    // At a machine's grant the same word is the configuration's.
    let server = server();
    let word = instead(400, "application/json", r#"{"error":"unsupported_token_type"}"#);
    server.get().disturb_calls(Method::POST, "/token", 1, &word);
    let machine = provider(Grant::ClientCredentials, ClientOf::basic("daemon", "s:c%r +t"));
    let mut life = life(&server, machine.dead_word("unsupported_token_type"));
    assert_eq!(life.runs_to_end().code(), "denied.rejected", "{}", life.transcript);
}

/// A call that is refused for its own sake, or a resource that refuses every token: renewals keep a pace, and where the next
/// token is refused as well, it is a doubt and no loop.
#[test]
fn a_resource_that_refuses_every_token_costs_few_renewals() {
    for terse in [true, false] {
        let server = server();
        server.get().settings.access_life = DAY;
        let mut life = life(&server, by_code());
        lives(&mut life, MINUTE);
        let mut refusal = Response::builder().status(401).header("content-type", "application/json");
        if !terse {
            refusal = refusal.header("www-authenticate", r#"Bearer error="invalid_token""#);
        }
        let refusal = Mishap::Instead(Box::new(refusal.body(b"{}".to_vec()).unwrap()));
        server.get().disturb_calls(Method::GET, "/api/quotes", 100, &refusal);
        for _ in 0..60 {
            let _ = life.calls(Method::GET, "/api/quotes");
            life.runs_for(MINUTE);
        }
        let renewals = server.get().count(Outcome::Refreshed);
        println!("terse {terse}: {renewals} renewals");
        assert!((1..=12).contains(&renewals), "terse {terse}: {renewals} renewals in an hour\n{}", life.transcript);
        assert_eq!(life.closed, None, "{}", life.transcript);
    }
}

/// What frameworks and gateways write into a field of this name is the status in words, and no code of OAuth.
#[test]
fn a_status_in_words_is_no_error_of_oauth() {
    use At::*;
    for (status, words) in [
        (500, "Internal Server Error"),
        (502, "Bad Gateway"),
        (504, "gateway_timeout"),
        (503, "Service Unavailable"),
        (503, "overloaded"),
        (429, "slow down"),
        (429, "rate_limit_exceeded"),
        (404, "Not Found"),
        (403, "Forbidden"),
        (401, "Unauthorized"),
    ] {
        let body = format!(r#"{{"timestamp":1,"status":{status},"error":"{words}","message":"","path":"/"}}"#);
        for at in [Registration, Code, Refresh, ClientCredentials, DeviceBegin, DevicePoll, Revoke] {
            let (found, server, life) = leads(at, &instead(status, "application/json", &body));
            let expected = match at {
                // Nobody knows what a server in trouble did with it.
                Code | Refresh if matches!(status, 500 | 502 | 504) => "consents anew",
                // The wait is longer than the patience with a logout.
                Revoke if status == 429 => "logged-out.unconfirmed",
                Revoke => "logged-out",
                _ => "goes on",
            };
            assert_eq!(found, expected, "{at:?} {status} {words:?}\n{}", life.transcript);
            assert_eq!(server.get().count(Outcome::Reused), 0);
        }
    }
}
