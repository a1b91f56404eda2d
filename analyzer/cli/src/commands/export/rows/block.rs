//! Bios, requests, and what the block tracepoints report.

use super::{RecordTable, Row};
use crate::view::json::bio::how;
use crate::view::text;
use iotrace::analysis::describe::error_cause;
use iotrace::analysis::records::RecordScope;
use iotrace::model::{Attempt, Bio, BlockEvent, Carried, Request, StageMark};
use schemars::JsonSchema;
use serde::Serialize;

/// A bio.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct BioRow {
    /// Number, from 1, in the order in which they were queued or split off.
    bio: u64,
    /// The I/O that it was queued for; null if none is known.
    io: Option<u64>,
    /// How it came to be: queued, split, rest, remap, clone, serve.
    origin: &'static str,
    /// The bio that it came of.
    came_of: Option<u64>,
    /// The device, major:minor.
    dev: String,
    /// The kernel's name of the device.
    device: Option<String>,
    /// First sector, of 512 bytes.
    sector: u64,
    /// Bytes.
    bytes: u64,
    /// Operation.
    op: String,
    /// Operation and flags as blktrace prints them.
    rwbs: String,
    /// Name of the task that queued it.
    comm: String,
    /// Thread id.
    pid: u32,
    /// The last request that it was in.
    request: Option<u64>,
    /// How it came into that request: got, back-merge, front-merge, discard-merge, request-merge.
    join: Option<iotrace::model::Join>,
    /// `blk_status_t` at its end; 0 is success.
    status: u64,
    /// Times its request was issued while it was in it.
    attempts: u32,
    /// Times its request was requeued.
    requeues: u32,
    /// When it was queued.
    queued_clock: u64,
    /// When it was queued.
    queued_ns: Option<u64>,
    /// When it ended.
    ended_clock: Option<u64>,
    /// When it ended.
    ended_ns: Option<u64>,
    /// From queue to end.
    elapsed_ns: Option<u64>,
    /// Part of it in which a device had it.
    device_ns: Option<u64>,
    /// It was queued between the marks of the workload.
    in_workload: bool,
}

impl Row for BioRow {
    const TABLE: RecordTable = RecordTable::Bios;
}

impl BioRow {
    /// The row of a bio.
    pub fn new(bio: &Bio, scope: &RecordScope) -> Self {
        let time = bio.time(&scope.time).filter(|_| scope.time.is_virtual());
        Self {
            bio: bio.id,
            io: bio.cause.as_ref().and_then(|cause| cause.io()),
            origin: how(bio.origin),
            came_of: bio.origin.of(),
            dev: text::device(bio.dev),
            device: bio.device.as_ref().map(ToString::to_string),
            sector: bio.sector,
            bytes: bio.bytes,
            op: bio.op.name.to_string(),
            rwbs: bio.op.rwbs(),
            comm: bio.task.comm.to_string(),
            pid: bio.task.pid,
            request: bio.request,
            join: bio.join,
            status: bio.status,
            attempts: bio.attempts,
            requeues: bio.requeues,
            queued_clock: bio.queued(),
            queued_ns: scope.time.ns(bio.queued()),
            ended_clock: bio.ended(),
            ended_ns: bio.ended().and_then(|end| scope.time.ns(end)),
            elapsed_ns: time.map(|time| time.elapsed),
            device_ns: time.map(|time| time.device),
            in_workload: bio.in_workload,
        }
    }
}

/// A stage that a bio reached.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct StageRow {
    /// Number of the bio.
    bio: u64,
    /// Its place among the stages of the bio, from 0.
    step: usize,
    /// Name of the stage.
    stage: &'static str,
    /// Short name of the stage, as blktrace has it.
    letter: &'static str,
    /// When it was reached.
    clock: u64,
    /// When it was reached.
    ns: Option<u64>,
    /// Guest instructions since the stage before.
    delta_instructions: u64,
    /// Time since the stage before.
    delta_ns: Option<u64>,
    /// Bios that reached it together, this one included.
    shared: u32,
}

impl Row for StageRow {
    const TABLE: RecordTable = RecordTable::Stages;
}

impl StageRow {
    /// The rows of a bio.
    pub fn of(bio: &Bio, scope: &RecordScope) -> impl Iterator<Item = Self> {
        let before = std::iter::once(bio.queued()).chain(bio.stages.iter().map(|mark| mark.clock));
        bio.stages.iter().zip(before).enumerate().map(|(step, (mark, before))| {
            let StageMark { stage, clock, shared } = *mark;
            Self {
                bio: bio.id,
                step,
                stage: stage.name(),
                letter: stage.short(),
                clock,
                ns: scope.time.ns(clock),
                delta_instructions: clock.saturating_sub(before),
                delta_ns: scope.time.between(before, clock),
                shared,
            }
        })
    }
}

/// Bytes of an I/O that a bio carried out of the page cache.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct CarriedRow {
    /// Number of the bio.
    bio: u64,
    /// Number of the I/O that wrote them.
    io: u64,
    /// First byte in the file.
    from: u64,
    /// One past the last byte in the file.
    to: u64,
}

impl Row for CarriedRow {
    const TABLE: RecordTable = RecordTable::Carried;
}

impl From<&Carried> for CarriedRow {
    fn from(Carried { io, bio, from, to }: &Carried) -> Self {
        Self { bio: *bio, io: *io, from: *from, to: *to }
    }
}

/// A request.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct RequestRow {
    /// Number, from 1, in the order in which they were got.
    request: u64,
    /// What it is for: data, flush, passthrough.
    kind: Option<iotrace::model::RequestKind>,
    /// Device of the disk, major:minor.
    dev: String,
    /// First sector, of 512 bytes.
    sector: u64,
    /// Bytes.
    bytes: u64,
    /// Operation and flags as blktrace prints them.
    rwbs: Option<String>,
    /// Bios in it.
    bios: usize,
    /// Attempts.
    attempts: usize,
    /// Times it was requeued.
    requeues: u32,
    /// The request that it was merged into.
    merged_into: Option<u64>,
    /// When it was allocated, or first seen.
    got_clock: u64,
    /// When it was allocated, or first seen.
    got_ns: Option<u64>,
    /// When it was put into a plug.
    plugged_clock: Option<u64>,
    /// When it was inserted for the first time.
    inserted_clock: Option<u64>,
    /// When the block layer ended it.
    ended_clock: Option<u64>,
    /// When it was freed.
    freed_clock: Option<u64>,
    /// When it was freed.
    freed_ns: Option<u64>,
}

impl Row for RequestRow {
    const TABLE: RecordTable = RecordTable::Requests;
}

impl RequestRow {
    /// The row of a request.
    pub fn new(request: &Request, scope: &RecordScope) -> Self {
        Self {
            request: request.id,
            kind: Some(request.kind),
            dev: text::device(request.dev),
            sector: request.sector,
            bytes: request.bytes,
            rwbs: request.op.map(|op| op.rwbs()),
            bios: request.members.len(),
            attempts: request.attempts.len(),
            requeues: request.requeues(),
            merged_into: request.merged_into,
            got_clock: request.got,
            got_ns: scope.time.ns(request.got),
            plugged_clock: request.plugged,
            inserted_clock: request.inserted.first().copied(),
            ended_clock: request.ended,
            freed_clock: request.freed,
            freed_ns: request.freed.and_then(|clock| scope.time.ns(clock)),
        }
    }
}

/// An attempt to have the device process a request.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct AttemptRow {
    /// Number of the command, from 1.
    command: u64,
    /// Number of the request.
    request: u64,
    /// Its place among the attempts of the request, from 0.
    attempt: usize,
    /// When the queue handed it to the layer below.
    dispatched_clock: Option<u64>,
    /// When the request was issued.
    issued_clock: Option<u64>,
    /// When the request was issued.
    issued_ns: Option<u64>,
    /// When the driver was called.
    driver_clock: Option<u64>,
    /// When the doorbell was written.
    doorbell_clock: Option<u64>,
    /// When the doorbell was written.
    doorbell_ns: Option<u64>,
    /// When the interrupt of its completion was delivered.
    interrupt_clock: Option<u64>,
    /// When the interrupt of its completion was delivered.
    interrupt_ns: Option<u64>,
    /// When the driver reported it complete.
    done_clock: Option<u64>,
    /// When the completion was reported to the block layer.
    completed_clock: Option<u64>,
    /// When its completion continued in the softirq.
    softirq_clock: Option<u64>,
    /// When the layer below was finished with it.
    finished_clock: Option<u64>,
    /// When the request was requeued.
    requeued_clock: Option<u64>,
    /// SCSI result; 0 is success.
    result: u64,
    /// Why it failed, in words.
    error: Option<String>,
}

impl Row for AttemptRow {
    const TABLE: RecordTable = RecordTable::Attempts;
}

impl AttemptRow {
    /// The rows of a request.
    pub fn of(request: &Request, scope: &RecordScope) -> impl Iterator<Item = Self> {
        request.attempts.iter().enumerate().map(|(at, attempt)| Self::new(request.id, at, attempt, scope))
    }

    fn new(request: u64, at: usize, attempt: &Attempt, scope: &RecordScope) -> Self {
        let ns = |clock: Option<u64>| clock.and_then(|clock| scope.time.ns(clock));
        let interrupt = attempt.interrupt.map(|irq| irq.clock);
        Self {
            command: attempt.command,
            request,
            attempt: at,
            dispatched_clock: attempt.dispatched,
            issued_clock: attempt.issued,
            issued_ns: ns(attempt.issued),
            driver_clock: attempt.driver,
            doorbell_clock: attempt.doorbell,
            doorbell_ns: ns(attempt.doorbell),
            interrupt_clock: interrupt,
            interrupt_ns: ns(interrupt),
            done_clock: attempt.done,
            completed_clock: attempt.completed,
            softirq_clock: attempt.softirq,
            finished_clock: attempt.finished,
            requeued_clock: attempt.requeued,
            result: attempt.result,
            error: attempt.error().map(error_cause),
        }
    }
}

/// What a block tracepoint of the kernel would have reported.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub struct BlockEventRow {
    /// Name of the tracepoint.
    tracepoint: &'static str,
    /// When.
    clock: u64,
    /// When.
    ns: Option<u64>,
    /// The device, major:minor; 0:0 for a request of no disk.
    dev: String,
    /// First sector, of 512 bytes.
    sector: u64,
    /// Sectors; of block_split, the sector at which the rest begins.
    sectors: u64,
    /// Operation and flags as blktrace prints them.
    rwbs: String,
    /// Name of the task that ran, or was interrupted.
    comm: String,
    /// Thread id.
    pid: u32,
}

impl Row for BlockEventRow {
    const TABLE: RecordTable = RecordTable::BlockEvents;
}

impl BlockEventRow {
    /// The row of a tracepoint.
    pub fn new(event: &BlockEvent, scope: &RecordScope) -> Self {
        Self {
            tracepoint: event.kind.name(),
            clock: event.clock,
            ns: scope.time.ns(event.clock),
            dev: text::device(event.dev),
            sector: event.sector,
            sectors: event.sectors,
            rwbs: event.op.rwbs(),
            comm: event.task.comm.to_string(),
            pid: event.task.pid,
        }
    }
}
