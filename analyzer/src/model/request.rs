//! A request, its attempts at the device, and what it carried.

use super::{BioId, CallId, CommandError, ErrorCause, Join, Level, Op, RecoveryMark, RecoveryStep, Sense};
use bincode::{Decode, Encode};
use serde::Serialize;

/// Number of a request: from 1, in the order in which they were got.
pub type RequestId = u64;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum RequestKind {
    /// Bios.
    Data,
    /// The block layer's own flush.
    Flush,
    /// A command of a driver or a user.
    Passthrough,
}

/// An interrupt, as far as a completion needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct IrqRef {
    /// Number: from 1, in order.
    pub id: u64,
    /// When it was delivered, in instructions: its first instruction, where the entry code has a probe.
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum CompletionWay {
    /// In the call that the driver made.
    InPlace,
    /// In the block softirq, which that call raised.
    Softirq,
    /// Otherwise: on another CPU, or later.
    Elsewhere,
}

/// One attempt to have the device do a request. Times are in instructions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Encode, Decode)]
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
    /// Where its driver does not give it back: when the device had finished it at the latest, the interrupt or the context
    /// that completed its request.
    pub device_end: Option<u64>,
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
    /// The sense data of a command that failed.
    pub sense: Option<Sense>,
    /// What was done for a command that failed, by time.
    pub recovery: Vec<RecoveryMark>,
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

    /// When the device had it, in instructions: from the doorbell, or the issue where no doorbell is known, to the first
    /// instruction of the interrupt, or its end where no interrupt is known. None if it was not issued, or its end is not
    /// known.
    #[must_use]
    pub fn at_device(&self) -> Option<(u64, u64)> {
        let from = self.doorbell.or(self.issued)?;
        let interrupt = self.interrupt.map(|irq| irq.clock);
        let to = interrupt.or(self.device_end).or(self.driver_done).or(self.done)?;
        (from < to).then_some((from, to))
    }

    /// Why it failed; none if it did not.
    #[must_use]
    pub fn error(&self) -> Option<ErrorCause> {
        let is_late = self.recovery.iter().any(|mark| mark.step == RecoveryStep::Timeout);
        match self.sense {
            _ if is_late => Some(ErrorCause::Timeout),
            Some(sense) => Some(ErrorCause::Sense(sense)),
            None => (self.result != 0).then_some(ErrorCause::Result(self.result)),
        }
    }

    /// Why it failed, and what was done for it; none if it did not fail and nothing was.
    #[must_use]
    pub fn command_error(&self) -> Option<CommandError> {
        let recovery = Vec::from_iter(self.recovery.iter().map(|mark| mark.step));
        Some(CommandError { command: self.command, cause: self.error()?, recovery })
    }

    /// The error handler has it, and sends commands of its own in its place.
    #[must_use]
    pub fn is_in_recovery(&self) -> bool {
        let is_handed = self.recovery.iter().any(|mark| mark.step == RecoveryStep::ErrorHandler);
        is_handed && self.requeued.is_none() && self.finished.is_none()
    }

    /// What is known of its steps, in the order of their clocks.
    #[must_use]
    pub fn steps(&self) -> Vec<(&'static str, u64)> {
        let steps = [
            ("dispatched", self.dispatched),
            ("command prepared", self.prepared),
            ("issued", self.issued),
            ("driver called", self.driver),
            ("queued to the controller", self.started),
            ("doorbell", self.doorbell),
            ("interrupt", self.interrupt.map(|irq| irq.clock)),
            ("completion found by driver", self.driver_done),
            ("done", self.done),
            ("completion reported", self.completed),
            ("completion softirq", self.softirq),
            ("finished", self.finished),
            ("requeued", self.requeued),
        ];
        let mut known = Vec::from_iter(steps.iter().filter_map(|(name, clock)| Some((*name, (*clock)?))));
        known.extend(self.recovery.iter().map(|mark| (mark.step.name(), mark.clock)));
        known.sort_by_key(|(_, clock)| *clock);
        known
    }
}

/// A bio in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct RequestMember {
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
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Update {
    /// When, in instructions.
    pub clock: u64,
    /// How many.
    pub bytes: u64,
    /// `blk_status_t`.
    pub error: u64,
}

/// A flush that a request waited for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
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
    pub members: Vec<RequestMember>,
    /// The request it was merged into.
    pub merged_into: Option<RequestId>,
    /// Flushes it waited for.
    pub flushes: Vec<FlushRide>,
    /// Steps of the flush sequence done, a mask of `REQ_FSEQ_*`; none outside of one.
    pub sequence: Option<u64>,
    /// Of a flush: what waits for it.
    pub riders: Vec<Rider>,
    /// Places of the attempts that were issued, by time.
    #[serde(skip)]
    issued: Vec<usize>,
    requeues: u32,
    /// When bytes were completed, by time.
    #[serde(skip)]
    completed: Vec<u64>,
    /// So many members were handed on to the request it was merged into.
    #[serde(skip)]
    handed_on: usize,
}

/// A request that waits for a flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Rider {
    /// Its address.
    pub pointer: u64,
    /// Its number.
    pub request: RequestId,
    /// Place of the flush among those that it waits for.
    pub at: usize,
}

impl Request {
    /// A request that was got, or met for the first time, at `clock`.
    #[must_use]
    pub fn new(id: RequestId, pointer: u64, kind: RequestKind, clock: u64) -> Self {
        Self {
            id,
            pointer,
            kind,
            dev: 0,
            sector: 0,
            bytes: 0,
            op: None,
            got: clock,
            adopted: false,
            plugged: None,
            inserted: Vec::new(),
            attempts: Vec::new(),
            updates: Vec::new(),
            ended: None,
            freed: None,
            members: Vec::new(),
            merged_into: None,
            flushes: Vec::new(),
            sequence: None,
            riders: Vec::new(),
            issued: Vec::new(),
            requeues: 0,
            completed: Vec::new(),
            handed_on: 0,
        }
    }

    /// It is merged into another request: number and address of each bio that goes with it, of each once.
    pub fn hand_on(&mut self) -> Vec<(BioId, u64)> {
        let members = &self.members[self.handed_on..];
        self.handed_on = self.members.len();
        members.iter().map(|member| (member.bio, member.pointer)).collect()
    }

    /// Its last attempt was issued.
    pub fn issue(&mut self, clock: u64) {
        if let Some(attempt) = self.attempts.last_mut() {
            attempt.issued = Some(clock);
            // A driver that makes the command before it issues the request, as that of NVMe, can send it from here on.
            attempt.driver = attempt.driver.map(|driver| driver.max(clock));
            let place = self.attempts.len() - 1;
            if self.issued.last() != Some(&place) {
                self.issued.push(place);
            }
        }
    }

    /// The last attempt that was issued.
    #[must_use]
    pub fn issued(&self) -> Option<&Attempt> {
        self.attempts.get(*self.issued.last()?)
    }

    /// The attempts that were issued from one clock to another, this one included.
    pub fn issued_in(&self, from: u64, until: u64) -> impl ExactSizeIterator<Item = &Attempt> {
        let clock = |place: &usize| self.attempts[*place].issued.unwrap_or(0);
        let begin = self.issued.partition_point(|place| clock(place) < from);
        let end = self.issued.partition_point(|place| clock(place) <= until).max(begin);
        self.issued[begin..end].iter().map(|place| &self.attempts[*place])
    }

    /// The last moment that is known of it, in instructions.
    #[must_use]
    pub fn last_seen(&self) -> u64 {
        let own = [Some(self.got), self.plugged, self.ended, self.freed];
        let attempts = self.attempts.iter().flat_map(Attempt::steps).map(|(_, clock)| clock);
        own.into_iter().flatten().chain(attempts).max().unwrap_or(self.got)
    }

    /// The attempts before the last one that was issued, if they were issued as well.
    pub fn failed_attempts(&self) -> impl DoubleEndedIterator<Item = &Attempt> {
        let before = self.issued.split_last().map_or(&[][..], |(_, before)| before);
        before.iter().map(|place| &self.attempts[*place])
    }

    /// It goes back to the queue.
    pub fn requeue(&mut self, clock: u64) {
        if let Some(attempt) = self.attempts.last_mut() {
            self.requeues += u32::from(attempt.requeued.is_none());
            attempt.requeued = Some(clock);
        }
    }

    /// Times it went back to the queue.
    #[must_use]
    pub fn requeues(&self) -> u32 {
        self.requeues
    }

    /// Bytes of it are completed.
    pub fn update(&mut self, update: Update) {
        if update.bytes > 0 {
            self.completed.push(update.clock);
        }
        self.updates.push(update);
    }

    /// The last completion of bytes up to `clock`; of a request without any, the last completion.
    #[must_use]
    pub fn completed(&self, clock: u64) -> Option<u64> {
        let of_bytes = self.completed.partition_point(|completed| *completed <= clock);
        let of_any = self.updates.partition_point(|update| update.clock <= clock);
        let last = |count: usize| count.checked_sub(1);
        last(of_bytes).map(|at| self.completed[at]).or(last(of_any).map(|at| self.updates[at].clock))
    }

    /// When it was inserted first from `clock` on.
    #[must_use]
    pub fn inserted(&self, clock: u64) -> Option<u64> {
        self.inserted.get(self.inserted.partition_point(|inserted| *inserted < clock)).copied()
    }

    /// How many bios were in it at `clock`.
    #[must_use]
    pub fn members_at(&self, clock: u64) -> u32 {
        self.members.partition_point(|member| member.clock <= clock) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_completed_last_brought_bytes_if_any_did() {
        let mut request = Request::new(1, 0xa000, RequestKind::Data, 0);
        let completed = |request: &Request| [4, 10, 25, 99].map(|clock| request.completed(clock));
        request.update(Update { clock: 10, bytes: 0, error: 0 });
        assert_eq!(completed(&request), [None, Some(10), Some(10), Some(10)]);
        request.update(Update { clock: 20, bytes: 512, error: 0 });
        request.update(Update { clock: 30, bytes: 0, error: 0 });
        assert_eq!(completed(&request), [None, Some(10), Some(20), Some(20)]);
    }

    #[test]
    fn an_attempt_that_was_not_issued_is_not_the_last_that_was() {
        let mut request = Request::new(1, 0xa000, RequestKind::Data, 0);
        let attempt = |command| Attempt { command, ..Attempt::default() };
        assert_eq!(request.issued(), None);
        request.attempts.push(attempt(1));
        request.issue(10);
        request.requeue(20);
        request.requeue(21);
        request.attempts.push(attempt(2));
        assert_eq!((request.issued().map(|a| a.command), request.requeues()), (Some(1), 1));
    }
}
