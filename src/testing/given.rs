//! Answers that are given, with the laws that they must keep.

use super::known::{Fate, Given};
use super::recorder;
use super::world::{Broken, Lawful, World, broken};
use crate::{Input, InputHandled, Machine, Need, NeedId, NeedKind, Provider, Source};

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn give(&mut self, by: Source) -> Lawful {
        let Some(need) = self.need.clone() else { return Ok(()) };
        let Some(input) = self.answer_to(&need) else { return Ok(()) };
        self.gives(&need, input, by)
    }

    pub(super) fn gives(&mut self, need: &Need, input: Input, by: Source) -> Lawful {
        let secret = recorder::secret(&input).unwrap_or_default().to_owned();
        let now = self.tick();
        let answered = self.session.handle_input(now, need.id, input, by);
        self.say(format!("{now:?} {:?} by {by:?}: {answered:?}", need.kind));
        let fate = if answered == InputHandled::Used { Fate::InHand } else { Fate::Over };
        if answered == InputHandled::Used && by == Source::Person {
            // A person says how to go on.
            self.unknown.clear();
            self.unattended.is_attended(need.kind);
            self.known.refused.is_attended(need.kind);
        }
        self.note(None)?;
        if answered == InputHandled::Used && need.kind != NeedKind::Browser {
            self.need = None;
        }
        if !secret.is_empty() {
            let reusable = need.kind == NeedKind::GatewayToken;
            // A simulator's person has one PIN and gives it whenever asked for it.
            self.answers.retain(|given| given.secret != secret);
            self.answers.push(Given { secret, kind: need.kind, by_store: by == Source::Store, reusable, fate });
        }
        Ok(())
    }

    pub(super) fn give_wrong(&mut self) -> Lawful {
        let Some(need) = self.need.clone() else { return Ok(()) };
        let wrong = if need.kind == NeedKind::Browser { NeedKind::Pin } else { NeedKind::Browser };
        let Some(input) = self.answer(wrong) else { return Ok(()) };
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_input(now, need.id, input, Source::Person) {
                InputHandled::Used => broken!("17. late news", "{wrong:?} is taken for {:?}", need.kind),
                _ => Ok(()),
            }
        })
    }

    pub(super) fn give_stale(&mut self) -> Lawful {
        let Some(input) = self.answer(NeedKind::Pin) else { return Ok(()) };
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_input(now, NeedId(u32::MAX), input, Source::Person) {
                InputHandled::Stale => Ok(()),
                other => broken!("17. late news", "an answer to nothing is {other:?}"),
            }
        })
    }
}
