//! Why something happened: what a piece of work originates from, and how one context hands over to another.

use super::{CallId, IoId, Level, Task};
use bincode::{Decode, Encode};
use serde::Serialize;
use std::sync::Arc;

/// What a piece of work originates from, the nearest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// A system call.
    Syscall {
        /// Its I/O.
        io: IoId,
        /// Its name, `write`.
        name: Arc<str>,
        /// Who called it.
        task: Task,
    },
    /// A page fault.
    Fault {
        /// Its I/O.
        io: IoId,
        /// The address that was accessed.
        address: u64,
        /// Whose fault it was.
        task: Task,
        /// The system call in which it came.
        by: Option<Arc<Cause>>,
    },
    /// Work of the kernel's own: no task requested it.
    Kernel {
        /// Its I/O.
        io: IoId,
        /// What ran.
        by: Arc<Cause>,
    },
    /// A work item.
    Work {
        /// Address of its function.
        function: u64,
        /// The thread that ran it.
        task: Task,
        /// Who queued it.
        by: Option<Arc<Cause>>,
    },
    /// A timer that ran out.
    Timer {
        /// Address of its function.
        function: u64,
        /// Who started it.
        by: Option<Arc<Cause>>,
    },
    /// An interrupt.
    Interrupt {
        /// Its number; 0 if its entry was not seen.
        irq: u64,
    },
    /// A softirq other than a timer's.
    Softirq,
    /// A thread of the kernel, or a user's outside of a system call that is traced.
    Thread {
        /// The thread.
        task: Task,
        /// Who woke it last.
        by: Option<Arc<Cause>>,
    },
    /// What ran is not known: a task, a softirq or an interrupt.
    Unknown,
}

impl Cause {
    /// What precedes it: what queued or submitted it, or, of a thread and a timer, why it runs.
    #[must_use]
    pub fn by(&self) -> Option<&Arc<Cause>> {
        match self {
            Self::Work { by, .. }
            | Self::Timer { by, .. }
            | Self::Thread { by, .. }
            | Self::Fault { by, .. } => by.as_ref(),
            Self::Kernel { by, .. } => Some(by),
            Self::Syscall { .. } | Self::Interrupt { .. } | Self::Softirq | Self::Unknown => None,
        }
    }

    /// It and what precedes it, the nearest first.
    pub fn chain(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |cause| cause.by().map(Arc::as_ref))
    }

    /// It and what queued or submitted it, the nearest first. Who woke a thread, and who started a timer, is why that runs; what it
    /// does then is its own work.
    pub fn origins(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |cause| match cause {
            Self::Timer { .. } | Self::Thread { .. } => None,
            other => other.by().map(Arc::as_ref),
        })
    }

    /// The I/O that it originates from.
    #[must_use]
    pub fn io(&self) -> Option<IoId> {
        self.origins().find_map(|cause| match cause {
            Self::Syscall { io, .. } | Self::Fault { io, .. } | Self::Kernel { io, .. } => Some(*io),
            _ => None,
        })
    }
}

/// A moment in a context.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Point {
    /// When, in instructions.
    pub clock: u64,
    /// Number of the event, counted from 1 over the whole trace.
    pub event: u64,
    /// The innermost call.
    pub call: Option<CallId>,
    /// The outermost call of the context.
    pub root: Option<CallId>,
    /// Address of the task that ran or was interrupted.
    pub task: u64,
    /// What the CPU was in.
    pub level: Level,
    /// Number of the command whose completion was being processed; none if that was not known to be done.
    pub completes: Option<u64>,
}

/// What a device's work on a command is known to begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum DeviceStart {
    /// The doorbell was written.
    Doorbell,
    /// The request was issued to the driver: no doorbell is known.
    Issue,
}

/// What is handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum HandoverKind {
    /// A task that waited is woken, and runs.
    Wake {
        /// Address of the task.
        task: u64,
    },
    /// A work item is queued, and run.
    Work {
        /// Address of its function.
        function: u64,
    },
    /// A softirq is raised, and served.
    Softirq {
        /// Its number.
        number: u64,
    },
    /// A timer is started, and runs out.
    Timer {
        /// Address of its function.
        function: u64,
    },
    /// An interrupt leaves work to its thread, which does it.
    IrqThread {
        /// Number of the interrupt.
        irq: u64,
    },
    /// A command is issued to a device, and the interrupt reports it complete.
    Interrupt {
        /// Number of the interrupt; none if it is not known which one it was.
        irq: Option<u64>,
        /// Number of the command.
        command: u64,
        /// What it was issued with.
        since: DeviceStart,
    },
}

/// One context hands over to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Handover {
    /// What.
    pub kind: HandoverKind,
    /// Where it was asked for.
    pub from: Point,
    /// Where it began.
    pub to: Point,
}

/// A softirq is raised that was not pending.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Raise {
    /// Its number.
    pub number: u64,
    /// Where.
    pub at: Point,
    /// The open calls there, the outermost first.
    pub calls: Vec<Arc<str>>,
}

/// A task stops running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Switch {
    /// When, in instructions.
    pub clock: u64,
    /// The vCPU that it stops on.
    pub vcpu: u16,
    /// Address of the task that stops.
    pub from: u64,
    /// Address of the task that runs from here on.
    pub to: u64,
    /// The innermost call of the one that stops.
    pub call: Option<CallId>,
}

/// A task waited in a system call, and was woken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Wait {
    /// The task.
    pub task: Task,
    /// The I/O in whose system call it waited.
    pub io: IoId,
    /// Name of the function that it waited in: of the innermost one whose stage is a wait, called or inlined; without
    /// one, of the outermost whose stage is a means of waiting, else of the innermost.
    pub function: String,
    /// What that is a wait for, as the catalog's stage says it (`page`, `completion`); empty if not known.
    pub what: String,
    /// When it stopped running, was woken, and ran again, in instructions.
    pub clocks: (u64, u64, u64),
    /// Number of the event that woke it.
    pub event: u64,
    /// What woke it: the open calls of the waker, the outermost first.
    pub waker: Vec<Arc<str>>,
    /// What the waker's CPU was in.
    pub level: Level,
    /// The task that ran there, or was interrupted.
    pub waker_task: Task,
}
