//! Facts: what the call tracker makes of events, and what the trackers of objects take in.
//!
//! A fact is built once for each event and holds no state of any tracker: the stage that a function has reached, the
//! values of its arguments by role, and the [`Context`] in which that happened. What one tracker needs to know of
//! another one's objects is a value as well: [`QueuedBio`], [`BegunIo`], [`RequestState`], [`CommandFact`].

use super::probes::{Probes, RoleValues};
use crate::context::{CallFrame, Calls, Tasks};
use crate::model::{
    BioId, CallEnd, CallId, Ending, IoId, IrqRef, Level, OpName, Point, RecoveryStep, Sense, Task,
};
use bincode::{Decode, Encode};
use iotrace_format::event::Event;
use iotrace_format::stage::Stage;
use std::sync::Arc;

/// What begins with a call, as far as it tells contexts apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub enum CallOpening {
    /// Nothing of its own.
    Plain,
    /// A system call.
    Syscall,
    /// The code through which an interrupt is entered, up to its exception return.
    InterruptFrame,
    /// The code through which an exception is entered, up to its exception return.
    ExceptionFrame,
}

/// Where a call stands among those that are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CallPosition {
    /// What begins with it.
    pub opening: CallOpening,
    /// The outermost call of its context, or of its task if that has none.
    pub root: CallId,
    /// The outermost call of its context and level.
    pub first: CallId,
    /// Number of the event of its entry, from 1.
    pub event: u64,
    /// The command whose completion is processed in it, or in an outer call of its context.
    pub completes: Option<u64>,
}

/// An open call.
pub type OpenCall = CallFrame<CallPosition>;

/// The circumstances of an event.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// The event.
    pub event: &'a Event<'a>,
    /// Its number, counted from 1 over the whole trace.
    pub number: u64,
    /// What the CPU was in.
    pub level: Level,
    /// The open calls of all tasks.
    pub calls: &'a Calls<CallPosition>,
    /// Names of tasks at this moment.
    pub tasks: &'a Tasks,
    /// Names and properties of functions.
    pub probes: &'a Probes,
    /// Number of the interrupt under way on the vCPU; 0 if there is none.
    pub interrupt: u64,
    /// Between the marks of the workload.
    pub in_workload: bool,
}

impl Context<'_> {
    /// When, in instructions.
    #[must_use]
    pub fn clock(&self) -> u64 {
        self.event.clock
    }

    /// The task that ran or was interrupted.
    #[must_use]
    pub fn task(&self) -> Task {
        self.tasks.get(self.event.task)
    }

    /// All open calls of the task, those of what interrupted it on top, the outermost first.
    #[must_use]
    pub fn open(&self) -> &[OpenCall] {
        self.calls.all()
    }

    /// The innermost call.
    #[must_use]
    pub fn innermost(&self) -> Option<CallId> {
        self.open().last().map(|call| call.number)
    }

    /// The outermost call of the context and level at hand; if there is none, a number beyond all.
    #[must_use]
    pub fn first(&self) -> CallId {
        let innermost = self.open().last().filter(|call| call.level == self.level);
        innermost.map_or(CallId::MAX, |call| call.data.first)
    }

    /// The frame of the interrupt under way, if that is the innermost context.
    #[must_use]
    pub fn interrupt_frame(&self) -> Option<&OpenCall> {
        interrupt_frame(self.open())
    }

    /// Whether the context at hand is a page fault, entered through the processor's exception: of a system call, or of
    /// user mode.
    #[must_use]
    pub fn is_in_exception(&self) -> bool {
        let opening = |call: &OpenCall| match call.data.opening {
            CallOpening::ExceptionFrame => Some(true),
            CallOpening::Syscall | CallOpening::InterruptFrame => Some(false),
            CallOpening::Plain => None,
        };
        self.level == Level::Task && self.calls.open(self.event).iter().rev().find_map(opening) == Some(true)
    }

    /// The open calls of the context at hand and one in them, by their functions, the outermost first.
    #[must_use]
    pub fn functions(&self, innermost: u16) -> Box<[u16]> {
        self.calls.open(self.event).iter().map(|call| call.function).chain([innermost]).collect()
    }

    /// Here, in the innermost call.
    #[must_use]
    pub fn here(&self) -> Point {
        let innermost = self.open().last();
        Point {
            clock: self.event.clock,
            event: self.number,
            call: innermost.map(|call| call.number),
            root: innermost.map(|call| call.data.root),
            task: self.event.task,
            level: self.level,
            completes: innermost.and_then(|call| call.data.completes),
        }
    }

    /// Here, in a call that has just begun or ended; in the innermost one if there is none.
    #[must_use]
    pub fn here_in(&self, call: Option<CallId>) -> Point {
        let here = self.here();
        Point { call: call.or(here.call), root: here.root.or(call), ..here }
    }
}

/// The frame of the interrupt under way, if that is the innermost context of a task's open calls.
pub fn interrupt_frame(open: &[OpenCall]) -> Option<&OpenCall> {
    let context = open.iter().rev().find(|call| call.boundary);
    context.filter(|call| call.data.opening == CallOpening::InterruptFrame)
}

/// Whether a system call is among the open calls of a context.
pub fn is_in_syscall(open: &[OpenCall]) -> bool {
    open.iter().any(|call| call.data.opening == CallOpening::Syscall)
}

/// A function reached its stage.
#[derive(Debug, Clone, Copy)]
pub struct Fact<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// The function's arguments and what was read through them, by role.
    pub roles: &'a RoleValues<'a>,
    /// The call that begins with it and whose end will be reported; none of an inlined function, for example.
    pub call: Option<CallId>,
    /// The circumstances, without that call.
    pub context: Context<'a>,
}

impl Fact<'_> {
    /// Here, in the call that begins with it.
    #[must_use]
    pub fn here(&self) -> Point {
        self.context.here_in(self.call)
    }
}

/// The call of a function with a stage ended.
#[derive(Debug, Clone, Copy)]
pub struct EndFact<'a> {
    /// The stage.
    pub stage: &'a Stage,
    /// The call.
    pub call: &'a CallEnd,
    /// Number of the function.
    pub function: u16,
    /// The circumstances, without that call.
    pub context: Context<'a>,
}

impl EndFact<'_> {
    /// Its end was recorded, or that of a function that it had jumped to; otherwise nothing is known of its outcome.
    #[must_use]
    pub fn is_seen(&self) -> bool {
        self.call.ending != Ending::Unseen
    }

    /// The value it returned means success; without such a meaning it always does.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.context.probes.succeeded(self.function, self.call.returned)
    }
}

/// The block layer was handed a bio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueuedBio {
    /// Its address.
    pub pointer: u64,
    /// Its number.
    pub id: BioId,
    /// What is done.
    pub op: OpName,
    /// Bytes.
    pub bytes: u64,
}

/// A request went back to where it came from, so that its command will not reach the device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnedRequest {
    /// Its address.
    pub pointer: u64,
}

/// What the block layer has handed to a tracker, if anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlockFact {
    /// A bio is new.
    Queued(QueuedBio),
    /// A request was refused or requeued.
    Returned(ReturnedRequest),
}

/// An I/O began with a call.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BegunIo {
    /// Its number.
    pub id: IoId,
    /// Name of the system call.
    pub syscall: Arc<str>,
    /// Of a page fault: the address that was accessed.
    pub address: Option<u64>,
}

/// An attempt of a request, as far as its command concerns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AttemptState {
    /// Number of the command.
    pub command: u64,
    /// When the driver was called.
    pub driver: Option<u64>,
    /// When the controller was told.
    pub doorbell: Option<u64>,
    /// When the driver gave the command back.
    pub done: Option<u64>,
    /// The request was requeued or refused since: another attempt will follow.
    pub is_over: bool,
}

/// A request that the block layer knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestState {
    /// Its address.
    pub pointer: u64,
    /// Its last attempt.
    pub last: Option<AttemptState>,
    /// Number that the command of its next attempt would have.
    pub next_command: u64,
}

/// A step of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommandStep {
    /// It was prepared.
    Prepared,
    /// The driver was called; with the command's address.
    Passed(u64),
    /// The driver put it into the controller's queue.
    Started,
    /// The controller was told.
    Doorbell,
    /// The driver found it done.
    DriverDone,
    /// The driver gave it back; in this interrupt.
    Done(Option<IrqRef>),
    /// Its request was found complete, though no driver has given it back: in this interrupt, and when the device had
    /// finished it.
    Completed(Option<IrqRef>, u64),
    /// The SCSI layer was finished with it; the result.
    Finished(u64),
    /// It failed; the sense data, if it can be read.
    Sense(Option<Sense>),
    /// Something is done for it since it failed.
    Recovery(RecoveryStep),
}

/// Something happened to the command of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CommandFact {
    /// The request's address.
    pub request: u64,
    /// When, in instructions.
    pub clock: u64,
    /// What.
    pub step: CommandStep,
    /// Its SCSI result, if that was read.
    pub result: Option<u64>,
}

/// The interrupts of a vCPU that a completion may have come with.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
pub struct InterruptState {
    /// The one whose handlers run.
    pub current: Option<IrqRef>,
    /// The last one that a driver took for its own.
    pub of_driver: Option<IrqRef>,
    /// The first one after the command was issued that left work to the thread or the softirq at hand.
    pub deferred: Option<IrqRef>,
}
