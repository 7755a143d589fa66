//! How a session is configured.

use core::time::Duration;

use super::wire::{Endpoint, Issuer, Metadata, Scopes};
use super::{ClientOf, OAuth2Step};
use crate::provider::{Replay, Rule};
use crate::{BaseUrl, NeedKind, UrlError};

/// Where the authorization server is.
#[derive(Clone, Debug)]
pub struct Server {
    pub(super) base: BaseUrl,
    pub(super) place: Place,
}

#[derive(Clone, Debug)]
pub(super) enum Place {
    Issuer(Issuer),
    Endpoints(Box<Metadata>),
}

impl Server {
    /// Takes an issuer, whose metadata are looked up at the opening (RFC 8414, and OpenID's places).
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn issuer(url: &str) -> Result<Self, UrlError> {
        Self::of_issuer(Issuer::new(url)?)
    }

    /// Takes an issuer that [calls itself](Issuer::calls_itself) something else.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn of_issuer(issuer: Issuer) -> Result<Self, UrlError> {
        let base = origin(&Endpoint::parse(issuer.as_str())?)?;
        Ok(Self { base, place: Place::Issuer(issuer) })
    }

    /// Takes the token endpoint of a server without metadata.
    ///
    /// # Errors
    /// [`UrlError`].
    pub fn endpoints(token: &str) -> Result<Self, UrlError> {
        let token = Endpoint::parse(token)?;
        let base = origin(&token)?;
        let known = Metadata {
            issuer: "".into(),
            authorization: None,
            token: Some(token),
            device: None,
            revocation: None,
            registration: None,
            auth_methods: Vec::new(),
            scopes: Vec::new(),
            names_issuer: false,
        };
        Ok(Self { base, place: Place::Endpoints(Box::new(known)) })
    }

    fn with(mut self, set: impl FnOnce(&mut Metadata)) -> Self {
        if let Place::Endpoints(known) = &mut self.place {
            set(known);
        }
        self
    }

    /// Sets where a person consents, for [`Server::endpoints`]; an issuer's metadata say it themselves.
    #[must_use]
    pub fn authorization(self, endpoint: Endpoint) -> Self {
        self.with(|known| known.authorization = Some(endpoint))
    }

    /// Sets where a device grant begins, for [`Server::endpoints`].
    #[must_use]
    pub fn device(self, endpoint: Endpoint) -> Self {
        self.with(|known| known.device = Some(endpoint))
    }

    /// Sets where tokens are revoked, for [`Server::endpoints`].
    #[must_use]
    pub fn revocation(self, endpoint: Endpoint) -> Self {
        self.with(|known| known.revocation = Some(endpoint))
    }

    /// Sets where clients are registered, for [`Server::endpoints`].
    #[must_use]
    pub fn registration(self, endpoint: Endpoint) -> Self {
        self.with(|known| known.registration = Some(endpoint))
    }
}

fn origin(endpoint: &Endpoint) -> Result<BaseUrl, UrlError> {
    let uri = endpoint.uri();
    let authority = uri.authority().ok_or(UrlError::NotAUrl)?;
    BaseUrl::parse(&format!("{}://{authority}", uri.scheme_str().unwrap_or("https")))
}

/// How tokens are come by.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Grant {
    /// A person consents in a browser, which is sent back to this redirect URI.
    Code {
        /// The redirect URI as it is registered, to the letter.
        redirect: Box<str>,
    },
    /// A person consents on another device.
    Device,
    /// The client has tokens of its own; nobody is asked.
    ClientCredentials,
    /// Somebody gives a refresh token, from a page of the server's; see also [`Session::adopt`](crate::Session::adopt).
    Given,
}

/// What the server does with a refresh token that was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum Rotation {
    /// Nobody knows: it may serve once, so one whose fate is unknown is not sent again, until the server has shown twice that
    /// it gives the same one.
    #[default]
    Unknown,
    /// It stays what it is: a renewal may be repeated.
    Fixed,
    /// It serves once, and the server forgives a repetition within this time.
    Grace(Duration),
}

/// A session of any OAuth 2 server.
#[derive(Clone, Debug)]
pub struct OAuth2 {
    pub(super) name: &'static str,
    pub(super) server: Server,
    pub(super) grant: Grant,
    pub(super) client: ClientOf,
    pub(super) calls: BaseUrl,
    pub(super) required: Scopes,
    pub(super) asked: Box<str>,
    pub(super) allowed: Scopes,
    pub(super) resource: Option<Box<str>>,
    pub(super) rotation: Rotation,
    pub(super) refresh_lasts: Option<Duration>,
    pub(super) access_lasts: Option<Duration>,
    pub(super) dead_words: Vec<Box<str>>,
    pub(super) more: Vec<(Box<str>, Box<str>)>,
    pub(super) agent: Option<http::HeaderValue>,
    pub(super) probe: Option<http::Uri>,
    pub(super) bare_code: bool,
}

impl OAuth2 {
    /// Takes the server, the grant and the client. Calls go to the server's own origin unless [`OAuth2::calls`] says otherwise.
    pub fn new(server: Server, grant: Grant, client: ClientOf) -> Self {
        Self {
            name: "oauth2",
            calls: server.base.clone(),
            server,
            grant,
            client,
            required: Scopes::default(),
            asked: "".into(),
            allowed: Scopes::default(),
            resource: None,
            rotation: Rotation::default(),
            refresh_lasts: None,
            access_lasts: None,
            dead_words: Vec::new(),
            more: Vec::new(),
            agent: None,
            probe: None,
            bare_code: false,
        }
    }

    pub(crate) fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// Sets the base URL of the user's own calls.
    #[must_use]
    pub fn calls(self, base: BaseUrl) -> Self {
        Self { calls: base, ..self }
    }

    /// Sets the scopes that are asked for and must be granted, and those that may be granted; without the latter any may.
    #[must_use]
    pub fn scopes(self, required: &str, allowed: &str) -> Self {
        Self { required: Scopes::read(required), asked: required.into(), allowed: Scopes::read(allowed), ..self }
    }

    /// Names the server that the tokens are for (RFC 8707), in every request.
    #[must_use]
    pub fn resource(self, url: &str) -> Self {
        Self { resource: Some(url.into()), ..self }
    }

    /// Returns what the server does with a refresh token that was used.
    #[must_use]
    pub fn rotation(self, rotation: Rotation) -> Self {
        Self { rotation, ..self }
    }

    /// Returns how long a consent lasts, where the server does not: a person is asked for the next one before its end.
    #[must_use]
    pub fn refresh_lasts(self, lasts: Duration) -> Self {
        Self { refresh_lasts: Some(lasts), ..self }
    }

    /// Returns how long an access token lasts, where the server does not.
    #[must_use]
    pub fn access_lasts(self, lasts: Duration) -> Self {
        Self { access_lasts: Some(lasts), ..self }
    }

    /// Adds the server's own word for a dead refresh token, beside `invalid_grant`.
    #[must_use]
    pub fn dead_word(mut self, code: &str) -> Self {
        self.dead_words.push(code.into());
        self
    }

    /// Adds a parameter to the URL where a person consents, such as `access_type=offline`.
    #[must_use]
    pub fn parameter(mut self, name: &str, value: &str) -> Self {
        self.more.push((name.into(), value.into()));
        self
    }

    /// Sets the `User-Agent` of every request; the crate's name and version otherwise.
    #[must_use]
    pub fn user_agent(self, agent: http::HeaderValue) -> Self {
        Self { agent: Some(agent), ..self }
    }

    /// Names a cheap `GET` that needs a good token, below the base of calls, to look with against a doubt.
    ///
    /// # Errors
    /// [`UrlError`] where it is not a path.
    pub fn probe(self, path: &str) -> Result<Self, UrlError> {
        Ok(Self { probe: Some(self.calls.join(path)?), ..self })
    }

    /// Takes a pasted code without its `state` too: PKCE alone binds it to the attempt.
    #[must_use]
    pub fn bare_code(self) -> Self {
        Self { bare_code: true, ..self }
    }

    /// Reports whether the server may take something that this session sends only once and give another one for it.
    pub(super) const fn rotates(&self) -> bool {
        match self.grant {
            Grant::Code { .. } => true,
            Grant::Device | Grant::Given => !matches!(self.rotation, Rotation::Fixed),
            Grant::ClientCredentials => false,
        }
    }

    /// Reports whether refresh tokens are used. A machine gets new tokens by its credentials; a refresh token that a server gives it
    /// all the same (RFC 6749, section 4.4.3, says that it should not) is revoked at the end and serves for nothing else.
    pub(super) const fn refreshes(&self) -> bool {
        !matches!(self.grant, Grant::ClientCredentials)
    }

    pub(super) const fn rule_of(&self, step: OAuth2Step) -> &'static Rule {
        const DISCOVER: Rule = Rule::new("discover");
        const REGISTER: Rule = Rule::new("register");
        const CODE: Rule = Rule::new("code").spends(&[NeedKind::Redirect]).rotates().opens();
        const BEGIN: Rule = Rule::new("device-begin");
        const POLL: Rule = Rule::new("device-poll").opens();
        const GRANT: Rule = Rule::new("grant").opens();
        const REFRESH: Rule = Rule::new("refresh").rotates();
        const STEADY: Rule = Rule::new("refresh").replay(Replay::Safe);
        const REVOKE: Rule = Rule::new("revoke");
        const PROBE: Rule = Rule::new("probe");
        match step {
            OAuth2Step::Discover => &DISCOVER,
            OAuth2Step::Register => &REGISTER,
            OAuth2Step::Code => &CODE,
            OAuth2Step::DeviceBegin => &BEGIN,
            OAuth2Step::DevicePoll => &POLL,
            OAuth2Step::Grant => &GRANT,
            OAuth2Step::Refresh => match self.rotation {
                Rotation::Fixed => &STEADY,
                Rotation::Unknown | Rotation::Grace(_) => &REFRESH,
            },
            OAuth2Step::Revoke => &REVOKE,
            OAuth2Step::Probe => &PROBE,
        }
    }
}
