//! The gateway's stream, `/ws`.

use http::header::COOKIE;
use http::uri::Scheme;
use http::{Request, Uri};

use super::{Gateway, GatewayState};
use crate::provider::{Cx, Observed, Unauthorized};
use crate::providers::ibkr::wire::{Frame, session_cookie, session_frame};
use crate::providers::ibkr::{Refusal, Tier};
use crate::{Secret, Streams};

impl Streams for Gateway {
    /// Makes `GET /ws` with the cookie `api={"session":"…"}`, with which the stream is open at once.
    ///
    /// The id in it comes with the first tickle, which leaves right after the opening.
    fn authorize_stream(&self, cx: &mut Cx<'_, GatewayState>) -> Result<(Request<()>, Option<Secret>), Unauthorized> {
        let live = cx.state.live.as_ref().filter(|_| cx.state.identified);
        let not_ready = Unauthorized::NotReady(Some(Tier::Sso.code()));
        let session = live.and_then(|live| live.session.as_ref()).ok_or(not_ready)?;
        let unsignable = Unauthorized::Unsignable("session");
        let cookie = session_cookie(session.expose()).ok_or(unsignable)?;
        let (mut parts, _) = self.api.stream().into_parts();
        parts.uri = as_stream(parts.uri).ok_or(Unauthorized::Unsignable("uri"))?;
        parts.headers.insert(COOKIE, cookie);
        Ok((Request::from_parts(parts, ()), session_frame(session.expose())))
    }

    fn observe_stream(&self, cx: &mut Cx<'_, GatewayState>, frame: &[u8]) -> Observed {
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
        match cx.state.brokerage.ready {
            true if bad => Observed::Doubt,
            false if good && !bad => Observed::Doubt,
            _ => Observed::Nothing,
        }
    }
}

/// Gives a URL the scheme of a stream.
fn as_stream(uri: Uri) -> Option<Uri> {
    let mut parts = uri.into_parts();
    let scheme = if parts.scheme == Some(Scheme::HTTP) { "ws" } else { "wss" };
    parts.scheme = Some(Scheme::try_from(scheme).ok()?);
    Uri::from_parts(parts).ok()
}
