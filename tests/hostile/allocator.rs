//! The allocator of these tests: it counts what a thread has, and looks through every block that is freed while the thread
//! watches for secrets.

use std::alloc::{GlobalAlloc, Layout, System};

use crate::abuse::memory::count;
use crate::freed::look_through;

struct Watching;

// SAFETY: every call is handed to the system's allocator as it came; blocks are read before they are freed.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // Zeroed, so that all of a block may be read, and nothing is found that an earlier owner left.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        look_through(unsafe { std::slice::from_raw_parts(pointer, layout.size()) });
        unsafe { System.dealloc(pointer, layout) }
    }
    // `realloc` is the default one: a new block, and the old one freed under our eyes.
}

#[global_allocator]
static ALLOCATOR: Watching = Watching;
