//! The lives of a session: it dies and is resumed, or is written and resumed beside itself.

use super::diff::difference;
use super::known::{Fate, Known};
use super::recorder::Log;
use super::recorder::Watched;
use super::world::{Broken, Lawful, World, broken, seed};
use crate::engine::likeness;
use crate::{Failure, Machine, Output, Phase, Provider, RequestId, Session, Snapshot, Timestamp, machine::FailureKind};

impl<P: Provider + Send> World<'_, P> {
    /// The same, where the text may be an older one.
    pub(super) fn dies(&mut self, which: usize, twice: bool) -> Lawful {
        self.rolled_back |= !self.options.durable;
        self.crash(which, twice)
    }

    /// The process dies; what was stored last is resumed, or anything that was, without write-ahead.
    pub(super) fn crash(&mut self, which: usize, twice: bool) -> Lawful {
        let stored =
            if self.options.durable { self.disk.as_ref() } else { self.kept.get(which % self.kept.len().max(1)) };
        let Some(stored) = stored.cloned() else { return Ok(()) };
        if let Some(flying) = self.flying.take() {
            if which.is_multiple_of(2) && self.simulator.is_some() {
                _ = self.arrives(&flying.request, self.name_of(flying.step))?;
            }
            self.fate_unknown(&flying);
            self.land(flying, |_| Fate::Over);
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
        self.known = stored.known.resumed(&stored.text);
        self.not_before = Timestamp::from_millis(0);
        self.capped = Default::default();
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

    /// A session that has closed is followed by one of the same login.
    pub(super) fn anew(&mut self) -> Lawful {
        if self.known.closed.is_none() {
            return Ok(());
        }
        let stored = self.store();
        self.lives += 1;
        let provider = Watched { inner: (self.laws.make)(), log: self.log.clone() };
        self.begun = self.sent;
        let mut session = Session::new(provider, self.options.clone(), seed(self.laws.seed, self.lives));
        if let Err(error) = session.remember(&Snapshot::from_text(stored.text)) {
            broken!("15. snapshots", "what it has cost is not taken over: {error}");
        }
        self.session = session;
        self.known = Known { refused: stored.known.refused, ..Known::default() };
        for given in &mut self.answers {
            given.fate = Fate::Over;
        }
        (self.flying, self.need, self.built) = (None, None, None);
        self.not_before = Timestamp::from_millis(0);
        self.capped = Default::default();
        self.generation += 1;
        self.saved = false;
        self.unknown.clear();
        self.tickets.clear();
        self.start();
        self.note(None).map(drop)
    }

    /// Writes, resumes and writes again.
    pub(super) fn round_trip(&mut self) -> Lawful {
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
        // Each life has a seed of its own, and what differs by that alone is no other session.
        let (log, number) = (Log::new(), self.lives + 1);
        log.draw_alike(number);
        let resumed = self.life(&text, &log)?;
        let (flying, ending) = (self.flying.is_some(), self.session.phase() == Phase::LoggingOut);
        if flying {
            self.log.draw_alike(number);
            let failed = self.fail(Failure::maybe_sent(FailureKind::Interrupted));
            self.log.draw_alike(0);
            failed?;
        }
        // The patience of a logout begins again at a resume.
        if ending && self.session.phase() == Phase::Closed && resumed.phase() == Phase::LoggingOut {
            return self.note(None).map(drop);
        }
        let (here, there) = (self.store().text, resumed.snapshot().expose_secrets().to_owned());
        let alike = |text: &str| likeness::<P>(&Snapshot::from_text(text), flying);
        let (alike, alike_there) = (alike(&here), alike(&there));
        let (Some(alike), Some(alike_there)) = (alike, alike_there) else {
            broken!("15. snapshots", "what it writes cannot be read again");
        };
        if alike != alike_there {
            let what = difference(&alike, &alike_there);
            broken!("15. snapshots", "a resume makes another session of it:\n  {what}");
        }
        // One that has ended and lives on is usable to whoever resumes it.
        if self.session.phase() == Phase::Closed { Ok(()) } else { self.lives_as(&resumed) }
    }

    /// Holds what a resumed session shows of itself against what this one does.
    pub(super) fn lives_as(&self, resumed: &Session<Watched<P>>) -> Lawful {
        let shows = |live: Option<&P::Live>| match (&self.laws.live, live) {
            (_, None) => "nothing".to_owned(),
            (None, Some(_)) => "something".to_owned(),
            (Some(show), Some(live)) => show(live),
        };
        let (here, there) = (shows(self.session.live()), shows(resumed.live()));
        if here != there {
            broken!("15. snapshots", "live() shows {here}, and after a resume {there}");
        }
        Ok(())
    }
}
