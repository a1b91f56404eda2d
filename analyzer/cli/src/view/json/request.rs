//! A request with its attempts.

use super::command_error::RecoveryJson;
use super::common::InterruptJson;
use super::list::List;
use super::values::{DeviceNumber, Hex};
use iotrace::analysis::describe::error_cause;
use iotrace::model::{Attempt, Definitions, Request, RequestKind, Sense, TimeMap};
use schemars::JsonSchema;
use serde::Serialize;

/// An attempt to have the device process a request. Times are guest instructions; null where the step was not seen.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AttemptJson<'a> {
    /// Number of the command, from 1.
    command: u64,
    /// When the completion was reported to the block layer.
    completed: Option<u64>,
    /// When the queue handed it to the layer below.
    dispatched: Option<u64>,
    /// When the driver reported it complete.
    done: Option<u64>,
    /// When the doorbell was written.
    doorbell: Option<u64>,
    /// When the driver was called.
    driver: Option<u64>,
    /// When the driver found it completed.
    driver_done: Option<u64>,
    /// Why it failed, in words; null if it did not.
    error: Option<String>,
    /// When the SCSI layer was finished with it.
    finished: Option<u64>,
    /// The interrupt in which its completion was found; null if not known.
    interrupt: Option<InterruptJson<'a>>,
    /// When the request was issued.
    issued: Option<u64>,
    /// When its command was prepared.
    prepared: Option<u64>,
    /// What was done for it since it failed, by time.
    recovery: List<'a, RecoveryJson>,
    /// The layer below refused it: busy.
    refused: bool,
    /// When the request was requeued.
    requeued: Option<u64>,
    /// SCSI result; 0 is success.
    result: u64,
    /// The sense data with which the device answered; null if there was none.
    sense: Option<Sense>,
    /// When its completion continued in the softirq.
    softirq: Option<u64>,
    /// When the driver queued it to the controller.
    started: Option<u64>,
}

impl<'a> AttemptJson<'a> {
    fn new(attempt: &'a Attempt, time: &TimeMap, definitions: &'a Definitions) -> Self {
        Self {
            command: attempt.command,
            completed: attempt.completed,
            dispatched: attempt.dispatched,
            done: attempt.done,
            doorbell: attempt.doorbell,
            driver: attempt.driver,
            driver_done: attempt.driver_done,
            error: attempt.error().map(error_cause),
            finished: attempt.finished,
            interrupt: attempt.interrupt.map(|irq| InterruptJson::new(&irq, time, definitions)),
            issued: attempt.issued,
            prepared: attempt.prepared,
            recovery: List::new(attempt.recovery.iter().map(RecoveryJson::from)),
            refused: attempt.refused,
            requeued: attempt.requeued,
            result: attempt.result,
            sense: attempt.sense,
            softirq: attempt.softirq,
            started: attempt.started,
        }
    }
}

/// A request.
#[derive(Debug, Serialize, JsonSchema)]
pub struct RequestJson<'a> {
    /// Attempts to have the device process it, by time.
    attempts: List<'a, AttemptJson<'a>>,
    /// Numbers of the bios in it.
    bios: List<'a, u64>,
    /// Bytes.
    bytes: u64,
    /// Device of the disk; 0:0 without one.
    device: DeviceNumber,
    /// When the block layer ended it: guest instructions; null if not seen.
    ended: Option<u64>,
    /// When it was freed: guest instructions; null if not seen.
    freed: Option<u64>,
    /// When it was allocated, or first seen: guest instructions.
    got: u64,
    /// Number, from 1.
    id: u64,
    /// When it was inserted into the queue of the scheduler or the device, each time: guest instructions.
    inserted: &'a [u64],
    /// What it is for.
    kind: RequestKind,
    /// Number of the request that it was merged into; null if it was not.
    merged_into: Option<u64>,
    /// Address of its `struct request`.
    pointer: Hex,
    /// Operation and flags as blktrace prints them; null if not known.
    rwbs: Option<String>,
    /// First sector, of 512 bytes.
    sector: u64,
}

impl<'a> RequestJson<'a> {
    pub fn new(request: &'a Request, time: &'a TimeMap, definitions: &'a Definitions) -> Self {
        let attempt = |attempt| AttemptJson::new(attempt, time, definitions);
        Self {
            attempts: List::new(request.attempts.iter().map(attempt)),
            bios: List::new(request.members.iter().map(|member| member.bio)),
            bytes: request.bytes,
            device: DeviceNumber(request.dev),
            ended: request.ended,
            freed: request.freed,
            got: request.got,
            id: request.id,
            inserted: &request.inserted,
            kind: request.kind,
            merged_into: request.merged_into,
            pointer: Hex(request.pointer),
            rwbs: request.op.map(|op| op.rwbs()),
            sector: request.sector,
        }
    }
}
