//! Calls that have not returned yet.
//!
//! In: stack pointers at function entries. Out: whether a return instruction, or an address behind a call, is the return of an
//! open call, and of which function. A function that ends with a return instruction has returned there; one that ends in a tail
//! call, where the function it jumped to returns, or behind its own call. Shared by all vCPUs, since a task may
//! return on another one; without locks.

use crate::site::ExitProbe;
use bincode::{Decode, Encode};
use iotrace_format::event::KindId;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Calls that can be open at the same time, more or less: some per task.
const SLOTS: usize = 16384;
/// How far from its place a call may be.
const REACH: usize = 32;
/// Address bits of a stack pointer that are kept; the lowest three are zero. Those above are all ones in the kernel with
/// 4-level paging; with 5-level paging the highest eight tell areas apart in which stacks are: they go into the place.
const ADDRESS: u64 = (1 << 48) - 8;
/// The returned value is recorded.
const VALUE: u64 = 1;
/// The return is recorded whatever task runs.
const ALWAYS: u64 = 2;
/// A task has another name then.
const RENAMES: u64 = 4;

/// Open calls as they are kept in a file.
#[derive(Debug, Default, Encode, Decode)]
pub struct SavedCalls {
    /// Place and contents of the slots that are taken.
    slots: Vec<(u32, u64)>,
    farthest: u64,
}

impl SavedCalls {
    /// Address bits of the stack pointers, and the exits' kinds.
    pub fn iter(&self) -> impl Iterator<Item = (u64, KindId)> {
        self.slots.iter().map(|(_, call)| (call & ADDRESS, (call >> 48) as KindId))
    }
}

/// What is kept of a stack pointer.
pub fn address_bits(stack: u64) -> u64 {
    stack & ADDRESS
}

/// The open calls.
pub struct Pending {
    /// Stack pointer, exit's kind and what else is known of it in one word, 0 for a free slot.
    slots: Box<[AtomicU64]>,
    /// How far from its place a call ever was: most lookups are of calls that are not open, and need not go farther.
    farthest: AtomicUsize,
}

impl Pending {
    /// No open calls.
    pub fn new() -> Self {
        Self { slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(), farthest: AtomicUsize::new(0) }
    }

    /// A function is entered whose return address lies at `stack`. It takes the place of one that has jumped
    /// to it, or never returned. What a task's new name waits for is then this one's return.
    pub fn enter(&self, stack: u64, exit: ExitProbe) {
        let flag = |set: bool, flag| if set { flag } else { 0 };
        let flags = flag(exit.value, VALUE) | flag(exit.always, ALWAYS) | flag(exit.renames, RENAMES);
        let call = stack & ADDRESS | flags | u64::from(exit.kind) << 48;
        if let Some((slot, jumped)) = self.find(stack) {
            slot.store(call | jumped & RENAMES, Ordering::Relaxed);
            return;
        }
        let free =
            |slot: &AtomicU64| slot.compare_exchange(0, call, Ordering::Relaxed, Ordering::Relaxed).is_ok();
        match self.place(stack, REACH).position(free) {
            Some(distance) if distance > self.farthest.load(Ordering::Relaxed) => {
                self.farthest.fetch_max(distance, Ordering::Relaxed);
            }
            Some(_) => {}
            // All taken, by calls that never returned: the newest counts.
            None => self.slots[start(stack)].store(call, Ordering::Relaxed),
        }
    }

    /// Whether a call is open whose return address lies at `stack`.
    pub fn is_open(&self, stack: u64) -> bool {
        self.find(stack).is_some()
    }

    /// The open call whose return address lies at `stack`. It is open no more.
    pub fn leave(&self, stack: u64) -> Option<ExitProbe> {
        let (slot, call) = self.find(stack)?;
        slot.store(0, Ordering::Relaxed);
        Some(ExitProbe {
            kind: (call >> 48) as u16,
            value: call & VALUE != 0,
            always: call & ALWAYS != 0,
            renames: call & RENAMES != 0,
        })
    }

    /// Forgets the open calls on a stack: those of a task that is gone, which never returned from them.
    pub fn forget(&self, stack: Range<u64>) {
        let range = stack.start & ADDRESS..stack.end & ADDRESS;
        let calls = self.slots.iter().map(|slot| (slot, slot.load(Ordering::Relaxed)));
        for (slot, _) in calls.filter(|(_, call)| *call != 0 && range.contains(&(call & ADDRESS))) {
            slot.store(0, Ordering::Relaxed);
        }
    }

    /// Forgets all open calls: they were not followed, and may have returned.
    pub fn clear(&self) {
        self.slots.iter().for_each(|slot| slot.store(0, Ordering::Relaxed));
        self.farthest.store(0, Ordering::Relaxed);
    }

    /// The open calls with their places, and how far one was from its place.
    pub fn save(&self) -> SavedCalls {
        let calls = (0..).zip(self.slots.iter().map(|slot| slot.load(Ordering::Relaxed)));
        SavedCalls {
            slots: calls.filter(|(_, call)| *call != 0).collect(),
            farthest: self.farthest.load(Ordering::Relaxed) as u64,
        }
    }

    /// Those of a table as it was saved whose returns are recorded.
    pub fn restore(&self, saved: &SavedCalls, is_recorded: impl Fn(KindId) -> bool) {
        for (place, call) in saved.slots.iter().filter(|(_, call)| is_recorded((call >> 48) as KindId)) {
            if let Some(slot) = self.slots.get(*place as usize) {
                slot.store(*call, Ordering::Relaxed);
            }
        }
        self.farthest.store(saved.farthest.min(REACH as u64) as usize, Ordering::Relaxed);
    }

    fn find(&self, stack: u64) -> Option<(&AtomicU64, u64)> {
        let reach = self.farthest.load(Ordering::Relaxed) + 1;
        let mut calls = self.place(stack, reach).map(|slot| (slot, slot.load(Ordering::Relaxed)));
        calls.find(|(_, call)| *call != 0 && call & ADDRESS == stack & ADDRESS)
    }

    fn place(&self, stack: u64, reach: usize) -> impl Iterator<Item = &AtomicU64> {
        let first = start(stack);
        (first..first + reach).map(|at| &self.slots[at % SLOTS])
    }
}

fn start(stack: u64) -> usize {
    // Fibonacci hashing: stack pointers differ in their middle bits.
    ((stack & !7).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(kind: u16) -> ExitProbe {
        let [value, always, renames] = [2, 3, 5].map(|of| kind.is_multiple_of(of));
        ExitProbe { kind, value, always, renames }
    }

    #[test]
    fn a_call_returns_once_as_the_function_entered_last() {
        let pending = Pending::new();
        let stack = 0xffff_c900_0001_3f80;
        pending.enter(stack, exit(70));
        pending.enter(stack, exit(71));
        assert_eq!(pending.leave(stack - 8), None);
        assert_eq!(pending.leave(stack), Some(ExitProbe { renames: true, ..exit(71) }));
        assert_eq!(pending.leave(stack), None);
    }

    #[test]
    fn with_5_level_paging_stacks_differ_in_the_highest_bits_too() {
        let pending = Pending::new();
        let (mapped, direct) = (0xffa0_0000_0001_3f80, 0xff11_0000_0001_3f80);
        pending.enter(mapped, exit(70));
        assert!(!pending.is_open(direct));
        pending.enter(direct, exit(71));
        assert_eq!((pending.leave(mapped), pending.leave(direct)), (Some(exit(70)), Some(exit(71))));
    }

    #[test]
    fn a_new_task_has_none_of_the_calls_that_were_open_on_its_stack() {
        let pending = Pending::new();
        let (stack, size) = (0xffff_c900_0001_0000, 0x4000);
        let inside = [stack, stack + 0x1f80, stack + size - 8];
        let outside = [stack - 8, stack + size];
        inside.iter().chain(&outside).for_each(|at| pending.enter(*at, exit(70)));
        pending.forget(stack..stack + size);
        assert!(
            inside.iter().all(|at| !pending.is_open(*at)) && outside.iter().all(|at| pending.is_open(*at))
        );
    }

    #[test]
    fn calls_that_were_saved_return_to_where_they_were_made() {
        let [before, after] = [Pending::new(), Pending::new()];
        let stacks = (0..200).map(|call| 0xffff_c900_0000_0000 + call * 0x4080);
        stacks.clone().for_each(|stack| before.enter(stack, exit(70 + (stack >> 7 & 1) as u16)));
        after.restore(&before.save(), |kind| kind == 70);
        let of_both = |stack| (before.leave(stack), after.leave(stack));
        assert!(stacks.map(of_both).all(|(a, b)| a.is_some() && (a == b) == (b.is_some())));
    }

    #[test]
    fn calls_that_never_return_do_not_keep_others_out() {
        let pending = Pending::new();
        for task in 0..100_000 {
            pending.enter(0xffff_c900_0000_0000 + task * 0x4000, exit(70));
        }
        let stack = 0xffff_c900_0001_3f88;
        pending.enter(stack, exit(72));
        assert_eq!(pending.leave(stack), Some(exit(72)));
        pending.enter(stack, exit(72));
        pending.clear();
        assert_eq!(pending.leave(stack), None);
    }
}
