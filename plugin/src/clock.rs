//! The clock of a trace: the instructions that the guest has executed.
//!
//! In a recording or a replay it is QEMU's own count. Elsewhere that can be read only now and then: translated code
//! counts, in advance, and what is left early is set right.
//!
//! In: QEMU's count, what translated code counts, blocks that were left early. Out: clocks.

use crate::instrument::Places;
use crate::past::Past;
use crate::qemu::{Counter, Cpu, Icount, VirtualClock};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

/// The instructions of all vCPUs.
#[derive(Debug)]
pub struct GuestClock {
    /// QEMU's count, from the first translated block on.
    icount: OnceLock<Option<Icount>>,
    counter: Counter,
    /// What the count is ahead of QEMU's own.
    ahead: AtomicI64,
    /// There is only one vCPU.
    alone: bool,
    /// QEMU's virtual clock, where it has no count.
    elapsed: OnceLock<Option<VirtualClock>>,
    past: Past,
    /// Translated blocks were thrown away since this was last asked.
    flushed: AtomicBool,
}

/// The guest has gone back, from an instruction to an earlier one; without QEMU's count it is not known to which.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GoneBack {
    /// Instructions executed before, at least.
    pub from: u64,
    /// Instructions executed by QEMU's count.
    pub to: Option<u64>,
}

impl GuestClock {
    /// At 0, of a guest with at most so many vCPUs.
    pub fn new(max_vcpus: usize) -> Self {
        Self {
            icount: OnceLock::new(),
            counter: Counter::new(),
            ahead: AtomicI64::new(0),
            alone: max_vcpus == 1,
            elapsed: OnceLock::new(),
            past: Past::default(),
            flushed: AtomicBool::new(false),
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

    /// QEMU has thrown translated blocks away, as it does when a snapshot is loaded (`cpu_common_post_load`,
    /// hw/core/cpu-system.c).
    pub fn flushed(&self) {
        self.flushed.store(true, Ordering::Relaxed);
    }

    /// Whether the guest has gone back to before the latest event, of which this is the clock. To be asked where a block
    /// is translated.
    pub fn gone_back(&self, last_event: impl FnOnce() -> u64) -> Option<GoneBack> {
        let Some(icount) = self.icount() else {
            let elapsed = self.elapsed()?;
            self.past.reach(|| elapsed.read())?;
            return Some(GoneBack { from: self.end(), to: None });
        };
        if !self.flushed.swap(false, Ordering::Relaxed) {
            return None;
        }
        let (executed, _) = icount.read();
        self.earlier(executed, last_event(), icount.is_exact())
    }

    /// The same where a device is accessed. QEMU's count, if it has one, includes the accessing instruction, which may
    /// have to be executed again.
    pub fn gone_back_at_access(&self, executed: Option<u64>) -> Option<GoneBack> {
        match executed {
            Some(executed) => self.earlier(executed.wrapping_sub(1), 0, true),
            None => {
                let elapsed = self.elapsed()?;
                self.past.reach(|| elapsed.read())?;
                Some(GoneBack { from: self.end(), to: None })
            }
        }
    }

    fn earlier(&self, executed: u64, last_event: u64, exact: bool) -> Option<GoneBack> {
        /// What counted instructions may be ahead of QEMU's count, until the next access to a device.
        const DRIFT: u64 = 1 << 20;
        let ahead = if exact { last_event } else { last_event.saturating_sub(DRIFT) };
        let latest = self.past.reach(|| executed).unwrap_or(0).max(ahead);
        (executed < latest).then_some(GoneBack { from: latest.max(last_event), to: Some(executed) })
    }

    fn elapsed(&self) -> Option<VirtualClock> {
        *self.elapsed.get_or_init(VirtualClock::find)
    }

    fn counted(&self, cpu: &Cpu) -> u64 {
        self.right(if self.alone { self.counter.of(cpu) } else { self.counter.sum() })
    }

    fn right(&self, count: u64) -> u64 {
        count.wrapping_sub(self.ahead.load(Ordering::Relaxed).cast_unsigned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_before_the_latest_event_or_access_is_in_the_past() {
        let clock = GuestClock::new(1);
        let back = |from, to| Some(GoneBack { from, to: Some(to) });
        assert_eq!(clock.earlier(1000, 990, true), None);
        assert_eq!(clock.earlier(1000, 1000, true), None);
        assert_eq!(clock.earlier(1000, 1001, true), back(1001, 1000));
        assert_eq!(clock.earlier(999, 0, true), back(1000, 999));
        // The instruction that accessed a device last is executed again.
        assert_eq!(clock.gone_back_at_access(Some(1001)), None);
        assert_eq!(clock.gone_back_at_access(Some(1000)), back(1000, 999));
    }

    #[test]
    fn what_counts_in_advance_may_be_ahead() {
        let clock = GuestClock::new(2);
        assert_eq!(clock.earlier(5_000_000_000, 5_000_400_000, false), None);
        let back = clock.earlier(5_000_000_000, 5_100_000_000, false);
        assert_eq!(back, Some(GoneBack { from: 5_100_000_000, to: Some(5_000_000_000) }));
    }
}
