//! Answers to questions: right ones, where a simulator or the user of the harness gives them, and others.

use super::world::World;
use crate::{Credentials, Input, Need, NeedKind, Provider, Secret, SecretBytes, machine::Totp};

impl<P: Provider + Send> World<'_, P> {
    /// Returns an answer to a question, in the provider's form.
    pub(super) fn answer_to(&mut self, need: &Need) -> Option<Input> {
        if let Some(input) = self.simulator.as_mut().and_then(|simulator| simulator.answer(self.now, need)) {
            return Some(input);
        }
        self.own_answer_to(need)
    }

    /// Returns an answer that a simulator refuses.
    pub(super) fn own_answer_to(&mut self, need: &Need) -> Option<Input> {
        let number = self.given + 1;
        match self.laws.answers.as_ref().and_then(|answers| answers(need, number, self.now)) {
            Some(input) => {
                self.given = number;
                Some(input)
            }
            None => self.answer(need.kind),
        }
    }

    /// Returns an answer that was never given before.
    pub(super) fn answer(&mut self, kind: NeedKind) -> Option<Input> {
        self.given += 1;
        let number = self.given;
        let text = || Secret::new(format!("answer-{number:08}"));
        match kind {
            NeedKind::Credentials => Credentials::new("somebody", text()).ok().map(Input::Credentials),
            NeedKind::AccessCode | NeedKind::Verifier => Some(Input::Code(text())),
            NeedKind::Totp => Totp::new(format!("{:08}", 94_710_000 + number), self.clock).ok().map(Input::Totp),
            NeedKind::Pin => Some(Input::Pin(text())),
            NeedKind::Redirect => Some(Input::Redirect(Secret::new(format!("https://localhost/?code={number:08}")))),
            NeedKind::Custom(_) => Some(Input::Text(text())),
            NeedKind::Browser => Some(Input::Done),
            NeedKind::Takeover => Some(Input::TakeOver),
            NeedKind::GatewayToken => Some(Input::Token(text())),
            NeedKind::Signature => Some(Input::Signature(SecretBytes::new(text().expose()))),
            NeedKind::Decryption => Some(Input::Decrypted(SecretBytes::new(text().expose()))),
        }
    }
}
