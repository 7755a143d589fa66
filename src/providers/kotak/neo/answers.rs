//! What each answer of Neo leads to.

use super::judge::*;
use super::*;

impl Neo {
    pub(super) fn judge(&self, cx: &mut Cx<'_>, step: NeoStep, response: Response<'_>) -> Judged {
        let (at, success) = match step {
            NeoStep::Login => (At::FirstFactor, self.got_view(cx, response)),
            NeoStep::Validate => (At::SecondFactor, self.got_session(cx, response)),
            NeoStep::Probe => {
                let lives = read::<ClientIp<'_>>(response.body).is_some_and(|reply| reply.ip().is_some());
                (At::Session, lives.then(|| active(cx)))
            }
        };
        if let Some(verdict) = success {
            bearer_works(cx);
            return verdict;
        }
        let fault = find_fault(at, response).unwrap_or(Fault::MALFORMED);
        let open = cx.state.live.is_some();
        match fault.class {
            Class::Malformed => {}
            Class::IpNotAllowed if open => tell_address(cx, &fault),
            _ => pass_on(cx, &fault, response),
        }
        if !open && !matches!(fault.class, Class::BearerInvalid | Class::Quota | Class::Unavailable | Class::Malformed)
        {
            bearer_works(cx);
        }
        let next = match (&fault.class, leads_to(&fault.class, at, open, cx.state.login.repeated)) {
            // A server that compares addresses knows the session.
            (Class::IpNotAllowed, _) if open => return active(cx),
            // All of Neo's paths are on one host.
            (Class::BearerInvalid | Class::WrongHost(_), _) if open => Next::Later,
            (_, Next::Dead) => return Verdict::Dead { proof: proof_of_death(cx) },
            // The gateway refused before the code was checked, and its 30 s will have passed.
            (_, Next::Bearer) => {
                let because = if cx.state.login.bearer.worked { NeedReason::Expired } else { NeedReason::Refused };
                cx.state.login.because = Some(NeedReason::Stale);
                return Ask::new(NeedKind::GatewayToken, because).into();
            }
            // "Invalid UCC": no other code would help.
            (_, Next::First) if fault.words().is_some_and(|text| names_the_ucc(&text)) => Next::Rejected,
            (_, next) => next,
        };
        if next == Next::Repeat {
            cx.state.view = None;
        }
        follow(cx, &FACTORS, next, &fault, response)
    }
}
