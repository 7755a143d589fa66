//! What the harness knows of a session beside what drivers see: by its parts, not by its text.

use serde::Serialize;
use serde_json::Value;

use super::Session;
use super::agenda::Slot;
use super::boxes::ApiBox;
use super::chain::Chain;
use super::core::{Core, Counts};
use super::format::{Read, read};
use super::limits::{Limits, Over};
use super::questions::Open;
use super::turn::Engine;
use crate::provider::Provider;
use crate::{NeedKind, Phase, Snapshot, Timestamp, machine::NeedReason};

/// Returns the step that a text says has left or may leave.
pub(crate) fn left_in<P: Provider>(text: &Snapshot, provider: &P) -> Option<P::Step> {
    read(text, provider, None).ok()?.in_flight
}

/// Writes a text down without what may differ between a session and its resumed copy; `flying` where something was in
/// flight, which the copy counts as a request of unknown fate.
pub(crate) fn likeness<P: Provider>(text: &Snapshot, flying: bool) -> Option<String> {
    // The state is taken as it is written, since reading it may lose something.
    let mut text: Read<P::Step, Value> = serde_json::from_str(text.expose_secrets()).ok()?;
    let zero = Timestamp::from_millis(0);
    text.epoch = 0;
    let body = text.session.as_mut()?;
    // Patience begins again at a resume: nobody was there to try anything.
    if let Some(trouble) = &mut body.trouble {
        trouble.since = zero;
    }
    body.life.forget_patience();
    // The spread of waits is drawn again in each life, and a step that comes again counts from the resume.
    if flying {
        body.agenda.plans.retain(|plan| plan.slot != Slot::Check);
        for plan in &mut body.agenda.plans {
            match plan.slot {
                Slot::Next => (plan.at, plan.retry) = (zero, plan.retry.map(|_| zero)),
                Slot::Keepalive | Slot::Look => (plan.at, plan.retry) = (zero, None),
                Slot::Renew => plan.retry = plan.retry.map(|_| zero),
                Slot::Expiry | Slot::Question | Slot::Check => {}
            }
        }
    }
    serde_json::to_string(&text).ok()
}

/// What tells states apart that have one name: all that leads elsewhere.
#[derive(Serialize)]
pub(crate) struct Known<'a, S, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'a T>,
    life: KnownLife,
    plans: KnownPlans<S>,
    limits: KnownLimits<'a, S>,
    need: Option<Asked<'a, S>>,
    /// What waits for that, or was declined.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aside: Vec<(NeedKind, NeedReason, bool)>,
    counts: KnownCounts,
}

#[derive(Serialize)]
struct KnownLife {
    phase: Phase,
    adopted: bool,
    stage: Option<(bool, bool, bool)>,
    opened: bool,
    suspect: bool,
    ending: bool,
    leaving: bool,
    unsure: bool,
}

#[derive(Serialize)]
struct KnownPlans<S> {
    /// Of plans that leave at some time it is enough that they are there.
    due: Option<S>,
    keepalive: Option<S>,
    check_at: bool,
    renewal: Vec<(S, Timestamp, bool)>,
    /// The renewals that failed and are tried again.
    tried: Vec<S>,
    expires: Option<(Timestamp, bool)>,
}

#[derive(Serialize)]
struct KnownLimits<'a, S> {
    hold: Option<Timestamp>,
    penalty: Option<Timestamp>,
    over: Over,
    boxes: &'a Chain<ApiBox>,
    paces: Vec<S>,
}

#[derive(Serialize)]
struct KnownCounts {
    code_spent: Option<Timestamp>,
    relogins: Option<u8>,
    /// Refused and lost answers are counted together.
    lost: u8,
    refused: bool,
    /// Of which kind they were tells who is to blame, and little else.
    tally: Vec<Option<NeedKind>>,
}

#[derive(Serialize)]
struct Asked<'a, S> {
    kind: NeedKind,
    because: NeedReason,
    fresh_after: Option<Timestamp>,
    url: Option<&'a str>,
    until: Option<Timestamp>,
    lasting: bool,
    asker: Option<S>,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<S>,
}

impl<P: Provider> Session<P> {
    /// Names the API that a path belongs to, where each has a limit of its own.
    pub(crate) fn api(&self, path: &str) -> Option<&'static str> {
        let engine = self.0.inside();
        engine.provider.target(&engine.core.state, path).api
    }

    /// Names the step in flight, or else the one that is planned.
    pub(crate) fn step(&self) -> Option<&'static str> {
        self.0.inside().step()
    }

    /// Returns the kind of the question that is open.
    pub(crate) fn asks(&self) -> Option<NeedKind> {
        self.0.inside().core.questions.open().map(|open| open.need.kind)
    }

    /// Reports whether it was usable and is not being ended.
    pub(crate) fn is_open(&self) -> bool {
        self.0.inside().core.life.is_open()
    }

    /// Returns the number of this life.
    pub(crate) fn epoch(&self) -> u64 {
        self.0.inside().ids.epoch
    }

    /// Returns the instants that the provider has named, and of what they are: of the renewals (0), of the end (1) and of the
    /// keepalive (2).
    pub(crate) fn named(&self) -> Vec<(usize, Timestamp)> {
        let agenda = &self.0.inside().core.agenda;
        let kinds = [Slot::Renew, Slot::Expiry, Slot::Keepalive].into_iter().enumerate();
        let plans = kinds
            .flat_map(|(kind, slot)| agenda.iter().filter(move |plan| plan.slot == slot).map(move |plan| (kind, plan)));
        plans.filter(|(_, plan)| !plan.away).map(|(kind, plan)| (kind, plan.due())).collect()
    }

    /// Returns what tells it from other sessions of the same name, and the time.
    pub(crate) fn known(&self) -> (Known<'_, P::Step, P::State>, Timestamp) {
        (self.0.inside().core.known(self.0.clock()), self.0.clock())
    }
}

impl<P: Provider> Engine<P> {
    fn step(&self) -> Option<&'static str> {
        let in_flight = self.flights.step();
        let planned = || self.core.agenda.step(Slot::Next);
        let tried = || self.core.agenda.tried().next();
        in_flight.or_else(planned).or_else(tried).map(|step| self.provider.rule(step).name)
    }
}

impl<S: Copy + PartialEq, T> Core<S, T> {
    fn known(&self, clock: Timestamp) -> Known<'_, S, T> {
        let Self { state, life, since: _, alive: _, trouble: _, agenda, limits, questions, counts } = self;
        let ahead = |at: Option<Timestamp>| at.filter(|at| *at > clock);
        let moment = |slot| agenda.get(slot).map(|entry| (entry.at, !entry.named));
        let renewals = agenda.iter().filter(|plan| plan.slot == Slot::Renew && !plan.away);
        let ending = life.ending().is_some();
        Known {
            state: (!life.is_leaving()).then_some(state),
            life: KnownLife {
                phase: life.phase(),
                adopted: life.is_adopted(),
                stage: life.stage().map(|stage| (stage.calls, stage.found, stage.stuck)),
                opened: life.is_open(),
                suspect: self.is_suspect(),
                ending,
                leaving: life.is_leaving(),
                unsure: life.is_unsure(),
            },
            plans: KnownPlans {
                due: agenda.step(Slot::Next),
                keepalive: agenda.step(Slot::Keepalive),
                check_at: agenda.has(Slot::Check),
                renewal: renewals.filter_map(|plan| Some((plan.step?, plan.at, !plan.named))).collect(),
                tried: agenda.tried().collect(),
                expires: moment(Slot::Expiry),
            },
            limits: {
                let Limits { hold, penalty, over, boxes, flow: _, paces } = limits;
                let paces = paces.iter().filter(|pace| !ending && pace.tries > 0).map(|pace| pace.step).collect();
                KnownLimits { hold: ahead(Some(*hold)), penalty: ahead(Some(*penalty)), over: *over, boxes, paces }
            },
            need: questions.open().map(Asked::of),
            aside: questions.aside(),
            counts: KnownCounts::of(counts, ending, clock),
        }
    }
}

impl<'a, S: Copy> Asked<'a, S> {
    fn of(open: &'a Open<S>) -> Self {
        let Open { need, lasting, declined: _, poll: _, asker, then } = open;
        Self {
            kind: need.kind,
            because: need.because,
            fresh_after: need.fresh_after,
            url: need.url.as_deref(),
            until: need.until,
            lasting: *lasting,
            asker: *asker,
            then: *then,
        }
    }
}

impl KnownCounts {
    fn of(counts: &Counts, ending: bool, clock: Timestamp) -> Self {
        let Counts { needs: _, tally, code_spent, relogins, generation: _ } = counts;
        let (refused, lost) = if ending { (0, 0) } else { tally.sums() };
        Self {
            code_spent: code_spent.filter(|at| *at > clock),
            relogins: relogins.filter(|_| !ending).map(|(_, count)| count),
            lost: refused.saturating_add(lost),
            refused: refused > 0,
            tally: if ending { Vec::new() } else { tally.refused() },
        }
    }
}
