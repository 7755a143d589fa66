//! A provider that serves a stream beside its calls.

use std::sync::Arc;

use http::Request;

use super::{Context, Observed, Provider, Unauthorized};
use crate::Secret;

/// A provider that serves a stream (a WebSocket) beside its calls.
pub trait Streams: Provider {
    /// Prepares the handshake of the stream, and what is to be sent where the server waits for a session. A query in its URL
    /// counts as a secret.
    ///
    /// # Errors
    /// [`Unauthorized`] where the session has nothing to open a stream with now.
    fn authorize_stream(
        &self,
        cx: &mut Context<'_, Self::State>,
    ) -> Result<(Request<()>, Option<Secret>), Unauthorized>;

    /// Interprets a frame.
    fn observe_stream(&self, cx: &mut Context<'_, Self::State>, frame: &[u8]) -> Observed;
}

impl<P: Streams> Streams for Arc<P> {
    fn authorize_stream(
        &self,
        cx: &mut Context<'_, Self::State>,
    ) -> Result<(Request<()>, Option<Secret>), Unauthorized> {
        (**self).authorize_stream(cx)
    }

    fn observe_stream(&self, cx: &mut Context<'_, Self::State>, frame: &[u8]) -> Observed {
        (**self).observe_stream(cx, frame)
    }
}
