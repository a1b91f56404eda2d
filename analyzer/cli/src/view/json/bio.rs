//! A bio with its stages and its origin.

use super::command_error::CommandErrorJson;
use super::common::{InterruptJson, PartJson, SpanJson, TaskJson, function};
use super::io::{CarriedJson, carried};
use super::list::List;
use super::values::{DeviceNumber, Hex};
use iotrace::model::{
    Bio, BioStage, Cause, Definitions, FileCall, FileCallKind, Join, OpName, Origin, TimeMap,
};
use schemars::JsonSchema;
use serde::Serialize;
use std::borrow::Cow;
use std::sync::Arc;

/// A stage that a bio reached.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StageJson {
    /// When: guest instructions.
    clock: u64,
    /// Time since the stage before.
    delta: SpanJson,
    /// When: virtual nanoseconds; null without icount.
    ns: Option<u64>,
    /// Bios that reached it together, this one included.
    shared: u32,
    /// Time since the bio was queued.
    since_queued: SpanJson,
    /// The stage.
    stage: BioStage,
}

/// The call into the file system in which a bio was queued.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileCallJson {
    /// When it was entered: guest instructions.
    clock: u64,
    /// Bytes requested; null for fsync.
    count: Option<u64>,
    /// Device of the file system.
    device: DeviceNumber,
    /// Inode number of the file.
    ino: u64,
    /// Stage of the function in the catalog.
    name: FileCallKind,
    /// Position in the file in bytes; null for fsync, or if not known.
    position: Option<u64>,
}

impl From<FileCall> for FileCallJson {
    fn from(FileCall { kind, clock, ino, dev, count, position }: FileCall) -> Self {
        Self { clock, count, device: DeviceNumber(dev), ino, name: kind, position }
    }
}

/// A context that a bio originates from.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OriginJson<'a> {
    /// A system call.
    Syscall {
        /// Number of its I/O.
        io: u64,
        /// Its name.
        name: &'a str,
        /// The task that made it.
        task: TaskJson,
    },
    /// A page fault.
    Fault {
        /// Number of its I/O.
        io: u64,
        /// The address that was accessed.
        address: Hex,
        /// The task that accessed it.
        task: TaskJson,
    },
    /// Work of the kernel's own, which the next one describes.
    Kernel {
        /// Number of its I/O.
        io: u64,
    },
    /// A work item.
    Work {
        /// Its function.
        function: Cow<'a, str>,
        /// The thread that ran it.
        task: TaskJson,
    },
    /// A timer.
    Timer {
        /// Its function.
        function: Cow<'a, str>,
    },
    /// An interrupt.
    Interrupt {
        /// Its number; 0 if its entry is not in the trace.
        irq: u64,
    },
    /// A softirq other than that of timers.
    Softirq,
    /// A thread of the kernel, or a task outside of the system calls that are traced.
    Thread {
        /// The thread.
        task: TaskJson,
    },
    /// Not known.
    Unknown,
}

impl<'a> OriginJson<'a> {
    fn new(cause: &'a Cause, definitions: &'a Definitions) -> Self {
        match cause {
            Cause::Syscall { io, name, task } => Self::Syscall { io: *io, name, task: task.into() },
            Cause::Fault { io, address, task, .. } => {
                Self::Fault { io: *io, address: Hex(*address), task: task.into() }
            }
            Cause::Kernel { io, .. } => Self::Kernel { io: *io },
            Cause::Work { function: address, task, .. } => {
                Self::Work { function: function(definitions, *address), task: task.into() }
            }
            Cause::Timer { function: address, .. } => {
                Self::Timer { function: function(definitions, *address) }
            }
            Cause::Interrupt { irq } => Self::Interrupt { irq: *irq },
            Cause::Softirq => Self::Softirq,
            Cause::Thread { task, .. } => Self::Thread { task: task.into() },
            Cause::Unknown => Self::Unknown,
        }
    }
}

/// A bio.
#[derive(Debug, Serialize, JsonSchema)]
pub struct BioJson<'a> {
    /// Times that its request was issued to the driver while it was in it.
    attempts: u32,
    /// Bytes.
    bytes: u64,
    /// The call into the file system in which it was queued; null if there was none.
    call: Option<FileCallJson>,
    /// The bio that it came of; null if a submitter queued it.
    came_of: Option<DerivedJson>,
    /// Of a write out of the page cache: its bytes by the I/Os that had written them.
    carries: List<'a, CarriedJson>,
    /// It ended while the trace ran.
    complete: bool,
    /// Device that it was queued for.
    device: DeviceNumber,
    /// The kernel's name of that device; null if not known.
    device_name: Option<&'a str>,
    /// The part of `total` in which a device had a command of it, or of a bio that came of it; null if it had not ended
    /// when the trace did. The rest is guest time.
    device_time: Option<PartJson>,
    /// Commands of its request, and of flushes that it waited for, that failed, by time.
    errors: List<'a, CommandErrorJson>,
    /// Number, from 1, in the order in which bios were queued or split off.
    id: u64,
    /// It was queued between the marks of the workload.
    in_workload: bool,
    /// The interrupt in which its completion was found; null if not known.
    interrupt: Option<InterruptJson<'a>>,
    /// How it came into its last request; null without a request.
    join: Option<Join>,
    /// Operation: `read`, `write`, `flush`, `discard`, ..., or `op-` and its number.
    #[schemars(with = "String")]
    op: OpName,
    /// What it originates from, the nearest context first; empty if not known.
    origin: List<'a, OriginJson<'a>>,
    /// Numbers of other requests: those that were merged into another one, and flushes that it waited for.
    other_requests: &'a [u64],
    /// Bios that came of it.
    parts: u32,
    /// Address of its `struct bio`.
    pointer: Hex,
    /// Number of the last request that it was in; null if there was none.
    request: Option<u64>,
    /// Times that its request was requeued.
    requeues: u32,
    /// Operation and flags as blktrace prints them.
    rwbs: String,
    /// First sector, of 512 bytes.
    sector: u64,
    /// Number of the bio that it was split off from; null if it was queued by itself.
    split_of: Option<u64>,
    /// Bios split off from it.
    splits: u32,
    /// Stages that it reached, by time. The deltas add up to the total exactly.
    stages: List<'a, StageJson>,
    /// `blk_status_t` at its end; 0 is success.
    status: u64,
    /// The task that queued it.
    task: TaskJson,
    /// Time from queueing to its end; null if it had not ended when the trace did.
    total: Option<SpanJson>,
}

impl<'a> BioJson<'a> {
    pub fn new(bio: &'a Bio, time: &'a TimeMap, definitions: &'a Definitions) -> Self {
        let chain = std::iter::successors(bio.cause.as_deref(), |cause| cause.by().map(Arc::as_ref));
        Self {
            attempts: bio.attempts,
            bytes: bio.bytes,
            call: bio.call.map(FileCallJson::from),
            came_of: bio.origin.of().map(|of| DerivedJson { bio: of, how: how(bio.origin) }),
            carries: carried(&bio.carries),
            complete: bio.ended().is_some(),
            device: DeviceNumber(bio.dev),
            device_name: bio.device.as_deref(),
            device_time: bio.ended().map(|_| PartJson::new(time, |time| bio.time(time))),
            errors: List::new(bio.errors.iter().map(CommandErrorJson::from)),
            id: bio.id,
            in_workload: bio.in_workload,
            interrupt: bio.interrupt.map(|irq| InterruptJson::new(&irq, time, definitions)),
            join: bio.join,
            op: bio.op.name,
            origin: List::new(chain.map(|cause| OriginJson::new(cause, definitions))),
            other_requests: &bio.other_requests,
            parts: bio.parts,
            pointer: Hex(bio.pointer),
            request: bio.request,
            requeues: bio.requeues,
            rwbs: bio.op.rwbs(),
            sector: bio.sector,
            split_of: match bio.origin {
                Origin::Split { of } | Origin::Rest { of } => Some(of),
                _ => None,
            },
            splits: bio.splits,
            stages: stages(bio, time),
            status: bio.status,
            task: TaskJson::from(&bio.task),
            total: bio.ended().map(|end| SpanJson::new(time, bio.queued(), end)),
        }
    }
}

/// A bio that another one came of.
#[derive(Debug, Serialize, JsonSchema)]
struct DerivedJson {
    /// Number of the bio.
    bio: u64,
    /// `split`: cut off from its front; `rest`: what was left of it; `remap`: passed on to another device; `clone`: a
    /// copy; `serve`: the file's, say, of a loop device.
    how: &'static str,
}

/// The name of how a bio came about.
pub fn how(origin: Origin) -> &'static str {
    match origin {
        Origin::Queued => "queued",
        Origin::Split { .. } => "split",
        Origin::Rest { .. } => "rest",
        Origin::Remap { .. } => "remap",
        Origin::Clone { .. } => "clone",
        Origin::Serve { .. } => "serve",
    }
}

fn stages<'a>(bio: &'a Bio, time: &'a TimeMap) -> List<'a, StageJson> {
    let before = std::iter::once(bio.queued()).chain(bio.stages.iter().map(|mark| mark.clock));
    List::new(bio.stages.iter().zip(before).map(|(mark, before)| StageJson {
        clock: mark.clock,
        delta: SpanJson::new(time, before, mark.clock),
        ns: time.ns(mark.clock),
        shared: mark.shared,
        since_queued: SpanJson::new(time, bio.queued(), mark.clock),
        stage: mark.stage,
    }))
}
