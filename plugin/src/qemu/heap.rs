//! What a test's thread has allocated, in bytes.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static NOW: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn change(by: isize) {
    // A thread that ends has no counts any more.
    let _ = NOW.try_with(|now| now.set(now.get() + by));
    let _ = PEAK.try_with(|peak| peak.set(peak.get().max(NOW.get())));
}

// SAFETY: the system's allocator does all of it; counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        change(layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        change(-layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        change(size.cast_signed() - layout.size().cast_signed());
        // SAFETY: the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs code; returns by how many bytes more are allocated then, and at most were meanwhile.
pub fn growth(code: impl FnOnce()) -> (isize, isize) {
    let before = NOW.get();
    PEAK.set(before);
    code();
    (NOW.get() - before, PEAK.get() - before)
}
