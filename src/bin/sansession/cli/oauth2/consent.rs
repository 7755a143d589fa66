//! Who consents: a person in a browser, who is heard at a loopback address or pastes where it ended.

use std::time::Duration;

use sansession::drive::{Answer, Handle, blocking::RedirectListener};
use sansession::{Input, Need, NeedKind, Secret, Source};

use crate::cli::answers::prompt_hidden;

/// A person of an embedded simulator, who opens a URL and tells where the browser ended.
pub type Embedded = Box<dyn Fn(&Need) -> Option<Input> + Send>;

/// What answers a session's questions about consents.
pub struct Consents {
    pub handle: Handle,
    /// What hears the browser, where the redirect leads to this machine.
    pub listener: Option<RedirectListener>,
    pub embedded: Option<Embedded>,
}

impl Consents {
    /// Answers what is asked about a consent; none where it is about something else.
    pub fn answer(&mut self, need: &Need, may_type: bool) -> Option<Answer> {
        if let Some(input) = self.embedded.as_ref().and_then(|person| person(need)) {
            return Some(Answer::Now(input, Source::Person));
        }
        match need.kind {
            NeedKind::Redirect => Some(self.redirect(need)),
            NeedKind::GatewayToken => Some(token(may_type)),
            _ => None,
        }
    }

    fn redirect(&mut self, need: &Need) -> Answer {
        if let Some(listener) = &mut self.listener {
            return listener.answer(&self.handle, need).unwrap_or_else(|error| {
                eprintln!("sansession: --redirect {}: {error}", listener.redirect_uri());
                // Whoever has the port may give it back.
                Answer::Later(Duration::from_secs(10))
            });
        }
        // Line breaks and blanks come from the window that it is copied out of.
        let pasted = prompt_hidden("address after the consent: ");
        let pasted = pasted.map(|text| text.expose().split_whitespace().collect::<String>());
        match pasted.filter(|text| !text.is_empty()) {
            Some(address) => Answer::Now(Input::Redirect(Secret::new(address)), Source::Person),
            None => Answer::GiveUp,
        }
    }
}

fn token(may_type: bool) -> Answer {
    let token = if may_type { prompt_hidden("refresh token: ") } else { None };
    let token = token.filter(|token| !token.is_empty());
    token.map_or(Answer::GiveUp, |token| Answer::Now(Input::Token(token), Source::Person))
}
