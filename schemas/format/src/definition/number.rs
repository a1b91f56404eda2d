//! Numbers of objects in a part of a trace.

use bincode::{Decode, Encode};

/// What readers of events number, each kind from 1 in the order in which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub enum ObjectKind {
    /// An I/O: a system call.
    Io,
    /// A bio.
    Bio,
    /// A request.
    Request,
    /// An attempt of a request at its device.
    Command,
    /// An interrupt.
    Interrupt,
    /// A call of a function.
    Call,
}

impl ObjectKind {
    /// All of them, by their numbers in the file.
    pub const ALL: [Self; 6] =
        [Self::Io, Self::Bio, Self::Request, Self::Command, Self::Interrupt, Self::Call];
}

/// Where a part of a trace begins.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
pub struct PartBegin {
    /// Number of the first event of which all are there that were chosen; those before are what has to be known.
    pub event: u64,
    /// What runs on each vCPU.
    pub running: Vec<RunningTask>,
    /// Calls under way.
    pub calls: Vec<CallCost>,
}

/// What runs on a vCPU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct RunningTask {
    /// The vCPU.
    pub vcpu: u16,
    /// Address of the task.
    pub task: u64,
    /// Clock of the last event there.
    pub clock: u64,
}

/// What a call under way has cost, in instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct CallCost {
    /// Address of the task in which it was made.
    pub task: u64,
    /// Its number.
    pub call: u64,
    /// In it alone.
    pub own: u64,
    /// In the calls it made that have ended.
    pub nested: u64,
}

/// The number of the first object of a kind that begins with an event; those that begin later go on from there, up to the
/// next that is stated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub struct ObjectNumber {
    /// Number of the event.
    pub event: u64,
    /// What begins.
    pub object: ObjectKind,
    /// Its number in the whole trace.
    pub number: u64,
}
