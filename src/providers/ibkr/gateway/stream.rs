//! The gateway's stream, `/ws`.

use http::Request;
use http::header::COOKIE;

use super::{Cx, Gateway};
use crate::provider::{Observed, Unauthorized};
use crate::providers::ibkr::inner::Outer;
use crate::providers::ibkr::wire::{session_cookie, session_frame};
use crate::providers::ibkr::{Tier, stream};
use crate::{Secret, provider::Streams};

impl Streams for Gateway {
    /// Builds `GET /ws` with the cookie `api={"session":"…"}`, which opens the stream at once.
    ///
    /// The id in it comes with the first tickle, which leaves right after the opening. A gateway that wants its own
    /// `Origin` gets it here, too.
    fn authorize_stream(&self, cx: &mut Cx<'_>) -> Result<(Request<()>, Option<Secret>), Unauthorized> {
        let live = cx.state.inner.live.as_ref().filter(|_| self.may_use(cx.state));
        let not_ready = Unauthorized::NotReady(Some(Tier::Sso.code()));
        let session = live.and_then(|live| live.session.as_ref()).ok_or(not_ready)?;
        let cookie = session_cookie(session.expose()).ok_or(Unauthorized::Unsignable("session"))?;
        let mut request = stream::handshake(&self.api, None)?;
        request.headers_mut().insert(COOKIE, cookie);
        cx.state.origin.put_on_stream(self.api.base(), request.headers_mut());
        Ok((request, session_frame(session.expose())))
    }

    fn observe_stream(&self, cx: &mut Cx<'_>, frame: &[u8]) -> Observed {
        stream::observed(cx.state.inner.brokerage.ready, frame)
    }
}
