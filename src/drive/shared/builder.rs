//! What a transport is made of, whichever client is below it.

use core::fmt;
use core::marker::PhantomData;
use core::time::Duration;

use http::Uri;

use super::TransportError;
use crate::drive::trust::Trust;
use crate::{Secret, machine::SendPolicy};

/// What a transport is made of; `T` is the transport.
#[derive(Clone)]
#[must_use = "nothing is made before `build`"]
pub struct TransportBuilder<T> {
    pub(crate) trust: Trust,
    /// A URL, which may hold a password.
    pub(crate) proxy: Option<Secret>,
    /// How the user's own calls are sent, where a transport sends them itself.
    pub(crate) calls: SendPolicy,
    makes: PhantomData<fn() -> T>,
}

impl<T> TransportBuilder<T> {
    pub(crate) fn new() -> Self {
        let calls = SendPolicy { timeout: Duration::from_secs(30), max_body: 16 << 20 };
        Self { trust: Trust::default(), proxy: None, calls, makes: PhantomData }
    }

    /// Sets which certificates are trusted. Default: [`Trust::mozilla`].
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Sends everything through this proxy, `http://host:port` or `http://user:password@host:port`.
    ///
    /// It is asked to open tunnels (`CONNECT`) and to look names up. Over plain http it sees all.
    ///
    /// # Errors
    /// [`TransportError::BadProxy`] for anything but such a URL.
    pub fn proxy(mut self, url: &str) -> Result<Self, TransportError> {
        let uri: Uri = url.parse().map_err(|_| TransportError::BadProxy)?;
        let is_proxy = uri.scheme_str() == Some("http") && uri.host().is_some_and(|host| !host.is_empty());
        if !is_proxy {
            return Err(TransportError::BadProxy);
        }
        self.proxy = Some(url.into());
        Ok(self)
    }

    /// Refuses what excludes each other.
    pub(crate) fn check(&self) -> Result<(), TransportError> {
        if self.proxy.is_some() && self.trust.is_loopback_only() {
            return Err(TransportError::LoopbackByProxy);
        }
        Ok(())
    }
}

impl<T> fmt::Debug for TransportBuilder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransportBuilder")
            .field("trust", &self.trust)
            .field("proxy", &self.proxy.is_some())
            .field("calls", &self.calls)
            .finish()
    }
}
