//! What follows from Neo's answers.

use super::{Neo, NeoLive, NeoState, NeoStep, ViewToken, day};
use crate::provider::{Ask, Cx, Fact, Plan, Verdict, When};
use crate::providers::kotak::login::{Factors, Next, follow, leads_to};
use crate::providers::kotak::wire::fault::{At, Class, Fault, neo as find_fault};
use crate::providers::kotak::wire::jwt;
use crate::providers::kotak::wire::neo::{ClientIp, Data, Reply, read};
use crate::providers::kotak::{host, pass_on, sendable, server_text};
use crate::{Because, CloseReason, Event, NeedKind, Response, Secret, Shape, Timestamp};

/// What a login spends, and what ends a session where no known end has come.
const FACTORS: Factors = Factors {
    first: NeedKind::Totp,
    second: NeedKind::Pin,
    proof: "get-client-ip answered that the session is invalid",
};

impl Neo {
    pub(super) fn judge(&self, cx: &mut Cx<'_, NeoState>, step: NeoStep, response: Response<'_>) -> Verdict<NeoStep> {
        let success = match step {
            NeoStep::Login => self.got_view(cx, response),
            NeoStep::Validate => self.got_session(cx, response),
            NeoStep::Probe => {
                let lives = read::<ClientIp<'_>>(response.body).is_some_and(|reply| reply.ip().is_some());
                lives.then(|| active(cx))
            }
        };
        if let Some(verdict) = success {
            dashboard_works(cx);
            return verdict;
        }
        let at = match step {
            NeoStep::Login => At::FirstFactor,
            NeoStep::Validate => At::SecondFactor,
            NeoStep::Probe => At::Session,
        };
        let fault = find_fault(at, response).unwrap_or(Fault::MALFORMED);
        match fault.class {
            Class::Malformed => {}
            Class::IpNotAllowed if cx.state.live.is_some() => tell_address(cx, &fault),
            _ => pass_on(cx, &fault, response),
        }
        self.failed(cx, at, &fault, response)
    }

    fn got_view(&self, cx: &mut Cx<'_, NeoState>, response: Response<'_>) -> Option<Verdict<NeoStep>> {
        let (token, sid) = granted(&read::<Reply<'_>>(response.body)?.data?)?;
        cx.state.view = Some(ViewToken { token, sid });
        cx.tell(Fact::Accepted(NeedKind::Totp));
        Some(self.go_on(cx.state))
    }

    fn got_session(&self, cx: &mut Cx<'_, NeoState>, response: Response<'_>) -> Option<Verdict<NeoStep>> {
        let data = read::<Reply<'_>>(response.body)?.data?;
        let (token, sid) = granted(&data)?;
        if data.kind.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("View")) {
            return Some(protocol("the second step answers with a view token", response));
        }
        cx.tell(Fact::Accepted(NeedKind::Pin));
        let host = match data.base_url.filter(|url| !url.trim().is_empty()) {
            Some(base_url) => match host::admit(&self.base, &base_url, None) {
                Ok(host) => host,
                Err(refused) => return Some(protocol(&refused.to_string(), response)),
            },
            // The vendor's SDK goes on with the login host then.
            None => {
                cx.tell(Fact::Tell(Event::BaseUrlAssumed { url: self.base.to_string().into() }));
                None
            }
        };
        let expires = jwt::ends(token.expose());
        let data_center = data.data_center.map(std::borrow::Cow::into_owned);
        cx.state.live = Some(NeoLive { token, sid, host, expires, data_center });
        cx.state.view = None;
        cx.state.login.because = None;
        cx.tell(Fact::NewTokens);
        Some(active(cx))
    }

    fn failed(&self, cx: &mut Cx<'_, NeoState>, at: At, fault: &Fault<'_>, response: Response<'_>) -> Verdict<NeoStep> {
        let live = cx.state.live.is_some();
        if !live && !matches!(fault.class, Class::BearerInvalid | Class::Quota | Class::Unavailable | Class::Malformed)
        {
            dashboard_works(cx);
        }
        match (&fault.class, leads_to(&fault.class, at, live, cx.state.login.repeated)) {
            // Who compares addresses knows the session.
            (Class::IpNotAllowed, _) if live => active(cx),
            // The paths that Neo answers are those of one host.
            (Class::BearerInvalid | Class::WrongHost(_), _) if live => {
                follow(cx, &FACTORS, Next::Later, fault, response)
            }
            (_, Next::Dead) => Verdict::Dead { proof: proof_of_death(cx) },
            (_, Next::Bearer) => {
                // The gateway refused before anybody looked at the code, whose 30 s will have passed.
                let because = if cx.state.login.bearer.worked { Because::Expired } else { Because::Refused };
                cx.state.login.because = Some(Because::Stale);
                Ask::new(NeedKind::GatewayToken, because).into()
            }
            // "Invalid UCC": no other code would help.
            (_, Next::First) if fault.words().is_some_and(|text| names_the_ucc(&text)) => {
                follow(cx, &FACTORS, Next::Rejected, fault, response)
            }
            (_, Next::Repeat) => {
                cx.state.view = None;
                follow(cx, &FACTORS, Next::Repeat, fault, response)
            }
            (_, next) => follow(cx, &FACTORS, next, fault, response),
        }
    }
}

/// The gateway has let a request through, so the dashboard's token is right.
fn dashboard_works(cx: &mut Cx<'_, NeoState>) {
    if let Some(fact) = cx.state.login.bearer.works() {
        cx.tell(fact);
    }
}

/// The session lives. Its token may name an end, and the day has one.
fn active(cx: &mut Cx<'_, NeoState>) -> Verdict<NeoStep> {
    let day_ends = day::next_end(cx.now);
    cx.state.day_ends = Some(day_ends);
    let expires = cx.state.live.as_ref().and_then(|live| live.expires).map(When::At);
    // Nothing speaks against the session at the day's end, so it is looked at as for a renewal, without a doubt.
    let mut plan = Plan::new().renew(NeoStep::Probe, When::At(day_ends));
    plan.expires = expires;
    plan.into()
}

/// Says which of the ends that were known of had come when the server told that the session is dead.
fn proof_of_death(cx: &Cx<'_, NeoState>) -> &'static str {
    let has_come = |end: Option<Timestamp>| end.is_some_and(|end| end <= cx.now);
    if has_come(cx.state.day_ends) {
        "get-client-ip answered after the day's end that the session is invalid"
    } else if has_come(cx.state.live.as_ref().and_then(|live| live.expires)) {
        "get-client-ip answered after the token's own end that the session is invalid"
    } else {
        FACTORS.proof
    }
}

/// The session lives, and calls of a kind are refused to this address.
pub(super) fn tell_address(cx: &mut Cx<'_, NeoState>, fault: &Fault<'_>) {
    cx.tell(Fact::Tell(Event::IpNotAllowed { text: server_text(fault) }));
}

fn granted(data: &Data<'_>) -> Option<(Secret, Secret)> {
    let granted = data.granted()?;
    (sendable(granted.token) && sendable(granted.sid)).then(|| (granted.token.clone(), granted.sid.clone()))
}

fn names_the_ucc(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("ucc") && !text.contains("totp")
}

fn protocol(why: &str, response: Response<'_>) -> Verdict<NeoStep> {
    Verdict::Close(CloseReason::Protocol(Box::new(Shape::new(NeoStep::Validate.rule().name, why, response))))
}
