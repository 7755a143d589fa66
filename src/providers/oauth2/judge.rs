//! What answers mean.

use core::time::Duration;

use http::StatusCode;

use super::config::{ClientOf, Grant, OAuth2, Place, Rotation};
use super::state::{Device, Found, OAuth2Live, OAuth2State, OAuth2Step, Registration};
use super::wire::{
    DeviceAnswer, DiscoveryError, ErrorBody, Meaning, Metadata, Purpose, Registered, RegistrationAnswer, Revocation,
    Scopes, TokenAnswer, Tokens, well_known,
};
use crate::machine::backoff::spread;
use crate::provider::{Ask, Context, Fact, Judgment, Plan, Verdict, When};
use crate::{
    CloseReason, Event, NeedKind, Response,
    machine::{Denial, NeedReason, ServerText},
};

type State = OAuth2State;
type Step = OAuth2Step;

/// The least time before its end at which a token is renewed, and how much more the seed may add.
const MARGIN: Duration = Duration::from_secs(30);

/// The most, so that a token of a month is not renewed days before its end.
const LONGEST: Duration = Duration::from_secs(15 * 60);

/// How much longer each `slow_down` makes the interval (RFC 8628, section 3.5).
const SLOWER: Duration = Duration::from_secs(5);

impl OAuth2 {
    pub(super) fn judge(&self, cx: &mut Context<'_, State>, step: Step, response: Response<'_>) -> Verdict<Step> {
        match step {
            Step::Discover => self.discovered(cx, response),
            Step::Register => self.registered(cx, response),
            Step::DeviceBegin => self.begun(cx, response),
            Step::Revoke => self.revoked(cx, response),
            Step::Probe => self.probed(cx, response),
            Step::Code | Step::DevicePoll | Step::Grant | Step::Refresh => self.tokens(cx, step, response),
        }
    }

    /// Nobody knows what became of a step that must not be sent again by itself.
    pub(super) fn lost(&self, cx: &mut Context<'_, State>, step: Step) -> Verdict<Step> {
        cx.state.because = Some(NeedReason::Lost);
        if step != Step::Refresh {
            return self.go_on(cx);
        }
        let forgiven = matches!(self.rotation, Rotation::Grace(grace) if cx.now + SLOWER < cx.state.sent + grace);
        if forgiven || cx.state.steady > 1 {
            return Verdict::next(Step::Refresh);
        }
        // It may have been spent; a repetition would kill what came of it.
        cx.state.spent = true;
        if self.grant == Grant::Given && cx.state.live.is_none() {
            cx.state.refresh = None;
        }
        self.go_on(cx)
    }

    fn discovered(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        let Place::Issuer(issuer) = &self.server.place else { return Verdict::Unreadable("no issuer is configured") };
        match Metadata::read(response, issuer) {
            Ok(found) if found.token.is_some() => {
                cx.state.found = Some(Found::new(&found));
                self.go_on(cx)
            }
            Ok(_) => Verdict::Unreadable("the metadata name no token endpoint"),
            Err(DiscoveryError::OtherName) => Verdict::Unreadable("the metadata are those of another issuer"),
            Err(DiscoveryError::Insecure(_)) => Verdict::Unreadable("an endpoint is no https URL"),
            Err(DiscoveryError::NoDocument) => {
                let next = usize::from(cx.state.places) + 1;
                match response.status.as_u16() {
                    // It is not in this place; an edge that refuses, or a body that was cut, says nothing of places.
                    404 | 405 | 410 if next < well_known(issuer).len() => {
                        cx.state.places = u8::try_from(next).unwrap_or(u8::MAX);
                        Verdict::next(Step::Discover)
                    }
                    404 | 405 | 410 => Verdict::Unreadable("there are no metadata"),
                    _ => Verdict::unavailable(),
                }
            }
        }
    }

    fn registered(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        match Registered::read(response) {
            RegistrationAnswer::Registered(found) => {
                let ClientOf::Register { name } = &self.client else {
                    return Verdict::Unreadable("nothing to register");
                };
                let redirects = self.redirects();
                if let Some(field) = found.differs(&self.registration(name, &redirects)) {
                    let text = Some(ServerText::new(&format!("registered with another {field}")));
                    return Verdict::Close(CloseReason::Denied(Denial::Rejected(text)));
                }
                cx.state.client = Some(Registration::new(&found));
                self.go_on(cx)
            }
            RegistrationAnswer::Error(error) => self.refused(&error),
            RegistrationAnswer::Unknown => Verdict::unavailable(),
        }
    }

    fn begun(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        match DeviceAnswer::read(response) {
            DeviceAnswer::Code(code) => {
                let url = Some(ServerText::new(&code.verification_uri));
                let text = Some(ServerText::new(&code.user_code));
                cx.tell(Fact::Tell(Event::ActionRequired { url, text }));
                cx.state.device = Some(Device {
                    code: Some(code.device_code),
                    user_code: code.user_code,
                    uri: code.verification_uri_complete.unwrap_or(code.verification_uri),
                    interval: code.interval,
                    ends: code.expires_in.map(|lasts| cx.now + lasts),
                });
                let because = cx.state.because.unwrap_or(NeedReason::Opening);
                cx.state.because = Some(because);
                self.ask_device(cx.state, because)
            }
            DeviceAnswer::Error(error) => match error.meaning(Purpose::DeviceBegin) {
                Meaning::Later => Verdict::unavailable(),
                Meaning::Client => self.client_unknown(cx, &error),
                _ => self.refused(&error),
            },
            DeviceAnswer::Unknown => Verdict::unavailable(),
        }
    }

    fn ask_device(&self, state: &State, because: NeedReason) -> Verdict<Step> {
        let Some(device) = &state.device else { return Verdict::next(Step::DeviceBegin) };
        let ask = Ask::new(NeedKind::Browser, because).url((*device.uri).into());
        let ask = if device.code.is_some() { ask.poll(Step::DevicePoll, device.interval) } else { ask };
        self.lasting(state, ask).into()
    }

    /// The device code is over: whoever still wants to consent says so.
    fn device_over(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        if let Some(device) = &mut cx.state.device {
            device.code = None;
        }
        cx.state.because = Some(NeedReason::Stale);
        self.ask_device(cx.state, NeedReason::Stale)
    }

    fn tokens(&self, cx: &mut Context<'_, State>, step: Step, response: Response<'_>) -> Verdict<Step> {
        let errand = match step {
            Step::Code => Purpose::Code,
            Step::DevicePoll => Purpose::DevicePoll,
            Step::Grant => Purpose::ClientCredentials,
            _ => Purpose::Refresh,
        };
        let (error, interval) = match TokenAnswer::read(response) {
            TokenAnswer::Tokens(tokens) => return self.take(cx, step, *tokens),
            TokenAnswer::UnknownType => {
                let text = Some(ServerText::new("the token is of an unknown type"));
                return Verdict::Close(CloseReason::Denied(Denial::Rejected(text)));
            }
            TokenAnswer::Unjudged if step == Step::DevicePoll && response.status == StatusCode::TOO_MANY_REQUESTS => {
                return self.poll_slower(cx, None);
            }
            TokenAnswer::Unjudged => return Verdict::unavailable(),
            TokenAnswer::Unknown => return Verdict::Retry { after: None, answer: Judgment::Judged },
            TokenAnswer::Error { error, interval } => (error, interval),
        };
        let dead_word = self.dead_words.iter().any(|word| **word == *error.code.as_str());
        if step == Step::Refresh && dead_word {
            return self.dead(cx, &error);
        }
        match error.meaning(errand) {
            Meaning::ConsentDead => self.dead(cx, &error),
            Meaning::Later => Verdict::unavailable(),
            Meaning::Pending => self.ask_device(cx.state, cx.state.because.unwrap_or(NeedReason::Opening)),
            Meaning::SlowDown => self.poll_slower(cx, interval),
            Meaning::AttemptOver if step == Step::DevicePoll => self.device_over(cx),
            Meaning::AttemptOver => {
                cx.tell(Fact::server_says(error.code.as_str()));
                cx.state.because = Some(NeedReason::Refused);
                self.consent(cx)
            }
            Meaning::Denied if step == Step::DevicePoll && cx.state.live.is_some() => self.device_over(cx),
            Meaning::Client => self.client_unknown(cx, &error),
            Meaning::Denied | Meaning::Configuration | Meaning::CannotRevoke => self.refused(&error),
        }
    }

    fn poll_slower(&self, cx: &mut Context<'_, State>, named: Option<Duration>) -> Verdict<Step> {
        if let Some(device) = &mut cx.state.device {
            device.interval = (device.interval + SLOWER).max(named.unwrap_or_default());
        }
        self.ask_device(cx.state, cx.state.because.unwrap_or(NeedReason::Opening))
    }

    fn refused(&self, error: &ErrorBody) -> Verdict<Step> {
        let text = match &error.description {
            Some(text) => ServerText::new(&format!("{}: {}", error.code.as_str(), text.as_str())),
            None => error.code.clone(),
        };
        Verdict::Close(CloseReason::Denied(Denial::Rejected(Some(text))))
    }

    /// The server does not know the client any more: one that registers itself does so anew, once.
    fn client_unknown(&self, cx: &mut Context<'_, State>, error: &ErrorBody) -> Verdict<Step> {
        if !matches!(self.client, ClientOf::Register { .. }) || core::mem::replace(&mut cx.state.again, true) {
            return self.refused(error);
        }
        // Its refresh token died with it.
        (cx.state.client, cx.state.refresh, cx.state.spent) = (None, None, false);
        cx.state.because = Some(NeedReason::Expired);
        self.go_on(cx)
    }

    fn dead(&self, cx: &mut Context<'_, State>, error: &ErrorBody) -> Verdict<Step> {
        let words = error.subcode.as_ref().or(error.description.as_ref()).unwrap_or(&error.code);
        cx.tell(Fact::server_says(words.as_str()));
        if self.grant == Grant::Given && cx.state.live.is_none() {
            cx.state.refresh = None;
            return Ask::new(NeedKind::GatewayToken, NeedReason::Refused).into();
        }
        (cx.state.refresh, cx.state.live) = (None, None);
        Verdict::Dead { proof: "the refresh token is dead" }
    }

    fn take(&self, cx: &mut Context<'_, State>, step: Step, tokens: Tokens) -> Verdict<Step> {
        let now = cx.now;
        let sent = cx.state.sent.min(now);
        let fresh = step != Step::Refresh;
        let same = match (&tokens.refresh, &cx.state.refresh) {
            (None, _) => true,
            (Some(new), Some(old)) => old.matches(new.expose()),
            (Some(_), None) => false,
        };
        cx.state.steady = if step == Step::Refresh && same { cx.state.steady.saturating_add(1) } else { 0 };
        if tokens.refresh.is_some() || fresh {
            cx.state.refresh = tokens.refresh;
        }
        cx.state.spent = false;
        let named = tokens.consent_expires_in.or(tokens.refresh_expires_in);
        if let Some(lasts) = named.or(self.refresh_lasts.filter(|_| fresh)) {
            cx.state.ends = Some((sent + lasts, lasts / 14));
        } else if fresh {
            cx.state.ends = None;
        }
        let lasts = tokens.expires_in.or(self.access_lasts);
        cx.state.live = Some(OAuth2Live {
            access: tokens.access,
            expires: lasts.map(|lasts| sent + lasts),
            scope: tokens.scopes.as_ref().map(|scopes| scopes.iter().collect::<Vec<_>>().join(" ").into()),
            renews: cx.state.refresh.is_some() || self.grant == Grant::ClientCredentials,
        });
        if fresh {
            // Redeemed: what comes next is another attempt.
            (cx.state.attempt, cx.state.device, cx.state.because) = (None, None, None);
            cx.state.again = false;
        }
        // A question that is open is held against the attempt that it was put with.
        if cx.state.attempt.is_none() {
            self.attempt(cx);
        }
        cx.state.stale = false;
        cx.tell(Fact::NewTokens);
        if let Some(why) = tokens.scopes.as_ref().and_then(|scopes| self.unfit(scopes)) {
            cx.tell(Fact::server_says(&why));
            cx.state.unfit = true;
            let revokes = self.endpoints(cx.state).is_some_and(|known| known.revocation.is_some());
            if revokes {
                return Verdict::next(Step::Revoke);
            }
            return Verdict::Close(CloseReason::Denied(Denial::NotEntitled));
        }
        self.plan(cx)
    }

    /// Says what was granted and may not be, or was not and must be.
    fn unfit(&self, granted: &Scopes) -> Option<String> {
        // Whether a refresh token comes is seen, and servers leave this one out of what they granted.
        if let Some(missing) = granted.missing(&self.required).find(|scope| *scope != "offline_access") {
            return Some(format!("scope {missing} was not granted"));
        }
        if self.allowed == Scopes::default() {
            return None;
        }
        let more = self.allowed.missing(granted).find(|scope| !self.required.contains(scope));
        more.map(|scope| format!("scope {scope} was granted and is not allowed"))
    }

    /// Plans the renewals of an open session.
    pub(super) fn plan(&self, cx: &mut Context<'_, State>) -> Verdict<Step> {
        let state = &*cx.state;
        let mut plan = Plan::new();
        let expires = state.live.as_ref().and_then(|live| live.expires);
        let renewal = self.renewal(state);
        if let (Some(expires), Some(step)) = (expires, renewal) {
            let left = expires.since(cx.now);
            let drawn = cx.entropy.bytes(&["oauth2", self.server.base.authority().as_str(), "renewal"]);
            let seed = drawn.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
            let tenth = (left / 10).min(LONGEST);
            let more = Duration::from_millis(spread(seed, crate::time::millis(tenth) + 1));
            let margin = (MARGIN.max(tenth / 2) + more / 2).min(left / 2);
            plan = plan.renew(step, When::In(left - margin)).expires(When::In(left));
        }
        let consent = match self.grant {
            Grant::Code { .. } => Some(Step::Code),
            Grant::Device => Some(Step::DeviceBegin),
            Grant::ClientCredentials | Grant::Given => None,
        };
        if let (Some((ends, margin)), Some(step)) = (state.ends, consent)
            && renewal != Some(step)
        {
            plan = plan.renew(step, When::At(ends - margin));
        }
        if matches!(self.grant, Grant::Device) {
            cx.state.because = Some(NeedReason::Renewing);
        }
        plan.into()
    }

    fn revoked(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        let over = |confirmed, unfit| {
            let denied = CloseReason::Denied(Denial::NotEntitled);
            Verdict::Close(if unfit { denied } else { CloseReason::LoggedOut { confirmed } })
        };
        let unfit = cx.state.unfit;
        match Revocation::read(response) {
            Revocation::Done => {
                let had_refresh = cx.state.refresh.take().is_some();
                // A token that ends at once need not be ended.
                let lives = |live: &OAuth2Live| live.expires.is_none_or(|ends| ends > cx.now + MARGIN);
                if had_refresh && cx.state.live.as_ref().is_some_and(lives) {
                    return Verdict::next(Step::Revoke);
                }
                cx.state.live = None;
                over(true, unfit)
            }
            // The refresh token is revoked by then; an access token ends by itself.
            Revocation::Error(error) if error.meaning(Purpose::Revoke) == Meaning::CannotRevoke => {
                over(cx.state.refresh.is_none(), unfit)
            }
            Revocation::Error(error) if error.meaning(Purpose::Revoke) == Meaning::Later => Verdict::unavailable(),
            Revocation::Error(error) => {
                cx.tell(Fact::server_says(error.code.as_str()));
                over(false, unfit)
            }
            Revocation::Later => Verdict::unavailable(),
            Revocation::Unknown => Verdict::Retry { after: None, answer: Judgment::Judged },
        }
    }

    fn probed(&self, cx: &mut Context<'_, State>, response: Response<'_>) -> Verdict<Step> {
        match response.status {
            status if status.is_success() && !response.is_html() => {
                cx.state.refused = 0;
                Verdict::alive()
            }
            // Whatever the reason, the token is not good there: one renewal, then a person.
            StatusCode::UNAUTHORIZED if !response.is_html() => {
                cx.state.stale = true;
                cx.state.refused = cx.state.refused.saturating_add(1);
                self.renewal(cx.state).map_or(Verdict::Dead { proof: "the access token is refused" }, Verdict::next)
            }
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Verdict::unavailable(),
            status if status.is_server_error() => Verdict::Retry { after: None, answer: Judgment::Failed },
            _ => Verdict::Unreadable("not an answer to the probe"),
        }
    }
}
