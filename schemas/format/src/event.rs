//! The kinds of events in a trace.
//!
//! An event is a kind, a clock (guest instructions completed before it), a context (the kernel's
//! `preempt_count` of that moment), a task (`task_struct` address), a stack pointer and a fixed number of
//! 64-bit words.
//! Kinds below [`FIRST_PROBE`] are the plugin's own and listed here; those from [`FIRST_PROBE`] on are
//! probes, each described by a [`crate::definition::Probe`] in the trace.

/// Number of an event's kind.
pub type KindId = u16;

/// First kind that stands for a probe.
pub const FIRST_PROBE: KindId = 64;

/// A built-in kind: its number, its name and the names of its words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Builtin {
    /// Number in the trace.
    pub id: KindId,
    /// Name as views print it.
    pub name: &'static str,
    /// Names of the words, in order.
    pub words: &'static [&'static str],
}

/// A task met for the first time, or under a new name. `comm0` and `comm1` are the 16 bytes of
/// `task_struct.comm`, little-endian.
pub const TASK: Builtin = Builtin { id: 1, name: "task", words: &["task", "pid", "tgid", "comm0", "comm1"] };
/// A read from device memory: physical address, width in bytes, value, address of the instruction.
pub const MMIO_READ: Builtin =
    Builtin { id: 2, name: "mmio_read", words: &["address", "width", "value", "pc"] };
/// A write to device memory, words as in [`MMIO_READ`].
pub const MMIO_WRITE: Builtin =
    Builtin { id: 3, name: "mmio_write", words: &["address", "width", "value", "pc"] };
/// From this clock on, virtual nanoseconds are `(clock << shift) + bias` (`bias` is a two's complement
/// number); `drift` is what the plugin's count was off QEMU's own before it was set right, in
/// instructions, two's complement.
pub const CLOCK: Builtin = Builtin { id: 4, name: "clock", words: &["bias", "drift"] };
/// The vCPU halts: what virtual time jumps from here to the next event is idle time.
pub const IDLE: Builtin = Builtin { id: 5, name: "idle", words: &[] };
/// A mark set by the guest, by an instruction that does nothing else ([`iotrace_arch::Code::mark`]).
pub const MARK: Builtin = Builtin { id: 6, name: "mark", words: &["code", "argument"] };
/// QEMU delivered an interrupt: address interrupted, address of the handler entered.
pub const INTERRUPT: Builtin = Builtin { id: 7, name: "interrupt", words: &["from", "to"] };
/// A kernel module is in place: its number among the trace's module definitions.
pub const MODULE_LOAD: Builtin = Builtin { id: 8, name: "module_load", words: &["module"] };
/// A kernel module goes away.
pub const MODULE_UNLOAD: Builtin = Builtin { id: 9, name: "module_unload", words: &["module"] };
/// The kernel ends, for this reason ([`ShutdownReason`]); nothing comes after it. The first writers had no reason.
pub const SHUTDOWN: Builtin = Builtin { id: 10, name: "shutdown", words: &["reason"] };

/// The kernel is about to return from an interrupt or exception, to this address.
pub const EXCEPTION_RETURN: Builtin = Builtin { id: 11, name: "exception_return", words: &["to"] };

/// Bytes of a file that the bio carries which is queued next, before its event: the bio's address, the device and the
/// number of the inode whose pages they are in, position in the file, length, and 1 if the pages are being written back
/// (`PG_writeback`), else 0. Bytes that follow each other in the file and in the bio are one event.
pub const BIO_PAGES: Builtin =
    Builtin { id: 12, name: "bio_pages", words: &["bio", "dev", "ino", "position", "length", "writeback"] };

/// QEMU's virtual clock, in nanoseconds: from this clock on it is so late, approximately. In guests whose instructions QEMU
/// does not count, which have no [`CLOCK`].
pub const TIME: Builtin = Builtin { id: 13, name: "time", words: &["ns"] };

/// All built-in kinds, by number.
pub const BUILTINS: &[Builtin] = &[
    TASK,
    MMIO_READ,
    MMIO_WRITE,
    CLOCK,
    IDLE,
    MARK,
    INTERRUPT,
    MODULE_LOAD,
    MODULE_UNLOAD,
    SHUTDOWN,
    EXCEPTION_RETURN,
    BIO_PAGES,
    TIME,
];

/// How a kernel ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, bincode::Encode, bincode::Decode)]
#[repr(u64)]
pub enum ShutdownReason {
    /// The machine is switched off.
    PowerOff = 1,
    /// The machine starts again.
    Restart,
    /// The processors stop, and the machine stays on.
    Halt,
    /// The kernel cannot go on.
    Panic,
    /// Another kernel takes its place.
    Kexec,
    /// The machine was reset without the kernel's doing: from outside, or because a processor had no other way. The
    /// event has the clock of the last one before it.
    Reset,
}

impl ShutdownReason {
    /// All there are, each with its name.
    pub const ALL: [(Self, &'static str); 6] = [
        (Self::PowerOff, "power off"),
        (Self::Restart, "restart"),
        (Self::Halt, "halt"),
        (Self::Panic, "panic"),
        (Self::Kexec, "kexec"),
        (Self::Reset, "reset"),
    ];

    /// The reason in a word of a [`SHUTDOWN`]; none if this version does not know it.
    #[must_use]
    pub fn of_word(word: u64) -> Option<Self> {
        Self::ALL.iter().map(|(reason, _)| *reason).find(|reason| *reason as u64 == word)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or("", |(_, name)| *name)
    }
}

/// Whether events of a built-in kind are landmarks: what happens later cannot be described without them, so they
/// stand in the file a second time, for a reader who does not begin at the beginning. Of the probes,
/// [`crate::definition::Probe::is_landmark`] tells.
#[must_use]
pub fn is_landmark(kind: KindId) -> bool {
    [TASK, CLOCK, TIME, IDLE, MARK, MODULE_LOAD, MODULE_UNLOAD, SHUTDOWN]
        .iter()
        .any(|builtin| builtin.id == kind)
}

/// Bit of an event's context that says that the kernel's `preempt_count` could not be read, and nothing else: no kernel
/// counts in it.
pub const UNKNOWN_CONTEXT: u32 = 1 << 30;

/// Mark code: the workload begins.
pub const MARK_BEGIN: u64 = 1;
/// Mark code: the workload ends.
pub const MARK_END: u64 = 2;

/// Mark code: the trace ends here. QEMU's replay ends at the last event of its log, somewhere before the
/// guest has powered off, so a recorded guest says itself where what replays reliably is over.
pub const MARK_OVER: u64 = 3;

/// Most words an event can carry beside clock, context and task.
pub const MAX_WORDS: usize = 32;

/// One event, as the reader gives it and the writer takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event<'a> {
    /// Kind, built-in or probe.
    pub kind: KindId,
    /// vCPU it happened on.
    pub vcpu: u16,
    /// Guest instructions completed before it.
    pub clock: u64,
    /// `preempt_count` (include/linux/preempt.h): bits 0-7 preemption, 8-15 softirq, 16-19 hardirq,
    /// 20-23 NMI; or [`UNKNOWN_CONTEXT`].
    pub context: u32,
    /// Address of the current `task_struct`, 0 before there is one.
    pub task: u64,
    /// Stack pointer. Of a probe: where the function's return address lies, at its entry and its exit
    /// alike, so that the calls of a task can be told apart; 0 if not known.
    pub stack: u64,
    /// The kind's words.
    pub words: &'a [u64],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builtin_numbers_are_distinct_and_below_the_probes() {
        for (i, kind) in BUILTINS.iter().enumerate() {
            assert!(kind.id < FIRST_PROBE && kind.words.len() <= MAX_WORDS);
            assert!(BUILTINS[..i].iter().all(|k| k.id != kind.id && k.name != kind.name));
        }
    }
}
