//! What follows from the Trade API's answers.

use core::time::Duration;

use http::StatusCode;

use super::{TradeApi, TradeLive, TradeState, TradeStep, take_bearer};
use crate::event::Event;
use crate::provider::{Ask, Cx, Fact, Plan, Verdict, When};
use crate::providers::kotak::host::{HostRefused, Refusal, admit};
use crate::providers::kotak::login::{Bearer, Factors, Next, follow, leads_to};
use crate::providers::kotak::wire::envelope;
use crate::providers::kotak::wire::fault::{At, Class, Fault, trade_api as find_fault};
use crate::providers::kotak::wire::gateway::Token;
use crate::providers::kotak::wire::trade_api::{Init, Login, Logout, SecondFactor};
use crate::providers::kotak::{pass_on, sendable, wait_for_the_minute};
use crate::{Because, Cause, CloseReason, Denial, NeedKind, Response, ServerText, Shape, Timestamp};

/// What a login spends, and what ends a session.
const FACTORS: Factors = Factors {
    first: NeedKind::Credentials,
    second: NeedKind::AccessCode,
    proof: "the session token is expired or not correct (99999)",
};

/// How long before its end a bearer is renewed.
const AHEAD: Duration = Duration::from_secs(60);

impl TradeApi {
    pub(super) fn judge(
        &self,
        cx: &mut Cx<'_, TradeState>,
        step: TradeStep,
        response: Response<'_>,
    ) -> Verdict<TradeStep> {
        let success = match step {
            TradeStep::Token => self.got_bearer(cx, response),
            TradeStep::Init => self.got_init(cx, response),
            TradeStep::Login => self.got_one_time_token(cx, response),
            TradeStep::AccessCode | TradeStep::WithoutCode => self.got_session(cx, response),
            TradeStep::RequestCode => {
                let sent = response.status.is_success() && find_fault(At::SecondFactor, response).is_none();
                sent.then(|| self.code_requested(cx))
            }
            TradeStep::Probe => envelope::is_success(response.body).then(|| self.active(cx)),
            TradeStep::Logout => {
                // A page of a proxy says "OK" to anything; the service says "Logout Successful."
                let said = envelope::is_success(response.body)
                    || envelope::read::<Logout<'_>>(response.body).is_some_and(|logout| logout.message.is_some());
                let done = said && response.status.is_success() && find_fault(At::Session, response).is_none();
                done.then_some(Verdict::Close(CloseReason::LoggedOut { confirmed: true }))
            }
        };
        if let Some(verdict) = success {
            bearer_works(cx, step);
            return verdict;
        }
        let at = match step {
            TradeStep::Token => At::Gateway,
            TradeStep::Init => At::Init,
            TradeStep::Login => At::FirstFactor,
            TradeStep::RequestCode | TradeStep::AccessCode | TradeStep::WithoutCode => At::SecondFactor,
            TradeStep::Probe | TradeStep::Logout => At::Session,
        };
        let fault = find_fault(at, response).unwrap_or(Fault::MALFORMED);
        self.failed(cx, step, at, &fault, response)
    }

    fn got_bearer(&self, cx: &mut Cx<'_, TradeState>, response: Response<'_>) -> Option<Verdict<TradeStep>> {
        let token: Token<'_> = crate::wire::json(response.body)?;
        let bearer = token.access_token.filter(sendable)?;
        // -1, or once -2, means for ever.
        let life = token.expires_in.and_then(|life| u64::try_from(life).ok()).filter(|life| *life > 0);
        let ends = life.map(|life| cx.now + Duration::from_secs(life));
        take_bearer(cx, Bearer::fetched(bearer, ends));
        Some(self.go_on(cx.state))
    }

    fn got_init(&self, cx: &mut Cx<'_, TradeState>, response: Response<'_>) -> Option<Verdict<TradeStep>> {
        // No token proves this reply, and `{"status":"DOWN"}` with 503 tells nothing of the user.
        let init = response.status.is_success().then(|| envelope::read::<Init<'_>>(response.body)).flatten();
        let init = init.filter(Init::is_proven)?;
        if init.is_active() == Some(false) {
            let text = init.message.or(init.status).map(|text| ServerText::new(&text));
            let url = init.weblink.and_then(|weblink| weblink.host).map(|url| ServerText::new(&url));
            cx.tell(Fact::Tell(Event::ActionRequired { url, text: text.clone() }));
            return Some(Verdict::Close(CloseReason::Denied(Denial::Rejected(text))));
        }
        if init.encryption.is_some_and(|encryption| !encryption.is_plain()) {
            return Some(protocol(
                TradeStep::Init,
                "asks for passwords to be encoded in a way that is not known",
                response,
            ));
        }
        let told = init.redirect.as_ref().and_then(|place| place.host.as_deref()).unwrap_or_default();
        let port = init.redirect.as_ref().and_then(|place| place.port);
        Some(match self.switch(cx, told, port) {
            Ok(true) => Verdict::next(TradeStep::Init),
            Ok(false) => Ask::new(NeedKind::Credentials, cx.state.login.because()).into(),
            Err(refused) => protocol(TradeStep::Init, &refused.to_string(), response),
        })
    }

    fn got_one_time_token(&self, cx: &mut Cx<'_, TradeState>, response: Response<'_>) -> Option<Verdict<TradeStep>> {
        let login: Login<'_> = envelope::read(response.body)?;
        cx.state.one_time_token = Some(login.one_time_token.filter(sendable)?);
        cx.tell(Fact::Accepted(NeedKind::Credentials));
        Some(self.second_factor(cx.state))
    }

    fn got_session(&self, cx: &mut Cx<'_, TradeState>, response: Response<'_>) -> Option<Verdict<TradeStep>> {
        let second: SecondFactor<'_> = envelope::read(response.body)?;
        let session_token = second.session_token.filter(sendable)?;
        let client_code = second.client_code.map(|code| code.0.into_owned());
        cx.state.live = Some(TradeLive { session_token, client_code });
        cx.state.one_time_token = None;
        cx.state.login.because = None;
        cx.tell(Fact::NewTokens);
        Some(self.active(cx))
    }

    fn code_requested(&self, cx: &mut Cx<'_, TradeState>) -> Verdict<TradeStep> {
        cx.state.code_requested = true;
        Ask::new(NeedKind::AccessCode, cx.state.login.because()).into()
    }

    fn active(&self, cx: &Cx<'_, TradeState>) -> Verdict<TradeStep> {
        let ends = cx.state.login.bearer.ends.filter(|_| self.consumer_secret.is_some());
        let renews = |ends: Timestamp| Plan::new().renew(TradeStep::Token, When::In((ends - AHEAD).since(cx.now)));
        ends.map(renews).unwrap_or_default().into()
    }

    /// Follows the server to another host, once in a login; gives whether there is one to follow to.
    fn switch(&self, cx: &mut Cx<'_, TradeState>, told: &str, port: Option<u64>) -> Result<bool, HostRefused> {
        let Some(moved) = admit(self.host(cx.state), told, port)? else { return Ok(false) };
        if cx.state.switched {
            return Err(HostRefused::new(told, Refusal::Again));
        }
        cx.state.switched = true;
        cx.state.host = Some(moved);
        Ok(true)
    }

    fn failed(
        &self,
        cx: &mut Cx<'_, TradeState>,
        step: TradeStep,
        at: At,
        fault: &Fault<'_>,
        response: Response<'_>,
    ) -> Verdict<TradeStep> {
        let live = cx.state.live.is_some();
        if !matches!(fault.class, Class::BearerInvalid | Class::Unavailable | Class::Malformed | Class::Quota) {
            bearer_works(cx, step);
        }
        // A bearer that has done its time and a host that is told are everyday life.
        let everyday = matches!(fault.class, Class::BearerInvalid if cx.state.login.bearer.worked);
        if !everyday && !matches!(fault.class, Class::Malformed | Class::WrongHost(_)) {
            pass_on(cx, fault, response);
        }
        match (&fault.class, step) {
            (Class::SessionExpired, TradeStep::Logout) => {
                return Verdict::Close(CloseReason::LoggedOut { confirmed: true });
            }
            // The report itself was refused, or is empty: whoever refused it had let the session in.
            (Class::Rejected, TradeStep::Probe) if !matches!(response.status.as_u16(), 401 | 403 | 404 | 405) => {
                return self.active(cx);
            }
            // Key and secret are no answer of a person's, so none was refused: somebody may have a bearer.
            (Class::CredentialsRejected, _) if live => {
                return Ask::new(NeedKind::GatewayToken, Because::Expired).into();
            }
            // No code was given, so none was refused: the account needs one after all.
            (Class::SecondFactorRejected | Class::Rejected, TradeStep::WithoutCode) if !live => {
                return Ask::new(NeedKind::AccessCode, cx.state.login.because()).into();
            }
            // The code may come by itself.
            (Class::SecondFactorRejected | Class::Rejected, TradeStep::RequestCode) if !live => {
                return self.code_requested(cx);
            }
            _ => {}
        }
        match leads_to(&fault.class, at, live, cx.state.login.repeated) {
            Next::Bearer => self.bearer_refused(cx, step, response.status),
            Next::Wait => wait_for_the_minute(cx),
            Next::Move => {
                let told = if let Class::WrongHost(Some(told)) = &fault.class { told } else { "" };
                self.wrong_host(cx, step, told, response)
            }
            Next::Repeat => {
                cx.state.one_time_token = None;
                follow(cx, &FACTORS, Next::Repeat, fault, response)
            }
            next => follow(cx, &FACTORS, next, fault, response),
        }
    }

    fn bearer_refused(&self, cx: &mut Cx<'_, TradeState>, step: TradeStep, status: StatusCode) -> Verdict<TradeStep> {
        let live = cx.state.live.is_some();
        let refused = || Verdict::Close(CloseReason::Denied(Denial::Refused { kind: NeedKind::GatewayToken }));
        if step == TradeStep::Token {
            // The gateway wants a bearer where bearers are made: `/token` is not below that base URL.
            return if live { Ask::new(NeedKind::GatewayToken, Because::Expired).into() } else { refused() };
        }
        cx.state.leaving = step == TradeStep::Logout;
        if matches!(step, TradeStep::Login | TradeStep::AccessCode) {
            // The gateway refused before anybody looked at the answer, which cannot wait for a bearer. A
            // store would give it for ever, so it is asked for once.
            if core::mem::replace(&mut cx.state.login.repeated, true) {
                return refused();
            }
            cx.state.login.because = Some(Because::Stale);
        }
        let bearer = &mut cx.state.login.bearer;
        // One that never worked is expired, of another host's gateway, or of an application without this API.
        let worked = bearer.worked || bearer.is_over(cx.now);
        let fetched = bearer.fetched;
        if !worked && fetched && !live {
            // Nobody gave this one, and the next one that is fetched would be no better.
            return refused();
        }
        bearer.refused = true;
        // The next process, too, must not find it out by using it.
        cx.tell(Fact::TokensRefused);
        if !worked && !fetched {
            return Ask::new(NeedKind::GatewayToken, Because::Refused).into();
        }
        if !worked {
            // The next one may be no better, and then the session is of no use.
            cx.tell(Fact::Doubt(Cause::Status(status.as_u16())));
        }
        self.want_bearer(Because::Expired)
    }

    fn wrong_host(
        &self,
        cx: &mut Cx<'_, TradeState>,
        step: TradeStep,
        told: &str,
        response: Response<'_>,
    ) -> Verdict<TradeStep> {
        match self.switch(cx, told, None) {
            Ok(true) if cx.state.live.is_some() => Verdict::next(step),
            Ok(true) => {
                // The answer went to the old host, and the one-time token is good there only.
                cx.state.one_time_token = None;
                if step != TradeStep::Init {
                    cx.state.login.because = Some(Because::Stale);
                }
                Verdict::next(TradeStep::Init)
            }
            Ok(false) => protocol(step, "the server names the present host as the right one", response),
            Err(refused) => protocol(step, &refused.to_string(), response),
        }
    }
}

/// The gateway has let a request of the API through, so the bearer is right.
fn bearer_works(cx: &mut Cx<'_, TradeState>, step: TradeStep) {
    if step != TradeStep::Token
        && let Some(fact) = cx.state.login.bearer.works()
    {
        cx.tell(fact);
    }
}

fn protocol(step: TradeStep, why: &str, response: Response<'_>) -> Verdict<TradeStep> {
    Verdict::Close(CloseReason::Protocol(Box::new(Shape::new(step.rule().name, why, response))))
}
