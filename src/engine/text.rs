//! What a text of a session is made of: types of its own, so that the engine may change and texts stay readable.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::agenda::Slot;
use super::boxes::ApiBox;
use super::chain::Chain;
use super::life::{Ending, Life, Stage};
use super::limits::{Over, Sent};
use super::questions::Open;
use super::tally::Tally;
use super::trouble::Trouble;
use crate::machine::event::Cause;
use crate::time::Interval;
use crate::{CloseReason, Need, Phase, Timestamp};

/// A text: whose session it is, and what is known of it.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize, B: Serialize", deserialize = "S: Deserialize<'de>, B: Deserialize<'de>"))]
pub(super) struct Text<'a, S, B> {
    pub(super) format: u32,
    #[serde(default)]
    pub(super) provider: Cow<'a, str>,
    #[serde(default)]
    pub(super) server: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) account: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) egress: Option<Cow<'a, str>>,
    #[serde(default)]
    pub(super) epoch: u64,
    /// The step that has left, or may leave as soon as this text is stored.
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) in_flight: Option<S>,
    /// Nobody has been told yet that something may live on: a process that dies now must not keep it to itself.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) may_live_on: bool,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) session: Option<B>,
}

/// What is known of a session; `T` is the provider's state, `L` the list of plans.
#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "S: Serialize + Clone, T: Serialize, L: Serialize",
    deserialize = "S: Deserialize<'de> + Clone, T: Deserialize<'de> + Default, L: Deserialize<'de> + Default"
))]
pub(super) struct Body<'a, S: Clone, T, L> {
    #[serde(default)]
    pub(super) clock: Timestamp,
    pub(super) life: LifeText<'a>,
    #[serde(default)]
    pub(super) since: Timestamp,
    #[serde(default)]
    pub(super) state: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) alive: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<TroubleText>,
    #[serde(default)]
    pub(super) agenda: AgendaText<'a, S, L>,
    #[serde(default)]
    pub(super) limits: LimitsText<'a, S>,
    /// The first that was not declined is open.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub(super) questions: Vec<Question<'a, S>>,
    #[serde(default)]
    pub(super) counts: CountsText<'a>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum LifeText<'a> {
    Idle {
        #[serde(default, skip_serializing_if = "is_default")]
        adopted: bool,
    },
    Opening {
        stage: StageText,
        #[serde(default, skip_serializing_if = "is_default")]
        adopted: bool,
    },
    Open {
        since: Timestamp,
        stage: StageText,
    },
    Ending {
        since: Timestamp,
        #[serde(default, skip_serializing_if = "is_default")]
        leaving: bool,
        #[serde(default, skip_serializing_if = "is_default")]
        unsure: bool,
        #[serde(default, skip_serializing_if = "is_default")]
        unfit: bool,
    },
    Closed(Cow<'a, CloseReason>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct StageText {
    pub(super) phase: StagePhase,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) calls: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) found: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) stuck: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) unsure: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StagePhase {
    Opening,
    LoggingIn,
    SecondFactor,
    Active,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TroubleText {
    pub(super) since: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) attempt: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) cause: Option<Cause>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(
    serialize = "S: Serialize + Clone, L: Serialize",
    deserialize = "S: Deserialize<'de> + Clone, L: Deserialize<'de> + Default"
))]
pub(super) struct AgendaText<'a, S: Clone, L> {
    #[serde(default)]
    pub(super) plans: L,
    /// When each renewal was last sent.
    #[serde(default, skip_serializing_if = "Chain::is_empty")]
    pub(super) renewed: Cow<'a, Chain<(S, Timestamp)>>,
}

/// Something that is planned.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub(super) struct Plan<S> {
    pub(super) slot: Slot,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) step: Option<S>,
    pub(super) at: Timestamp,
    /// Whether a server named the instant, which the clock does not move.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) named: bool,
    /// How often it comes again, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) every: u32,
    /// The next attempt after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) away: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize + Clone", deserialize = "S: Deserialize<'de> + Clone"))]
pub(super) struct LimitsText<'a, S: Clone> {
    #[serde(default)]
    pub(super) hold: Timestamp,
    #[serde(default)]
    pub(super) penalty: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) over: Over,
    #[serde(default, skip_serializing_if = "Chain::is_empty")]
    pub(super) boxes: Cow<'a, Chain<ApiBox>>,
    #[serde(default)]
    pub(super) flow: Timestamp,
    #[serde(default, skip_serializing_if = "Chain::is_empty")]
    pub(super) paces: Cow<'a, Chain<Sent<S>>>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub(super) struct Question<'a, S> {
    pub(super) need: Cow<'a, Need>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) lasting: bool,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) asker: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) then: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    pub(super) poll: Option<(S, u32)>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub(super) declined: bool,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct CountsText<'a> {
    pub(super) needs: u32,
    #[serde(skip_serializing_if = "no_tally")]
    pub(super) tally: Cow<'a, Tally>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code_spent: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) relogins: Option<(Timestamp, u8)>,
    pub(super) generation: u32,
}

fn none<S>() -> Option<S> {
    None
}

fn no_tally(tally: &Tally) -> bool {
    tally.is_empty()
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<S: Clone, L: Default> Default for AgendaText<'_, S, L> {
    fn default() -> Self {
        Self { plans: L::default(), renewed: Cow::default() }
    }
}

impl<S: Clone> Default for LimitsText<'_, S> {
    fn default() -> Self {
        let zero = Timestamp::from_millis(0);
        Self {
            hold: zero,
            penalty: zero,
            over: Over::default(),
            boxes: Cow::default(),
            flow: zero,
            paces: Cow::default(),
        }
    }
}

impl StageText {
    pub(super) const fn of(stage: Stage) -> Self {
        let Stage { phase, calls, found, stuck, unsure } = stage;
        let phase = match phase {
            Phase::LoggingIn => StagePhase::LoggingIn,
            Phase::SecondFactor => StagePhase::SecondFactor,
            Phase::Active => StagePhase::Active,
            Phase::Idle | Phase::Opening | Phase::LoggingOut | Phase::Closed => StagePhase::Opening,
        };
        Self { phase, calls, found, stuck, unsure }
    }

    pub(super) const fn stage(self) -> Stage {
        let Self { phase, calls, found, stuck, unsure } = self;
        let phase = match phase {
            StagePhase::Opening => Phase::Opening,
            StagePhase::LoggingIn => Phase::LoggingIn,
            StagePhase::SecondFactor => Phase::SecondFactor,
            StagePhase::Active => Phase::Active,
        };
        Stage { phase, calls, found, stuck, unsure }
    }
}

impl TroubleText {
    pub(super) fn of(trouble: &Trouble) -> Option<Self> {
        Some(Self { since: trouble.since()?, attempt: trouble.attempt(), cause: trouble.cause() })
    }

    pub(super) const fn trouble(self) -> Trouble {
        let Self { since, attempt, cause } = self;
        Trouble::of(since, attempt, cause)
    }
}

impl<'a> LifeText<'a> {
    pub(super) const fn of(life: &'a Life) -> Self {
        match life {
            Life::Idle { adopted } => Self::Idle { adopted: *adopted },
            Life::Opening { stage, adopted } => Self::Opening { stage: StageText::of(*stage), adopted: *adopted },
            Life::Open { since, stage } => Self::Open { since: *since, stage: StageText::of(*stage) },
            Life::Ending(Ending { since, leaving, unsure, unfit }) => {
                Self::Ending { since: *since, leaving: *leaving, unsure: *unsure, unfit: *unfit }
            }
            Life::Closed(reason) => Self::Closed(Cow::Borrowed(reason)),
        }
    }

    /// Lets what patience with a logout counts from be any time.
    #[cfg(feature = "testing")]
    pub(super) const fn forget_patience(&mut self) {
        if let Self::Ending { since, .. } = self {
            *since = Timestamp::from_millis(0);
        }
    }

    pub(super) fn life(self) -> Life {
        match self {
            Self::Idle { adopted } => Life::Idle { adopted },
            Self::Opening { stage, adopted } => Life::Opening { stage: stage.stage(), adopted },
            Self::Open { since, stage } => Life::Open { since, stage: stage.stage() },
            Self::Ending { since, leaving, unsure, unfit } => Life::Ending(Ending { since, leaving, unsure, unfit }),
            Self::Closed(reason) => Life::Closed(Box::new(reason.into_owned())),
        }
    }
}

impl<'a, S: Copy> Question<'a, S> {
    pub(super) fn of(open: &'a Open<S>) -> Self {
        let Open { need, lasting, declined, poll, asker, then } = open;
        Self {
            need: Cow::Borrowed(need),
            lasting: *lasting,
            asker: *asker,
            then: *then,
            poll: poll.map(|(step, every)| (step, every.as_millis())),
            declined: *declined,
        }
    }

    pub(super) fn open(self) -> Open<S> {
        let Self { need, lasting, asker, then, poll, declined } = self;
        let poll = poll.map(|(step, every)| (step, Interval::from_millis(every)));
        Open { need: need.into_owned(), lasting, declined, poll, asker, then }
    }
}
