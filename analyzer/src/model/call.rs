//! A call of a probed function, as it begins and as it ends.

use super::Level;
use bincode::{Decode, Encode};
use iotrace_format::definition::ReturnType;
use iotrace_format::event::KindId;
use serde::Serialize;

/// Number of a call: from 1, in the order of the entries.
pub type CallId = u64;

/// A call that begins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct Call {
    /// Number.
    pub id: CallId,
    /// The call it was made in; across the boundary of a context, the call that was interrupted.
    pub parent: Option<CallId>,
    /// How many calls of the task were open, those interrupted included.
    pub depth: usize,
    /// How many of the context's own were open.
    pub depth_in_context: usize,
    /// Kind of its entry's event.
    pub kind: KindId,
    /// When it was entered, in instructions.
    pub clock: u64,
    /// Address of the task that it stands on.
    pub task: u64,
    /// What the CPU was in.
    pub level: Level,
    /// It begins a context of its own: an interrupt, a softirq, a work item.
    pub boundary: bool,
    /// The return address; 0 if not known.
    pub caller: u64,
}

/// A call that ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
pub struct CallEnd {
    /// Its number.
    pub id: CallId,
    /// Kind of its entry's event.
    pub kind: KindId,
    /// When it was over, in instructions: when it returned, or when it was seen to have.
    pub clock: u64,
    /// Instructions executed in it, without those in probed functions that it called.
    pub own: u64,
    /// Instructions executed in it and in what it called; not those of interrupts and of other tasks.
    pub total: u64,
    /// How it ended.
    pub ending: Ending,
    /// What it returned, as wide as its type is, if it returns something and that was recorded.
    pub returned: Option<u64>,
    /// The type of that; none if it is not known.
    pub returns: Option<ReturnType>,
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Encode, Decode)]
#[cfg_attr(feature = "schemars", derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// Its own exit was seen.
    Returned,
    /// It had jumped to another function, which returned.
    #[serde(rename = "tail-call")]
    Jumped,
    /// Nobody saw it return: it was over by then.
    Unseen,
}
