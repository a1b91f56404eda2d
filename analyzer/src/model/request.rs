//! A request, its attempts at the device, and what it carried.

use super::{BioId, CallId, Join, Level, Op};

/// Number of a request: from 1, in the order in which they were got.
pub type RequestId = u64;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    /// Bios.
    Data,
    /// The block layer's own flush.
    Flush,
    /// A command of a driver or a user.
    Passthrough,
}

/// An interrupt, as far as a completion needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IrqRef {
    /// Number: from 1, in order.
    pub id: u64,
    /// When it was delivered, in instructions.
    pub clock: u64,
    /// Vector.
    pub vector: Option<u64>,
    /// Interrupt line (Linux' number).
    pub line: Option<u64>,
    /// Address of the handler.
    pub handler: Option<u64>,
    /// The outermost call of it.
    pub call: Option<CallId>,
}

/// By which way the queue gave a request to the SCSI layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DispatchWay {
    /// Directly by the submitter, past the scheduler.
    Direct,
    /// Directly, when the submitter's plug was flushed.
    PlugDirect,
    /// Through the scheduler's queue, which was run when the submitter's plug was flushed.
    PlugFlush,
    /// Through the scheduler's queue, which the submitter ran.
    Run,
    /// By kblockd, which was asked to run the queue.
    Kblockd,
    /// By kblockd's requeue work.
    Requeue,
    /// When the completion of another request ran the queue again.
    Restart,
    /// None of these was seen.
    Unknown,
}

/// How the block layer was told of a completion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CompletionWay {
    /// In the call that the driver made.
    InPlace,
    /// In the block softirq, which that call raised.
    Softirq,
    /// Otherwise: on another CPU, or later.
    Elsewhere,
}

/// One attempt to have the device do a request. Times are in instructions.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Attempt {
    /// Number of the command: from 1, over the whole trace.
    pub command: u64,
    /// Address of the `struct scsi_cmnd`, 0 if not seen.
    pub pointer: u64,
    /// The queue gave it to the SCSI layer; none where that takes its requests itself (up to 4.20).
    pub dispatched: Option<u64>,
    /// By which way.
    pub way: Option<DispatchWay>,
    /// By which task, or in which interrupt level of the CPU, it was dispatched; issued, where nothing dispatches.
    pub dispatched_by: Option<String>,
    /// Number of the event that showed it.
    pub dispatch_event: u64,
    /// The command was made.
    pub prepared: Option<u64>,
    /// The request was started (D).
    pub issued: Option<u64>,
    /// The driver was called.
    pub driver: Option<u64>,
    /// The driver put it into the controller's queue.
    pub started: Option<u64>,
    /// The controller was told.
    pub doorbell: Option<u64>,
    /// The interrupt it was done in.
    pub interrupt: Option<IrqRef>,
    /// The driver found it done.
    pub driver_done: Option<u64>,
    /// The driver gave it back.
    pub done: Option<u64>,
    /// The block layer was told.
    pub completed: Option<u64>,
    /// What the CPU was in then.
    pub completed_at: Option<Level>,
    /// Where the rest of the completion was done.
    pub completion: Option<CompletionWay>,
    /// Number of the event that told so.
    pub completion_event: u64,
    /// The rest of the completion began, in the softirq.
    pub softirq: Option<u64>,
    /// The SCSI layer was finished with it.
    pub finished: Option<u64>,
    /// SCSI result.
    pub result: u64,
    /// It went back to the queue.
    pub requeued: Option<u64>,
    /// The layer below refused it: too busy.
    pub refused: bool,
}

impl Attempt {
    /// When the request went to the layer below the queue: dispatched, or issued where that layer takes its requests
    /// itself.
    #[must_use]
    pub fn left_queue(&self) -> Option<u64> {
        self.dispatched.or(self.issued)
    }
}

/// A bio in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// The bio.
    pub bio: BioId,
    /// Its address.
    pub pointer: u64,
    /// Since when, in instructions.
    pub clock: u64,
    /// How.
    pub join: Join,
}

/// Bytes completed by one `blk_update_request`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Update {
    /// When, in instructions.
    pub clock: u64,
    /// How many.
    pub bytes: u64,
    /// `blk_status_t`.
    pub error: u64,
}

/// A flush that a request waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlushRide {
    /// It came after the data (it stands for FUA); otherwise before.
    pub after_data: bool,
    /// Since when the request waited, in instructions.
    pub from: u64,
    /// The flush request, once there was one.
    pub request: Option<RequestId>,
    /// How many requests waited for the same flush.
    pub riders: u32,
    /// When it was over, in instructions.
    pub done: Option<u64>,
    /// The flush request's last attempt.
    pub attempt: Option<Attempt>,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Number.
    pub id: RequestId,
    /// Address of the `struct request`.
    pub pointer: u64,
    /// What it is for.
    pub kind: RequestKind,
    /// `dev_t` of the disk.
    pub dev: u64,
    /// First sector, as last seen before it was issued.
    pub sector: u64,
    /// Bytes, as last seen before it was issued.
    pub bytes: u64,
    /// Operation, as last seen.
    pub op: Option<Op>,
    /// When it was got, in instructions.
    pub got: u64,
    /// Its allocation was not seen: [`Request::got`] is the first time it was met.
    pub adopted: bool,
    /// When it was put into a plug.
    pub plugged: Option<u64>,
    /// When it was inserted, each time.
    pub inserted: Vec<u64>,
    /// Attempts.
    pub attempts: Vec<Attempt>,
    /// Bytes completed, by time.
    pub updates: Vec<Update>,
    /// When the block layer was finished with it.
    pub ended: Option<u64>,
    /// When it was given back.
    pub freed: Option<u64>,
    /// Bios in it, in the order in which they came.
    pub members: Vec<Member>,
    /// The request it was merged into.
    pub merged_into: Option<RequestId>,
    /// Flushes it waited for.
    pub flushes: Vec<FlushRide>,
    /// Steps of the flush sequence done, a mask of `REQ_FSEQ_*`; none outside of one.
    pub sequence: Option<u64>,
    /// Of a flush: the requests that wait for it, by address.
    pub riders: Vec<u64>,
}

impl Request {
    /// Times it went back to the queue.
    #[must_use]
    pub fn requeues(&self) -> u32 {
        self.attempts.iter().filter(|a| a.requeued.is_some()).count() as u32
    }

    /// How many bios were in it at `clock`.
    #[must_use]
    pub fn members_at(&self, clock: u64) -> u32 {
        self.members.iter().filter(|m| m.clock <= clock).count() as u32
    }
}
