//! The clock of a trace: the instructions that the guest has executed.
//!
//! In: what translated code counts in advance, blocks that were left early, QEMU's own count where it can be read.
//! Out: clocks.

use crate::instrument::Places;
use crate::qemu::{Counter, Cpu, Icount};
use std::sync::atomic::{AtomicI64, Ordering};

/// The count of all vCPUs, set right.
#[derive(Debug)]
pub struct Clock {
    counter: Counter,
    /// What the count is ahead of QEMU's own.
    ahead: AtomicI64,
    /// There is only one vCPU.
    alone: bool,
}

impl Clock {
    /// At 0, of a guest with at most so many vCPUs.
    pub fn new(max_vcpus: usize) -> Self {
        Self { counter: Counter::new(), ahead: AtomicI64::new(0), alone: max_vcpus == 1 }
    }

    /// What translated code counts with.
    pub fn counter(&self) -> &Counter {
        &self.counter
    }

    /// Goes on from QEMU's own count. To be called where a block is translated.
    pub fn follow(&self, icount: Icount) {
        let (executed, _) = icount.read();
        self.ahead.store(self.counter.sum().wrapping_sub(executed).cast_signed(), Ordering::Relaxed);
    }

    /// Instructions that were executed, or are counted in advance.
    pub fn now(&self, cpu: &Cpu) -> u64 {
        self.right(if self.alone { self.counter.of(cpu.index()) } else { self.counter.sum() })
    }

    /// Instructions completed before the one that is in a callback.
    pub fn before(&self, cpu: &Cpu) -> u64 {
        self.now(cpu).wrapping_sub(1)
    }

    /// Instructions that all vCPUs executed, when QEMU ends.
    pub fn end(&self) -> u64 {
        self.right(self.counter.sum())
    }

    /// So many instructions were counted that were not executed.
    pub fn set_back(&self, instructions: i64) {
        self.ahead.fetch_add(instructions, Ordering::Relaxed);
    }

    /// A block was left at the instruction at `pc`: what is behind it was counted in advance.
    pub fn left_block(&self, places: &Places, cpu: &Cpu, pc: u64) {
        let rest = places.counted_behind(self.counter.block_of(cpu.index()), pc);
        if rest != 0 {
            // An instruction may access a device twice.
            self.counter.leave_block(cpu.index());
            self.set_back(rest.cast_signed());
        }
    }

    fn right(&self, count: u64) -> u64 {
        count.wrapping_sub(self.ahead.load(Ordering::Relaxed).cast_unsigned())
    }
}
