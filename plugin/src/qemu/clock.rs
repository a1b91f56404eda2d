//! The count of executed instructions: ours, added up inline by the translated code, and QEMU's own,
//! which can be read only where QEMU says its value is exact.

use super::abi::symbol;
use qemu_plugin_sys as sys;
use std::ffi::{c_int, c_void};
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, Ordering};

/// What translated code keeps up to date of each vCPU: a count of instructions, and the block it is in.
#[derive(Debug)]
pub struct Counter(*mut sys::qemu_plugin_scoreboard);

/// One vCPU's part, as it lies in QEMU's memory.
#[repr(C)]
struct Score {
    count: u64,
    block: u64,
}

// SAFETY: QEMU's scoreboard functions may be called from every vCPU thread; the scoreboard is never freed.
unsafe impl Send for Counter {}
// SAFETY: as above.
unsafe impl Sync for Counter {}

impl Counter {
    /// A counter that starts at 0.
    pub fn new() -> Self {
        // SAFETY: called from `qemu_plugin_install` or later, when scoreboards can be made.
        Self(unsafe { sys::qemu_plugin_scoreboard_new(size_of::<Score>()) })
    }

    /// Where the count is.
    pub(super) fn count(&self) -> sys::qemu_plugin_u64 {
        sys::qemu_plugin_u64 { score: self.0, offset: offset_of!(Score, count) }
    }

    /// Where the number of the block is.
    pub(super) fn block(&self) -> sys::qemu_plugin_u64 {
        sys::qemu_plugin_u64 { score: self.0, offset: offset_of!(Score, block) }
    }

    /// The count of one vCPU.
    pub fn of(&self, vcpu: u32) -> u64 {
        // SAFETY: the scoreboard is alive.
        unsafe { sys::qemu_plugin_u64_get(self.count(), vcpu) }
    }

    /// The number of the block that a vCPU is in.
    pub fn block_of(&self, vcpu: u32) -> u64 {
        // SAFETY: the scoreboard is alive.
        unsafe { sys::qemu_plugin_u64_get(self.block(), vcpu) }
    }

    /// A vCPU has left its block.
    pub fn leave_block(&self, vcpu: u32) {
        // SAFETY: the scoreboard is alive.
        unsafe { sys::qemu_plugin_u64_set(self.block(), vcpu, 0) }
    }

    /// The count of all vCPUs.
    pub fn sum(&self) -> u64 {
        // SAFETY: the scoreboard is alive.
        unsafe { sys::qemu_plugin_u64_sum(self.count()) }
    }
}

/// QEMU's own count and virtual clock.
#[derive(Debug, Clone, Copy)]
pub struct Icount {
    raw: unsafe extern "C" fn() -> i64,
    clock: unsafe extern "C" fn(c_int) -> i64,
    shift: u8,
}

impl Icount {
    /// Access to QEMU's count, if this QEMU exports it (Debian's do) and runs with `-icount shift=N`. To be asked
    /// when the guest runs: QEMU settles it after it has loaded its plugins.
    pub fn find() -> Option<Self> {
        let mode = symbol(c"use_icount")?.cast::<AtomicI32>();
        // `ICOUNT_PRECISE`. With `shift=auto` the nanoseconds of an instruction change as the guest runs.
        const PRECISE: i32 = 1;
        // SAFETY: `ICountMode use_icount` is an enum of int's size (include/exec/icount.h), set before
        // the guest runs.
        if unsafe { (*mode).load(Ordering::Relaxed) } != PRECISE {
            return None;
        }
        let raw = symbol(c"icount_get_raw")?;
        let clock = symbol(c"qemu_clock_get_ns")?;
        let to_ns = symbol(c"icount_to_ns")?;
        // SAFETY: `int64_t icount_get_raw(void)`, `int64_t qemu_clock_get_ns(QEMUClockType)` and
        // `int64_t icount_to_ns(int64_t)`, include/exec/icount.h and include/qemu/timer.h; the last one
        // only shifts its argument.
        unsafe {
            let to_ns = std::mem::transmute::<*mut c_void, unsafe extern "C" fn(i64) -> i64>(to_ns);
            Some(Self {
                raw: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> i64>(raw),
                clock: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> i64>(clock),
                shift: to_ns(1).max(1).trailing_zeros() as u8,
            })
        }
    }

    /// log2 of virtual nanoseconds per instruction.
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// Instructions executed and virtual nanoseconds. Only to be called where a device is being accessed or a
    /// block is translated: elsewhere QEMU ends itself ("Bad icount read").
    pub fn read(&self) -> (u64, u64) {
        /// `QEMU_CLOCK_VIRTUAL`.
        const VIRTUAL: c_int = 1;
        // SAFETY: both only read QEMU's state; in a device access, and between two blocks where one is translated
        // (accel/tcg/cpu-exec.c), `can_do_io` is set, which is what they check.
        unsafe { ((self.raw)().cast_unsigned(), (self.clock)(VIRTUAL).cast_unsigned()) }
    }
}
