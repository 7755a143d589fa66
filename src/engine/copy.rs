//! Copies of a session, so that a walk can let more than one thing happen to it.

use super::Session;
use super::hand::Held;
use super::turn::Engine;
use crate::provider::Provider;
use crate::{Credentials, Input, machine::Totp};

impl<P: Provider> Session<P>
where
    P::State: Clone,
{
    /// Creates a session that is the same in everything, requests in flight and answers in hand included.
    /// Two of one kind must never meet one server: their request ids are the same.
    pub(crate) fn copy_with(&self, provider: P) -> Self {
        Self(self.0.copy_of(self.0.inside().copy_with(provider)))
    }
}

impl<P: Provider> Engine<P>
where
    P::State: Clone,
{
    fn copy_with(&self, provider: P) -> Self {
        Self {
            provider,
            options: self.options.clone(),
            ids: self.ids.clone(),
            core: self.core.clone(),
            parting: self.parting.clone(),
            flights: self.flights.clone(),
            hand: self.hand.copy_by(copy),
            skew: self.skew,
            checked_at: self.checked_at,
            out: self.out.clone(),
        }
    }
}

/// Copies an answer. Outside of walks nothing does: there is one of each, so that it is sent once.
fn copy<S: Copy>(answer: &Held<S>) -> Option<Held<S>> {
    let input = match &answer.input {
        Input::Credentials(given) => Input::Credentials(Credentials::new(given.login(), given.password()).ok()?),
        Input::Totp(totp) => Input::Totp(Totp::new(totp.code(), totp.made_at()).ok()?),
        Input::Code(given) => Input::Code(given.clone()),
        Input::Pin(given) => Input::Pin(given.clone()),
        Input::Token(given) => Input::Token(given.clone()),
        Input::Signature(given) => Input::Signature(given.clone()),
        Input::Decrypted(given) => Input::Decrypted(given.clone()),
        Input::Redirect(given) => Input::Redirect(given.clone()),
        Input::Text(given) => Input::Text(given.clone()),
        Input::Done => Input::Done,
        Input::TakeOver => Input::TakeOver,
        Input::GiveUp => Input::GiveUp,
    };
    Some(Held { input, ..*answer })
}
