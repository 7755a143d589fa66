//! What Neo does with a request.

use core::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{Method, Request, StatusCode};
use serde_json::{Value, json};

use super::{Account, Death, Errors, Grant, NeoSim};
use crate::Timestamp;
use crate::sim::kotak::{Answer, Desk, Outcome, field, header, host, indian_midnight, is_host_of};

impl NeoSim {
    pub(super) fn answer(
        &mut self,
        desk: &mut Desk,
        now: Timestamp,
        peer: IpAddr,
        login: bool,
        request: &Request<Vec<u8>>,
    ) -> Answer {
        let own = self.accounts.values().any(|account| is_host_of(&account.base, &host(request)));
        if !login && !own {
            return Answer::page(StatusCode::OK, "foreign-host");
        }
        if let Some(status) = self.settings.outage {
            return Answer::page(status, "outage");
        }
        let who = self.account_of(request);
        if let Some(refusal) = self.limits.admit(now, &who, request.uri().path()) {
            return refusal;
        }
        let path = request.uri().path();
        let login_path = login.then(|| path.strip_prefix(self.login.path())).flatten().unwrap_or_default();
        match (login_path, request.method()) {
            ("/login/1.0/tradeApiLogin", &Method::POST) => self.first_step(desk, now, peer, request),
            ("/login/1.0/tradeApiValidate", &Method::POST) => self.second_step(desk, now, peer, request),
            ("/login/1.0/get-client-ip", &Method::GET) => self.client_ip(now, peer, request),
            (_, &Method::GET) if path.contains("/script-details/1.0/") => self.market(path, request),
            _ if own => self.call(now, peer, path, request),
            _ => not_found(),
        }
    }

    fn first_step(&mut self, desk: &mut Desk, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Answer {
        let Some(dashboard) = dashboard_token(request) else { return header_missing() };
        for (name, told) in [("mobileNumber", "MobileNumber"), ("ucc", "Ucc"), ("totp", "Totp")] {
            if field(request, name).is_none() {
                return field_missing(told);
            }
        }
        if !self.accounts.values().any(|account| account.dashboard_token == dashboard) {
            return gateway_refuses();
        }
        let ucc = field(request, "ucc").unwrap_or_default();
        let Some(account) = self.accounts.get_mut(&ucc).filter(|account| account.dashboard_token == dashboard) else {
            // Written with 429, which is no rate limit.
            let body = json!({ "stCode": 429, "errMsg": "Invalid UCC", "status": "failure" });
            return Answer::json(200, &body, Outcome::Refused("ucc"));
        };
        let step = now.as_secs() / 30;
        let right = field(request, "totp") == Some((account.code)(now)) && account.spent != Some(step);
        if !right || field(request, "mobileNumber").as_deref() != Some(&account.mobile) {
            return self.refused("totp", "Invalid credentials or TOTP.");
        }
        account.spent = Some(step);
        self.grant(desk, now, peer, &ucc, false)
    }

    fn second_step(&mut self, desk: &mut Desk, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Answer {
        let Some(dashboard) = dashboard_token(request) else { return header_missing() };
        if header(request, "sid").is_none() || header(request, "auth").is_none() {
            return header_missing();
        }
        let Some(mpin) = field(request, "mpin") else { return field_missing("Mpin") };
        if !self.accounts.values().any(|account| account.dashboard_token == dashboard) {
            return gateway_refuses();
        }
        let Some(ucc) = self.granted(now, request).filter(|grant| !grant.trade).map(|grant| grant.ucc.clone()) else {
            return self.dead();
        };
        if self.accounts.get(&ucc).is_none_or(|account| account.mpin != mpin) {
            return self.refused("mpin", "Invalid MPIN.");
        }
        self.grant(desk, now, peer, &ucc, true)
    }

    fn grant(&mut self, desk: &mut Desk, now: Timestamp, from: IpAddr, ucc: &str, trade: bool) -> Answer {
        let ends = self.settings.life.map_or_else(|| indian_midnight(now), |life| now + life);
        let (sid, rid) = (desk.token(), desk.token());
        let mut claims = json!({
            "scope": [if trade { "Trade" } else { "View" }],
            "iss": "login-service",
            "sub": ucc,
            "jti": rid,
            "iat": now.as_secs(),
        });
        if self.settings.names_end
            && let Some(claims) = claims.as_object_mut()
        {
            claims.insert("exp".into(), Value::from(ends.as_secs()));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let token = format!("{}.{}.c2ln", part(&json!({ "alg": "RS256", "typ": "JWT" })), part(&claims));
        let mut data = json!({
            "token": token, "sid": sid, "rid": rid, "ucc": ucc, "kType": if trade { "Trade" } else { "View" },
            "status": "success", "greetingName": "A CLIENT", "isUserPwdExpired": false, "isTrialAccount": false,
            "isNRI": false, "dataCenter": "E43", "kId": "XXXXX0000X", "mfAccess": 1, "incRange": 0, "rcFlag": 0,
            "dataCenterMap": null, "dormancyStatus": "A", "clientType": "RI", "asbaStatus": "",
        });
        let base = self.accounts.get(ucc).map(|account| account.base.to_string());
        if trade && let Some(data) = data.as_object_mut() {
            data.insert("baseUrl".into(), json!(self.settings.base_url.clone().or(base)));
        }
        self.grants.insert(token, Grant { ucc: ucc.to_owned(), sid, trade, ends, from });
        let operation = if trade { "validate" } else { "login" };
        Answer::json(200, &json!({ "data": data }), Outcome::Accepted(operation))
    }

    fn client_ip(&self, now: Timestamp, peer: IpAddr, request: &Request<Vec<u8>>) -> Answer {
        let Some(dashboard) = header(request, "authorization") else { return header_missing() };
        let grant = self.granted(now, request).filter(|grant| grant.trade);
        let Some(account) = grant.and_then(|grant| self.accounts.get(&grant.ucc)) else { return self.dead() };
        if account.dashboard_token != dashboard {
            return gateway_refuses();
        }
        let body = json!({
            "data": [{ "ip": peer.to_string(), "time": "2026-07-07 12:07:34.440" }], "stCode": 1000, "status": "success",
        });
        Answer::json(200, &body, Outcome::Accepted("client-ip"))
    }

    /// Answers what needs the dashboard's token alone: quotes and the list of scrips.
    fn market(&self, path: &str, request: &Request<Vec<u8>>) -> Answer {
        let Some(dashboard) = header(request, "authorization") else { return header_missing() };
        if !self.accounts.values().any(|account| account.dashboard_token == dashboard) {
            return gateway_refuses();
        }
        if path.ends_with("/masterscrip/file-paths") {
            let body = json!({ "data": { "filesPaths": [], "baseFolder": "" } });
            return Answer::json(200, &body, Outcome::Accepted("scrips"));
        }
        let Some((_, asked)) = path.split_once("/quotes/neosymbol/") else { return not_found() };
        let symbols = asked.rsplit_once('/').map_or(asked, |(symbols, _)| symbols).replace("%7C", "|");
        let quote = |symbol: &str| {
            let (exchange, token) = symbol.split_once('|').unwrap_or((symbol, ""));
            json!({ "exchange": exchange, "exchange_token": token, "ltp": "0.00" })
        };
        let body = symbols.split(',').map(quote).collect();
        Answer::json(200, &Value::Array(body), Outcome::Accepted("quotes"))
    }

    /// Answers a call at an account's own host.
    fn call(&self, now: Timestamp, peer: IpAddr, path: &str, request: &Request<Vec<u8>>) -> Answer {
        let Some(grant) = self.granted(now, request) else { return self.dead() };
        if !grant.trade {
            let body = json!({ "stCode": 100_021, "errMsg": "invalid  access type", "stat": "Not_Ok" });
            return Answer::json(200, &body, Outcome::Refused("view-token"));
        }
        let Some(account) = self.accounts.get(&grant.ucc) else { return self.dead() };
        if !is_host_of(&account.base, &host(request)) {
            let message = "Invalid URL. Please verify the 'baseUrl' in the Login Validate API response";
            let body = json!({ "error": true, "message": message });
            return Answer::json(403, &body, Outcome::Refused("wrong-host"));
        }
        match (path.strip_prefix(account.base.path()).unwrap_or_default(), request.method()) {
            ("/quick/user/orders", &Method::GET) => {
                let body = json!({ "stat": "Ok", "data": [{ "nOrdNo": "1", "qty": 1 }], "stCode": 200 });
                Answer::json(200, &body, Outcome::Accepted("orders"))
            }
            ("/quick/user/trades", &Method::GET) => {
                let body = json!({ "stCode": 5203, "errMsg": "No Data", "desc": "data not found", "stat": "Not_Ok" });
                Answer::json(200, &body, Outcome::Accepted("trades"))
            }
            ("/portfolio/v2/positions", &Method::GET) => {
                let body = json!({ "stCode": 11_000, "errMsg": "No Data", "stat": "Not_Ok" });
                Answer::json(200, &body, Outcome::Accepted("positions"))
            }
            ("/portfolio/v1/holdings", &Method::GET) => {
                Answer::json(200, &json!({ "data": [] }), Outcome::Accepted("holdings"))
            }
            ("/quick/user/limits", &Method::POST) => {
                let body = json!({ "stat": "Ok", "stCode": 200, "Net": "0.00", "Category": "CLIENT" });
                Answer::json(200, &body, Outcome::Accepted("limits"))
            }
            ("/quick/order/rule/ms/place", &Method::POST) => order(account, grant, peer),
            _ => not_found(),
        }
    }

    fn granted(&self, now: Timestamp, request: &Request<Vec<u8>>) -> Option<&Grant> {
        let grant = self.grants.get(header(request, "auth")?)?;
        (Some(grant.sid.as_str()) == header(request, "sid") && now < grant.ends).then_some(grant)
    }

    fn refused(&self, why: &'static str, message: &str) -> Answer {
        let (status, body) = match self.settings.errors {
            Errors::Documented => (401, json!({ "status": "error", "message": message, "errorCode": "401" })),
            Errors::Inside200 => {
                let message = message.trim_end_matches('.');
                (200, json!({ "stCode": 401, "errMsg": message, "status": "failure" }))
            }
            Errors::NotOk => (401, json!({ "stat": "Not_Ok", "message": "Invalid credentials" })),
        };
        Answer::json(status, &body, Outcome::Refused(why))
    }

    fn dead(&self) -> Answer {
        let (status, body) = match self.settings.death {
            Death::Code100022 => {
                let stat = "error in neo-login-check-api";
                (200, json!({ "stCode": 100_022, "errMsg": "invalid session token", "stat": stat }))
            }
            Death::Code1003 => (200, json!({ "stat": "Not_Ok", "emsg": "Invalid session", "stCode": 1003 })),
            Death::Code900901 => return gateway_refuses(),
        };
        Answer::json(status, &body, Outcome::Refused("session"))
    }

    /// Names the account that a request counts for.
    fn account_of(&self, request: &Request<Vec<u8>>) -> String {
        let granted = header(request, "auth").and_then(|token| self.grants.get(token)).map(|grant| &grant.ucc);
        let dashboard = || {
            let token = header(request, "authorization")?;
            self.accounts.values().find(|account| account.dashboard_token == token).map(|account| &account.ucc)
        };
        granted.or_else(dashboard).cloned().unwrap_or_default()
    }
}

/// Takes an order where the session was made from a listed address and the order comes from there too.
fn order(account: &Account, grant: &Grant, peer: IpAddr) -> Answer {
    if let Some(listed) = &account.listed {
        let (code, words) = match listed.contains(&peer) {
            false => (100_008, "unauthorized"),
            // The spelling is the server's.
            true if grant.from != peer => (1037, "session ip doesnt match with reqest ip"),
            true => (0, ""),
        };
        if code != 0 {
            let body = json!({ "stCode": code, "errMsg": words, "stat": "Not_Ok" });
            return Answer::json(200, &body, Outcome::Refused("address"));
        }
    }
    let body = json!({ "stat": "Ok", "nOrdNo": "250122000000001", "stCode": 200 });
    Answer::json(200, &body, Outcome::Accepted("order"))
}

/// Returns the token of the dashboard; `Bearer` before it makes it another text.
fn dashboard_token(request: &Request<Vec<u8>>) -> Option<&str> {
    header(request, "neo-fin-key")?;
    header(request, "authorization")
}

fn gateway_refuses() -> Answer {
    let description = "Access failure for API: /login/1.0, version: 1.0";
    let body = json!({ "code": "900901", "message": "Invalid Credentials", "description": description });
    Answer::json(401, &body, Outcome::Refused("gateway"))
}

fn header_missing() -> Answer {
    let body = json!({ "error": [{ "code": "10512", "message": "Required header not found." }] });
    Answer::json(400, &body, Outcome::Refused("header-missing"))
}

fn field_missing(name: &str) -> Answer {
    let message = format!("Missing required field '{name}'");
    Answer::json(400, &json!({ "error": [{ "code": "400", "message": message }] }), Outcome::Refused("field-missing"))
}

fn not_found() -> Answer {
    Answer::json(404, &json!({ "error": true, "message": "Not Found" }), Outcome::Refused("not-found"))
}
