//! Sessions that somebody else has opened.

use std::sync::Arc;

use super::Provider;
use crate::machine::Rejection;

/// A provider whose sessions can be gone on with by whoever has their tokens, see [`Session::adopt`](crate::Session::adopt).
pub trait Adopts: Provider {
    /// What is needed to go on with one.
    type Tokens;

    /// Creates a state of the tokens; [`Provider::probe`] is asked for next.
    ///
    /// # Errors
    /// [`Rejection`] names the token that is empty or malformed.
    fn adopt(&self, tokens: Self::Tokens) -> Result<Self::State, Rejection>;
}

impl<P: Adopts> Adopts for Arc<P> {
    type Tokens = P::Tokens;

    fn adopt(&self, tokens: Self::Tokens) -> Result<Self::State, Rejection> {
        (**self).adopt(tokens)
    }
}
