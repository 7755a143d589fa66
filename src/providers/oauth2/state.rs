//! What is known of a session.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire::{Client, DeviceCode, Endpoint, Metadata, Registered};
use crate::provider::Entropy;
use crate::{
    Secret, Timestamp,
    machine::{NeedReason, ServerText},
};

/// How many refresh tokens of earlier consents are kept for the logout.
const FORMER: usize = 16;

/// The requests of a session.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum OAuth2Step {
    /// Looks the endpoints up.
    Discover,
    /// Registers the client.
    Register,
    /// Redeems a code.
    Code,
    /// Begins a device grant.
    DeviceBegin,
    /// Checks whether the person has consented on another device.
    DevicePoll,
    /// Asks for a token of the client's own.
    Grant,
    /// Renews the access token.
    Refresh,
    /// Revokes a token.
    Revoke,
    /// Makes the call that the user has named.
    Probe,
}

/// What is known of a session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct OAuth2State {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) found: Option<Found>,
    /// How many places were checked for metadata.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) places: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<Registration>,
    /// Whether it was registered a second time.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) again: bool,
    /// What the next consent is held against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<Attempt>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) device: Option<Device>,
    /// Why a person is asked to consent, or is to be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<NeedReason>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) live: Option<OAuth2Live>,
    #[serde(with = "crate::secret::exposed_option", skip_serializing_if = "Option::is_none")]
    pub(super) refresh: Option<Secret>,
    /// Whether it may have been used up, so that it is good for a revocation only.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) spent: bool,
    /// Those of earlier consents, for the logout.
    #[serde(with = "crate::secret::exposed_list", skip_serializing_if = "Vec::is_empty")]
    pub(super) former: Vec<Secret>,
    /// Whether the server has said that the consent is dead, while the access token is used to its end.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) dead: bool,
    /// When it first left, where it has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) tried: Option<Timestamp>,
    /// Whether it is sent again after an answer was lost, since the server forgives that.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) repeats: bool,
    /// How many renewals in a row gave no other refresh token.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) steady: u8,
    /// When the consent ends, and how long before that a person is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ends: Option<(Timestamp, Duration)>,
    /// Whether a person has said no to the next consent.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) declined: bool,
    /// When the request left that tokens come for.
    pub(super) sent: Timestamp,
    /// How many access tokens in a row were refused.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) refused: u8,
    /// Whether the present one was.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) stale: bool,
    /// When a refused call that proved nothing last led to a renewal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) doubted: Option<Timestamp>,
    /// What an assertion is made of; a resume makes a new one.
    #[serde(skip)]
    pub(super) stamp: Option<(Timestamp, Secret)>,
}

impl OAuth2State {
    /// Reports whether calls can be made with the access token, as far as known.
    pub(super) fn is_good(&self, now: Timestamp) -> bool {
        let ends = self.live.as_ref().map(|live| live.expires);
        !self.stale && ends.is_some_and(|ends| ends.is_none_or(|ends| ends > now))
    }

    /// Reports whether the session has ended for certain: the server has called the consent dead, and no token is good.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.dead && !self.is_good(now)
    }

    /// Takes a refresh token that nobody has used.
    pub(super) fn refresh_with(&mut self, token: Secret) {
        self.forget_refresh();
        self.refresh = Some(token);
    }

    /// Keeps a refresh token for the logout whose consent another one replaces: it lives beside that, and where it may have been
    /// spent, its revocation is what ends successors that nobody knows.
    /// Reports whether the oldest one is kept no more for that.
    pub(super) fn keep_for_the_logout(&mut self) -> bool {
        let Some(token) = self.refresh.take() else { return false };
        let full = self.former.len() == FORMER;
        if full {
            self.former.remove(0);
        }
        self.former.push(token);
        full
    }

    pub(super) fn forget_refresh(&mut self) {
        (self.refresh, self.spent, self.tried, self.repeats) = (None, false, None, false);
    }
}

/// Shows what is known of an open session.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub struct OAuth2Live {
    /// The access token, for `Authorization: Bearer`.
    #[serde(with = "crate::secret::exposed")]
    pub access: Secret,
    /// When it ends, by this machine's clock; none where the server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
    /// What was granted, with spaces between; none where the server does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Box<str>>,
    /// Whether there is a refresh token: without one a person is asked at the end.
    pub renews: bool,
}

/// Tokens that somebody has.
#[derive(Clone, Debug)]
pub struct Given {
    pub(super) access: Option<(Secret, Option<Timestamp>)>,
    pub(super) refresh: Option<Secret>,
}

impl Given {
    /// Takes a refresh token.
    pub const fn refresh(token: Secret) -> Self {
        Self { access: None, refresh: Some(token) }
    }

    /// Takes an access token, and when it ends.
    pub const fn access(token: Secret, expires: Option<Timestamp>) -> Self {
        Self { access: Some((token, expires)), refresh: None }
    }

    /// Adds a refresh token.
    #[must_use]
    pub fn and_refresh(self, token: Secret) -> Self {
        Self { refresh: Some(token), ..self }
    }
}

/// Where the endpoints were found.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct Found {
    pub(super) issuer: Box<str>,
    authorization: Option<Box<str>>,
    token: Option<Box<str>>,
    device: Option<Box<str>>,
    revocation: Option<Box<str>>,
    registration: Option<Box<str>>,
    pub(super) names_issuer: bool,
}

impl Found {
    pub(super) fn new(metadata: &Metadata) -> Self {
        let text = |endpoint: &Option<Endpoint>| endpoint.as_ref().map(|endpoint| endpoint.to_string().into());
        Self {
            issuer: metadata.issuer.clone(),
            authorization: text(&metadata.authorization),
            token: text(&metadata.token),
            device: text(&metadata.device),
            revocation: text(&metadata.revocation),
            registration: text(&metadata.registration),
            names_issuer: metadata.names_issuer,
        }
    }

    /// Reads the endpoints again; none where one is not https.
    pub(super) fn read(&self) -> Option<Metadata> {
        let endpoint = |text: &Option<Box<str>>| text.as_deref().map(Endpoint::parse).transpose().ok();
        Some(Metadata {
            issuer: self.issuer.clone(),
            authorization: endpoint(&self.authorization)?,
            token: endpoint(&self.token)?,
            device: endpoint(&self.device)?,
            revocation: endpoint(&self.revocation)?,
            registration: endpoint(&self.registration)?,
            auth_methods: Vec::new(),
            scopes: Vec::new(),
            names_issuer: self.names_issuer,
        })
    }
}

/// A client that the server has registered.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct Registration {
    id: Box<str>,
    #[serde(with = "crate::secret::exposed_option")]
    pub(super) secret: Option<Secret>,
    method: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    redirect: Option<Box<str>>,
}

impl Registration {
    pub(super) fn new(registered: &Registered, redirect: Option<&str>) -> Self {
        let Registered { client_id, client_secret, auth_method, .. } = registered;
        let (secret, method) = (client_secret.clone(), auth_method.clone());
        Self { id: client_id.clone(), secret, method, redirect: redirect.map(Into::into) }
    }

    /// Reports whether it was made for this redirect URI.
    pub(super) fn is_for(&self, redirect: Option<&str>) -> bool {
        self.redirect.as_deref() == redirect
    }

    pub(super) fn client(&self) -> Option<Client> {
        let registered = Registered {
            client_id: self.id.clone(),
            client_secret: self.secret.clone(),
            secret_expires: None,
            auth_method: self.method.clone(),
            redirect_uris: Vec::new(),
            grant_types: Vec::new(),
        };
        registered.client().ok()
    }
}

/// What a redirect is held against.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct Attempt {
    #[serde(with = "crate::secret::exposed")]
    pub(super) state: Secret,
    #[serde(with = "crate::secret::exposed")]
    pub(super) verifier: Secret,
}

impl Attempt {
    pub(super) fn new(entropy: &Entropy<'_>, server: &str) -> Self {
        Self {
            state: entropy.text(&["oauth2", server, "state"]),
            verifier: entropy.text(&["oauth2", server, "verifier"]),
        }
    }
}

/// A device grant that was begun.
#[derive(Clone, Serialize, Deserialize, Debug)]
pub(super) struct Device {
    /// None where it is over.
    #[serde(with = "crate::secret::exposed_option")]
    pub(super) code: Option<Secret>,
    pub(super) user_code: Box<str>,
    pub(super) uri: Box<str>,
    /// What is told beside the code.
    pub(super) text: Box<str>,
    pub(super) interval: Duration,
    pub(super) ends: Option<Timestamp>,
}

impl Device {
    pub(super) fn new(begun: DeviceCode, now: Timestamp) -> Self {
        let place = ServerText::new(&begun.verification_uri);
        Self {
            code: Some(begun.device_code),
            user_code: ServerText::new(&begun.user_code).as_str().into(),
            uri: begun.verification_uri_complete.unwrap_or(begun.verification_uri),
            text: format!("type the code at {}", place.as_str()).into(),
            interval: begun.interval,
            ends: begun.expires_in.map(|lasts| now + lasts),
        }
    }

    /// Reports whether its code can be typed.
    pub(super) fn is_open(&self, now: Timestamp) -> bool {
        self.code.is_some() && self.ends.is_none_or(|ends| ends > now)
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
