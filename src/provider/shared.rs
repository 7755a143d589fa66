//! A provider that many sessions share.

use std::sync::Arc;

use http::request::Parts;

use super::{
    Answers, Build, Context, Ended, Given, Identity, Leave, Observed, Outcome, Provider, Rule, Target, Unauthorized,
    Unbuildable, Verdict, View,
};
use crate::{
    Response, Secret, Ticket,
    machine::{NeedReason, Rejection},
};

#[deny(clippy::missing_trait_methods, reason = "a default here would hide what the provider says")]
impl<P: Provider> Provider for Arc<P> {
    type Step = P::Step;
    type State = P::State;
    type Live = P::Live;

    fn identity(&self) -> Identity<'_> {
        (**self).identity()
    }

    fn rule(&self, step: Self::Step) -> &Rule {
        (**self).rule(step)
    }

    fn open(&self, cx: &mut Context<'_, Self::State>, because: NeedReason) -> Verdict<Self::Step> {
        (**self).open(cx, because)
    }

    fn admits(&self, state: &Self::State) -> Result<(), &'static str> {
        (**self).admits(state)
    }

    fn live<'a>(&self, state: &'a Self::State) -> Option<&'a Self::Live> {
        (**self).live(state)
    }

    fn forget(&self, state: &mut Self::State, ended: Ended) {
        (**self).forget(state, ended);
    }

    fn answered(
        &self,
        cx: &mut Context<'_, Self::State>,
        given: &Given<'_, Self::Step>,
    ) -> Result<Verdict<Self::Step>, Rejection> {
        (**self).answered(cx, given)
    }

    fn left(&self, cx: &mut Context<'_, Self::State>, step: Self::Step) {
        (**self).left(cx, step);
    }

    fn request(
        &self,
        view: &View<'_, Self::State>,
        step: Self::Step,
        answers: &Answers<'_>,
    ) -> Result<Build<Self::Step>, Unbuildable> {
        (**self).request(view, step, answers)
    }

    fn interpret(
        &self,
        cx: &mut Context<'_, Self::State>,
        step: Self::Step,
        outcome: Outcome<'_>,
    ) -> Verdict<Self::Step> {
        (**self).interpret(cx, step, outcome)
    }

    fn probe(&self, state: &Self::State) -> Option<Self::Step> {
        (**self).probe(state)
    }

    fn logout(&self, state: &Self::State) -> Leave<Self::Step> {
        (**self).logout(state)
    }

    fn secret<'a>(&'a self, state: &'a Self::State) -> Option<&'a Secret> {
        (**self).secret(state)
    }

    fn authorize(&self, cx: &mut Context<'_, Self::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        (**self).authorize(cx, parts, body)
    }

    fn observe(&self, cx: &mut Context<'_, Self::State>, call: &Ticket, response: Response<'_>) -> Observed {
        (**self).observe(cx, call, response)
    }

    fn target<'a>(&'a self, state: &'a Self::State, path: &str) -> Target<'a, Self::Step> {
        (**self).target(state, path)
    }
}
