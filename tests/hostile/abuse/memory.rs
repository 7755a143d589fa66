//! What a piece of work costs: memory at its peak, and what it allocated in all.
//!
//! The second stands for its time, which a busy machine would stretch: text that is copied, kept or built
//! again and again shows there.

use std::cell::Cell;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
    static TOTAL: Cell<usize> = const { Cell::new(0) };
}

/// Notes that this thread got so many bytes, or gave them back.
pub fn count(bytes: isize) {
    let _ = TOTAL.try_with(|total| total.set(total.get() + usize::try_from(bytes).unwrap_or_default()));
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(live.get())));
    });
}

/// What this thread allocated.
#[derive(Clone, Copy, Default, Debug)]
pub struct Cost {
    /// How many bytes more than before it had at the worst moment.
    pub peak: usize,
    /// How many bytes it asked for, whether given back or not.
    pub total: usize,
}

impl Cost {
    pub fn of(work: impl FnOnce()) -> Self {
        let (live, total) = (LIVE.get(), TOTAL.get());
        PEAK.set(live);
        work();
        Self { peak: (PEAK.get() - live).try_into().unwrap(), total: TOTAL.get() - total }
    }

    pub fn worse(self, other: Self) -> Self {
        Self { peak: self.peak.max(other.peak), total: self.total.max(other.total) }
    }
}

/// Returns how many bytes more were given back than asked for.
pub fn freed_by(work: impl FnOnce()) -> usize {
    let live = LIVE.get();
    work();
    (live - LIVE.get()).try_into().unwrap()
}
