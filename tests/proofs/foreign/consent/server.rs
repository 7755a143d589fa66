use std::time::Duration;

use http::{Request, Response};
use sansession::testing::Simulated;
use sansession::{Input, Need, Timestamp};

const LASTS: Duration = Duration::from_secs(6 * 3600);
const CONSENT: Duration = Duration::from_secs(7 * 24 * 3600);

#[derive(Default)]
pub struct Server {
    issued: u32,
    codes: Vec<String>,
    access: Vec<(String, Timestamp)>,
    refresh: Option<(String, Timestamp)>,
    spent: Vec<String>,
    secrets: Vec<String>,
}

impl Server {
    fn issue(&mut self, what: &str) -> String {
        self.issued += 1;
        let token = format!("{what}-{:08}", self.issued);
        self.secrets.push(token.clone());
        token
    }

    fn token(&mut self, now: Timestamp, form: &[(String, String)]) -> (u16, String) {
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map_or("", |(_, value)| value);
        let error = (400, r#"{"error":"invalid_grant"}"#.to_owned());
        let consented = match field("grant_type") {
            "authorization_code" if self.codes.iter().any(|code| code == field("code")) => {
                self.codes.retain(|code| code != field("code"));
                self.spent.push(field("code").to_owned());
                self.access.clear();
                now
            }
            "refresh_token" => match self.refresh.take() {
                Some((token, at)) if token == field("refresh_token") && now < at + CONSENT => {
                    self.spent.push(token);
                    at
                }
                _ => return error,
            },
            _ => return error,
        };
        let (access, refresh) = (self.issue("access"), self.issue("refresh"));
        let body = format!(
            r#"{{"access_token":"{access}","token_type":"Bearer","expires_in":21600,"refresh_token":"{refresh}"}}"#
        );
        self.access.push((access, now + LASTS));
        self.refresh = Some((refresh, consented));
        (200, body)
    }
}

impl Simulated for Server {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let form: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let given = request.headers().get("authorization").and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Bearer "));
        let known = self.access.iter().any(|(token, ends)| given == Some(token) && now < *ends);
        let (status, body) = match request.uri().path() {
            "/token" => self.token(now, &form),
            "/revoke" => {
                self.access.clear();
                self.refresh = None;
                (200, String::new())
            }
            "/me" | "/orders" if known => (200, r#"{"user":"ann"}"#.to_owned()),
            _ => (401, r#"{"error":"invalid_token"}"#.to_owned()),
        };
        Response::builder().status(status).header("content-type", "application/json").body(body.into_bytes()).unwrap()
    }

    fn answer(&mut self, _: Timestamp, need: &Need) -> Option<Input> {
        let (_, query) = need.url.as_deref()?.split_once('?')?;
        let query: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        let (_, state) = query.into_iter().find(|(name, _)| name == "state")?;
        let code = self.issue("code");
        self.codes.push(code.clone());
        Some(Input::Code(format!("http://localhost/back?code={code}&state={state}").into()))
    }

    fn spent(&self) -> &[String] {
        &self.spent
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.access.iter().any(|(_, ends)| now < *ends) || self.refresh.is_some())
    }
}
