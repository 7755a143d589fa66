//! Limits of a server that counts each of its APIs for itself.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::limits::Over;
use super::said::{TOO_MANY, wait_named};
use super::turn::Engine;
use crate::provider::Provider;
use crate::{Event, Response, Timestamp};

/// How long a limit without a word of its length holds at first: those that are counted so are counted by the second.
const SECOND: Duration = Duration::from_secs(1);

/// After so long without a limit its length begins at a second again.
const FORGOTTEN: Duration = Duration::from_secs(5 * 60);

/// One API that is asked nothing for a while, while the others go on.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct ApiBox {
    api: Box<str>,
    pub(super) until: Timestamp,
    /// How many limits without a length came one after another.
    tries: u8,
    #[serde(default, skip_serializing_if = "super::text::is_default")]
    over: Over,
}

impl ApiBox {
    pub(super) fn set_back(&mut self, by: Duration) {
        self.until = self.until - by;
        self.over.set_back(by);
    }

    /// Bounds what an edited text says.
    pub(super) fn bound(&mut self, clock: Timestamp) {
        self.until = self.until.min(clock + self.over.longest());
        self.over.bound(clock);
    }
}

impl<P: Provider> Engine<P> {
    /// Returns until when calls of an API are not to leave.
    pub(super) fn boxed_until(&self, now: Timestamp, api: &str) -> Option<Timestamp> {
        let found = self.core.limits.boxes.iter().find(|boxed| *boxed.api == *api)?;
        (found.until > now).then_some(found.until)
    }

    /// Boxes one API; calls of the others, and the session's own requests, go on.
    pub(super) fn limit(&mut self, now: Timestamp, api: &'static str, response: Response<'_>) {
        let named = wait_named(now, response);
        let boxes = &mut self.core.limits.boxes;
        boxes.retain(|boxed| *boxed.api == *api || now.since(boxed.until) < FORGOTTEN);
        if !boxes.iter().any(|boxed| *boxed.api == *api) {
            boxes.push(ApiBox { api: api.into(), until: Timestamp::from_millis(0), tries: 0, over: Over::default() });
        }
        let Some(boxed) = boxes.iter_mut().find(|boxed| *boxed.api == *api) else { return };
        // Calls that had left before tell the same limit once more.
        let told = boxed.until > now;
        if !told {
            let begins_anew = now.since(boxed.until) >= FORGOTTEN;
            boxed.tries = if begins_anew { 0 } else { boxed.tries.saturating_add(1) };
        }
        let guess = SECOND.saturating_mul(1 << boxed.tries.min(6)).min(TOO_MANY);
        let lasts = match named {
            Some(named) => boxed.over.believe(now, named),
            None if told => Duration::ZERO,
            None => guess,
        };
        if now + lasts > boxed.until {
            boxed.until = now + lasts;
            self.note_wait(named.map_or(Duration::ZERO, |_| lasts));
            self.tell(Event::Limited { api, lasts });
        }
    }

    /// An API answered: its next limit begins at a second again.
    pub(super) fn unlimited(&mut self, now: Timestamp, api: &str) {
        self.core.limits.boxes.retain(|boxed| *boxed.api != *api || boxed.until > now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::kotak::Neo;
    use crate::{BaseUrl, Machine, Options, Session, Snapshot};

    const NOW: Timestamp = Timestamp::from_secs(1_790_000_000);
    const MINUTE: u64 = 60;

    fn neo() -> Neo {
        let base = BaseUrl::parse("https://mis.kotaksecurities.com").unwrap();
        Neo::new(base, "ABC12", "0000000000").unwrap()
    }

    fn session() -> Session<Neo> {
        let mut session = Session::new(neo(), Options::default(), [7; 32]);
        session.start(NOW);
        session
    }

    /// A 429 that names this wait, and for how long it is obeyed, in seconds.
    fn limits(session: &mut Session<Neo>, now: Timestamp, api: &'static str, named: Option<u64>) -> u64 {
        let mut response = http::Response::builder().status(429);
        if let Some(named) = named {
            response = response.header("retry-after", named);
        }
        let (now, engine) = session.0.open(now);
        engine.limit(now, api, Response::from(&response.body(b"{}").unwrap()));
        engine.boxed_until(now, api).map_or(0, |until| until.since(now).as_secs())
    }

    fn until(session: &Session<Neo>, now: Timestamp, api: &str) -> Option<Timestamp> {
        session.0.inside().boxed_until(now, api)
    }

    fn answers(session: &mut Session<Neo>, now: Timestamp, api: &str) {
        let (now, engine) = session.0.open(now);
        engine.unlimited(now, api);
    }

    #[test]
    fn a_limit_without_a_length_holds_twice_as_long_each_time() {
        let (mut session, mut now) = (session(), NOW);
        for expected in [1, 2, 4, 8, 16, 32, 60, 60] {
            assert_eq!(limits(&mut session, now, "quotes", None), expected);
            // What had left before tells the same limit once more.
            assert_eq!(limits(&mut session, now, "quotes", None), expected);
            now = now + Duration::from_secs(expected);
            assert_eq!(until(&session, now, "quotes"), None);
        }
        assert_eq!(limits(&mut session, now, "orders", None), 1, "each API is for itself");
        answers(&mut session, now, "quotes");
        assert_eq!(limits(&mut session, now, "quotes", None), 1, "it had answered");
        now = now + Duration::from_secs(1);
        assert_eq!(limits(&mut session, now, "quotes", None), 2);
        now = now + Duration::from_secs(2) + FORGOTTEN;
        assert_eq!(limits(&mut session, now, "quotes", None), 1, "it is long ago");
    }

    #[test]
    fn a_named_wait_is_believed_twice_as_long_each_time_it_is_named_again() {
        const DAY: u64 = 24 * 60 * MINUTE;
        let (mut session, mut now) = (session(), NOW);
        assert_eq!(limits(&mut session, now, "quotes", Some(7)), 7);
        now = now + Duration::from_secs(7);
        for minutes in [15, 30, 60, 120, 240, 240] {
            assert_eq!(limits(&mut session, now, "quotes", Some(DAY)), minutes * MINUTE);
            // What had left before names the same wait once more.
            assert_eq!(limits(&mut session, now, "quotes", Some(DAY)), minutes * MINUTE);
            // An answer to what had left before does not end it.
            answers(&mut session, now, "quotes");
            assert_eq!(limits(&mut session, now, "orders", Some(DAY)), 15 * MINUTE, "each API is for itself");
            now = now + Duration::from_secs(minutes * MINUTE);
            answers(&mut session, now, "orders");
        }
        answers(&mut session, now, "quotes");
        assert_eq!(limits(&mut session, now, "quotes", Some(DAY)), 15 * MINUTE, "it had answered");
    }

    #[test]
    fn the_next_process_goes_on_with_the_same_waits() {
        let resume = |session: &Session<Neo>, edit: fn(String) -> String, now| {
            let text = edit(session.snapshot().expose_secrets().to_owned());
            Session::resume(neo(), &Snapshot::from_text(text), Options::default(), None, [8; 32], now).unwrap()
        };
        let (mut old, mut now) = (session(), NOW);
        for minutes in [15, 30] {
            assert_eq!(limits(&mut old, now, "quotes", Some(86_400)), minutes * MINUTE);
            now = now + Duration::from_secs(minutes * MINUTE);
        }
        let _ = old.0.open(now);
        let mut next = resume(&old, |text| text, now);
        assert_eq!(limits(&mut next, now, "quotes", Some(86_400)), 60 * MINUTE);
        // A clock that is set back takes the wait with it.
        let (back, _) = next.0.open(now - Duration::from_secs(7_200));
        assert_eq!(until(&next, back, "quotes"), Some(back + Duration::from_secs(60 * MINUTE)));
        // A new session that only remembers waits, too.
        let mut fresh = Session::new(neo(), Options::default(), [9; 32]);
        fresh.remember(&next.snapshot()).unwrap();
        assert_eq!(until(&fresh, back, "quotes"), until(&next, back, "quotes"));
        // An edited text keeps nobody away for ever.
        let edited = resume(&next, |text| text.replace(r#""tries":0"#, r#""tries":255"#), back);
        assert_eq!(until(&edited, back, "quotes"), until(&next, back, "quotes"));
        let ends = until(&next, back, "quotes").unwrap().as_millis().to_string();
        let text = next.snapshot().expose_secrets().replace(&ends, "253402300799999");
        let edited = Session::resume(neo(), &Snapshot::from_text(text), Options::default(), None, [8; 32], back);
        assert_eq!(until(&edited.unwrap(), back, "quotes"), Some(back + Duration::from_secs(60 * MINUTE)));
    }
}
