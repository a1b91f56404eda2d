//! State that belongs to one vCPU.
//!
//! Only the vCPU's own thread uses its state, except when QEMU ends. A flag for each vCPU makes that safe
//! without a lock: who finds it taken does without.

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

struct Slot<T> {
    taken: AtomicBool,
    state: UnsafeCell<T>,
}

/// One `T` for each vCPU.
pub struct PerVcpu<T>(Box<[Slot<T>]>);

// SAFETY: a `T` is reached only through `with`, by one thread at a time.
unsafe impl<T: Send> Sync for PerVcpu<T> {}

impl<T> PerVcpu<T> {
    /// State for `count` vCPUs.
    pub fn new(count: usize, mut make: impl FnMut(u32) -> T) -> Self {
        let slot = |i| Slot { taken: AtomicBool::new(false), state: UnsafeCell::new(make(i as u32)) };
        Self((0..count).map(slot).collect())
    }

    /// Calls `code` with the state of a vCPU. None if there is no such vCPU, or its state is in use.
    pub fn with<R>(&self, vcpu: u32, code: impl FnOnce(&mut T) -> R) -> Option<R> {
        let slot = self.0.get(vcpu as usize)?;
        if slot.taken.swap(true, Ordering::Acquire) {
            return None;
        }
        let release = Release(&slot.taken);
        // SAFETY: the flag was free and is now ours until `release` is dropped, also in a panic.
        let result = code(unsafe { &mut *slot.state.get() });
        drop(release);
        Some(result)
    }

    /// Numbers of the vCPUs.
    pub fn indices(&self) -> std::ops::Range<u32> {
        0..self.0.len() as u32
    }
}

struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
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
}
