//! The successes of Neo's steps, and helpers for its answers.

use super::*;

/// The answers that a login spends, and the proof of death where no known end has come.
pub(super) const FACTORS: Factors = Factors {
    first: NeedKind::Totp,
    second: NeedKind::Pin,
    proof: "get-client-ip answered that the session is invalid",
};

impl Neo {
    pub(super) fn got_view(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let (token, sid) = granted(&read::<Reply<'_>>(response.body)?.data?)?;
        cx.state.view = Some(ViewToken { token, sid });
        cx.tell(Fact::Accepted(NeedKind::Totp));
        Some(self.go_on(cx.state))
    }

    pub(super) fn got_session(&self, cx: &mut Cx<'_>, response: Response<'_>) -> Option<Judged> {
        let data = read::<Reply<'_>>(response.body)?.data?;
        let (token, sid) = granted(&data)?;
        if data.kind.as_ref().is_some_and(|kind| kind.eq_ignore_ascii_case("View")) {
            return Some(protocol("validate", "the second step answers with a view token", response));
        }
        cx.tell(Fact::Accepted(NeedKind::Pin));
        let host = match data.base_url.filter(|url| !url.trim().is_empty()) {
            Some(base_url) => match host::admit(&self.base, &base_url, None) {
                Ok(host) => host,
                Err(refused) => return Some(protocol("validate", &refused.to_string(), response)),
            },
            // The vendor's SDK keeps using the login host then.
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
}

/// Returns the plan of a session that lives: its token may name an expiry, and the day has an end.
pub(super) fn active(cx: &mut Cx<'_>) -> Judged {
    let day_ends = day::next_end(cx.now);
    cx.state.day_ends = Some(day_ends);
    let expires = cx.state.live.as_ref().and_then(|live| live.expires).map(When::At);
    // At the day's end the session is checked like a renewal, without being in doubt.
    let mut plan = Plan::new().renew(NeoStep::Probe, When::At(day_ends));
    plan.expires = expires;
    plan.into()
}

/// Returns which known end had come when the server answered that the session is dead.
pub(super) fn proof_of_death(cx: &Cx<'_>) -> &'static str {
    let has_come = |end: Option<Timestamp>| end.is_some_and(|end| end <= cx.now);
    if has_come(cx.state.day_ends) {
        "get-client-ip answered after the day's end that the session is invalid"
    } else if has_come(cx.state.live.as_ref().and_then(|live| live.expires)) {
        "get-client-ip answered after the token's own end that the session is invalid"
    } else {
        FACTORS.proof
    }
}

/// Returns the user that the session lives, but orders from this address are refused.
pub(super) fn tell_address(cx: &mut Cx<'_>, fault: &Fault<'_>) {
    cx.tell(Fact::Tell(Event::IpNotAllowed { text: server_text(fault) }));
}

fn granted(data: &Data<'_>) -> Option<(Secret, Secret)> {
    let granted = data.granted()?;
    (sendable(granted.token) && sendable(granted.sid)).then(|| (granted.token.clone(), granted.sid.clone()))
}

pub(super) fn names_the_ucc(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.contains("ucc") && !text.contains("totp")
}
