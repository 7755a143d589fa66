//! The calls of a run, each with the laws that it must keep.

use core::time::Duration;

use super::calls::{Call, Reply};
use super::diff::difference;
use super::known::{Fate, Flying};
use super::outputs::SLACK;
use super::recorder::{self, What};
use super::world::{Broken, Lawful, World, broken};
use crate::{
    CloseReason, Failure, Handled, Input, InputHandled, Machine, Misuse, NeedId, NeedKind, Output, Provider, RequestId,
    Response, Source, Timestamp,
    machine::{Delivery, FailureKind, NeedReason},
};

/// How many outputs one instant may have.
const OUTPUTS: usize = 300;

/// What a `Retry-After` is believed up to.
const CAP: Duration = Duration::from_secs(15 * 60);

/// The longest that the cap becomes, twice as long each time that the server goes on naming a longer wait.
const LONGEST_CAP: Duration = Duration::from_secs(4 * 60 * 60);

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn make(&mut self, call: &Call) -> Lawful {
        match call {
            Call::Start => self.start(),
            Call::Poll => _ = self.poll()?,
            Call::Drain => _ = self.drain()?,
            Call::Sleep => _ = self.sleep()?,
            Call::Forward(millis) => self.now = self.now + Duration::from_millis(*millis),
            Call::Back(millis) => self.now = self.now - Duration::from_millis(*millis),
            Call::Jump(which) => {
                let named = self.named.get(which % self.named.len().max(1)).map(|named| named.at);
                self.now = self.now.max(named.filter(|at| !at.is_never()).unwrap_or(self.now));
            }
            Call::Respond(reply) => return self.respond(reply),
            Call::Fail(kind, delivery) => return self.fail(Failure { kind: *kind, delivery: *delivery }),
            Call::ReportLate(which, reply) => return self.report_late(*which, reply),
            Call::ReportUnknown(ahead) => return self.report_unknown(*ahead),
            Call::Answer { by_store } => return self.give(if *by_store { Source::Store } else { Source::Person }),
            Call::AnswerWrongly => return self.give_wrong(),
            Call::AnswerStale => return self.give_stale(),
            Call::GiveUp => {
                if let Some(need) = self.need.take() {
                    let now = self.tick();
                    self.known.excused = true;
                    let _ = self.session.handle_input(now, need.id, Input::GiveUp, Source::Person);
                }
            }
            Call::TakeOver => {
                let now = self.tick();
                if self.session.handle_input(now, NeedId::UNSOLICITED, Input::TakeOver, Source::Person)
                    == InputHandled::Used
                {
                    // A person says how to go on.
                    self.unknown.clear();
                }
            }
            Call::Check => {
                let now = self.tick();
                self.session.check(now);
            }
            Call::Logout => self.logout(),
            Call::Authorize => return self.authorize(),
            Call::AuthorizeForeign => return self.authorize_foreign(),
            Call::Observe(which, reply) => return self.observe(*which, Some(reply)),
            Call::ObserveFailure(which) => return self.observe(*which, None),
            Call::Keep => {
                let stored = self.store();
                self.kept.push(stored);
            }
            Call::Crash(which) => return self.dies(*which, false),
            Call::CrashTwice(which) => return self.dies(*which, true),
            Call::RoundTrip => return self.round_trip(),
            Call::Anew => return self.anew(),
        }
        self.note(None).map(drop)
    }

    fn logout(&mut self) {
        let now = self.tick();
        self.known.excused = true;
        self.session.logout(now);
    }

    /// Polls until there is nothing to do.
    pub(super) fn drain(&mut self) -> Lawful<Option<Timestamp>> {
        for _ in 0..OUTPUTS {
            match self.poll()? {
                Output::Wait { until, .. } => return Ok(Some(until)),
                Output::Closed(_) => return Ok(None),
                _ => {}
            }
        }
        broken!("1. no spin", "{OUTPUTS} outputs at one instant and no end")
    }

    /// Drains, sleeps until the deadline and drains again.
    pub(super) fn sleep(&mut self) -> Lawful<Option<Timestamp>> {
        let Some(until) = self.drain()? else { return Ok(None) };
        if until.is_never() {
            return Ok(Some(until));
        }
        self.now = until;
        self.drain()
    }

    pub(super) fn respond(&mut self, reply: &Reply) -> Lawful {
        let Some(flying) = self.flying.take() else { return Ok(()) };
        let name = self.name_of(flying.step);
        let response = match reply {
            Reply::Honest if self.simulator.is_some() => self.arrives(&flying.request, name)?,
            Reply::Sample { .. } if self.simulator.is_some() && self.laws.samples.is_empty() => {
                self.arrives(&flying.request, name)?
            }
            reply => self.response(reply, Some(&flying.request)),
        };
        let now = self.tick();
        let (id, status) = (flying.id, response.status().as_u16());
        self.say(format!("{now:?} {id:?} gets {status}, {} bytes", response.body().len()));
        let accepted = self.session.handle_response(now, id, Response::from(&response));
        if accepted != Ok(Handled::Used) {
            return self.dropped(flying, accepted);
        }
        let verdict = self.log.peek();
        self.heard(name, &response, verdict.as_ref());
        self.proves_nothing(name, reply, verdict.as_ref())?;
        let rule = *self.session.provider().rule(flying.step);
        self.rotated |= rule.rotates;
        let unspent: Vec<_> = rule.takes().filter(|kind| self.log.leaves_unspent(*kind)).collect();
        let clear = |kind| self.log.accepts(kind) || unspent.contains(&kind);
        let unclear: Vec<_> = rule.takes().filter(|kind| !clear(*kind)).collect();
        self.note(Some(&flying))?;
        let unjudged = verdict == Some(What::Unjudged);
        let may_be_refused = match &verdict {
            None | Some(What::Judged | What::Unreadable(_)) => true,
            Some(What::Ask(kind, NeedReason::Refused)) => {
                self.count_unattended(&flying, |refused| refused == *kind && unclear.contains(&refused));
                false
            }
            Some(What::Close(reason)) => !matches!(reason, CloseReason::LoggedOut { .. } | CloseReason::Denied(_)),
            Some(What::Next | What::Ask(..) | What::Active | What::Unjudged | What::Failed | What::Dead(_)) => false,
        };
        if may_be_refused {
            self.count_unattended(&flying, |kind| unclear.contains(&kind));
        }
        self.uncap(&response);
        if matches!(verdict, Some(What::Unjudged | What::Judged | What::Failed | What::Unreadable(_)))
            || matches!(status, 429 | 503)
        {
            self.obey(&response);
        }
        // What a step carries is in hand again where nothing of it was refused.
        let told = matches!(verdict, Some(What::Next | What::Active | What::Dead(_) | What::Close(_) | What::Ask(..)));
        let spoilt = matches!(verdict, Some(What::Ask(_, NeedReason::Refused | NeedReason::Lost)));
        let carries = |kind| told && !spoilt && rule.carries.contains(&kind);
        self.land(
            flying,
            |kind| if unjudged || unspent.contains(&kind) || carries(kind) { Fate::InHand } else { Fate::Over },
        );
        Ok(())
    }

    pub(super) fn obey(&mut self, response: &http::Response<Vec<u8>>) {
        let Some(wait) = self.named(response) else { return };
        let (times, until) = self.capped;
        // What had left before the last capped wait began tells the same one again.
        let before = if self.clock < until { times.saturating_sub(1) } else { times };
        let cap = CAP.saturating_mul(1 << before.min(4)).min(LONGEST_CAP);
        if wait > CAP {
            self.capped = (before.saturating_add(1), until.max(self.clock + wait.min(cap)));
        }
        self.not_before = self.not_before.max(self.clock + wait.min(cap));
        // The user's own calls may have made the session's longer than this one.
        self.longest = self.longest.max(if wait > CAP { LONGEST_CAP } else { CAP });
    }

    /// Forgets how often waits were capped where an answer names no such wait.
    fn uncap(&mut self, response: &http::Response<Vec<u8>>) {
        if response.status().is_success() || self.named(response).is_none_or(|wait| wait <= CAP) {
            self.capped = Default::default();
        }
    }

    fn named(&self, response: &http::Response<Vec<u8>>) -> Option<Duration> {
        let text = response.headers().get("retry-after").and_then(|value| value.to_str().ok())?;
        Some(if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
            text.parse().map_or(Duration::MAX, Duration::from_secs)
        } else {
            Timestamp::from_http_date(text).map_or(Duration::ZERO, |at| at.since(self.clock))
        })
    }

    pub(super) fn fail(&mut self, failure: Failure) -> Lawful {
        let Some(flying) = self.flying.take() else { return Ok(()) };
        let now = self.tick();
        self.say(format!("{now:?} {:?} fails: {failure:?}", flying.id));
        let sent = failure.delivery == Delivery::MaybeSent;
        // A cut connection brought nothing there, and of other failures it is the answer that is lost.
        if sent && failure.kind != FailureKind::Interrupted && self.simulator.is_some() {
            _ = self.arrives(&flying.request, self.name_of(flying.step))?;
        }
        let before = (self.unknown.clone(), self.unattended.clone());
        if sent {
            self.fate_unknown(&flying);
        }
        let accepted = self.session.handle_failure(now, flying.id, failure);
        let takes = self.session.provider().rule(flying.step).takes();
        let unspent: Vec<_> = takes.filter(|kind| self.log.leaves_unspent(*kind)).collect();
        if accepted != Ok(Handled::Used) {
            (self.unknown, self.unattended) = before;
            return self.dropped(flying, accepted);
        }
        self.note(None)?;
        let fate = |kind| if sent && !unspent.contains(&kind) { Fate::Over } else { Fate::InHand };
        if sent {
            self.give_up(flying, fate)
        } else {
            self.land(flying, fate)
        }
        Ok(())
    }

    /// A report is stale although nobody was told: the session must tell so next.
    fn dropped(&mut self, flying: Flying<P::Step>, accepted: Result<Handled, Misuse>) -> Lawful {
        let id = flying.id;
        self.flying = Some(flying);
        if accepted != Ok(Handled::Stale) {
            broken!("17. late news", "the awaited answer to {id:?} is {accepted:?}");
        }
        let _ = self.poll()?;
        if self.flying.is_some() {
            broken!("17. late news", "the awaited answer to {id:?} is stale and no `Cancel` says so");
        }
        Ok(())
    }

    /// Counts a program's answer that was refused, or may have been.
    fn count_unattended(&mut self, flying: &Flying<P::Step>, counts: impl Fn(NeedKind) -> bool) {
        for given in self.answers.iter().filter(|given| given.by_store && flying.answers.contains(&given.secret)) {
            if counts(given.kind) {
                self.unattended.add(given.kind);
            }
        }
    }

    /// It is unknown whether a request arrived.
    pub(super) fn fate_unknown(&mut self, flying: &Flying<P::Step>) {
        if recorder::is_harmful(self.session.provider().rule(flying.step)) {
            self.unknown.push(flying.step);
        }
        self.count_unattended(flying, |_| true);
    }

    /// A request is over; each of its answers is in hand again, or not.
    pub(super) fn land(&mut self, flying: Flying<P::Step>, fate: impl Fn(NeedKind) -> Fate) {
        for given in &mut self.answers {
            if flying.answers.contains(&given.secret) && given.fate == Fate::Sent {
                given.fate = fate(given.kind);
            }
        }
        self.over.push(flying.id);
    }

    /// The same, for a request of unknown fate: the answer to one whose step rotates is taken late, too.
    pub(super) fn give_up(&mut self, flying: Flying<P::Step>, fate: impl Fn(NeedKind) -> Fate) {
        let rotates = self.session.provider().rule(flying.step).rotates;
        self.land(flying, fate);
        if rotates {
            self.over.pop();
        }
    }

    /// Makes a call that must change nothing.
    pub(super) fn unmoved(&mut self, law: &str, call: impl FnOnce(&mut Self) -> Lawful) -> Lawful {
        // Another call that changes nothing but the clock comes first.
        let now = self.tick();
        let nobody = RequestId { epoch: 0, life: 0, seq: 1 };
        let _ = self.session.handle_failure(now, nobody, Failure::not_sent(FailureKind::Other));
        let (before, deadline) = (self.store().text, self.session.deadline());
        call(self)?;
        let after = self.store().text;
        if before != after || deadline != self.session.deadline() {
            let what = difference(&before, &after);
            return Err(Broken(format!("{law}: what must change nothing has changed\n  {what}")));
        }
        self.note(None).map(drop)
    }

    /// Ends the session: whatever its state, it closes in bounded time.
    pub(super) fn end(&mut self) -> Lawful {
        self.say("-- end".to_owned());
        self.logout();
        self.note(None)?;
        let begun = self.clock;
        let most = self.longest + self.longest + self.options.logout_patience + SLACK;
        for turn in 0..200 {
            let Some(until) = self.drain()? else {
                if self.clock.since(begun) > most {
                    broken!("16. logout", "closed only after {:?}", self.clock.since(begun));
                }
                let text = self.store().text;
                self.session = self.life(&text, &self.log.clone())?;
                self.known = core::mem::take(&mut self.known).resumed(&text);
                return self.drain().map(drop);
            };
            if self.flying.is_some() && turn % 3 == 0 {
                self.respond(&Reply::Junk { status: 503, content_type: "", body: Vec::new(), retry_after: None })?;
            } else if self.flying.is_some() && turn % 3 == 1 {
                self.fail(Failure::not_sent(FailureKind::Connect))?;
            } else if until.is_never() {
                broken!("16. logout", "waits for ever");
            } else {
                self.now = until;
            }
        }
        broken!("16. logout", "200 turns and no end")
    }
}
