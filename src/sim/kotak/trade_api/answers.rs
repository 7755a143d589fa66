//! What the Trade API does with a request.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, StatusCode};
use serde_json::json;

use super::bodies::token_error;
use super::{OneTime, Shard, TRIES, TradeApiSim, User};
use crate::Timestamp;
use crate::sim::kotak::{Answer, Desk, Outcome, field, header};

/// What the session service wants in front of its paths.
const SESSION: &str = "/session/1.0/session/";

impl TradeApiSim {
    pub(super) fn answer(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        shard: Option<Shard>,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        let Some(shard) = shard else { return Answer::page(StatusCode::OK, "foreign-host") };
        if let Some(status) = self.settings.outage {
            return Answer::page(status, "outage");
        }
        let path = request.uri().path();
        let below = path.strip_prefix(self.base(shard).path()).unwrap_or_default().to_owned();
        let gateway = [path, &below, below.strip_prefix("/oauth/1.0").unwrap_or_default()];
        if gateway.contains(&"/token") {
            return self.token(desk, now, request);
        }
        if gateway.contains(&"/revoke") {
            return self.revoke(request);
        }
        let bearer = header(request, "authorization").and_then(|text| text.strip_prefix("Bearer "));
        let Some(bearer) = bearer.filter(|bearer| self.bearers.get(*bearer).is_some_and(|end| now < *end)) else {
            return self.settings.bearer_invalid();
        };
        let _ = bearer;
        if let Some(refused) = self.spend_quota(now) {
            return refused;
        }
        let known = header(request, "consumerkey").is_some_and(|key| self.apps.iter().any(|(known, _)| known == key));
        if !known {
            return self.settings.bad_input("consumerKey");
        }
        match below.strip_prefix(SESSION) {
            Some(operation) => self.session(desk, now, shard, operation, request),
            None => self.call(shard, &below, request),
        }
    }

    fn session(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        shard: Shard,
        operation: &str,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        // `ip` and `appId` are not compared with anything, and may be empty; they have to be there.
        for name in ["ip", "appid"] {
            if !request.headers().contains_key(name) {
                return self.settings.bad_input(name);
            }
        }
        let get = request.method() == Method::GET;
        let post = request.method() == Method::POST;
        match operation {
            "init" if get => self.init(shard, header(request, "userid")),
            "login/userid" if post => self.login(desk, now, shard, field(request, "userid"), request),
            "login/nickname" if post => self.login(desk, now, shard, field(request, "nickname"), request),
            "2FA/accesscode" if get => self.send_code(now, shard, request),
            "2FA/accesscode" if post => self.second_factor(desk, now, shard, "access-code", request),
            "2FA/oneTimeToken" if post => self.second_factor(desk, now, shard, "without-code", request),
            "2FA/mpin" if post => self.second_factor(desk, now, shard, "mpin", request),
            "2FA/biometric" if post => self.second_factor(desk, now, shard, "biometric", request),
            "logout" if request.method() == Method::DELETE => self.logout(request),
            _ => match operation.strip_prefix("init/userid/").or_else(|| operation.strip_prefix("init/nickname/")) {
                Some(userid) if get => self.init(shard, Some(userid)),
                _ => not_found(),
            },
        }
    }

    fn init(&self, shard: Shard, userid: Option<&str>) -> Answer {
        let Some(userid) = userid else { return self.settings.bad_input("userid") };
        let Some(user) = self.users.get(userid) else { return self.settings.bad_input("a known userid") };
        if let Some(refused) = self.refuse(user) {
            return refused;
        }
        let told = self.settings.redirect.clone().unwrap_or_else(|| self.base(user.shard).to_string());
        self.settings.init(user, &told, self.base(shard))
    }

    fn login(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        shard: Shard,
        userid: Option<String>,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        let (Some(userid), Some(password)) = (userid, field(request, "password")) else {
            return self.settings.bad_input("userid or password");
        };
        let Some(user) = self.users.get(&userid) else { return self.settings.refused("password") };
        if let Some(refused) = self.refuse(user) {
            return refused;
        }
        if user.password != password {
            return self.bad_try(&userid, "password");
        }
        let token = desk.token();
        let answer = self.settings.login(user, &self.base(user.shard).to_string(), &token);
        self.one_time_tokens.insert(token, OneTime { userid, made: now, shard });
        answer
    }

    fn send_code(&mut self, now: Timestamp, shard: Shard, request: &Request<Vec<u8>>) -> Answer {
        let Some(userid) = header(request, "userid").map(str::to_owned) else {
            return self.settings.bad_input("userid");
        };
        if let Err(refused) = self.check_token(now, shard, &userid, request) {
            return refused;
        }
        if let Some(user) = self.users.get_mut(&userid) {
            user.codes_sent += 1;
        }
        self.settings.success("send-code", json!({ "message": "Access code sent." }))
    }

    fn second_factor(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        shard: Shard,
        operation: &'static str,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        let Some(userid) = field(request, "userid") else { return self.settings.bad_input("userid") };
        if let Err(refused) = self.check_token(now, shard, &userid, request) {
            return refused;
        }
        let Some(user) = self.users.get(&userid) else { return self.settings.one_time_token_stale() };
        match operation {
            "access-code" => match field(request, "accessCode") {
                None => return self.settings.bad_input("accessCode"),
                Some(code) if code != user.access_code(now) => return self.bad_try(&userid, "access-code"),
                Some(_) => {}
            },
            "without-code" if user.subscribed => {}
            "without-code" => return self.settings.refused("not-subscribed"),
            // The login tells `"mpin":"N","biometric":"N"` of everybody here.
            _ => return self.settings.refused("not-eligible"),
        }
        let token = desk.token();
        let answer = self.settings.second_factor(operation, user, &token);
        self.sessions.insert(token, userid.clone());
        self.unlock(&userid);
        answer
    }

    fn logout(&mut self, request: &Request<Vec<u8>>) -> Answer {
        let Some(userid) = header(request, "userid") else { return self.settings.bad_input("userid") };
        let Some(token) = header(request, "sessiontoken") else { return self.settings.bad_input("sessionToken") };
        if self.sessions.get(token).is_none_or(|owner| owner != userid) {
            return self.settings.session_over();
        }
        self.sessions.remove(token);
        self.settings.success("logout", json!({ "message": "Logout Successful." }))
    }

    /// Answers a call with a session.
    fn call(&self, shard: Shard, path: &str, request: &Request<Vec<u8>>) -> Answer {
        let operation = match path {
            "/reports/1.0/orders" => "orders",
            "/reports/1.0/trades" => "trades",
            _ => return not_found(),
        };
        if request.method() != Method::GET {
            return not_found();
        }
        let owner = header(request, "sessiontoken").and_then(|token| self.sessions.get(token));
        let Some(user) = owner.and_then(|userid| self.users.get(userid)) else { return self.settings.session_over() };
        if user.shard != shard {
            return self.settings.wrong_host(&self.right_host(user));
        }
        self.settings.success(operation, json!([{ "status": "OPN", "orderQuantity": 1, "message": "" }]))
    }

    fn check_token(
        &self,
        now: Timestamp,
        shard: Shard,
        userid: &str,
        request: &Request<Vec<u8>>,
    ) -> Result<(), Answer> {
        let Some(token) = header(request, "onetimetoken") else {
            return Err(self.settings.bad_input("oneTimeToken"));
        };
        if let Some(user) = self.users.get(userid) {
            if let Some(refused) = self.refuse(user) {
                return Err(refused);
            }
            if user.shard != shard {
                return Err(self.settings.wrong_host(&self.right_host(user)));
            }
        }
        let good = self.one_time_tokens.get(token).is_some_and(|known| {
            known.userid == userid && known.shard == shard && now < known.made + self.settings.one_time_life
        });
        if good { Ok(()) } else { Err(self.settings.one_time_token_stale()) }
    }

    fn refuse(&self, user: &User) -> Option<Answer> {
        if user.bad_tries >= TRIES {
            return Some(self.settings.locked());
        }
        (!user.entitled).then(|| self.settings.not_entitled())
    }

    fn bad_try(&mut self, userid: &str, why: &'static str) -> Answer {
        if let Some(user) = self.users.get_mut(userid) {
            user.bad_tries += 1;
        }
        self.settings.refused(why)
    }

    fn right_host(&self, user: &User) -> String {
        let base = self.base(user.shard);
        let right = format!("{}://{}/", base.scheme(), base.authority());
        self.settings.right_host.clone().unwrap_or(right)
    }

    fn spend_quota(&mut self, now: Timestamp) -> Option<Answer> {
        let minute = now.as_secs() / 60;
        let (current, count) = self.minute;
        self.minute = (minute, if current == minute { count + 1 } else { 1 });
        let (_, count) = self.minute;
        self.settings.quota.is_some_and(|quota| count > quota).then(|| self.settings.quota())
    }

    fn token(&mut self, desk: &mut Desk, now: Timestamp, request: &Request<Vec<u8>>) -> Answer {
        if request.method() != Method::POST {
            return not_found();
        }
        if !self.is_app(request) {
            return token_error("invalid_client");
        }
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        let grant = fields.iter().find(|(name, _)| name == "grant_type").map(|(_, value)| value.as_str());
        if grant != Some("client_credentials") {
            return token_error("unsupported_grant_type");
        }
        let token = desk.token().to_ascii_lowercase();
        let life = self.settings.bearer_life;
        self.bearers.insert(token.clone(), now + life);
        let life = self.settings.number(u32::try_from(life.as_secs()).unwrap_or(u32::MAX));
        let body = json!({ "access_token": token, "scope": "default", "token_type": "Bearer", "expires_in": life });
        Answer::json(200, &body, Outcome::Accepted("token"))
    }

    fn revoke(&mut self, request: &Request<Vec<u8>>) -> Answer {
        if request.method() != Method::POST {
            return not_found();
        }
        if !self.is_app(request) {
            return token_error("invalid_client");
        }
        let fields: Vec<(String, String)> = serde_urlencoded::from_bytes(request.body()).unwrap_or_default();
        for (_, token) in fields.iter().filter(|(name, _)| name == "token") {
            self.bearers.remove(token);
        }
        Answer::json(200, &json!({}), Outcome::Accepted("revoke"))
    }

    fn is_app(&self, request: &Request<Vec<u8>>) -> bool {
        let Some(pair) = header(request, "authorization").and_then(|text| text.strip_prefix("Basic ")) else {
            return false;
        };
        self.apps.iter().any(|(key, secret)| pair == STANDARD.encode(format!("{key}:{secret}")))
    }
}

fn not_found() -> Answer {
    let body =
        json!({ "code": "404", "type": "Status report", "message": "Not Found", "description": "No such resource" });
    Answer::json(404, &body, Outcome::Refused("not-found"))
}
