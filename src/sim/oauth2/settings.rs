//! How a server behaves, where servers differ.

use core::time::Duration;

use super::MINUTE;

/// How the server behaves, where servers differ. Each default is what the specifications have, or what is usual.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// How long an access token lives. 10 minutes.
    pub access_life: Duration,
    /// How `expires_in` is written. A number.
    pub life: Life,
    /// What `token_type` says; none leaves it out. `Bearer`.
    pub token_type: Option<&'static str>,
    /// Whether refresh tokens are issued at all. Yes.
    pub refreshes: bool,
    /// Whether a refresh token serves once, and its second use kills the consent. Yes.
    pub rotates: bool,
    /// How long after its use a refresh token may come again, for a client whose answer was lost. Not at all.
    pub grace: Duration,
    /// What stands for the refresh token in a renewal where none is new (`rotates` is off), as JSON: left out, `null` or `""`.
    pub unchanged_refresh: Option<&'static str>,
    /// How long a refresh token lives without use. For ever.
    pub idle: Option<Duration>,
    /// How long a consent lives, however often it is used. For ever.
    pub absolute: Option<Duration>,
    /// Whether answers tell the end of the refresh token (`refresh_token_expires_in`). No.
    pub tells_refresh_life: bool,
    /// Whether a renewal ends the access token before it. No.
    pub one_access: bool,
    /// Whether the revocation of an access token ends its consent. Yes, as a certified OpenID provider does.
    pub access_takes_consent: bool,
    /// What a dead refresh token is answered with: status and code. 400 `invalid_grant`.
    pub dead: (u16, &'static str),
    /// Whether errors have the status 200. No.
    pub errors_with_200: bool,
    /// Whether the token endpoint answers with a form. No.
    pub form_answers: bool,
    /// Whether it does so where no JSON was asked for. No.
    pub form_unasked: bool,
    /// What answers call the scope instead; a text of nothing leaves it out. What was granted.
    pub scope: Option<String>,
    /// Whether the resource's 401 says nothing but that. No.
    pub terse: bool,
    /// Whether an edge refuses requests without `User-Agent`. No.
    pub wants_user_agent: bool,
    /// Whether every code, device grant and renewal must name the resource. No.
    pub wants_resource: bool,
    /// Whether id and secret of `client_secret_basic` are taken as they are. No: form-encoded.
    pub basic_raw: bool,
    /// Whether redirects name the issuer, and the metadata say so. Yes.
    pub names_issuer: bool,
    /// What the metadata call the issuer instead.
    pub calls_itself: Option<String>,
    /// Whether there are metadata. Yes.
    pub describes: bool,
    /// Whether there is a device endpoint. Yes.
    pub has_device: bool,
    /// Whether there is a revocation endpoint. Yes.
    pub has_revocation: bool,
    /// Whether there is a registration endpoint. Yes.
    pub has_registration: bool,
    /// The scopes that a client which registers itself may have. `read write offline_access`.
    pub registered_scopes: String,
    /// What the person at the browser does. Consents.
    pub person: Person,
    /// How long a code lives. A minute.
    pub code_life: Duration,
    /// How long a device code lives. 10 minutes.
    pub device_life: Duration,
    /// The interval that a device answer names; none leaves it out, which means 5 s. None.
    pub interval: Option<u64>,
    /// Whether a new consent ends the earlier ones of the same client. No.
    pub one_consent: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            access_life: MINUTE * 10,
            life: Life::Number,
            token_type: Some("Bearer"),
            refreshes: true,
            rotates: true,
            grace: Duration::ZERO,
            unchanged_refresh: None,
            idle: None,
            absolute: None,
            tells_refresh_life: false,
            one_access: false,
            access_takes_consent: true,
            dead: (400, "invalid_grant"),
            errors_with_200: false,
            form_answers: false,
            form_unasked: false,
            scope: None,
            terse: false,
            wants_user_agent: false,
            wants_resource: false,
            basic_raw: false,
            names_issuer: true,
            calls_itself: None,
            describes: true,
            has_device: true,
            has_revocation: true,
            has_registration: true,
            registered_scopes: "read write offline_access".to_owned(),
            person: Person::Consents,
            code_life: MINUTE,
            device_life: MINUTE * 10,
            interval: None,
            one_consent: false,
        }
    }
}

/// How `expires_in` is written.
#[derive(Clone, PartialEq, Debug)]
pub enum Life {
    /// As a number.
    Number,
    /// As digits in a text.
    Text,
    /// Not at all.
    Missing,
    /// As this JSON, whatever the life is.
    Is(&'static str),
}

/// What the person at the browser does with the page of consent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Person {
    /// Consents.
    Consents,
    /// Says no.
    Declines,
    /// Looks at the page and does nothing.
    Hesitates,
}
