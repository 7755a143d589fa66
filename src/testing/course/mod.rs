//! One life before a simulator: a calm one, or one in which one thing goes wrong.

mod ends;

use core::time::Duration;
use std::collections::BTreeSet;

use super::calls::{Call, Reply};
use super::known::Fate;
use super::outputs::copy;
use super::served::told;
use super::twist::{Mishap, Twist};
use super::world::{Broken, Lawful, World, broken};
use crate::{
    CloseReason, Failure, Machine, Need, NeedId, NeedKind, Phase, Provider, Response, Source, Timestamp,
    machine::{FailureKind, NeedReason},
};

/// The most turns of a life.
const TURNS: usize = 400_000;

/// How long an answer takes.
const MOMENT: Duration = Duration::from_millis(40);

/// A renewal may be put off by so much: those that come too close to one another are a minute apart.
const GRACE: Duration = Duration::from_secs(180);

/// A life in which something went wrong goes on until so many renewals have come,
const RENEWALS: usize = 2;

/// or for so long.
const AFTERMATH: Duration = Duration::from_secs(26 * 60 * 60);

/// So many first waits end with a restart, and every so many later ones.
const RESTARTS: (usize, usize) = (40, 50);

/// A request of a life: its step, how often that had left before, and whether the session was being ended.
pub(super) struct Left<S> {
    pub(super) step: S,
    pub(super) before: usize,
    pub(super) ending: bool,
}

/// One life.
pub(super) struct Course<'w, 'a, P: Provider> {
    world: &'w mut World<'a, P>,
    twist: Twist<P::Step>,
    begun: Timestamp,
    pub(super) left: Vec<Left<P::Step>>,
    waits: usize,
    /// At which wait it was active for the first time.
    pub(super) active_at: Option<usize>,
    /// When it went wrong, and how many requests had left by then.
    disturbed: Option<(Timestamp, usize)>,
    /// What was renewed at some time.
    renewed: BTreeSet<&'static str>,
    answered: (NeedId, u32),
    /// The kinds that were answered wrongly, and those whose refusal nobody has told yet.
    tried: Vec<NeedKind>,
    wrong: Vec<NeedKind>,
    ending: bool,
}

impl<'w, 'a, P: Provider + Send> Course<'w, 'a, P> {
    pub(super) fn new(world: &'w mut World<'a, P>, twist: Twist<P::Step>) -> Self {
        Self {
            begun: world.now,
            world,
            twist,
            left: Vec::new(),
            waits: 0,
            active_at: None,
            disturbed: None,
            renewed: BTreeSet::new(),
            answered: (NeedId::UNSOLICITED, 0),
            tried: Vec::new(),
            wrong: Vec::new(),
            ending: false,
        }
    }

    pub(super) fn run(&mut self) -> Lawful {
        self.world.start();
        for _ in 0..TURNS {
            let Some(until) = self.world.drain()? else { return self.closed() };
            self.is_calm()?;
            self.own_call()?;
            if self.world.flying.is_some() {
                self.reply()?;
            } else if self.logs_out() {
                return self.end();
            } else if !self.is_answered()? {
                self.waits(until)?;
            }
        }
        broken!("1. no spin", "{TURNS} turns and no end")
    }

    /// Waits for the time, with a restart or a user's own call in between.
    fn waits(&mut self, until: Timestamp) -> Lawful {
        self.waits += 1;
        let (first, every) = RESTARTS;
        if self.twist == Twist::Restarts && (self.waits <= first || self.waits.is_multiple_of(every)) {
            self.restarts()?;
            if self.world.drain()?.is_none_or(|again| again != until) {
                return Ok(());
            }
        }
        let until = self.next_code().map_or(until, |at| at.min(until));
        if until.is_never() {
            let asked = self.world.need.as_ref().map(|need| need.kind.code());
            broken!("26. a calm life", "it waits for ever: nobody answers {asked:?} (`Simulated::answer`)");
        }
        let before = until - Duration::from_millis(1);
        if before > self.world.now {
            self.world.now = before;
            self.own_call()?;
            // What the call was told may be checked now.
            if self.world.drain()?.is_none_or(|again| again < until) || self.world.flying.is_some() {
                return Ok(());
            }
        }
        self.world.now = until;
        Ok(())
    }

    /// Returns when an authenticator shows a code that can be used, where the present one cannot.
    fn next_code(&self) -> Option<Timestamp> {
        let at = self.world.need.as_ref().and_then(|need| need.fresh_after)?;
        (at > self.world.now).then_some(at)
    }

    /// Nothing is wrong, so nothing goes wrong.
    fn is_calm(&mut self) -> Lawful {
        let phase = self.world.session.phase();
        if phase == Phase::Active {
            self.active_at.get_or_insert(self.waits);
        }
        if self.is_disturbed() || self.twist == Twist::Wrong && self.active_at.is_none() {
            return Ok(());
        }
        let last = self.world.last.as_deref().unwrap_or("nothing was answered");
        if self.world.deaths > 0 {
            let lived = self.world.now.since(self.begun);
            broken!("26. a calm life", "the session has died after {lived:?}: {last}");
        }
        if let Some((step, part)) = self.world.unbuildable {
            broken!("26. a calm life", "`{}` cannot be built: {part}", self.world.name_of(step));
        }
        self.world.renews(GRACE)
    }

    fn is_disturbed(&self) -> bool {
        self.disturbed.is_some()
    }

    /// The session has closed by itself.
    fn closed(&mut self) -> Lawful {
        let reason = self.world.known.closed.as_ref().map_or("", CloseReason::code);
        let last = self.world.last.as_deref().unwrap_or("nothing was answered");
        match self.twist {
            _ if self.is_disturbed() && self.active_at.is_none() => Ok(()),
            Twist::Wrong if self.active_at.is_none() => Ok(()),
            _ if self.active_at.is_none() => {
                broken!("21. gets in", "it closes as {reason} before it is active: {last}")
            }
            _ if self.is_disturbed() => broken!("28. mishaps pass", "an open session closes as {reason}: {last}"),
            _ => broken!("26. a calm life", "it closes as {reason}: {last}"),
        }
    }

    /// A user's own call, where the session authorizes one. After a mishap there is none: its refusal would tell
    /// the session what it is to find out by itself.
    fn own_call(&mut self) -> Lawful {
        if self.is_disturbed() {
            return Ok(());
        }
        let Some((request, ticket)) = self.world.authorized()? else { return Ok(()) };
        let response = self.world.arrives(&request, "a call of the user's own")?;
        if self.is_refused(&response) {
            let (lived, last) = (self.world.now.since(self.begun), self.world.last.as_deref().unwrap_or_default());
            broken!(
                "24. calls of the user's own",
                "one that the session has authorized gets {} after {lived:?}; the last answer before: {last}",
                told(&response)
            );
        }
        let now = self.world.tick();
        let _ = self.world.session.observe(now, &ticket, Response::from(&response));
        self.world.note(None).map(drop)
    }

    fn is_refused(&self, response: &http::Response<Vec<u8>>) -> bool {
        self.world.simulator.as_ref().is_some_and(|simulator| simulator.refuses(response))
    }

    /// Answers the request in flight, or applies its fault.
    fn reply(&mut self) -> Lawful {
        let Some(step) = self.world.flying.as_ref().map(|flying| flying.step) else { return Ok(()) };
        let before = self.left.iter().filter(|left| left.step == step).count();
        self.left.push(Left { step, before, ending: self.ending });
        if self.world.named.iter().any(|named| named.renewal && named.step == Some(step)) {
            self.renewed.insert(self.world.name_of(step));
        }
        self.world.now = self.world.now + MOMENT;
        match self.twist {
            Twist::Mishap(own, number, mishap) | Twist::Leaving(own, number, mishap)
                if own == step && number == before =>
            {
                self.disturbed = Some((self.world.now, self.left.len()));
                self.happens(mishap)
            }
            _ => self.honest(),
        }
    }

    fn happens(&mut self, mishap: Mishap) -> Lawful {
        match mishap {
            Mishap::Unsent => self.world.fail(Failure::not_sent(FailureKind::Connect)),
            // The world lets what times out arrive, and what is interrupted not.
            Mishap::LostBefore => self.world.fail(Failure::maybe_sent(FailureKind::Interrupted)),
            Mishap::LostAfter => self.world.fail(Failure::maybe_sent(FailureKind::Timeout)),
            Mishap::CrashBefore => self.world.make(&Call::Crash(1)),
            Mishap::CrashAfter => self.world.make(&Call::Crash(0)),
            Mishap::Unavailable => self.answered_by_another(503),
            Mishap::Failed => {
                if let Some((request, step)) =
                    self.world.flying.as_ref().map(|flying| (copy(&flying.request), flying.step))
                {
                    _ = self.world.arrives(&request, self.world.name_of(step))?;
                }
                self.answered_by_another(500)
            }
            Mishap::Page(status) => self.world.respond(&Reply::Page(status)),
        }
    }

    fn answered_by_another(&mut self, status: u16) -> Lawful {
        self.world.respond(&Reply::Junk { status, content_type: "", body: Vec::new(), retry_after: None })
    }

    /// The simulator answers. Where calls are signed with something else afterwards, those of before count no more.
    fn honest(&mut self) -> Lawful {
        let step = self.world.flying.as_ref().map(|flying| flying.step);
        let before = self.world.signed()?;
        self.world.respond(&Reply::Honest)?;
        let after = self.world.signed()?;
        let (Some(step), Some((before, ticket)), Some((after, _))) = (step, before, after) else { return Ok(()) };
        if before == after {
            return Ok(());
        }
        let mut late = http::Response::new(Vec::new());
        *late.status_mut() = http::StatusCode::UNAUTHORIZED;
        let now = self.world.tick();
        if self.world.session.observe(now, &ticket, Response::from(&late)) == crate::Handled::Used {
            broken!(
                "17. late news",
                "`{}` changes the tokens, and a late 401 to a call with the earlier ones counts: `Fact::NewTokens` is not told",
                self.world.name_of(step)
            );
        }
        Ok(())
    }

    /// Answers an open question, if there is one; where it was answered in vain three times, it waits.
    fn is_answered(&mut self) -> Lawful<bool> {
        let Some(need) = self.world.need.clone() else { return Ok(false) };
        if self.next_code().is_some() {
            return Ok(false);
        }
        self.tells_refusals(&need)?;
        let (id, times) = self.answered;
        self.answered = if id == need.id { (id, times + 1) } else { (need.id, 1) };
        if self.answered.1 > 3 {
            return Ok(false);
        }
        if self.twist == Twist::Wrong && need.kind.is_judged() && !self.tried.contains(&need.kind) {
            self.tried.push(need.kind);
            if let Some(input) = self.world.own_answer_to(&need) {
                self.world.gives(&need, input, Source::Person)?;
                // What the provider itself rejects is sent to nobody.
                if self.is_in_hand(need.kind) {
                    self.wrong.push(need.kind);
                }
                return Ok(true);
            }
        }
        let Some(input) = self.world.answer_to(&need) else { return Ok(false) };
        self.world.gives(&need, input, Source::Person)?;
        Ok(true)
    }

    /// A wrong answer is asked for again as refused; of several that left together the server names one.
    fn tells_refusals(&mut self, need: &Need) -> Lawful {
        if !self.wrong.contains(&need.kind) {
            return Ok(());
        }
        if need.because != NeedReason::Refused {
            let last = self.world.last.as_deref().unwrap_or_default();
            broken!(
                "27. refusals",
                "a wrong {} is asked for again as {}, so nobody counts it: {last}",
                need.kind.code(),
                need.because.code()
            );
        }
        let mut wrong = core::mem::take(&mut self.wrong);
        wrong.retain(|kind| *kind != need.kind && self.is_in_hand(*kind));
        self.wrong = wrong;
        Ok(())
    }

    fn is_in_hand(&self, kind: NeedKind) -> bool {
        self.world.answers.iter().any(|given| given.kind == kind && given.fate == Fate::InHand)
    }

    /// One process ends, and another goes on with what it has written.
    fn restarts(&mut self) -> Lawful {
        let before = self.world.signed()?;
        let stored = self.world.store();
        let resumed = self.world.life(&stored.text, &super::recorder::Log::new())?;
        self.world.lives_as(&resumed)?;
        self.world.kept = vec![stored];
        self.world.crash(0, false)?;
        let after = self.world.signed()?;
        if let (Some((before, _)), Some((after, _))) = (before, after)
            && before != after
        {
            broken!("15. snapshots", "a call of the user's own is signed with something else after a resume");
        }
        Ok(())
    }

    /// Reports whether it has lived long enough.
    fn logs_out(&self) -> bool {
        let lived = self.world.now.since(self.begun);
        let active = self.world.session.phase() == Phase::Active;
        match (self.twist, self.disturbed) {
            (Twist::Logout(wait), _) => self.waits >= wait,
            (Twist::Leaving(..), _) => active,
            (_, Some((at, left))) => {
                let later = self.left.iter().skip(left);
                let renewals = later.filter(|left| self.renewed.contains(self.world.name_of(left.step))).count();
                active && (renewals >= RENEWALS || self.world.now.since(at) >= AFTERMATH.min(self.world.laws.lasts))
                    || self.world.now.since(at) >= AFTERMATH * 2
            }
            _ => lived >= self.world.laws.lasts,
        }
    }
}
