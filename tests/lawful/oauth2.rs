//! OAuth 2 sessions, each grant before the simulator of a server that rotates.

use std::net::IpAddr;
use std::time::Duration;

use http::{Request, Response};
use sansession::providers::oauth2::{ClientOf, Given, Grant, OAuth2, Server};
use sansession::sim;
use sansession::sim::Simulator;
use sansession::sim::oauth2::{Browsed, Client, Outcome};
use sansession::testing::{Laws, Sample, Simulated};
use sansession::{Input, Need, NeedKind, Secret, SecretBytes, Timestamp};

const ISSUER: &str = "https://login.example.org";
const BACK: &str = "http://127.0.0.1:8400/callback";

/// A server and the person before it.
pub struct Served {
    server: sim::OAuth2Sim,
    /// The codes that it has taken. A device code is asked with until its answer has come, and a refresh token that may be spent
    /// is revoked, so they are not among them.
    spent: Vec<String>,
}

impl Default for Served {
    fn default() -> Self {
        let mut server = sim::OAuth2Sim::new(ISSUER, 7);
        server.add_client(Client::public("app").redirect(BACK));
        server.add_client(Client::basic("daemon", "s:c%r +t"));
        server.add_client(Client::jwt("signer", |_, signature| signature == [7; 256]).redirect(BACK));
        server.settings.access_life = Duration::from_secs(3_600);
        Self { server, spent: Vec::new() }
    }
}

impl Simulated for Served {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let reply = self.server.handle(now, IpAddr::from([127, 0, 0, 1]), request).finish();
        assert_eq!(self.server.count(Outcome::Reused), 0, "a refresh token was used twice");
        self.spent = self.server.spent().iter().filter(|text| text.starts_with("code-")).cloned().collect();
        reply.response
    }

    fn answer(&mut self, now: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::Redirect => match self.server.browse(now, need.url.as_deref()?) {
                Browsed::Redirect(back) => Some(Input::Redirect(Secret::new(back))),
                Browsed::Page(_) => None,
            },
            NeedKind::Browser => {
                let code = need.prompt.as_ref()?.user_code.clone();
                code.map(|code| self.server.approve_device(now, &code));
                Some(Input::Done)
            }
            NeedKind::Signature => Some(Input::Signature(SecretBytes::new(vec![7; 256]))),
            NeedKind::GatewayToken => self.server.grant(now, "app").map(|token| Input::Token(token.into())),
            _ => None,
        }
    }

    fn spent(&self) -> &[String] {
        &self.spent
    }

    fn secrets(&self) -> &[String] {
        self.server.issued()
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        let issued = || self.server.issued().iter();
        // A machine's tokens have nothing in common, and those before the last one end soon.
        let last = issued().rfind(|text| text.starts_with("at-"));
        match issued().any(|text| text.starts_with("rt-")) {
            true => Some(self.server.live_consents(now) > 0),
            false => last.map(|token| self.server.is_live(now, token)),
        }
    }
}

/// A way to tokens.
pub type Way = fn() -> OAuth2;

/// Each way to tokens, by name.
pub fn grants() -> [(&'static str, Way); 6] {
    [
        ("code", || of(code(), ClientOf::public("app"))),
        ("device", || of(Grant::Device, ClientOf::public("app"))),
        ("client-credentials", || of(Grant::ClientCredentials, ClientOf::basic("daemon", "s:c%r +t"))),
        ("given", || of(Grant::Given, ClientOf::public("app"))),
        ("registered", || of(code(), ClientOf::register("a bot"))),
        ("signed", || of(code(), ClientOf::jwt("signer", Some("k-1")))),
    ]
}

fn code() -> Grant {
    Grant::Code { redirect: BACK.into() }
}

fn of(grant: Grant, client: ClientOf) -> OAuth2 {
    let server = Server::issuer(ISSUER).unwrap();
    let scopes = if grant == Grant::ClientCredentials { "read" } else { "read offline_access" };
    OAuth2::new(server, grant, client).scopes(scopes, "").probe("/api/me").unwrap()
}

/// A redirect of the attempt that a question is about.
pub fn redirect(need: &Need, number: u32) -> Option<Secret> {
    let (_, state) = need.url.as_deref()?.split_once("state=")?;
    let state = state.split('&').next()?;
    Some(format!("{BACK}?code=code-{number:08}&state={state}&iss=https%3A%2F%2Flogin.example.org").into())
}

/// The laws, before a server that may answer anything.
pub fn laws(make: Way) -> Laws<OAuth2> {
    let metadata = |request: &Request<Vec<u8>>, now| Served::default().handle(now, request);
    let tokens = |more: &str| format!(r#"{{"access_token":"at-0123456789abcdef"{more}}}"#);
    let device = r#"{"device_code":"device-0123456789","user_code":"WDJB-MJHT","verification_uri":"https://login.example.org/activate","expires_in":600}"#;
    let error = |status, code: &str| Sample::json(status, format!(r#"{{"error":"{code}"}}"#));
    Laws::new(make)
        .server(move |request, now| match request.uri().path() {
            path if path.starts_with("/.well-known/") => metadata(request, now),
            "/token" => super::json(tokens(
                r#","token_type":"Bearer","expires_in":3600,"refresh_token":"rt-fedcba9876543210","scope":"read offline_access""#,
            )),
            "/device" => super::json(device),
            "/register" => super::json(r#"{"client_id":"client-1"}"#),
            "/revoke" => super::json("{}"),
            _ => super::json(r#"{"ok":true}"#),
        })
        .samples([
            Sample::json(200, tokens("")),
            Sample::json(200, tokens(r#","expires_in":"60","refresh_token":"rt-another-0123456789""#)),
            Sample::json(200, tokens(r#","expires_in":-1,"refresh_token":null"#)),
            Sample::json(200, tokens(r#","token_type":"mac""#)),
            Sample::json(200, tokens(r#","scope":"write""#)),
            Sample::json(200, tokens(r#","expires_in":599,"refresh_token_expires_in":900"#)),
            Sample::json(200, device),
            Sample::json(201, r#"{"client_id":"client-2","client_secret":"secret-0123456789"}"#),
            Sample::json(200, r#"{"error":"authorization_pending"}"#),
        ])
        .samples(
            [
                "invalid_grant",
                "invalid_client",
                "invalid_request",
                "access_denied",
                "slow_down",
                "expired_token",
                "temporarily_unavailable",
                "unsupported_token_type",
            ]
            .map(|code| error(400, code)),
        )
        .samples([
            Sample::new(401, "application/json", "").header("www-authenticate", r#"Bearer error="invalid_token""#),
            Sample::new(403, "text/html", "<html>Access Denied</html>"),
            Sample::new(200, "text/html", "<html>Sign in</html>"),
            Sample::json(429, "{}").header("retry-after", "7"),
        ])
        .answers(|need, number, _| match need.kind {
            NeedKind::Redirect => redirect(need, number).map(Input::Redirect),
            NeedKind::Signature => Some(Input::Signature(SecretBytes::new(vec![7; 256]))),
            _ => None,
        })
        .tokens(|| Given::access("at-given-0123456789".into(), None).and_refresh("rt-given-0123456789".into()))
        .path("/api/quotes")
}
