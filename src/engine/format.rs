//! Writing a session down as a `text`, format 1, and reading it.
//!
//! What is unknown is skipped and most of what is missing has a default. A later format is refused by its number.

use std::borrow::Cow;

use serde::de::IgnoredAny;
use serde::{Serialize, Serializer};

use super::agenda::{Agenda, Entry, Slot};
use super::core::{Core, Counts};
use super::limits::Limits;
use super::questions::Questions;
use super::text::{AgendaText, Body, CountsText, LifeText, LimitsText, Plan, Question, Text, TroubleText};
use super::turn::Engine;
use crate::provider::{Identity, Provider};
use crate::time::Interval;
use crate::{Event, Options, ResumeError, Snapshot, Timestamp};

/// The format that is written.
pub(super) const FORMAT: u32 = 1;

/// Writes the agenda of a session.
struct Planned<'a, S>(&'a Agenda<S>);

impl<S: Copy + PartialEq + Serialize> Serialize for Planned<'_, S> {
    fn serialize<Z: Serializer>(&self, to: Z) -> Result<Z::Ok, Z::Error> {
        // A question about bytes is asked again at once by whoever resumes: they are in this process.
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
    /// Returns what is known, and when that was written.
    pub(super) fn core(self) -> (Timestamp, Core<S, T>) {
        let AgendaText { plans, renewed } = self.agenda;
        let entries = plans.into_iter().map(|Plan { slot, step, at, named, every, retry, away }| Entry {
            slot,
            step,
            named,
            every: Interval::from_millis(every),
            at,
            retry,
            away,
        });
        let mut agenda = Agenda::of(entries, renewed.into_owned());
        let questions: Questions<S> = self.questions.into_iter().map(Question::open).collect();
        // The bytes of a question stay in the process that made them.
        if questions.open().is_some_and(|open| open.asker.is_some()) {
            agenda.put_anew(Some(Timestamp::from_millis(0)));
        }
        let LimitsText { hold, penalty, over, boxes, flow, paces } = self.limits;
        let CountsText { needs, tally, code_spent, relogins, generation } = self.counts;
        let core = Core {
            state: self.state,
            life: self.life.life(),
            since: self.since,
            alive: self.alive,
            trouble: self.trouble.map(TroubleText::trouble).unwrap_or_default(),
            agenda,
            limits: Limits { hold, penalty, over, boxes: boxes.into_owned(), flow, paces: paces.into_owned() },
            questions,
            counts: Counts { needs, tally: tally.into_owned(), code_spent, relogins, generation },
        };
        (self.clock, core)
    }
}

/// Writes a session down.
pub(super) fn write<P: Provider>(engine: &Engine<P>, clock: Timestamp) -> Snapshot {
    let Identity { provider, server, account, key, .. } = engine.provider.identity();
    let Core { state, life, since, alive, trouble, agenda, limits, questions, counts } = &engine.core;
    let Limits { hold, penalty, over, boxes, flow, paces } = limits;
    let Counts { needs, tally, code_spent, relogins, generation } = counts;
    let text = Text {
        format: FORMAT,
        provider: provider.into(),
        server: server.to_string().into(),
        account: account.map(Cow::Borrowed),
        key: key.map(Cow::Borrowed),
        egress: engine.options.egress_label.as_deref().map(Cow::Borrowed),
        epoch: engine.ids.epoch,
        in_flight: engine.flights.step().or(engine.out.saves.before()),
        may_live_on: engine.out.events.holds(&Event::MayLiveOn),
        session: Some(Body {
            clock,
            life: LifeText::of(life),
            since: *since,
            state,
            alive: *alive,
            trouble: TroubleText::of(trouble),
            agenda: AgendaText { plans: Planned(agenda), renewed: Cow::Borrowed(agenda.renewed()) },
            limits: LimitsText {
                hold: *hold,
                penalty: *penalty,
                over: *over,
                boxes: Cow::Borrowed(boxes),
                flow: *flow,
                paces: Cow::Borrowed(paces),
            },
            questions: questions.iter().map(Question::of).collect(),
            counts: CountsText {
                needs: *needs,
                tally: Cow::Borrowed(tally),
                code_spent: *code_spent,
                relogins: *relogins,
                generation: *generation,
            },
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
        if identity.binds_ip && self.egress.as_deref() != options.egress_label.as_deref() {
            return Err(ResumeError::WrongEgress);
        }
        Ok(())
    }
}
