//! State that belongs to one vCPU.
//!
//! The vCPU's own thread uses its state at each event; another thread only when it writes out what all vCPUs have
//! recorded. Each state notes which thread uses it: another one waits, which takes as long as a block takes to write.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Used by no thread.
const FREE: usize = 0;

struct Slot<T> {
    /// The thread that uses the state; [`FREE`] if none does.
    user: AtomicUsize,
    state: UnsafeCell<T>,
}

/// A number of this thread, other than [`FREE`]: no two threads have the same at a time.
fn this_thread() -> usize {
    thread_local!(static HERE: u8 = const { 0 });
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// One `T` for each vCPU.
pub struct PerVcpu<T>(Box<[Slot<T>]>);

// SAFETY: a `T` is reached only through `with`, by one thread at a time.
unsafe impl<T: Send> Sync for PerVcpu<T> {}

impl<T> PerVcpu<T> {
    /// State for `count` vCPUs.
    pub fn new(count: usize, mut make: impl FnMut(u32) -> T) -> Self {
        let slot = |i| Slot { user: AtomicUsize::new(FREE), state: UnsafeCell::new(make(i as u32)) };
        Self((0..count).map(slot).collect())
    }

    /// Calls `code` with the state of a vCPU, once no other thread uses it. None if there is no such vCPU, or if
    /// this thread uses its state already.
    pub fn with<R>(&self, vcpu: u32, code: impl FnOnce(&mut T) -> R) -> Option<R> {
        let slot = self.0.get(vcpu as usize)?;
        let this = this_thread();
        while let Err(user) = slot.user.compare_exchange(FREE, this, Ordering::Acquire, Ordering::Relaxed) {
            if user == this {
                return None;
            }
            std::thread::yield_now();
        }
        let release = Release(&slot.user);
        // SAFETY: no thread used the state, and it is ours until `release` is dropped, also in a panic.
        let result = code(unsafe { &mut *slot.state.get() });
        drop(release);
        Some(result)
    }

    /// Numbers of the vCPUs.
    pub fn indices(&self) -> std::ops::Range<u32> {
        0..self.0.len() as u32
    }
}

struct Release<'a>(&'a AtomicUsize);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(FREE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_in_use_is_not_given_twice() {
        let state = PerVcpu::new(2, |i| i);
        let nested = state.with(1, |outer| (*outer, state.with(1, |inner| *inner)));
        assert_eq!(nested, Some((1, None)));
        assert_eq!(state.with(1, |s| *s), Some(1));
        assert_eq!(state.with(2, |s| *s), None);
    }

    #[test]
    fn a_thread_waits_for_state_that_another_one_uses() {
        const TIMES: u64 = 100_000;
        let state = PerVcpu::new(1, |_| 0);
        let add = || (0..TIMES).filter_map(|_| state.with(0, |sum| *sum += 1)).count() as u64;
        let done = std::thread::scope(|scope| {
            let other = scope.spawn(add);
            add() + other.join().expect("it adds")
        });
        assert_eq!((done, state.with(0, |sum| *sum)), (2 * TIMES, Some(2 * TIMES)));
    }
}
