use http::{Request, Response};
use sansession::testing::Simulated;
use sansession::{Input, Need, NeedKind, Timestamp, machine::Totp, provider::Zone};

#[derive(Default)]
pub struct Server {
    issued: u32,
    wrong: u32,
    used: String,
    login: Option<(String, Timestamp)>,
    secrets: Vec<String>,
}

fn code(now: Timestamp) -> String {
    format!("{:06}", now.as_secs() / 30 * 7919 % 1_000_000)
}

impl Simulated for Server {
    fn handle(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("");
        let error =
            |code: &str| (200, format!(r#"{{"status":false,"message":"no","errorcode":"{code}","data":null}}"#));
        let known = self
            .login
            .as_ref()
            .is_some_and(|(jwt, ends)| now < *ends && header("authorization") == format!("Bearer {jwt}"));
        let body: serde_json::Value = serde_json::from_slice(request.body()).unwrap_or_default();
        let (status, body) = match (request.method().as_str(), request.uri().path()) {
            _ if header("x-privatekey") != "key-1" => error("AG8004"),
            ("POST", "/login") if self.wrong >= 3 => error("AB1006"),
            ("POST", "/login") if body["password"] != "47114711" || body["clientcode"] != "C1" => {
                self.wrong += 1;
                error("AB1007")
            }
            ("POST", "/login") if body["totp"] != code(now).as_str() || body["totp"] == self.used.as_str() => {
                error("AB1050")
            }
            ("POST", "/login") => {
                self.used = code(now);
                self.wrong = 0;
                self.issued += 1;
                let jwt = format!("jwt-{:08}", self.issued);
                self.secrets.push(jwt.clone());
                self.login = Some((jwt.clone(), Zone::INDIA.next(now, 5, 0)));
                (200, format!(r#"{{"status":true,"message":"SUCCESS","errorcode":"","data":{{"jwtToken":"{jwt}"}}}}"#))
            }
            _ if !known => (401, error("AG8001").1),
            ("GET", "/profile" | "/orders") => {
                (200, r#"{"status":true,"errorcode":"","data":{"clientcode":"C1"}}"#.into())
            }
            ("POST", "/logout") => {
                self.login = None;
                (200, r#"{"status":true,"errorcode":"","data":""}"#.into())
            }
            _ => (404, String::new()),
        };
        Response::builder().status(status).body(body.into_bytes()).unwrap()
    }

    fn answer(&mut self, now: Timestamp, need: &Need) -> Option<Input> {
        match need.kind {
            NeedKind::Pin => Some(Input::Pin("47114711".into())),
            NeedKind::Totp => Totp::new(code(now), now).ok().map(Input::Totp),
            _ => None,
        }
    }

    fn secrets(&self) -> &[String] {
        &self.secrets
    }

    fn is_open(&self, now: Timestamp) -> Option<bool> {
        Some(self.login.as_ref().is_some_and(|(_, ends)| now < *ends))
    }
}
