//! The server of the provider, simulated: as strict as the real one, a pure function of requests and time.

use std::net::IpAddr;
use std::time::Duration;

use http::{Request, Response};
use sansession::sim::{Reply, Simulator};
use sansession::testing::Simulated;
use sansession::{Input, Need, NeedKind, Timestamp, machine::Totp};

/// The account's PIN.
pub const PIN: &str = "47114711";

/// An access token lives for so long.
const LASTS: Duration = Duration::from_secs(1_800);

/// A bank with one account.
#[derive(Default)]
pub struct BankServer {
    issued: u32,
    wrong: u32,
    used: String,
    login: Option<Login>,
    spent: Vec<String>,
    secrets: Vec<String>,
}

struct Login {
    access: Vec<(String, Timestamp)>,
    refresh: String,
}

type Said = (u16, String);

/// The code that the owner's authenticator shows.
pub fn code(now: Timestamp) -> String {
    format!("{:06}", now.as_secs() / 30 * 7_919 % 1_000_000)
}

impl BankServer {
    fn log_in(&mut self, now: Timestamp, form: &[(String, String)]) -> Said {
        let given = field(form, "code").to_owned();
        if self.wrong >= 3 {
            return error(403, "locked");
        }
        if given != code(now) || given == self.used {
            return error(401, "wrong_code");
        }
        self.used = given;
        if field(form, "pin") != PIN {
            self.wrong += 1;
            return error(401, "wrong_pin");
        }
        self.wrong = 0;
        self.login = None;
        self.grant(now)
    }

    fn refresh(&mut self, now: Timestamp, form: &[(String, String)]) -> Said {
        match &self.login {
            Some(login) if login.refresh == field(form, "refresh") => {
                self.spent.push(login.refresh.clone());
                self.grant(now)
            }
            // Whoever sends one twice has stolen it.
            _ => {
                self.login = None;
                error(400, "unknown_refresh")
            }
        }
    }

    /// Returns new tokens; an earlier access token lives to its end.
    fn grant(&mut self, now: Timestamp) -> Said {
        self.issued += 1;
        let (access, refresh) = (format!("access-{:06}", self.issued), format!("refresh-{:06}", self.issued));
        let body = format!(r#"{{"access":"{access}","refresh":"{refresh}","lasts":{}}}"#, LASTS.as_secs());
        self.secrets.extend([access.clone(), refresh.clone()]);
        let mut lives = self.login.take().map_or_else(Vec::new, |login| login.access);
        lives.push((access, now + LASTS));
        self.login = Some(Login { access: lives, refresh });
        (200, body)
    }

    fn knows(&self, now: Timestamp, request: &Request<Vec<u8>>) -> bool {
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        let mut lives = self.login.iter().flat_map(|login| &login.access);
        lives.any(|(access, ends)| given == Some(access) && now < *ends)
    }
}

impl Simulator for BankServer {
    fn handle(&mut self, now: Timestamp, _: IpAddr, request: &Request<Vec<u8>>) -> Reply {
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            ("POST", "/login") => self.log_in(now, &form),
            ("POST", "/token") => self.refresh(now, &form),
            _ if !self.knows(now, request) => error(401, "unknown_access"),
            ("GET", "/me" | "/accounts") => (200, r#"{"user":"ann"}"#.to_owned()),
            ("DELETE", "/login") => {
                self.login = None;
                (200, r#"{"ended":true}"#.to_owned())
            }
            _ => error(404, "no_such_path"),
        };
        let mut response = Response::new(body.into_bytes());
        *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
        Reply::new(response)
    }
}

/// What the laws ask of the server beside its answers.
impl Simulated for BankServer {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        Simulator::handle(self, now, IpAddr::from([192, 0, 2, 1]), request).finish().response
    }

    fn answer(&mut self, now: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::Pin => Some(Input::Pin(PIN.into())),
            _ => Totp::new(code(now), now).ok().map(Input::Totp),
        }
    }

    fn spent(&self) -> &[String] {
        &self.spent
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.login.as_ref().is_some_and(|login| login.access.iter().any(|(_, ends)| now < *ends)))
    }
}

fn error(status: u16, name: &str) -> Said {
    (status, format!(r#"{{"error":"{name}"}}"#))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}
