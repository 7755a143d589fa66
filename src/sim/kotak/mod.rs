//! The servers of Kotak Securities: the Trade API with its two hosts, and Neo with its per-user ones.
//!
//! One simulator stands for all hosts of an API, so that a test sees which of them got what: every
//! request is in the [`Log`] with the host that it went to. A host that is none of the API's is answered
//! too, as a stranger's server would, and [`Log::leaks`] tells what it learnt.

pub mod neo;
pub mod trade_api;

use core::time::Duration;

use http::header::HOST;
use http::{Method, Request, Response, StatusCode};
use serde_json::Value;

use super::mishap::{Mishap, Mishaps};
use super::{Reply, web};
use crate::Timestamp;

pub use self::neo::NeoSim;
pub use self::trade_api::TradeApiSim;

/// What a simulator was asked and what it made of it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Seen {
    /// When.
    pub at: Timestamp,
    /// The host that the request went to: its URI's, else its `Host` header's, in lower case.
    pub host: String,
    /// Whether that host is none of the simulated API's.
    pub foreign: bool,
    /// Whether the request had a token, a key, a password or a code in it.
    pub had_credentials: bool,
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What a simulator made of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Outcome {
    /// It did what was asked; the name of the operation.
    Accepted(&'static str),
    /// It refused; the name of the reason.
    Refused(&'static str),
    /// It did not look: a mishap had an answer ready.
    Canned,
}

/// All that a simulator was asked, in order.
#[derive(Clone, Debug, Default)]
pub struct Log(Vec<Seen>);

impl Log {
    /// Returns every request.
    pub fn requests(&self) -> &[Seen] {
        &self.0
    }

    fn take(&mut self) -> Vec<Seen> {
        core::mem::take(&mut self.0)
    }

    /// Returns the requests with credentials that went to a host which is not one of the API's.
    pub fn leaks(&self) -> impl Iterator<Item = &Seen> {
        self.0.iter().filter(|seen| seen.foreign && seen.had_credentials)
    }

    /// Counts the requests with this outcome.
    pub fn count(&self, outcome: Outcome) -> usize {
        self.0.iter().filter(|seen| seen.outcome == outcome).count()
    }

    /// Returns the outcome of the last request.
    pub fn last(&self) -> Option<Outcome> {
        self.0.last().map(|seen| seen.outcome)
    }
}

/// The mishaps of the next requests, and the log.
#[derive(Debug, Default)]
struct Desk {
    log: Log,
    mishaps: Mishaps,
    /// Counts the tokens that were made, so that no two are the same.
    made: u32,
}

impl Desk {
    /// Answers a request, unless its mishap does, and logs it.
    fn serve(
        &mut self,
        now: Timestamp,
        request: &Request<Vec<u8>>,
        foreign: bool,
        act: impl FnOnce(&mut Self) -> Answer,
    ) -> Reply {
        let mut outcome = Outcome::Canned;
        let reply = Mishap::meet(self.mishaps.next(request), || {
            let answer = act(self);
            outcome = answer.outcome;
            Reply::new(*answer.response)
        });
        self.log.0.push(Seen {
            at: now,
            host: host(request),
            foreign,
            had_credentials: has_credentials(request),
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            outcome,
        });
        reply
    }

    /// Returns an opaque token of 32 upper-case hexadecimal digits.
    fn token(&mut self) -> String {
        self.made += 1;
        let high = crate::machine::backoff::split_mix(u64::from(self.made));
        let low = crate::machine::backoff::split_mix(high);
        format!("{high:016X}{low:016X}")
    }
}

/// An answer, and what came of the request.
#[derive(Debug)]
struct Answer {
    response: Box<Response<Vec<u8>>>,
    outcome: Outcome,
}

impl Answer {
    fn json(status: u16, body: &Value, outcome: Outcome) -> Self {
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        Self { response: Box::new(web::answer(status, "application/json", body.to_string())), outcome }
    }

    fn page(status: StatusCode, why: &'static str) -> Self {
        let body = format!("<html><body><h1>{status}</h1></body></html>");
        Self { response: Box::new(web::answer(status, "text/html", body)), outcome: Outcome::Refused(why) }
    }
}

/// Returns host and port that a request went to, in lower case.
fn host(request: &Request<Vec<u8>>) -> String {
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let header = || request.headers().get(HOST).and_then(|host| host.to_str().ok());
    authority.or_else(header).unwrap_or_default().to_ascii_lowercase()
}

/// Reports whether a host (with its port, if it is not the scheme's) is that of a base URL.
fn is_host_of(base: &crate::BaseUrl, host: &str) -> bool {
    let default = if base.scheme() == "https" { ":443" } else { ":80" };
    let bare = |text: &str| text.strip_suffix(default).unwrap_or(text).to_owned();
    bare(base.authority().as_str()) == bare(host)
}

fn has_credentials(request: &Request<Vec<u8>>) -> bool {
    const HEADERS: [&str; 6] = ["authorization", "consumerkey", "onetimetoken", "sessiontoken", "sid", "auth"];
    const FIELDS: [&str; 7] = ["password", "accessCode", "mpin", "totp", "biometric", "token=", "refresh_token"];
    let body = String::from_utf8_lossy(request.body());
    HEADERS.iter().any(|name| request.headers().contains_key(*name)) || FIELDS.iter().any(|field| body.contains(field))
}

/// Returns a header's text; `None` where it is missing or empty.
fn header<'a>(request: &'a Request<Vec<u8>>, name: &str) -> Option<&'a str> {
    request.headers().get(name)?.to_str().ok().filter(|text| !text.is_empty())
}

/// Returns a text field of a JSON body.
fn field(request: &Request<Vec<u8>>, name: &str) -> Option<String> {
    let body: Value = serde_json::from_slice(request.body()).ok()?;
    body.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Indian Standard Time is UTC+5:30 all year.
const IST: Duration = Duration::from_secs(5 * 3600 + 1800);

/// Returns the day in India, counted from the epoch.
fn indian_day(now: Timestamp) -> u64 {
    (now + IST).as_secs() / 86_400
}

/// Returns the next midnight in India.
fn indian_midnight(now: Timestamp) -> Timestamp {
    Timestamp::from_secs((indian_day(now) + 1) * 86_400) - IST
}
