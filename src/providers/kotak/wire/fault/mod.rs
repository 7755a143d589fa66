//! What went wrong, from status and body, the body first.
//!
//! Neither API has one shape for errors, and numbers mean different things in different places: 401 may
//! be about the gateway's bearer, the one-time token or the session; Neo says 429 for "Invalid UCC". So
//! each fault is put into a [`Class`] by its code, else by its words, else by its status and the
//! [place](At) where it came.

mod body;
mod neo;
mod trade_api;

pub use neo::find as neo;
pub use trade_api::find as trade_api;

use http::StatusCode;

use crate::exchange::Response;
use crate::wire::Text;

/// What a fault means for the session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Class<'a> {
    /// The gateway's bearer (Neo: the dashboard's token) is wrong, expired, or of another host's gateway.
    BearerInvalid,
    /// The password, the authenticator's code, or the application's key and secret were refused.
    CredentialsRejected,
    /// The account is locked; its owner has to unlock it.
    Locked,
    /// The access code or the MPIN was refused.
    SecondFactorRejected,
    /// The token between login and second factor is no longer good: the login has to be repeated.
    OneTimeTokenStale,
    /// The session is over.
    SessionExpired,
    /// The request belongs to another host, which is named where the server names it.
    WrongHost(Option<Text<'a>>),
    /// The account or the application is not enabled for this API.
    NotEntitled,
    /// The client's address is not one that the account allows, or not the one that the session was opened from; the
    /// session lives.
    IpNotAllowed,
    /// Too many requests.
    Quota,
    /// The server cannot answer now.
    Unavailable,
    /// The server understood the request and does not take it, for a reason that is none of the others:
    /// a missing field, a refused order.
    Rejected,
    /// The answer is not one of the API's.
    Malformed,
}

impl Class<'_> {
    /// Gives a stable name for logs.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::BearerInvalid => "kotak.bearer-invalid",
            Self::CredentialsRejected => "kotak.credentials-rejected",
            Self::Locked => "kotak.locked",
            Self::SecondFactorRejected => "kotak.second-factor-rejected",
            Self::OneTimeTokenStale => "kotak.one-time-token-stale",
            Self::SessionExpired => "kotak.session-expired",
            Self::WrongHost(_) => "kotak.wrong-host",
            Self::NotEntitled => "kotak.not-entitled",
            Self::IpNotAllowed => "kotak.ip-not-allowed",
            Self::Quota => "kotak.quota",
            Self::Unavailable => "kotak.unavailable",
            Self::Rejected => "kotak.rejected",
            Self::Malformed => "kotak.malformed",
        }
    }
}

/// Where in the life of a session a fault came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum At {
    /// At `/token` or `/revoke`.
    Gateway,
    /// At init, where nothing but the bearer is judged.
    Init,
    /// At the login with password (Neo: with the authenticator's code).
    FirstFactor,
    /// At the second factor.
    SecondFactor,
    /// At any call with a session.
    Session,
}

/// A fault as it is understood.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Fault<'a> {
    /// What it means.
    pub class: Class<'a>,
    /// The server's code, where it gave one.
    pub code: Option<Text<'a>>,
    /// The server's words, where it gave some. They are not ours: cut and escape them before showing.
    pub text: Option<Text<'a>>,
    /// Its further words: the gateway's "Runtime Error" has its cause only here.
    pub description: Option<Text<'a>>,
}

impl Fault<'_> {
    /// An answer that is not one of the API's and tells nothing.
    pub const MALFORMED: Self = Fault::silent(Class::Malformed);

    /// Makes a fault of an answer that says nothing.
    const fn silent(class: Class<'static>) -> Self {
        Fault { class, code: None, text: None, description: None }
    }

    /// Gives all that the server says, on one line: `Runtime Error (900901): Sandbox key offered to the API …`;
    /// `None` where it says nothing, as in `{"fault":{"code":0,"message":"","description":""}}`.
    pub fn words(&self) -> Option<String> {
        let description = self.description.as_deref().filter(|words| self.text.as_deref() != Some(words));
        let mut words = match (&self.text, description, &self.code) {
            (Some(text), _, _) => text.clone().into_owned(),
            (None, Some(description), _) => description.to_owned(),
            (None, None, code) => return code.as_ref().map(|code| format!("code {code}")),
        };
        if let Some(code) = &self.code {
            words.push_str(&format!(" ({code})"));
        }
        if let (Some(_), Some(description)) = (&self.text, description) {
            words.push_str(&format!(": {description}"));
        }
        Some(words)
    }
}

/// Puts an answer without a readable fault into a class; `None` where its status is no failure.
///
/// Neither vendor documents a body for outages, and gateways answer them with pages for people.
fn by_status(response: Response<'_>) -> Option<Class<'static>> {
    match response.status {
        StatusCode::TOO_MANY_REQUESTS => Some(Class::Quota),
        StatusCode::REQUEST_TIMEOUT => Some(Class::Unavailable),
        status if status.is_server_error() => Some(Class::Unavailable),
        status if status.is_success() => None,
        _ => Some(Class::Malformed),
    }
}

/// Gives the status that counts: the body's code where it is one, since 200 is written on refusals too.
///
/// A server in trouble has judged nothing, whatever the body says.
fn counting_status(code: Option<u64>, response: Response<'_>) -> StatusCode {
    let told = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
    let told = told.and_then(|code| StatusCode::from_u16(code).ok());
    told.filter(|_| !response.status.is_server_error()).unwrap_or(response.status)
}

/// The codes that both APIs have from the WSO2 gateway in front of them.
fn by_gateway_code(code: u64) -> Option<Class<'static>> {
    match code {
        // General, invalid, missing, expired, inactive credentials, and a token of the wrong kind.
        900_900..=900_905 => Some(Class::BearerInvalid),
        // Not subscribed, blocked, scope missing.
        900_907..=900_910 | 900_805 => Some(Class::NotEntitled),
        // Quotas of the API, the resource, the application, the subscription; bursts; 900807 is the one seen.
        900_800..=900_807 => Some(Class::Quota),
        // The gateway cannot reach what is behind it, or has given up on it for now.
        101_503..=101_509 | 303_000..=303_001 => Some(Class::Unavailable),
        _ => None,
    }
}
