//! A provider that many sessions share.

use std::sync::Arc;

use http::Request;
use http::request::Parts;

use super::{Ask, Cx, Identity, Observed, Provider, Rule, Unauthorized, Unbuildable, Verdict};
use crate::{BaseUrl, Because, Input, NeedKind, Rejection, Response, Ticket};

#[deny(clippy::missing_trait_methods, reason = "a default here would hide what the provider says")]
impl<P: Provider> Provider for Arc<P> {
    type Step = P::Step;
    type State = P::State;
    type Live = P::Live;
    type Tokens = P::Tokens;

    fn identity(&self) -> Identity<'_> {
        (**self).identity()
    }

    fn rule(&self, step: Self::Step) -> &Rule {
        (**self).rule(step)
    }

    fn base<'a>(&'a self, state: &'a Self::State) -> &'a BaseUrl {
        (**self).base(state)
    }

    fn open(&self, cx: &mut Cx<'_, Self::State>, because: Because) -> Verdict<Self::Step> {
        (**self).open(cx, because)
    }

    fn adopt(&self, tokens: Self::Tokens) -> Result<Self::State, Rejection> {
        (**self).adopt(tokens)
    }

    fn admits(&self, state: &Self::State) -> Result<(), &'static str> {
        (**self).admits(state)
    }

    fn live<'a>(&self, state: &'a Self::State) -> Option<&'a Self::Live> {
        (**self).live(state)
    }

    fn forget(&self, state: &mut Self::State) {
        (**self).forget(state);
    }

    fn retire(&self, state: &mut Self::State) {
        (**self).retire(state);
    }

    fn answered(
        &self,
        cx: &mut Cx<'_, Self::State>,
        kind: NeedKind,
        input: &Input,
    ) -> Result<Verdict<Self::Step>, Rejection> {
        (**self).answered(cx, kind, input)
    }

    fn question(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        kind: NeedKind,
    ) -> Result<Ask<Self::Step>, Unbuildable> {
        (**self).question(cx, step, kind)
    }

    fn request(
        &self,
        cx: &mut Cx<'_, Self::State>,
        step: Self::Step,
        answer: Option<&Input>,
    ) -> Result<Request<Vec<u8>>, Unbuildable> {
        (**self).request(cx, step, answer)
    }

    fn interpret(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step, response: Response<'_>) -> Verdict<Self::Step> {
        (**self).interpret(cx, step, response)
    }

    fn lost(&self, cx: &mut Cx<'_, Self::State>, step: Self::Step) -> Verdict<Self::Step> {
        (**self).lost(cx, step)
    }

    fn may_have_left(&self, cx: &mut Cx<'_, P::State>, step: P::Step) {
        (**self).may_have_left(cx, step);
    }

    fn probe(&self, state: &Self::State) -> Option<Self::Step> {
        (**self).probe(state)
    }

    fn logout(&self, state: &Self::State) -> Option<Self::Step> {
        (**self).logout(state)
    }

    fn leaves_behind(&self, state: &Self::State) -> bool {
        (**self).leaves_behind(state)
    }

    fn authorize(&self, cx: &mut Cx<'_, Self::State>, parts: &mut Parts, body: &[u8]) -> Result<(), Unauthorized> {
        (**self).authorize(cx, parts, body)
    }

    fn observe(&self, cx: &mut Cx<'_, Self::State>, call: &Ticket, response: Response<'_>) -> Observed {
        (**self).observe(cx, call, response)
    }

    fn repeats(&self, path: &str) -> Option<Self::Step> {
        (**self).repeats(path)
    }

    fn api(&self, path: &str) -> Option<&'static str> {
        (**self).api(path)
    }

    fn tier(&self, path: &str) -> Option<&'static str> {
        (**self).tier(path)
    }
}
