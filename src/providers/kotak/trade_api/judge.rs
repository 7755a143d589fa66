//! The successes of the Trade API's steps, and helpers for its answers.

use core::time::Duration;

use http::StatusCode;

use super::*;
use crate::machine::event::Event;
use crate::provider::{Plan, When};
use crate::providers::kotak::host::{HostRefused, Refusal, admit};
use crate::{
    Timestamp,
    machine::{Cause, Denial, ServerText},
};

/// The answers that a login spends, and the proof of death.
pub(super) const FACTORS: Factors = Factors {
    first: NeedKind::Credentials,
    second: NeedKind::AccessCode,
    proof: "the session token is expired or not correct (99999)",
};

/// How long before its expiry a bearer is renewed.
const AHEAD: Duration = Duration::from_secs(60);

impl TradeApi {
    pub(super) fn got_bearer(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let token: Token<'_> = crate::wire::json(response.body)?;
        let bearer = token.access_token.filter(sendable)?;
        // -1, or once -2, means no expiry.
        let life = token.expires_in.and_then(|life| u64::try_from(life).ok()).filter(|life| *life > 0);
        let ends = life.map(|life| cx.now + Duration::from_secs(life));
        take_bearer(cx, Bearer::fetched(bearer, ends));
        Some(self.go_on(cx.state))
    }

    pub(super) fn got_init(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        // No token proves this response, and `{"status":"DOWN"}` with 503 says nothing about the user.
        let init = response.status.is_success().then(|| envelope::read::<Init<'_>>(response.body)).flatten();
        let init = init.filter(Init::is_proven)?;
        if init.is_active() == Some(false) {
            let text = init.message.or(init.status).map(|text| ServerText::new(&text));
            let url = init.weblink.and_then(|weblink| weblink.host).map(|url| ServerText::new(&url));
            cx.tell(Fact::Tell(Event::ActionRequired { url, text: text.clone() }));
            return Some(Verdict::Close(CloseReason::Denied(Denial::Rejected(text))));
        }
        if init.encryption.is_some_and(|encryption| !encryption.is_plain()) {
            return Some(protocol("init", "asks for an unknown encoding of passwords", response));
        }
        let redirect = init.redirect.unwrap_or_default();
        Some(match self.switch(cx, redirect.host.as_deref().unwrap_or_default(), redirect.port) {
            Ok(true) => Verdict::next(TradeStep::Init),
            Ok(false) => Ask::new(NeedKind::Credentials, cx.state.login.because()).into(),
            Err(refused) => protocol("init", &refused.to_string(), response),
        })
    }

    pub(super) fn got_one_time_token(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let login: Login<'_> = envelope::read(response.body)?;
        cx.state.one_time_token = Some(login.one_time_token.filter(sendable)?);
        cx.tell(Fact::Accepted(NeedKind::Credentials));
        Some(self.second_factor(cx.state))
    }

    pub(super) fn got_session(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let second: SecondFactor<'_> = envelope::read(response.body)?;
        let session_token = second.session_token.filter(sendable)?;
        let client_code = second.client_code.map(|code| code.0.into_owned());
        cx.state.live = Some(TradeLive { session_token, client_code });
        cx.state.one_time_token = None;
        cx.state.login.because = None;
        cx.tell(Fact::NewTokens);
        Some(self.active(cx))
    }

    /// Notes that the API answered, so the gateway accepted the bearer; `/token` has none.
    pub(super) fn accepted(&self, cx: &mut Cx<'_>, step: TradeStep) {
        if step != TradeStep::Token {
            bearer_works(cx);
        }
    }

    pub(super) fn got_code_request(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let sent = response.status.is_success() && find_fault(At::SecondFactor, response).is_none();
        sent.then(|| self.code_requested(cx))
    }

    pub(super) fn got_logout(&self, response: Response<'_>) -> Option<Judged> {
        // A proxy's page says "OK" to anything; the service says "Logout Successful."
        let said = envelope::is_success(response.body)
            || envelope::read::<Logout<'_>>(response.body).is_some_and(|logout| logout.message.is_some());
        let done = said && response.status.is_success() && find_fault(At::Session, response).is_none();
        done.then_some(Verdict::Close(CloseReason::LoggedOut { confirmed: true }))
    }

    pub(super) fn code_requested(&self, cx: &mut Cx<'_>) -> Judged {
        cx.state.code_requested = true;
        Ask::new(NeedKind::AccessCode, cx.state.login.because()).into()
    }

    pub(super) fn active(&self, cx: &Cx<'_>) -> Judged {
        let ends = cx.state.login.bearer.ends.filter(|_| self.consumer_secret.is_some());
        let renews = |ends: Timestamp| Plan::new().renew(TradeStep::Token, When::In((ends - AHEAD).since(cx.now)));
        ends.map(renews).unwrap_or_default().into()
    }

    /// Moves to the host that the server names, once per login; reports whether it is another one.
    fn switch(&self, cx: &mut Cx<'_>, told: &str, port: Option<u64>) -> Result<bool, HostRefused> {
        let Some(moved) = admit(self.host(cx.state), told, port)? else { return Ok(false) };
        if cx.state.switched {
            return Err(HostRefused::new(told, Refusal::Again));
        }
        cx.state.switched = true;
        cx.state.host = Some(moved);
        Ok(true)
    }

    pub(super) fn bearer_refused(&self, cx: &mut Cx<'_>, step: TradeStep, status: StatusCode) -> Judged {
        let live = cx.state.live.is_some();
        let refused = || Verdict::Close(CloseReason::Denied(Denial::Refused { kind: NeedKind::GatewayToken }));
        if step == TradeStep::Token {
            // The gateway requires a bearer to issue one: `/token` is not below that base URL.
            return if live { Ask::new(NeedKind::GatewayToken, NeedReason::Expired).into() } else { refused() };
        }
        cx.state.leaving = step == TradeStep::Logout;
        if matches!(step, TradeStep::Login | TradeStep::AccessCode) {
            // The gateway refused before the answer was checked, and the answer cannot wait for a bearer. It is asked
            // for once more only, since a store would give it for ever.
            if core::mem::replace(&mut cx.state.login.repeated, true) {
                return refused();
            }
            cx.state.login.because = Some(NeedReason::Stale);
        }
        let bearer = &mut cx.state.login.bearer;
        // A bearer that never worked is expired, for another host's gateway, or of an application without this API.
        let worked = bearer.worked || bearer.is_over(cx.now);
        let fetched = bearer.fetched;
        if !worked && fetched && !live {
            // The next fetched bearer would be no better.
            return refused();
        }
        bearer.refused = true;
        // Stored, so that the next process does not use it either.
        cx.tell(Fact::TokensRefused);
        if !worked && !fetched {
            return Ask::new(NeedKind::GatewayToken, NeedReason::Refused).into();
        }
        if !worked {
            // If the next one is no better, the session is unusable.
            cx.tell(Fact::Doubt(Cause::Status(status.as_u16())));
        }
        self.want_bearer(NeedReason::Expired)
    }

    pub(super) fn wrong_host(&self, cx: &mut Cx<'_>, step: TradeStep, told: &str, response: Response<'_>) -> Judged {
        match self.switch(cx, told, None) {
            Ok(true) if cx.state.live.is_some() => Verdict::next(step),
            Ok(true) => {
                // The answer went to the old host, and the one-time token is valid only there.
                cx.state.one_time_token = None;
                if step != TradeStep::Init {
                    cx.state.login.because = Some(NeedReason::Stale);
                }
                Verdict::next(TradeStep::Init)
            }
            Ok(false) => protocol(step.rule().name, "the server names the present host as the right one", response),
            Err(refused) => protocol(step.rule().name, &refused.to_string(), response),
        }
    }
}
