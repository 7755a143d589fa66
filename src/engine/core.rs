//! What is known of a session: all that a snapshot is made of.

use core::time::Duration;

use super::agenda::Agenda;
use super::life::Life;
use super::limits::Limits;
use super::questions::{Open, Questions};
use super::tally::Tally;
use super::trouble::Trouble;
use crate::{NeedKind, Timestamp};

/// What is known of a session.
///
/// All instants in it are relative ones, which move when the clock is set back, but for those of the agenda that a
/// server named.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) struct Core<S, T> {
    pub(super) state: T,
    pub(super) life: Life,
    /// Since when the phase is what it is.
    pub(super) since: Timestamp,
    /// The last proof of life.
    pub(super) alive: Option<Timestamp>,
    pub(super) trouble: Trouble,
    pub(super) agenda: Agenda<S>,
    pub(super) limits: Limits<S>,
    pub(super) questions: Questions<S>,
    pub(super) counts: Counts,
}

/// What is counted over restarts, so that no account is locked and no clock is fooled.
#[cfg_attr(feature = "testing", derive(Clone))]
#[derive(Default)]
pub(super) struct Counts {
    /// Counts the needs.
    pub(super) needs: u32,
    /// Answers that were refused or may have been, since the session was last usable.
    pub(super) tally: Tally,
    /// The end of the last one-time code that left.
    pub(super) code_spent: Option<Timestamp>,
    /// How many logins followed a proven expiry, and since when that is counted.
    pub(super) relogins: Option<(Timestamp, u8)>,
    /// Counts the tokens, so that news about old ones is distinguished from news about the present ones.
    pub(super) generation: u32,
}

impl<S: Copy + PartialEq, T> Core<S, T> {
    /// Moves everything relative back with the clock.
    pub(super) fn set_back(&mut self, by: Duration) {
        let Self { state: _, life, since, alive, trouble, agenda, limits, questions, counts } = self;
        let back = |at: &mut Timestamp| *at = *at - by;
        back(since);
        life.set_back(by);
        alive.iter_mut().for_each(back);
        trouble.set_back(by);
        agenda.set_back(by);
        limits.set_back(by);
        counts.set_back(by);
        questions.set_back(by);
    }

    /// Drops all that belongs to an open session, the provider's state aside.
    pub(super) fn clear_plans(&mut self) {
        self.agenda.clear();
        self.questions = Questions::default();
    }

    /// Reports whether the session is open and something speaks against it.
    pub(super) fn is_suspect(&self) -> bool {
        self.life.is_open() && self.trouble.cause().is_some()
    }

    /// Takes the open question away, and opens the one that waited for it.
    pub(super) fn take_question(&mut self, now: Timestamp) -> Option<Open<S>> {
        let taken = self.questions.take();
        self.plan_question(now);
        taken
    }

    /// Plans the looks and the end of the open question.
    pub(super) fn plan_question(&mut self, now: Timestamp) {
        let open = self.questions.open();
        self.agenda.look(now, open.and_then(|open| open.poll.map(|(step, every)| (step, every.into()))));
        self.agenda.put_anew(open.and_then(Open::ends));
    }

    /// Reports whether a question of this kind is open.
    pub(super) fn is_asked(&self, kind: NeedKind) -> bool {
        self.questions.open().is_some_and(|open| open.need.kind == kind)
    }
}

impl Counts {
    /// Notes the end of the last one-time code that left.
    pub(super) const fn spend_code(&mut self, end: Option<Timestamp>) {
        self.code_spent = end;
    }

    /// The tokens are others than before.
    pub(super) const fn renew_tokens(&mut self) {
        self.generation = self.generation.wrapping_add(1);
    }

    /// Takes over what an earlier session of the same login has cost.
    pub(super) fn remember(&mut self, earlier: &Self) {
        self.code_spent = self.code_spent.max(earlier.code_spent);
        self.tally.remember(&earlier.tally);
    }

    fn set_back(&mut self, by: Duration) {
        let Self { needs: _, tally: _, code_spent, relogins, generation: _ } = self;
        // A code's step is an instant, but one that was told by the clock that was wrong.
        let since = relogins.as_mut().map(|(since, _)| since);
        for at in [code_spent.as_mut(), since].into_iter().flatten() {
            *at = *at - by;
        }
    }
}

impl<S, T: Default> Default for Core<S, T> {
    fn default() -> Self {
        Self::new(T::default(), Life::Idle { adopted: false })
    }
}

impl<S, T> Core<S, T> {
    pub(super) fn new(state: T, life: Life) -> Self {
        Self {
            state,
            life,
            since: Timestamp::from_millis(0),
            alive: None,
            trouble: Trouble::default(),
            agenda: Agenda::default(),
            limits: Limits::default(),
            questions: Questions::default(),
            counts: Counts::default(),
        }
    }
}
