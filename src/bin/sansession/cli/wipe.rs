//! An allocator that wipes what is freed.
//!
//! The library wipes what it holds. What HTTP client, TLS and JSON free of a password on its way is
//! nobody's any more; a program with passwords in it can wipe that, too, at the cost of one pass over
//! each block.

use std::alloc::{GlobalAlloc, Layout, System};

struct Wiping;

// SAFETY: every call is handed to the system's allocator as it came; a block is written to only within
// its layout, and before it is freed.
unsafe impl GlobalAlloc for Wiping {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        for offset in 0..layout.size() {
            // Volatile, since nobody reads it again and it would be left out otherwise.
            unsafe { pointer.add(offset).write_volatile(0) };
        }
        unsafe { System.dealloc(pointer, layout) }
    }
    // The default `realloc` takes a new block and frees the old one here.
}

#[global_allocator]
static ALLOCATOR: Wiping = Wiping;
