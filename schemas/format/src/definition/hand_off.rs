//! Hand-offs that are under way where a part of a trace begins.

use bincode::{Decode, Encode};

/// Something asked for before a part of a trace begins, that begins or goes on in it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PendingHandOff {
    /// Number of the event before which it is known.
    pub event: u64,
    /// What was asked for.
    pub target: HandOffTarget,
    /// Address of the work item, timer or task; number of the softirq; number of the call.
    pub key: u64,
    /// vCPU, of a softirq.
    pub vcpu: u16,
    /// Where it was asked for.
    pub from: HandOffPoint,
    /// The task that was woken runs.
    pub begun: bool,
    /// Of a task: the functions in which it was woken, the outermost first; none of one that was made.
    pub waker: Vec<String>,
    /// What it originates from, the nearest first.
    pub origin: Vec<OriginStep>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum HandOffTarget {
    /// A work item.
    Work,
    /// A timer.
    Timer,
    /// A task.
    Task,
    /// A softirq.
    Softirq,
    /// A work item or a timer whose call is under way.
    Call,
}

/// A moment in a context.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct HandOffPoint {
    /// Clock.
    pub clock: u64,
    /// Number of the event.
    pub event: u64,
    /// Number of the innermost call.
    pub call: Option<u64>,
    /// Number of the context's outermost call.
    pub root: Option<u64>,
    /// Address of the task.
    pub task: u64,
    /// What the CPU was in.
    pub context: u32,
}

/// A step of an origin.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum OriginStep {
    /// A system call: number of the I/O, name, task.
    Syscall(u64, String, OriginTask),
    /// A work item: address of its function, the thread that ran it.
    Work(u64, OriginTask),
    /// A timer: address of its function.
    Timer(u64),
    /// An interrupt: its number, 0 if it is not known.
    Interrupt(u64),
    /// A softirq.
    Softirq,
    /// A thread.
    Thread(OriginTask),
    /// Not known.
    Unknown,
    /// A page fault: number of the I/O, address, task.
    Fault(u64, u64, OriginTask),
}

/// A task, as a task event tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct OriginTask {
    /// Address of its `task_struct`.
    pub address: u64,
    /// Thread id.
    pub pid: u32,
    /// Process id.
    pub tgid: u32,
    /// The 16 bytes of `task_struct.comm`.
    pub comm: (u64, u64),
}
