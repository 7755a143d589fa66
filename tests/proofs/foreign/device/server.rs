use std::time::Duration;

use http::{Request, Response};
use sansession::testing::Simulated;
use sansession::{Credentials, Input, Need, NeedKind, Timestamp};

#[derive(Default)]
pub struct Server {
    issued: u32,
    wrong: u32,
    challenge: Option<String>,
    code: Option<(String, Timestamp)>,
    devices: Vec<String>,
    session: Option<(String, Timestamp)>,
    spent: Vec<String>,
    secrets: Vec<String>,
}

const IDLE: Duration = Duration::from_secs(3600);

impl Server {
    fn issue(&mut self, what: &str) -> String {
        self.issued += 1;
        let token = format!("{what}-{:08}", self.issued);
        self.secrets.push(token.clone());
        token
    }

    fn log_in(&mut self, now: Timestamp, body: &serde_json::Value) -> (u16, String) {
        let error = |name: &str| (401, format!(r#"{{"error":"{name}"}}"#));
        if self.wrong >= 3 {
            return error("locked");
        }
        if body["password"] != "correct-horse" {
            self.wrong += 1;
            return error("wrong_password");
        }
        let known = body["device"].as_str().is_some_and(|device| self.devices.iter().any(|own| own == device));
        match (known, body["code"].as_str()) {
            (true, _) => {}
            (false, None) => {
                let challenge = self.issue("challenge");
                self.challenge = Some(challenge.clone());
                return (403, format!(r#"{{"error":"device_challenge","challenge":"{challenge}"}}"#));
            }
            (false, Some(given)) => match &self.code {
                Some((code, until)) if code == given && now < *until => {
                    self.spent.extend(self.code.take().map(|(code, _)| code))
                }
                Some((_, until)) if now < *until => return error("wrong_code"),
                _ => return error("code_expired"),
            },
        }
        self.wrong = 0;
        let (session, device) = (self.issue("session"), self.issue("device"));
        self.devices.push(device.clone());
        self.session = Some((session.clone(), now));
        (200, format!(r#"{{"session":"{session}","device":"{device}"}}"#))
    }
}

impl Simulated for Server {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let header =
            |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let open =
            self.session.as_ref().is_some_and(|(id, seen)| header("x-session") == *id && now.since(*seen) < IDLE);
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            ("POST", "/sessions") => self.log_in(now, &body),
            ("POST", "/challenge") if self.challenge.as_deref() == Some(&header("x-challenge")) => {
                self.issued += 1;
                self.code = Some((format!("{:08}", 81_000_000 + self.issued), now + Duration::from_secs(600)));
                (200, r#"{"sent":true}"#.to_owned())
            }
            ("POST", "/challenge") => (401, r#"{"error":"unknown_challenge"}"#.to_owned()),
            _ if !open => (401, r#"{"error":"unknown_session"}"#.to_owned()),
            ("GET", "/me" | "/positions") => {
                self.session.as_mut().unwrap().1 = now;
                (200, r#"{"account":"A1"}"#.to_owned())
            }
            ("DELETE", "/sessions") => {
                self.session = None;
                (200, r#"{"ended":true}"#.to_owned())
            }
            _ => (404, String::new()),
        };
        Response::builder().status(status).body(body.into_bytes()).unwrap()
    }

    fn answer(&mut self, _: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::Credentials => Credentials::new("ann", "correct-horse").ok().map(Input::Credentials),
            NeedKind::AccessCode => self.code.as_ref().map(|(code, _)| Input::Code(code.as_str().into())),
            _ => None,
        }
    }

    fn spent(&self) -> &[String] {
        &self.spent
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.session.as_ref().is_some_and(|(_, seen)| now.since(*seen) < IDLE))
    }
}
