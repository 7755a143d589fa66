//! The server of the ledger: what it knows, numbers for tokens, and no clock of its own.

use http::{Request, Response};
use sansession::testing::Simulated;
use sansession::{Input, Need, NeedKind, Timestamp};
use std::time::Duration;

/// The account's PIN.
const PIN: &str = "47114711";

/// An access token lives for so long,
const LASTS: Duration = Duration::from_secs(3_600);

/// and a login for so long from its last consent.
const CONSENTED: Duration = Duration::from_secs(3 * 24 * 3_600);

#[derive(Default)]
pub struct Server {
    issued: u32,
    ticket: Option<String>,
    login: Option<Login>,
    code: Option<String>,
    wrong_pins: u32,
    spent: Vec<String>,
    secrets: Vec<String>,
}

struct Login {
    /// An access token lives to its end, also when there is a new one.
    access: Vec<(String, Timestamp)>,
    refresh: String,
    consented: Timestamp,
}

impl Login {
    fn knows(&self, now: Timestamp, access: Option<&str>) -> bool {
        self.access.iter().any(|(own, ends)| access == Some(own) && now < *ends)
    }
}

type Said = (u16, String);

impl Server {
    fn issue(&mut self, what: &str) -> String {
        self.issued += 1;
        let token = format!("{what}-{:06}", self.issued);
        self.secrets.push(token.clone());
        token
    }

    fn login(&mut self, form: &[(String, String)]) -> Said {
        if self.wrong_pins >= 3 {
            return error(403, "locked");
        }
        if field(form, "pin") != PIN {
            self.wrong_pins += 1;
            return error(403, "wrong_pin");
        }
        self.wrong_pins = 0;
        let ticket = self.issue("ticket");
        self.ticket = Some(ticket.clone());
        (200, format!(r#"{{"ticket":"{ticket}"}}"#))
    }

    fn token(&mut self, now: Timestamp, form: &[(String, String)]) -> Said {
        let consented = match (field(form, "grant"), &self.login) {
            ("ticket", _) if self.ticket.as_deref() == Some(field(form, "ticket")) => {
                self.spent.extend(self.ticket.take());
                now
            }
            ("ticket", _) => return error(400, "ticket_used"),
            ("refresh", Some(login))
                if login.refresh == field(form, "refresh") && now < login.consented + CONSENTED =>
            {
                self.spent.push(login.refresh.clone());
                login.consented
            }
            // Whoever uses a refresh token for a second time has stolen it, or the one before has.
            ("refresh", _) => {
                self.login = None;
                return error(400, "invalid_refresh");
            }
            _ => return error(400, "no_grant"),
        };
        let rotates = field(form, "grant") == "refresh";
        let (access, refresh) = (self.issue("access"), self.issue("refresh"));
        let until = (consented + CONSENTED).as_millis() / 1_000;
        let said = format!(
            r#"{{"access":"{access}","refresh":"{refresh}","lasts":{},"consent_until":{until}}}"#,
            LASTS.as_secs()
        );
        let mut others = self.login.take().filter(|_| rotates).map_or_else(Vec::new, |login| login.access);
        others.retain(|(_, ends)| now < *ends);
        others.push((access, now + LASTS));
        self.login = Some(Login { access: others, refresh, consented });
        (200, said)
    }

    fn consent(&mut self, now: Timestamp, form: &[(String, String)]) -> Said {
        let given = Some(field(form, "code").to_owned());
        let Some(login) = &mut self.login else { return error(401, "unknown_token") };
        if self.code != given {
            return error(403, "wrong_code");
        }
        self.spent.extend(self.code.take());
        login.consented = now;
        (200, format!(r#"{{"consent_until":{}}}"#, (now + CONSENTED).as_millis() / 1_000))
    }
}

impl Simulated for Server {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let bearer = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let bearer = bearer.and_then(|value| value.strip_prefix("Bearer "));
        let known = self.login.as_ref().is_some_and(|login| login.knows(now, bearer));
        let consented = self.login.as_ref().is_some_and(|login| now < login.consented + CONSENTED);
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            ("POST", "/login") => self.login(&form),
            ("POST", "/token") => self.token(now, &form),
            _ if !known => error(401, "unknown_token"),
            _ if !consented => error(401, "consent_ended"),
            ("POST", "/consent") => self.consent(now, &form),
            ("GET", "/me") => (200, r#"{"user":"ann"}"#.to_owned()),
            ("GET", "/entries") => (200, "[]".to_owned()),
            ("DELETE", "/login") => {
                self.login = None;
                (200, r#"{"ended":true}"#.to_owned())
            }
            _ => error(404, "no_such_path"),
        };
        let mut response = Response::builder().status(status).header("content-type", "application/json");
        response
            .headers_mut()
            .map(|headers| headers.insert("cache-control", http::HeaderValue::from_static("no-store")));
        response.body(body.into_bytes()).unwrap()
    }

    fn answer(&mut self, _: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::Pin => Some(Input::Pin(PIN.into())),
            // The code that the consent page shows.
            NeedKind::Verifier => {
                let code = self.issue("verifier");
                self.code = Some(code.clone());
                Some(Input::Code(code.into()))
            }
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
        Some(
            self.login.as_ref().is_some_and(|login| {
                login.access.iter().any(|(_, ends)| now < *ends) && now < login.consented + CONSENTED
            }),
        )
    }
}

fn error(status: u16, name: &str) -> Said {
    (status, format!(r#"{{"error":"{name}"}}"#))
}

fn field<'a>(form: &'a [(String, String)], name: &str) -> &'a str {
    form.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value)
}
