//! What went wrong, from body and status.
//!
//! Neither API has one shape for errors, and a number means different things in different places: 401 may
//! be about the gateway's bearer, the one-time token or the session; Neo sends 429 for "Invalid UCC".
//! Each fault is therefore put into a [`Class`] by its code, else by its text, else by its status and the
//! [step](At) that it answers.

mod body;
mod neo;
mod trade_api;

pub use neo::find as neo;
pub use trade_api::find as trade_api;

use http::StatusCode;

use crate::machine::exchange::Response;
use crate::wire::Text;

/// What a fault means for the session.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Class<'a> {
    /// The gateway's bearer (Neo: the dashboard's token) is wrong, expired, or for another host's gateway.
    BearerInvalid,
    /// The password, the authenticator's code, or the application's key and secret were refused.
    CredentialsRejected,
    /// The account is locked; its owner has to unlock it.
    Locked,
    /// The access code or the MPIN was refused.
    SecondFactorRejected,
    /// The token between login and second factor has expired: the login has to be repeated.
    OneTimeTokenStale,
    /// The session is over.
    SessionExpired,
    /// The request belongs to another host, which is named where the server names it.
    WrongHost(Option<Text<'a>>),
    /// The account or the application is not enabled for this API.
    NotEntitled,
    /// The client's address is not one that the account allows, or not the one that opened the session; the
    /// session lives.
    IpNotAllowed,
    /// Too many requests.
    Quota,
    /// The server cannot answer now.
    Unavailable,
    /// The server understood the request and refuses it for another reason: a missing field, a refused order.
    Rejected,
    /// The response is not one of the API's.
    Malformed,
}

impl Class<'_> {
    /// Returns a stable name for logs.
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

/// The step that a fault answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum At {
    /// `/token` or `/revoke`.
    Gateway,
    /// Init, which checks nothing but the bearer.
    Init,
    /// The login with password (Neo: with the authenticator's code).
    FirstFactor,
    /// The second factor.
    SecondFactor,
    /// Any call with a session.
    Session,
}

/// A classified fault.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Fault<'a> {
    /// The meaning.
    pub class: Class<'a>,
    /// The server's code, where it gave one.
    pub code: Option<Text<'a>>,
    /// The server's text, where it gave one. Cut and escape it before showing it.
    pub text: Option<Text<'a>>,
    /// A longer text: the cause of the gateway's "Runtime Error" is only here.
    pub description: Option<Text<'a>>,
}

impl Fault<'_> {
    /// A response that is not one of the API's.
    pub const MALFORMED: Self = Fault::silent(Class::Malformed);

    /// Creates a fault without code and texts.
    const fn silent(class: Class<'static>) -> Self {
        Fault { class, code: None, text: None, description: None }
    }

    /// Returns code and texts on one line: `Runtime Error (900901): Sandbox key offered to the API …`;
    /// `None` where there are none, as in `{"fault":{"code":0,"message":"","description":""}}`.
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

/// Returns the class of a response without a readable fault; `None` where its status is a success.
///
/// No body is documented for outages, and gateways answer with HTML pages.
fn by_status(response: Response<'_>) -> Option<Class<'static>> {
    match response.status {
        StatusCode::TOO_MANY_REQUESTS => Some(Class::Quota),
        StatusCode::REQUEST_TIMEOUT => Some(Class::Unavailable),
        status if status.is_server_error() => Some(Class::Unavailable),
        status if status.is_success() => None,
        _ => Some(Class::Malformed),
    }
}

/// Returns the effective status: the body's code where it is a status, since refusals may have status 200.
///
/// A server error judges nothing, whatever the body says.
fn counting_status(code: Option<u64>, response: Response<'_>) -> StatusCode {
    let told = code.and_then(|code| u16::try_from(code).ok()).filter(|code| (400..600).contains(code));
    let told = told.and_then(|code| StatusCode::from_u16(code).ok());
    told.filter(|_| !response.status.is_server_error()).unwrap_or(response.status)
}

/// Returns the class of a code of the WSO2 gateway, which is in front of both APIs.
fn by_gateway_code(code: u64) -> Option<Class<'static>> {
    match code {
        // General, invalid, missing, expired, inactive credentials, and a token of the wrong kind.
        900_900..=900_905 => Some(Class::BearerInvalid),
        // Not subscribed, blocked, scope missing.
        900_907..=900_910 | 900_805 => Some(Class::NotEntitled),
        // Quotas of the API, the resource, the application, the subscription; bursts; 900807 is the one seen.
        900_800..=900_807 => Some(Class::Quota),
        // The gateway cannot reach the server behind it, or has suspended it.
        101_503..=101_509 | 303_000..=303_001 => Some(Class::Unavailable),
        _ => None,
    }
}
