//! What a session says, and the laws that each output must keep.

use core::time::Duration;

use super::known::{Fate, Flying, Given};
use super::recorder::{self, From, Note, What};
use super::wire::{Wire, bare};
use super::world::{Broken, Lawful, World, broken};
use crate::engine::left_in;
use crate::{
    CloseReason, Event, Machine, Outgoing, Output, Phase, Provider, Snapshot, Timestamp, WaitingOn,
    machine::{Ends, NeedReason},
};

/// What a clock may be set back without anything moving.
pub(super) const SLACK: Duration = Duration::from_secs(6);

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn poll(&mut self) -> Lawful<Output> {
        let now = self.tick();
        let output = self.session.poll(now);
        let shown = format!("{output:?}");
        self.say(format!("{now:?} {shown}"));
        self.shows_nothing("an output", &shown)?;
        let lost = self.note(None)?;
        self.saved = matches!(output, Output::Save);
        match &output {
            Output::Send(outgoing) => self.sent(outgoing)?,
            Output::Save => {
                let left = left_in(&self.session.snapshot(), self.session.provider());
                let provider = self.session.provider();
                let begins = self.sent == self.begun && provider.identity().rotates;
                let rotates = begins || left.is_some_and(|step| provider.rule(step).rotates);
                if !self.options.durable && !rotates && !core::mem::take(&mut self.rotated) {
                    broken!("10. write-ahead", "`Save` without `durable`");
                }
                let stored = self.store();
                self.shows_nothing("a snapshot", &stored.text)?;
                self.disk = Some(stored);
            }
            Output::Wait { until, on } => self.waits(*until, on)?,
            Output::Event(Event::Expired { .. }) => self.generation += 1,
            Output::Event(_) => {}
            Output::Cancel(id) => {
                if let Some(flying) = self.flying.take_if(|flying| flying.id == *id) {
                    if !lost.contains(&flying.step) {
                        self.fate_unknown(&flying);
                    }
                    self.give_up(flying, |_| Fate::Over);
                }
            }
            Output::Closed(reason) => self.closed(reason)?,
        }
        Ok(output)
    }

    fn sent(&mut self, outgoing: &Outgoing) -> Lawful {
        let id = outgoing.id();
        if !self.ids.insert(id) {
            broken!("3. ids", "{id:?} was issued before");
        }
        self.sent += 1;
        if let Some(flying) = &self.flying {
            broken!("2. one at a time", "{:?} is still on its way", flying.id);
        }
        if self.clock < self.not_before {
            broken!("13. penalties", "{id:?} leaves at {:?}, before {:?}", self.clock, self.not_before);
        }
        if self.known.closed.is_some() {
            broken!("14. closed is absorbing", "{id:?} leaves after that");
        }
        let Some((step, answers)) = self.built.take() else {
            broken!("1. no spin", "{id:?} leaves although nobody built it");
        };
        let rule = self.session.provider().rule(step);
        let (timeout, harmful, rotates) = (rule.timeout, recorder::is_harmful(rule), rule.rotates);
        let request = copy(&outgoing.request);
        let wire = Wire::of(&request);
        self.marks(&request, self.name_of(step))?;
        if let Some(given) = self.answers.iter().find(|given| {
            given.fate == Fate::Over && !given.reusable && given.secret.len() >= 8 && wire.holds(&given.secret)
        }) {
            broken!("6. answers", "{:?} is on the wire again: {}", given.kind, given.secret);
        }
        if rotates && !self.session.provider().identity().rotates {
            broken!(
                "10. write-ahead",
                "{step:?} rotates a token, and the identity does not say that the provider does"
            );
        }
        if self.options.durable && harmful || rotates && !self.options.forgetful {
            let left = |text: &str| left_in(&Snapshot::from_text(text), self.session.provider());
            if self.disk.as_ref().and_then(|disk| left(&disk.text)) != Some(step) {
                broken!("10. write-ahead", "{step:?} leaves and the stored snapshot does not name it");
            }
            if self.unknown.contains(&step) {
                broken!("11. no harm twice", "{step:?} of unknown fate leaves again");
            }
        }
        for secret in &answers {
            self.sends_answer(secret)?;
        }
        self.named.retain(|named| named.step != Some(step));
        self.flying = Some(Flying { id, step, request, timeout, answers });
        Ok(())
    }

    fn sends_answer(&mut self, secret: &str) -> Lawful {
        let max_refused = usize::from(self.options.max_refused);
        let Some(given) = self.answers.iter_mut().find(|given| given.secret == secret) else {
            broken!("6. answers", "an answer leaves that nobody gave");
        };
        if given.fate == Fate::Over {
            broken!("6. answers", "the {:?} leaves again: {secret}", given.kind);
        }
        given.fate = Fate::Sent;
        if given.by_store && given.kind.is_judged() && self.options.durable {
            let refused = self.known.refused.against(given.kind);
            if refused >= max_refused {
                broken!("9. unattended answers", "one leaves after {refused} refused ones");
            }
            let unattended = self.unattended.against(given.kind);
            if unattended >= max_refused {
                broken!("9. unattended answers", "one leaves after {unattended} refused or lost ones");
            }
        }
        Ok(())
    }

    fn waits(&mut self, until: Timestamp, on: &WaitingOn) -> Lawful {
        // The status works it out again, whatever the last poll has left behind.
        let (deadline, anew) = (self.session.deadline(), self.session.status().deadline);
        if deadline != until || anew != until {
            broken!("4. deadlines", "`until` is {until:?}, deadline() {deadline:?} and that of the status {anew:?}");
        }
        if until <= self.now || until <= self.clock {
            broken!("4. deadlines", "`until` is {until:?} and it is {:?}", self.now);
        }
        if self.session.phase() == Phase::Closed {
            broken!("14. closed is absorbing", "the phase is closed and poll waits");
        }
        let ahead = until.since(self.clock);
        let length = match on {
            WaitingOn::Response(_) => self.flying.as_ref().map_or(self.longest, |flying| flying.timeout) + SLACK,
            _ => self.longest + SLACK,
        };
        // An instant that a server named stays where it is; renewals are put off by a minute at most.
        if !until.is_never() && ahead > length && until > self.instant + Duration::from_secs(60) {
            broken!("4. deadlines", "{ahead:?} ahead, but no length is over {length:?} ({on:?})");
        }
        if until.is_never() {
            let status = self.session.status();
            let legal = match on {
                WaitingOn::Start | WaitingOn::Need(_) => true,
                WaitingOn::Nothing => status.phase == Phase::Active && !status.suspect,
                _ => false,
            };
            if !legal {
                broken!("5. no dead end", "waits for ever on {on:?} ({:?}, suspect: {})", status.phase, status.suspect);
            }
        }
        self.need = match on {
            WaitingOn::Need(need) => Some(need.clone()),
            WaitingOn::Response(_) => self.need.take(),
            _ => None,
        };
        Ok(())
    }

    fn closed(&mut self, reason: &CloseReason) -> Lawful {
        match &self.known.closed {
            Some(known) if known != reason => broken!("14. closed is absorbing", "{known:?} became {reason:?}"),
            Some(_) => return Ok(()),
            None => {}
        }
        if *reason == CloseReason::Left && self.options.ends == Ends::Always {
            broken!("16. logout", "a session is left that is to be ended");
        }
        let given_up = matches!(reason, CloseReason::GivenUp(_));
        let outage = given_up || matches!(reason, CloseReason::RetriesExhausted(_) | CloseReason::Protocol(_));
        let patient = self.options.open_patience.is_none() || !given_up;
        if self.known.alive && patient && (outage || !self.known.excused) {
            broken!("12. outages close nothing", "an active session closed with {reason:?}");
        }
        if self.session.phase() != Phase::Closed {
            broken!("14. closed is absorbing", "the phase is {:?}", self.session.phase());
        }
        let goes_on = matches!(reason, CloseReason::Left | CloseReason::GivenUp(_) | CloseReason::RetriesExhausted(_));
        match self.session.snapshot().closed() {
            Some(told) if told != *reason => broken!("15. snapshots", "{reason:?} is stored as {told:?}"),
            None if !goes_on => broken!("15. snapshots", "the end is not stored: {reason:?}"),
            _ => {}
        }
        self.known.closed = Some(reason.clone());
        self.need = None;
        Ok(())
    }

    /// Removes the notes; returns the steps whose loss was reported to the provider.
    pub(super) fn note(&mut self, responded: Option<&Flying<P::Step>>) -> Lawful<Vec<P::Step>> {
        let mut lost = Vec::new();
        for note in self.log.drain() {
            match note {
                Note::Request { step, answers, fits } => {
                    if !fits {
                        broken!(
                            "7. no login without its answers",
                            "{step:?} is built without one, or with another one"
                        );
                    }
                    self.built = Some((step, answers));
                }
                Note::Lost(step) => {
                    self.unknown.retain(|unknown| *unknown != step);
                    lost.push(step);
                }
                Note::NewTokens => self.generation += 1,
                Note::Accepted(kind) => {
                    self.known.refused.accepted(kind);
                    self.unattended.accepted(kind);
                }
                Note::Penalty(lasts) => {
                    self.not_before = self.not_before.max(self.clock + lasts);
                    self.longest = self.longest.max(lasts);
                }
                Note::Unspent(_) => {}
                Note::Waits(wait) => self.longest = self.longest.max(wait),
                Note::Instant(at) => self.instant = self.instant.max(at),
                Note::Planned { step, when, renewal } => self.names(Some(step), when, renewal),
                Note::Ends(when) => self.names(None, when, false),
                Note::Unbuildable(step, part) => self.unbuildable = Some((step, part)),
                Note::Said { from, what } => self.said(from, &what, responded)?,
            }
        }
        Ok(lost)
    }

    fn said(&mut self, from: From<P::Step>, what: &What, responded: Option<&Flying<P::Step>>) -> Lawful {
        self.say(format!("   {from:?} -> {what:?}"));
        if matches!(from, From::Response(_)) {
            // The server was asked: what is sent next is sent knowingly.
            self.unknown.clear();
        }
        match what {
            What::Active => {
                self.known.alive = !matches!(self.session.phase(), Phase::LoggingOut | Phase::Closed);
                self.got_in |= self.known.alive;
                self.known.excused &= !self.known.alive;
                self.known.refused.clear();
                self.unattended.clear();
            }
            What::Dead(_) => {
                self.known.alive = false;
                self.deaths += 1;
                self.named.clear();
                for given in &mut self.answers {
                    given.fate = Fate::Over;
                }
            }
            What::Close(CloseReason::Protocol(_) | CloseReason::RetriesExhausted(_)) => {}
            What::Close(_) => self.known.excused = true,
            What::Ask(kind, because) => {
                if *because == NeedReason::Refused {
                    self.known.refused.add(*kind);
                }
                let spent = responded.is_some_and(|flying| {
                    self.session.provider().rule(flying.step).takes().any(|taken| taken == *kind)
                });
                let of_kind = |given: &&mut Given| given.fate == Fate::InHand && given.kind == *kind;
                for given in self.answers.iter_mut().filter(of_kind) {
                    if !given.reusable && *because != NeedReason::Stale && responded.is_some() && !spent {
                        broken!("8. taken answers", "{kind:?} was taken, and is asked for again unsent: {because:?}");
                    }
                    given.fate = Fate::Over;
                }
            }
            What::Next | What::Unjudged | What::Judged | What::Failed | What::Unreadable(_) => {}
        }
        Ok(())
    }

    pub(super) fn shows_nothing(&self, what: &str, text: &str) -> Lawful {
        let shown = self
            .answers
            .iter()
            .find(|given| !given.reusable && given.secret.len() >= 8 && text.contains(&given.secret));
        match shown {
            Some(given) => broken!("18. nothing shows an answer", "{what} shows the {:?}", given.kind),
            None => Ok(()),
        }
    }

    /// A header that shows an answer or a token is marked as sensitive, or it is in the first log that prints it.
    pub(super) fn marks(&self, request: &http::Request<Vec<u8>>, what: &str) -> Lawful {
        if request.headers().values().all(http::HeaderValue::is_sensitive) {
            return Ok(());
        }
        let given = self.answers.iter().map(|given| given.secret.as_str()).filter(|secret| secret.len() >= 8);
        let issued = self.simulator.iter().flat_map(|simulator| simulator.secrets()).map(String::as_str);
        let secrets: Vec<&str> = given.chain(issued).collect();
        match bare(request.headers(), |text| secrets.iter().any(|secret| text.contains(secret))) {
            Some(name) => broken!(
                "18. nothing shows an answer",
                "{what} has a secret in `{name}`, which is not marked as sensitive"
            ),
            None => Ok(()),
        }
    }
}

pub(super) fn copy(request: &http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let mut copy = http::Request::new(request.body().clone());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}
