//! What a simulated gateway answers to each call.

use core::net::IpAddr;
use core::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERER, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::bodies::{answer, error, object, page};
use super::limits::Admission;
use super::session::Brokerage;
use super::{Call, End, Gateway, Happening, LoggedOut, Opener, Outage, RefusedInit, bodies};
use crate::Timestamp;

/// IBKR aborts a request that takes longer.
const ABORT: Duration = Duration::from_secs(10);

/// What an init asks for.
#[derive(Clone, Copy, Default)]
struct Wishes {
    compete: Option<bool>,
    publish: Option<bool>,
}

impl Gateway {
    /// Tells which operation a request is for.
    pub(super) fn call_of(&self, path: &str) -> Call {
        if path.starts_with("/sso/") {
            return Call::Page;
        }
        self.below_base(path).map_or(Call::Other, Call::of)
    }

    /// Tells how long an answer takes.
    pub(super) fn delay(&self, now: Timestamp, response: &Response<Vec<u8>>) -> Duration {
        let hangs = matches!(self.outage_at(now), Some((_, Outage::Slow503)));
        if hangs && response.status() == StatusCode::SERVICE_UNAVAILABLE { ABORT } else { Duration::ZERO }
    }

    fn below_base<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = |base: &String| path.strip_prefix(base.as_str()).filter(|rest| rest.starts_with('/'));
        self.settings.bases.iter().find_map(rest)
    }

    pub(super) fn respond(
        &mut self,
        now: Timestamp,
        peer: IpAddr,
        call: Call,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        let (headers, path) = (request.headers(), request.uri().path());
        if self.settings.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&peer)) {
            return answer(StatusCode::FORBIDDEN, "text/plain", "Access Denied");
        }
        if call == Call::Page {
            return self.page(now, path);
        }
        if let Some(refusal) = refuse_transport(request) {
            return refusal;
        }
        let Some(rest) = self.below_base(path) else {
            return page(StatusCode::NOT_FOUND, "Not Found");
        };
        if self.settings.limits {
            match self.limits.admit(now, rest, self.settings.penalty, self.settings.penalty_restarts) {
                Admission::Admitted => {}
                refused => {
                    if refused == Admission::Boxes {
                        self.note(now, Happening::Boxed);
                    }
                    return error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests");
                }
            }
        }
        if let Some((_, outage)) = self.outage_at(now) {
            return bodies::outage(outage);
        }
        if refuses_origin(headers, request.uri()) {
            return answer(StatusCode::UNAUTHORIZED, "", "");
        }
        if has_double_cookie(headers) {
            return error(StatusCode::BAD_REQUEST, "Bad Request");
        }
        if !admits_method(call, request.method()) {
            return error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed");
        }
        self.call_for_login(now);
        match call {
            Call::Status => self.status(now),
            Call::Init => self.init(now, request),
            Call::Reauthenticate => self.reauthenticate(now),
            Call::Validate => self.validate(now),
            Call::Tickle => self.tickle(now),
            Call::Logout => self.logout(now),
            _ if rest.starts_with("/iserver/") => self.brokerage_call(now, call, rest, request),
            _ => self.outer_call(call, rest),
        }
    }

    fn page(&mut self, now: Timestamp, path: &str) -> Response<Vec<u8>> {
        match path {
            "/sso/Login" => {
                self.call_for_login(now);
                page(StatusCode::OK, "Login")
            }
            "/sso/Dispatcher" if self.sso.is_some() => page(StatusCode::OK, "Client login succeeds"),
            "/sso/Dispatcher" => bodies::logged_out(LoggedOut::Redirect),
            _ => page(StatusCode::NOT_FOUND, "Not Found"),
        }
    }

    fn nobody(&self) -> Response<Vec<u8>> {
        bodies::logged_out(self.settings.logged_out)
    }

    fn flags_body(&self, now: Timestamp) -> Value {
        bodies::status(&self.settings, self.flags(now), self.fail.then_some(bodies::WANTS_COMPETE))
    }

    fn status(&self, now: Timestamp) -> Response<Vec<u8>> {
        if self.sso.is_none() && self.settings.logged_out != LoggedOut::Flags {
            return self.nobody();
        }
        object(&self.flags_body(now))
    }

    fn init(&mut self, now: Timestamp, request: &Request<Vec<u8>>) -> Response<Vec<u8>> {
        let gone = self.logged_out.as_ref().is_some_and(|(at, _)| now < *at + self.settings.gone_after_logout);
        if gone {
            return answer(StatusCode::GONE, "text/plain", "gone");
        }
        if self.sso.is_none() {
            return self.nobody();
        }
        let Some(wishes) = init_wishes(request) else {
            return error(StatusCode::BAD_REQUEST, "Bad Request");
        };
        let compete = match wishes {
            Wishes { publish: Some(true), compete: Some(compete) } => compete,
            Wishes { publish: None, compete: None } => {
                // An empty init was seen to answer 200 and to open nothing.
                self.fail = true;
                self.note(now, Happening::Refused);
                return object(&self.flags_body(now));
            }
            Wishes { publish: Some(true), compete: None } => return error(StatusCode::BAD_REQUEST, "Bad Request"),
            _ => return error(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error"),
        };
        match self.open(now, Opener::Init, compete) {
            Some(RefusedInit::Passed) => object(&bodies::refused_init(self.flags(now).competing)),
            Some(RefusedInit::Fail) | None => object(&self.flags_body(now)),
        }
    }

    fn reauthenticate(&mut self, now: Timestamp) -> Response<Vec<u8>> {
        if self.sso.is_none() {
            return self.nobody();
        }
        self.reauthenticates_at = Some(now + self.settings.reauthenticate);
        object(&json!({ "message": "triggered" }))
    }

    fn validate(&self, now: Timestamp) -> Response<Vec<u8>> {
        let outlives = |at: &Timestamp| now < *at + self.settings.validate_outlives_logout;
        let known = self.logged_out.as_ref().filter(|(at, _)| outlives(at)).map(|(_, sso)| sso);
        match self.sso.as_ref().or(known) {
            Some(sso) => object(&bodies::validate(sso, now)),
            None => self.nobody(),
        }
    }

    fn tickle(&mut self, now: Timestamp) -> Response<Vec<u8>> {
        self.use_brokerage(now, true);
        let flags = self.flags_body(now);
        match &self.sso {
            Some(sso) => object(&bodies::tickle(self.settings.tickle, sso, now, &flags)),
            None if self.settings.no_session_inside_200 => object(&json!({ "error": "no session" })),
            None => self.nobody(),
        }
    }

    fn logout(&mut self, now: Timestamp) -> Response<Vec<u8>> {
        if self.sso.is_none() {
            return self.nobody();
        }
        self.end_login(now, End::Logout);
        object(&if self.settings.legacy_logout { json!({ "confirmed": false }) } else { json!({ "status": true }) })
    }

    fn brokerage_call(
        &mut self,
        now: Timestamp,
        call: Call,
        path: &str,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        if self.sso.is_none() {
            return self.nobody();
        }
        let established = self.flags(now).established;
        let account = self.person().map(|person| (person.account(), person.paper));
        let Brokerage::Open { since, accounts_asked, suppressed, .. } = &mut self.brokerage else {
            return match self.rival {
                Some(_) => error(StatusCode::UNAUTHORIZED, "not authenticated"),
                None => error(StatusCode::BAD_REQUEST, "Bad Request: no bridge"),
            };
        };
        if now < *since + self.settings.bridge {
            return error(StatusCode::BAD_REQUEST, "Bad Request: no bridge");
        }
        let body = match (call, account) {
            (Call::Accounts, _) if !established => json!({ "accounts": [] }),
            _ if !established => json!({}),
            (Call::Accounts, Some((account, paper))) => {
                *accounts_asked = true;
                json!({ "accounts": [account], "aliases": {}, "selectedAccount": account, "isPaper": paper })
            }
            (Call::Suppress, _) => {
                let Some(count) = question_count(request.body()) else {
                    return error(StatusCode::BAD_REQUEST, "Bad Request");
                };
                *suppressed += count;
                self.note(now, Happening::Suppressed(count));
                json!({ "status": "submitted" })
            }
            _ if !*accounts_asked => {
                return error(StatusCode::BAD_REQUEST, "Bad Request: Please query /accounts first");
            }
            (Call::Orders, _) => json!({ "orders": [], "snapshot": true }),
            _ => match self.served.get(path) {
                Some(body) => {
                    let response = answer(StatusCode::OK, "application/json;charset=utf-8", body.as_str());
                    self.use_brokerage(now, false);
                    return response;
                }
                None => return error(StatusCode::NOT_FOUND, "Not Found"),
            },
        };
        self.use_brokerage(now, false);
        object(&body)
    }

    fn outer_call(&self, call: Call, path: &str) -> Response<Vec<u8>> {
        let Some(person) = self.person() else {
            return self.nobody();
        };
        match (call, self.served.get(path)) {
            (_, Some(body)) => answer(StatusCode::OK, "application/json;charset=utf-8", body.as_str()),
            (Call::Portfolio, None) => {
                let account = person.account();
                object(
                    &json!([{ "id": account, "accountId": account, "displayName": account, "currency": "USD", "type": "DEMO" }]),
                )
            }
            _ => error(StatusCode::NOT_FOUND, "Not Found"),
        }
    }
}

/// Refuses what never gets as far as IBKR's own servers.
fn refuse_transport(request: &Request<Vec<u8>>) -> Option<Response<Vec<u8>>> {
    let headers = request.headers();
    if headers.get(USER_AGENT).is_none_or(|value| value.is_empty()) {
        return Some(page(StatusCode::FORBIDDEN, "Access Denied"));
    }
    let has_length =
        !request.body().is_empty() || headers.contains_key(CONTENT_LENGTH) || headers.contains_key(TRANSFER_ENCODING);
    (request.method() == Method::POST && !has_length).then(|| page(StatusCode::LENGTH_REQUIRED, "Length Required"))
}

/// Tells whether a request claims to come from another site's page, which counts as forged.
pub(super) fn refuses_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|own| own.as_str()));
    [ORIGIN, REFERER].into_iter().filter_map(|name| headers.get(name)).any(|value| {
        let claimed = value.to_str().ok().and_then(|value| value.parse::<Uri>().ok());
        claimed.as_ref().and_then(Uri::authority).map(|claimed| claimed.as_str()) != own
    })
}

/// Tells whether one cookie name has two values.
pub(super) fn has_double_cookie(headers: &HeaderMap) -> bool {
    let mut names: Vec<&str> = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|cookie| cookie.split_once('=').map(|(name, _)| name.trim()))
        .collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    names.len() != all
}

fn admits_method(call: Call, method: &Method) -> bool {
    match call {
        Call::Status | Call::Reauthenticate | Call::Tickle | Call::Logout => {
            method == Method::POST || method == Method::GET
        }
        Call::Init | Call::Suppress => method == Method::POST,
        Call::Validate | Call::Accounts | Call::Orders | Call::Portfolio => method == Method::GET,
        _ => true,
    }
}

/// Reads what an init asks for: as JSON, as a form, in the query, or not at all. `None` if it is none of them.
fn init_wishes(request: &Request<Vec<u8>>) -> Option<Wishes> {
    let content_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let form = if content_type.starts_with("application/x-www-form-urlencoded") {
        Some(request.body().as_slice())
    } else {
        request.uri().query().map(str::as_bytes)
    };
    if let Some(form) = form {
        let pairs: Vec<(String, String)> = serde_urlencoded::from_bytes(form).ok()?;
        let flag = |name: &str| pairs.iter().find(|(key, _)| key == name).and_then(|(_, value)| value.parse().ok());
        return Some(Wishes { compete: flag("compete"), publish: flag("publish") });
    }
    if request.body().is_empty() {
        return Some(Wishes::default());
    }
    if !content_type.starts_with("application/json") {
        return None;
    }
    let body: Value = serde_json::from_slice(request.body()).ok()?;
    let flag = |name: &str| body.get(name).and_then(Value::as_bool);
    body.is_object().then(|| Wishes { compete: flag("compete"), publish: flag("publish") })
}

/// Counts the questions that are to be suppressed, 51 at most.
fn question_count(body: &[u8]) -> Option<usize> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let count = body.get("messageIds")?.as_array()?.len();
    (1..=51).contains(&count).then_some(count)
}
