//! Where a session stands: one value that owns what belongs to it. The phase that others see follows from it.

use core::time::Duration;

use super::turn::Engine;
use crate::machine::event::Cause;
use crate::provider::Provider;
use crate::{CloseReason, Event, Phase, Timestamp, machine::ResponseSummary};

/// Where a session stands.
#[cfg_attr(feature = "testing", derive(Clone))]
pub(super) enum Life {
    /// It has not begun.
    Idle {
        /// Made of somebody's tokens: a look comes first.
        adopted: bool,
    },
    /// It has not been usable since its login began.
    Opening {
        stage: Stage,
        /// Nobody has checked the tokens that it was made of, so nobody knows of their end.
        adopted: bool,
    },
    /// It was usable: from here on no outage closes it.
    Open { since: Timestamp, stage: Stage },
    /// It is being ended.
    Ending(Ending),
    /// It has ended.
    Closed(Box<CloseReason>),
}

/// How far an opening is, or an open session that has to be opened again in part.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Stage {
    pub(super) phase: Phase,
    /// Whether calls of the user's own may be authorized.
    pub(super) calls: bool,
    /// Whether somebody else opened this login.
    pub(super) found: bool,
    /// Whether the login lives and no usable session comes of it.
    pub(super) stuck: bool,
    /// Whether an answer that was lost may have opened something unknown, and nothing was usable since.
    pub(super) unsure: bool,
}

/// A logout.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Ending {
    /// What `Options::logout_patience` counts from.
    pub(super) since: Timestamp,
    /// Whether its own steps are under way, and nothing of before is waited for.
    pub(super) leaving: bool,
    /// Whether something unknown may live on when it is done.
    pub(super) unsure: bool,
    /// Whether nobody asked for it: the session is not the one that it should be.
    pub(super) unfit: bool,
}

impl Stage {
    pub(super) const fn opening(found: bool) -> Self {
        Self { phase: Phase::Opening, calls: false, found, stuck: false, unsure: false }
    }
}

impl Life {
    pub(super) const fn phase(&self) -> Phase {
        match self {
            Self::Idle { .. } => Phase::Idle,
            Self::Opening { stage, .. } | Self::Open { stage, .. } => stage.phase,
            Self::Ending(_) => Phase::LoggingOut,
            Self::Closed(_) => Phase::Closed,
        }
    }

    /// Reports whether one life may go on as another: the table that the docs show.
    pub(super) const fn leads_to(&self, to: &Self) -> bool {
        match (self, to) {
            (Self::Closed(_), _) | (_, Self::Idle { .. }) => false,
            (_, Self::Closed(_) | Self::Ending(_)) => true,
            (Self::Ending(_), _) => false,
            (Self::Idle { .. }, Self::Open { .. }) => false,
            (_, Self::Opening { .. } | Self::Open { .. }) => true,
        }
    }

    pub(super) const fn stage(&self) -> Option<Stage> {
        match self {
            Self::Opening { stage, .. } | Self::Open { stage, .. } => Some(*stage),
            _ => None,
        }
    }

    const fn stage_mut(&mut self) -> Option<&mut Stage> {
        match self {
            Self::Opening { stage, .. } | Self::Open { stage, .. } => Some(stage),
            _ => None,
        }
    }

    pub(super) const fn is_idle(&self) -> bool {
        matches!(self, Self::Idle { .. })
    }

    pub(super) const fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }

    /// Reports whether it has begun and no end of it has.
    pub(super) const fn goes_on(&self) -> bool {
        matches!(self, Self::Opening { .. } | Self::Open { .. })
    }

    /// Reports whether it stands on tokens of somebody's that nobody has checked yet.
    pub(super) const fn is_adopted(&self) -> bool {
        matches!(self, Self::Idle { adopted: true } | Self::Opening { adopted: true, .. })
    }

    /// Reports whether somebody else opened this login.
    pub(super) fn is_found(&self) -> bool {
        matches!(self, Self::Idle { adopted: true }) || self.stage().is_some_and(|stage| stage.found)
    }

    pub(super) fn is_stuck(&self) -> bool {
        self.stage().is_some_and(|stage| stage.stuck)
    }

    /// Reports whether something may live on after a logout that nobody knows of.
    pub(super) fn is_unsure(&self) -> bool {
        self.stage().map_or_else(|| self.ending().is_some_and(|ending| ending.unsure), |stage| stage.unsure)
    }

    /// Reports whether it ends since it is not the session that it should be.
    pub(super) const fn is_unfit(&self) -> bool {
        matches!(self, Self::Ending(Ending { unfit: true, .. }))
    }

    pub(super) const fn ending(&self) -> Option<Ending> {
        if let Self::Ending(ending) = self { Some(*ending) } else { None }
    }

    /// Reports whether the steps of a logout are under way.
    pub(super) const fn is_leaving(&self) -> bool {
        matches!(self, Self::Ending(Ending { leaving: true, .. }))
    }

    pub(super) const fn closed(&self) -> Option<&CloseReason> {
        if let Self::Closed(reason) = self { Some(reason) } else { None }
    }

    pub(super) fn set_back(&mut self, by: Duration) {
        match self {
            Self::Open { since, stage: _ } | Self::Ending(Ending { since, .. }) => {
                *since = *since - by;
            }
            Self::Idle { .. } | Self::Opening { .. } | Self::Closed(_) => {}
        }
    }
}

impl<P: Provider> Engine<P> {
    /// Moves the session on; the phase follows.
    pub(super) fn turn(&mut self, now: Timestamp, to: Life) {
        debug_assert!(self.core.life.leads_to(&to), "{:?} goes on as {:?}", self.core.life.phase(), to.phase());
        self.change(now, |life| *life = to);
    }

    /// Notes how far an opening is.
    pub(super) fn set_phase(&mut self, now: Timestamp, phase: Phase) {
        self.change(now, |life| {
            if let Some(stage) = life.stage_mut() {
                stage.phase = phase;
            }
        });
    }

    fn change(&mut self, now: Timestamp, change: impl FnOnce(&mut Life)) {
        let (from, shown) = (self.core.life.phase(), self.phase_now());
        change(&mut self.core.life);
        let to = self.core.life.phase();
        if from == to {
            return;
        }
        self.core.since = now;
        // What was usable and is not, without anybody being asked, takes its time.
        if from == Phase::Active && self.core.life.is_open() {
            self.core.trouble.count(now);
        }
        if shown != self.phase_now() {
            self.tell(Event::PhaseChanged { from: shown, to });
        }
    }

    /// Lets calls of the user's own be authorized, or not.
    pub(super) const fn let_calls(&mut self, calls: bool) {
        if let Some(stage) = self.core.life.stage_mut() {
            stage.calls = calls;
        }
    }

    /// Notes whether somebody else opened this login.
    pub(super) const fn find(&mut self, found: bool) {
        if let Some(stage) = self.core.life.stage_mut() {
            stage.found = found;
        }
    }

    /// Notes that something may have been opened that nobody knows of.
    pub(super) const fn be_unsure(&mut self) {
        if let Some(stage) = self.core.life.stage_mut() {
            stage.unsure = true;
        }
    }

    /// Notes that the login lives and no usable session comes of it, or that it may come.
    pub(super) fn stick(&mut self, now: Timestamp, stuck: bool) {
        if self.is_over() {
            return;
        }
        if let Some(stage) = self.core.life.stage_mut()
            && core::mem::replace(&mut stage.stuck, stuck) != stuck
            && stuck
        {
            self.core.trouble.count(now);
            self.tell(Event::Stuck);
        }
    }

    /// Raises the doubt about an open session, and counts the time that it lasts.
    pub(super) fn doubt(&mut self, now: Timestamp, cause: Cause, shape: Option<ResponseSummary>) {
        if !self.core.life.is_open() {
            return;
        }
        if self.core.trouble.doubt(now, cause) {
            self.tell(Event::Suspect { cause, shape: shape.map(Box::new) });
        }
    }

    /// Counts a failure.
    pub(super) fn count_attempt(&mut self, now: Timestamp, cause: Cause) {
        self.doubt(now, cause, None);
        self.core.trouble.fail(now, cause);
    }

    /// Counts patience from now on, where it is counted.
    pub(super) const fn be_patient_anew(&mut self, now: Timestamp) {
        if let Life::Ending(ending) = &mut self.core.life {
            ending.since = now;
        }
        self.core.trouble.be_patient_anew(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_in_the_docs_is_this_one() {
        const NOON: Timestamp = Timestamp::from_secs(1_790_000_000);
        let stage = Stage::opening(false);
        let lives = [
            ("idle", Life::Idle { adopted: false }),
            ("opening", Life::Opening { stage, adopted: false }),
            ("open", Life::Open { since: NOON, stage }),
            ("ending", Life::Ending(Ending { since: NOON, leaving: false, unsure: false, unfit: false })),
            ("closed", Life::Closed(Box::new(CloseReason::Left))),
        ];
        let rows = include_str!("life.md").lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
        let rows: Vec<(&str, &str)> =
            rows.filter_map(|row| Some((row.split(" | ").next()?, row.rsplit("| ").next()?))).collect();
        for (at, (name, life)) in lives.iter().enumerate() {
            let others = lives.iter().enumerate().filter(|(other, (_, to))| *other != at && life.leads_to(to));
            let others: Vec<&str> = others.map(|(_, (name, _))| *name).collect();
            let said = rows.iter().find(|(row, _)| row == name).map(|(_, goes_on)| goes_on.trim());
            let others = if others.is_empty() { "nothing".to_owned() } else { others.join(", ") };
            assert_eq!(said, Some(others.as_str()), "{name}");
        }
    }
}
