//! Errors of OAuth, and what each means for a session.

use http::StatusCode;

use super::filled;
use crate::machine::ServerText;
use crate::wire::Text;

/// What was asked for when an error came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Purpose {
    /// Tokens for the code of a redirect.
    Code,
    /// Tokens for a refresh token.
    Refresh,
    /// Tokens for the client itself.
    ClientCredentials,
    /// The beginning of a device grant.
    DeviceBegin,
    /// Tokens for a device code.
    DevicePoll,
    /// The redirect of a person's browser.
    Redirect,
    /// The revocation of a token.
    Revoke,
    /// The registration of a client.
    Register,
}

/// What an error means for a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Meaning {
    /// The consent is dead: its refresh token is expired, revoked or spent. A person must consent again.
    ConsentDead,
    /// This code or device code is over: a person must begin again.
    AttemptOver,
    /// The person said no. Do not try again without being asked to.
    Denied,
    /// The server does not know this client any more, or not its secret. Tokens may be alive; a client that was registered
    /// dynamically registers again, once.
    Client,
    /// The request or the configuration is wrong: a repetition fails as well. Tokens are kept.
    Configuration,
    /// Nobody has judged anything: try again later.
    Later,
    /// The person has not decided yet: poll on.
    Pending,
    /// Poll on, 5 s slower from now on.
    SlowDown,
    /// The server cannot revoke tokens of this kind.
    CannotRevoke,
}

/// An error as token, device, revocation and registration endpoints answer it, and as a redirect brings it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ErrorBody {
    /// The code, such as `invalid_grant`, escaped where it has odd characters.
    pub code: ServerText,
    /// What the server says in words.
    pub description: Option<ServerText>,
    /// A finer code, where servers have one: `error_subtype` at Google, `suberror` at Microsoft.
    pub subcode: Option<ServerText>,
}

/// The codes of RFC 6749, 7009, 7591, 8628, 8707 and OpenID Connect that an endpoint answers.
const SPECIFIED: [&str; 18] = [
    "access_denied",
    "authorization_pending",
    "expired_token",
    "invalid_client",
    "invalid_client_metadata",
    "invalid_grant",
    "invalid_redirect_uri",
    "invalid_request",
    "invalid_scope",
    "invalid_software_statement",
    "invalid_target",
    "server_error",
    "slow_down",
    "temporarily_unavailable",
    "unapproved_software_statement",
    "unauthorized_client",
    "unsupported_grant_type",
    "unsupported_token_type",
];

impl ErrorBody {
    pub(super) fn new(
        code: Option<Text<'_>>,
        description: Option<Text<'_>>,
        subcode: Option<Text<'_>>,
    ) -> Option<Self> {
        let text = |text: Option<Text<'_>>| filled(text).map(|text| ServerText::new(&text));
        Some(Self { code: text(code)?, description: text(description), subcode: text(subcode) })
    }

    /// Reads the error of an answer with this status. Frameworks and gateways write a status in words where the code would be, and
    /// in trouble whatever they like: what is no code of a specification counts as none there.
    pub(super) fn of(
        status: StatusCode,
        code: Option<Text<'_>>,
        description: Option<Text<'_>>,
        subcode: Option<Text<'_>>,
    ) -> Option<Self> {
        let error = Self::new(code, description, subcode)?;
        let trouble = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let is_status = status.canonical_reason().is_some_and(|words| words.eq_ignore_ascii_case(error.code.as_str()));
        (SPECIFIED.contains(&error.code.as_str()) || !trouble && !is_status).then_some(error)
    }

    /// Returns what the error means for a session, by RFC 6749, 7009, 7591, 8628 and 8707.
    ///
    /// The code decides and not the status: servers answer errors with 200 and 401 too. A code that is in no specification
    /// is [`Meaning::Configuration`], for polls [`Meaning::AttemptOver`]: a server's own word for a dead refresh token has to
    /// be configured.
    pub fn meaning(&self, errand: Purpose) -> Meaning {
        match (self.code.as_str(), errand) {
            ("temporarily_unavailable" | "server_error", _) => Meaning::Later,
            ("invalid_client", _) => Meaning::Client,
            ("invalid_grant", Purpose::Refresh) => Meaning::ConsentDead,
            ("invalid_grant", Purpose::Code | Purpose::DevicePoll) => Meaning::AttemptOver,
            ("access_denied", _) => Meaning::Denied,
            ("authorization_pending", Purpose::DevicePoll) => Meaning::Pending,
            ("slow_down", Purpose::DevicePoll) => Meaning::SlowDown,
            (_, Purpose::DevicePoll) => Meaning::AttemptOver,
            ("login_required" | "consent_required" | "interaction_required", Purpose::Redirect) => Meaning::AttemptOver,
            ("unsupported_token_type", Purpose::Revoke) => Meaning::CannotRevoke,
            _ => Meaning::Configuration,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_leads_where_its_specification_says() {
        use Purpose::*;
        for (errand, code, meaning) in [
            (Refresh, "invalid_grant", Meaning::ConsentDead),
            (Code, "invalid_grant", Meaning::AttemptOver),
            (Refresh, "invalid_client", Meaning::Client),
            (Code, "invalid_client", Meaning::Client),
            (Refresh, "unauthorized_client", Meaning::Configuration),
            (Refresh, "invalid_request", Meaning::Configuration),
            (Code, "unsupported_grant_type", Meaning::Configuration),
            (Refresh, "invalid_scope", Meaning::Configuration),
            (ClientCredentials, "invalid_target", Meaning::Configuration),
            (ClientCredentials, "invalid_grant", Meaning::Configuration),
            (Refresh, "temporarily_unavailable", Meaning::Later),
            (Refresh, "server_error", Meaning::Later),
            (Redirect, "server_error", Meaning::Later),
            (DevicePoll, "authorization_pending", Meaning::Pending),
            (DevicePoll, "slow_down", Meaning::SlowDown),
            (DevicePoll, "access_denied", Meaning::Denied),
            (DevicePoll, "expired_token", Meaning::AttemptOver),
            (DevicePoll, "anything", Meaning::AttemptOver),
            (DevicePoll, "invalid_grant", Meaning::AttemptOver),
            (DeviceBegin, "slow_down", Meaning::Configuration),
            (Redirect, "access_denied", Meaning::Denied),
            (Redirect, "login_required", Meaning::AttemptOver),
            (Redirect, "consent_required", Meaning::AttemptOver),
            (Redirect, "interaction_required", Meaning::AttemptOver),
            (Revoke, "unsupported_token_type", Meaning::CannotRevoke),
            (Refresh, "unsupported_token_type", Meaning::Configuration),
            (Register, "invalid_redirect_uri", Meaning::Configuration),
            (Register, "invalid_client_metadata", Meaning::Configuration),
        ] {
            let error = ErrorBody::new(Some(code.into()), None, None).unwrap();
            assert_eq!(error.meaning(errand), meaning, "{errand:?} {code}");
        }
    }

    #[test]
    fn an_empty_code_is_none() {
        assert_eq!(ErrorBody::new(Some(" ".into()), Some("text".into()), None), None);
        let error = ErrorBody::new(Some("x".into()), Some("".into()), Some("y".into())).unwrap();
        assert_eq!((error.description, error.subcode.unwrap().as_str()), (None, "y"));
    }
}
