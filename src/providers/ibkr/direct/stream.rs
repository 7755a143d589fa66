//! The stream of a direct session, `/ws`.

use http::Request;
use http::header::COOKIE;

use super::{Cx, OAuth, WebApi, WebApiToken};
use crate::provider::{Observed, Unauthorized};
use crate::providers::ibkr::inner::Outer;
use crate::providers::ibkr::wire::{bare_session_cookie, session_frame};
use crate::providers::ibkr::{Tier, stream};
use crate::{Secret, provider::Streams};

impl Streams for WebApi {
    /// Builds `GET /ws?oauth_token=…` with the access token (1.0a), or `GET /ws?bearer_token=…` with the session's
    /// bearer (2.0), and the cookie `api=…` with the id that the first tickle brings.
    ///
    /// The specification has it so, and two public clients do the same. The URL holds a secret: see
    /// [`StreamOpening::request`](crate::machine::StreamOpening::request).
    ///
    /// A stream that was opened with an earlier token goes on after a renewal, but what it says of the session no longer
    /// counts ([`Handled::Stale`](crate::Handled::Stale)): open another one, and end it then.
    fn authorize_stream(&self, cx: &mut Cx<'_>) -> Result<(Request<()>, Option<Secret>), Unauthorized> {
        let not_ready = Unauthorized::NotReady(Some(Tier::Sso.code()));
        let state = &*cx.state;
        let (Some(token), false) = (&state.token, state.doubted || !self.may_use(state)) else {
            return Err(not_ready);
        };
        let session = state.inner.live.as_ref().and_then(|live| live.session.as_ref()).ok_or(not_ready)?;
        let query = match (&self.oauth, token) {
            (OAuth::V1a(oauth), WebApiToken::Live(_)) => [("oauth_token", oauth.access_token())],
            (OAuth::V2(_), WebApiToken::Bearer(bearer)) => [("bearer_token", bearer.expose())],
            _ => return Err(not_ready),
        };
        let query = serde_urlencoded::to_string(query).map_err(|_| Unauthorized::Unsignable("token"))?;
        let cookie = bare_session_cookie(session.expose()).ok_or(Unauthorized::Unsignable("session"))?;
        let mut request = stream::handshake(self.api(state), Some(&Secret::new(query)))?;
        request.headers_mut().insert(COOKIE, cookie);
        Ok((request, session_frame(session.expose())))
    }

    fn observe_stream(&self, cx: &mut Cx<'_>, frame: &[u8]) -> Observed {
        stream::observed(cx.state.inner.brokerage.ready, frame)
    }
}
