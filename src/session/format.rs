//! The text of a session: format 1, in types of its own, so that the engine may change and texts stay readable.
//!
//! What is unknown is skipped and most of what is missing has a default. A later format is refused by its number.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize, Serializer};

use super::agenda::{Agenda, Entry, Slot};
use super::boxes::ApiBox;
use super::core::{Core, Counts};
use super::engine::Engine;
use super::life::{Ending, Life, Stage, Trouble};
use super::limits::{Limits, Over, Pace};
use super::questions::{Open, Questions};
use super::tally::Tally;
use crate::event::Cause;
use crate::provider::{Identity, Provider};
use crate::time::Interval;
use crate::{CloseReason, Event, Need, Options, Phase, ResumeError, Snapshot, Timestamp};

/// The format that is written.
const FORMAT: u32 = 1;

/// A text: whose session it is, and what is known of it.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize, B: Serialize", deserialize = "S: Deserialize<'de>, B: Deserialize<'de>"))]
pub(super) struct Text<'a, S, B> {
    format: u32,
    #[serde(default)]
    provider: Cow<'a, str>,
    #[serde(default)]
    server: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    egress: Option<Cow<'a, str>>,
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
    since: Timestamp,
    #[serde(default)]
    state: T,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    alive: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) trouble: Option<TroubleText>,
    #[serde(default)]
    pub(super) plans: L,
    #[serde(default = "no_renewals", skip_serializing_if = "<[_]>::is_empty")]
    renewals: Cow<'a, [(S, Timestamp)]>,
    #[serde(default)]
    limits: LimitsText<'a, S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    question: Option<Question<'a, S>>,
    #[serde(default)]
    counts: CountsText<'a>,
    #[serde(default)]
    generation: u32,
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
    },
    Closed(Cow<'a, CloseReason>),
}

#[derive(Serialize, Deserialize)]
pub(super) struct StageText {
    phase: StagePhase,
    #[serde(default, skip_serializing_if = "is_default")]
    calls: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    found: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    stuck: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    unsure: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum StagePhase {
    Opening,
    LoggingIn,
    SecondFactor,
    Active,
}

#[derive(Serialize, Deserialize)]
pub(super) struct TroubleText {
    pub(super) since: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    attempt: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cause: Option<Cause>,
}

/// Something that is planned.
#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
pub(super) struct Plan<S> {
    pub(super) slot: Slot,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    step: Option<S>,
    pub(super) at: Timestamp,
    /// Whether a server named the instant, which the clock does not move.
    #[serde(default, skip_serializing_if = "is_default")]
    named: bool,
    /// How often it comes again, in milliseconds.
    #[serde(default, skip_serializing_if = "is_default")]
    every: u32,
    /// The next attempt after a failure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) retry: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "is_default")]
    away: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize + Clone", deserialize = "S: Deserialize<'de> + Clone"))]
struct LimitsText<'a, S: Clone> {
    #[serde(default)]
    hold: Timestamp,
    #[serde(default)]
    penalty: Timestamp,
    #[serde(default, skip_serializing_if = "is_default")]
    over: Over,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    boxes: Cow<'a, [ApiBox]>,
    #[serde(default)]
    flow: Timestamp,
    #[serde(default = "no_paces", skip_serializing_if = "<[_]>::is_empty")]
    paces: Cow<'a, [Pace<S>]>,
}

#[derive(Serialize, Deserialize)]
#[serde(bound(serialize = "S: Serialize", deserialize = "S: Deserialize<'de>"))]
struct Question<'a, S> {
    need: Cow<'a, Need>,
    #[serde(default, skip_serializing_if = "is_default")]
    lasting: bool,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    asker: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    then: Option<S>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    poll: Option<(S, u32)>,
    #[serde(default, skip_serializing_if = "is_default")]
    declined: bool,
    /// The question that waits until this one is over.
    #[serde(default = "no_question", skip_serializing_if = "Option::is_none")]
    behind: Option<Box<Self>>,
}

#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct CountsText<'a> {
    needs: u32,
    #[serde(skip_serializing_if = "no_tally")]
    tally: Cow<'a, Tally>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refused_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code_spent: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    relogins: Option<(Timestamp, u8)>,
}

fn no_question<'a, S>() -> Option<Box<Question<'a, S>>> {
    None
}

fn none<S>() -> Option<S> {
    None
}

fn no_paces<'a, S: Clone>() -> Cow<'a, [Pace<S>]> {
    Cow::Borrowed(&[])
}

fn no_renewals<'a, S: Clone>() -> Cow<'a, [(S, Timestamp)]> {
    Cow::Borrowed(&[])
}

fn no_tally(tally: &Tally) -> bool {
    tally.is_empty()
}

pub(super) fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl<S: Clone> Default for LimitsText<'_, S> {
    fn default() -> Self {
        let zero = Timestamp::from_millis(0);
        Self { hold: zero, penalty: zero, over: Over::default(), boxes: Cow::default(), flow: zero, paces: no_paces() }
    }
}

impl StageText {
    const fn of(stage: Stage) -> Self {
        let Stage { phase, calls, found, stuck, unsure } = stage;
        let phase = match phase {
            Phase::LoggingIn => StagePhase::LoggingIn,
            Phase::SecondFactor => StagePhase::SecondFactor,
            Phase::Active => StagePhase::Active,
            Phase::Idle | Phase::Opening | Phase::LoggingOut | Phase::Closed => StagePhase::Opening,
        };
        Self { phase, calls, found, stuck, unsure }
    }

    const fn stage(self) -> Stage {
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

impl<'a> LifeText<'a> {
    const fn of(life: &'a Life) -> Self {
        match life {
            Life::Idle { adopted } => Self::Idle { adopted: *adopted },
            Life::Opening { stage, adopted } => Self::Opening { stage: StageText::of(*stage), adopted: *adopted },
            Life::Open { since, stage } => Self::Open { since: *since, stage: StageText::of(*stage) },
            Life::Ending(Ending { since, leaving, unsure }) => {
                Self::Ending { since: *since, leaving: *leaving, unsure: *unsure }
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

    fn life(self) -> Life {
        match self {
            Self::Idle { adopted } => Life::Idle { adopted },
            Self::Opening { stage, adopted } => Life::Opening { stage: stage.stage(), adopted },
            Self::Open { since, stage } => Life::Open { since, stage: stage.stage() },
            Self::Ending { since, leaving, unsure } => Life::Ending(Ending { since, leaving, unsure }),
            Self::Closed(reason) => Life::Closed(Box::new(reason.into_owned())),
        }
    }
}

impl<'a, S: Copy> Question<'a, S> {
    fn of(open: &'a Open<S>) -> Self {
        let Open { need, lasting, declined, poll, asker, then, behind } = open;
        Self {
            need: Cow::Borrowed(need),
            lasting: *lasting,
            asker: *asker,
            then: *then,
            poll: poll.map(|(step, every)| (step, every.as_millis())),
            declined: *declined,
            behind: behind.as_deref().map(|open| Box::new(Self::of(open))),
        }
    }

    fn open(self) -> Box<Open<S>> {
        let Self { need, lasting, asker, then, poll, declined, behind } = self;
        let poll = poll.map(|(step, every)| (step, Interval::from_millis(every)));
        let behind = behind.map(|behind| behind.open());
        Box::new(Open { need: need.into_owned(), lasting, declined, poll, asker, then, behind })
    }
}

/// Writes the agenda of a session.
struct Planned<'a, S>(&'a Agenda<S>);

impl<S: Copy + PartialEq + Serialize> Serialize for Planned<'_, S> {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        // A question about bytes is put anew at once by whoever resumes: they are in this process.
        let written = self.0.iter().filter(|entry| entry.slot != Slot::Question);
        to.collect_seq(written.map(|entry| {
            let Entry { slot, step, named, every, at, retry, away } = *entry;
            Plan { slot, step, at, named, every: every.as_millis(), retry, away }
        }))
    }
}

/// What is read of a text.
pub(super) type Read<S, T> = Text<'static, S, Body<'static, S, T, Vec<Plan<S>>>>;

/// What is read of a session of `P`.
pub(super) type Stored<P> = Read<<P as Provider>::Step, <P as Provider>::State>;

impl<S: Copy + PartialEq, T> Body<'_, S, T, Vec<Plan<S>>> {
    /// Gives what is known, and when that was written.
    pub(super) fn core(self) -> (Timestamp, Core<S, T>) {
        let entries = self.plans.into_iter().map(|Plan { slot, step, at, named, every, retry, away }| Entry {
            slot,
            step,
            named,
            every: Interval::from_millis(every),
            at,
            retry,
            away,
        });
        let mut agenda = Agenda::of(entries, self.renewals.into_owned());
        let questions = Questions::of(self.question.map(Question::open));
        // The bytes of a question stay in the process that made them.
        if questions.open().is_some_and(|open| open.asker.is_some()) {
            agenda.put_anew(Some(Timestamp::from_millis(0)));
        }
        let LimitsText { hold, penalty, over, boxes, flow, paces } = self.limits;
        let CountsText { needs, tally, refused_at, code_spent, relogins } = self.counts;
        let core = Core {
            state: self.state,
            life: self.life.life(),
            since: self.since,
            alive: self.alive,
            trouble: self.trouble.map(|TroubleText { since, attempt, cause }| Trouble { since, attempt, cause }),
            agenda,
            limits: Limits { hold, penalty, over, boxes: boxes.into_owned(), flow, paces: paces.into_owned() },
            questions,
            counts: Counts { needs, tally: tally.into_owned(), refused_at, code_spent, relogins },
            generation: self.generation,
        };
        (self.clock, core)
    }
}

/// Writes a session down.
pub(super) fn write<P: Provider>(engine: &Engine<P>, clock: Timestamp) -> Snapshot {
    let Identity { provider, server, account, key, .. } = engine.provider.identity();
    let Core { state, life, since, alive, trouble, agenda, limits, questions, counts, generation } = &engine.core;
    let Limits { hold, penalty, over, boxes, flow, paces } = limits;
    let Counts { needs, tally, refused_at, code_spent, relogins } = counts;
    let text = Text {
        format: FORMAT,
        provider: provider.into(),
        server: server.to_string().into(),
        account: account.map(Cow::Borrowed),
        key: key.map(Cow::Borrowed),
        egress: engine.options.egress.as_deref().map(Cow::Borrowed),
        epoch: engine.ids.epoch,
        in_flight: engine.flight.as_ref().map(|flight| flight.step).or(engine.out.saving),
        may_live_on: engine.out.events.holds(&Event::MayLiveOn),
        session: Some(Body {
            clock,
            life: LifeText::of(life),
            since: *since,
            state,
            alive: *alive,
            trouble: trouble.map(|Trouble { since, attempt, cause }| TroubleText { since, attempt, cause }),
            plans: Planned(agenda),
            renewals: Cow::Borrowed(agenda.renewed()),
            limits: LimitsText {
                hold: *hold,
                penalty: *penalty,
                over: *over,
                boxes: Cow::Borrowed(boxes),
                flow: *flow,
                paces: Cow::Borrowed(paces),
            },
            question: questions.first().map(Question::of),
            counts: CountsText {
                needs: *needs,
                tally: Cow::Borrowed(tally),
                refused_at: *refused_at,
                code_spent: *code_spent,
                relogins: *relogins,
            },
            generation: *generation,
        }),
    };
    // Growing would leave unwiped copies behind, so the buffer starts larger than any session that is known of.
    let mut written = Vec::with_capacity(4096);
    match serde_json::to_writer(&mut written, &text) {
        Ok(()) => Snapshot::written(String::from_utf8(written).unwrap_or_default()),
        // A state whose maps have keys that are no strings cannot be written; an empty text is refused by `resume`
        // with an error of its own.
        Err(_) => Snapshot::from_text(String::new()),
    }
}

/// Reads a text that is of this provider, server and account, and with `options` also of this key and way out.
pub(super) fn read<P: Provider>(
    snapshot: &Snapshot,
    provider: &P,
    options: Option<&Options>,
) -> Result<Stored<P>, ResumeError> {
    let (text, identity) = (snapshot.expose_secrets(), provider.identity());
    let Ok(read) = serde_json::from_str::<Stored<P>>(text) else {
        // Another provider's steps and state cannot be read, nor can those of a newer format, but it can be told.
        let head: Text<'_, IgnoredAny, IgnoredAny> = serde_json::from_str(text).map_err(|_| ResumeError::Damaged)?;
        return Err(head.check(identity, options).err().unwrap_or(ResumeError::Damaged));
    };
    read.check(identity, options)?;
    Ok(read)
}

/// Tells why the session of a text has ended, if it has.
pub(crate) fn closed(text: &str) -> Option<CloseReason> {
    #[derive(Deserialize)]
    struct Known<'a> {
        life: LifeText<'a>,
    }
    let text: Text<'_, IgnoredAny, Known<'_>> = serde_json::from_str(text).ok()?;
    if let LifeText::Closed(reason) = text.session?.life { Some(reason.into_owned()) } else { None }
}

impl<S, B> Text<'_, S, B> {
    fn check(&self, identity: Identity<'_>, options: Option<&Options>) -> Result<(), ResumeError> {
        if self.format > FORMAT {
            return Err(ResumeError::NewerFormat { found: self.format, known: FORMAT });
        }
        if self.provider != identity.provider {
            return Err(ResumeError::WrongProvider { found: self.provider.clone().into_owned() });
        }
        if self.server != identity.server.to_string() {
            return Err(ResumeError::WrongServer { found: self.server.clone().into_owned() });
        }
        if self.account.as_deref() != identity.account {
            return Err(ResumeError::WrongAccount);
        }
        let Some(options) = options else { return Ok(()) };
        if self.key.as_deref() != identity.key {
            return Err(ResumeError::WrongKey);
        }
        if identity.binds_ip && self.egress.as_deref() != options.egress.as_deref() {
            return Err(ResumeError::WrongEgress);
        }
        Ok(())
    }
}
