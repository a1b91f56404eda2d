//! Calls that have not returned yet.
//!
//! In: stack pointers at function entries. Out: whether a RET, or an address behind a call, is the return of an
//! open call. A function that ends with RET has returned there; one that ends in a tail call, behind its call,
//! which may also be reached by a jump. Shared by all vCPUs, since a task may return on another one; without
//! locks.

use crate::qemu::{Cpu, Register};
use iotrace_schemas::event::KindId;
use std::sync::atomic::{AtomicU64, Ordering};

/// Calls that can be open at the same time, more or less: some per task.
const SLOTS: usize = 8192;
/// How far from its place a call may be.
const REACH: usize = 32;
/// Address bits of a stack pointer; those above are all ones in the kernel.
const ADDRESS: u64 = (1 << 48) - 1;

/// The open calls: stack pointer and kind in one word, 0 for a free slot.
pub struct Pending(Box<[AtomicU64]>);

impl Pending {
    /// No open calls.
    pub fn new() -> Self {
        Self((0..SLOTS).map(|_| AtomicU64::new(0)).collect())
    }

    /// A function whose return is recorded as `kind` is entered.
    pub fn entered(&self, cpu: &Cpu, kind: KindId) {
        self.add(key(cpu.register(Register::Rsp), kind));
    }

    /// Whether the RET at hand is the return of an open call of that `kind`. It is open no more.
    pub fn returns(&self, cpu: &Cpu, kind: KindId) -> bool {
        self.remove(key(cpu.register(Register::Rsp), kind))
    }

    /// Whether the address reached is the return of an open call of that `kind`. It is open no more.
    pub fn returned(&self, cpu: &Cpu, kind: KindId) -> bool {
        // The return has taken its address from the stack.
        self.remove(key(cpu.register(Register::Rsp).wrapping_sub(8), kind))
    }

    fn add(&self, key: u64) {
        // A call that never returned (its task is gone) stands for the one at the same place.
        if self.place(key).any(|slot| slot.load(Ordering::Relaxed) == key) {
            return;
        }
        let free =
            |slot: &&AtomicU64| slot.compare_exchange(0, key, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        if self.place(key).find(free).is_none() {
            // All taken, by calls that never returned: the newest counts.
            self.0[start(key)].store(key, Ordering::Relaxed);
        }
    }

    fn remove(&self, key: u64) -> bool {
        let ours =
            |slot: &&AtomicU64| slot.compare_exchange(key, 0, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        self.place(key).any(|slot| ours(&slot))
    }

    fn place(&self, key: u64) -> impl Iterator<Item = &AtomicU64> {
        (start(key)..start(key) + REACH).map(|at| &self.0[at % SLOTS])
    }
}

fn key(stack: u64, kind: KindId) -> u64 {
    stack & ADDRESS | u64::from(kind) << 48
}

fn start(key: u64) -> usize {
    // Fibonacci hashing: stack pointers differ in their middle bits.
    (key.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 51) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_returns_once_and_by_its_own_kind() {
        let pending = Pending::new();
        let call = key(0xffff_c900_0001_3f80, 70);
        pending.add(call);
        pending.add(call);
        assert!(!pending.remove(key(0xffff_c900_0001_3f80, 71)));
        assert!(pending.remove(call));
        assert!(!pending.remove(call));
    }

    #[test]
    fn calls_that_never_return_do_not_keep_others_out() {
        let pending = Pending::new();
        for task in 0..100_000 {
            pending.add(key(0xffff_c900_0000_0000 + task * 0x4000, 70));
        }
        let call = key(0xffff_c900_0001_3f88, 70);
        pending.add(call);
        assert!(pending.remove(call));
    }
}
