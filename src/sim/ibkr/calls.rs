//! What a simulated gateway answers to each call.

use core::net::IpAddr;
use core::time::Duration;

use http::header::{CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, ORIGIN, REFERER, TRANSFER_ENCODING, USER_AGENT};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use serde_json::{Value, json};

use super::bodies::{answer, error, object, page};
use super::limits::Admission;
use super::session::Flags;
use super::{Call, End, GatewaySim, Happening, LoggedOut, Opener, Outage, RefusedInit, Stranger, TickleBody, bodies};
use crate::Timestamp;

/// IBKR aborts a request that takes longer.
const ABORT: Duration = Duration::from_secs(10);

/// What an init asks for.
#[derive(Clone, Copy, Default)]
struct Wishes {
    compete: Option<bool>,
    publish: Option<bool>,
}

impl GatewaySim {
    /// Returns which operation a request is for.
    pub(super) fn call_of(&self, path: &str) -> Call {
        match path {
            "/sso/ping" => Call::Ping,
            _ if path.starts_with("/sso/") => Call::Page,
            _ => self.below_base(path).map_or(Call::Other, |rest| Call::of(&rest)),
        }
    }

    /// Returns how long an answer takes.
    pub(super) fn delay(&self, now: Timestamp, response: &Response<Vec<u8>>) -> Duration {
        let hangs = matches!(self.outage_at(now), Some((_, Outage::Slow503)));
        if hangs && response.status() == StatusCode::SERVICE_UNAVAILABLE { ABORT } else { Duration::ZERO }
    }

    /// Returns what a path is below a base; pybkr doubles a slash.
    fn below_base(&self, path: &str) -> Option<String> {
        let path = path.split('/').filter(|part| !part.is_empty()).fold(String::new(), |path, part| path + "/" + part);
        let rest = |base: &String| path.strip_prefix(base.as_str()).filter(|rest| rest.starts_with('/'));
        self.settings.bases.iter().find_map(rest).map(str::to_owned)
    }

    /// Refuses what is refused whatever it asks for; returns the path below the base of everything else.
    pub(super) fn admit(
        &mut self,
        now: Timestamp,
        peer: IpAddr,
        call: Call,
        request: &Request<Vec<u8>>,
    ) -> Result<String, Box<Response<Vec<u8>>>> {
        let refused = |response| Err(Box::new(response));
        let (headers, path) = (request.headers(), request.uri().path());
        if self.settings.allowed.as_ref().is_some_and(|allowed| !allowed.contains(&peer)) {
            let status = match self.settings.stranger {
                Stranger::Forbidden => StatusCode::FORBIDDEN,
                Stranger::NotFound => StatusCode::NOT_FOUND,
            };
            return refused(answer(status, "text/plain", "Access Denied"));
        }
        // What the gateway answers by itself.
        match (call, path, request.method()) {
            (_, _, &Method::OPTIONS) => return refused(answer(StatusCode::NO_CONTENT, "", "")),
            (Call::Page, ..) => return refused(self.page(now, path)),
            (_, "/", &Method::GET) => return refused(bodies::logged_out(LoggedOut::Redirect)),
            (Call::Reauthenticate, ..) if self.sso.is_none() => {
                self.call_for_login(now);
                return refused(object(&json!({ "error": "not logged in" })));
            }
            _ => {}
        }
        // It gives a handshake an agent of its own.
        if call != Call::Stream
            && let Some(refusal) = refuse_transport(request)
        {
            return refused(refusal);
        }
        let rest = match self.below_base(path) {
            Some(rest) => rest,
            None if call == Call::Ping => path.to_owned(),
            None => return refused(page(StatusCode::NOT_FOUND, "Not Found")),
        };
        let (limits, penalty) = (self.settings.limits, self.settings.penalty);
        match self.limits.admit(now, &rest, limits, penalty, self.settings.penalty_restarts) {
            Admission::Admitted => {}
            admission => {
                if admission == Admission::Boxes {
                    self.note(now, Happening::Boxed);
                }
                return refused(error(StatusCode::TOO_MANY_REQUESTS, "Too Many Requests"));
            }
        }
        if let Some((_, outage)) = self.outage_at(now) {
            return refused(bodies::outage(outage));
        }
        if refuses_origin(headers, request.uri()) || self.misses_origin(request) {
            return refused(answer(StatusCode::UNAUTHORIZED, "", ""));
        }
        if has_double_cookie(headers) {
            return refused(error(StatusCode::BAD_REQUEST, "Bad Request"));
        }
        if !admits_method(call, request.method()) {
            return refused(error(StatusCode::METHOD_NOT_ALLOWED, "Method Not Allowed"));
        }
        if call == Call::Status && request.method() == Method::POST && !self.settings.posts_status {
            return refused(error(StatusCode::BAD_REQUEST, "Bad Request"));
        }
        Ok(rest)
    }

    fn misses_origin(&self, request: &Request<Vec<u8>>) -> bool {
        self.settings.wants_origin && request.method() == Method::POST && !request.headers().contains_key(ORIGIN)
    }

    pub(super) fn respond(
        &mut self,
        now: Timestamp,
        peer: IpAddr,
        call: Call,
        request: &Request<Vec<u8>>,
    ) -> Response<Vec<u8>> {
        let rest = match self.admit(now, peer, call, request) {
            Ok(rest) => rest,
            Err(answered) => return *answered,
        };
        self.call_for_login(now);
        match call {
            Call::Status => self.status(now),
            Call::Init => self.init(now, request),
            Call::Reauthenticate => self.reauthenticate(now),
            Call::Validate => self.validate(now),
            Call::Tickle => self.tickle(now),
            Call::Logout => self.logout(now),
            _ if rest.starts_with("/iserver/") => self.brokerage_call(now, call, &rest, request),
            _ => self.outer_call(call, &rest),
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

    pub(super) fn nobody(&self) -> Response<Vec<u8>> {
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
        if self.wedged {
            self.note(now, Happening::OpenedNothing);
            let flags = Flags { connected: true, authenticated: false, established: false, competing: false };
            return object(&bodies::status(&self.settings, flags, None));
        }
        match self.open(now, Opener::Init, compete) {
            Some(RefusedInit::Passed) => object(&bodies::refused_init(self.flags(now).competing)),
            Some(RefusedInit::Fail) | None => object(&self.flags_body(now)),
        }
    }

    fn reauthenticate(&mut self, now: Timestamp) -> Response<Vec<u8>> {
        self.reauthenticates_at = Some(now + self.settings.reauthenticate);
        object(&json!({ "message": "triggered" }))
    }

    fn validate(&self, now: Timestamp) -> Response<Vec<u8>> {
        let outlives = |at: &Timestamp| now < *at + self.settings.validate_outlives_logout;
        let known = self.logged_out.as_ref().filter(|(at, _)| outlives(at)).map(|(_, sso)| sso);
        match self.sso.as_ref().or(known) {
            Some(sso) => {
                let mut body = bodies::validate(sso, now);
                if self.settings.validate_oauth2 {
                    bodies::add_oauth2(&mut body);
                }
                object(&body)
            }
            None => self.nobody(),
        }
    }

    fn tickle(&mut self, now: Timestamp) -> Response<Vec<u8>> {
        self.use_brokerage(now, true);
        let flags = self.flags_body(now);
        match &self.sso {
            Some(_) if self.settings.tickle == TickleBody::Empty => answer(StatusCode::OK, "", ""),
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

/// Reports whether a request claims to come from another site's page, which counts as forged.
pub(super) fn refuses_origin(headers: &HeaderMap, uri: &Uri) -> bool {
    let own = headers.get(HOST).and_then(|host| host.to_str().ok()).or_else(|| uri.authority().map(|own| own.as_str()));
    [ORIGIN, REFERER].into_iter().filter_map(|name| headers.get(name)).any(|value| {
        let claimed = value.to_str().ok().and_then(|value| value.parse::<Uri>().ok());
        claimed.as_ref().and_then(Uri::authority).map(|claimed| claimed.as_str()) != own
    })
}

/// Reports whether one cookie name has two values.
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
        Call::Init | Call::Suppress | Call::Choose => method == Method::POST,
        Call::Validate | Call::Accounts | Call::Orders | Call::Portfolio | Call::User | Call::Stream => {
            method == Method::GET
        }
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
