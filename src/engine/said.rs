//! What servers say about time: waits, penalty boxes and the difference of clocks.

use core::time::Duration;

use http::StatusCode;

use super::limits::LONGEST;
use super::turn::Engine;
use crate::provider::{Fact, Provider};
use crate::{Event, Response, Timestamp};

const SHORTEST: Duration = Duration::from_secs(1);

/// How long a 429 without a word of its length keeps everybody from sending.
pub(super) const TOO_MANY: Duration = Duration::from_secs(60);

/// The difference of clocks that is worth an event: a `Date` header has whole seconds and travels.
const CLOCK_SKEW: u64 = 5_000;

impl<P: Provider> Engine<P> {
    /// Waits as long as the server says: after 429 everybody, otherwise the engine alone; also after 429 where the
    /// step has a limit of its own.
    pub(super) fn obey_limit(&mut self, now: Timestamp, own: bool, response: Response<'_>) {
        let named = if own { wait_named(now, response) } else { retry_after(now, response) };
        let wait = named.map(|named| self.core.limits.over.believe(now, named));
        if response.status == StatusCode::TOO_MANY_REQUESTS && !own {
            // The provider may have told a longer one.
            match wait {
                Some(wait) => self.penalize(now, wait),
                None if self.core.limits.penalty <= now => self.penalize(now, TOO_MANY),
                None => {}
            }
        } else if let Some(wait) = wait
            && self.core.limits.hold(now + wait)
        {
            self.note_wait(wait);
        }
    }

    /// Takes what the provider told of an answer. Where that names the length of its penalty box itself, the length that
    /// the provider knows of is not needed.
    #[inline]
    pub(super) fn absorb_with(&mut self, now: Timestamp, mut facts: Vec<Fact>, response: Response<'_>) {
        if facts.is_empty() {
            return;
        }
        if let Some(named) = penalty_named(now, response) {
            for fact in &mut facts {
                if let Fact::Penalty(lasts) = fact {
                    *lasts = self.core.limits.over.believe(now, named);
                }
            }
        }
        self.absorb(now, facts);
    }

    /// Lets the server's next long wait begin at the first cap, where this answer names none.
    pub(super) fn ease_limit(&mut self, now: Timestamp, own: bool, response: Response<'_>) {
        if self.core.limits.over.is_none() {
            return;
        }
        let named = if own { wait_named(now, response) } else { retry_after(now, response) };
        if response.status.is_success() || named.is_none_or(|named| named <= LONGEST) {
            self.core.limits.over.reset_escalation(now);
        }
    }

    /// Lets a wait that a server named be stored: the next process would go on knocking. A short one is over by then.
    pub(super) fn note_wait(&mut self, named: Duration) {
        self.out.saves.note_if(named >= TOO_MANY);
    }

    /// Opens the penalty box.
    pub(super) fn penalize(&mut self, now: Timestamp, lasts: Duration) {
        if self.core.limits.penalize(now + lasts) {
            // The next process would go on knocking, which makes boxes longer.
            self.out.saves.note();
            self.tell(Event::Penalty { lasts });
        }
    }

    /// Reports a difference of clocks when it changes.
    pub(super) fn note_clock(&mut self, now: Timestamp, response: Response<'_>) {
        let Some(date) = response.header(http::header::DATE).and_then(Timestamp::from_http_date) else { return };
        let skew = date.as_millis().cast_signed().saturating_sub(now.as_millis().cast_signed());
        if skew.abs_diff(self.skew) > CLOCK_SKEW {
            self.skew = skew;
            self.tell(Event::ClockSkew { by_millis: skew });
        }
    }
}

/// Returns how long the penalty box of a 429 lasts, where it says so.
pub(crate) fn penalty_named(now: Timestamp, response: Response<'_>) -> Option<Duration> {
    if response.status == StatusCode::TOO_MANY_REQUESTS { retry_after(now, response) } else { None }
}

/// Returns how long a 429 keeps everybody from sending who shares the address; `None` for any other answer.
pub(crate) fn penalty_of(now: Timestamp, response: Response<'_>) -> Option<Duration> {
    // A session that waits longer by now says so itself.
    let wait = || retry_after(now, response).map_or(TOO_MANY, |named| named.min(LONGEST));
    (response.status == StatusCode::TOO_MANY_REQUESTS).then(wait)
}

/// Returns how long an API is limited, where the answer says so: by `Retry-After`, else by `X-RateLimit-Reset` where
/// nothing remains, which is in seconds from now, or an instant in seconds or milliseconds since 1970.
pub(super) fn wait_named(now: Timestamp, response: Response<'_>) -> Option<Duration> {
    if let Some(wait) = retry_after(now, response) {
        return Some(wait);
    }
    let number = |name: http::HeaderName| response.header(name)?.trim().parse::<u64>().ok();
    if number(REMAINING).is_some_and(|left| left > 0) {
        return None;
    }
    let wait = match number(RESET)? {
        seconds @ ..1_000_000_000 => Duration::from_secs(seconds),
        seconds @ ..1_000_000_000_000 => Timestamp::from_secs(seconds).since(now),
        millis => Timestamp::from_millis(millis).since(now),
    };
    Some(wait.max(SHORTEST))
}

const REMAINING: http::HeaderName = http::HeaderName::from_static("x-ratelimit-remaining");
const RESET: http::HeaderName = http::HeaderName::from_static("x-ratelimit-reset");

/// Reads a `Retry-After` header, in seconds or as a date.
fn retry_after(now: Timestamp, response: Response<'_>) -> Option<Duration> {
    let text = response.header(http::header::RETRY_AFTER)?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        text.parse().map_or(Duration::MAX, Duration::from_secs)
    } else {
        Timestamp::from_http_date(text)?.since(now)
    };
    Some(wait.max(SHORTEST))
}
