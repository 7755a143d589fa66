//! Limits of a server that counts each of its APIs for itself.

use core::time::Duration;

use serde::{Deserialize, Serialize};

use super::engine::Engine;
use super::limits::Over;
use super::said::{TOO_MANY, wait_named};
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
    #[serde(default, skip_serializing_if = "super::format::is_default")]
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
    /// Tells until when calls of an API are not to leave.
    pub(super) fn boxed_until(&self, now: Timestamp, api: &str) -> Option<Timestamp> {
        let found = self.core.limits.boxes.iter().find(|boxed| *boxed.api == *api)?;
        (found.until > now).then_some(found.until)
    }

    /// Boxes one API; calls of the others, and the session's own requests, go on.
    pub(super) fn limit(&mut self, now: Timestamp, api: &'static str, response: Response<'_>) {
        let named = wait_named(now, response);
        let boxes = &mut self.core.limits.boxes;
        boxes.retain(|boxed| *boxed.api == *api || now.since(boxed.until) < FORGOTTEN);
        let index = boxes.iter().position(|boxed| *boxed.api == *api).unwrap_or_else(|| {
            boxes.push(ApiBox { api: api.into(), until: Timestamp::from_millis(0), tries: 0, over: Over::default() });
            boxes.len() - 1
        });
        let Some(boxed) = boxes.get_mut(index) else { return };
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
            self.tell(Event::Limited { api, lasts });
        }
    }

    /// An API answered: its next limit begins at a second again.
    pub(super) fn unlimited(&mut self, now: Timestamp, api: &str) {
        self.core.limits.boxes.retain(|boxed| *boxed.api != *api || boxed.until > now);
    }
}
