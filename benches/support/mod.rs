//! Ours and the floor side by side: interleaved in time, and with their allocations counted.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hint::black_box;
use std::time::Instant;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Counts the allocations of one call.
pub fn allocations<T>(work: impl FnOnce() -> T) -> u64 {
    let before = ALLOCATIONS.get();
    black_box(work());
    ALLOCATIONS.get() - before
}

/// One comparison.
pub struct Row {
    pub name: &'static str,
    pub ratio: f64,
    pub ours: f64,
    pub floor: f64,
    pub allocations: (u64, u64),
}

/// Measures two pieces of work in turns: the median of the pairs' ratios does not follow the machine's moods.
pub fn pair<A, B>(name: &'static str, mut ours: impl FnMut() -> A, mut floor: impl FnMut() -> B) -> Row {
    const PAIRS: usize = 201;
    let time = |work: &mut dyn FnMut(), times: u32| {
        let began = Instant::now();
        for _ in 0..times {
            work();
        }
        began.elapsed().as_secs_f64() / f64::from(times) * 1e9
    };
    let mut ours_once = || {
        black_box(ours());
    };
    let mut floor_once = || {
        black_box(floor());
    };
    // Warm, and find how often makes about 100 µs.
    let estimate = time(&mut floor_once, 200).max(time(&mut ours_once, 200)).max(1.0);
    let times = (100_000.0 / estimate).clamp(1.0, 20_000.0) as u32;
    let counted = (allocations(&mut ours_once), allocations(&mut floor_once));
    let mut pairs: Vec<(f64, f64)> = (0..PAIRS)
        .map(|round| {
            // Neither side is always the first.
            if round % 2 == 0 {
                let first = time(&mut ours_once, times);
                (first, time(&mut floor_once, times))
            } else {
                let first = time(&mut floor_once, times);
                (time(&mut ours_once, times), first)
            }
        })
        .collect();
    let middle = |values: &mut Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let ratio = middle(&mut pairs.iter().map(|(ours, floor)| ours / floor).collect());
    let ours = middle(&mut pairs.iter().map(|pair| pair.0).collect());
    let floor = middle(&mut pairs.drain(..).map(|pair| pair.1).collect());
    Row { name, ratio, ours, floor, allocations: counted }
}

/// Measures one piece of work alone, in nanoseconds.
pub fn alone<T>(name: &'static str, mut work: impl FnMut() -> T) -> (&'static str, f64, u64) {
    let row = pair(name, &mut work, || ());
    (name, row.ours, row.allocations.0)
}
