//! Stages: the steps in the processing of an object that the analyzer knows, one table.
//!
//! A function of the catalog tells at most one stage. A stage says which roles its function's arguments must have, which
//! context begins with it, and what of it stands in every part of a trace. Families (`sys`, `task.wait`, `task.block`, `lock`,
//! `softirq`) have members that a catalog may add; only this table adds a family or another stage.

use crate::encoding::encode_by_name;
use crate::role::Role;
use crate::suggestion::{did_you_mean, nearest};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use thiserror::Error;

/// What begins with a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begins {
    /// A system call.
    Syscall,
    /// A work item.
    Work,
    /// The service of softirqs, or of one of them.
    Softirq,
    /// An interrupt.
    Interrupt,
}

/// Roles of which one must be among a function's arguments.
pub type AnyOf = &'static [Role];

macro_rules! stages {
    ($($(#[doc = $doc:literal])* $stage:ident = $name:literal [$($role:ident $(or $other:ident)*),*],)*) => {
        /// A step in the processing of an object.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Stage {
            $($(#[doc = $doc])* $stage,)*
            /// A system call: `sys.` and its name.
            Syscall(Arc<str>),
            /// A task waits for something: `task.wait.` and for what.
            Wait(Arc<str>),
            /// A task stops by a means that many waits use, inside the wait that says what for: `task.block.` and the means.
            Block(Arc<str>),
            /// A lock is taken: `lock.` and its kind.
            Lock(Arc<str>),
            /// The function of a softirq: `softirq.` and its name in lower case. Its number.
            Softirq(u8),
        }

        impl Stage {
            /// The stages that are no members of a family.
            pub const SINGLE: &[Self] = &[$(Self::$stage,)*];

            /// Name of one that is no member of a family.
            const fn single(&self) -> Option<&'static str> {
                match self {
                    $(Self::$stage => Some($name),)*
                    Self::Syscall(_) | Self::Wait(_) | Self::Block(_) | Self::Lock(_) | Self::Softirq(_) => None,
                }
            }

            /// The roles that a function's arguments must have, besides those that may be there.
            #[must_use]
            pub const fn needs(&self) -> &'static [AnyOf] {
                match self {
                    $(Self::$stage => &[$(&[Role::$role $(, Role::$other)*],)*],)*
                    Self::Syscall(_) | Self::Wait(_) | Self::Block(_) | Self::Lock(_) | Self::Softirq(_) => &[],
                }
            }

            /// What it is, a sentence.
            #[must_use]
            pub const fn description(&self) -> &'static str {
                match self {
                    $(Self::$stage => concat!($($doc),*),)*
                    Self::Syscall(_) => "A system call.",
                    Self::Wait(_) => "A task waits for something.",
                    Self::Block(_) => "A task stops by a means that many waits use.",
                    Self::Lock(_) => "A lock is taken.",
                    Self::Softirq(_) => "The function of a softirq.",
                }
            }
        }
    };
}

stages! {
    /// A bio enters the queue of its device.
    BioQueue = "bio.queue" [Bio],
    /// A bio is split: the function returns the part that goes first.
    BioSplit = "bio.split" [Bio, Sectors],
    /// A bio is split if it does not fit its device: only splits in such a function, or while the queue takes the bio, are those of
    /// the kernel's tracepoint.
    BioFit = "bio.fit" [],
    /// A bio is made to wait for another one.
    BioChain = "bio.chain" [Bio, Parent],
    /// A copy of the bio `parent` is made: `bio`, or the one that the function returns.
    BioClone = "bio.clone" [Parent],
    /// A bio is made a request, or part of one.
    BioEnter = "bio.enter" [Bio],
    /// A bio is complete.
    BioEnd = "bio.end" [Bio],
    /// A request is allocated: the function returns it.
    RequestGet = "rq.get" [],
    /// A request is initialized without having been allocated, as a device's flush request is.
    RequestInit = "rq.init" [Request],
    /// A bio is appended to a request.
    MergeBack = "merge.back" [Request, Bio],
    /// A bio is put in front of a request.
    MergeFront = "merge.front" [Request, Bio],
    /// A discard becomes part of a request.
    MergeDiscard = "merge.discard" [Request, Bio],
    /// A request is merged into another one.
    RequestMerge = "rq.merge" [Request, NextRequest],
    /// A request is put into a plug.
    RequestPlug = "rq.plug" [Request],
    /// A request is put into a queue.
    RequestInsert = "rq.insert" [Request],
    /// A request that is being inserted may be merged into a queued one.
    RequestInsertMerge = "rq.insert_merge" [Request],
    /// A request is put back into the queue.
    RequestRequeue = "rq.requeue" [Request],
    /// A request is handed to the layer below the block layer.
    RequestDispatch = "rq.dispatch" [Request],
    /// A request is issued.
    RequestIssue = "rq.issue" [Request],
    /// A driver completes a request.
    RequestComplete = "rq.complete" [Request],
    /// A driver reports a request as answered.
    RequestAnswered = "rq.answered" [Request],
    /// The completion of a request is processed, in the softirq or in its place.
    RequestSoftirq = "rq.softirq" [Request],
    /// Bytes of a request are complete.
    RequestUpdate = "rq.update" [Request, Bytes],
    /// The requests of a batch are completed, each with all its bytes, and freed.
    RequestBatch = "rq.batch" [],
    /// A request, or a bio, is served by I/O of the kernel's own: the bios that are queued within come of it.
    RequestServe = "rq.serve" [Request or Bio],
    /// A request is complete.
    RequestEnd = "rq.end" [Request],
    /// A request is freed.
    RequestFree = "rq.free" [Request],
    /// The command of a request is prepared.
    CommandPrepare = "cmd.prepare" [Request or Command],
    /// A command is handed to the driver.
    CommandDispatch = "cmd.dispatch" [Request],
    /// A driver puts a command into the controller's queue.
    CommandStart = "cmd.start" [Command or Request],
    /// A driver starts the commands that wait at a controller by other means than a write to its memory, as through an I/O
    /// port.
    CommandDoorbell = "cmd.doorbell" [],
    /// A part of the command that the driver carries out is submitted to the controller, with a doorbell and an interrupt of its
    /// own.
    TransferStart = "transfer.start" [Transfer],
    /// A controller is done with a part of a command.
    TransferDone = "transfer.done" [Transfer],
    /// A driver is done with a command.
    CommandDriverDone = "cmd.driver_done" [Command or Request],
    /// A command is reported complete to the layer above the driver.
    CommandDone = "cmd.done" [Command or Request],
    /// A command's result is evaluated.
    CommandFinish = "cmd.finish" [Command or Request],
    /// The sense data of a command that failed is evaluated.
    CommandSense = "cmd.sense" [Command or Request],
    /// A command is not completed in time.
    CommandTimeout = "cmd.timeout" [Command or Request],
    /// A command is handed to the error handler, which sends commands of its own in its place.
    CommandError = "cmd.error" [Command or Request],
    /// A command is aborted.
    CommandAbort = "cmd.abort" [Command or Request],
    /// The device of a command is reset, since the command failed.
    ResetDevice = "reset.device" [Command or Request],
    /// The target of a command is reset.
    ResetTarget = "reset.target" [Command or Request],
    /// The bus of a command is reset.
    ResetBus = "reset.bus" [Command or Request],
    /// The host adapter of a command is reset.
    ResetHost = "reset.host" [Command or Request],
    /// A request begins its flush sequence.
    FlushInsert = "flush.insert" [Request],
    /// Steps of a flush sequence are complete.
    FlushStep = "flush.step" [Request, FlushSteps],
    /// A device's flush request is complete.
    FlushEnd = "flush.end" [Request],
    /// The common handler of device interrupts begins.
    IrqEntry = "irq.entry" [],
    /// The handlers of an interrupt are called.
    IrqHandler = "irq.handler" [IrqDesc],
    /// The handler of a driver of the I/O path begins.
    IrqDriver = "irq.driver" [],
    /// The handler of an interrupt leaves the rest of its work to a thread.
    IrqWakeThread = "irq.wake_thread" [IrqAction],
    /// The thread of an interrupt does the rest of a handler's work.
    IrqThread = "irq.thread" [IrqAction],
    /// The handler of a clock's interrupt begins.
    IrqTimer = "irq.timer" [],
    /// The code through which an interrupt is entered.
    IrqFrame = "irq.frame" [],
    /// The code through which an exception is entered.
    ExceptionFrame = "exc.frame" [],
    /// A PCI device is enabled.
    PciEnable = "pci.enable" [Pci],
    /// A task reads from a file.
    VfsRead = "vfs.read" [File],
    /// A task writes to a file.
    VfsWrite = "vfs.write" [File],
    /// A task writes a file's data to the disk.
    VfsFsync = "vfs.fsync" [File],
    /// A task is handed a file that it works on.
    FileAccess = "file.access" [File or Dentry],
    /// The position in a file is settled at which bytes are read or written.
    FilePosition = "file.position" [Iocb],
    /// Bytes are written to the page cache; the function returns how many.
    CacheWrite = "cache.write" [Iocb or Mapping or Folio or Inode, Iter or Length],
    /// A page of a shared mapping is made writable.
    CacheMap = "cache.map" [Fault],
    /// Bytes of a file are dropped from the page cache.
    CacheDrop = "cache.drop" [Mapping or Inode, FirstByte],
    /// The memory of an address that a task accessed is found, or read.
    MemoryFault = "fault.memory" [Address],
    /// An entry of a submission ring is submitted, or begins to be processed.
    EntryIssue = "entry.issue" [Entry],
    /// An entry of a submission ring is complete.
    EntryComplete = "entry.complete" [Entry],
    /// A task is woken.
    TaskWake = "task.wake" [Task],
    /// A task is new.
    TaskNew = "task.new" [Task],
    /// Another task runs.
    TaskSwitch = "task.switch" [PreviousTask, NextTask],
    /// A work item is queued.
    WorkQueue = "work.queue" [Work],
    /// A work item begins.
    WorkRun = "work.run" [Work],
    /// A timer is started.
    TimerStart = "timer.start" [Timer],
    /// A timer has expired.
    TimerRun = "timer.run" [Timer],
    /// A softirq is raised.
    SoftirqRaise = "softirq.raise" [SoftirqNumber],
    /// Softirqs are served.
    SoftirqRun = "softirq.run" [],
    /// A hardware queue is run.
    QueueRun = "hw.run" [],
    /// A worker runs a hardware queue.
    QueueWork = "hw.work" [],
    /// Requests that were put back are queued again.
    QueueRequeue = "hw.requeue" [],
    /// A queue that waited for resources is run again.
    QueueRestart = "hw.restart" [],
    /// The queue of a kernel without blk-mq is run.
    SingleQueueRun = "sq.run" [],
    /// A request is issued without having been inserted.
    IssueDirect = "issue.direct" [],
    /// A plug's requests are sent.
    PlugFlush = "plug.flush" [],
    /// A plug ends: its requests are sent.
    PlugFinish = "plug.finish" [],
}

/// Names of the softirqs in lower case, by number (include/linux/interrupt.h, the same from 2.6.30 on; `IRQ_POLL` was
/// `BLOCK_IOPOLL` until 4.5).
pub const SOFTIRQS: [&str; 10] =
    ["hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer", "rcu"];

/// Number of the softirq of timers.
pub const TIMER_SOFTIRQ: u8 = 1;

/// Number of the block layer's softirq.
pub const BLOCK_SOFTIRQ: u8 = 4;

/// Families: what a member's name begins with.
const FAMILIES: [&str; 5] = ["sys.", "task.wait.", "task.block.", "lock.", "softirq."];

/// A name that no stage has.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("unknown stage {name:?}{}", did_you_mean(.suggestion.as_deref()))]
pub struct StageError {
    /// The name.
    pub name: String,
    /// The stage with the nearest name, if one is near.
    pub suggestion: Option<String>,
}

impl Stage {
    /// The stage of this name.
    ///
    /// # Errors
    /// [`StageError`] if there is none.
    pub fn parse(name: &str) -> Result<Self, StageError> {
        Self::named(name).ok_or_else(|| {
            let all = Vec::from_iter(Self::names());
            let near = nearest(name, all.iter().map(String::as_str));
            StageError { name: name.to_owned(), suggestion: near.map(str::to_owned) }
        })
    }

    /// Names of all stages; of a family, what its members begin with.
    pub fn names() -> impl Iterator<Item = String> {
        let softirqs = SOFTIRQS.iter().map(|softirq| format!("softirq.{softirq}"));
        let single = Self::SINGLE.iter().filter_map(Self::single).chain(FAMILIES);
        single.map(str::to_owned).chain(softirqs)
    }

    /// The stage of this name, if there is one.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        if name.is_empty() {
            return None;
        }
        if let Some(stage) = Self::SINGLE.iter().find(|stage| stage.single() == Some(name)) {
            return Some(stage.clone());
        }
        let member = |prefix: &str| name.strip_prefix(prefix).filter(|member| is_member(member));
        if let Some(number) = member("softirq.").and_then(|m| SOFTIRQS.iter().position(|s| *s == m)) {
            return Some(Self::Softirq(number as u8));
        }
        let family = |prefix, make: fn(Arc<str>) -> Self| member(prefix).map(|member| make(member.into()));
        family("sys.", Self::Syscall)
            .or_else(|| family("task.wait.", Self::Wait))
            .or_else(|| family("task.block.", Self::Block))
            .or_else(|| family("lock.", Self::Lock))
    }

    /// Name, as in catalogs and traces.
    #[must_use]
    pub fn name(&self) -> Cow<'static, str> {
        self.single().map_or_else(|| self.to_string().into(), Cow::Borrowed)
    }

    /// The name of a stage; without one, the label.
    #[must_use]
    pub fn name_or<'a>(stage: Option<&Self>, label: &'a str) -> Cow<'a, str> {
        match stage {
            Some(stage) => stage.name(),
            None => Cow::Borrowed(label),
        }
    }

    /// What begins with a function of this stage.
    #[must_use]
    pub const fn begins(&self) -> Option<Begins> {
        match self {
            Self::Syscall(_) => Some(Begins::Syscall),
            Self::WorkRun => Some(Begins::Work),
            Self::SoftirqRun | Self::Softirq(_) => Some(Begins::Softirq),
            Self::IrqFrame | Self::IrqEntry | Self::IrqHandler => Some(Begins::Interrupt),
            _ => None,
        }
    }

    /// Whether its events are context records: what happens later cannot be described without them, so they stand in
    /// every part of a trace.
    #[must_use]
    pub const fn is_context_record(&self) -> bool {
        matches!(self, Self::PciEnable)
    }

    /// Whether it is told by what its function returns: an inlined instance, which returns nothing, does not tell it.
    #[must_use]
    pub const fn is_in_return(&self) -> bool {
        matches!(self, Self::RequestGet | Self::BioSplit)
    }

    /// Whether it is a step of an interrupt.
    #[must_use]
    pub const fn is_interrupt(&self) -> bool {
        matches!(self, Self::IrqEntry | Self::IrqHandler | Self::IrqDriver | Self::IrqTimer | Self::IrqFrame)
    }

    /// Whether the completion of a request is processed in it.
    #[must_use]
    pub const fn is_completion(&self) -> bool {
        matches!(
            self,
            Self::RequestComplete
                | Self::RequestAnswered
                | Self::RequestSoftirq
                | Self::RequestUpdate
                | Self::RequestEnd
                | Self::CommandDriverDone
                | Self::CommandDone
                | Self::CommandFinish
        )
    }

    /// Whether it is a task's request to a file.
    #[must_use]
    pub const fn is_file_call(&self) -> bool {
        matches!(self, Self::VfsRead | Self::VfsWrite | Self::VfsFsync)
    }
}

fn is_member(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syscall(name) => write!(f, "sys.{name}"),
            Self::Wait(what) => write!(f, "task.wait.{what}"),
            Self::Block(means) => write!(f, "task.block.{means}"),
            Self::Lock(kind) => write!(f, "lock.{kind}"),
            Self::Softirq(number) => match SOFTIRQS.get(usize::from(*number)) {
                Some(name) => write!(f, "softirq.{name}"),
                None => write!(f, "softirq.{number}"),
            },
            single => f.write_str(single.single().unwrap_or_default()),
        }
    }
}

encode_by_name!(Stage, |name: &str| Stage::parse(name).map_err(|error| error.to_string()));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_read_as_they_are_printed() {
        let members = [
            "sys.write",
            "task.wait.mutex",
            "task.block.timer",
            "lock.rwsem",
            "softirq.block",
            "softirq.rcu",
        ];
        let members = members.map(|name| Stage::parse(name).unwrap());
        for stage in Stage::SINGLE.iter().chain(&members) {
            assert_eq!(Stage::parse(&stage.to_string()).as_ref(), Ok(stage));
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_what_it_may_be() {
        for (name, expected) in [
            ("bio.ennd", Some("bio.end")),
            ("rq.isue", Some("rq.issue")),
            ("syss.read", Some("sys.")),
            ("softirq.blok", Some("softirq.block")),
            ("sys.", Some("sys.")),
            ("zzz", None),
        ] {
            let error = Stage::parse(name).unwrap_err();
            assert_eq!(error.suggestion.as_deref(), expected, "{name}");
            let end = expected.map_or_else(|| format!("{name:?}"), |near| format!("did you mean {near:?}?"));
            assert!(error.to_string().ends_with(&end), "{error}");
        }
    }
}
