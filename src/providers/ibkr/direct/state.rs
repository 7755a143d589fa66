//! What is known of a direct session.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::super::inner::Inner;
use super::super::oauth1a::{AccessTokenSecret, LiveSessionToken};
use super::super::oauth2::Bearer;
use super::WebApiStep;
use super::remote::Stamp;
use crate::Timestamp;
use crate::provider::Entropy;

/// The maximum lifetime of a token; a longer one is renewed as if it had this.
pub(super) const LIFE: Duration = Duration::from_secs(24 * 3_600);

/// What is known of a direct session.
#[derive(Clone, Default, Serialize, Deserialize, Debug)]
#[serde(default)]
pub struct WebApiState {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) token: Option<WebApiToken>,
    /// The token that asks for sessions, OAuth 2.0 only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) bearer: Option<Bearer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) renew_at: Option<Timestamp>,
    /// Which of the provider's hosts is called, the configured one being number 0.
    pub(super) host: usize,
    /// How often the host was changed since the session was last usable.
    pub(super) moves: usize,
    /// How many rounds of all hosts were begun since then.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) rounds: u8,
    /// When the last one began.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) round_at: Timestamp,
    /// Whether a numbered host has refused the token since the session was last usable, which judges it nowhere else.
    #[serde(skip_serializing_if = "is_default")]
    pub(super) sour: bool,
    /// How many requests in a row the present host has not answered; a resume counts again.
    #[serde(skip)]
    pub(super) unanswered: u8,
    /// How many tokens were refused since the session was last usable.
    pub(super) refused: u8,
    /// Whether the present token was refused last.
    pub(super) doubted: bool,
    /// Whether this session was usable once.
    pub(super) opened: bool,
    pub(super) inner: Inner,
    /// What the text of the last login step is made of; a resume begins a new one.
    #[serde(skip)]
    pub(super) stamp: Option<Box<Stamp<WebApiStep>>>,
    /// The access token secret, where it was decrypted elsewhere: no snapshot holds it.
    #[serde(skip)]
    pub(super) secret: Option<AccessTokenSecret>,
}

impl WebApiState {
    /// Stores a token for calls.
    pub(super) fn enter(&mut self, now: Timestamp, token: WebApiToken, entropy: &Entropy<'_>, account: &str) {
        let expires = token.expires().unwrap_or(now + LIFE).min(now + LIFE);
        self.renew_at = Some(renewal(now, expires, entropy, account));
        self.inner.met = true;
        self.inner.live.get_or_insert_default().expires = Some(expires);
        self.token = Some(token);
        self.doubted = false;
        self.sour = false;
    }
}

impl AsRef<Inner> for WebApiState {
    fn as_ref(&self) -> &Inner {
        &self.inner
    }
}

impl AsMut<Inner> for WebApiState {
    fn as_mut(&mut self) -> &mut Inner {
        &mut self.inner
    }
}

/// Returns when a token is renewed: one to three hours before its expiry, spread so that many sessions do
/// not renew at once.
pub(super) fn renewal(now: Timestamp, expires: Timestamp, entropy: &Entropy<'_>, account: &str) -> Timestamp {
    let drawn = super::super::draw::bytes(entropy, account, "renewal");
    let drawn = drawn.first_chunk::<8>().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let margin = Duration::from_millis(3_600_000 + crate::machine::backoff::spread(drawn, 2 * 3_600_000));
    expires - margin.min(expires.since(now) / 2)
}

/// What calls are authorized with, for [`Session::adopt`](crate::Session::adopt) too.
#[derive(Clone, Serialize, Deserialize, Debug)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum WebApiToken {
    /// The live session token of OAuth 1.0a, which signs each call.
    Live(LiveSessionToken),
    /// The bearer of an OAuth 2.0 session, the second one, which each call carries.
    Bearer(Bearer),
}

impl WebApiToken {
    pub(super) fn expires(&self) -> Option<Timestamp> {
        match self {
            Self::Live(token) => Some(token.expires()),
            Self::Bearer(bearer) => bearer.expires(),
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
