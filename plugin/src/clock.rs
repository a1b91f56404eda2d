//! The clock of a trace: the instructions that the guest has executed.
//!
//! In a recording or a replay it is QEMU's own count. Elsewhere that can be read only now and then: translated code
//! counts, in advance, and what is left early is set right.
//!
//! In: QEMU's count, what translated code counts, blocks that were left early. Out: clocks.

use crate::instrument::Places;
use crate::qemu::{Counter, Cpu, Icount};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI64, Ordering};

/// The instructions of all vCPUs.
#[derive(Debug)]
pub struct Clock {
    /// QEMU's count, from the first translated block on.
    icount: OnceLock<Option<Icount>>,
    counter: Counter,
    /// What the count is ahead of QEMU's own.
    ahead: AtomicI64,
    /// There is only one vCPU.
    alone: bool,
}

impl Clock {
    /// At 0, of a guest with at most so many vCPUs.
    pub fn new(max_vcpus: usize) -> Self {
        Self {
            icount: OnceLock::new(),
            counter: Counter::new(),
            ahead: AtomicI64::new(0),
            alone: max_vcpus == 1,
        }
    }

    /// What translated code counts with.
    pub fn counter(&self) -> &Counter {
        &self.counter
    }

    /// QEMU's count, if it has one. To be asked for the first time when the guest runs.
    pub fn icount(&self) -> Option<Icount> {
        *self.icount.get_or_init(Icount::find)
    }

    /// Whether translated code has to count.
    pub fn counts(&self) -> bool {
        self.exact().is_none()
    }

    fn exact(&self) -> Option<Icount> {
        self.icount().filter(Icount::is_exact)
    }

    /// Goes on from QEMU's own count. To be called where a block is translated.
    pub fn follow(&self, icount: Icount) {
        let (executed, _) = icount.read();
        self.ahead.store(self.counter.sum().wrapping_sub(executed).cast_signed(), Ordering::Relaxed);
    }

    /// Instructions completed, between two of them.
    pub fn now(&self, cpu: &Cpu) -> u64 {
        match self.exact() {
            Some(icount) => icount.at_block_end(),
            None => self.counted(cpu),
        }
    }

    /// Instructions completed before the one that is in a callback.
    pub fn before(&self, cpu: &Cpu) -> u64 {
        let with_it = match self.exact() {
            Some(icount) => icount.at_block_end().wrapping_sub(self.counter.behind_of(cpu)),
            None => self.counted(cpu),
        };
        with_it.wrapping_sub(1)
    }

    /// Instructions that all vCPUs executed, when QEMU ends.
    pub fn end(&self) -> u64 {
        match self.exact() {
            Some(icount) => icount.at_block_end(),
            None => self.right(self.counter.sum()),
        }
    }

    /// So many instructions were counted that were not executed.
    pub fn set_back(&self, instructions: i64) {
        self.ahead.fetch_add(instructions, Ordering::Relaxed);
    }

    /// A block was left at the instruction at `pc`: what is behind it was counted in advance.
    pub fn left_block(&self, places: &Places, cpu: &Cpu, pc: u64) {
        let rest = places.counted_behind(self.counter.block_of(cpu), pc);
        if rest != 0 {
            // An instruction may access a device twice.
            self.counter.leave_block(cpu);
            self.set_back(rest.cast_signed());
        }
    }

    fn counted(&self, cpu: &Cpu) -> u64 {
        self.right(if self.alone { self.counter.of(cpu) } else { self.counter.sum() })
    }

    fn right(&self, count: u64) -> u64 {
        count.wrapping_sub(self.ahead.load(Ordering::Relaxed).cast_unsigned())
    }
}
