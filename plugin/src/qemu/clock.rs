//! The count of executed instructions: QEMU's own, and ours, added up inline by the translated code, where QEMU has
//! none that can be read anywhere.

use super::abi::{CURRENT, symbol};
use super::{Cpu, vcpus};
use qemu_plugin_sys as sys;
use std::ffi::{CStr, c_int, c_void};
use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, Ordering};

/// What translated code keeps up to date of each vCPU: a count of instructions and the block it is in, or how much of
/// a block is not executed yet.
#[derive(Debug)]
pub struct Counter(*mut sys::qemu_plugin_scoreboard);

/// The vCPU whose score is that of all vCPUs that share a thread.
const SHARED: u32 = 0;

/// One vCPU's part, as it lies in QEMU's memory.
#[repr(C)]
struct Score {
    count: u64,
    block: u64,
    behind: u64,
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

    /// Where the number of instructions behind a watched one is.
    pub(super) fn behind(&self) -> sys::qemu_plugin_u64 {
        sys::qemu_plugin_u64 { score: self.0, offset: offset_of!(Score, behind) }
    }

    /// How many instructions are behind the watched one in the block that a vCPU is in.
    pub fn behind_of(&self, cpu: &Cpu) -> u64 {
        get(self.behind(), cpu.score())
    }

    /// The count of one vCPU, or of all that share its thread.
    pub fn of(&self, cpu: &Cpu) -> u64 {
        get(self.count(), cpu.score())
    }

    /// Adds to the count of the vCPUs that share a thread.
    pub fn add(&self, instructions: u64) {
        if vcpus::has_scores(SHARED) {
            // SAFETY: the scoreboard is alive, and has a score of this vCPU.
            unsafe { sys::qemu_plugin_u64_add(self.count(), SHARED, instructions) }
        }
    }

    /// The number of the block that a vCPU is in. Where vCPUs share a thread, that of the one that executed last: after
    /// a fault it may, seldom, be another one.
    pub fn block_of(&self, cpu: &Cpu) -> u64 {
        get(self.block(), cpu.score())
    }

    /// One of the vCPUs that share a thread is in this block.
    pub fn enter_block(&self, number: u64) {
        set(self.block(), SHARED, number);
    }

    /// A vCPU has left its block.
    pub fn leave_block(&self, cpu: &Cpu) {
        set(self.block(), cpu.score(), 0);
    }

    /// The count of all vCPUs.
    pub fn sum(&self) -> u64 {
        // SAFETY: the scoreboard is alive.
        unsafe { sys::qemu_plugin_u64_sum(self.count()) }
    }
}

/// A part of a vCPU's score; 0 if there is none of it.
fn get(part: sys::qemu_plugin_u64, vcpu: u32) -> u64 {
    if !vcpus::has_scores(vcpu) {
        return 0;
    }
    // SAFETY: the scoreboard is alive, and has a score of this vCPU.
    unsafe { sys::qemu_plugin_u64_get(part, vcpu) }
}

fn set(part: sys::qemu_plugin_u64, vcpu: u32, value: u64) {
    if vcpus::has_scores(vcpu) {
        // SAFETY: the scoreboard is alive, and has a score of this vCPU.
        unsafe { sys::qemu_plugin_u64_set(part, vcpu, value) }
    }
}

/// QEMU's own count and virtual clock.
#[derive(Debug, Clone, Copy)]
pub struct Icount {
    raw: unsafe extern "C" fn() -> i64,
    clock: unsafe extern "C" fn(c_int) -> i64,
    /// Brings the count up to date with a vCPU's block, if a recording is made or replayed.
    update: Option<unsafe extern "C" fn(*mut c_void)>,
    shift: u8,
}

impl Icount {
    /// Access to QEMU's count, if this QEMU exports it (those built with modules do, as Debian's are) and runs with
    /// `-icount shift=N`. To be asked when the guest runs: QEMU settles it after it has loaded its plugins.
    pub fn find() -> Option<Self> {
        // `ICOUNT_PRECISE`. With `shift=auto` the nanoseconds of an instruction change as the guest runs.
        const PRECISE: i32 = 1;
        // `REPLAY_MODE_NONE`, qapi/replay.json.
        const NEITHER: i32 = 0;
        if setting(c"use_icount")? != PRECISE {
            return None;
        }
        let raw = symbol(c"icount_get_raw")?;
        let clock = symbol(c"qemu_clock_get_ns")?;
        let to_ns = symbol(c"icount_to_ns")?;
        // While a vCPU runs in a recording or a replay, its thread holds the replay mutex (`icount_prepare_for_run`,
        // accel/tcg/tcg-accel-ops-icount.c): nobody else reads the count. Without, timers might see it go back.
        let replay =
            setting(c"replay_mode").is_some_and(|mode| mode != NEITHER) && CURRENT.with(Option::is_some);
        let update = symbol(c"icount_update").filter(|_| replay);
        // SAFETY: `int64_t icount_get_raw(void)`, `int64_t qemu_clock_get_ns(QEMUClockType)`,
        // `void icount_update(CPUState *)` and `int64_t icount_to_ns(int64_t)`, include/exec/icount.h and
        // include/qemu/timer.h; the last one only shifts its argument.
        unsafe {
            let to_ns = std::mem::transmute::<*mut c_void, unsafe extern "C" fn(i64) -> i64>(to_ns);
            Some(Self {
                raw: std::mem::transmute::<*mut c_void, unsafe extern "C" fn() -> i64>(raw),
                clock: std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> i64>(clock),
                update: update
                    .map(|f| std::mem::transmute::<*mut c_void, unsafe extern "C" fn(*mut c_void)>(f)),
                shift: to_ns(1).max(1).trailing_zeros() as u8,
            })
        }
    }

    /// log2 of virtual nanoseconds per instruction.
    pub fn shift(&self) -> u8 {
        self.shift
    }

    /// Whether it can be read anywhere, by [`Self::at_block_end`].
    pub fn is_exact(&self) -> bool {
        self.update.is_some()
    }

    /// Instructions executed when the block that runs on this thread is at its end: QEMU counts a block when it begins,
    /// and takes back what was not executed when it is left early (`cpu_restore_state`, accel/tcg/translate-all.c).
    /// 0 if it is not exact.
    pub fn at_block_end(&self) -> u64 {
        let (Some(update), Some(current)) = (self.update, CURRENT.with(|current| *current)) else { return 0 };
        let cpu = current.load(Ordering::Relaxed);
        // SAFETY: on a vCPU's thread it is that vCPU, in execution; `icount_update` moves what it has executed into
        // the count, as QEMU does itself at each access to a device. On other threads it is null. While it is set to
        // null, as there, `icount_get_raw` only reads the count, and nothing else runs on this thread.
        unsafe {
            if !cpu.is_null() {
                update(cpu);
            }
            current.store(std::ptr::null_mut(), Ordering::Relaxed);
            let count = (self.raw)();
            current.store(cpu, Ordering::Relaxed);
            count.cast_unsigned()
        }
    }

    /// Instructions executed and virtual nanoseconds. Only to be called where a device is being accessed or a
    /// block is translated: elsewhere QEMU ends itself ("Bad icount read").
    pub fn read(&self) -> (u64, u64) {
        // SAFETY: both only read QEMU's state; in a device access, and between two blocks where one is translated
        // (accel/tcg/cpu-exec.c), `can_do_io` is set, which is what they check.
        unsafe { ((self.raw)().cast_unsigned(), (self.clock)(VIRTUAL).cast_unsigned()) }
    }
}

/// QEMU's virtual clock, for a guest whose instructions QEMU does not count.
#[derive(Debug, Clone, Copy)]
pub struct VirtualClock(unsafe extern "C" fn(c_int) -> i64);

impl VirtualClock {
    /// The clock, if this QEMU exports it.
    pub fn find() -> Option<Self> {
        let clock = symbol(c"qemu_clock_get_ns")?;
        // SAFETY: `int64_t qemu_clock_get_ns(QEMUClockType)`, include/qemu/timer.h.
        Some(Self(unsafe { std::mem::transmute::<*mut c_void, unsafe extern "C" fn(c_int) -> i64>(clock) }))
    }

    /// The clock, if it may be read anywhere: QEMU counts no instructions, so that it is the host's (`cpus_get_virtual_clock`,
    /// system/cpus.c).
    pub fn free() -> Option<Self> {
        // `ICOUNT_DISABLED`, include/exec/icount.h.
        const DISABLED: i32 = 0;
        (setting(c"use_icount")? == DISABLED).then(Self::find).flatten()
    }

    /// Nanoseconds. Only to be called where [`Icount::read`] may be, if it is not [`Self::free`]: with `-icount shift=auto`
    /// QEMU counts too.
    pub fn read(&self) -> u64 {
        // SAFETY: it only reads QEMU's state, from any thread.
        unsafe { (self.0)(VIRTUAL).cast_unsigned() }
    }
}

/// `QEMU_CLOCK_VIRTUAL`, include/qemu/timer.h.
const VIRTUAL: c_int = 1;

/// A setting of QEMU's that is an enum.
fn setting(name: &CStr) -> Option<i32> {
    let place = symbol(name)?.cast::<AtomicI32>();
    // SAFETY: an enum of int's size, set before the guest runs (`ICountMode use_icount`, include/exec/icount.h;
    // `ReplayMode replay_mode`, include/system/replay.h).
    Some(unsafe { (*place).load(Ordering::Relaxed) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::qemu::fake;

    #[test]
    fn vcpus_that_share_a_thread_have_one_count() {
        fake::share_thread(2);
        let counter = Counter::new();
        counter.add(7);
        counter.enter_block(3);
        for vcpu in [0, 1] {
            let cpu = fake::cpu(vcpu);
            assert_eq!((counter.of(&cpu), counter.block_of(&cpu), counter.sum()), (7, 3, 7));
        }
        counter.leave_block(&fake::cpu(1));
        assert_eq!(counter.block_of(&fake::cpu(0)), 0);
    }

    /// QEMU ends itself if it is asked for the score of a vCPU that it does not count.
    #[test]
    fn qemu_is_not_asked_for_what_it_does_not_have() {
        let (counter, cpu) = (Counter::new(), fake::cpu(vcpus::UNKNOWN));
        counter.leave_block(&cpu);
        assert_eq!((counter.of(&cpu), counter.block_of(&cpu), counter.behind_of(&cpu)), (0, 0, 0));
    }
}
