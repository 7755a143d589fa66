//! What follows from Neo's answers.

use super::{Neo, NeoLive, NeoState, NeoStep, ViewToken, day};
use crate::provider::{Ask, Cx, Fact, Spent, Verdict, When};
use crate::providers::kotak::wire::fault::{At, Class, Fault, neo as find_fault};
use crate::providers::kotak::wire::jwt;
use crate::providers::kotak::wire::neo::{ClientIp, Data, Reply, read};
use crate::providers::kotak::{host, pass_on, sendable, server_text};
use crate::{Because, CloseReason, Denial, Event, NeedKind, Response, Secret, Shape, Timestamp};

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
        if cx.state.live.is_some() { self.doubted(cx, &fault, response) } else { self.refused(cx, &fault, response) }
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
        cx.state.because = None;
        cx.tell(Fact::NewTokens);
        Some(active(cx))
    }

    /// A fault of the probe: only a proof of death ends an open session.
    fn doubted(&self, cx: &mut Cx<'_, NeoState>, fault: &Fault<'_>, response: Response<'_>) -> Verdict<NeoStep> {
        match fault.class {
            Class::SessionExpired => Verdict::Dead { proof: proof_of_death(cx) },
            Class::Quota => Verdict::unavailable(),
            Class::Unavailable => outage(response),
            Class::Malformed => Verdict::Unreadable("not an answer of Neo"),
            // Who compares addresses knows the session.
            Class::IpNotAllowed => active(cx),
            _ => Verdict::Retry { after: None, answer: Spent::Judged },
        }
    }

    /// A refusal while the session is being opened.
    fn refused(&self, cx: &mut Cx<'_, NeoState>, fault: &Fault<'_>, response: Response<'_>) -> Verdict<NeoStep> {
        let deny = |denial| Verdict::Close(CloseReason::Denied(denial));
        if !matches!(fault.class, Class::BearerInvalid | Class::Quota | Class::Unavailable | Class::Malformed) {
            dashboard_works(cx);
        }
        match fault.class {
            Class::BearerInvalid => {
                // The gateway refused before anybody looked at the code, whose 30 s will have passed.
                let because = if cx.state.dashboard_worked { Because::Expired } else { Because::Refused };
                cx.state.because = Some(Because::Stale);
                Ask::new(NeedKind::GatewayToken, because).into()
            }
            // "Invalid UCC": no other code would help.
            Class::CredentialsRejected if fault.words().is_some_and(|text| names_the_ucc(&text)) => {
                deny(Denial::Rejected(server_text(fault)))
            }
            Class::CredentialsRejected => Ask::new(NeedKind::Totp, Because::Refused).into(),
            Class::SecondFactorRejected => Ask::new(NeedKind::Pin, Because::Refused).into(),
            Class::OneTimeTokenStale if !cx.state.repeated => {
                cx.state.repeated = true;
                cx.state.view = None;
                cx.state.because = Some(Because::Stale);
                Ask::new(NeedKind::Totp, Because::Stale).into()
            }
            Class::Quota => Verdict::unavailable(),
            Class::Unavailable => outage(response),
            Class::Locked => deny(Denial::Locked),
            Class::NotEntitled => deny(Denial::NotEntitled),
            Class::IpNotAllowed => deny(Denial::IpNotAllowed),
            Class::Malformed => Verdict::Unreadable("not an answer of Neo"),
            _ => deny(Denial::Rejected(server_text(fault))),
        }
    }
}

/// The gateway has let a request through, so the dashboard's token is right.
fn dashboard_works(cx: &mut Cx<'_, NeoState>) {
    if !core::mem::replace(&mut cx.state.dashboard_worked, true) {
        cx.tell(Fact::Accepted(NeedKind::GatewayToken));
    }
}

/// The session lives. Its token may name an end, and the day has one.
fn active(cx: &mut Cx<'_, NeoState>) -> Verdict<NeoStep> {
    let day_ends = day::next_end(cx.now);
    cx.state.day_ends = Some(day_ends);
    let expires = cx.state.live.as_ref().and_then(|live| live.expires).map(When::At);
    // Nothing speaks against the session at the day's end, so it is looked at as for a renewal, without a doubt.
    Verdict::Active { keepalive: None, renew: Some((NeoStep::Probe, When::At(day_ends))), expires }
}

/// Says which of the ends that were known of had come when the server told that the session is dead.
fn proof_of_death(cx: &Cx<'_, NeoState>) -> &'static str {
    let has_come = |end: Option<Timestamp>| end.is_some_and(|end| end <= cx.now);
    if has_come(cx.state.day_ends) {
        "get-client-ip answered after the day's end that the session is invalid"
    } else if has_come(cx.state.live.as_ref().and_then(|live| live.expires)) {
        "get-client-ip answered after the token's own end that the session is invalid"
    } else {
        "get-client-ip answered that the session is invalid"
    }
}

/// The session lives, and calls of a kind are refused to this address.
pub(super) fn tell_address(cx: &mut Cx<'_, NeoState>, fault: &Fault<'_>) {
    cx.tell(Fact::Tell(Event::IpNotAllowed { text: server_text(fault) }));
}

/// Only 503 says that nobody has looked; behind 424, 502 and 504 somebody may have.
fn outage(response: Response<'_>) -> Verdict<NeoStep> {
    if response.status == http::StatusCode::SERVICE_UNAVAILABLE {
        Verdict::unavailable()
    } else {
        Verdict::Retry { after: None, answer: Spent::Judged }
    }
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
