//! The only way to change a session: whoever comes in tells the time, and what the last poll waited for is forgotten.
//!
//! So an idle poll is one comparison, and what it compares with cannot be out of date.

use core::time::Duration;

use crate::Timestamp;

/// A clock set back by less stands still instead: time services slew, they do not jump.
pub(crate) const STANDS_STILL: Duration = Duration::from_secs(5);

/// What a door leads to.
pub(super) trait Inside {
    /// Moves every relative instant back with the clock.
    fn set_back(&mut self, by: Duration);
}

/// Something that changes only for those who tell the time, and remembers what was waited for until then.
pub(super) struct Door<T, W> {
    /// The latest time that was seen.
    clock: Timestamp,
    quiet: Quiet<W>,
    inside: T,
}

/// What the last poll waits for, and until when.
#[derive(Clone, Copy)]
pub(super) struct Quiet<W> {
    /// Before this there is nothing to do; zero after any change.
    until: Timestamp,
    waits: W,
}

impl<W> Quiet<W> {
    /// Forgets what was waited for, and gives it, where nothing has changed since.
    #[inline]
    pub(super) const fn take(&mut self) -> Option<(Timestamp, W)>
    where
        W: Copy,
    {
        if self.until.as_millis() == 0 {
            return None;
        }
        let until = self.until;
        self.end();
        Some((until, self.waits))
    }

    const fn end(&mut self) {
        self.until = Timestamp::from_millis(0);
    }

    /// Remembers that there is nothing to do before `until`, until somebody is let in.
    pub(super) fn wait(&mut self, until: Timestamp, waits: W) {
        *self = Self { until, waits };
    }
}

impl<T: Inside, W: Copy> Door<T, W> {
    pub(super) const fn new(clock: Timestamp, inside: T, waits: W) -> Self {
        Self { clock, quiet: Quiet { until: Timestamp::from_millis(0), waits }, inside }
    }

    /// Lets somebody in, and gives the time that counts.
    #[inline]
    pub(super) fn open(&mut self, now: Timestamp) -> (Timestamp, &mut T) {
        let (now, inside, quiet) = self.open_to_poll(now);
        quiet.end();
        (now, inside)
    }

    /// Lets a poll in, which learns what the last one waited for, where nothing has changed since, and may wait again.
    #[inline]
    pub(super) fn open_to_poll(&mut self, now: Timestamp) -> (Timestamp, &mut T, &mut Quiet<W>) {
        let Self { clock, quiet, inside } = self;
        let now = now.min(Timestamp::LATEST);
        if now >= *clock {
            *clock = now;
        } else {
            set_back(clock, now, inside);
            quiet.end();
        }
        (*clock, inside, quiet)
    }

    /// Returns what the last poll waits for, where this one comes too early again.
    #[inline]
    pub(super) fn still(&mut self, now: Timestamp) -> Option<(Timestamp, W, &T)> {
        if now >= self.quiet.until || now < self.clock || now > Timestamp::LATEST {
            return None;
        }
        self.clock = now;
        Some((self.quiet.until, self.quiet.waits, &self.inside))
    }

    /// Returns until when the last poll waits, where nobody has been let in since.
    #[inline]
    pub(super) fn quiet(&self) -> Option<Timestamp> {
        (self.quiet.until > self.clock).then_some(self.quiet.until)
    }

    /// Creates a door that waits for the same, to a copy of what is inside.
    #[cfg(feature = "testing")]
    pub(super) const fn copy_of(&self, inside: T) -> Self {
        Self { clock: self.clock, quiet: self.quiet, inside }
    }

    pub(super) const fn clock(&self) -> Timestamp {
        self.clock
    }

    pub(super) const fn inside(&self) -> &T {
        &self.inside
    }

    pub(super) fn into_inside(self) -> T {
        self.inside
    }
}

/// Moves a clock back, and what is inside with it; by a little it stands still instead.
#[cold]
fn set_back(clock: &mut Timestamp, now: Timestamp, inside: &mut impl Inside) {
    let by = clock.since(now);
    if by > STANDS_STILL {
        inside.set_back(by);
        *clock = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Default)]
    struct Room {
        back: Duration,
    }

    impl Inside for Room {
        fn set_back(&mut self, by: Duration) {
            self.back += by;
        }
    }

    const NOON: Timestamp = Timestamp::from_secs(1_790_000_000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn what_was_waited_for_is_forgotten_by_whoever_comes_in() {
        let mut door = Door::new(Timestamp::from_millis(0), Room::default(), 0);
        assert_eq!(door.open(NOON).0, NOON);
        door.open_to_poll(NOON).2.wait(NOON + SECOND * 9, 7);
        assert_eq!(door.still(NOON + SECOND).map(|(until, waits, _)| (until, waits)), Some((NOON + SECOND * 9, 7)));
        assert_eq!((door.quiet(), door.clock()), (Some(NOON + SECOND * 9), NOON + SECOND));
        assert!(door.still(NOON).is_none(), "the clock has gone back");
        assert!(door.still(NOON + SECOND * 9).is_none(), "it is due");
        let _ = door.open(NOON + SECOND * 2);
        assert!(door.quiet().is_none() && door.still(NOON + SECOND * 3).is_none());
        assert_eq!(door.open_to_poll(NOON + SECOND * 3).2.take(), None);
    }

    #[test]
    fn a_poll_in_time_learns_what_was_waited_for_unless_something_has_changed() {
        let mut door = Door::new(Timestamp::from_millis(0), Room::default(), 0);
        let waits = |door: &mut Door<Room, i32>| door.open_to_poll(NOON).2.wait(NOON + SECOND, 7);
        waits(&mut door);
        assert_eq!(door.open_to_poll(NOON + SECOND).2.take(), Some((NOON + SECOND, 7)));
        assert_eq!(door.open_to_poll(NOON + SECOND).2.take(), None, "it is told once");
        waits(&mut door);
        let _ = door.open(NOON + SECOND);
        assert_eq!(door.open_to_poll(NOON + SECOND).2.take(), None);
        waits(&mut door);
        assert_eq!(door.open_to_poll(NOON - STANDS_STILL * 2).2.take(), None, "the clock has gone back");
    }

    #[test]
    fn a_clock_set_back_stands_still_or_takes_everything_back() {
        let mut door = Door::new(Timestamp::from_millis(0), Room::default(), 0);
        let _ = door.open(NOON);
        assert_eq!(door.open(NOON - STANDS_STILL).0, NOON);
        assert_eq!(door.inside().back, Duration::ZERO);
        let back = STANDS_STILL + SECOND;
        assert_eq!(door.open(NOON - back).0, NOON - back);
        assert_eq!(door.inside().back, back);
        assert_eq!(door.open(Timestamp::NEVER).0, Timestamp::LATEST);
        door.open_to_poll(Timestamp::LATEST).2.wait(Timestamp::NEVER, 0);
        assert!(door.still(Timestamp::NEVER).is_none(), "no time counts that is later than the last one");
    }
}
