//! The common part of the gateway's and the Web API's stream, `/ws`.

use http::uri::{PathAndQuery, Scheme};
use http::{Request, Uri};

use super::Refusal;
use super::wire::{Endpoints, Frame};
use crate::Secret;
use crate::provider::{Observed, Unauthorized};

/// Builds the handshake of a stream; the query is secret.
pub(super) fn handshake(api: &Endpoints, query: Option<&Secret>) -> Result<Request<()>, Unauthorized> {
    let (mut parts, _) = api.stream().into_parts();
    parts.uri = as_stream(parts.uri, query).ok_or(Unauthorized::Unsignable("uri"))?;
    Ok(Request::from_parts(parts, ()))
}

/// Interprets a frame; `ready` reports whether the brokerage session is usable as far as known.
pub(super) fn observed(ready: bool, frame: &[u8]) -> Observed {
    let Some(frame) = Frame::read(frame) else { return Observed::Nothing };
    if let Some(error) = &frame.error {
        return match Refusal::inside(error).doubts() {
            Some(_) => Observed::Doubt,
            None => Observed::Nothing,
        };
    }
    // Often only the flag that changed is told, and the return of a session may not be told at all.
    let Some(flags) = frame.flags() else { return Observed::Nothing };
    let bad = flags.competing == Some(true)
        || [flags.authenticated, flags.connected, flags.established].contains(&Some(false));
    let good = flags.authenticated == Some(true) || flags.competing == Some(false);
    match ready {
        true if bad => Observed::Doubt,
        false if good && !bad => Observed::Doubt,
        _ => Observed::Nothing,
    }
}

/// Returns a URL the scheme of a stream, and a query.
fn as_stream(uri: Uri, query: Option<&Secret>) -> Option<Uri> {
    let mut parts = uri.into_parts();
    let scheme = if parts.scheme == Some(Scheme::HTTP) { "ws" } else { "wss" };
    parts.scheme = Some(Scheme::try_from(scheme).ok()?);
    if let Some(query) = query {
        let path = parts.path_and_query.as_ref()?.path();
        let whole = Secret::new(format!("{path}?{}", query.expose()));
        parts.path_and_query = Some(PathAndQuery::try_from(whole.expose()).ok()?);
    }
    Uri::from_parts(parts).ok()
}
