//! What each answer of the Trade API leads to.

use super::judge::*;
use super::*;

impl TradeApi {
    pub(super) fn judge(&self, cx: &mut Cx<'_>, step: TradeStep, response: Response<'_>) -> Judged {
        use TradeStep as S;
        let (at, success) = match step {
            S::Token => (At::Gateway, self.got_bearer(cx, response)),
            S::Init => (At::Init, self.got_init(cx, response)),
            S::Login => (At::FirstFactor, self.got_one_time_token(cx, response)),
            S::RequestCode => (At::SecondFactor, self.got_code_request(cx, response)),
            S::AccessCode | S::WithoutCode => (At::SecondFactor, self.got_session(cx, response)),
            S::Probe => (At::Session, envelope::is_success(response.body).then(|| self.active(cx))),
            S::Logout => (At::Session, self.got_logout(response)),
        };
        if let Some(verdict) = success {
            self.accepted(cx, step);
            return verdict;
        }
        let fault = find_fault(at, response).unwrap_or(Fault::MALFORMED);
        if !matches!(fault.class, Class::BearerInvalid | Class::Unavailable | Class::Malformed | Class::Quota) {
            self.accepted(cx, step);
        }
        let open = cx.state.live.is_some();
        // An expired bearer and a host that is named are routine.
        match fault.class {
            Class::Malformed | Class::WrongHost(_) => {}
            Class::BearerInvalid if cx.state.login.bearer.worked => {}
            _ => pass_on(cx, &fault, response),
        }
        match (&fault.class, step, leads_to(&fault.class, at, open, cx.state.login.repeated)) {
            (Class::SessionExpired, S::Logout, _) => Verdict::Close(CloseReason::LoggedOut { confirmed: true }),
            // The report was refused, or is empty: the session was accepted.
            (Class::Rejected, S::Probe, _) if !matches!(response.status.as_u16(), 401 | 403 | 404 | 405) => {
                self.active(cx)
            }
            // Key and secret were refused, which nobody was asked for: somebody may have a bearer.
            (Class::CredentialsRejected, ..) if open => Ask::new(NeedKind::GatewayToken, NeedReason::Expired).into(),
            // The account needs a code after all; none was given, so none was refused.
            (Class::SecondFactorRejected | Class::Rejected, S::WithoutCode, _) if !open => {
                Ask::new(NeedKind::AccessCode, cx.state.login.because()).into()
            }
            // The code may arrive without a request.
            (Class::SecondFactorRejected | Class::Rejected, S::RequestCode, _) if !open => self.code_requested(cx),

            (_, _, Next::Bearer) => self.bearer_refused(cx, step, response.status),
            (_, _, Next::Wait) => wait_for_the_minute(cx),
            (Class::WrongHost(told), ..) => self.wrong_host(cx, step, told.as_deref().unwrap_or_default(), response),
            (_, _, next) => {
                if next == Next::Repeat {
                    cx.state.one_time_token = None;
                }
                follow(cx, &FACTORS, next, &fault, response)
            }
        }
    }
}
