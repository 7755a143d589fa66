//! The calls of a run, each with the laws that it must keep.

use core::time::Duration;

use super::calls::{Call, Reply};
use super::watch::{self, From, Log, Note, What};
use super::world::{Broken, Fate, Flying, Given, Lawful, World, broken};
use crate::provider::Step;
use crate::{
    Accepted, Answered, AuthorizeError, Because, By, CloseReason, Delivery, Event, Failure, FailureKind, Input,
    Machine, Misuse, NeedId, NeedKind, Outgoing, Output, Phase, Provider, RequestId, Response, Timestamp, WaitingOn,
};

/// How many outputs one instant may have.
const OUTPUTS: usize = 300;

/// What a `Retry-After` is believed up to.
const CAP: Duration = Duration::from_secs(15 * 60);

/// What a clock may be set back without anything moving.
const SLACK: Duration = Duration::from_secs(6);

impl<P: Provider + Send> World<'_, P> {
    pub(super) fn make(&mut self, call: &Call) -> Lawful {
        match call {
            Call::Start => self.start(),
            Call::Poll => _ = self.poll()?,
            Call::Drain => _ = self.drain()?,
            Call::Sleep => _ = self.sleep()?,
            Call::Forward(millis) => self.now = self.now + Duration::from_millis(*millis),
            Call::Back(millis) => self.now = self.now - Duration::from_millis(*millis),
            Call::Respond(reply) => return self.respond(reply),
            Call::Fail(kind, delivery) => return self.fail(Failure { kind: *kind, delivery: *delivery }),
            Call::ReportLate(which, reply) => return self.report_late(*which, reply),
            Call::ReportUnknown(ahead) => return self.report_unknown(*ahead),
            Call::Answer { by_store } => return self.give(if *by_store { By::Store } else { By::Person }),
            Call::AnswerWrongly => return self.give_wrong(),
            Call::AnswerStale => return self.give_stale(),
            Call::GiveUp => {
                if let Some(need) = self.need.take() {
                    let now = self.tick();
                    self.known.excused = true;
                    let _ = self.session.handle_input(now, need.id, Input::GiveUp, By::Person);
                }
            }
            Call::TakeOver => {
                let now = self.tick();
                if self.session.handle_input(now, NeedId::UNASKED, Input::TakeOver, By::Person) == Answered::Used {
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
            Call::Crash(which) => return self.crash(*which, false),
            Call::CrashTwice(which) => return self.crash(*which, true),
            Call::RoundTrip => return self.round_trip(),
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
                if !self.options.durable {
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
                    self.land(flying, Fate::Over);
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
        let Some((step, answer)) = self.built.take() else {
            broken!("1. no spin", "{id:?} leaves although nobody built it");
        };
        let rule = step.rule();
        let request = copy(&outgoing.request);
        let wire = format!("{} {}", request.uri(), String::from_utf8_lossy(request.body()));
        if let Some(given) = self.answers.iter().find(|given| {
            given.fate == Fate::Over && !given.reusable && given.secret.len() >= 8 && wire.contains(&given.secret)
        }) {
            broken!("6. answers", "{:?} is on the wire again: {}", given.kind, given.secret);
        }
        if self.options.durable && watch::is_harmful(step) {
            let named = serde_json::to_string(&step).unwrap_or_default();
            if !self.disk.as_ref().is_some_and(|disk| disk.text.contains(&format!("\"in_flight\":{named}"))) {
                broken!("10. write-ahead", "{step:?} leaves and the stored snapshot does not name it");
            }
            if self.unknown.contains(&step) {
                broken!("11. no harm twice", "{step:?} of unknown fate leaves again");
            }
        }
        if let Some(secret) = &answer {
            self.sends_answer(secret)?;
        }
        self.flying = Some(Flying { id, step, request, timeout: rule.timeout, answer });
        Ok(())
    }

    fn sends_answer(&mut self, secret: &str) -> Lawful {
        let max_refused = u32::from(self.options.max_refused);
        let Some(given) = self.answers.iter_mut().find(|given| given.secret == secret) else {
            broken!("6. answers", "an answer leaves that nobody gave");
        };
        if given.fate == Fate::Over {
            broken!("6. answers", "the {:?} leaves again: {secret}", given.kind);
        }
        given.fate = Fate::Sent;
        if given.by_store && given.kind.is_judged() && self.options.durable {
            if self.known.refused >= max_refused {
                broken!("9. unattended answers", "one leaves after {} refused ones", self.known.refused);
            }
            if self.unattended > max_refused {
                broken!("9. unattended answers", "one more leaves after {} refused or lost ones", self.unattended);
            }
        }
        Ok(())
    }

    fn waits(&mut self, until: Timestamp, on: &WaitingOn) -> Lawful {
        let deadline = self.session.deadline();
        if deadline != until {
            broken!("4. deadlines", "`until` is {until:?} and deadline() {deadline:?}");
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
        let outage = matches!(reason, CloseReason::RetriesExhausted(_) | CloseReason::Protocol(_));
        let patient = self.options.patience.is_none() || !matches!(reason, CloseReason::RetriesExhausted(_));
        if self.known.alive && patient && (outage || !self.known.excused) {
            broken!("12. outages close nothing", "an active session closed with {reason:?}");
        }
        if self.session.phase() != Phase::Closed {
            broken!("14. closed is absorbing", "the phase is {:?}", self.session.phase());
        }
        self.known.closed = Some(reason.clone());
        self.need = None;
        Ok(())
    }

    /// Takes what was noted; gives the steps whose loss the provider was told.
    fn note(&mut self, responded: Option<&Flying<P::Step>>) -> Lawful<Vec<P::Step>> {
        let mut lost = Vec::new();
        for note in self.log.drain() {
            match note {
                Note::Request { step, answer, fits } => {
                    if !fits {
                        broken!("7. no login without its answer", "{step:?} is built with another one");
                    }
                    self.built = Some((step, answer));
                }
                Note::Lost(step) => {
                    self.unknown.retain(|unknown| *unknown != step);
                    lost.push(step);
                }
                Note::NewTokens => self.generation += 1,
                Note::Penalty(lasts) => {
                    self.not_before = self.not_before.max(self.clock + lasts);
                    self.longest = self.longest.max(lasts);
                }
                Note::Waits(wait) => self.longest = self.longest.max(wait),
                Note::Instant(at) => self.instant = self.instant.max(at),
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
                self.known.excused &= !self.known.alive;
                self.known.refused = 0;
                self.unattended = 0;
            }
            What::Dead => {
                self.known.alive = false;
                for given in &mut self.answers {
                    given.fate = Fate::Over;
                }
            }
            What::Close(CloseReason::Protocol(_) | CloseReason::RetriesExhausted(_)) => {}
            What::Close(_) => self.known.excused = true,
            What::Ask(kind, because) => {
                if *because == Because::Refused {
                    self.known.refused += 1;
                }
                let spent = responded.is_some_and(|flying| flying.step.rule().spends == Some(*kind));
                for given in self.answers.iter_mut().filter(|given| given.fate == Fate::InHand) {
                    if given.kind == *kind
                        && !given.reusable
                        && *because != Because::Stale
                        && responded.is_some()
                        && !spent
                    {
                        broken!("8. taken answers", "{kind:?} was taken, and is asked for again unsent: {because:?}");
                    }
                    given.fate = Fate::Over;
                }
            }
            What::Next | What::Unjudged | What::Judged | What::Unreadable => {}
        }
        Ok(())
    }

    pub(super) fn respond(&mut self, reply: &Reply) -> Lawful {
        let Some(flying) = self.flying.take() else { return Ok(()) };
        let response = self.response(reply, Some(&flying.request));
        let now = self.tick();
        let (id, status) = (flying.id, response.status().as_u16());
        self.say(format!("{now:?} {id:?} gets {status}, {} bytes", response.body().len()));
        let accepted = self.session.handle_response(now, id, Response::from(&response));
        if accepted != Ok(Accepted::Used) {
            return self.dropped(flying, accepted);
        }
        let verdict = self.log.peek();
        self.note(Some(&flying))?;
        let unjudged = verdict == Some(What::Unjudged);
        let refused = matches!(verdict, Some(What::Ask(_, Because::Refused)));
        let unclear = matches!(verdict, None | Some(What::Judged | What::Unreadable));
        if (refused || unclear) && self.by_store(&flying) {
            self.unattended += 1;
        }
        if matches!(verdict, Some(What::Unjudged | What::Judged | What::Unreadable)) || matches!(status, 429 | 503) {
            self.obey(&response);
        }
        self.land(flying, if unjudged { Fate::InHand } else { Fate::Over });
        Ok(())
    }

    fn obey(&mut self, response: &http::Response<Vec<u8>>) {
        let Some(text) = response.headers().get("retry-after").and_then(|value| value.to_str().ok()) else { return };
        let wait = match text.parse::<u64>() {
            Ok(secs) => Duration::from_secs(secs),
            Err(_) => Timestamp::from_http_date(text).map_or(Duration::ZERO, |at| at.since(self.clock)),
        };
        self.not_before = self.not_before.max(self.clock + wait.min(CAP));
        self.longest = self.longest.max(CAP);
    }

    pub(super) fn fail(&mut self, failure: Failure) -> Lawful {
        let Some(flying) = self.flying.take() else { return Ok(()) };
        let now = self.tick();
        self.say(format!("{now:?} {:?} fails: {failure:?}", flying.id));
        let sent = failure.delivery == Delivery::MaybeSent;
        let before = (self.unknown.clone(), self.unattended);
        if sent {
            self.fate_unknown(&flying);
        }
        let accepted = self.session.handle_failure(now, flying.id, failure);
        if accepted != Ok(Accepted::Used) {
            (self.unknown, self.unattended) = before;
            return self.dropped(flying, accepted);
        }
        self.note(None)?;
        self.land(flying, if sent { Fate::Over } else { Fate::InHand });
        Ok(())
    }

    /// A report is stale although nobody was told: the session must tell so next.
    fn dropped(&mut self, flying: Flying<P::Step>, accepted: Result<Accepted, Misuse>) -> Lawful {
        let id = flying.id;
        self.flying = Some(flying);
        if accepted != Ok(Accepted::Stale) {
            broken!("17. late news", "the awaited answer to {id:?} is {accepted:?}");
        }
        let _ = self.poll()?;
        if self.flying.is_some() {
            broken!("17. late news", "the awaited answer to {id:?} is stale and no `Cancel` says so");
        }
        Ok(())
    }

    fn by_store(&self, flying: &Flying<P::Step>) -> bool {
        let secret = flying.answer.as_deref();
        self.answers.iter().any(|given| given.by_store && Some(given.secret.as_str()) == secret)
    }

    /// Nobody knows whether a request arrived.
    fn fate_unknown(&mut self, flying: &Flying<P::Step>) {
        if watch::is_harmful(flying.step) {
            self.unknown.push(flying.step);
        }
        if self.by_store(flying) {
            self.unattended += 1;
        }
    }

    /// A request is over; its answer is in hand again, or not.
    fn land(&mut self, flying: Flying<P::Step>, fate: Fate) {
        for given in &mut self.answers {
            if Some(given.secret.as_str()) == flying.answer.as_deref() && given.fate == Fate::Sent {
                given.fate = fate;
            }
        }
        self.over.push(flying.id);
    }

    fn report_late(&mut self, which: usize, reply: &Reply) -> Lawful {
        let Some(&id) = self.over.get(which % self.over.len().max(1)) else { return Ok(()) };
        if id.epoch > self.epoch() {
            // A life that was resumed from an older text cannot know of it.
            return Ok(());
        }
        let response = self.response(reply, None);
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_response(now, id, Response::from(&response)) {
                Ok(Accepted::Stale) => Ok(()),
                other => broken!("17. late news", "{id:?} is over and its answer is {other:?}"),
            }
        })
    }

    fn epoch(&self) -> u64 {
        let text = self.store().text;
        let value: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        value.get("epoch").and_then(serde_json::Value::as_u64).unwrap_or_default()
    }

    fn report_unknown(&mut self, ahead: u32) -> Lawful {
        let Some(last) = self.ids.iter().max().copied() else { return Ok(()) };
        let id = if ahead == 0 {
            RequestId { epoch: last.epoch + 1_000, ..last }
        } else {
            RequestId { seq: last.seq + 100_000 * ahead, ..last }
        };
        // An id of another life of the same epoch cannot be told from a late one.
        if ahead > 0 && self.flying.as_ref().is_none_or(|flying| flying.id != last) {
            return Ok(());
        }
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_failure(now, id, Failure::not_sent(FailureKind::Other)) {
                Err(Misuse::UnknownId) => Ok(()),
                other => broken!("17. late news", "{id:?} was never issued and is {other:?}"),
            }
        })
    }

    pub(super) fn give(&mut self, by: By) -> Lawful {
        let Some(need) = self.need.clone() else { return Ok(()) };
        let Some(input) = self.answer(need.kind) else { return Ok(()) };
        let secret = watch::secret(&input).unwrap_or_default().to_owned();
        let now = self.tick();
        let answered = self.session.handle_input(now, need.id, input, by);
        self.say(format!("{now:?} {:?} by {by:?}: {answered:?}", need.kind));
        let fate = if answered == Answered::Used { Fate::InHand } else { Fate::Over };
        if answered == Answered::Used && by == By::Person {
            // A person says how to go on.
            self.unknown.clear();
        }
        self.note(None)?;
        if answered == Answered::Used && need.kind != NeedKind::Browser {
            self.need = None;
        }
        if !secret.is_empty() {
            let reusable = need.kind == NeedKind::GatewayToken;
            self.answers.push(Given { secret, kind: need.kind, by_store: by == By::Store, reusable, fate });
        }
        Ok(())
    }

    fn give_wrong(&mut self) -> Lawful {
        let Some(need) = self.need.clone() else { return Ok(()) };
        let wrong = if need.kind == NeedKind::Browser { NeedKind::Pin } else { NeedKind::Browser };
        let Some(input) = self.answer(wrong) else { return Ok(()) };
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_input(now, need.id, input, By::Person) {
                Answered::Used => broken!("17. late news", "{wrong:?} is taken for {:?}", need.kind),
                _ => Ok(()),
            }
        })
    }

    fn give_stale(&mut self) -> Lawful {
        let Some(input) = self.answer(NeedKind::Pin) else { return Ok(()) };
        self.unmoved("17. late news", |world| {
            let now = world.tick();
            match world.session.handle_input(now, NeedId(u32::MAX), input, By::Person) {
                Answered::Stale => Ok(()),
                other => broken!("17. late news", "an answer to nothing is {other:?}"),
            }
        })
    }

    fn authorize(&mut self) -> Lawful {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = self.laws.path.parse().unwrap_or_default();
        let now = self.tick();
        let ticket = self.session.authorize(now, &mut parts, b"");
        self.note(None)?;
        if let Ok(ticket) = ticket {
            if self.known.closed.is_some() {
                broken!("14. closed is absorbing", "a call is authorized");
            }
            self.tickets.push((ticket, self.generation));
        }
        Ok(())
    }

    fn authorize_foreign(&mut self) -> Lawful {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        parts.uri = http::Uri::from_static("https://elsewhere.invalid/");
        let now = self.tick();
        match self.session.authorize(now, &mut parts, b"") {
            Ok(_) => broken!("20. foreign hosts", "a call to {} is authorized", parts.uri),
            Err(AuthorizeError::NotReady { .. } | AuthorizeError::Misuse(Misuse::ForeignHost)) => Ok(()),
            Err(other) => broken!("20. foreign hosts", "a call to {} is {other:?}", parts.uri),
        }
    }

    fn observe(&mut self, which: usize, reply: Option<&Reply>) -> Lawful {
        let Some((ticket, generation)) = self.tickets.get(which % self.tickets.len().max(1)).cloned() else {
            return Ok(());
        };
        let old = generation != self.generation || self.known.closed.is_some();
        let response = reply.map(|reply| self.response(reply, None));
        let observe = |world: &mut Self| {
            let now = world.tick();
            match &response {
                Some(response) => world.session.observe(now, &ticket, Response::from(response)),
                None => world.session.observe_failure(now, &ticket, Failure::maybe_sent(FailureKind::Timeout)),
            }
        };
        if !old {
            observe(self);
            return self.note(None).map(drop);
        }
        self.unmoved("17. late news", |world| match observe(world) {
            Accepted::Stale => Ok(()),
            Accepted::Used => broken!("17. late news", "an observation with old tokens is used"),
        })
    }

    /// Makes a call that must change nothing.
    fn unmoved(&mut self, law: &str, call: impl FnOnce(&mut Self) -> Lawful) -> Lawful {
        // Another call that changes nothing but the clock comes first.
        let now = self.tick();
        let nobody = RequestId { epoch: 0, life: 0, seq: 1 };
        let _ = self.session.handle_failure(now, nobody, Failure::not_sent(FailureKind::Other));
        let (before, deadline) = (self.store().text, self.session.deadline());
        call(self)?;
        let after = self.store().text;
        if before != after || deadline != self.session.deadline() {
            return Err(Broken(format!("{law}: what must change nothing made {after} of {before}")));
        }
        self.note(None).map(drop)
    }

    /// The process dies; what was stored last is resumed, or anything that was, without write-ahead.
    fn crash(&mut self, which: usize, twice: bool) -> Lawful {
        let stored =
            if self.options.durable { self.disk.as_ref() } else { self.kept.get(which % self.kept.len().max(1)) };
        let Some(stored) = stored.cloned() else { return Ok(()) };
        if let Some(flying) = self.flying.take() {
            self.fate_unknown(&flying);
            self.land(flying, Fate::Over);
        }
        for given in &mut self.answers {
            given.fate = Fate::Over;
        }
        if twice {
            let mut other = self.life(&stored.text, &Log::new())?;
            for _ in 0..20 {
                if let Output::Send(outgoing) = other.poll(self.now)
                    && !self.ids.insert(outgoing.id())
                {
                    broken!("3. ids", "{:?} is issued by two lives", outgoing.id());
                }
            }
        }
        self.session = self.life(&stored.text, &self.log.clone())?;
        self.clock = stored.clock;
        self.tick();
        self.known = stored.known;
        self.not_before = Timestamp::from_millis(0);
        self.generation += 1;
        self.need = None;
        self.saved = false;
        self.built = None;
        self.tickets.clear();
        if !self.options.durable {
            self.unknown.clear();
        }
        self.note(None).map(drop)
    }

    /// Writes, resumes and writes again.
    fn round_trip(&mut self) -> Lawful {
        // A step that may leave as soon as the text is stored counts as one of unknown fate.
        if self.flying.is_some() {
            self.drain()?;
        }
        if self.saved {
            return Ok(());
        }
        let now = self.tick();
        let nobody = RequestId { epoch: 0, life: 0, seq: 1 };
        let _ = self.session.handle_failure(now, nobody, Failure::not_sent(FailureKind::Other));
        if self.clock > self.now {
            return Ok(());
        }
        let text = self.store().text;
        self.shows_nothing("a snapshot", &text)?;
        let resumed = self.life(&text, &Log::new())?;
        let flying = self.flying.is_some();
        if flying {
            self.fail(Failure::maybe_sent(FailureKind::Interrupted))?;
        }
        let (here, there) = (self.store().text, resumed.snapshot().expose_secrets().to_owned());
        if masked(&here, flying) != masked(&there, flying) {
            broken!("15. snapshots", "{there}\nwas resumed from {text},\nwhich has become {here}");
        }
        Ok(())
    }

    fn shows_nothing(&self, what: &str, text: &str) -> Lawful {
        let shown = self
            .answers
            .iter()
            .find(|given| !given.reusable && given.secret.len() >= 8 && text.contains(&given.secret));
        match shown {
            Some(given) => broken!("18. nothing shows an answer", "{what} shows the {:?}", given.kind),
            None => Ok(()),
        }
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

/// Removes what may differ between a session and its resumed copy.
fn masked(text: &str, flying: bool) -> serde_json::Value {
    let mut value: serde_json::Value = serde_json::from_str(text).unwrap_or_default();
    // The spread of waits is drawn anew in each life, and a step that comes again counts from the resume.
    let drawn: &[(&str, &[&str])] = &[
        ("/session", &["check_at"]),
        ("/session/due", &["at"]),
        ("/session/keepalive", &["from", "retry"]),
        ("/session/need/poll", &["from", "retry"]),
    ];
    for (path, fields) in [("", &["epoch"][..])].iter().chain(drawn.iter().filter(|_| flying)) {
        if let Some(map) = value.pointer_mut(path).and_then(serde_json::Value::as_object_mut) {
            for field in *fields {
                map.remove(*field);
            }
        }
    }
    value
}

fn copy(request: &http::Request<Vec<u8>>) -> http::Request<Vec<u8>> {
    let mut copy = http::Request::new(request.body().clone());
    copy.method_mut().clone_from(request.method());
    copy.uri_mut().clone_from(request.uri());
    copy.headers_mut().clone_from(request.headers());
    copy
}
