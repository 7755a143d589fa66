//! Redacts what a server quotes of an answer: some servers repeat what they were sent.

use zeroize::Zeroizing;

use crate::{
    CloseReason, Event, Input, Secret,
    machine::{Denial, ResponseSummary, ServerText},
};

/// What stands in the place of a secret.
const MARK: &str = "…";

/// Words of an answer that are shorter are not looked for: they are in every other text.
const SHORTEST: usize = 4;

/// The secret word of an answer. Its forms are worked out where there is a text, which is seldom.
pub(super) struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    /// Takes the secret word of an answer; the login name is none.
    pub(super) fn of(answer: &'a Input) -> Self {
        Self(match answer {
            Input::Credentials(given) => given.password(),
            Input::Totp(totp) => totp.code(),
            Input::Code(secret)
            | Input::Pin(secret)
            | Input::Token(secret)
            | Input::Redirect(secret)
            | Input::Text(secret) => secret.expose(),
            // Bytes leave in base64 only, which is a token by its look.
            Input::Signature(_) | Input::Decrypted(_) => "",
            Input::Done | Input::TakeOver | Input::GiveUp => "",
        })
    }

    /// Takes a secret that is not an answer.
    pub(super) fn secret(secret: &'a Secret) -> Self {
        Self(secret.expose())
    }

    /// Returns the word in the forms in which a server may quote it.
    fn forms(&self) -> Vec<Zeroizing<String>> {
        let Self(word) = *self;
        if word.len() < SHORTEST {
            return Vec::new();
        }
        let encoded = Zeroizing::new(serde_urlencoded::to_string([("", word)]).unwrap_or_default());
        let encoded = Zeroizing::new(encoded.trim_start_matches('=').to_owned());
        let mut words = vec![Zeroizing::new(word.to_owned())];
        for form in [encoded, Zeroizing::new(ServerText::escaped(word))] {
            if !words.contains(&form) {
                words.push(form);
            }
        }
        words
    }

    /// Returns a text without the words, where it has any of them.
    pub(super) fn redact(&self, text: &str) -> Option<Box<str>> {
        let mut redacted = None;
        for word in &self.forms() {
            let present = redacted.as_deref().unwrap_or(text);
            if present.contains(word.as_str()) {
                redacted = Some(present.replace(word.as_str(), MARK));
            }
            // A text that was cut may end with the beginning of a word.
            let present = redacted.as_deref().unwrap_or(text);
            let begun = word.char_indices().rev().map(|(end, _)| end).take_while(|end| *end >= SHORTEST);
            let rest = begun.filter_map(|end| present.strip_suffix(word.get(..end)?)).next();
            if let Some(rest) = rest {
                redacted = Some(format!("{rest}{MARK}"));
            }
        }
        redacted.map(Into::into)
    }

    fn redact_text(&self, text: &mut ServerText) {
        if let Some(redacted) = self.redact(text.as_str()) {
            *text = ServerText::from_redacted(redacted);
        }
    }

    /// Redacts the words in what an event quotes.
    pub(super) fn redact_event(&self, event: &mut Event) {
        match event {
            Event::ServerSays(text) | Event::IpNotAllowed { text: Some(text) } => self.redact_text(text),
            Event::ActionRequired { url, text } => {
                [url, text].into_iter().flatten().for_each(|text| self.redact_text(text))
            }
            Event::Suspect { shape: Some(shape), .. } => self.redact_summary(shape),
            _ => {}
        }
    }

    /// Redacts the words in what a reason quotes.
    pub(super) fn redact_reason(&self, reason: &mut CloseReason) {
        match reason {
            CloseReason::Denied(Denial::Rejected(Some(text))) => self.redact_text(text),
            CloseReason::Protocol(shape) => self.redact_summary(shape),
            _ => {}
        }
    }

    /// Redacts the words in a summary.
    pub(super) fn redact_summary(&self, summary: &mut ResponseSummary) {
        if let Some(text) = &mut summary.content_type {
            self.redact_text(text);
        }
        for part in [Some(&mut summary.why), summary.json.as_mut()].into_iter().flatten() {
            if let Some(redacted) = self.redact(part) {
                *part = redacted;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Credentials;
    use crate::redact::is_token;

    fn login(password: &str) -> Input {
        Input::Credentials(Credentials::new("norm", password).unwrap())
    }

    #[test]
    fn a_quoted_answer_is_redacted_out() {
        let login = login("tr0ub 4dor&3");
        let words = Words::of(&login);
        for (text, redacted) in [
            ("wrong password tr0ub 4dor&3 for norm", Some("wrong password … for norm")),
            ("login=norm&password=tr0ub+4dor%263", Some("login=norm&password=…")),
            ("cut in the middle: tr0ub", Some("cut in the middle: …")),
            ("wrong password for norm", None),
        ] {
            assert_eq!(words.redact(text).as_deref(), redacted, "{text}");
        }
    }

    #[test]
    fn a_short_answer_is_not_looked_for() {
        assert_eq!(Words::of(&login("pwd")).redact("no pwd for you"), None);
        assert_eq!(Words::of(&login("pswd")).redact("no pswd for you").as_deref(), Some("no … for you"));
    }

    #[test]
    fn a_quoted_answer_shows_in_no_event_and_no_reason() {
        let login = login("correct horse");
        let words = Words::of(&login);
        let said = || ServerText::new("wrong: correct horse");
        let shape = || ResponseSummary {
            content_type: Some(said()),
            json: Some("{correct horse: null}".into()),
            ..ResponseSummary::unread("login", "not correct horse")
        };
        let mut events = [
            Event::ServerSays(said()),
            Event::ActionRequired { url: None, text: Some(said()) },
            Event::ActionRequired { url: Some(said()), text: None },
            Event::IpNotAllowed { text: Some(said()) },
            Event::Suspect { cause: crate::machine::event::Cause::Unreadable, shape: Some(Box::new(shape())) },
        ];
        for event in &mut events {
            words.redact_event(event);
        }
        let mut reasons =
            [CloseReason::Denied(Denial::Rejected(Some(said()))), CloseReason::Protocol(Box::new(shape()))];
        for reason in &mut reasons {
            words.redact_reason(reason);
        }
        let shown = format!("{events:?} {reasons:?}");
        assert!(!shown.contains("horse"), "{shown}");
        assert_eq!(shown.matches("wrong: …").count(), 7, "{shown}");
    }

    #[test]
    fn a_token_is_told_from_a_word() {
        for (run, token) in [
            ("933ccfadb75a91c45bd1a6f7adf86472", true),
            ("bb665d0f-55b6-289d-70bc-7380089fc96f", true),
            ("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9", true),
            ("ctradeapi", false),
            ("internationalization", false),
            ("ec2-54-123-22-11", false),
            ("2026-07-07", false),
            // Three digits in twenty characters make a token, and so do forty characters.
            ("abcdefghijklmnopq123", true),
            ("abcdefghijklmnop123", false),
            ("abcdefghijklmnopqr12", false),
            ("abcdefghijklmnopqrstabcdefghijklmnopqrst", true),
            ("abcdefghijklmnopqrstabcdefghijklmnopqrs", false),
        ] {
            assert_eq!(is_token(run), token, "{run}");
        }
    }
}
