use std::time::Duration;

use http::{Request, Response};
use sansession::testing::Simulated;
use sansession::{Credentials, Input, Need, Timestamp};

#[derive(Default)]
pub struct Server {
    issued: u32,
    csrf: String,
    session: Option<(String, Timestamp, Timestamp)>,
    secrets: Vec<String>,
}

impl Server {
    fn issue(&mut self, what: &str) -> String {
        self.issued += 1;
        let value = format!("{what}-{:08}", self.issued);
        self.secrets.push(value.clone());
        value
    }
}

impl Simulated for Server {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let header =
            |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let cookie = |name: &str| {
            let all = header("cookie");
            let found = all.split("; ").filter_map(|pair| pair.split_once('=')).find(|(own, _)| *own == name);
            found.map_or_else(String::new, |(_, value)| value.to_owned())
        };
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value);
        let csrf = !self.csrf.is_empty() && cookie("csrf") == self.csrf && header("x-csrf-token") == self.csrf;
        let open = self
            .session
            .as_ref()
            .is_some_and(|(id, seen, _)| cookie("session") == *id && now.since(*seen) < Duration::from_secs(900));
        let mut set = Vec::new();
        let body = match (request.method().as_str(), request.uri().path()) {
            ("GET", "/login") => {
                self.csrf = self.issue("csrf");
                set.push(format!("csrf={}; Path=/", self.csrf));
                r#"{"form":"login"}"#
            }
            ("POST", "/login") if !csrf => r#"{"error":"csrf"}"#,
            ("POST", "/login") if field("password") != "correct-horse" => r#"{"error":"wrong"}"#,
            ("POST", "/login") => {
                let id = self.issue("session");
                set.push(format!("session={id}; Path=/; HttpOnly"));
                self.session = Some((id, now, now));
                r#"{"user":"ann"}"#
            }
            _ if !open => r#"{"error":"login"}"#,
            ("GET", "/ping") => {
                let id = self.issue("session");
                let Some((known, seen, since)) = &mut self.session else { unreachable!() };
                *seen = now;
                // Each hour the session gets another id.
                if now.since(*since) > Duration::from_secs(3600) {
                    set.push(format!("session={id}; Path=/; HttpOnly"));
                    (*known, *since) = (id, now);
                }
                r#"{"user":"ann"}"#
            }
            ("GET", "/notes") => r#"{"user":"ann"}"#,
            ("POST", "/logout") if csrf => {
                self.session = None;
                r#"{"bye":true}"#
            }
            _ => r#"{"error":"csrf"}"#,
        };
        let mut response = Response::builder().status(if body.contains("error") { 401 } else { 200 });
        for line in set {
            response = response.header("set-cookie", line);
        }
        response.body(body.as_bytes().to_vec()).unwrap()
    }

    fn answer(&mut self, _: Timestamp, _: &Need) -> Option<Input> {
        Credentials::new("ann", "correct-horse").ok().map(Input::Credentials)
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.session.as_ref().is_some_and(|(_, seen, _)| now.since(*seen) < Duration::from_secs(900)))
    }
}
