//! What answers mean.

use core::time::Duration;

use http::StatusCode;

use super::config::{OAuth2, Place};
use super::state::{Device, Found, OAuth2State, OAuth2Step, Registration};
use super::who::ClientOf;
use super::wire::{
    DeviceAnswer, DiscoveryError, ErrorBody, Meaning, Metadata, Purpose, Registered, RegistrationAnswer, TokenAnswer,
    well_known,
};
use crate::provider::{Context, Fact, Judgment, Verdict};
use crate::{
    CloseReason, Event, Response,
    machine::{Denial, NeedReason, ServerText},
};

type State = OAuth2State;
type Step = OAuth2Step;

/// How much longer each `slow_down` makes the interval (RFC 8628, section 3.5).
pub(super) const SLOWER: Duration = Duration::from_secs(5);

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
                let ClientOf::Register(described) = &self.client else {
                    return Verdict::Unreadable("nothing to register");
                };
                let redirects = self.redirects();
                if let Some(field) = found.differs(&self.registration(described, &redirects)) {
                    let text = Some(ServerText::new(&format!("registered with another {field}")));
                    return Verdict::Close(CloseReason::Denied(Denial::Rejected(text)));
                }
                cx.state.client = Some(Registration::new(&found, redirects.first().copied()));
                self.go_on(cx)
            }
            RegistrationAnswer::Error(error) if error.meaning(Purpose::Register) == Meaning::Later => {
                Verdict::unavailable()
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
                cx.state.device = Some(Device::new(*code, cx.now));
                self.ask_device(cx.state, cx.now)
            }
            DeviceAnswer::Error(error) => match error.meaning(Purpose::DeviceBegin) {
                Meaning::Later => Verdict::unavailable(),
                Meaning::Client => self.client_unknown(cx, &error),
                _ => self.refused(&error),
            },
            DeviceAnswer::Unknown => Verdict::unavailable(),
        }
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
            // What was sent may be spent, and an open session does not end for it.
            TokenAnswer::UnknownType if cx.state.live.is_some() => {
                return Verdict::Retry { after: None, answer: Judgment::Judged };
            }
            TokenAnswer::UnknownType => {
                let text = Some(ServerText::new("the token is of an unknown type"));
                return Verdict::Close(CloseReason::Denied(Denial::Rejected(text)));
            }
            TokenAnswer::Unjudged if step == Step::DevicePoll && response.status == StatusCode::TOO_MANY_REQUESTS => {
                return self.poll_slower(cx, None);
            }
            TokenAnswer::Unjudged => return self.unjudged(cx, step),
            TokenAnswer::Unknown => return Verdict::Retry { after: None, answer: Judgment::Judged },
            TokenAnswer::Error { error, interval } => (error, interval),
        };
        let dead_word = self.dead_words.iter().any(|word| **word == *error.code.as_str());
        if step == Step::Refresh && dead_word {
            return self.dead(cx, &error);
        }
        match error.meaning(errand) {
            Meaning::ConsentDead => self.dead(cx, &error),
            Meaning::Later => self.unjudged(cx, step),
            Meaning::Pending => self.ask_device(cx.state, cx.now),
            Meaning::SlowDown => self.poll_slower(cx, interval),
            Meaning::AttemptOver if step == Step::DevicePoll => self.device_over(cx),
            Meaning::AttemptOver => {
                cx.tell(Fact::server_says(error.code.as_str()));
                (cx.state.because, cx.state.attempt) = (Some(NeedReason::Refused), None);
                self.consent(cx)
            }
            Meaning::Denied if step == Step::DevicePoll => self.device_declined(cx, &error),
            Meaning::Client => self.client_unknown(cx, &error),
            Meaning::Denied | Meaning::Configuration | Meaning::CannotRevoke => self.refused(&error),
        }
    }

    fn poll_slower(&self, cx: &mut Context<'_, State>, named: Option<Duration>) -> Verdict<Step> {
        if let Some(device) = &mut cx.state.device {
            device.interval = (device.interval + SLOWER).max(named.unwrap_or_default());
        }
        self.ask_device(cx.state, cx.now)
    }

    pub(super) fn refused(&self, error: &ErrorBody) -> Verdict<Step> {
        let text = match &error.description {
            Some(text) => ServerText::new(&format!("{}: {}", error.code.as_str(), text.as_str())),
            None => error.code.clone(),
        };
        Verdict::Close(CloseReason::Denied(Denial::Rejected(Some(text))))
    }

    /// The server does not know the client any more: one that registers itself does so again, once.
    pub(super) fn client_unknown(&self, cx: &mut Context<'_, State>, error: &ErrorBody) -> Verdict<Step> {
        let registers = matches!(self.client, ClientOf::Register(_));
        if !registers || core::mem::replace(&mut cx.state.again, true) {
            return self.refused(error);
        }
        cx.tell(Fact::server_says(error.code.as_str()));
        // Its refresh token and what a person was asked with died with it.
        cx.state.forget_refresh();
        cx.state.former.clear();
        (cx.state.client, cx.state.attempt, cx.state.device) = (None, None, None);
        cx.state.dead = cx.state.live.is_some();
        cx.state.because = Some(NeedReason::Expired);
        self.go_on(cx)
    }
}
